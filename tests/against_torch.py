"""One layer in both engines: same state dict in, same outputs, same gradients, same names, same text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_edu as tg


def translated(value: Any, engine: Any) -> Any:
    """Arrays, also inside tuples and dictionaries, as an engine's tensors; those of floats ask for a gradient."""
    if isinstance(value, np.ndarray):
        return engine.tensor(value.copy(), requires_grad=value.dtype.kind == "f")
    if isinstance(value, (tuple, list)):
        return type(value)(translated(v, engine) for v in value)
    if isinstance(value, dict):
        return {k: translated(v, engine) for k, v in value.items()}
    return value


def tensors(value: Any) -> list[Any]:
    """All tensors in an answer."""
    if isinstance(value, (tuple, list)):
        return [t for v in value for t in tensors(v)]
    return [value] if hasattr(value, "detach") else []


def close(ours: Any, theirs: Any, what: str = "") -> None:
    """Equal to rounding, with the same shape."""
    assert tuple(ours.shape) == tuple(theirs.shape), what
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-8, atol=1e-9, err_msg=what)


def same(make: Callable[[Any], Any], *inputs: Any, call: Callable[..., Any] | None = None, **options: Any) -> None:
    """Hold `make(nn)` of both engines equal, in float64, on the same inputs and random cotangents.

    `call(module, engine, *inputs, **options)` says how the layer is called, where that is not plain.
    """
    import torch

    theirs, ours = make(torch.nn).double(), make(tg.nn).double()
    assert repr(ours) == repr(theirs)
    state = theirs.state_dict()
    assert [(k, tuple(v.shape)) for k, v in ours.state_dict().items()] == [
        (k, tuple(v.shape)) for k, v in state.items()
    ]
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    ours.load_state_dict({k: tg.tensor(v.numpy().copy()) for k, v in state.items()})
    results = []
    for module, engine in ((ours, tg), (theirs, torch)):
        xs, named = translated(list(inputs), engine), translated(options, engine)
        out = tensors(call(module, engine, *xs, **named) if call else module(*xs, **named))
        results.append((out, tensors(xs), [p for _, p in module.named_parameters()]))
    (out, xs, ps), (torch_out, torch_xs, torch_ps) = results
    assert len(out) == len(torch_out)
    for i, (a, b) in enumerate(zip(out, torch_out, strict=True)):
        close(a, b, f"result {i}")
    pairs = [(a, b) for a, b in zip(out, torch_out, strict=True) if b.requires_grad]
    if not pairs:
        return
    cotangents = [np.random.standard_normal(tuple(b.shape)) for _, b in pairs]
    sum((a * tg.tensor(c)).sum() for (a, _), c in zip(pairs, cotangents, strict=True)).backward()
    sum((b * torch.tensor(c)).sum() for (_, b), c in zip(pairs, cotangents, strict=True)).backward()
    for i, (a, b) in enumerate(zip(xs + ps, torch_xs + torch_ps, strict=True)):
        if b.grad is not None:
            close(a.grad, b.grad, f"gradient {i}")
        else:
            assert a.grad is None, f"gradient {i}"


def same_error(make: Callable[[Any], Any], call: Callable[[Any, Any], Any] | None = None) -> None:
    """Both engines refuse with the same type of exception: already `make(nn)`, or `call(module, engine)`."""
    import torch

    kinds = []
    for engine in (tg, torch):
        try:
            module = make(engine.nn)
            assert call is not None
            call(module, engine)
        except Exception as error:
            assert len(str(error)) > 10
            kinds.append(type(error))
    assert len(kinds) == 2 and kinds[0] is kinds[1], kinds

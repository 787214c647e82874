"""Every entry of PyTorch's operator database on the strict stand-in for a GPU: the CPU's results and gradients."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch, whose operator database is run here, is not installed")

import standin

import tinygrad_edu as tg
from tinygrad_edu import devices
from tinygrad_edu import random as tg_random
from tinygrad_edu.tensor import Tensor, wrap

from . import catalogue
from .harness import RANDOM, quiet, seed
from .translation import ENTRIES, Missing, Untranslatable, function_of, tensors, torch, translated

CLASSES = catalogue.assign((full, op.name) for full, op in ENTRIES.items())
NAMES = [name for name, (kind, _) in CLASSES.items() if kind != "left out"]
PLACING = re.compile("to|new_.*|.*_like|.*tensor_overload")  # their samples say on which device the result is made
SAMPLES = 2


def placed(value: Any, there: bool, memo: dict[int, Any]) -> Any:
    """Arguments with leaves of their own, here or on the device; the same tensor twice is the same tensor."""
    if isinstance(value, Tensor):
        if id(value) not in memo:
            array = value.detach().numpy().copy()
            memo[id(value)] = wrap(standin.Array(array) if there else array).requires_grad_(value.requires_grad)
        return memo[id(value)]
    if isinstance(value, devices.device):
        return devices.device("cuda") if there else value
    if type(value) in (list, tuple):
        return type(value)(placed(v, there, memo) for v in value)
    return {k: placed(v, there, memo) for k, v in value.items()} if isinstance(value, dict) else value


def answers(function: Any, arguments: tuple, there: bool) -> tuple[list[Tensor], list[Any]]:
    """The results of a call here or there, and the leaves with their gradients."""
    memo: dict[int, Any] = {}
    input, args, kwargs = placed(arguments, there, memo)
    tg.manual_seed(0)  # the stand-in draws the CPU's numbers
    outs = tensors(function(input, *args, **kwargs))
    roots = [out for out in outs if out.requires_grad and out.dtype.is_floating_point]
    if roots:
        sum((out * out).sum() + out.sum() for out in roots).backward()
    return outs, [t.grad for t in memo.values() if t.grad is not None]


def host(t: Tensor) -> np.ndarray:
    return getattr(t.array, "_a", t.array)


def samples(name: str) -> Any:
    """A few samples of an entry as our arguments, floats with gradients where it has any."""
    op = ENTRIES[name]
    for dtype in [d for d in (torch.float64, torch.int64) if d in op.dtypes]:
        seed(0)
        for drawn in itertools.islice(op.sample_inputs("cpu", dtype, requires_grad=False), SAMPLES):
            try:
                arguments = translated((drawn.input, tuple(drawn.args), drawn.kwargs))
            except (Untranslatable, Missing):
                continue
            for t in tensors(arguments):
                t.requires_grad_(op.supports_autograd and t.dtype.is_floating_point)
            yield arguments


@pytest.mark.parametrize("name", NAMES)
def test_the_same_on_the_device(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tg_random, "_on_gpu", {})
    with quiet():
        try:
            function = function_of(ENTRIES[name])
        except Missing as missing:
            pytest.skip(f"{missing} is missing")
        for arguments in samples(name):
            try:
                outs, grads = answers(function, arguments, False)
            except Exception:
                continue  # what is wrong on the CPU too is another test's
            with standin.device():
                monkeypatch.setattr(tg_random, "_on_gpu", {})
                others, other_grads = answers(function, arguments, True)
            assert len(outs) == len(others) and len(grads) == len(other_grads)
            for out, other in zip([*outs, *grads], [*others, *other_grads], strict=True):
                assert out.shape == other.shape and out.dtype is other.dtype
                if tensors(arguments) and not PLACING.fullmatch(name):
                    assert isinstance(other.array, standin.Array), "a result has left the device"
                if name not in RANDOM.split():
                    np.testing.assert_allclose(host(other), host(out), rtol=1e-6, atol=1e-6)

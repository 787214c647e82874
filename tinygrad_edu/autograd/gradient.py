"""`grad` and `backward`: gradients of some tensors with respect to others."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from ..errors import message
from ..ops.misuse import explain_all as _explain_all
from ..tensor import Tensor, outside, root, run_backward, target, wrap
from .graph import walk

Tensors = Tensor | Sequence[Tensor]


def several(tensors: Any) -> list:
    """One tensor or a sequence of them, as a list."""
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def cotangents(outputs: Sequence[Tensor], gradients: Any) -> list[Tensor | None]:
    """One gradient, or None, for each output."""
    found = [None] * len(outputs) if gradients is None else several(gradients)
    if len(found) != len(outputs):
        raise RuntimeError(f"got {len(outputs)} tensors and {len(found)} gradients")
    return found


def backward(
    tensors: Tensors,
    grad_tensors: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Tensors | None = None,
) -> None:
    """Compute the gradients of all leaves behind the tensors and add them into their `grad`."""
    if grad_variables is not None and grad_tensors is not None:
        raise RuntimeError("'grad_variables' is the old name of 'grad_tensors': write only the latter")
    outputs = several(tensors)
    given = cotangents(outputs, grad_variables if grad_tensors is None else grad_tensors)
    run_backward(outputs, given, retain_graph, create_graph, inputs)


def grad(
    outputs: Tensors,
    inputs: Tensors,
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of the outputs, summed, with respect to each input; nobody's `grad` is touched."""
    if not only_inputs:
        raise ValueError("grad: only_inputs=False is no longer supported; write backward() for all leaves")
    if is_grads_batched:
        raise NotImplementedError("grad: is_grads_batched is not supported; call grad once for each grad_outputs")
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False."
        )
    outputs, inputs = several(outputs), several(inputs)
    if not inputs:
        raise RuntimeError("'inputs' argument to grad cannot be empty.")
    given = cotangents(outputs, grad_outputs)
    roots = [root(t, g, create_graph, "grad") for t, g in zip(outputs, given, strict=True)]
    nodes = [target(t, "grad") for t in inputs]
    retain = create_graph if retain_graph is None else retain_graph
    found = walk(roots, create_graph=create_graph, retain_graph=retain, targets=nodes)
    gradients = [outside(found[node]) if node in found else None for node in nodes]
    for i, (t, g) in enumerate(zip(inputs, gradients, strict=True)):
        if g is None and materialize_grads:
            gradients[i] = wrap(t.array * 0)
        elif g is None and not allow_unused:
            raise RuntimeError(
                message(
                    f"grad of input {i}, of shape {list(t.shape)}",
                    "One of the differentiated Tensors appears to not have been used in the graph. "
                    "Set allow_unused=True if this is the desired behavior.",
                    instead="grad(..., allow_unused=True) for a None; viz.explain_grad(input, loss) says where it is cut off",
                )
            )
    return tuple(gradients if create_graph else _each_its_own(gradients, given))


def _each_its_own(gradients: list[Tensor | None], given: list[Tensor | None]) -> list[Tensor | None]:
    """The gradients, none of which lies in the memory of another: writing into one must not change the next."""
    taken = {_memory(g) for g in given if g is not None}
    found: list[Tensor | None] = []
    for g in gradients:
        if g is not None and _memory(g) in taken:
            g = wrap(g.array.copy())
        if g is not None:
            taken.add(_memory(g))
        found.append(g)
    return found


def _memory(t: Tensor) -> int:
    """What tells whether two arrays lie in one piece of memory."""
    array = t.array
    while getattr(array, "base", None) is not None:
        array = array.base
    return id(array)


class _LooksLikeTensor(type):
    def __instancecheck__(cls, other: object) -> bool:
        return isinstance(other, Tensor)


class Variable(metaclass=_LooksLikeTensor):
    """PyTorch's name for tensors of the graph before 0.4: `Variable(t)` is a tensor on the same memory."""

    def __new__(cls, data: Tensor, requires_grad: bool = False, volatile: bool = False) -> Any:
        if not isinstance(data, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(data).__name__}")
        if volatile:
            text = "volatile was removed and now has no effect; write `with no_grad():`"
            warnings.warn(text, UserWarning, stacklevel=2)
        t = data.detach()
        return t.requires_grad_() if requires_grad else t


_explain_all(globals())

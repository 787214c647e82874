"""What happens when an operation is called: compute on arrays, wrap the result, record a node if a gradient is wanted.

This is the call in general. Most calls need little of it; for these `written.py` writes a shorter one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import devices, dtypes
from .autograd.graph import Node, tick
from .autograd.modes import recording
from .errors import message, translated
from .plan import OpNode, Plan
from .promotion import agree, mended, not_a_tensor, settle, unify
from .tensor import Tensor, TensorNode, new, wrap

if TYPE_CHECKING:
    from .op import Op


def general(op: Op, values: Sequence[Any], into: Any = None) -> Any:
    """The call in general: any arguments, promotion, views, several results, errors."""
    inputs = [*values[0], *values[1:]] if op.sequence else values
    arrays, edges, needs, tensors, bit = [], [], 0, 0, 1
    for v in inputs:
        node = None
        if isinstance(v, Tensor):
            node = v.node
            tensors |= bit
            if node is not None:
                if node.version is not None:
                    node = v.edge()
                if node is not None:
                    needs |= bit
            v = v.array
        arrays.append(v)
        edges.append(node)
        bit += bit
    if not tensors:
        return _on_arrays(op, values)
    for i in op.tensors:
        if not isinstance(inputs[i], Tensor):
            raise TypeError(not_a_tensor(op, i, inputs[i]))
    if op.promoted and not agree(op, arrays):
        inputs, arrays, edges, needs = unify(op, inputs)
    first = len(values[0]) if op.sequence else 0
    grouped = [arrays[:first], *arrays[first:]] if op.sequence else arrays
    try:
        out = op.run(*grouped)
    except Exception as error:
        moved = mended(op, inputs, error)
        return general(op, [moved[:first], *moved[first:]] if op.sequence else moved, into)
    like = (
        () if op.exact is not None and grouped[op.exact] is not None else arrays
    )  # an explicit dtype is not corrected
    mode: Any = recording.get() if needs and op.differentiable else False
    if mode:
        plan = op.plan(needs)
        edges = edges[: first if op.sequence else op.arity]
    count = len(out) if op.many else max(len(op.results), 1)
    results, extras = ([out], ()) if op.single else (list(out[:count]), out[count:])
    results = [settle(op, each, like) for each in results]
    node = None
    if mode and any(out.dtype.kind in "fc" for out in results):
        node = record(plan, edges, inputs, grouped, results, extras, tensors)
    answer = _wrapped(op, results, node)
    wrapped = list(answer) if op.several else [answer]
    for t in wrapped if op.view else ():
        show(t, op, inputs[0], values[1:])
    if node is not None and mode is not True:
        mode.recorded(node, inputs, wrapped)
    return answer if into is None else store(op, answer, into, arrays)


def _wrapped(op: Op, results: list[Any], node: OpNode | None) -> Any:
    """The results as tensors: one, a named tuple, or a tuple of any length."""
    if not op.several:
        return wrap(results[0], node)
    tensors = [wrap(out) for out in results]
    if node is not None:
        for k, t in enumerate(tensors):
            t.node = node.pick(k) if t.array.dtype.kind in "fc" else None
    return op.returned(tensors) if op.many else op.returned(*tensors)


def _on_arrays(op: Op, values: Sequence[Any]) -> Any:
    """The operation inside a rule: arrays in, arrays out, nothing looked after."""
    first = values[0][0] if op.sequence and len(values[0]) else values[0]
    if not isinstance(first, (np.ndarray, np.generic)) and not any(
        isinstance(v, np.generic) or devices.is_array(v) for v in (first, *values)
    ):
        raise TypeError(not_a_tensor(op, 0, first))
    try:
        out = op.run(*values)
    except AttributeError as error:  # a number of NumPy's beside what is no array
        raise translated(op.name, list(values), error) from error
    if not op.keeps:
        return out
    return out[: len(op.results)] if op.several else out[0]


# --- what is recorded ------------------------------------------------------------------------------------------------


def record(
    plan: Plan,
    edges: Sequence[Node | None],
    inputs: Sequence[Any],
    arrays: Sequence[Any],
    results: Sequence[Any],
    extras: Sequence[Any] = (),
    tensors: int = -1,
) -> OpNode:
    """The node of a call; the bits of `tensors` say which inputs are tensors."""
    op = plan.op
    node = new(OpNode)
    node.plan, node.edges = plan, tuple(edges)
    node.shape = results[0].shape if not op.several else ()
    if op.several:
        node.outputs, node.picks = [(out.shape, out.dtype) for out in results], {}
    node.kept = plan.pick((*arrays, *((None,) if op.many else results), *extras)) if plan.pick is not None else ()
    node.version = node.hooks = None
    if plan.constants & tensors or op.sequence:
        node.watch = watched(plan, inputs, edges)
    node.number = tick()
    return node


def watched(plan: Plan, inputs: Sequence[Any], edges: Sequence[Any] = ()) -> tuple | None:
    """The write counters of kept inputs that have no node of their own."""
    if plan.op.sequence:
        pairs = zip(inputs, edges, strict=False)
        constants = [v for v, edge in pairs if edge is None] if ("input", 0) in plan.kinds else []
    else:
        constants = [v for i, v in enumerate(inputs) if plan.constants >> i & 1]
    return tuple((v.version(), v.array) for v in constants if isinstance(v, Tensor)) or None


def show(t: Tensor, op: Op, source: Tensor, options: Sequence[Any]) -> None:
    """Note that `t` shows the memory of `source`: writes are counted together, and histories follow each other."""
    if not devices.shares_memory(t.array, source.array):
        return
    t._writes = version = source._writes or source.version()
    if t.array.dtype.kind not in "fc":
        return
    base, recipe = source._origin or (source, ())
    t._origin = base, (*recipe, (op, options))
    if t.node is None and recording.get():
        t.node = Unrecorded(t.array.shape)
    if t.node is not None:
        t.node.share(version)


class Unrecorded(TensorNode):
    """Stands where a view's node would be while its base has none: `Tensor.edge` looks there again."""

    __slots__ = ()

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.edges, self.shape, self.number, self.version, self.hooks = (), shape, -1, None, None


def store(op: Op, answer: Any, into: Any, inputs: Sequence[Any] = ()) -> Any:
    """Write results into the tensors given as `out=`, which take their shape."""
    if op.several:
        return op.returned(*[store_one(op.name, a, t, inputs) for a, t in zip(answer, into, strict=True)])
    return store_one(op.name, answer, into, inputs)


def store_one(name: str, answer: Tensor, into: Tensor, inputs: Sequence[Any] = ()) -> Tensor:
    """Write one result into `into`, which must not share memory with itself or with a part of an input."""
    if recording.get() and (answer.requires_grad or into.requires_grad):
        raise RuntimeError(
            f"{name}(): functions with out=... arguments don't support automatic differentiation, "
            "but one of the arguments requires grad."
        )
    if not dtypes.can_cast(answer.dtype, into.dtype):
        raise RuntimeError(f"{name}: result type {answer.dtype} can't be cast to the desired output type {into.dtype}")
    target = into.array
    if target.size and any(n > 1 and not stride for n, stride in zip(target.shape, target.strides, strict=True)):
        _refuse_overlap(name, "more than one element of the written-to tensor refers")
    for a in inputs:
        if devices.is_array(a) and partly_shared(a, target):
            _refuse_overlap(name, "some elements of the input tensor and the written-to tensor refer")
    if target.shape == answer.array.shape:
        np.copyto(target, answer.array, casting="unsafe")
    else:
        into.array = answer.array.astype(target.dtype)
    into.version().write()
    return into


def partly_shared(a: Any, b: Any) -> bool:
    """Whether two arrays without gaps lie over each other, but not element by element; PyTorch looks at no others."""
    (first, size), (other, length) = map(devices.stretch, (a, b))
    same = (first, a.shape, a.strides) == (other, b.shape, b.strides)
    full = size == a.nbytes and length == b.nbytes
    return full and not same and first < other + length and other < first + size


def _refuse_overlap(name: str, who: str) -> None:
    wrong = f"unsupported operation: {who} to a single memory location."
    raise RuntimeError(message(f"{name}(out=...)", wrong, instead="out=x.clone(), or no out= at all"))

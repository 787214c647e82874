"""Writing in place: `add_` and its kin, on tensors and on views, with the history that follows.

A write is the operation itself, computed beside its target and then copied into it; the target takes over the history.
A write into a view is a write into its base: the base's new node is `overwrite`, and every view finds its own node
again, from the base's, when it is next used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import devices, dtypes
from .autograd.graph import Version, observer, recording, tick
from .call import Unrecorded, partly_shared, record
from .errors import describe, message
from .op import Op, cast, op
from .plan import OpNode
from .tensor import Leaf, Tensor, keep_retaining, wrap


@op
def overwrite(x, value, recipe):
    """`x` with `value` in the place that a view shows, given by the operations that lead to the view."""
    out = x.copy() if x.ndim else devices.full((), x, x.dtype, like=x)  # in a rule x may be a scalar of NumPy's
    replay(out, recipe)[...] = value
    return out


def replay(x: Any, recipe: Sequence[tuple[Op, tuple]]) -> Any:
    """The view of `x` that a chain of operations leads to."""
    for step, options in recipe:
        x = step.call(x, *options)
    return x


overwrite.grad(
    x=lambda g, recipe: overwrite(g, 0, recipe),
    value=lambda g, recipe: replay(g, recipe),
)


def inplace(function: Callable) -> Callable:
    """The method that writes a function's result into its first argument: `add_` for `add`."""
    name = function.__name__.strip("_") + "_"
    composed = not hasattr(function, "op")
    each = not function.__module__.endswith(".matrix")  # element by element: a product is computed beside its target

    def method(self: Tensor, *args: Any, **options: Any) -> Tensor:
        check_writable(self, name)
        if self._writes is not None and args and each:
            check_overlap(name, self, args)
        # what the steps of a composed function keep must not be the memory that is about to be written
        old = self.clone() if composed and recording.get() else wrap(self.array, self.edge())
        return assign(self, function(old, *args, **options), name)

    method.__name__ = method.__qualname__ = name
    method.__module__ = function.__module__
    method.__doc__ = f"`{name[:-1]}`, written into this tensor."
    return method


def check_overlap(what: str, t: Tensor, others: Sequence[Any]) -> None:
    """Raise where an argument shows a part of the memory that is to be written, but not element by element."""
    for other in others:
        if isinstance(other, Tensor) and other._writes is t._writes and partly_shared(other.array, t.array):
            wrong = "unsupported operation: some elements of the input tensor and the written-to tensor refer to a"
            raise RuntimeError(message(what, f"{wrong} single memory location.", instead=f"x.{what}(y.clone())"))


def check_writable(t: Tensor, what: str) -> None:
    """Raise where a write would leave the graph without its leaf, or has no memory of its own to go to."""
    if not recording.get():
        return
    base = t if t._origin is None else t._origin[0]
    instead = "with torch.no_grad(): ..., or make a new tensor"
    if isinstance(base.node, Leaf):
        if t is not base and t.node is None:
            wrong = "a view made in no_grad mode is being modified inplace with grad mode enabled"
        else:
            kind = "a leaf Variable" if t is base else "a view of a leaf Variable"
            wrong = f"{kind} that requires grad is being used in an in-place operation."
        raise RuntimeError(message(f"{what} on {describe(t)}", wrong, instead=instead))
    if t is not base and t.node is None and base.edge() is not None:
        wrong = "a view made in no_grad mode is being modified inplace with grad mode enabled"
        raise RuntimeError(message(f"{what} on {describe(t)}", wrong, instead=instead))


def assign(t: Tensor, result: Tensor, what: str) -> Tensor:
    """Write a result computed from `t` into `t`, which takes over its history."""
    if result.array.shape != t.array.shape:
        wrong = f"output with shape {list(t.shape)} doesn't match the broadcast shape {list(result.shape)}"
        raise RuntimeError(message(what, wrong, instead=f"the operation without '_', {what[:-1]}"))
    if not dtypes.can_cast(result.dtype, t.dtype):
        wrong = f"result type {result.dtype} can't be cast to the desired output type {t.dtype}"
        raise RuntimeError(message(what, wrong, instead=f"x = x.to({result.dtype}) first"))
    if result.array.dtype != t.array.dtype:
        result = cast(result, t.dtype)
    version, node = t.version(), result.edge()
    if isinstance(node, OpNode) and node.kept:
        _keep_copies(node, t.array, version)
    try:
        np.copyto(t.array, result.array)
    except ValueError as error:
        wrong = "more than one element of the written-to tensor refers to a single memory location, or it is read-only"
        raise RuntimeError(message(what, f"unsupported operation: {wrong}", instead="x = x.clone() first")) from error
    version.write()
    if observer.get() is not None:
        observer.get().written(t, what)
    if recording.get():
        if node is not None:
            node.number = tick()  # what it keeps is as it was after the write
        if t._origin is None:
            keep_retaining(t.node, node)
            t.node = node
        elif node is not None or t._origin[0].edge() is not None:
            base, recipe = t._origin
            edges = (base.edge(), node)
            needs = (edges[0] is not None) + 2 * (node is not None)
            former = base.node
            base.node = record(
                overwrite.op.plan(needs), edges, (base, result, recipe), (None, None, recipe), [base.array]
            )
            keep_retaining(former, base.node)
            base.node.share(version)
            t.node = Unrecorded(t.array.shape) if t.node is None else t.node
            t.node.share(version)
            if t.node.hooks is not None:
                t.edge()  # its hooks follow now: who looks at `grad` later does not ask for the node
        if t.node is not None:
            t.node.share(version)
    return t


def _keep_copies(node: OpNode, memory: Any, version: Version) -> None:
    """Before a write: what the node keeps of the memory becomes its own, and is not checked for writes any more."""
    kept = tuple(_unshared(v, memory) for v in node.kept)
    own = (kind for kind, old, new in zip(node.plan.kinds, node.kept, kept, strict=True) if new is not old)
    node.own = frozenset((*own, *(kind for kind in node.plan.kinds if kind[0] == "result")))
    node.kept = kept
    node.watch = tuple(pair for pair in node.watch or () if pair[0] is not version) or None


def _unshared(value: Any, memory: Any) -> Any:
    """A kept value, copied if it lies in memory that is about to be written."""
    if isinstance(value, list):
        copies = [_unshared(v, memory) for v in value]
        return copies if any(a is not b for a, b in zip(copies, value, strict=True)) else value
    if hasattr(value, "unshared"):
        return value.unshared(memory)
    shares = hasattr(value, "strides") and np.may_share_memory(value, memory)
    return value.copy() if shares else value

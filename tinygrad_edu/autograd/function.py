"""`Function`: an operation of the user's own, with a forward and a backward on tensors.

class Square(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * x * g

y = Square.apply(x)
"""

from __future__ import annotations

import functools
import inspect
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import devices, dtypes
from ..errors import describe, message
from ..inplace import assign, check_writable
from ..op import cast, sum_to
from ..plan import Pick
from ..tensor import Tensor, TensorNode, conjugated, new, outside, wrap
from .graph import FREED, Node, Several, Version, tick
from .modes import no_grad, recording, set_recording


class FunctionCtx:
    """What `forward` hands to `backward`: saved tensors, marks, and any attribute that the user sets."""

    needs_input_grad: tuple[bool, ...] = ()
    _dirty: tuple[Tensor, ...] = ()
    _constant: tuple[Tensor, ...] = ()
    _materialize = True
    _saved: Any = ()  # tensors during forward, then `Saved` or None, then FREED
    _node: Callable[[], FunctionNode | None] | None = None  # weak: the node holds this object

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep tensors for `backward`, checked against later writes."""
        for i, t in enumerate(tensors):
            if t is not None and not isinstance(t, Tensor):
                kind = type(t).__name__
                raise TypeError(
                    f"save_for_backward can only save variables, but argument {i} is of type {kind}; "
                    "write ctx.name = value"
                )
        self._saved = tensors

    def save_for_forward(self, *tensors: Tensor | None) -> None:
        """Keep tensors for forward mode, which this engine does not have: nothing is kept."""

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Say which inputs `forward` has written into; each must be a result as well."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Say which results have no gradient."""
        self._constant = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether `backward` is given zeros for results that no gradient has reached, or None."""
        self._materialize = value

    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        """The saved tensors; an error if one was written over since."""
        node = self._node and self._node()
        name = node.name() if node else "the function"
        if self._saved is FREED:
            raise RuntimeError(
                message(
                    "Trying to backward through the graph a second time "
                    f"(or directly access saved tensors after they have already been freed): {name}",
                    "the saved tensors were freed by the first backward()",
                    instead="backward(retain_graph=True) the first time, or compute the result again",
                )
            )
        return tuple(s.unpack(node) if isinstance(s, Saved) else s for s in self._saved)


class Saved:
    """A saved tensor with the state of its memory; a result is kept without its node, which would hold itself."""

    __slots__ = ("count", "result", "tensor", "version")

    def __init__(self, tensor: Tensor, result: int | None) -> None:
        self.version: Version = tensor.version()
        self.count = self.version.count
        self.result = result  # which of the function's results it is, if any
        self.tensor = tensor if result is None else tensor.detach()

    def unpack(self, node: FunctionNode | None) -> Tensor:
        """The tensor with its place in the graph."""
        if self.version.count != self.count:
            which = "its input or constant" if self.result is None else f"its result {self.result}"
            raise RuntimeError(
                message(
                    "one of the variables needed for gradient computation has been modified by an inplace operation",
                    f"'{node.name() if node else 'a function'}' had saved {which}, {describe(self.tensor)}, which is "
                    f"at version {self.version.count}; expected version {self.count} instead",
                    node.origin(self.version) if node else "",
                    "y = y + 1 for y += 1 (or y.add_(1)), or save x.clone(); "
                    "autograd.set_detect_anomaly(True) shows both lines",
                )
            )
        if self.result is None or node is None:
            return self.tensor
        return wrap(self.tensor.array, node.edge_of(self.result))


class FunctionNode(TensorNode):
    """How tensors were made by a `Function`; each function has a subclass, named after it."""

    __slots__ = ("ctx", "inputs", "outputs", "picks")
    function: type[Function]

    def back(self, g: Any, create_graph: bool) -> list[tuple[Node, Any]]:
        answers = self.function.rule()(self.ctx, *self._arrived(g, create_graph))
        answers = tuple(answers) if isinstance(answers, (tuple, list)) else (answers,)
        count = len(self.inputs)
        if len(answers) < count or any(a is not None for a in answers[count:]):
            raise RuntimeError(
                f"function {self.name()} returned an incorrect number of gradients "
                f"(expected {count}, got {len(answers)}); write None for an input that has none"
            )
        edges, found = iter(self.edges), []
        for i, (answer, given) in enumerate(zip(answers, self.inputs, strict=False)):
            if given is None:
                if answer is not None:
                    raise RuntimeError(
                        f"function {self.name()} returned a gradient different than None at position {i}, "
                        "but the corresponding forward input was not a Variable"
                    )
                continue
            edge = next(edges)
            if edge is not None and answer is not None:
                gx = self._fitted(i, answer, *given)
                if not create_graph:
                    gx = gx.array.copy() if edge.takes else gx.array  # it may be saved, or given to another input too
                found.append((edge, gx))
        return found

    def _arrived(self, g: Any, create_graph: bool) -> list[Tensor | None]:
        """A gradient for each result, as users see gradients."""
        by_result = g if isinstance(g, Several) else {0: g}
        sample = next(iter(by_result.values()))
        like = sample.array if create_graph else sample
        gs: list[Tensor | None] = []
        for k, made in enumerate(self.outputs):
            if k in by_result:
                gs.append(outside(by_result[k]))
            else:
                missing = made is None or not self.ctx._materialize
                gs.append(None if missing else wrap(devices.zeros(made[0], made[1], like=like)))
        return gs

    def _fitted(self, i: int, answer: Any, shape: tuple[int, ...], dtype: dtypes.dtype) -> Tensor:
        """A gradient in the shape and dtype of its input, in the walk's convention."""
        if not isinstance(answer, Tensor):
            raise TypeError(f"function {self.name()}: expected a Tensor or None at {i}, got {type(answer).__name__}")
        if answer.array.shape != shape:
            if not _expands(shape, answer.array.shape):
                raise RuntimeError(
                    f"Function {self.name()} returned an invalid gradient at index {i} - got {list(answer.shape)} "
                    f"but expected shape compatible with {list(shape)}"
                )
            answer = sum_to(answer, shape)
        if answer.dtype is not dtype:
            answer = cast(answer, dtype)
        return conjugated(answer)

    def free(self) -> None:
        if self.ctx._saved:
            self.ctx._saved = FREED

    def edge_of(self, k: int) -> Node:
        """Where the gradient of the k-th result goes."""
        if self.picks is None:
            return self
        return self.picks[k]() or Result(self, k, self.outputs[k][0])

    def origin(self, changed: Version | None = None) -> str:
        """Where the node was made, and where its value was changed, if anomaly mode has noted it."""
        if self.trace is None:
            return ""
        where = getattr(changed, "trace", None)
        return f"saved at {self.trace}" + (f", changed at {where}" if where else "")

    def __getattr__(self, name: str) -> Any:
        """What the user has put on `ctx` can be read from `grad_fn`."""
        if name in ("ctx", "trace") or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.ctx, name)


class Result(Pick):
    """One of several results. Writes into it are noticed by `Saved`, if it was saved."""

    __slots__ = ()

    def share(self, version: Version) -> None:
        self.version = version


def _expands(shape: tuple[int, ...], wide: tuple[int, ...]) -> bool:
    """Whether broadcasting could have led from `shape` to `wide`."""
    lead = len(wide) - len(shape)
    return lead >= 0 and all(n in (1, m) for n, m in zip(shape, wide[lead:], strict=True))


class Function:
    """An operation of one's own: write `forward` and `backward` as static methods, call `apply`."""

    node_type: type[FunctionNode]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.node_type = type(f"{cls.__name__}Backward", (FunctionNode,), {"__slots__": (), "function": cls})

    def __call__(self, *args: Any) -> Any:
        raise RuntimeError(f"an autograd function is not called by an instance; write {type(self).__name__}.apply(...)")

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """The results: `forward(ctx, *inputs)`, or `forward(*inputs)` where `setup_context` is written too."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def setup_context(ctx: FunctionCtx, inputs: tuple, output: Any) -> None:
        """Save what `backward` needs, where `forward` takes no `ctx`."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """The gradient of each input, from the gradient of each result."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function "
            "to use it with backward mode AD."
        )

    vjp = backward

    @classmethod
    def rule(cls) -> Callable:
        """`backward`, which may also be called `vjp`."""
        if cls.vjp is Function.vjp:
            return cls.backward
        if cls.backward is not Function.backward:
            raise RuntimeError(
                "Implementing both 'backward' and 'vjp' for a custom Function is not allowed. "
                "You should only implement one of them."
            )
        return cls.vjp

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Compute the results and record how they were made."""
        separate = cls.setup_context is not Function.setup_context
        if separate:
            bound = inspect.signature(cls.forward).bind(*args, **kwargs)
            bound.apply_defaults()
            args = bound.args
        elif kwargs:
            raise TypeError(f"{cls.__name__}.apply() takes no keyword arguments")
        given = [a if isinstance(a, Tensor) else None for a in args]
        edges = tuple(t.edge() for t in given if t is not None)
        ctx = FunctionCtx()
        ctx.needs_input_grad = tuple(t is not None and t.requires_grad for t in given)
        mode = set_recording(False)
        try:
            if separate:
                out = cls.forward(*args)
                cls.setup_context(ctx, args, out)
            else:
                out = cls.forward(ctx, *args)
        finally:
            recording.reset(mode)
        outs = out if isinstance(out, tuple) else (out,)
        _check_dirty(ctx, given, outs)
        if not recording.get() or all(edge is None for edge in edges):
            returned = tuple(_not_the_input(t, given, ctx) for t in outs)
            return returned if isinstance(out, tuple) else returned[0]

        node = new(cls.node_type)
        node.ctx, node.edges, node.number = ctx, edges, tick()
        node.version = node.hooks = None
        node.inputs = [t if t is None else (t.array.shape, t.dtype) for t in given]
        node.outputs = [(t.array.shape, t.array.dtype) if isinstance(t, Tensor) else None for t in outs]
        node.shape = () if isinstance(out, tuple) else out.array.shape if isinstance(out, Tensor) else ()
        node.picks = [lambda: None] * len(outs) if isinstance(out, tuple) else None
        ctx._node = weakref.ref(node)
        returned = tuple(_attach(node, k, t, given, outs) for k, t in enumerate(outs))
        ctx._saved = tuple(_saved(t, given, outs, returned) for t in ctx._saved)
        ctx._dirty = ctx._constant = ()  # they would hold the results, and these the node
        if recording.get() is not True:
            recording.get().recorded(node, args, [t for t in returned if isinstance(t, Tensor)])
        return returned if isinstance(out, tuple) else returned[0]


def _among(t: Any, tensors: Any) -> bool:
    return any(t is each for each in tensors)


def _check_dirty(ctx: FunctionCtx, given: list, outs: tuple) -> None:
    for t in ctx._dirty:
        if not _among(t, given) or not _among(t, outs):
            raise RuntimeError(
                "Some elements marked as dirty during the forward method were not returned as output. "
                "The inputs that are modified inplace must all be inputs and outputs of the Function."
            )


def _not_the_input(t: Any, given: list, ctx: FunctionCtx) -> Any:
    """A result that is an input, as a tensor of its own on the same memory."""
    return t.detach() if isinstance(t, Tensor) and _among(t, given) and not _among(t, ctx._dirty) else t


def _attach(node: FunctionNode, k: int, t: Any, given: list, outs: tuple) -> Any:
    """The k-th result with its place in the graph."""
    ctx = node.ctx
    if not isinstance(t, Tensor):
        return t
    if t.array.dtype.kind not in "fc" or _among(t, ctx._constant):
        return _not_the_input(t, given, ctx)
    if _among(t, ctx._dirty):
        name = node.function.__name__
        check_writable(t, name)
        return assign(t, wrap(t.array, _edge(node, k)), name)
    others = [each for each in (*given, *outs[:k]) if isinstance(each, Tensor)]
    if any(np.may_share_memory(t.array, each.array) for each in others):
        # a view whose gradient is the user's own: a later write through either would need to know both histories
        return wrap(t.array.copy(), _edge(node, k))
    if t._origin is not None or t.node is not None:
        t = t.detach()
    t.node = _edge(node, k)
    if t._writes is not None:
        t.node.share(t._writes)
    return t


def _saved(t: Tensor | None, given: list, outs: tuple, returned: tuple) -> Saved | None:
    """A tensor given to `save_for_backward`, recognised where it is a result."""
    if t is None:
        return None
    for k, out in enumerate(outs):
        if t is out and returned[k].node is not None and (t is returned[k] or not _among(t, given)):
            return Saved(returned[k], k)
    return Saved(t, None)


def _edge(node: FunctionNode, k: int) -> Node:
    edge = node.edge_of(k)
    if node.picks is not None:
        node.picks[k] = weakref.ref(edge)
    return edge


def once_differentiable(backward: Callable) -> Callable:
    """For a `backward` that is not made of differentiable operations: a second derivative raises."""

    @functools.wraps(backward)
    def wrapper(ctx: FunctionCtx, *gradients: Any) -> Any:
        with no_grad():
            answers = backward(ctx, *gradients)
        if not recording.get():
            return answers
        node = ctx._node and ctx._node()
        arrived = [g.edge() for g in gradients if isinstance(g, Tensor)]
        edges = tuple(e for e in (*arrived, *(node.edges if node else ())) if e is not None)
        several = isinstance(answers, (tuple, list))
        found = [
            wrap(a.array, _Once(edges, a.array.shape)) if isinstance(a, Tensor) else a
            for a in (answers if several else (answers,))
        ]
        return tuple(found) if several else found[0]

    return wrapper


class _Once(TensorNode):
    """Where a second derivative ends: its edges show what it would have depended on."""

    __slots__ = ()

    def __init__(self, edges: tuple[Node, ...], shape: tuple[int, ...]) -> None:
        self.edges, self.shape, self.number, self.version, self.hooks = edges, shape, tick(), None, None

    def back(self, g: Any, create_graph: bool) -> list[tuple[Node, Any]]:
        raise RuntimeError("trying to differentiate twice a function that was marked with @once_differentiable")

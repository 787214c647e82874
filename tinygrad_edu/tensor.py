"""`Tensor`: an array, its gradient, and its place in the graph. The mathematics is bound to it by `ops`."""

from __future__ import annotations

import copy
import warnings
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import devices, dtypes
from .autograd import alongside, graph
from .autograd.graph import Handle, Node, Version, walk
from .errors import NO_LEAF, describe, message
from .holder import Holder, legacy_constructor

if TYPE_CHECKING:
    from .methods import Methods  # a stub: what the operations give to tensors
else:
    Methods = Holder

new = object.__new__


class Tensor(Methods):
    """An n-dimensional array that remembers how it was computed.

    A tensor requires a gradient exactly when it has a `node`: a `Leaf`, where gradients end in `grad`, or the
    node of the operation that made it. What most tensors never have is a class attribute until it is set.
    """

    __slots__ = ("__dict__", "__weakref__", "array", "node")
    array: Any
    node: Node | None
    __array_priority__ = 1000  # NumPy's operators leave mixed expressions to ours
    _grad: Tensor | None = None
    _writes: Version | None = None  # shared by all views of the same memory, made on first use
    _origin: tuple[Tensor, tuple] | None = None  # of a view: the tensor it shows, and the operations from there

    def __new__(cls, *data: Any, device: Any = None) -> Tensor:
        """PyTorch's first constructor: `Tensor(2, 3)` is uninitialised, `Tensor([2, 3])` holds these numbers."""
        return legacy_constructor(cls, dtypes.get_default_dtype(), data, device)

    def new(self, *data: Any, device: Any = None) -> Tensor:
        """`Tensor(...)` in this tensor's dtype, where this tensor lives."""
        return legacy_constructor(Tensor, self.dtype, data, self.device if device is None else device)

    # --- its place in the graph -----------------------------------------------------------------------------

    def edge(self) -> Node | None:
        """Where a gradient of this tensor goes, None if nowhere. A view follows writes made elsewhere."""
        node = self.node
        if node is None or node.version is None or self._origin is None:
            return node
        if node.number > node.version.stamp:
            return node
        base, recipe = self._origin
        if base.edge() is None:
            return None
        mode = graph.set_recording(True)
        try:
            for op, options in recipe:
                base = op.call(base, *options)
        finally:
            graph.recording.reset(mode)
        devices.check_same_place(base.array, self.array)
        self.node = base.node
        keep_retaining(node, self.node)
        return self.node

    @property
    def requires_grad(self) -> bool:
        """Whether gradients are computed for this tensor."""
        return self.edge() is not None

    @requires_grad.setter
    def requires_grad(self, flag: bool) -> None:
        self.requires_grad_(flag)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Ask for the gradient of this tensor, or stop asking."""
        node = self.edge()
        if node is not None and not isinstance(node, Leaf):
            if not requires_grad:
                raise RuntimeError(
                    "you can only change requires_grad flags of leaf variables. If you want to use a computed "
                    "variable in a subgraph that doesn't require differentiation use var_no_grad = var.detach()."
                )
        elif not requires_grad:
            self.node = None
        elif node is None:
            if self.array.dtype.kind not in "fc":
                raise RuntimeError(
                    "only Tensors of floating point and complex dtype can require gradients, "
                    f"not {self.dtype}; write .float() first"
                )
            self._origin = None
            self.node = Leaf(self)
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether the tensor was made by the user, not by a recorded operation."""
        node = self.edge()
        return node is None or isinstance(node, Leaf)

    @property
    def grad_fn(self) -> Node | None:
        """The node of the operation that made this tensor."""
        node = self.edge()
        return None if node is None or isinstance(node, Leaf) else node.as_function()[0]

    @property
    def output_nr(self) -> int:
        """Which of its operation's results this is."""
        node = self.edge()
        return 0 if node is None else node.as_function()[1]

    @property
    def grad(self) -> Tensor | None:
        """The gradient, summed over all `backward` calls since it was last set to None."""
        if self._grad is None and self.node is not None and not self.is_leaf and not self.retains_grad:
            warnings.warn(NO_LEAF, UserWarning, stacklevel=2)
        return self._grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            if not isinstance(value, Tensor):
                raise TypeError(f"assigned grad expected to be a Tensor or None but got {type(value).__name__}")
            if value is self:
                raise RuntimeError("can't assign Variable as its own grad; write x.grad = x.detach().clone()")
            if (value.array.shape, value.array.dtype) != (self.array.shape, self.array.dtype):
                kind = "size" if value.array.shape != self.array.shape else "type"
                wrong = f"the gradient is {describe(value)}, the tensor {describe(self)}"
                raise RuntimeError(message(f"assigned grad has data of a different {kind}", wrong))
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self._grad = None

    @property
    def data(self) -> Tensor:
        """The same memory without the graph; as in PyTorch, writes through it go past the checks of saved values."""
        return wrap(self.array)

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(value).__name__}")
        if self.node is not None and value.array.dtype.kind not in "fc":
            wrong = "data set to a tensor that requires gradients must be floating point or complex dtype"
            raise RuntimeError(f"{wrong}, not {value.dtype}")
        self.array = value.array
        if isinstance(self.node, Leaf):
            self.node.shape = value.array.shape

    def detach(self) -> Tensor:
        """The same memory as a tensor that is no part of the graph."""
        t = new(Tensor)
        t.array, t.node = self.array, None
        t._writes = self.version()
        return t

    def detach_(self) -> Tensor:
        """Leave the graph."""
        if self._origin is not None:
            raise RuntimeError("Can't detach views in-place. Use detach() instead.")
        self.node = None
        return self

    def version(self) -> Version:
        """The counter of writes into this tensor's memory, shared with its views."""
        if self._writes is None:
            self._writes = Version()
            if self.node is not None:
                self.node.share(self._writes)
        return self._writes

    @property
    def _version(self) -> int:
        return 0 if self._writes is None else self._writes.count

    @property
    def _base(self) -> Tensor | None:
        """Of a view: the tensor whose memory it shows."""
        return None if self._origin is None else self._origin[0]

    def _is_view(self) -> bool:
        return self._origin is not None

    def retain_grad(self) -> None:
        """Keep this tensor's gradient in `grad` although it is not a leaf."""
        node = self.edge()
        if node is None:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
        if isinstance(node, Leaf):
            return
        ref = weakref.ref(self)

        def retain(g: Any) -> None:
            if (t := ref()) is not None:
                g = outside(g)
                t._grad = g if t._grad is None else t._grad + g

        node.some_hooks().retain = retain

    @property
    def retains_grad(self) -> bool:
        """Whether `retain_grad` was called on this tensor."""
        node = self.edge()
        return node is not None and node.hooks is not None and node.hooks.retain is not None

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> Handle:
        """Call `hook(gradient)` whenever a gradient of this tensor is computed; its answer replaces the gradient."""
        node = self.edge()
        if node is None:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        return Handle(node.some_hooks().tensor, lambda g: replaced(hook, g))

    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], None]) -> Handle:
        """Call `hook(tensor)` after a gradient was added into this leaf's `grad`."""
        if not isinstance(self.node, Leaf):
            raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
        return Handle(self.node.some_hooks().accumulated, hook)

    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Tensor | Sequence[Tensor] | None = None,
    ) -> None:
        """Compute the gradients of all leaves behind this tensor and add them into their `grad`."""
        run_backward([self], [gradient], retain_graph, create_graph, inputs)

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Tensor:
        return wrap(np.asarray(array))  # what NumPy's functions of tensors answer

    def __hash__(self) -> int:
        return id(self)

    def __deepcopy__(self, memo: dict) -> Tensor:
        if not self.is_leaf:
            raise RuntimeError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol "
                "at the moment; write x.detach().clone()"
            )
        t = new(type(self))
        memo[id(self)] = t
        t._writes = copy.deepcopy(self._writes, memo)
        t.__setstate__((self._copied(memo), self.requires_grad, copy.deepcopy(self._user_state(), memo)))
        t._grad = copy.deepcopy(self._grad, memo)
        return t

    def __reduce_ex__(self, protocol: Any) -> tuple:
        state = (devices.move(self.array, devices.CPU), self.requires_grad, self._user_state())
        return _rebuild, (type(self), str(self.device)), state

    def __setstate__(self, state: tuple) -> None:
        array, requires_grad, attributes = state
        self.array = array.view(np.dtype(array.dtype.str))  # the one object for this dtype, which calls look for
        self.node = Leaf(self) if requires_grad else None
        self.__dict__.update(attributes)

    def _user_state(self) -> dict:
        """What the user has set as attributes."""
        return {k: v for k, v in self.__dict__.items() if k not in ("_grad", "_writes", "_origin")}

    @staticmethod
    def _make_subclass(cls: type[Tensor], data: Tensor, require_grad: bool = False) -> Tensor:
        t = new(cls)
        t.array, t.node = data.array, None
        t._writes = data.version()
        return t.requires_grad_() if require_grad else t


def _rebuild(cls: type[Tensor], device: str) -> Tensor:
    return new(cls)


def wrap(array: Any, node: Node | None = None) -> Tensor:
    """An array as a tensor."""
    t = new(Tensor)
    t.array, t.node = array, node
    return t


# --- gradients at the ends of the walk ------------------------------------------------------------------------
# Inside the walk the gradient of a complex value is the derivative itself; users, hooks and leaves get PyTorch's
# convention, its conjugate.


def conjugated(g: Any) -> Any:
    """The gradient in the other convention; real ones are the same in both."""
    raw = g.array if isinstance(g, Tensor) else g
    return g if raw.dtype.kind != "c" else g.conj()


def outside(g: Any) -> Tensor:
    """A gradient of the walk (an array, or a tensor while it is recorded) as users see it."""
    g = conjugated(g)
    return g if isinstance(g, Tensor) else wrap(np.asarray(g) if isinstance(g, np.generic) else g)


def keep_retaining(old: Node | None, node: Node | None) -> None:
    """Let `retain_grad` follow a tensor to its new node, after a write in place."""
    hooks = None if old is None or old is node else old.hooks
    if hooks is not None and node is not None and hooks.retain is not None:
        node.some_hooks().retain, hooks.retain = hooks.retain, None


def replaced(hook: Callable[[Tensor], Tensor | None], g: Any) -> Any:
    """A gradient of the walk as a user's hook leaves it."""
    answer = hook(outside(g))
    if answer is None:
        return g
    if not isinstance(answer, Tensor):
        raise TypeError(f"hook returned {type(answer).__name__}, expected a Tensor or None")
    if answer.array.shape != g.shape:
        wrong = f"it has returned a gradient of shape {list(answer.shape)} for one of shape {list(g.shape)}"
        raise RuntimeError(message("hook", wrong))
    if answer.dtype.numpy != g.dtype and answer.dtype is not getattr(g, "dtype", None):
        raise RuntimeError(message("hook", f"it has changed the type of the gradient to {answer.dtype}"))
    answer = conjugated(answer)
    return answer if isinstance(g, Tensor) else answer.array


class TensorNode(Node):
    """A node whose hooks see tensors."""

    __slots__ = ()

    def register_hook(self, hook: Callable) -> Handle:
        """After this node has run, call `hook(input_gradients, result_gradients)`."""

        def after(results: list, g: Any) -> list:
            by_edge: dict[Node, Any] = {}
            for edge, gx in results:
                by_edge[edge] = by_edge[edge] + gx if edge in by_edge else gx
            own = {e: gx.copy() if e.takes and not isinstance(gx, Tensor) else gx for e, gx in by_edge.items()}
            given = tuple(outside(own[e]) if e in own else None for e in self.edges)
            answer = hook(given, self._seen(g))
            if answer is None:
                return results
            answer = (answer,) if isinstance(answer, Tensor) and len(given) == 1 else answer
            if not isinstance(answer, tuple):
                raise TypeError(f"expected tuple, but hook returned '{type(answer).__name__}'")
            if len(answer) != len(given):
                raise RuntimeError(f"hook has returned {len(answer)} gradients, for {len(given)} inputs")
            pairs = zip(self.edges, answer, strict=True)
            return [(e, self._raw(a, g)) for e, a in pairs if e is not None and a is not None]

        return Handle(self.some_hooks().after, after)

    def register_prehook(self, hook: Callable) -> Handle:
        """Before this node runs, call `hook(result_gradients)`."""

        def before(g: Any) -> Any:
            answer = hook(self._seen(g))
            if answer is None:
                return g
            answers = answer if isinstance(answer, tuple) else (answer,)
            if isinstance(g, graph.Several):
                return graph.Several({k: self._raw(a, g) for k, a in enumerate(answers) if a is not None})
            return self._raw(answers[0], g)

        return Handle(self.some_hooks().before, before)

    def _seen(self, g: Any) -> tuple[Tensor | None, ...]:
        if isinstance(g, graph.Several):
            return tuple(outside(g[k]) if k in g else None for k in range(max(g) + 1))
        return (outside(g),)

    def _raw(self, t: Tensor, like: Any) -> Any:
        t = conjugated(t)
        sample = next(iter(like.values())) if isinstance(like, graph.Several) else like
        return t if isinstance(sample, Tensor) else t.array


class Leaf(TensorNode):
    """The end of a path: adds what arrives into its tensor's `grad`. It does not keep the tensor alive."""

    __slots__ = ("tensor",)
    edges = ()
    takes = True

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = weakref.ref(tensor)
        self.shape = tensor.array.shape
        self.number = graph.tick()
        self.version, self.hooks = tensor._writes, None

    def back(self, g: Any, create_graph: bool) -> list:
        t = self.tensor()
        if t is not None:
            if create_graph:
                g = g.clone()  # others may have been given the same tensor
            elif getattr(g, "base", None) is not None:
                g = g.copy()  # a window on somebody else's memory
            g = outside(g)
            if t._grad is None:
                t._grad = g
            elif create_graph:
                t._grad = t._grad + g
            else:
                t._grad.array += g.array
                t._grad.version().write()
            if self.hooks is not None:
                for hook in list(self.hooks.accumulated.values()):
                    hook(t)
        return []

    @property
    def variable(self) -> Tensor | None:
        """The tensor whose gradient ends here."""
        return self.tensor()

    def name(self) -> str:
        return "AccumulateGrad"


def run_backward(
    tensors: Sequence[Tensor],
    gradients: Sequence[Tensor | None],
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensor | Sequence[Tensor] | None = None,
) -> None:
    """Add the gradients of all leaves (or of `inputs`) behind the tensors into their `grad`."""
    roots = [root(t, g, create_graph, "backward") for t, g in zip(tensors, gradients, strict=True)]
    retain = create_graph if retain_graph is None else retain_graph
    if inputs is None:
        with alongside.company(roots):
            walk(roots, create_graph=create_graph, retain_graph=retain)
        return
    inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    if not inputs:
        raise RuntimeError("'inputs' argument to backward cannot be empty.")
    nodes = [target(t, "backward") for t in inputs]
    for t in inputs:
        t.retain_grad()  # of a leaf nothing; any other tensor keeps what passes
    with alongside.company(roots):
        found = walk(roots, create_graph=create_graph, retain_graph=retain, targets=nodes)
        for node in dict.fromkeys(nodes):
            if isinstance(node, Leaf) and node in found:
                node.back(found[node] if create_graph else found[node].copy(), create_graph)


def target(t: Tensor, what: str) -> Node:
    """The node at which a gradient for `t` is to be picked up."""
    node = t.edge()
    if node is None:
        raise RuntimeError(
            message(what, f"one of the inputs, {list(t.shape)}, does not require grad", instead="x.requires_grad_()")
        )
    return node


def root(t: Tensor, g: Tensor | None, create_graph: bool, what: str) -> tuple[Node, Any]:
    """Where a walk begins, and with which gradient."""
    node = t.edge()
    if node is None:
        raise RuntimeError(
            message(
                f"{what} of a tensor of shape {list(t.shape)}",
                "element 0 of tensors does not require grad and does not have a grad_fn",
                instead="make an input with requires_grad=True, and compute the result from it outside no_grad(), "
                "without detach(), .data, .item(), .numpy() or integers on the way",
            )
        )
    if g is None:
        if t.array.size != 1:
            raise RuntimeError(
                message(
                    f"{what} of a tensor of shape {list(t.shape)}",
                    "grad can be implicitly created only for scalar outputs",
                    instead="x.sum().backward(), or x.backward(gradient) with a gradient of the same shape",
                )
            )
        if t.array.dtype.kind == "c":
            raise RuntimeError(
                f"grad can be implicitly created only for real scalar outputs but got {t.dtype}; write x.abs() first"
            )
        g = wrap(devices.ones(t.array.shape, t.array.dtype, like=t.array))
    elif not isinstance(g, Tensor):
        raise TypeError(f"gradients can be either Tensors or None, but got {type(g).__name__}")
    elif g.array.shape != t.array.shape:
        wrong = f"a gradient of shape {list(g.shape)} was given"
        raise RuntimeError(message(f"Mismatch in shape: {what} of a tensor of shape {list(t.shape)}", wrong))
    elif g.array.dtype != t.array.dtype:
        if t.array.dtype.kind != "c" and g.array.dtype.kind == "c":
            raise RuntimeError(f"{what}: a complex gradient was given for a real tensor; write gradient.real")
        g = g.to(t.dtype)
    g = conjugated(g)
    return node, g if create_graph else g.array

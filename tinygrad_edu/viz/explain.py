"""Why a gradient is None, zero, or larger than it should be."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd.anomaly import Line, short_name
from ..autograd.graph import FREED, Node, Several, reachable, walk
from ..autograd.modes import observer
from ..errors import describe
from ..nn.modules.module import Module
from ..nn.parameter import Parameter
from ..random import get_rng_state, set_rng_state
from ..tensor import Leaf, Tensor, root, wrap
from .cuts import Cut, cuts_of
from .labels import on_host
from .recording import Recording

Compute = Callable[[], Tensor]
SATURATING = ("sigmoid", "tanh", "hardsigmoid", "softmax", "log_softmax")
ROUNDING = 1e-6  # what is left of a gradient by rounding alone


class Explanation(str):
    """A sentence or two; `cause` is the short form, `line` the line of the program that is to blame, if one is."""

    cause: str
    line: Line | None

    def __new__(cls, cause: str, text: str, line: Line | None = None) -> Explanation:
        made = super().__new__(cls, text + (f"\n  at: {line}" if line is not None else ""))
        made.cause, made.line = cause, line
        return made

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))


def explain_grad(tensor: Tensor, loss: Tensor | Compute) -> Explanation:
    """Say why `tensor.grad` is None, zero or doubled after the loss's backward().

    `loss` is the loss, or a function without arguments that computes it: then it runs again, nothing is changed by
    it, and the explanation names lines. What is said of the gradient is measured, not guessed.
    """
    for value, what in ((tensor, "a tensor"), (loss, "the loss, or a function that computes it")):
        if not isinstance(value, Tensor) and (what == "a tensor" or not callable(value)):
            raise TypeError(f"explain_grad expects {what}, but got {type(value).__name__}")
    name = describe(tensor)
    if not tensor.requires_grad:
        return _asks_for_none(tensor, name)
    if not tensor.is_leaf and not tensor.retains_grad and tensor._grad is None:
        made = tensor.grad_fn
        assert made is not None
        return Explanation(
            "not a leaf",
            f"{name} is no leaf but the result of {short_name(made)}: its gradient passes and is not kept. "
            "Write x.retain_grad() before backward(), or look at the leaf that it was computed from.",
            made.trace,
        )
    compute = None if isinstance(loss, Tensor) else loss
    result = loss if isinstance(loss, Tensor) else _run(loss)
    node = tensor.edge()
    assert node is not None
    if node not in _nodes_of(result):
        return _not_connected(tensor, name, result, compute)
    return _connected(tensor, name, result)


def _run(compute: Compute) -> Tensor:
    """The loss once more, with lines, and with the same random numbers as whoever runs it next."""
    state = get_rng_state()
    try:
        with Recording():
            loss = compute()
    finally:
        set_rng_state(state)
    if not isinstance(loss, Tensor):
        raise TypeError(f"explain_grad: the function has returned {type(loss).__name__}; it is to return the loss")
    return loss


# --- None --------------------------------------------------------------------------------------------------------------


def _asks_for_none(tensor: Tensor, name: str) -> Explanation:
    if tensor.array.dtype.kind not in "fc":
        return Explanation("integer", f"{name} holds whole numbers, which have no gradient. Write x.float() first.")
    return Explanation(
        "requires_grad is False",
        f"{name} does not ask for a gradient: it was made without requires_grad=True, frozen by requires_grad_(False), "
        "or is a result of no_grad(), detach() or .data. Write x.requires_grad_() before it is used.",
    )


def _not_connected(tensor: Tensor, name: str, loss: Tensor, compute: Compute | None) -> Explanation:
    cuts: list[Cut] = []
    failed = ""
    if compute is not None:
        try:
            cuts = cuts_of(tensor, compute)
        except Exception as error:  # a program need not bear that nothing is cut
            failed = f" (Looking for the cut failed: {error})"
    if cuts:
        text = f"{name} is cut off from the loss by {cuts[0].what}"
        if cuts[0].source is not None:
            text += ": what comes back of these numbers is a constant"
        if len(cuts) > 1:
            rest = ", ".join(f"{cut.what} at {cut.line.place}" for cut in cuts[1:3])
            text += f", and then by {rest}"
        return Explanation(f"cut by {cuts[0].what}", f"{text}. No gradient passes there.", cuts[0].line)
    if loss.edge() is None:
        text = "the loss itself requires no gradient: nothing in it was recorded, or it came out of detach() or numbers"
        return Explanation("loss without a graph", f"{name} has no gradient, as {text}.{failed}{_advice(compute)}")
    return (
        _used_as_constant(tensor, name, loss)
        or _rebuilt(tensor, name, loss)
        or Explanation(
            "not used",
            f"{name} is not used: no operation in the graph of the loss leads to it.{failed}{_advice(compute)}",
        )
    )


def _advice(compute: Compute | None) -> str:
    if compute is not None:
        return ""
    return " Give a function to see the line of a cut: explain_grad(w, lambda: criterion(net(x), y))."


def _used_as_constant(tensor: Tensor, name: str, loss: Tensor) -> Explanation | None:
    """The operation that has kept the tensor's memory without a way back to it."""
    for node in sorted(_nodes_of(loss), key=lambda n: n.number):
        for value, edge in _kept_inputs(node):
            if edge is None and np.may_share_memory(value, tensor.array):
                text = f"{name} comes into {short_name(node)} without its history: through detach(), .data or .numpy()"
                return Explanation("cut by detach()", f"{text}. No gradient passes there.", node.trace)
    return None


def _rebuilt(tensor: Tensor, name: str, loss: Tensor) -> Explanation | None:
    """A leaf of the graph that looks like the tensor, but is another."""
    leaves = [n.tensor() for n in _nodes_of(loss) if isinstance(n, Leaf)]
    for other in leaves:
        if other is None or other.shape != tensor.shape or type(other) is not type(tensor):
            continue
        # equal numbers tell only where they differ among themselves: many tensors are all ones
        same = np.array_equal(other.array, tensor.array) and (tensor.array != tensor.array.reshape(-1)[:1]).any()
        if same or (isinstance(tensor, Parameter) and not _has_module(tensor)):
            what = "of the same shape and values" if same else "of the same shape"
            return Explanation(
                "rebuilt",
                f"{name} is not in the graph of the loss, but another {type(tensor).__name__.lower()} {what} is: the "
                "layer was made anew or copied after you took hold of this one. Make the optimizer after the last "
                "change of the model.",
            )
    return None


def _has_module(p: Parameter) -> bool:
    """Whether a module that is alive holds the parameter: it is then not of a layer that was replaced."""
    modules = (each for each in gc.get_objects() if issubclass(type(each), Module))
    return any(p is other for module in modules for other in module._parameters.values())


# --- zero, doubled, fine -----------------------------------------------------------------------------------------------


def _connected(tensor: Tensor, name: str, loss: Tensor) -> Explanation:
    node = tensor.edge()
    assert node is not None
    if any(_is_freed(n) for n in _nodes_of(loss)):
        if tensor._grad is None:
            return Explanation(
                "forgotten",
                f"{name} is in the graph of the loss, and backward() has run: its gradient was set to None afterwards, "
                "by zero_grad() or p.grad = None, or backward(inputs=...) named others.",
            )
        if not tensor._grad.array.any():
            text = "is zero. To see where it becomes zero, give a function, or the loss before its backward()"
            return Explanation("zero", f"the gradient of {name} {text}.")
        return Explanation(
            "unknown",
            f"{name} has a gradient. To compare it, give a function that computes the loss, or call before backward().",
        )
    trail = Trail()
    fresh = trail.gradient(loss, node)
    if trail.is_zero(fresh):
        return trail.zero(name, node)
    if tensor._grad is None:
        return Explanation(
            "no backward", f"{name} is in the graph of the loss: backward() was not called yet, or not on it."
        )
    return _compared(on_host(tensor._grad.array), on_host(fresh), name)


def _compared(held: np.ndarray, fresh: np.ndarray, name: str) -> Explanation:
    scale = float((held * fresh.conj()).sum().real / (abs(fresh) ** 2).sum())
    whole = round(scale)
    off = float(np.linalg.norm((held - whole * fresh).ravel()) / np.linalg.norm(fresh.ravel()))
    if whole == 1 and off < 1e-3:
        return Explanation("fine", f"the gradient of {name} is what this loss gives.")
    if whole > 1 and off < 1e-3 * whole:
        text = f"is {whole} times what this loss gives: {whole} backward() calls are added up"
        return Explanation(
            "doubled", f"the gradient of {name} {text}. Write optimizer.zero_grad() before each backward()."
        )
    sizes = f"of norm {np.linalg.norm(held.ravel()):.4g}, where this loss gives {np.linalg.norm(fresh.ravel()):.4g}"
    return Explanation(
        "accumulated",
        f"the gradient of {name} is {sizes}, and not a multiple: gradients of other losses or batches are in it. "
        "Write optimizer.zero_grad() before each backward(), unless you mean to add them up.",
    )


class Trail:
    """The observer of a walk back who notes where a gradient becomes zero."""

    def __init__(self) -> None:
        self.ends: list[tuple[Node, float]] = []  # where a gradient came, and only zeros went on; with its size
        self.arrived = 0  # how many gradients other than zero came to the tensor
        self.target: Node | None = None

    def gradient(self, loss: Tensor, target: Node) -> Any:
        """The gradient of the loss (of its sum) at a node."""
        self.target = target
        one = None if loss.array.size == 1 else wrap(np.ones_like(loss.array))
        token = observer.set(self)
        try:
            found = walk([root(loss, one, False, "explain_grad")], retain_graph=True, targets=[target])
        finally:
            observer.reset(token)
        return found[target]

    def walked(self, node: Node, g: Any, results: list[tuple[Node, Any]]) -> None:
        """A node has passed its gradient on."""
        came, went = _size(g), max((_size(gx) for _, gx in results), default=0.0)
        rounding = ROUNDING if short_name(node) in SATURATING else 0.0
        if came and results and went <= rounding * came:
            self.ends.append((node, came))
        elif any(edge is self.target and _size(gx) for edge, gx in results):
            self.arrived += 1

    def is_zero(self, fresh: Any) -> bool:
        """Whether nothing came, or so little that rounding explains it."""
        return _size(fresh) <= max((ROUNDING * came for _, came in self.ends), default=0.0)

    def zero(self, name: str, target: Node) -> Explanation:
        """Why nothing but zeros came."""
        if self.arrived and not self.ends:
            return Explanation("zero: cancelled", f"the gradient of {name} is zero: its uses cancel, as in x - x.")
        ends = [node for node, _ in self.ends if target in reachable([node])]
        if not ends:
            return Explanation("zero", f"the gradient of {name} is zero: the gradient that the loss began with is.")
        node = ends[0]
        short, why = why_zero(node)
        more = f" (and in {len(ends) - 1} more)" if len(ends) > 1 else ""
        return Explanation(
            f"zero: {short}", f"the gradient of {name} is zero: it ends in {short_name(node)}{more}, {why}", node.trace
        )


def why_zero(node: Any) -> tuple[str, str]:
    """In short, and as a clause, why an operation has passed only zeros on."""
    op, kept = short_name(node), dict(_kept_values(node))
    out = kept.get("out")
    if op in ("relu", "threshold", "hardshrink", "softshrink", "leaky_relu", "elu"):
        return (
            "dead relu",
            "whose inputs are all at or below zero. A lower learning rate, or leaky_relu, keeps units alive.",
        )
    if op in SATURATING:
        if op.endswith("softmax") and out is not None and not (out.max(-1) > 1 - ROUNDING).all():
            return (
                "softmax of a sum",
                "whose rows add up to one whatever its inputs are: the sum over a row has no slope.",
            )
        return (
            "saturated",
            "which is saturated: its outputs are at the ends of their range. Smaller inputs have a slope.",
        )
    if op in ("clamp", "hardtanh", "clip"):
        return "clamped", "as all values lie outside of its bounds."
    if op in ("round", "floor", "ceil", "trunc", "sign", "sgn", "heaviside", "floor_div", "trunc_div"):
        return "steps", "which is flat between its steps: its gradient is zero everywhere."
    if op in ("mul", "div", "matmul", "linear", "einsum"):
        return "multiplied by zero", "where the other factor is zero."
    if op in (
        "where",
        "masked_fill",
        "gather",
        "select",
        "slice",
        "index",
        "max",
        "min",
        "amax",
        "amin",
        "dropout",
        "max_among",
    ):
        return "not chosen", "which has chosen other elements."
    return "flat", "whose rule gives zeros at these values."


# --- what the graph holds ----------------------------------------------------------------------------------------------


def _nodes_of(loss: Tensor) -> set[Node]:
    edge = loss.edge()
    return set() if edge is None else reachable([edge])


def _is_freed(node: Any) -> bool:
    return getattr(node, "kept", None) is FREED or getattr(getattr(node, "ctx", None), "_saved", None) is FREED


def _kept_values(node: Any) -> list[tuple[str, Any]]:
    """What a node keeps, by name."""
    plan: Any = getattr(node, "plan", None)
    found = []
    for (kind, i), value in (
        zip(plan.kinds, node.kept, strict=True) if plan is not None and node.kept is not FREED else ()
    ):
        if hasattr(value, "strides"):
            names = {"input": plan.op.names, "result": plan.op.results or ("out",), "extra": plan.op.keeps}
            found.append((names[kind][i], value))
    return found


def _kept_inputs(node: Any) -> list[tuple[Any, Node | None]]:
    """The arrays among a node's inputs that it keeps, each with the edge to where it came from."""
    plan: Any = getattr(node, "plan", None)
    found = []
    for (kind, i), value in (
        zip(plan.kinds, node.kept, strict=True) if plan is not None and node.kept is not FREED else ()
    ):
        if kind == "input" and hasattr(value, "strides"):
            found.append((value, node.edges[i] if i < len(node.edges) else None))
    return found


def _size(g: Any) -> float:
    """The largest element of a gradient."""
    if isinstance(g, Several):
        return max(map(_size, g.values()), default=0.0)
    array = getattr(g, "array", g)
    return float(abs(array).max()) if np.size(array) else 0.0

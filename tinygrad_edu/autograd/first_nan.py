"""Where a NaN began: what is noted when one is born, and the error that tells of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..errors import describe
from .graph import Node, Several
from .places import Line, walk_now

HINTS = {
    "log": "log(x.clamp(min=1e-8)), or log_softmax for probabilities",
    "sqrt": "sqrt(x + 1e-8), or vector_norm, whose gradient at 0 is 0",
    "pow": "x.clamp(min=1e-8) ** p: a power that is no whole number wants x > 0",
    "div": "x / (y + 1e-8)",
    "reciprocal": "1 / (x + 1e-8)",
    "softmax": "leave one place of each row unmasked: a row of nothing but -inf has no softmax",
    "log_softmax": "leave one place of each row unmasked: a row of nothing but -inf has no softmax",
    "acos": "acos(x.clamp(-1 + 1e-6, 1 - 1e-6))",
    "asin": "asin(x.clamp(-1 + 1e-6, 1 - 1e-6))",
}


class AnomalyError(RuntimeError):
    """NaN, at the place where it began.

    `node` is the operation, `line` the user's line, `index` the element, `top` the node at which it was noticed,
    `dtype` that of the values there; `graph` is a picture of what lies around it.
    """

    node: Node
    line: Line | None
    index: tuple[int, ...]
    top: Node
    dtype: np.dtype

    @property
    def graph(self) -> Any:
        """The part of the graph around the culprit, which is red."""
        from ..viz.failures import graph_of

        return graph_of(self)


class Birth:
    """A value that is NaN: which operation made it, of what. Small: a few numbers and the mask of the NaN."""

    def __init__(self, node: Node, inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        self.line = node.trace
        self.masks = [np.isnan(t.array) if t.array.dtype.kind in "fc" else np.zeros((), bool) for t in outputs]
        self.result = next(k for k, mask in enumerate(self.masks) if mask.any())
        self.index = first(self.masks[self.result])
        names = argument_names(node, len(inputs))
        self.call = f"{short_name(node)}({', '.join(describe(v) for v in inputs)})"
        self.inherited = [i for i, v in enumerate(inputs) if is_nan(v)]
        shape = self.masks[self.result].shape
        self.there = [
            f"{n} = {value_at(v.array, self.index, shape)}" for n, v in zip(names, inputs, strict=True) if is_float(v)
        ]
        self.carrier = self._carrier(names, inputs) if self.inherited else ""

    def _carrier(self, names: list[str], inputs: Sequence[Any]) -> str:
        """The input that was NaN already, and who wrote it last."""
        i = self.inherited[0]
        t = inputs[i]
        index = first(np.isnan(t.array))
        kind = f"the {type(t).__name__.lower()}" if t.is_leaf else "the tensor"
        text = f"{kind} {names[i]}, {describe(t)}, is nan at {list(index)} already"
        written = None if t._writes is None else t._writes.trace
        return text + (f", written last at {written}" if written is not None else "")


# --- what the error says ---------------------------------------------------------------------------------------------


def matters(birth: Birth, g: Any) -> bool:
    """Whether the result depends on the NaN: a gradient other than 0 comes to it."""
    by_result = g if isinstance(g, Several) else {0: g}
    for k, each in by_result.items():
        mask = birth.masks[k] if k < len(birth.masks) else None
        array = getattr(each, "array", each)
        if mask is not None and mask.shape == np.shape(array) and np.asarray(array)[mask].any():
            return True
    return False


def forward_error(node: Node, birth: Birth, g: Any) -> AnomalyError:
    """The error for a value that is NaN: the place where the first of those that led to it was born."""
    culprit, birth = _first_birth(node, birth)
    name, mask = short_name(culprit), birth.masks[birth.result]
    lines = [f"nan in the forward pass: {birth.call} has returned nan in {mask.sum()} of {mask.size} elements"]
    lines.append(f"  from: {culprit.trace}{_induced(culprit)}")
    lines.append(f"  first at {list(birth.index)}, where {', '.join(birth.there) or 'it has no inputs'}")
    if birth.inherited:
        lines.append(f"  {birth.carrier}: it came into the graph so")
    infinities = _infinities(culprit)
    lines += infinities + _slice(node, culprit, "nan")
    if not birth.inherited and not infinities and name in HINTS:
        lines.append(f"  write instead: {HINTS[name]}")
    elif birth.inherited:
        lines.append("  look: at the data (torch.isnan(x).any()), or at the step before (a learning rate too high?)")
    return _error(lines, culprit, birth.index, (node, g))


def backward_error(node: Node, g: Any, edge: Node, array: Any) -> AnomalyError:
    """The error for a gradient that is NaN while the values were not."""
    index, place = first(np.isnan(array)), node.edges.index(edge)
    lines = [
        f"Function '{node.name()}' returned nan values in its {place}th output. "
        f"They are {np.isnan(array).sum()} of the {np.size(array)} elements of its gradient.",
        f"  from: {node.trace or 'a line that ran before anomaly mode was switched on'}{_induced(node)}",
    ]
    lines.append(f"  first at {list(index)}, where {', '.join(_values_there(node, g, index, np.shape(array)))}")
    incoming = g if isinstance(g, Several) else {0: g}
    birth = getattr(node, "birth", None)
    name = short_name(node)
    if any(np.isnan(getattr(each, "array", each)).any() for each in incoming.values()):
        lines.append(
            "  the gradient that came to it was nan already: given to backward(), made by a hook, or inf - inf in a sum"
        )
    elif birth is not None:
        lines.append(
            f"  its value is nan at {list(birth.index)} too: a mask after it hides the value, but not the gradient"
        )
    source = blown_up(node, g)
    if source is not None:
        name = source[0]
        lines.append(f"  the infinite gradient that came to it was born in {name}, from: {source[1]}")
    top = (*walk_now().get("roots", []), (node, g))[0]
    lines += _slice(top[0], node, "nan in the gradient")
    if birth is not None:
        lines.append(f"  write instead: mask before the operation, {short_name(node)}(torch.where(mask, x, 1.0))")
    elif name in HINTS:
        lines.append(f"  write instead: {HINTS[name]}")
    return _error(lines, node, index, top)


def blown_up(node: Node, g: Any) -> tuple[str, Line | None] | None:
    """The operation in whose rule the infinite part of a gradient was born, and its line; None if g is finite."""
    parts = g.values() if isinstance(g, Several) else (g,)
    infinite = any(np.isinf(getattr(each, "array", each)).any() for each in parts)
    return getattr(node, "blown_up", None) if infinite else None


def _error(lines: list[str], node: Node, index: tuple[int, ...], top: tuple[Node, Any]) -> AnomalyError:
    """The error; with the node at which it was noticed goes the gradient that was there."""
    error = AnomalyError("\n".join(lines))
    error.node, error.line, error.index, (error.top, g) = node, node.trace, index, top
    g = next(iter(g.values())) if isinstance(g, Several) else g
    error.dtype = getattr(g, "array", g).dtype
    return error


def _first_birth(node: Node, birth: Birth) -> tuple[Node, Birth]:
    """The oldest node from which the NaN came, following only what is NaN (or was written over, and is not known)."""
    found, seen, stack = (node, birth), {node}, [node]
    while stack:
        for edge in stack.pop().edges:
            if edge is None or edge in seen:
                continue
            seen.add(edge)
            other = getattr(edge, "birth", None)
            if other is not None and edge.number < found[0].number:
                found = edge, other
            if other is not None or edge.trace is None:
                stack.append(edge)
    return found


def _induced(node: Any) -> str:
    """For a node that a recorded walk back has made: the operation of the forward pass whose rule it belongs to."""
    cause = getattr(node, "rule_of", None)
    return f"\n  in the rule of {short_name(cause)}, from: {cause.trace}" if cause is not None else ""


def _infinities(culprit: Node) -> list[str]:
    """Where the infinities that became NaN were born."""
    for node in _behind(culprit, 200):
        if getattr(node, "infinite", False):
            return [f"  the infinity that it met was born in {short_name(node)}, from: {node.trace}"]
    return []


def _behind(node: Node, limit: int) -> Iterator[Node]:
    """The nodes before this one, the nearest first."""
    seen, row = {node}, [node]
    while row and len(seen) < limit:
        row = [e for n in row for e in n.edges if e is not None and not (e in seen or seen.add(e))]  # type: ignore[func-returns-value]
        yield from row


def _slice(top: Node, culprit: Node, what: str) -> list[str]:
    """The way from a node down to the culprit and a little further, one line each, newest last."""
    path = _path(top, culprit)
    before = [n for n in _behind(culprit, 5) if n.trace is not None][:2]
    rows = [*reversed(before), culprit, *path]
    shown = rows if len(rows) <= 10 else [*rows[:6], None, *rows[-2:]]
    out = ["  graph:"]
    for node in shown:
        if node is None:
            out.append(f"      ... {len(rows) - 8} more")
            continue
        mark = ">>>" if node is culprit else "   "
        text = f"  {mark} {short_name(node)} {list(node.shape)}"
        line = node.trace.place if node.trace is not None else ""
        out.append(f"{text:<32} {line}" + (f"  <- {what}" if node is culprit else ""))
    return out


def _path(top: Node, culprit: Node) -> list[Node]:
    """The nodes from the culprit (not included) up to `top`, oldest first: a shortest way."""
    came: dict[Node, Node | None] = {top: None}
    row = [top]
    while row and culprit not in came:
        below = []
        for node in row:
            for edge in node.edges:
                if edge is not None and edge not in came:
                    came[edge] = node
                    below.append(edge)
        row = below
    path, step = [], came.get(culprit)
    while step is not None:
        if step.as_function()[0] is step:  # not one result of several: its operation follows
            path.append(step)
        step = came[step]
    return path


def _values_there(node: Any, g: Any, index: tuple[int, ...], shape: tuple[int, ...]) -> list[str]:
    """The incoming gradient and the kept values at an element of the gradient that was computed."""
    found = []
    for k, each in (g if isinstance(g, Several) else {0: g}).items():
        found.append(f"g{k or ''} = {value_at(getattr(each, 'array', each), index, shape)}")
    plan: Any = getattr(node, "plan", None)
    for (kind, i), value in zip(plan.kinds, node.kept, strict=True) if plan is not None else ():
        if kind in ("input", "result", "extra") and hasattr(value, "strides") and value.dtype.kind in "fc":
            name = {"input": plan.op.names, "result": plan.op.results or ("out",), "extra": plan.op.keeps}[kind][i]
            found.append(f"{name} = {value_at(value, index, shape)}")
    return found


# --- values and names --------------------------------------------------------------------------------------------------


def first(mask: Any) -> tuple[int, ...]:
    """The index of the first element that is set."""
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(mask)), np.shape(mask)))


def value_at(array: Any, index: tuple[int, ...], shape: tuple[int, ...]) -> str:
    """The element that belongs to an index of the result, or what the array holds where none does alone."""
    array = np.asarray(array) if not hasattr(array, "strides") else array
    try:
        return f"{np.broadcast_to(array, shape)[index]:.6g}"
    except ValueError:
        pass
    finite = array[np.isfinite(array)]
    parts = [f"{finite.min():.4g} to {finite.max():.4g}"] if finite.size and array.dtype.kind == "f" else []
    parts += [f"{np.isinf(array).sum()} inf"] * bool(np.isinf(array).any())
    parts += [f"{np.isnan(array).sum()} nan"] * bool(np.isnan(array).any())
    return f"{list(array.shape)} of {', '.join(parts) or 'no elements'}"


def short_name(node: Any) -> str:
    """What the user has called: the operation's name, or that of a `Function`."""
    plan = getattr(node, "plan", None)
    return plan.op.name if plan is not None else node.as_function()[0].name()


def argument_names(node: Any, count: int) -> list[str]:
    """The names of a node's inputs."""
    plan = getattr(node, "plan", None)
    if plan is not None and not plan.op.sequence:
        return list(plan.op.names[:count])
    return [f"input {i}" for i in range(count)]


def is_nan(value: Any) -> bool:
    """Whether a tensor holds NaN."""
    return is_float(value) and bool(np.isnan(value.array).any())


def is_float(value: Any) -> bool:
    return hasattr(value, "requires_grad") and not value.is_sparse and value.array.dtype.kind in "fc"

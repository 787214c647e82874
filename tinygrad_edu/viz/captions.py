"""What stands in a box: shapes, rules, values, gradients, memory and time of an operation or of a folded block."""

from __future__ import annotations

import textwrap
from collections import Counter
from dataclasses import dataclass
from typing import Any

from .. import devices
from ..autograd.function import FunctionNode
from ..autograd.graph import FREED, Node, Several
from ..plan import OpNode
from ..tensor import Leaf
from .labels import bytes_text, clean, cut, dtype_text, faults, seconds_text, shape_text, value_text
from .picture import Box, Line
from .reading import Item, shape_and_dtype
from .rules import rules_of

RULE_WIDTH = 42


@dataclass(frozen=True)
class Show:
    """What is wanted in the boxes besides names and shapes."""

    values: bool = False
    gradients: bool = True
    kept: bool = False
    times: bool = False
    rules: bool | None = None  # None: where there is room


def caption(item: Item, id: str, show: Show) -> Box:
    """The box of one item."""
    title = item.title if not item.is_operation or not item.name else f"{item.name} = {item.title}"
    box = Box(id, item.kind, cut(title))
    ports = [port for _, port, _ in item.inputs]
    if item.is_operation and 2 <= len(ports) <= 4:
        box.ports = ports
    box.lines.append(Line(cut(shape_and_dtype(item), 60)))
    if item.options:
        box.lines.append(Line(cut(", ".join(item.options), 60)))
    if item.is_operation and show.rules:
        for name, text in rules_of(item.node):
            box.lines += [Line(part, "code") for part in _wrapped(f"∂{name}: {text}")]
    for array in item.arrays.values():
        fault = faults(array, item.infinite)
        if fault:
            box.bad = True
            box.lines.append(Line(fault, "bad"))
        elif show.values and array.size:
            box.lines.append(Line(value_text(array), "value"))
    if show.gradients:
        _add_gradient(box, item)
    if show.kept and item.is_operation:
        arrays = kept_arrays(item.node)
        if arrays:
            box.lines.append(Line(f"keeps {', '.join(arrays)}: {bytes_text(memory(arrays.values()))}"))
    if show.times and item.note is not None:
        box.lines.append(Line(_times(item.note.seconds, item.note.back_seconds)))
    box.hint = _hint(item, box)
    return box


def folded(title: str, operations: list[Item], leaves: list[Item], id: str, show: Show) -> Box:
    """The box of a block that is folded: what is inside, counted."""
    box = Box(id, "folded", cut(title), count=len(operations) + len(leaves))
    counts = Counter(item.title for item in operations)
    kinds = ", ".join(f"{name} × {n}" if n > 1 else name for name, n in counts.most_common(3))
    more = f" and {len(counts) - 3} more" if len(counts) > 3 else ""
    many = f"{len(operations)} operations: " if len(operations) > 1 else ""
    box.lines.append(Line(cut(f"{many}{kinds}{more}", 72)))
    if operations:
        box.lines.append(Line(f"→ {shape_and_dtype(operations[-1], most=1)}"))
    parameters = [item for item in leaves if item.kind == "parameter"]
    if parameters:
        numbers = sum(_size(item.results[0][0]) for item in parameters)
        box.lines.append(Line(f"{len(parameters)} parameter{'s' * (len(parameters) > 1)}, {numbers:,} numbers"))
    broken = [i.title for i in (*leaves, *operations) if any(faults(a, i.infinite) for a in i.arrays.values())]
    if broken:
        box.bad = True
        box.lines.append(Line(f"NaN or ∞ first in {cut(broken[0], 30)}", "bad"))
    if show.kept:
        arrays = [a for item in operations for a in kept_arrays(item.node).values()]
        box.lines.append(Line(f"keeps {bytes_text(memory(arrays))}"))
    notes = [item.note for item in operations if item.note is not None]
    if show.times and notes:
        box.lines.append(Line(_times(sum(n.seconds for n in notes), sum(n.back_seconds for n in notes))))
    box.hint = "\n".join([title, *(line.text for line in box.lines)])
    return box


def _wrapped(rule: str) -> list[str]:
    """A rule in at most two lines, the second set in; what is left over is in the hint."""
    first, *rest = textwrap.wrap(clean(rule), RULE_WIDTH)
    if not rest:
        return [first]
    return [first, "  " + (rest[0] if len(rest) == 1 else rest[0][: RULE_WIDTH - 4] + " …")]


def _add_gradient(box: Box, item: Item) -> None:
    """The gradient that a leaf holds, or that was noted for an operation."""
    gradient: Any = None
    if isinstance(item.node, Leaf):
        tensor = item.node.variable
        if tensor is not None and tensor._grad is not None:
            gradient = tensor._grad.array
    elif item.note is not None:
        gradient = item.note.g
    if gradient is None:
        return
    for g in gradient.values() if isinstance(gradient, Several) else [gradient]:
        fault = faults(g)
        box.bad = box.bad or bool(fault)
        box.lines.append(Line(f"gradient {fault or value_text(g)}", "bad" if fault else "value"))


def _hint(item: Item, box: Box) -> str:
    """All that is known of an item, for a tooltip and for who cannot see the picture."""
    lines = [f"{box.kind} {clean(item.title[:400])}", *(line.text for line in box.lines if line.tone != "code")]
    if item.is_operation:
        lines += [f"∂{name}: {text}" for name, text in rules_of(item.node)]
        arrays = kept_arrays(item.node)
        lines += [f"keeps {name}: {dtype_text(a.dtype)}{shape_text(a.shape)}" for name, a in arrays.items()]
    if item.note is not None:
        line = item.note.line
        lines.append(f"made at {line.place} `{line.text}`")
    return "\n".join(lines)


def _times(forward: float, back: float) -> str:
    return seconds_text(forward) + (f", back {seconds_text(back)}" if back else "")


def kept_arrays(node: Node | None) -> dict[str, Any]:
    """The arrays that a node keeps alive for the walk back, by what they are."""
    found: dict[str, Any] = {}
    if isinstance(node, OpNode) and node.kept is not FREED:
        op = node.op
        names = {"input": op.names, "result": op.results or ("out",), "extra": op.keeps}
        for (kind, i), value in zip(node.plan.kinds, node.kept, strict=True):
            values = value if isinstance(value, list) else [value]
            arrays = [a for a in values if hasattr(a, "nbytes") and a.ndim]
            if arrays and kind in names:
                name = names[kind][i]
                found.update({name if len(arrays) == 1 else f"{name}[{k}]": a for k, a in enumerate(arrays)})
    elif isinstance(node, FunctionNode) and isinstance(node.ctx._saved, tuple):
        tensors = [saved.tensor for saved in node.ctx._saved if saved is not None]
        found = {f"saved[{k}]": t.array for k, t in enumerate(tensors)}
    return found


def memory(arrays: Any) -> int:
    """The bytes that some arrays show; what several show is counted once, and of a view its own stretch."""
    stretches = sorted({devices.stretch(a) for a in arrays})
    total = end = 0
    for first, size in stretches:
        total += max(0, first + size - max(first, end))
        end = max(end, first + size)
    return total


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for n in shape:
        size *= n
    return size

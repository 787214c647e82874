"""The graph behind some tensors, read into items: leaves, constants and operations, in the order of their creation."""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..autograd.function import FunctionNode
from ..autograd.graph import FREED, Node, reachable
from ..plan import OpNode
from ..tensor import Leaf, Tensor
from .labels import cut, dtype_text, number, shape_text
from .names import Names
from .recording import Note, Scope

FILLING = {"fill", "masked_fill", "pad", "where"}  # infinities that these put somewhere are meant


class Item:
    """A point of the graph: a node, or a constant that some node has used."""

    __slots__ = (
        "arrays",
        "infinite",
        "inputs",
        "kind",
        "name",
        "node",
        "note",
        "number",
        "options",
        "results",
        "scopes",
        "title",
    )

    def __init__(self, number: int, kind: str, title: str, node: Node | None = None) -> None:
        self.number, self.kind, self.title, self.node = number, kind, title, node
        self.name = ""  # of its result in the user's program
        self.inputs: list[tuple[Item, str, str]] = []  # the source, as which argument, which of the source's results
        self.arrays: dict[int, Any] = {}  # the results that are still there
        self.options: list[str] = []  # numbers and options of the call
        self.infinite = kind == "constant"  # whether its infinities are meant: a mask, or made with one
        self.note: Note | None = None
        self.scopes: tuple[Scope | str, ...] = ()  # calls of modules around it, or deduced prefixes
        self.results: list[tuple[tuple[int, ...], Any]] = []  # shapes and dtypes; None for a dtype that is not known

    @property
    def is_operation(self) -> bool:
        """Whether it was computed here."""
        return self.kind == "operation"


class Reading:
    """The items of a graph, and what was asked about: the roots."""

    def __init__(self, roots: Sequence[tuple[str, Tensor]], names: Names, constants: bool = True) -> None:
        self.names, self.constants = names, constants
        self.of_node: dict[Node, Item] = {}
        self.of_array: dict[int, Item] = {}
        self.items: list[Item] = []
        places = [(name, t, t.edge()) for name, t in roots]
        nodes = [node.as_function()[0] for _, _, node in places if node is not None]
        found = {node.as_function()[0] for node in reachable(nodes)}
        self.nodes = sorted(found, key=lambda node: node.number)
        for node in self.nodes:
            item = self._leaf(node) if isinstance(node, Leaf) else self._operation(node)
            self.of_node[node] = item
            self.items.append(item)
        for (node, k), tensor in names.found.items():
            if node in self.of_node:
                self.of_node[node].arrays.setdefault(k, tensor.array)
        self.roots: list[tuple[str, Tensor, Item, str]] = []
        for name, tensor, place in places:
            if place is not None:
                node, k = place.as_function()
                item = self.of_node[node]
                item.arrays.setdefault(k, tensor.array)
                self.roots.append((name, tensor, item, result_name(node, k)))

    def _leaf(self, node: Leaf) -> Item:
        tensor, name = node.variable, self.names.tensors.get((node, 0), "")
        kind = "parameter" if node in self.names.owned or type(tensor).__name__ == "Parameter" else "leaf"
        item = Item(node.number, kind, name or kind, node)
        item.results = [(node.shape, tensor.array.dtype if tensor is not None else None)]
        if tensor is not None:
            item.arrays[0] = tensor.array
        return item

    def _operation(self, node: Node) -> Item:
        item = Item(node.number, "operation", operation_name(node), node)
        item.note = node.__dict__.get("note")
        item.infinite = item.title in FILLING
        item.name = "" if result_name(node, 0) else self.names.tensors.get((node, 0), "")
        item.results = _results(node, item.note)
        if item.note is not None and item.note.scope is not None:
            item.scopes = tuple(_chain(item.note.scope))
        arguments = dict(arguments_of(node, item.note))
        for i, edge in enumerate(node.edges):
            if edge is not None:
                source, k = edge.as_function()
                label = result_name(source, k) and self.names.tensors.get((source, k), result_name(source, k))
                item.inputs.append((self.of_node[source], argument_name(node, i), label))
                if i in arguments:
                    self.of_node[source].arrays.setdefault(k, _array(arguments[i]))
            elif i in arguments:
                self._constant(item, node, i, arguments[i])
        for i in sorted(set(arguments) - set(range(len(node.edges)))):
            self._constant(item, node, i, arguments[i])
        if isinstance(node, OpNode) and node.kept is not FREED:
            for (kind, k), value in zip(node.plan.kinds, node.kept, strict=True):
                if kind == "result":
                    item.arrays.setdefault(k, value)
        if item.note is not None:
            for k, ref in enumerate(item.note.outputs):
                value = item.note.values[k] if item.note.values else getattr(ref(), "array", None)
                if value is not None:
                    item.arrays[k] = value
        return item

    def _constant(self, item: Item, node: Node, i: int, value: Any) -> None:
        """An argument that has no gradient: a box of its own, or a word in the operation's box."""
        name, array = argument_name(node, i), _array(value)
        if array is None:
            item.infinite |= isinstance(value, float) and math.isinf(value)
            if self.constants and not _is_default(node, i, value):
                text = number(value) if isinstance(value, (int, float)) else str(value)
                if "<" not in text:  # a function or an object, with nothing to read but its address
                    item.options.append(f"{name}={cut(text, 24)}")
            return
        known = self.names.arrays.get(id(array))
        item.infinite |= array.dtype.kind == "f" and bool(np.isinf(array).any())
        if known is None and not array.ndim:
            if self.constants:
                item.options.append(f"{name}={number(array[()])}")
            return
        title, kind = (known[0], known[1]) if known else ("constant", "constant")
        if kind == "constant" and not self.constants:
            return
        if id(array) not in self.of_array:
            made = Item(item.number, kind, title)
            made.arrays[0], made.results = array, [(array.shape, array.dtype)]
            self.of_array[id(array)] = made
            self.items.append(made)
        item.inputs.append((self.of_array[id(array)], name, ""))


def _chain(scope: Scope | None) -> list[Scope]:
    """The calls of modules around a call, outermost first."""
    found = []
    while scope is not None:
        found.append(scope)
        scope = scope.outer
    return found[::-1]


def operation_name(node: Node) -> str:
    """The operation's own name: `mul`, or the name of a user's `Function`."""
    if isinstance(node, OpNode):
        return node.op.name
    if isinstance(node, FunctionNode):
        return node.function.__name__
    return node.name().strip("_").removesuffix("Node")


def result_name(node: Node, k: int) -> str:
    """Which of a node's results, "" where there is only one."""
    if isinstance(node, OpNode) and node.op.several:
        return node.op.results[k] if k < len(node.op.results) else str(k)
    return str(k) if isinstance(node, FunctionNode) and node.picks is not None else ""


def argument_name(node: Node, i: int) -> str:
    """The name of an operation's i-th input."""
    if not isinstance(node, OpNode):
        return str(i)
    names = node.op.names
    if not node.op.sequence:
        return names[i]
    first = len(node.edges)
    return f"{names[0]}[{i}]" if i < first else names[i - first + 1]


def _is_default(node: Node, i: int, value: Any) -> bool:
    """Whether an option has the value that it has when nobody says anything."""
    if value is None or not isinstance(node, OpNode):
        return True
    i = i - len(node.edges) + 1 if node.op.sequence else i
    default = node.op.defaults[i]
    return type(value) is type(default) and value == default


def arguments_of(node: Node, note: Note | None) -> Iterator[tuple[int, Any]]:
    """The arguments of a call that are known, by position: noted ones, and those kept for the walk back."""
    if isinstance(node, OpNode) and node.kept is not FREED:
        first = len(node.edges)
        for (kind, i), value in zip(node.plan.kinds, node.kept, strict=True):
            if kind == "input" and node.op.sequence:
                yield from enumerate(value) if i == 0 else [(i + first - 1, value)]
            elif kind == "input":
                yield i, value
    for i, value in enumerate(note.inputs if note is not None else ()):
        value = value() if isinstance(value, weakref.ref) else value
        if value is not None:
            yield i, value


def _array(value: Any) -> Any:
    """The array of a tensor, or an array itself; None for anything else."""
    value = value.array if isinstance(value, Tensor) else value
    return value if hasattr(value, "ndim") and hasattr(value, "dtype") else None


def _results(node: Node, note: Note | None) -> list[tuple[tuple[int, ...], Any]]:
    if note is not None:
        return list(note.shapes)
    if isinstance(node, OpNode) and node.op.several:
        return list(node.outputs)
    if isinstance(node, FunctionNode):
        return [out for out in node.outputs if out is not None]
    return [(node.shape, None)]


def shape_and_dtype(item: Item, most: int = 3) -> str:
    """What its first results look like, the dtypes where they are known."""
    if len(item.results) > 1 and len(set(item.results)) == 1:
        shape, dtype = item.results[0]
        return f"{len(item.results)} × {shape_text(shape)} {dtype_text(dtype)}"
    texts = []
    for k, (shape, dtype) in enumerate(item.results[:most]):
        dtype = dtype if dtype is not None or k not in item.arrays else item.arrays[k].dtype
        name = f"{result_name(item.node, k)}: " if item.node is not None and min(len(item.results), most) > 1 else ""
        texts.append(f"{name}{shape_text(shape)}" + (f" {dtype_text(dtype)}" if dtype is not None else ""))
    if len(item.results) > most > 1:
        texts.append(f"and {len(item.results) - most} more")
    return ", ".join(texts)

"""`graph(loss)`: the picture of how a tensor was computed, to look at, to save, to read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..autograd.graph import FREED, Node, reachable
from ..errors import describe, message
from ..nn.modules.module import Module
from ..plan import OpNode
from ..serialization.replacing import replaced
from ..tensor import Leaf, Tensor
from .captions import Show, kept_arrays, memory
from .dot import dot_of
from .folding import Wanted, fold
from .labels import bytes_text, cut
from .names import Names, variables_around
from .picture import Picture
from .reading import Item, Reading
from .recording import Recording
from .rendering import NoRenderer, page_of, rendered, svg_of

DIRECTIONS = {"down": "TB", "up": "BT", "right": "LR", "left": "RL"}
FORMATS = ("svg", "png", "pdf", "dot", "html")
MOST = 1_000_000  # nodes of a graph that are looked at


class Graph:
    """A picture of a graph: shows itself in a notebook, saves itself, describes itself."""

    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        self._svg: str | None = None

    @property
    def dot(self) -> str:
        """The picture as DOT text."""
        return dot_of(self.picture)

    def svg(self) -> str:
        """The picture as SVG text."""
        if self._svg is None:
            self._svg = svg_of(self.picture)
        return self._svg

    def describe(self) -> str:
        """The picture as text: each box, what it is made from, what stands in it."""
        return self.picture.describe()

    def save(self, path: str | os.PathLike) -> Path:
        """Write the picture to a file: .svg, .png, .pdf, .dot or .html."""
        path = Path(path)
        form = path.suffix.lower().removeprefix(".")
        if form not in FORMATS:
            wrong = f"the name ends in '{path.suffix}', and pictures are {', '.join('.' + f for f in FORMATS)}"
            raise ValueError(
                message(f"Graph.save({str(path)!r})", wrong, instead=f"save({str(path.with_suffix('.svg'))!r})")
            )
        if form == "dot":
            data = self.dot.encode()
        elif form == "html":
            data = page_of(self.picture).encode()
        elif form == "svg":
            data = self.svg().encode()
        else:
            data = rendered(self.dot, form)
        with replaced(path) as file:
            file.write(data)
        return path

    def _repr_svg_(self) -> str | None:
        try:
            return self.svg()
        except NoRenderer:
            return None

    def _repr_html_(self) -> str | None:
        """What a notebook shows where nothing can draw: the DOT text, and what to install."""
        try:
            self.svg()
        except NoRenderer:
            return page_of(self.picture, whole=False)
        return None

    def __repr__(self) -> str:
        boxes, edges = len(self.picture.boxes), len(self.picture.edges)
        return f"<graph of {self.picture.title}, {self.picture.state}: {boxes} boxes, {edges} arrows>"


def graph(loss: Any, **options: Any) -> Graph:
    """The picture of how `loss` was computed; `picture_of` lists the options.

    loss  a tensor, several in a list, tuple or dictionary, or a function that computes them: its operations are then
          recorded with their modules, lines and times.
    """
    return Graph(picture_of(loss, **options))


def picture_of(
    loss: Any,
    *,
    model: Module | None = None,
    names: Mapping[str, Any] | None = None,
    values: bool = False,
    gradients: bool = True,
    kept: bool = False,
    times: bool = False,
    rules: bool | None = None,
    constants: bool = True,
    depth: int | None = None,
    fold: str | Iterable[str] = (),
    roll: bool = True,
    around: Tensor | Node | str | None = None,
    reach: int = 2,
    direction: str = "down",
    limit: int = 100,
) -> Picture:
    """The picture of a graph as plain data.

    model      whose parameters give the leaves their names; without it the caller's variables are searched
    names      more names, of tensors or modules
    values     the numbers in the boxes: a few as they are, many as their statistics
    gradients  what `backward` has left in the leaves, and what a `Recording(gradients=True)` has noted
    kept       what each operation keeps alive for the walk back, and how many bytes that is
    times      how long each operation took, if it was recorded
    rules      the rules of the operations, as they stand in the source; by default in pictures of up to 40 boxes
    constants  the inputs without names and gradients, and the options of operations
    depth      modules deeper than this are folded into one box; the outermost has depth 1
    fold       paths, classes or patterns (`"encoder.*"`) of modules to fold
    roll       draw blocks that are repeated three times or more once, with "× 12"
    around     a tensor, a node, or a name: only what is at most `reach` steps from it
    direction  where the computation goes: "down", "up", "right" or "left"
    limit      with more boxes than this, more is folded
    """
    if direction not in DIRECTIONS:
        wrong = f"there is no direction {direction!r}"
        raise ValueError(message("viz.graph", wrong, instead=", ".join(f'direction="{d}"' for d in DIRECTIONS)))
    if isinstance(loss, Module):
        wrong = f"{type(loss).__name__} is a module, and has a graph only once it was called"
        raise TypeError(message("viz.graph", wrong, instead="viz.graph(lambda: model(x)), or viz.shapes(model, x)"))
    alive: list[Any] = []
    spaces = variables_around(loss if callable(loss) else None)
    if callable(loss) and not isinstance(loss, Tensor):
        with _Look(values=values, alive=alive):
            loss = loss()
    roots = _roots(loss)
    called = names_for(roots, spaces, model, names)
    labelled = [(name_of(name, t, called), t) for name, t in roots]
    reading = Reading(labelled, called, constants)
    alive.clear()
    items = reading.items if around is None else _near(reading, around, reach)
    title = ", ".join(name for name, _ in labelled[:3]) + ("" if len(labelled) <= 3 else ", …")
    picture = Picture(cut(title, 60), _state(reading), direction=direction)
    if around is not None:
        picture.notes.append(f"{len(items)} of {len(reading.items)} points: those at most {reach} steps away.")
    fold_patterns = [fold] if isinstance(fold, str) else list(fold)
    show = Show(values, gradients, kept, times, rules)
    _fold(reading, items, Wanted(depth, fold_patterns, roll, limit), show, picture)
    if kept:
        arrays = [a for node in reading.nodes for a in kept_arrays(node).values()]
        picture.notes.append(f"Kept for the walk back: {bytes_text(memory(arrays))}, shared memory counted once.")
    return picture


_fold = fold


class _Look(Recording):
    """A recording that also keeps all inputs and results until they are read."""

    def __init__(self, values: bool, alive: list[Any]) -> None:
        super().__init__(values=values)
        self.alive = alive

    def recorded(self, node: Node, inputs: Sequence[Any], outputs: Sequence[Tensor]) -> None:
        super().recorded(node, inputs, outputs)
        self.alive.append((tuple(inputs), tuple(outputs)))


def _roots(loss: Any) -> list[tuple[str, Tensor]]:
    """The tensors that are asked about, with names where a dictionary has given some."""
    if isinstance(loss, Tensor):
        pairs = [("", loss)]
    elif isinstance(loss, Mapping):
        pairs = [(str(name), t) for name, t in loss.items()]
    elif isinstance(loss, (list, tuple)):
        pairs = [("", t) for t in loss]
    else:
        pairs = []
    if not pairs or not all(isinstance(t, Tensor) for _, t in pairs):
        wrong = f"{describe(loss)} is no tensor, no list or dictionary of tensors, and no function that returns such"
        raise TypeError(message("viz.graph", wrong, instead="viz.graph(loss), or viz.graph(lambda: model(x).sum())"))
    if not any(t.requires_grad for _, t in pairs):
        raise RuntimeError(
            message(
                f"viz.graph of {describe(pairs[0][1])}",
                "it does not require a gradient and has no grad_fn, so there is no graph behind it",
                instead="make an input with requires_grad=True, and compute the result outside no_grad()",
            )
        )
    return pairs


def names_for(
    roots: list[tuple[str, Tensor]],
    spaces: list[Mapping[str, Any]],
    model: Module | None,
    names: Mapping[str, Any] | None,
) -> Names:
    """The names of what is behind some tensors: given ones, those of a model, those of the variables in `spaces`."""
    called = Names()
    for name, thing in (names or {}).items():
        if isinstance(thing, Module):
            called.add_module(name, thing, f"{name}.")
        else:
            called.add(name, thing)
    if model is not None:
        variables = [name for space in spaces for name, value in space.items() if value is model]
        called.add_module(variables[0] if variables else "", model)
    places = [node for _, t in roots if (node := t.edge()) is not None]
    found = reachable(places)
    if len(found) > MOST:
        wrong = f"the graph has {len(found):,} nodes, too many to look at"
        instead = "a picture of one step: detach() the state that is carried from step to step"
        raise RuntimeError(message("viz.graph", wrong, instead=instead))
    leaves: set[Node] = {node for node in found if isinstance(node, Leaf)}
    for space in spaces:
        called.add_variables(space, leaves)
    for node in sorted(found, key=lambda n: n.number):
        scope = getattr(node.__dict__.get("note"), "scope", None)
        while scope is not None and scope.outer is not None:
            scope = scope.outer
        module = scope.module() if scope is not None else None
        if module is not None and id(module) not in called.modules:
            called.add_module("", module)
    return called


def name_of(name: str, t: Tensor, called: Names) -> str:
    """What a result is called: as asked for, as its variable, or just that."""
    node = t.edge()
    return name or (called.tensors.get(node.as_function(), "") if node is not None else "") or "result"


def _state(reading: Reading) -> str:
    """Whether `backward` has passed, as far as the graph tells."""
    freed = any(isinstance(n, OpNode) and n.kept is FREED for n in reading.nodes)
    walked = any(item.note is not None and item.note.step for item in reading.items)
    if freed or walked:
        return "after backward()"
    leaves = [n.variable for n in reading.nodes if isinstance(n, Leaf)]
    if any(t is not None and t._grad is not None for t in leaves):
        return "with gradients of this or of an earlier backward()"
    return "before backward()"


def _near(reading: Reading, around: Any, reach: int) -> list[Item]:
    """The items at most `reach` steps away from one, in either direction."""
    start = _find(reading, around)
    users: dict[Item, list[Item]] = {}
    for item in reading.items:
        for source, *_ in item.inputs:
            users.setdefault(source, []).append(item)
    found, edge = {start}, [start]
    for _ in range(reach):
        steps = [[source for source, *_ in item.inputs] + users.get(item, []) for item in edge]
        edge = [item for item in dict.fromkeys(i for near in steps for i in near) if item not in found]
        found.update(edge)
    for item in found:
        item.inputs = [entry for entry in item.inputs if entry[0] in found]
    return [item for item in reading.items if item in found]


def _find(reading: Reading, around: Any) -> Item:
    if isinstance(around, Tensor):
        node = around.edge()
        around = None if node is None else node.as_function()[0]
    for item in reading.items:
        if item.node is not None and item.node is around:
            return item
        if isinstance(around, str) and around in (item.name, item.title):
            return item
    what = repr(around) if isinstance(around, str) else "the tensor or node"
    raise ValueError(
        message("viz.graph(around=...)", f"{what} is not in this graph", instead="a name that .describe() prints")
    )

"""A graph's forward order and its walk back, step by step, as plain data: what came, by which rule, what went on.

The walk is the engine's own. A `Witness` hears of each node as the engine passes it and writes down what it sees.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from ..autograd.anomaly import Line
from ..autograd.graph import FREED, Node, Several, reachable, walk
from ..autograd.modes import observer
from ..errors import message
from ..plan import OpNode, Pick
from ..promotion import settle
from ..tensor import Leaf, Tensor, conjugated, outside, root, wrap
from .contents import Contents
from .labels import clean, cut
from .reading import Item, Reading, argument_name, arguments_of, result_name
from .recording import Recording, Scope
from .rules import rules_of


class Passed(NamedTuple):
    """A gradient on its way: to (or from) which box, as which argument or result, and its numbers."""

    box: int | None
    name: str
    gradient: int


@dataclass
class Back:
    """A step of the walk back."""

    box: int
    came: list[Passed]  # the gradient of each result: the sums of what arrived
    arrived: list[Passed]  # one by one, in the order in which the engine added them; `box` is where from
    passed: list[Passed] = field(default_factory=list)
    hooked: bool = False  # whether a hook has seen the gradient, and may have changed it
    grad: int | None = None  # of a leaf: what is in its `grad` afterwards


@dataclass
class Box:
    """A leaf, a constant or an operation."""

    kind: str
    title: str
    label: str  # the title as it reads inside its frame
    name: str  # of its result in the user's program
    options: list[str]
    scope: int | None
    line: str
    code: str
    shapes: list[list[int]]
    values: list[list[Any]]  # each result that is known: its name and its place among the contents
    inputs: list[list[Any]]  # box, as which argument, which of its results
    rules: list[list[str]]  # by argument


@dataclass
class Frame:
    """One call of a module."""

    title: str
    kind: str
    outer: int | None


class Walk:
    """A walk back as it was seen: each node with the gradients that came and went, the arrays still as they were."""

    def __init__(self, contents: Contents) -> None:
        self.contents = contents
        self.steps: list[tuple[Node, list[tuple[str, int]], list[tuple[Node, int]], int | None]] = []

    def note(self, node: Node, g: Any, results: Sequence[tuple[Node, Any]], grad: Any = None) -> None:
        """A node has passed its gradient on."""
        if isinstance(g, Several):
            came = [(result_name(node, k), self._add(each)) for k, each in sorted(g.items())]
        else:
            came = [("", self._add(g))]
        passed = [(edge, self._add(gx)) for edge, gx in results if not isinstance(gx, Several)]
        self.steps.append((node, came, passed, None if grad is None else self.contents.add(grad)))

    def roots(self) -> list[Tensor]:
        """The tensors at which the walk began: what no other node has passed a gradient to."""
        reached = {edge for _, _, passed, _ in self.steps for edge, _ in passed}
        reached |= {node.as_function()[0] for node, *_ in self.steps if isinstance(node, Pick)}
        return [_result_of(node) for node, *_ in self.steps if node not in reached]

    def _add(self, g: Any) -> int:
        return self.contents.add(getattr(conjugated(g), "array", conjugated(g)))


def _result_of(node: Node) -> Tensor:
    """The tensor of a node, as it was noted."""
    owner, k = node.as_function()
    tensor = node.variable if isinstance(node, Leaf) else None
    return wrap(owner.note.values[k] if tensor is None else tensor.array, node)


class Witness(Recording):
    """Keeps the values of the forward, and sees whole walks back: `walks`, one after the other."""

    def __init__(self) -> None:
        super().__init__(values=True)
        self.walks: list[Walk] = []
        self.last_number = 0
        self.alive: list[Any] = []  # the inputs, which notes refer to only weakly

    def recorded(self, node: Node, inputs: Sequence[Any], outputs: Sequence[Tensor]) -> None:
        """A node was made."""
        super().recorded(node, inputs, outputs)
        self.alive.append((node, *inputs))

    def walked(self, node: Node, g: Any, results: list[tuple[Node, Any]]) -> None:
        """A node has passed its gradient on."""
        super().walked(node, g, results)
        if not self.walks or node.number > self.last_number:  # a walk goes from new nodes to old ones
            self.walks.append(Walk(Contents(3 * len(self.nodes))))
        self.last_number = node.number
        tensor = node.variable if isinstance(node, Leaf) else None
        self.walks[-1].note(node, g, results, None if tensor is None or tensor._grad is None else tensor._grad.array)


class _Rehearsal:
    """The observer of a walk that nobody else is to hear of."""

    def __init__(self, walk: Walk) -> None:
        self.walked = walk.note
        self.recorded = self.written = lambda *seen: None


def rehearse(loss: Tensor) -> Walk:
    """Walk back from `loss` as `backward()` would, but leave the graph and every `grad` as they are."""
    start = root(loss, None, False, "play")
    nodes = reachable([start[0]])
    if any(isinstance(node, OpNode) and node.kept is FREED for node in nodes):
        wrong = "backward() has gone through this graph, and freed the values that its rules need"
        instead = (
            "play(loss) before loss.backward(), loss.backward(retain_graph=True), or play(lambda: loss_of(model(x), y))"
        )
        raise RuntimeError(message("play", wrong, instead=instead))
    leaves = [node for node in nodes if isinstance(node, Leaf)]
    seen = Walk(Contents(3 * len(nodes)))
    retaining = {node.hooks: node.hooks.retain for node in nodes if node.hooks is not None}
    for hooks in retaining:
        hooks.retain = None
    before = observer.set(_Rehearsal(seen))
    try:
        found = walk([start], retain_graph=True, targets=leaves, stop=True)
    finally:
        observer.reset(before)
        for hooks, retain in retaining.items():
            hooks.retain = retain
    for leaf, g in found.items():
        g = leaf.hooks.on_arrival(g) if leaf.hooks is not None else g
        seen.note(leaf, g, [], outside(g).array)
    seen.steps.sort(key=lambda step: -step[0].number)  # the leaves among the others, where the engine meets them
    return seen


class Steps:
    """Everything that a player shows."""

    def __init__(self, title: str, reading: Reading, seen: Walk) -> None:
        self.title, self.contents = title, seen.contents
        self.places: dict[int, int] = {}  # of items among the boxes
        self.frames: list[Frame] = []
        self._frame_of: dict[Any, int] = {}
        for item in reading.items:
            _compute_again(item)
        items = sorted(reading.items, key=lambda item: (item.number, item.is_operation))
        for item in items:
            self.places[id(item)] = len(self.places)
        users = _users(items)
        self.boxes = [self._box(item, users) for item in items]
        self.forward = [i for i, item in enumerate(items) if item.is_operation]
        box_of = {node: self.places[id(item)] for node, item in reading.of_node.items()}
        self.back = list(_walk_back(seen, box_of))

    def _box(self, item: Item, users: dict[int, list[Item]]) -> Box:
        line = getattr(item.note, "line", None) or getattr(item.node, "trace", None)
        where, code = _line(line) if item.is_operation else ("", "")
        known = sorted(item.arrays.items())
        scopes = _scopes(item, users)
        inside = f"{_path(scopes[-1])}." if scopes else ""
        inputs = [[self.places[id(source)], clean(name), result] for source, name, result in item.inputs]
        return Box(
            item.kind,
            cut(item.title, 200),
            cut(item.title.removeprefix(inside), 60),
            cut(item.name, 200),
            [clean(option) for option in item.options],
            self._frame(scopes),
            where,
            code,
            [list(shape) for shape, _ in item.results],
            [[result_name(item.node, k) if item.node else "", self.contents.add(array)] for k, array in known],
            inputs,
            [[clean(argument), clean(rule)] for argument, rule in (rules_of(item.node) if item.node else [])],
        )

    def _frame(self, scopes: Sequence[Scope | str]) -> int | None:
        """The innermost frame of a chain of calls, made with its outer ones on first use."""
        outer = None
        for i, scope in enumerate(scopes):
            key = (scope.call if isinstance(scope, Scope) else scope, i)
            if key not in self._frame_of:
                self._frame_of[key] = len(self.frames)
                kind = scope.kind if isinstance(scope, Scope) else ""
                title = _path(scope).removeprefix(f"{_path(scopes[i - 1])}." if i else "")
                self.frames.append(Frame(cut(title or kind, 80), cut(kind, 80) if title else "", outer))
            outer = self._frame_of[key]
        return outer

    def data(self) -> dict[str, Any]:
        """The steps as JSON holds them."""
        tables = {name: [asdict(each) for each in getattr(self, name)] for name in ("boxes", "frames", "back")}
        return {"title": self.title, "contents": self.contents.table, "forward": self.forward, **tables}


def _walk_back(seen: Walk, box_of: dict[Node, int]) -> Iterator[Back]:
    """The steps of a walk. A node that stands for one of several results is not a step of its own."""
    arrived: dict[Node, list[Passed]] = {}
    hooked: set[Node] = set()  # those whose gradient a hook may have changed
    for node, came, passed, grad in seen.steps:
        owner, k = node.as_function()
        hooks = node.hooks
        if hooks is not None and (hooks.tensor or hooks.before):
            hooked.add(owner)
        if hooks is not None and hooks.after:
            hooked.update(edge.as_function()[0] for edge, _ in passed)
        if isinstance(node, Pick):
            for each in arrived.pop(node, [Passed(None, "", came[0][1])]):
                arrived.setdefault(owner, []).append(Passed(each.box, result_name(owner, k), each.gradient))
            continue
        to = []
        for (edge, gradient), name in zip(passed, _argument_names(node, [edge for edge, _ in passed]), strict=True):
            arrived.setdefault(edge, []).append(Passed(box_of[node], "", gradient))
            to.append(Passed(box_of[edge.as_function()[0]], name, gradient))
        sums = [Passed(None, name, gradient) for name, gradient in came]
        yield Back(box_of[node], sums, arrived.pop(node, sums), to, node in hooked, grad)


def _argument_names(node: Node, edges: Sequence[Node]) -> list[str]:
    """As which argument each of the nodes got its gradient; one that was given twice gets two, in order."""
    places = list(range(len(node.edges)))
    if isinstance(node, OpNode) and not node.op.sequence:
        places = [p for positions, *_ in node.plan.rules for p in positions if p < len(node.edges)]
    found = []
    for edge in edges:
        place = next(p for p in places if node.edges[p] is edge)
        places.remove(place)
        found.append(argument_name(node, place))
    return found


def _compute_again(item: Item) -> None:
    """Fill in a result that nothing has kept, where all that it was computed from is known and unchanged."""
    node = item.node
    if item.arrays or not isinstance(node, OpNode) or node.op.several or node.op.keeps or node.op.sequence:
        return
    known = dict(arguments_of(node, None))
    sources = {name: source for source, name, _ in item.inputs}
    for i, edge in enumerate(node.edges):
        if edge is not None and (edge.version is None or edge.version.stamp < node.number):
            arrays, k = sources[argument_name(node, i)].arrays, edge.as_function()[1]
            if k in arrays:
                known.setdefault(i, arrays[k])
    if len(known) == len(node.op.names):
        values = [known[i] for i in range(len(known))]
        item.arrays[0] = settle(node.op, node.op.run(*values), values)


def _users(items: Sequence[Item]) -> dict[int, list[Item]]:
    """The operations that have used each item."""
    found: dict[int, list[Item]] = {}
    for item in items:
        for source, *_ in item.inputs:
            found.setdefault(id(source), []).append(item)
    return found


def _scopes(item: Item, users: dict[int, list[Item]]) -> Sequence[Scope | str]:
    """The calls around an item; parameters and constants stand where all who used them stand."""
    if item.is_operation or item.kind not in ("parameter", "constant"):
        return item.scopes
    chains = [user.scopes for user in users.get(id(item), [])]
    common = []
    for level in zip(*chains, strict=False):
        if any(scope != level[0] for scope in level):
            break
        common.append(level[0])
    return common


def _path(scope: Scope | str) -> str:
    return scope.path if isinstance(scope, Scope) else scope


def _line(line: Line | None) -> tuple[str, str]:
    """Where a line is, in short, and what it says."""
    if line is None:
        return "", ""
    return clean(line.place), cut(line.text, 120)

"""From the items of a graph to a picture of it: which blocks are folded, which boxes, arrows and frames there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from ..errors import message
from .captions import Show, caption, folded
from .groups import Group, Tree, deduce_scopes
from .labels import cut, faults, shape_text, value_text
from .picture import Box, Edge, Frame, Line, Picture
from .reading import Item, Reading

OUTSIDE = ("input", "leaf")  # kinds that are drawn by themselves, outside of all modules, where they are few
FEW = 12
ROOM = 40  # boxes; in a larger picture rules are in the hints, and modules of one operation are folded
ROUNDS = 3  # blocks are rolled up when they are repeated so often


@dataclass(frozen=True)
class Wanted:
    """How much of a graph is drawn."""

    depth: int | None = None
    fold: Sequence[str] = ()
    roll: bool = True
    limit: int = 100
    modules_only: bool = False  # the innermost modules are folded


def fold(reading: Reading, items: list[Item], wanted: Wanted, show: Show, picture: Picture) -> None:
    """Fill the picture with what is drawn of the items."""
    if not any(item.scopes for item in items):
        deduce_scopes(items, reading.names.owned, reading.names.kinds)
    tree = Tree(items, reading.names.modules, reading.names.kinds)
    _check_patterns(tree, wanted)
    if wanted.roll:
        tree.roll(ROUNDS, bare=False)
    _fold_as_asked(tree, wanted)
    drawing = _Drawing(tree, items)
    if drawing.size() > ROOM and wanted.depth is None and wanted.roll:
        for group in tree.groups[1:]:
            group.folded |= len(tree.operations(group)) == 1
        if any(group.folded for group in tree.groups):
            picture.notes.append("Modules of one operation are folded; depth= unfolds them.")
        drawing = _Drawing(tree, items)
    if drawing.size() > wanted.limit:
        drawing = _made_to_fit(tree, items, wanted, picture)
    drawing.draw(reading, show, picture)


def _check_patterns(tree: Tree, wanted: Wanted) -> None:
    names = sorted({name for group in tree.groups[1:] for name in (group.path, group.title, group.kind) if name})
    for pattern in wanted.fold:
        if not any(fnmatchcase(name, pattern) for name in names):
            known = cut(", ".join(names), 200) or "none: record them with viz.graph(lambda: ...)"
            raise ValueError(message(f"viz.graph(fold={pattern!r})", f"no module matches it; there are {known}"))


def _fold_as_asked(tree: Tree, wanted: Wanted) -> None:
    for group in tree.groups[1:]:
        names = (group.path, group.title, group.kind)
        deep = wanted.depth is not None and group.depth > wanted.depth
        bare = wanted.modules_only and not any(isinstance(member, Group) for member in group.members)
        group.folded = group.folded or bare or deep or any(fnmatchcase(n, p) for p in wanted.fold for n in names if n)


def _made_to_fit(tree: Tree, items: list[Item], wanted: Wanted, picture: Picture) -> _Drawing:
    """Fold more than was asked for, from the inside out, until the picture has few enough boxes."""
    count = sum(item.is_operation for item in items)
    deepest = max((group.depth for group in tree.groups[1:] if not group.folded), default=0)
    for depth in range(deepest - 1, -1, -1):
        asked = [group for group in tree.groups[1:] if not group.folded and group.depth > depth]
        for group in asked:
            group.folded = True
        drawing = _Drawing(tree, items)
        if drawing.size() <= wanted.limit:
            picture.notes.append(f"{count:,} operations: modules deeper than {depth} are folded; depth= unfolds them.")
            return drawing
    if wanted.roll:
        tree.roll(ROUNDS, bare=True)
        drawing = _Drawing(tree, items)
        if drawing.size() <= wanted.limit:
            picture.notes.append(f"{count:,} operations: what repeats itself is drawn once.")
            return drawing
    parts = max(1, wanted.limit // 4)
    while True:
        for group in [g for g in tree.groups if not any(outer.folded for outer in g.around())]:
            _chunk(tree, group, parts)
        drawing = _Drawing(tree, items)
        if drawing.size() <= wanted.limit or parts == 1:
            picture.notes.append(
                f"{count:,} operations: neighbours are folded together, {drawing.size()} boxes in all."
            )
            return drawing
        parts = max(1, parts // 2)


def _chunk(tree: Tree, group: Group, parts: int) -> None:
    """Fold the members of a group into so many blocks of neighbours."""
    length = -(-len(group.members) // parts)
    if length < 2:
        return
    for start in range((len(group.members) - 1) // length * length, -1, -length):
        stop = min(start + length, len(group.members))
        tree.wrap(group, start, stop, f"part {start // length + 1}").folded = True


class _Drawing:
    """For each item the box that it is drawn as; an item stands for itself, or a folded group stands for it."""

    def __init__(self, tree: Tree, items: list[Item]) -> None:
        self.tree, self.items = tree, items
        closed: dict[Group, Group | None] = {}  # the outermost folded group around each group
        for group in tree.groups:
            outer = closed[group.outer] if group.outer is not None else None
            closed[group] = outer or (group if group.folded else None)
        self.owner: dict[Item, Item | Group] = {}
        users: dict[Item, list[Item]] = {}
        for item in items:
            if item.is_operation:
                first = tree.first(item)
                self.owner[item] = closed[tree.group_of[first]] or first
                for source, *_ in item.inputs:
                    if not source.is_operation:
                        users.setdefault(source, []).append(item)
        self.same_leaf = self._same_leaves(users)
        self.frame_of: dict[Item | Group, Group] = {}
        few = sum(leaf.kind in OUTSIDE for leaf in users) <= FEW
        for leaf, its in users.items():
            leaf = self.same_leaf.get(leaf, leaf)
            owners = list(dict.fromkeys(self.owner[user] for user in its))
            if leaf.kind in OUTSIDE and few:
                self.owner[leaf], self.frame_of[leaf] = leaf, tree.root
            elif len(owners) == 1 and isinstance(owners[0], Group):
                self.owner[leaf] = owners[0]
            else:
                self.owner[leaf] = leaf
                shared = any(tree.first(user) is not user for user in users[leaf])
                self.frame_of[leaf] = self._inside_all(owners, shared)
        for item in items:
            if not item.is_operation:
                self.owner[item] = self.owner.get(self.same_leaf.get(item, item), item)

    def _same_leaves(self, users: dict[Item, list[Item]]) -> dict[Item, Item]:
        """Leaves of later rounds of a block, with those of its first round."""
        same: dict[Item, Item] = {}
        for leaf, its in users.items():
            firsts = [self.tree.first(user) for user in its]
            if any(first is user for first, user in zip(firsts, its, strict=True)):
                continue
            place = [source for source, *_ in its[0].inputs].index(leaf)
            inputs = firsts[0].inputs
            if place < len(inputs) and not inputs[place][0].is_operation:
                same[leaf] = inputs[place][0]
        return same

    def _inside_all(self, owners: list[Item | Group], shared_by_rounds: bool) -> Group:
        """The innermost frame around some boxes; what all rounds of a block use stands outside of it."""
        chains = []
        for owner in owners:
            inner = (owner.outer or self.tree.root) if isinstance(owner, Group) else self.tree.group_of[owner]
            chains.append([group for group in inner.around() if not group.folded])
        shared = self.tree.root
        for level in zip(*chains, strict=False):
            if any(group is not level[0] for group in level) or (shared_by_rounds and level[0].count > 1):
                break
            shared = level[0]
        return shared

    def size(self) -> int:
        """How many boxes are drawn."""
        return len(set(self.owner.values()))

    def _time(self) -> Callable[[Item], float]:
        """When an item comes in reading order: an operation when it was made, anything else right before its use."""
        used: dict[Item, float] = {}
        for item in self.items:
            for source, *_ in item.inputs:
                used.setdefault(source, item.number - 0.5)
        return lambda item: item.number if item.is_operation else used.get(item, item.number)

    def draw(self, reading: Reading, show: Show, picture: Picture) -> None:
        """Put the boxes, frames and arrows into the picture."""
        if show.rules is None:
            show = replace(show, rules=self.size() <= ROOM)
        ids: dict[Item | Group, str] = {}
        members: dict[Item | Group, list[Item]] = {}
        for item in sorted(self.items, key=self._time()):
            members.setdefault(self.owner[item], []).append(item)
        frames: dict[Group, str] = {self.tree.root: ""}
        for group in self.tree.groups[1:]:
            if not any(outer.folded for outer in group.around()):
                frames[group] = f"f{len(frames)}"
                outer = frames[group.outer or self.tree.root]
                picture.frames.append(Frame(frames[group], cut(_heading(group)), group.kind, outer, group.count))
        for owner, inside in members.items():
            ids[owner] = id = f"b{len(ids) + 1}"
            if isinstance(owner, Group):
                firsts = [item for item in inside if self.tree.first(item) is item and item not in self.same_leaf]
                operations = [item for item in firsts if item.is_operation]
                box = folded(_heading(owner), operations, [i for i in firsts if not i.is_operation], id, show)
                around: Group = owner.outer or self.tree.root
            else:
                box = caption(owner, id, show)
                around = (
                    self.frame_of[owner] if owner in self.frame_of else self.tree.group_of.get(owner, self.tree.root)
                )
            box.frame, box.count = frames[around], len(inside)
            picture.boxes.append(box)
            picture.places.update((item.node, id) for item in inside if item.node is not None)
        _without_lonely_frames(picture)
        self._connect(ids, picture)
        _mark_first_faults(picture)
        _add_results(reading, self.owner, ids, picture)

    def _connect(self, ids: dict[Item | Group, str], picture: Picture) -> None:
        ports = {box.id: box.ports for box in picture.boxes}
        edges: dict[tuple[str, str, str], Edge] = {}
        for item in self.items:
            head = ids[self.owner[item]]
            for source, port, label in item.inputs:
                tail = ids[self.owner[source]]
                again = source.is_operation and self._is_later(source, item)
                if tail == head and not (again and not isinstance(self.owner[item], Group)):
                    continue
                key = (tail, head, port if port in ports[head] else "")
                if key in edges:
                    edges[key].count += 1
                else:
                    shown = label if isinstance(self.owner[source], Item) else ""
                    edges[key] = Edge(*key, label=shown, again=again)
        picture.edges += edges.values()
        boxes = {box.id: box for box in picture.boxes}
        for tail in dict.fromkeys(edge.tail for edge in edges.values() if edge.again):
            heads = [edge for edge in edges.values() if edge.again and edge.tail == tail]
            texts = [f"{'itself' if e.head == tail else boxes[e.head].title} {e.port}".strip() for e in heads]
            boxes[tail].lines.append(Line(cut(f"↺ next round: {', '.join(texts)}", 60)))

    def _is_later(self, source: Item, item: Item) -> bool:
        """Whether an arrow would lead back to the first round of a block."""
        first, user = self.tree.first(source), self.tree.first(item)
        return user.number <= first.number


def _without_lonely_frames(picture: Picture) -> None:
    """A frame around a single box becomes a line in that box."""
    for frame in reversed(picture.frames.copy()):
        boxes = [box for box in picture.boxes if box.frame == frame.id]
        if len(boxes) == 1 and not any(inner.outer == frame.id for inner in picture.frames):
            boxes[0].frame = frame.outer
            boxes[0].lines.insert(0, Line(frame.title))
            picture.frames.remove(frame)


def _mark_first_faults(picture: Picture) -> None:
    """Where NaN or infinity comes out although none went in."""
    bad = {box.id for box in picture.boxes if box.bad}
    spoiled = {edge.head for edge in picture.edges if edge.tail in bad and not edge.again}
    for box in picture.boxes:
        if box.bad and box.id not in spoiled:
            box.lines.append(Line("first here", "bad"))


def _heading(group: Group) -> str:
    kind = f"  {group.kind}" if group.kind and group.kind != group.title else ""
    times = f"  × {group.count:,}" if group.count > 1 else ""
    return f"{group.title}{kind}{times}".strip()


def _add_results(
    reading: Reading, owner: dict[Item, Item | Group], ids: dict[Item | Group, str], picture: Picture
) -> None:
    """The boxes of the tensors that were asked about."""
    for k, (name, tensor, item, label) in enumerate(reading.roots):
        if not item.is_operation or item not in owner:
            continue
        box = Box(f"r{k + 1}", "result", cut(name), [Line(shape_text(tensor.shape))])
        if tensor.array.size == 1:
            box.lines.append(Line(value_text(tensor.array.reshape(())), "value"))
        box.bad = bool(faults(tensor.array))
        box.hint = f"result {name[:400]} {shape_text(tensor.shape)}"
        made = picture.box(ids[owner[item]])
        made.title = made.title.removeprefix(f"{cut(name)} = ")
        picture.boxes.append(box)
        picture.edges.append(Edge(made.id, box.id, label=label))

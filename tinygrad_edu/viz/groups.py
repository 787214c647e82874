"""Which operations stand together: the calls of modules as a tree, and in it what repeats itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ..autograd.graph import Node
from .reading import Item
from .recording import Scope

CONTAINERS = ("ModuleList", "ModuleDict")
LONGEST = 48  # operations in a block that is looked for among repeated ones


class Group:
    """Operations and inner groups in the order of their creation: a call of a module, or a repeated block."""

    def __init__(self, title: str, kind: str, path: str, outer: Group | None) -> None:
        self.title, self.kind, self.path, self.outer = title, kind, path, outer
        self.members: list[Item | Group] = []
        self.count = 1  # how many times it is repeated
        self.folded = False

    @property
    def depth(self) -> int:
        """How many modules are around it."""
        depth, group = 0, self.outer
        while group is not None:
            depth, group = depth + 1, group.outer
        return depth

    def around(self) -> list[Group]:
        """The groups around it from the outermost on, itself the last."""
        found, group = [], self
        while group is not None:
            found.append(group)
            group = group.outer  # type: ignore[assignment]
        return found[::-1]


class Tree:
    """The groups of a graph; the outermost one, `root`, is the paper."""

    def __init__(self, items: Iterable[Item], module_names: dict[int, str], kinds: dict[str, str]) -> None:
        self.module_names, self.kinds = module_names, kinds
        self.root = Group("", "", "", None)
        self.groups: list[Group] = [self.root]  # an outer one before its inner ones
        self.group_of: dict[Item, Group] = {}
        self.same: dict[Item, Item] = {}  # an operation in a later round of a repeated block -> in its first
        known: dict[Any, Group] = {}
        for item in items:
            if item.is_operation:
                group = self.root
                for scope in item.scopes:
                    key = id(scope) if isinstance(scope, Scope) else scope
                    if key not in known:
                        known[key] = self._open(scope, group)
                    group = known[key]
                self.group_of[item] = group
                group.members.append(item)

    def _open(self, scope: Scope | str, outer: Group) -> Group:
        if isinstance(scope, str):
            path, kind, name = scope, self.kinds.get(scope, ""), ""
        else:
            module = scope.module()
            path, kind, name = scope.path, scope.kind, self.module_names.get(id(module), "")
        inner = path.removeprefix(f"{outer.path}.") if outer.path else path
        group = Group(inner or name or kind, kind if inner or name else "", path, outer)
        outer.members.append(group)
        self.groups.append(group)
        return group

    def operations(self, group: Group) -> list[Item]:
        """All operations inside, in order."""
        found: list[Item] = []
        stack: list[Iterator[Item | Group]] = [iter(group.members)]
        while stack:
            for member in stack[-1]:
                if isinstance(member, Group):
                    stack.append(iter(member.members))
                    break
                found.append(member)
            else:
                stack.pop()
        return found

    def wrap(self, group: Group, start: int, stop: int, title: str) -> Group:
        """Put neighbouring members of a group into a group of their own."""
        made = Group(title, "", group.path, group)
        made.members = group.members[start:stop]
        group.members[start:stop] = [made]
        for member in made.members:
            if isinstance(member, Group):
                member.outer = made
            else:
                self.group_of[member] = made
        self.groups.insert(self.groups.index(group) + 1, made)
        return made

    def roll(self, least: int, bare: bool) -> None:
        """Keep the first of neighbouring blocks that are alike; `bare` looks at operations outside modules, too."""
        signatures = self._signatures()
        for group in list(self.groups):
            signs = [signatures[member] if isinstance(member, Group) or bare else -1 - i
                     for i, member in enumerate(group.members)]  # fmt: skip
            for start, period, rounds in reversed(repeats(signs, least)):
                self._roll(group, start, period, rounds)
        kept = {id(self.root)}
        alive = [self.root]
        for group in alive:
            inner = [m for m in group.members if isinstance(m, Group)]
            kept.update(map(id, inner))
            alive.extend(inner)
        self.groups = [g for g in self.groups if id(g) in kept]

    def _roll(self, group: Group, start: int, period: int, rounds: int) -> None:
        first, last = group.members[start], group.members[start + (rounds - 1) * period]
        blocks = group.members[start : start + period * rounds]
        flat = [[op for m in blocks[i : i + period] for op in _inside(self, m)] for i in range(0, len(blocks), period)]
        for later in flat[1:]:
            self.same.update(zip(later, flat[0], strict=True))
        del group.members[start + period : start + period * rounds]
        if period == 1 and isinstance(first, Group) and isinstance(last, Group):
            first.count *= rounds
            if last.title != first.title:
                first.title = f"{first.title} … {last.title.removeprefix(first.title.rpartition('.')[0]).lstrip('.')}"
        elif period > 1:
            self.wrap(group, start, start + period, "").count = rounds

    def _signatures(self) -> dict[Item | Group, int]:
        """A number for each operation and group: the same for those that do the same on the same shapes."""
        known: dict[Any, int] = {}
        found: dict[Item | Group, int] = {}
        for item in self.group_of:
            line = str(item.note.line.number) if item.note is not None else ""
            key: Any = (item.title, *(shape for shape, _ in item.results), line)
            found[item] = known.setdefault(key, len(known))
        for group in reversed(self.groups):
            key = (group.kind, group.count, tuple(found[member] for member in group.members))
            found[group] = known.setdefault(key, len(known))
        return found

    def first(self, item: Item) -> Item:
        """The operation that stands for this one."""
        while item in self.same:
            item = self.same[item]
        return item


def _inside(tree: Tree, member: Item | Group) -> list[Item]:
    return tree.operations(member) if isinstance(member, Group) else [member]


def repeats(signs: list[int], least: int) -> list[tuple[int, int, int]]:
    """Where a list repeats itself at least so many times: start, period, rounds; the longest stretches, none twice."""
    array = np.array(signs)
    found: list[tuple[int, int, int]] = []
    for period in range(1, min(LONGEST, len(signs) // least) + 1):
        equal = np.concatenate([[False], array[period:] == array[:-period], [False]])
        changes = np.flatnonzero(equal[1:] != equal[:-1])
        for start, stop in zip(changes[::2].tolist(), changes[1::2].tolist(), strict=True):
            rounds = (stop - start) // period + 1
            if rounds >= least:
                found.append((start, period, rounds))
    taken = np.zeros(len(signs), bool)
    chosen = []
    for start, period, rounds in sorted(found, key=lambda f: (-f[1] * f[2], f[1], f[0])):
        if not taken[start : start + period * rounds].any():
            taken[start : start + period * rounds] = True
            chosen.append((start, period, rounds))
    return sorted(chosen)


def deduce_scopes(items: list[Item], owned: dict[Node, tuple[str, ...]], kinds: dict[str, str]) -> None:
    """Guess the modules of operations from the parameters that they and their neighbours in time use."""
    operations = [item for item in items if item.is_operation]
    own: list[tuple[str, ...] | None] = []
    for item in operations:
        parts = [owned[s.node] for s, *_ in item.inputs if s.node is not None and s.node in owned]
        own.append(_common(parts) if parts else None)
    earlier, later = _carried(own), _carried(own[::-1])[::-1]
    for item, place, before, after in zip(operations, own, earlier, later, strict=True):
        if place is None and before is not None and after is not None:
            place = _common([before, after])
            inner = before[: len(place) + (len(place) < len(before))]
            while kinds.get(".".join(inner)) in CONTAINERS and len(inner) < len(before):
                inner = before[: len(inner) + 1]
            if kinds.get(".".join(place)) in CONTAINERS and len(inner) < len(before):
                place = inner  # containers compute nothing: it is the end of the block before
        prefixes = [".".join(place[: i + 1]) for i in range(len(place))] if place else []
        item.scopes = tuple(prefix for prefix in prefixes if kinds.get(prefix) not in CONTAINERS)


def _carried(values: list[tuple[str, ...] | None]) -> list[tuple[str, ...] | None]:
    """A list in which each gap holds what came before it."""
    last, found = None, []
    for value in values:
        last = value if value is not None else last
        found.append(last)
    return found


def _common(paths: list[tuple[str, ...]]) -> tuple[str, ...]:
    """What several paths begin with."""
    shared = paths[0]
    for path in paths[1:]:
        same = 0
        for a, b in zip(shared, path, strict=False):
            if a != b:
                break
            same += 1
        shared = shared[:same]
    return shared

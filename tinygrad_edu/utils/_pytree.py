"""Nested lists, tuples and dictionaries as trees: taken apart to their leaves, and put together again."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple


class TreeSpec(NamedTuple):
    """The shape of a tree: the class of its root, what that needs beside its children, and these."""

    type: Any  # None for a leaf
    context: Any = None
    children_specs: tuple[TreeSpec, ...] = ()

    @property
    def num_leaves(self) -> int:
        """How many leaves it has."""
        return 1 if self.type is None else sum(child.num_leaves for child in self.children_specs)

    def is_leaf(self) -> bool:
        """Whether it is a leaf alone."""
        return self.type is None


LEAF = TreeSpec(None)


def _parts(tree: Any) -> tuple[list[Any], Any] | None:
    """A node's children and what else it has; None for a leaf."""
    kind = type(tree)
    if kind in (dict, OrderedDict):
        return list(tree.values()), list(tree)
    if kind is defaultdict:
        return list(tree.values()), (tree.default_factory, list(tree))
    if kind in (list, tuple) or (isinstance(tree, tuple) and hasattr(tree, "_fields")):
        return list(tree), None
    return None


def tree_flatten(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> tuple[list[Any], TreeSpec]:
    """The leaves, and the shape by which `tree_unflatten` makes the tree again."""
    found = None if is_leaf is not None and is_leaf(tree) else _parts(tree)
    if found is None:
        return [tree], LEAF
    flat = [tree_flatten(child, is_leaf) for child in found[0]]
    return [leaf for leaves, _ in flat for leaf in leaves], TreeSpec(type(tree), found[1], tuple(s for _, s in flat))


def tree_unflatten(leaves: Any, treespec: TreeSpec) -> Any:
    """The tree of this shape with these leaves."""
    leaves = list(leaves)
    if len(leaves) != treespec.num_leaves:
        raise ValueError(f"tree_unflatten: {len(leaves)} leaves for a tree that has {treespec.num_leaves}")
    return _built(iter(leaves), treespec)


def _built(leaves: Any, spec: TreeSpec) -> Any:
    if spec.type is None:
        return next(leaves)
    children = [_built(leaves, child) for child in spec.children_specs]
    if spec.type is defaultdict:
        return defaultdict(spec.context[0], zip(spec.context[1], children, strict=True))
    if spec.context is not None:
        return spec.type(zip(spec.context, children, strict=True))
    return spec.type(*children) if hasattr(spec.type, "_fields") else spec.type(children)


def tree_leaves(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list[Any]:
    """The leaves, from left to right."""
    return tree_flatten(tree, is_leaf)[0]


def tree_map(func: Callable, tree: Any, *rests: Any, is_leaf: Callable[[Any], bool] | None = None) -> Any:
    """The tree with `func(leaf)` in the place of each leaf, or of several trees of one shape `func(leaf, leaf, ...)`."""
    leaves, spec = tree_flatten(tree, is_leaf)
    columns = [leaves, *(tree_flatten(rest, is_leaf)[0] for rest in rests)]
    return tree_unflatten([func(*row) for row in zip(*columns, strict=True)], spec)


def tree_map_only(kind: Any, func: Callable, tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> Any:
    """`tree_map` for the leaves of a type, or that a function says yes to."""
    chosen = kind if callable(kind) and not isinstance(kind, type) else lambda leaf: isinstance(leaf, kind)
    return tree_map(lambda leaf: func(leaf) if chosen(leaf) else leaf, tree, is_leaf=is_leaf)


__all__ = ["TreeSpec", "tree_flatten", "tree_leaves", "tree_map", "tree_map_only", "tree_unflatten"]

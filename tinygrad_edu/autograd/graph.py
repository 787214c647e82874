"""The graph of what was computed, and the walk back through it.

A node knows how one result was made: its `edges` lead to the nodes of the inputs. Nodes are numbered as they are
created, so an input's node always has a smaller number than the node that used it. The walk back therefore needs no
recursion and no sorting pass: of the nodes that a gradient has reached, the newest has heard from all who used it.

This file knows arrays and nodes. What a tensor is, and what an operation does, is told further up.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from heapq import heappop, heappush
from typing import Any

from ..errors import translated
from .modes import observer, recording, set_recording

tick = itertools.count(1).__next__  # one clock for the creation of nodes and for writes into memory
FREED = object()  # stands where a node's kept values were, once a walk has used them


class Node:
    """A point of the graph. Subclasses say what happens when a gradient arrives (`back`)."""

    __slots__ = ("__dict__", "__weakref__", "edges", "hooks", "number", "shape", "version")
    edges: tuple[Any, ...]  # nodes, None where no gradient is wanted
    hooks: Hooks | None
    number: int
    shape: tuple[int, ...]
    version: Version | None
    takes = False  # whether the node goes on to own the gradient that it is given
    trace: Any = None  # where in the user's program the node was made, while somebody asks for it

    def back(self, g: Any, create_graph: bool) -> list[tuple[Node, Any]]:
        """Each input's node with its gradient: arrays, or tensors while the walk itself is recorded."""
        raise NotImplementedError

    def free(self) -> None:
        """Let go of what was kept for the walk back."""

    def share(self, version: Version) -> None:
        """Be told of the counter of writes into this node's result."""
        self.version = version

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """The nodes of the inputs, each with the number of its result that was used."""
        return tuple((None, 0) if edge is None else edge.as_function() for edge in self.edges)

    def as_function(self) -> tuple[Node, int]:
        """This node as seen by those who used it: the node of the operation, and which of its results."""
        return self, 0

    def name(self) -> str:
        """The node's name as PyTorch prints it."""
        return type(self).__name__

    def some_hooks(self) -> Hooks:
        """The node's hooks, made on first use: the hot path only ever looks for None."""
        if self.hooks is None:
            self.hooks = Hooks()
        return self.hooks

    def __repr__(self) -> str:
        return f"<{self.name()} object at {id(self):#x}>"


class Hooks:
    """What is called around one node: on its tensor's gradient, before the node, after the node, after a leaf has added.

    The callables take and return gradients in the form the walk uses; who registers one adapts it.
    """

    __slots__ = ("accumulated", "after", "before", "retain", "tensor")

    def __init__(self) -> None:
        self.tensor: dict[int, Callable] = {}
        self.before: dict[int, Callable] = {}
        self.after: dict[int, Callable] = {}
        self.accumulated: dict[int, Callable] = {}  # of a leaf: they are told, and do not see the gradient
        self.retain: Callable | None = None  # stores `grad` on a tensor that is not a leaf, after all others

    def on_arrival(self, g: Any) -> Any:
        """The gradient as the hooks leave it, before the node runs."""
        for hook in list(self.tensor.values()):
            g = hook(g)
        if self.retain is not None:
            self.retain(g)
        for hook in list(self.before.values()):
            g = hook(g)
        return g

    def on_departure(self, results: list, g: Any) -> list:
        """The inputs' gradients as the hooks leave them, after the node has run."""
        for hook in list(self.after.values()):
            results = hook(results, g)
        return results


class Handle:
    """Answer to a registration: `remove()` takes the hook away again; also a context manager."""

    _ids = itertools.count().__next__

    def __init__(self, hooks: dict[int, Callable], hook: Callable) -> None:
        self.hooks, self.id = hooks, Handle._ids()
        hooks[self.id] = hook

    def remove(self) -> None:
        """Take the hook away."""
        self.hooks.pop(self.id, None)

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


class Version:
    """Counts the writes into one piece of memory; shared by all tensors that are views of it."""

    __slots__ = ("count", "recent", "stamp", "trace")

    def __init__(self) -> None:
        self.count = self.stamp = 0
        self.trace: Any = None  # where in the user's program the last write was, in anomaly mode
        self.recent: deque[int] = deque(maxlen=64)  # enough to tell how many writes came after a node

    def write(self) -> None:
        """Note that the memory has just been changed."""
        self.count += 1
        self.stamp = tick()
        self.recent.append(self.stamp)
        global last_write
        last_write = self.stamp

    def count_at(self, number: int) -> int:
        """The count when the node of this number was created."""
        return self.count - sum(stamp > number for stamp in self.recent)


last_write = 0  # the stamp of the newest write anywhere: nodes created later need no check


class Several(dict):
    """The gradients of a node with several results, by result; what arrives twice is added."""

    def __add__(self, other: Several) -> Several:
        total = Several(self)
        for k, g in other.items():
            total[k] = total[k] + g if k in total else g
        return total

    __iadd__ = __add__


def walk(
    roots: Sequence[tuple[Node, Any]],
    *,
    create_graph: bool = False,
    retain_graph: bool = False,
    targets: Sequence[Node] | None = None,
    stop: bool = False,
) -> dict[Node, Any]:
    """Carry gradients from the roots back through the graph, each node once, newest first.

    With `targets`, only the paths that lead to these are followed and what arrives at them is returned; with
    `stop`, nothing is followed beyond them.
    """
    wanted = set(targets or ())
    useful = None if targets is None or stop else _ancestors_of(wanted, [node for node, _ in roots])
    arrived: dict[Node, Any] = {}
    found: dict[Node, Any] = {}
    summed: set[Node] = set()  # whose gradient is a sum made here, so that it may be added to in place
    waiting: list[tuple[int, Node]] = []
    for node, g in roots:
        if node in arrived:
            arrived[node] = arrived[node] + g
        else:
            arrived[node] = g if create_graph or not node.takes else g.copy()
            heappush(waiting, (-node.number, node))
    watching = observer.get()
    mode = set_recording(create_graph)
    try:
        while waiting:
            node = heappop(waiting)[1]
            g = arrived.pop(node)
            if stop and node in wanted:  # its hooks are for the walk that goes on from there
                found[node] = g
                continue
            hooks = node.hooks
            if hooks is not None:
                g = hooks.on_arrival(g)
                if node.takes and not create_graph and (hooks.tensor or hooks.before or hooks.after):
                    g = g.copy()  # a hook has seen it, or has given it
            if useful is not None:
                if node in wanted:
                    found[node] = g
                if node not in useful:
                    continue
            results = node.back(g, create_graph)
            if watching is not None:
                watching.walked(node, g, results)
            if hooks is not None and hooks.after:
                results = hooks.on_departure(results, g)
            if not retain_graph:
                node.free()
            for edge, gx in results:
                other = arrived.get(edge)
                if other is None:
                    # a leaf goes on to own what it is given: not an array that others were given too
                    arrived[edge] = g.copy() if gx is g and edge.takes and not create_graph else gx
                    heappush(waiting, (-edge.number, edge))
                elif edge in summed and not create_graph:
                    other += gx
                    arrived[edge] = other
                else:
                    arrived[edge] = other + gx
                    summed.add(edge)
    except MemoryError as error:
        raise translated(node.name(), [], error) from error
    finally:
        recording.reset(mode)
    return found


def _ancestors_of(wanted: set[Node], roots: list[Node]) -> set[Node]:
    """The nodes between the roots and the wanted ones: those with a wanted node somewhere behind them."""
    reached = reachable(roots)
    useful: set[Node] = set()
    for node in sorted(reached, key=lambda n: n.number):  # oldest first, so that edges are decided before
        if any(edge in wanted or edge in useful for edge in node.edges):
            useful.add(node)
    return useful


def reachable(roots: Iterable[Node]) -> set[Node]:
    """Every node behind the roots, they included."""
    seen = set(roots)
    stack = list(seen)
    while stack:
        for edge in stack.pop().edges:
            if edge is not None and edge not in seen:
                seen.add(edge)
                stack.append(edge)
    return seen


def __getattr__(name: str) -> Any:
    """What PyTorch has under this file's name, and stands on tensors here."""
    from . import saved_tensors

    return getattr(saved_tensors, name)

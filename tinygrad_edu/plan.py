"""The way back through an operation: which rules run, what is kept for them, and the nodes that hold it."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np

from . import devices, dtypes
from .autograd import graph
from .autograd.graph import FREED, Several, tick, walk
from .backward_names import backward_name
from .errors import describe, message
from .tensor import TensorNode, wrap

if TYPE_CHECKING:
    from .op import Op

OPS: dict[str, Op] = {}  # every operation, by name


class Plan:
    """The way back for one set of arguments: which rules run, and what is kept for them."""

    __slots__ = ("constants", "kinds", "op", "pick", "rules", "simple", "singles")

    def __init__(self, op: Op, needs: int) -> None:
        self.op = op
        kinds: dict[tuple[str, int], int] = {}  # what is kept, and where
        self.rules: list[tuple[tuple[int, ...], Callable, tuple[int, ...], tuple[int, ...]]] = []
        if not op.sequence:
            needed = [name for i, name in enumerate(op.names) if needs >> i & 1]
            missing = set(needed).difference(*[key.split(",") for key in op.rules])
            if missing:
                raise NotImplementedError(f"the derivative for '{min(missing)}' of '{op.name}' is not implemented")
        for key, rule in op.rules.items():
            positions = tuple(op.names.index(name) for name in key.split(","))
            if op.sequence or any(needs >> p & 1 for p in positions):
                asked = rule.__code__.co_varnames[: rule.__code__.co_argcount]
                results = [op.results.index(a[2:]) for a in asked if a.startswith("g_")]
                asks = [self._ask(op, a) for a in asked if a != "g" and not a.startswith("g_")]
                spots = tuple(kinds.setdefault(ask, len(kinds)) for ask in asks)
                self.rules.append((positions, rule, tuple(results), spots))
        if op.plain:
            for i in range(len(op.names)):
                kinds.setdefault(("input", i), len(kinds))
        self.kinds = tuple(kinds)
        self.constants = sum(1 << i for kind, i in self.kinds if kind == "input" and not needs >> i & 1)
        self.simple = not (op.several or op.sequence or any(len(positions) > 1 for positions, *_ in self.rules))
        self.singles = [
            (positions[0], rule, spots[0] if len(spots) == 1 else None, spots)
            for positions, rule, _, spots in self.rules
        ]
        self.pick = self._picker(needs)

    @staticmethod
    def _ask(op: Op, name: str) -> tuple[str, int]:
        if name in op.names:
            return "input", op.names.index(name)
        if name == "out":
            return "result", 0
        if name in op.results:
            return "result", op.results.index(name)
        if name in op.keeps:
            return "extra", op.keeps.index(name)
        if name == "needs":
            return "needs", 0
        if name.endswith(("_shape", "_dtype")) and name[:-6] in op.names:
            return name[-5:], op.names.index(name[:-6])
        raise TypeError(f"a rule of '{op.name}' asks for '{name}', which is no argument, result or kept value of it")

    def _picker(self, needs: int) -> Callable[[tuple], tuple] | None:
        """What takes the kept values out of (*inputs, *results, *extras): written out, since every call runs it."""
        results = len(self.op.names)
        extras = results + max(len(self.op.results), 1)
        forms = {
            "input": "v[{0}]",
            "result": "v[{1}]",
            "extra": "v[{2}]",
            "shape": "shape(v[{0}])",
            "dtype": "dtype(v[{0}])",
            "needs": str(needs),
        }
        taken = [forms[kind].format(i, results + i, extras + i) for kind, i in self.kinds]
        names = {"shape": _shape, "dtype": lambda a: dtypes.OF_NUMPY[a.dtype]}
        return eval(f"lambda v: ({', '.join(taken)},)", names) if taken else None

    def back(self, node: OpNode, g: Any, create_graph: bool) -> list[tuple[graph.Node, Any]]:
        """The general way back: several results, lists of inputs, rules for several arguments, recorded walks."""
        if create_graph and self.op.plain:
            return _back_through_plain(node, g)
        kept = (
            [_recorded(node, *pair) for pair in zip(self.kinds, node.kept, strict=True)] if create_graph else node.kept
        )
        edges = node.edges
        found: list[tuple[graph.Node, Any]] = []
        for positions, rule, results, spots in self.rules:
            gs = [g]
            if self.op.many:
                gs = [[_gradient(node, g, k, create_graph) for k in range(len(node.outputs))]]
            elif self.op.several:
                gs = [_gradient(node, g, k, create_graph) for k in results]
            answer = rule(*gs, *[kept[spot] for spot in spots])
            if self.op.sequence:
                positions = tuple(range(len(edges)))
            elif len(positions) == 1:
                answer = (answer,)
            for position, gx in zip(positions, answer, strict=True):
                edge = edges[position] if position < len(edges) else None
                if edge is not None and gx is not None:
                    if gx.shape != edge.shape:
                        gx = _fitted(self.op, position, gx, edge.shape)
                    if edge.takes and len(positions) > 1 and any(gx is other for _, other in found):
                        gx = gx.copy()  # two leaves, as the two biases of an LSTM, must not own one array
                    found.append((edge, gx))
        return found


def check_rules(op: Op, rules: dict[str, Callable]) -> None:
    """Raise for a rule of an argument that is not there, and for what tells no names of what it needs."""
    for key, rule in rules.items():
        if unknown := set(key.split(",")) - set(op.names):
            wrong = f"there is no argument {', '.join(map(repr, unknown))} to state a rule for"
            raise TypeError(message(f"{op.name}.grad()", wrong, instead=f"one of {', '.join(op.names)}"))
        if not isinstance(rule, FunctionType):
            wrong = f"a rule is a Python function, whose arguments tell what it needs, not {type(rule).__name__}"
            raise TypeError(message(f"{op.name}.grad()", wrong, instead=f"{key}=lambda g, {op.names[0]}: ..."))


def _fitted(op: Op, position: int, g: Any, shape: tuple[int, ...]) -> Any:
    """A gradient summed over what was broadcast."""
    lead = -1 if g is None else len(g.shape) - len(shape)
    if lead < 0 or any(n not in (1, m) for n, m in zip(shape, g.shape[lead:], strict=True)):
        name = op.names[min(position, len(op.names) - 1)]
        wrong = (
            f"its rule for '{name}' gave {'None' if g is None else describe(g)}, the argument's shape is {list(shape)}"
        )
        instead = "a rule whose gradient has the shape of the argument, or of the result"
        raise RuntimeError(message(op.name, wrong, instead=instead))
    return OPS["sum_to"].call(g, shape)


def _is_memory(value: Any) -> bool:
    """Whether a kept value is an array or holds arrays; shapes and options need not be freed."""
    return hasattr(value, "strides") or (isinstance(value, list) and any(map(_is_memory, value)))


def _shape(value: Any) -> Any:
    if isinstance(value, list):
        return [v.shape for v in value]
    return value.shape if hasattr(value, "shape") else ()


class OpNode(TensorNode):
    """How a tensor was made by an operation."""

    __slots__ = ("kept", "outputs", "picks", "plan")
    kept: Any
    outputs: list[tuple[tuple[int, ...], Any]]
    picks: dict[int, weakref.ref[Pick]]
    plan: Plan
    own: frozenset = frozenset()  # kinds of kept values that nobody else can write to
    watch: tuple | None = None  # write counters, and memory, of kept inputs that have no node of their own

    @property
    def op(self) -> Op:
        """The operation."""
        return self.plan.op

    def back(self, g: Any, create_graph: bool) -> list[tuple[graph.Node, Any]]:
        kept, plan = self.kept, self.plan
        if kept is FREED:
            raise RuntimeError(
                message(
                    f"Trying to backward through the graph a second time: '{self.op.name}'{self.origin()}",
                    "the values it had kept were freed by the first backward()",
                    instead="backward(retain_graph=True) the first time, or compute the result again",
                )
            )
        if self.number < graph.last_write:
            self.check()
        if create_graph or not plan.simple:
            found = plan.back(self, g, create_graph)
            return [(e, _tied(gx, self.edges[0])) for e, gx in found] if create_graph and plan.op.tied else found
        edges, found = self.edges, []
        for position, rule, spot, spots in plan.singles:
            if spot is not None:
                gx = rule(g, kept[spot])
            elif spots:
                gx = rule(g, *[kept[s] for s in spots])
            else:
                gx = rule(g)
            edge = edges[position]
            if gx is None or gx.shape != edge.shape:  # broadcasting is undone here, once, for every operation
                gx = _fitted(plan.op, position, gx, edge.shape)
            found.append((edge, gx))
        return found

    def check(self) -> None:
        """Raise if a value kept here was written over since."""
        for (kind, i), value in zip(self.plan.kinds, self.kept, strict=True):
            if (kind, i) in self.own:
                continue
            if kind == "result":
                self._compare(self.version, f"its result {describe(value)}")
            elif kind == "input" and self.op.sequence and i == 0:
                for edge, a in zip(self.edges, value, strict=True):
                    self._compare(None if edge is None else edge.version, describe(a))
            elif kind == "input" and i < len(self.edges) and self.edges[i] is not None:
                edge = self.edges[i]
                self._compare(edge.version, f"{describe(value)}, output {edge.as_function()[1]} of {edge.name()}")
        for version, value in self.watch or ():
            self._compare(version, describe(value))

    def _compare(self, version: graph.Version | None, saved: str) -> None:
        if version is not None and version.stamp > self.number:
            raise RuntimeError(
                message(
                    "one of the variables needed for gradient computation has been modified by an inplace operation",
                    f"'{self.op.name}' had saved {saved}, which is at version {version.count}; "
                    f"expected version {version.count_at(self.number)} instead",
                    self.origin(changed=version),
                    "y = y + 1 for y += 1 (or y.add_(1)), or x.clone() before the write; "
                    "autograd.set_detect_anomaly(True) shows both lines",
                )
            )

    def origin(self, changed: graph.Version | None = None) -> str:
        """Where the node was made, and where its value was changed, if anomaly mode has noted it."""
        if self.trace is None:
            return ""
        text = f"saved at {self.trace}"
        where = getattr(changed, "trace", None)
        return f"{text}, changed at {where}" if where else text

    def pick(self, index: int) -> Pick:
        """The node of one of several results: the one there is, while somebody holds it."""
        found = self.picks[index]() if index in self.picks else None
        if found is None:
            found = Pick(self, index, self.outputs[index][0])
            self.picks[index] = weakref.ref(found)
        return found

    def free(self) -> None:
        for value in self.kept:
            if type(value) is np.ndarray or _is_memory(value):
                self.kept = FREED
                break

    def name(self) -> str:
        return backward_name(self)


class Pick(TensorNode):
    """One result of an operation that has several."""

    __slots__ = ("index",)

    def __init__(self, parent: TensorNode, index: int, shape: tuple[int, ...]) -> None:
        self.edges, self.index, self.shape = (parent,), index, shape
        self.number, self.version, self.hooks = tick(), None, None

    def back(self, g: Any, create_graph: bool) -> list[tuple[graph.Node, Any]]:
        return [(self.edges[0], Several({self.index: g}))]

    def as_function(self) -> tuple[graph.Node, int]:
        return self.edges[0], self.index

    def share(self, version: graph.Version) -> None:
        self.version = version
        parent = self.edges[0]
        if ("result", self.index) in parent.plan.kinds:
            parent.watch = (*(parent.watch or ()), (version, self))


# --- the way back over tensors ---------------------------------------------------------------------------------------


def _gradient(node: OpNode, g: Several, k: int, create_graph: bool) -> Any:
    """The gradient of one of several results: zeros where none has arrived."""
    if k in g:
        return g[k]
    shape, dtype = node.outputs[k]
    sample = next(iter(g.values()))
    zeros = devices.zeros(shape, dtype, like=sample.array if create_graph else sample)
    return wrap(zeros) if create_graph else zeros


def _recorded(node: OpNode, ask: tuple[str, int], value: Any) -> Any:
    """A kept value as the tensor it was, with its place in the graph."""
    kind, i = ask
    if kind == "input" and node.op.sequence and i == 0:
        return [wrap(a, edge) for a, edge in zip(value, node.edges, strict=True)]
    if kind == "result":
        return wrap(value, node if not node.op.several else node.pick(i) if value.dtype.kind in "fc" else None)
    if kind in ("input", "extra") and hasattr(value, "dtype") and hasattr(value, "ndim"):
        return wrap(value, node.edges[i] if kind == "input" and i < len(node.edges) else None)
    return value


def _tied(g: Any, edge: graph.Node | None) -> Any:
    """A gradient with a path to an argument on which its value does not depend; of that only the shape is known."""
    if edge is None:
        return g
    nothing = devices.zeros((), g.array.dtype, like=g.array)
    return OPS["tied"].call(g, wrap(np.broadcast_to(nothing, edge.shape), edge))


def _back_through_plain(node: OpNode, g: Any) -> list[tuple[graph.Node, Any]]:
    """Compute the result again by its plain definition, recorded, and walk back through that."""
    by_kind = dict(zip(node.plan.kinds, node.kept, strict=True))
    names = range(len(node.op.names))
    plain: Any = node.op.plain
    out = plain(*[_recorded(node, ("input", i), by_kind["input", i]) for i in names])
    results = enumerate(out) if node.op.several else [(0, out)]
    gs = g if node.op.several else {0: g}
    roots = [(t.edge(), gs[k]) for k, t in results if k in gs and t.edge() is not None]
    edges = list(dict.fromkeys(e for e in node.edges if e is not None))
    found = walk(roots, create_graph=True, retain_graph=True, targets=edges, stop=True)
    return list(found.items())

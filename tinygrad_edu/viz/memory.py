"""What graphs keep alive: how much, of which operations, and which variable of the program holds on to it.

Nothing is noted beforehand. The nodes are found among the objects that Python's garbage collector knows; the holders
by looking from the program's variables (those of running functions and of their modules) into lists, dictionaries and
objects. Lines of operations are known where a recording or anomaly mode was on when they ran.
"""

from __future__ import annotations

import ast
import gc
import linecache
import sys
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import FrameType, FunctionType, ModuleType
from typing import Any

from ..autograd.anomaly import Line, own_code, short_name
from ..autograd.graph import Node
from ..tensor import Leaf, Tensor
from .captions import kept_arrays
from .labels import bytes_text

DEPTH = 4  # how deep containers are looked into: `self.history["loss"][3]`
CONTAINERS = (list, tuple, set, frozenset, dict, deque)


@dataclass
class Held:
    """The graphs that one variable keeps alive."""

    name: str  # "total_loss", "losses (a list of 100)"
    line: Line | None  # where the variable is last given something
    tensors: list[Tensor] = field(default_factory=list)
    nodes: int = 0
    bytes: int = 0

    def __str__(self) -> str:
        graphs = "this graph" if len(self.tensors) == 1 else f"these {len(self.tensors)} graphs"
        at = f" at {self.line.place} `{self.line.text}`" if self.line is not None else ""
        verb = "is" if len(self.tensors) == 1 else "are"
        text = (
            f"{graphs} of {self.nodes:,} nodes and {bytes_text(self.bytes)} {verb} alive because {self.name}{at} holds "
        )
        text += "it" if len(self.tensors) == 1 else "them"
        if self.line is not None and ("+=" in self.line.text or ".append(" in self.line.text):
            text += "; write .item() or .detach() there"
        return text


class Ledger:
    """What is alive: `held` by variable, `ops` by operation and line, largest first."""

    def __init__(self, held: list[Held], ops: list[tuple[str, Line | None, int, int]], nodes: int, bytes: int) -> None:
        self.held, self.ops, self.nodes, self.bytes = held, ops, nodes, bytes

    def __str__(self) -> str:
        if not self.nodes:
            return "no graph is alive"
        out = [f"{self.nodes:,} nodes are alive and keep {bytes_text(self.bytes)}, parameters not counted", ""]
        out += [f"  {held}" for held in self.held] or [
            "  nobody is found who holds them: a closure, a generator, or C code"
        ]
        out += ["", f"  {'op':<24}{'nodes':>8}{'kept':>12}  line"]
        out += [
            f"  {name:<24}{count:>8,}{bytes_text(size):>12}  {line if line is not None else ''}".rstrip()
            for name, line, count, size in self.ops[:20]
        ]
        if all(line is None for _, line, _, _ in self.ops):
            out.append("  (lines are known for what runs inside viz.Recording() or detect_anomaly())")
        return "\n".join(out)

    __repr__ = __str__


def memory() -> Ledger:
    """List what is kept alive by graphs, and who holds them."""
    gc.collect()  # what nobody holds, such as the frames of an error, is not kept alive
    nodes = [o for o in gc.get_objects() if issubclass(type(o), Node) and not issubclass(type(o), Leaf)]
    held = _held(nodes)
    groups: dict[tuple[str, Line | None], list[Node]] = defaultdict(list)
    for node in nodes:
        if node.as_function()[0] is node:  # not one result of several: its operation is counted
            groups[short_name(node), node.trace].append(node)
    ops = [(name, line, len(group), _size(group)) for (name, line), group in groups.items()]
    ops.sort(key=lambda row: (-row[3], -row[2], row[0]))
    return Ledger(held, ops, sum(map(len, groups.values())), _size(nodes))


def _size(nodes: list[Node]) -> int:
    """What some nodes keep, without the memory of leaves, which lives anyway."""
    leaves = {
        id(_owner(t.array)) for n in nodes for e in n.edges if isinstance(e, Leaf) and (t := e.tensor()) is not None
    }
    arrays = (a for node in nodes for a in kept_arrays(node).values())
    owners = {id(owner): owner.nbytes for owner in map(_owner, arrays)}  # a view keeps all of its base alive
    return sum(size for key, size in owners.items() if key not in leaves)


def _owner(array: Any) -> Any:
    while getattr(array, "base", None) is not None and hasattr(array.base, "nbytes"):
        array = array.base
    return array


# --- who holds them ----------------------------------------------------------------------------------------------------


def _held(nodes: list[Node]) -> list[Held]:
    found: dict[tuple[str, Line | None], Held] = {}
    for name, line, t in _holders():
        entry = found.setdefault((name, line), Held(name, line))
        if all(t is not other for other in entry.tensors[-1:]):
            entry.tensors.append(t)
    for entry in found.values():
        behind = _behind([t.node for t in entry.tensors if t.node is not None])
        entry.nodes = sum(node.as_function()[0] is node for node in behind)
        entry.bytes = _size(behind)
    return sorted(found.values(), key=lambda entry: (-entry.bytes, -entry.nodes, entry.name))


def _behind(nodes: list[Node]) -> list[Node]:
    """The nodes behind some, leaves left out."""
    seen, stack = set(nodes), list(nodes)
    while stack:
        for edge in stack.pop().edges:
            if edge is not None and edge not in seen and not isinstance(edge, Leaf):
                seen.add(edge)
                stack.append(edge)
    return list(seen)


def _holders() -> Iterator[tuple[str, Line | None, Tensor]]:
    """The tensors with a history that the program's variables lead to, each once, with the variable's name and line."""
    seen: set[int] = set()
    for frame, names in _spaces():
        for name, value in list(names.items()):
            if name.startswith("__") or isinstance(value, (ModuleType, FunctionType, type)):
                continue
            for path, t in _inside(value, name, DEPTH, seen):
                yield path, _line_of(frame, name), t


def _spaces() -> Iterator[tuple[FrameType | str, Mapping[str, Any]]]:
    """The variables of the program: of running functions, and of the modules that these are written in."""
    modules: dict[int, tuple[str, dict]] = {}
    main = vars(sys.modules["__main__"])
    for top in sys._current_frames().values():
        frames = []
        frame: FrameType | None = top
        while frame is not None:
            frames.append(frame)
            frame = frame.f_back
        while frames[-1].f_globals is not main and any(f.f_globals is main for f in frames):
            frames.pop()  # what runs the program: a notebook's shell holds all its variables too
        for frame in frames:
            file = frame.f_code.co_filename
            if not own_code(file):
                modules.setdefault(id(frame.f_globals), (frame.f_globals.get("__file__") or file, frame.f_globals))
                if frame.f_locals is not frame.f_globals:
                    yield frame, frame.f_locals
    modules.setdefault(id(main), (main.get("__file__") or "", main))
    yield from modules.values()


def _inside(value: Any, path: str, depth: int, seen: set[int]) -> Iterator[tuple[str, Tensor]]:
    """The tensors with a history in a value; those in a list share the list's name."""
    if isinstance(value, Tensor):
        if value.grad_fn is not None and id(value) not in seen:
            seen.add(id(value))
            yield f"`{path}`", value
        return
    if not depth or (isinstance(value, CONTAINERS) and id(value) in seen):
        return
    if isinstance(value, dict):
        seen.add(id(value))
        for key, each in list(value.items()):
            yield from _inside(each, f"{path}[{key!r:.40}]", depth - 1, seen)
    elif isinstance(value, CONTAINERS):
        seen.add(id(value))
        for each in value:
            for _, t in _inside(each, path, depth - 1, seen):
                yield f"`{path}` (a {type(value).__name__} of {len(value):,})", t
    elif type(value).__module__.partition(".")[0] not in ("builtins", "numpy", "IPython") and hasattr(
        value, "__dict__"
    ):
        if id(value) in seen or isinstance(value, (FunctionType, ModuleType, type)):
            return
        seen.add(id(value))
        for key, each in list(vars(value).items()):
            yield from _inside(each, f"{path}.{key}", depth - 1, seen)


def _line_of(place: FrameType | str, name: str) -> Line | None:
    """Where a variable is last given something: by `+=` or `.append` if there is such a line, else by `=`."""
    file = place if isinstance(place, str) else place.f_code.co_filename
    first = 0 if isinstance(place, str) else place.f_code.co_firstlineno
    try:
        tree: ast.AST = ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:
        return None
    if first:
        functions = [n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))]
        tree = next(
            (f for f in functions if first in (f.lineno, *[d.lineno for d in getattr(f, "decorator_list", ())])), tree
        )
    found: Counter[int] = Counter()
    for node in ast.walk(tree):
        if isinstance(node, ast.AugAssign) and _root(node.target) == name:
            found[node.lineno] = 2
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _root(node.func.value) == name:
            found[node.lineno] = 2 if node.func.attr in ("append", "add", "extend", "appendleft", "setdefault") else 0
        elif isinstance(node, ast.Assign) and any(
            _root(t) == name for target in node.targets for t in ast.walk(target)
        ):
            found[node.lineno] = max(found[node.lineno], 1)
    lines = [line for line, weight in found.items() if weight and weight == max(found.values())]
    return Line(file, max(lines)) if lines else None


def _root(expression: Any) -> str:
    """The variable that an expression begins with: `self` of `self.history["loss"]`."""
    while isinstance(expression, (ast.Attribute, ast.Subscript)):
        expression = expression.value
    return expression.id if isinstance(expression, ast.Name) else ""

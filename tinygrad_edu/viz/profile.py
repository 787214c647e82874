"""Where the time goes: by operation and by module, forward and backward.

Python tells a `Meter` when a function begins and ends; of these it times the bodies of the operations and the steps of
the walk back. So an operation's time is its own, without the program around it, and operations that are not recorded
(under `no_grad`) are timed as well. The program as a whole runs slower meanwhile.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from inspect import CO_VARARGS
from types import FrameType
from typing import Any

from ..autograd.anomaly import short_name
from ..autograd.graph import Handle, Node
from ..op import OPS
from ..optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from ..plan import Pick
from ..tensor import Tensor
from .labels import bytes_text, seconds_text
from .recording import Recording, Scope

ORDERS = ("total", "forward", "backward", "calls", "bytes", "name")


@dataclass
class Row:
    """What one operation, or one module with all inside it, has taken."""

    name: str
    calls: int = 0
    forward: float = 0.0  # seconds
    back_calls: int = 0
    backward: float = 0.0
    bytes: int = 0  # of new memory in the results of the forward pass

    @property
    def total(self) -> float:
        """Seconds, both ways."""
        return self.forward + self.backward


class Meter:
    """Times operations and the steps of walks back, in this thread, between `start` and `stop`."""

    def __init__(self) -> None:
        self.ways: dict[
            int, Any
        ] = {}  # by the identity of a function's code: an operation's name, None for a step back
        for op in OPS.values():
            self.ways[id(op.forward.__code__)] = self.ways[id(op.run.__code__)] = op.name
        for kind in _kinds_of_node(Node):
            if "back" in vars(kind):
                self.ways[id(vars(kind)["back"].__code__)] = None
        self.depth = 0
        self.node: Node | None = None
        self.frame: FrameType  # of the operation, while `forward_took` is told of it

    def forward_took(self, name: str, began: float, seconds: float, out: Any) -> None:
        """An operation has computed its result."""

    def backward_took(self, node: Node, began: float, seconds: float) -> None:
        """A node has computed the gradients that it passes on."""

    def start(self) -> None:
        """Begin."""
        self.before = sys.getprofile()
        sys.setprofile(self._event)

    def stop(self) -> None:
        """End."""
        sys.setprofile(self.before)

    def _event(self, frame: FrameType, event: str, out: Any) -> None:
        if event == "call":
            way = self.ways.get(id(frame.f_code), self)
            if way is not self:
                self.depth += 1
                if self.depth == 1:  # what an operation does inside counts as its own
                    self.node = frame.f_locals["self"] if way is None else None
                    self.began = time.perf_counter()
        elif event == "return":
            way = self.ways.get(id(frame.f_code), self)
            if way is not self and self.depth:
                self.depth -= 1
                if not self.depth:
                    seconds, node, self.node = time.perf_counter() - self.began, self.node, None
                    if way is not None:
                        self.frame = frame
                        self.forward_took(way, self.began, seconds, out)
                        del self.frame
                    elif node is not None:
                        self.backward_took(node, self.began, seconds)


def _kinds_of_node(kind: type) -> Iterable[type]:
    yield kind
    inner: list[type] = kind.__subclasses__()
    for each in inner:
        yield from _kinds_of_node(each)


class Profile(Recording):
    """What `profile()` answers: `print(p)` after the block; `p.ops` and `p.modules` are the rows.

    The nodes that were made carry their times, so that `viz.graph(loss, times=True)` shows them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.by_op: dict[str, Row] = {}
        self.by_module: dict[tuple[int, str], Row] = {}
        self.wall = 0.0
        self._steps: list[Handle] = []
        self._forward = self._backward = 0.0  # of the last operation, of the last step back

    @property
    def ops(self) -> list[Row]:
        """The operations, those that took longest first."""
        return sorted(self.by_op.values(), key=lambda row: -row.total)

    @property
    def modules(self) -> list[Row]:
        """The modules, each with all inside it, those that took longest first."""
        return sorted(self.by_module.values(), key=lambda row: -row.total)

    def __enter__(self) -> Profile:
        super().__enter__()
        self._steps = [
            register_optimizer_step_pre_hook(self._before_step),
            register_optimizer_step_post_hook(self._after_step),
        ]
        last = self._steps[1]
        last.hooks.move_to_end(last.id, last=False)  # type: ignore[attr-defined]  # the hooks of others are no part of the step
        self._began = time.perf_counter()
        self._meter = _Into(self)
        self._meter.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._meter.stop()
        self.wall += time.perf_counter() - self._began
        for handle in self._steps:
            handle.remove()
        super().__exit__(*error)

    # --- what is told -------------------------------------------------------------------------------------------

    def recorded(self, node: Node, inputs: Sequence[Any], outputs: Sequence[Tensor]) -> None:
        super().recorded(node, inputs, outputs)
        node.note.seconds = self._forward  # type: ignore[attr-defined]

    def walked(self, node: Node, g: Any, results: list[tuple[Node, Any]]) -> None:
        super().walked(node, g, results)
        note = getattr(node, "note", None)
        if note is not None:
            note.back_seconds = self._backward

    def _before_step(self, optimizer: Any, *rest: Any) -> None:
        self._meter.stop()  # its operations count as its own
        self._step_began = time.perf_counter()

    def _after_step(self, optimizer: Any, *rest: Any) -> None:
        row = self._row(f"{type(optimizer).__name__}.step")
        row.calls += 1
        row.forward += time.perf_counter() - self._step_began
        self._meter.start()

    def _row(self, name: str) -> Row:
        return self.by_op.setdefault(name, Row(name))

    def _rows(self, name: str, scope: Scope | None) -> list[Row]:
        """The rows of an operation and of the modules around it."""
        rows = [self._row(name)]
        chain: list[Scope] = [] if scope is None else scope.chain()
        for path, kind in dict.fromkeys((s.path, s.kind) for s in chain):
            key = id(chain[0].module()), path
            rows.append(self.by_module.setdefault(key, Row(f"{path}: {kind}" if path else kind)))
        return rows

    # --- what is printed ------------------------------------------------------------------------------------------

    def table(self, by: str = "op", sort_by: str = "total", rows: int = 20) -> str:
        """The rows as text: `by` is "op" or "module", `sort_by` one of total, forward, backward, calls, bytes, name."""
        if by not in ("op", "module"):
            raise ValueError(f"by must be 'op' or 'module', but got {by!r}")
        if sort_by not in ORDERS:
            raise ValueError(f"sort_by must be one of {', '.join(ORDERS)}, but got {sort_by!r}")
        found = self.ops if by == "op" else self.modules
        sign = 1 if sort_by == "name" else -1
        found = sorted(found, key=lambda row: getattr(row, sort_by), reverse=sign < 0)
        width = max([len(row.name) for row in found[:rows]], default=0)
        width = min(max(width, 12), 60)
        total = sum(row.total for row in self.by_op.values()) or 1.0
        head = f"{by:<{width}}{'calls' if by == 'op' else 'ops':>8}{'forward':>11}{'back calls':>12}{'backward':>11}{'share':>8}{'results':>11}"
        out = [head, "-" * len(head)]
        for row in found[:rows]:
            back = seconds_text(row.backward) if row.back_calls else ""
            out.append(
                f"{row.name[:width]:<{width}}{row.calls:>8}{seconds_text(row.forward):>11}{row.back_calls or '':>12}"
                f"{back:>11}{row.total / total:>8.1%}{bytes_text(row.bytes):>11}"
            )
        if len(found) > rows:
            out.append(f"... {len(found) - rows} more: table(rows={len(found)})")
        return "\n".join(out)

    def __str__(self) -> str:
        parts = [self.table()]
        if self.by_module:
            parts.append(self.table("module"))
        inside = sum(row.total for row in self.by_op.values())
        parts.append(
            f"{seconds_text(inside)} in operations and steps, of {seconds_text(self.wall)} in all; "
            "the rest is the program around them, the engine, and the measuring itself"
        )
        return "\n\n".join(parts)

    __repr__ = __str__


class _Into(Meter):
    """The meter of a profile."""

    def __init__(self, profile: Profile) -> None:
        super().__init__()
        self.profile = profile

    def forward_took(self, name: str, began: float, seconds: float, out: Any) -> None:
        self.profile._forward = seconds
        taken = new_bytes(out, {id(_memory(v)) for v in _arguments(self.frame) if hasattr(v, "strides")})
        for row in self.profile._rows(name, self.profile.scope):
            row.calls += 1
            row.forward += seconds
            row.bytes += taken

    def backward_took(self, node: Node, began: float, seconds: float) -> None:
        self.profile._backward = seconds
        calls = 0 if isinstance(node, Pick) else 1  # one result of several hands over to its operation
        node = node.edges[0] if isinstance(node, Pick) else node
        note = getattr(node, "note", None)
        for row in self.profile._rows(short_name(node), note.scope if note is not None else None):
            row.back_calls += calls
            row.backward += seconds


def _arguments(frame: FrameType) -> Iterable[Any]:
    """What a function was given, lists taken apart."""
    code = frame.f_code
    count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & CO_VARARGS)
    for name in code.co_varnames[:count]:
        value = frame.f_locals.get(name)
        yield from value if isinstance(value, (tuple, list)) else (value,)


def _memory(array: Any) -> Any:
    """The array that owns the memory of a view."""
    while hasattr(getattr(array, "base", None), "strides"):
        array = array.base
    return array


def new_bytes(out: Any, given: set[int]) -> int:
    """The memory that a result has taken; a view of what was given (identities of its owners) takes none."""
    if isinstance(out, (tuple, list)):
        return sum(new_bytes(each, given) for each in out)
    return out.nbytes if hasattr(out, "nbytes") and id(_memory(out)) not in given else 0


def profile() -> Profile:
    """Time the operations of a block: `with viz.profile() as p: ...; print(p)`."""
    return Profile()

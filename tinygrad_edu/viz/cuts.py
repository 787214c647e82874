"""Where a gradient's path is cut: the program runs once more with nothing cut, and what would have cut is marked.

Meanwhile `detach()` and `.data` are views with a place in the graph, and `no_grad` records. The path from the loss
to the tensor then exists, and the marks on it say what cuts it in truth, with its line. What leaves the graph as
numbers (`.item()`, `.numpy()`, integers) has no place in it, and is only noted.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ..autograd import modes
from ..autograd.anomaly import Line, where
from ..autograd.graph import Node, reachable
from ..nn.parameter import Parameter
from ..ops import creation
from ..random import get_rng_state, set_rng_state
from ..tensor import Tensor, wrap

NUMBERS = "item tolist numpy __array__ __float__ __int__ __index__".split()
WHOLE = "long int short byte bool to type argmax argmin round gt ge lt le eq ne __gt__ __ge__ __lt__ __le__".split()


@dataclass
class Cut:
    """Something that ends a gradient's path."""

    what: str  # "detach()"
    line: Line
    source: Node | None = None  # of the value that left, where the path itself does not go on


class Uncut:
    """The observer while nothing is cut; a `Muffled` stands in its place where the program had said no_grad."""

    def __init__(self) -> None:
        self.exits: list[Cut] = []
        self.written_before: dict[int, tuple[Tensor, Node | None]] = {}

    def recorded(self, node: Node, inputs: Any, outputs: Any) -> None:
        """A node was made."""
        node.trace = where()

    def written(self, tensor: Tensor, what: str) -> None:
        """Memory was written: its history is put back afterwards, since this run is not to leave a trace."""
        for t in (tensor, tensor._base):
            if t is not None:
                self.written_before.setdefault(id(t), (t, t.node))

    def walked(self, node: Node, g: Any, results: list) -> None:
        """A node has passed its gradient on."""

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """The block in which nothing is cut, and random numbers are drawn that nobody misses."""
        state, observer = get_rng_state(), modes.observer.set(self)
        recording, kept = modes.recording.set(self), modes.set_recording
        modes.set_recording = lambda on: modes.recording.set(self if on else Muffled(self, where()))
        before = {name: Tensor.__dict__[name] for name in ("detach", "data")}
        Tensor.detach = self._linked("detach()")  # type: ignore[method-assign]
        Tensor.data = property(self._linked(".data"), Tensor.data.fset)  # type: ignore[method-assign, assignment]
        names = [name for name in (*NUMBERS, *WHOLE) if hasattr(Tensor, name)]
        own = {name: Tensor.__dict__.get(name) for name in names}
        for name in names:
            setattr(Tensor, name, self._noted(name, getattr(Tensor, name)))
        array_of, made = creation._array, Parameter.__dict__["__new__"]
        creation._array = lambda data: array_of(self._left("tensor(...)", data))
        Parameter.__new__ = lambda cls, data=None, *rest, **options: made.__func__(  # type: ignore[method-assign]
            cls, self._left("Parameter(...)", data), *rest, **options
        )
        try:
            yield
        finally:
            creation._array, Parameter.__new__ = array_of, made  # type: ignore[method-assign]
            for name, method in own.items():
                if method is None:
                    delattr(Tensor, name)
                else:
                    setattr(Tensor, name, method)
            for name, method in before.items():
                setattr(Tensor, name, method)
            modes.set_recording = kept
            modes.recording.reset(recording)
            modes.observer.reset(observer)
            set_rng_state(state)
            for t, node in self.written_before.values():
                t.node = node

    def _left(self, what: str, data: Any) -> Any:
        """The data, noted if it is a tensor whose numbers are taken for a new one."""
        if isinstance(data, Tensor) and data.requires_grad:
            self.exits.append(Cut(what, where(), data.edge()))
        return data

    def _linked(self, what: str) -> Callable:
        plain = Tensor.detach

        def linked(t: Tensor) -> Tensor:
            if t.edge() is None or not modes.recording.get():
                return plain(t)
            view = t.view(t.shape)
            view.node.cut = Cut(what, where())  # type: ignore[union-attr]
            return view

        return linked

    def _noted(self, name: str, method: Callable) -> Callable:
        def noted(t: Tensor, *args: Any, **options: Any) -> Any:
            node = t.edge()
            if node is None:
                return method(t, *args, **options)
            answer = method(wrap(t.array) if name in NUMBERS else t, *args, **options)
            if not (isinstance(answer, Tensor) and answer.requires_grad):
                self.exits.append(Cut(f".{name}()" if name[0] != "_" else name, where(), node))
            return answer

        return noted


class Muffled:
    """Hears of the nodes that are made where the program had switched recording off."""

    def __init__(self, uncut: Uncut, line: Line) -> None:
        self.uncut, self.cut = uncut, Cut("no_grad()", line)

    def recorded(self, node: Node, inputs: Any, outputs: Any) -> None:
        """A node was made that would not be there."""
        self.uncut.recorded(node, inputs, outputs)
        node.cut = self.cut  # type: ignore[attr-defined]


def cuts_between(node: Node, root: Node) -> list[Cut] | None:
    """What is marked on the path with the fewest marks, from the tensor's node to the loss; None if there is no path."""
    came: dict[Node, tuple[int, Node | None]] = {root: (0, None)}
    waiting = deque([root])
    while waiting:
        here = waiting.popleft()
        for edge in here.edges:
            if edge is None:
                continue
            marks = came[here][0] + hasattr(here, "cut")
            if edge not in came or marks < came[edge][0]:
                came[edge] = marks, here
                (waiting.append if hasattr(edge, "cut") else waiting.appendleft)(edge)
    if node not in came:
        return None
    found: list[Cut] = []
    step = came[node][1]
    while step is not None:
        if hasattr(step, "cut") and step.cut not in found:
            found.append(step.cut)
        step = came[step][1]
    return found


def cuts_of(tensor: Tensor, compute: Callable[[], Tensor]) -> list[Cut]:
    """What lies between a tensor and a loss that has no gradient for it, in the order of the program."""
    uncut = Uncut()
    node = tensor.edge()
    assert node is not None
    with uncut.running():
        loss = compute()
        root = loss.edge()
        found = None if root is None else cuts_between(node, root)
    if found is None:
        found = [cut for cut in uncut.exits if cut.source is not None and node in reachable([cut.source])][:1]
    return found

"""What a picture of a graph says, as plain data: boxes, the arrows between them, the frames around them.

It is made from the engine's nodes by `reading` and `folding`, and drawn by `dot` and `rendering`. It holds no tensor
and no node, so that keeping a picture keeps no graph alive.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from ..autograd.graph import Node


@dataclass
class Line:
    """A line of text in a box; `tone` says how it is set: "quiet", "code", "value" or "bad"."""

    text: str
    tone: str = "quiet"


@dataclass
class Box:
    """A thing in the picture: a leaf, an operation, a folded module, a result."""

    id: str  # also the id of its element in the SVG
    kind: str  # one of `palette.KINDS`
    title: str
    lines: list[Line] = field(default_factory=list)
    frame: str = ""  # the id of the frame around it, "" for the paper itself
    ports: list[str] = field(default_factory=list)  # the names of its inputs, where it has several
    hint: str = ""  # all that is known, for whoever points at it
    count: int = 1  # how many nodes of the graph it stands for
    bad: bool = False  # whether it holds NaN or infinity


@dataclass
class Edge:
    """An arrow from the box whose result is used to the box that uses it."""

    tail: str
    head: str
    port: str = ""  # at which of the head's inputs it ends
    label: str = ""  # which of the tail's results it carries, where there are several
    count: int = 1  # how many edges of the graph it stands for
    again: bool = False  # from one round of a repeated block to the next: written in the tail's box, not drawn

    @property
    def id(self) -> str:
        """The id of its element in the SVG."""
        return f"{self.tail}-{self.head}" + (f"-{self.port}" if self.port else "")


@dataclass
class Frame:
    """A box around boxes: a module that is unfolded, or a block that is repeated."""

    id: str
    title: str
    kind: str  # the module's class, "" for a repeated block of operations
    outer: str = ""
    count: int = 1  # how many times the block is repeated


@dataclass
class Picture:
    """Boxes in the order of their creation, the arrows and frames, and what is written around them."""

    title: str
    state: str  # "before backward()" or "after backward()"
    boxes: list[Box] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)  # an outer one always before its inner ones
    notes: list[str] = field(default_factory=list)  # sentences under the picture
    direction: str = "down"
    places: WeakKeyDictionary[Node, str] = field(default_factory=WeakKeyDictionary)  # the box of each node

    def box(self, id: str) -> Box:
        """The box of this id."""
        return next(box for box in self.boxes if box.id == id)

    def describe(self) -> str:
        """The picture as text: each box with what it is made from."""
        title_of = {box.id: box.title for box in self.boxes}
        sources: dict[str, list[str]] = {}
        for edge in self.edges:
            name = f"{edge.port}: {title_of[edge.tail]}" if edge.port else title_of[edge.tail]
            sources.setdefault(edge.head, []).append(f"{name} [{edge.tail}]")
        frames = {frame.id: frame for frame in self.frames}
        out = [f"{self.title}, {self.state}"]
        for box in self.boxes:
            inside, frame = [], box.frame
            while frame:
                inside.append(frames[frame].title)
                frame = frames[frame].outer
            out.append(f"{box.id}  {box.kind} {box.title}" + (f"  in {' / '.join(reversed(inside))}" if inside else ""))
            out += [f"      {line.text}" for line in box.lines]
            if box.id in sources:
                out.append(f"      from {', '.join(sources[box.id])}")
        return "\n".join([*out, *self.notes])

"""How arrays travel between processes: what every way can do, and the simplest of them, for a process alone."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Any, Protocol

Array = Any
Pieces = tuple[Array, Sequence[int]]  # an array, and how many of its elements are each process's
Done = Callable[[], bool]  # asked again and again until it says that a transfer is complete; perhaps a `Transfer`


class ReduceOp(enum.Enum):
    """How the values of several processes become one."""

    SUM = 0
    AVG = 1
    PRODUCT = 2
    MIN = 3
    MAX = 4
    BAND = 5
    BOR = 6
    BXOR = 7


class Transport(Protocol):
    """A way between the processes of a group. Arrays are contiguous; a call begins a transfer and answers `Done`.

    `rank` and `root` count inside the group. `parts` has one more dimension than the arrays, its first: the processes.
    """

    rank: int
    size: int
    place: str  # the type of the devices whose arrays it takes

    def all_reduce(self, x: Array, op: ReduceOp) -> Done:
        """x = x₀ + x₁ + ... in all processes."""

    def reduce(self, x: Array, op: ReduceOp, root: int) -> Done:
        """x = x₀ + x₁ + ... in one process."""

    def broadcast(self, x: Array, root: int) -> Done:
        """x = the root's x in all processes."""

    def all_gather(self, parts: Array, x: Array) -> Done:
        """parts[k] = the x of process k, in all processes."""

    def gather(self, parts: Array | None, x: Array, root: int) -> Done:
        """parts[k] = the x of process k, in one process."""

    def scatter(self, x: Array, parts: Array | None, root: int) -> Done:
        """x = the root's parts[rank]."""

    def reduce_scatter(self, x: Array, parts: Array, op: ReduceOp) -> Done:
        """x = parts₀[rank] + parts₁[rank] + ..."""

    def all_to_all(self, wanted: Pieces, given: Pieces) -> Done:
        """Process k's piece of what is wanted = this one's piece of what process k gives."""

    def send(self, x: Array, to: int, tag: int) -> Done:
        """Hand x to a process that calls `recv`."""

    def recv(self, x: Array, source: int | None, tag: int) -> Done:
        """x = what a process sends; None is any. The answer has the sender as `source` when it is done."""

    def barrier(self) -> Done:
        """Done when all processes have called it."""


class Meeting(Transport, Protocol):
    """A way for arrays of the CPU, on which the processes also speak about what they do."""

    def agree(self, word: int) -> Callable[[], bool | None]:
        """Whether all processes have given the same word; None as long as some have given none."""

    def tell(self, text: str, about: int) -> dict[int, str]:
        """What the processes say about a call, by rank: those that are heard within a moment."""

    def part(self, ranks: Sequence[int]) -> Meeting | None:
        """A way between some of the processes, None for one that is not among them. All call it."""


def at_once() -> bool:
    """What needs no other process is done when it is asked for."""
    return True


class Alone:
    """The group of one process: what it would tell the others it tells itself."""

    rank, size, place = 0, 1, "any"

    def all_reduce(self, x: Array, op: ReduceOp) -> Done:
        return at_once

    def reduce(self, x: Array, op: ReduceOp, root: int) -> Done:
        return at_once

    def broadcast(self, x: Array, root: int) -> Done:
        return at_once

    def all_gather(self, parts: Array, x: Array) -> Done:
        parts[0] = x
        return at_once

    def gather(self, parts: Array | None, x: Array, root: int) -> Done:
        return self.all_gather(parts, x)

    def scatter(self, x: Array, parts: Array | None, root: int) -> Done:
        x[...] = parts[0]  # type: ignore[index]
        return at_once

    def reduce_scatter(self, x: Array, parts: Array, op: ReduceOp) -> Done:
        return self.scatter(x, parts, 0)

    def all_to_all(self, wanted: Pieces, given: Pieces) -> Done:
        wanted[0].reshape(-1)[...] = given[0].reshape(-1)
        return at_once

    def send(self, x: Array, to: int, tag: int) -> Done:
        raise ValueError(
            "send: there is no other process; start several with `python -m tinygrad_edu launch -n 2 train.py`"
        )

    def recv(self, x: Array, source: int | None, tag: int) -> Done:
        raise ValueError(
            "recv: there is no other process; start several with `python -m tinygrad_edu launch -n 2 train.py`"
        )

    def barrier(self) -> Done:
        return at_once

    def agree(self, word: int) -> Done:
        return at_once

    def tell(self, text: str, about: int) -> dict[int, str]:
        return {0: text}

    def part(self, ranks: Sequence[int]) -> Alone | None:
        return self if list(ranks) == [0] else None

"""Whether all processes make the same call. One that does not fit the others is an error that names all of them, in place
of numbers that are wrong or of waiting without end.

Each call travels with a number made of its name, type and length, which costs two microseconds. In the debug mode, that is
PyTorch's `TORCH_DISTRIBUTED_DEBUG=DETAIL`, the processes wait before each call until all have told what they are about to
do: shapes are compared too, and no array is touched by a call that does not fit.
"""

from __future__ import annotations

import enum
import math
import os
import re
import sys
import time
import zlib
from collections import deque
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..autograd.places import Line, where
from .transport import Done, Meeting, Transport
from .work import DistBackendError, Work

LENGTH = 400  # bytes for what a process says


class DebugLevel(enum.Enum):
    """How closely the processes are watched."""

    OFF = 0
    INFO = 1
    DETAIL = 2


_level = DebugLevel.OFF


def get_debug_level() -> DebugLevel:
    """How closely the processes are watched."""
    return _level


def set_debug_level(level: DebugLevel) -> None:
    """Watch the processes from now on; all of them set the same."""
    global _level
    _level = level


def set_debug_level_from_env() -> None:
    """Take the level from TORCH_DISTRIBUTED_DEBUG."""
    name = os.environ.get("TORCH_DISTRIBUTED_DEBUG", "OFF").upper()
    if name not in DebugLevel.__members__:
        raise RuntimeError(f"TORCH_DISTRIBUTED_DEBUG is to be OFF, INFO or DETAIL, not {name!r}")
    set_debug_level(DebugLevel[name])


def compare(what: str, transport: Transport, ranks: list[int], seconds: float) -> None:
    """Raise if the processes are about to do different things."""
    mine = np.zeros(LENGTH, np.uint8)
    said = f"{what}\n{where().place}".encode()[:LENGTH]
    mine[: len(said)] = np.frombuffer(said, np.uint8)
    all_said = np.zeros((transport.size, LENGTH), np.uint8)
    done = transport.all_gather(all_said, mine)
    Work(what, done, lambda: None, seconds).wait()
    texts = [bytes(row).rstrip(b"\0").decode(errors="replace") for row in all_said]
    if len({text.partition("\n")[0] for text in texts}) > 1:
        raise _different(dict(zip(ranks, texts, strict=True)))


def _different(texts: dict[int, str]) -> DistBackendError:
    calls: dict[str, list[str]] = {}
    for rank, text in texts.items():
        call, _, place = text.partition("\n")
        calls.setdefault(call, []).append(f"rank {rank} ({place})" if place else f"rank {rank}")
    lines = [f"\n  {call}: {', '.join(who)}" for call, who in calls.items()]
    return DistBackendError("the processes do not make the same call:" + "".join(lines))


class Call(NamedTuple):
    """A call that this process has begun, and what will be known of the others'."""

    what: str
    number: int
    line: Line
    alike: Callable[[], bool | None]


class Agreement:
    """Whether a group's processes make the same calls in the same order: they find out while the calls go on."""

    def __init__(self, transport: Meeting, ranks: list[int]) -> None:
        self.transport, self.ranks = transport, ranks
        self.begun = self.known = 0
        self.open: deque[Call] = deque()  # begun here, and perhaps not everywhere

    def begin(self, what: str) -> Callable[[], bool]:
        """Tell the others of a call. The answer says whether it is known that all have begun it."""
        if not self.begun:
            _agreements.append(self)
        self.begun += 1
        number = self.begun
        self.open.append(Call(what, number, where(), self.transport.agree((number << 32) + _number(what))))
        return lambda: self.settle() >= number

    def settle(self) -> int:
        """How many calls are known to be the same in all processes; an error for one that is not."""
        while self.open and (alike := self.open[0].alike()) is not None:
            if not alike:
                what, number, line, _ = self.open[0]
                heard = self.transport.tell(f"{what}\n{line.place}", number)
                others = "another call, or this one later"
                raise _different({rank: heard.get(r, others) for r, rank in enumerate(self.ranks)})
            self.open.popleft()
            self.known += 1
        return self.known


_agreements: list[Agreement] = []


def last_look(seconds: float) -> None:
    """When the program has ended, and what others have said may still arrive: an error is shown, and ends the others."""
    until = time.monotonic() + seconds
    try:
        for agreement in _agreements:
            while agreement.settle() < agreement.begun and time.monotonic() < until:
                time.sleep(0.001)
    except DistBackendError as error:
        sys.excepthook(type(error), error, None)


@lru_cache(1024)
def _number(what: str) -> int:
    """A number for a call; tensors that differ in shape alone have the same."""
    length = re.sub(r"(?<=\w)\[([\d, ]*)\]", lambda shape: str(math.prod(map(int, re.findall(r"\d+", shape[1])))), what)
    return zlib.crc32(length.encode())


def compare_pieces(
    what: str,
    given: Sequence[int],
    wanted: Sequence[int],
    transport: Transport,
    ranks: list[int],
    seconds: float,
    agreed: Done,
) -> None:
    """Raise if others are about to send this process more or less than it expects."""
    told, found = np.array(given), np.zeros(len(ranks), np.int64)
    ones = [1] * len(ranks)
    done = transport.all_to_all((found, ones), (told, ones))
    Work(what, done, lambda: None, seconds, agreed).wait()
    for rank, n, expected in zip(ranks, found.tolist(), wanted, strict=True):
        if n != expected:
            me = ranks[transport.rank]
            raise DistBackendError(f"{what}: rank {rank} sends {n} elements, and rank {me} expects {expected} of them")


set_debug_level_from_env()

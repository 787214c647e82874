"""The debug mode: before each call the processes tell each other what they are about to do.

It is PyTorch's `TORCH_DISTRIBUTED_DEBUG=DETAIL`. A call that does not fit the others is then an error that names all of
them, in place of numbers that are wrong or of waiting without end.
"""

from __future__ import annotations

import enum
import os
from collections.abc import Sequence

import numpy as np

from ..autograd.places import where
from .transport import Transport
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
    calls: dict[str, list[str]] = {}
    for rank, text in zip(ranks, texts, strict=True):
        call, _, place = text.partition("\n")
        calls.setdefault(call, []).append(f"rank {rank} ({place})")
    if len(calls) > 1:
        lines = [f"\n  {call}: {', '.join(who)}" for call, who in calls.items()]
        raise DistBackendError("the processes do not make the same call:" + "".join(lines))


def compare_pieces(
    what: str, given: Sequence[int], wanted: Sequence[int], transport: Transport, ranks: list[int], seconds: float
) -> None:
    """Raise if others are about to send this process more or less than it expects."""
    told, found = np.array(given), np.zeros(len(ranks), np.int64)
    ones = [1] * len(ranks)
    done = transport.all_to_all((found, ones), (told, ones))
    Work(what, done, lambda: None, seconds).wait()
    for rank, n, expected in zip(ranks, found.tolist(), wanted, strict=True):
        if n != expected:
            me = ranks[transport.rank]
            raise DistBackendError(f"{what}: rank {rank} sends {n} elements, and rank {me} expects {expected} of them")


set_debug_level_from_env()

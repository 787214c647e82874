"""Processes of a function rather than of a program, started by MPI's launcher: programs for `torch.multiprocessing.spawn`."""

from __future__ import annotations

import pickle
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from multiprocessing import spawn
from pathlib import Path
from typing import Any, NamedTuple

from . import launch


class End(NamedTuple):
    """How the processes of a call have ended: the exit code, and which of them was the first to raise what."""

    code: int
    rank: int
    trace: str


def can(count: int) -> bool:
    """Whether there are several processes to start, a launcher to start them, and none that has started this one."""
    return count > 1 and not launch.missing() and launch.place().size == 1


def packed(fn: Callable, args: Sequence[Any]) -> bytes:
    """A call for other processes, which know the program as `multiprocessing`'s do: by its `__main__`, imported again."""
    told = spawn.get_preparation_data("spawned")
    told["authkey"] = bytes(told["authkey"])
    return pickle.dumps(told) + pickle.dumps((fn, args))


def run(call: bytes, count: int) -> End:
    """Make a packed call in several processes, each with its rank before the other arguments, and wait for them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "call").write_bytes(call)
        code = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import begin; begin({name!r})"
        ended = launch.run(count, [sys.executable, "-c", code])
        raised = sorted(folder.glob("raised *"), key=lambda path: path.stat().st_mtime_ns)
        if raised:
            return End(ended, int(raised[0].name.split()[1]), raised[0].read_text(encoding="utf-8"))
        return End(ended, -1, "")


def begin(folder: str) -> None:
    """The life of one of the processes."""
    here = launch.place()
    launch.join_the_others(here)
    with Path(folder, "call").open("rb") as file:
        spawn.prepare(pickle.load(file))
        fn, args = pickle.load(file)
    try:
        fn(here.rank, *args)
    except SystemExit as end:
        raise SystemExit(launch.leave(end.code if isinstance(end.code, int) else int(end.code is not None))) from None
    except Exception as error:
        own = error.__traceback__.tb_next if error.__traceback__ else None
        lines = traceback.format_exception(error.with_traceback(own))
        Path(folder, f"raised {here.rank}").write_text("".join(lines), encoding="utf-8")
        launch.end_all(1)

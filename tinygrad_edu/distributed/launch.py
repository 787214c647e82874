"""Starting several processes of one program, and ending them together."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import NamedTuple, NoReturn

from .. import threads
from .mpi import INSTALL

# what MPI's launchers set: rank, number of processes, and both among the processes of one machine
LAUNCHERS = (
    ("PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"),  # MPICH, Intel MPI
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"),
)
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Place(NamedTuple):
    """Which of how many processes this is, in all and on this machine."""

    rank: int
    size: int
    local_rank: int
    local_size: int


def place() -> Place:
    """This process among those that were started together: rank 0 of 1 without a launcher."""
    for names in LAUNCHERS:
        if names[0] in os.environ and names[1] in os.environ:
            rank, size = int(os.environ[names[0]]), int(os.environ[names[1]])
            return Place(rank, size, int(os.environ.get(names[2], rank)), int(os.environ.get(names[3], size)))
    return Place(0, 1, 0, 1)


def join_the_others(here: Place) -> None:
    """Make this process one of several: PyTorch's variables, one thread for matrix products, one end for all."""
    names = {"RANK": here.rank, "WORLD_SIZE": here.size, "LOCAL_RANK": here.local_rank}
    names |= {"LOCAL_WORLD_SIZE": here.local_size}
    os.environ.update({name: str(value) for name, value in names.items()})
    os.environ.setdefault("MASTER_ADDR", "localhost")
    os.environ.setdefault("MASTER_PORT", "29500")
    if here.size > 1 and not isinstance(sys.excepthook, EndOfAll):
        if not any(name in os.environ for name in THREADS):
            threads.set_num_threads(1)
        sys.excepthook = EndOfAll(here)
        for stream in (sys.stdout, sys.stderr):  # what is printed is seen when it is printed, line by line
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(line_buffering=True, write_through=False)


class EndOfAll:
    """What happens when a process ends with an error: it is shown, and the other processes end too."""

    def __init__(self, here: Place) -> None:
        self.here, self.former = here, sys.excepthook

    def __call__(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        # an error that all processes make at the same time is shown by the first of them, which ends the others
        time.sleep(0.5 * min(self.here.rank, 6))
        if issubclass(kind, KeyboardInterrupt):
            end_all(130)
        print(f"rank {self.here.rank} of {self.here.size} ends with an error, and so do the others:", file=sys.stderr)
        self.former(kind, error, trace)
        end_all(1)


def end_all(code: int) -> None:
    """End this process and the others."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    time.sleep(0.3)  # the launcher reads what was printed; once a process has ended it reads no more
    if "mpi4py.MPI" in sys.modules:
        sys.modules["mpi4py.MPI"].COMM_WORLD.Abort(code)
    os._exit(code)


def missing() -> str:
    """What there is not that several processes need, and how to get it; nothing if all is there."""
    if importlib.util.find_spec("mpi4py") is None:
        return f"several processes speak over MPI, and mpi4py is not installed; write {INSTALL}"
    if find_mpiexec() is None:
        return f"there is no mpiexec beside {sys.executable} and none in PATH; write {INSTALL}"
    return ""


def find_mpiexec() -> str | None:
    """MPI's launcher: the one that was installed beside this Python, or else the first in PATH."""
    beside = shutil.which("mpiexec", path=os.path.dirname(sys.executable))
    return beside or shutil.which("mpiexec")


def command(count: int, words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """How to start a command in several processes, and their environment: one thread for each unless it says otherwise."""
    environment = dict(os.environ)
    if not any(name in environment for name in THREADS):
        environment["OMP_NUM_THREADS"] = "1"
    return [find_mpiexec() or "mpiexec", "-n", str(count), *words], environment


def launch(count: int, program: Sequence[str]) -> NoReturn:
    """Become MPI's launcher, which runs `python -m tinygrad_edu run program...` in several processes."""
    words, environment = command(count, [sys.executable, "-m", __package__.partition(".")[0], "run", *program])
    sys.stdout.flush()
    os.execve(words[0], words, environment)


def run(count: int, words: Sequence[str]) -> int:
    """Run a command in several processes; the exit code."""
    started, environment = command(count, words)
    process = subprocess.Popen(started, env=environment, stdin=subprocess.DEVNULL)
    while True:
        try:
            code = process.wait()
        except KeyboardInterrupt:  # mpiexec has heard it too, and ends the processes
            continue
        return code if code >= 0 else 128 - code

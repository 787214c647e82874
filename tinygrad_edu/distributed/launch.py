"""Starting several processes of one program, and ending them together."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
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
        let_others_speak(self.here)
        if issubclass(kind, KeyboardInterrupt):
            end_all(130)
        print(f"rank {self.here.rank} of {self.here.size} ends with an error, and so do the others:", file=sys.stderr)
        self.former(kind, error, trace)
        end_all(1)


def let_others_speak(here: Place) -> None:
    """What goes wrong in all processes at the same time is told by the first of them, which ends the others."""
    time.sleep(0.5 * min(here.rank, 6))


def leave(code: int) -> int:
    """Before a program ends by its own will: an exit code that is not 0 ends the others too."""
    here = place()
    if code and here.size > 1:
        let_others_speak(here)
        print(f"rank {here.rank} of {here.size} ends with exit code {code}, and so do the others", file=sys.stderr)
        end_all(code)
    return code


def end_all(code: int) -> None:
    """End this process and the others."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    time.sleep(0.3)  # the launcher reads what was printed; once a process has ended it reads no more
    MPI = sys.modules.get("mpi4py.MPI")
    if MPI is not None and MPI.Is_initialized():
        MPI.COMM_WORLD.Abort(code)
    with contextlib.suppress(KeyError, OSError, ValueError):  # before MPI has begun, MPICH's launcher is told like this
        socket.socket(fileno=int(os.environ["PMI_FD"])).sendall(f"cmd=abort exitcode={code}\n".encode())
        time.sleep(2)
    os._exit(code)


@contextlib.contextmanager
def watched(what: str, here: Place, seconds: float) -> Iterator[None]:
    """The time in which MPI begins, where nobody can interrupt a process that waits for the others.

    If one of them has ended, or the time is over, that is told, and all end.
    """
    over, until = threading.Event(), time.monotonic() + seconds

    def look() -> None:
        while not over.wait(0.2):
            late = f"not all processes have called it in {seconds:g} s" if time.monotonic() > until else ""
            why = gone(here) or late
            if why and not over.wait(1):  # an error that ended it ends this process first
                let_others_speak(here)
                wrong = f"rank {here.rank} of {here.size}: {what} waits in vain: {why}"
                print(f"{wrong}, and so the others end too; all processes call it, or none", file=sys.stderr)
                end_all(1)

    threading.Thread(target=look, daemon=True).start()
    try:
        yield
    finally:
        over.set()


def gone(here: Place) -> str:
    """Which processes of this machine have ended, as far as Linux and MPICH's launcher, the parent of all, let it be known."""
    parent, alive = Path("/proc", str(os.getppid())), set[int]()
    with contextlib.suppress(OSError):
        if (parent / "comm").read_text().strip() != "hydra_pmi_proxy":
            return ""
        for child in (parent / "task" / parent.name / "children").read_text().split():
            if Path("/proc", child, "stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
                names = Path("/proc", child, "environ").read_bytes().split(b"\0")
                alive.update(int(name[9:]) for name in names if name.startswith(b"PMI_RANK="))
        if len(alive) < here.local_size:
            ended = sorted({*range(here.size)} - alive) if here.local_size == here.size else []
            who = f"rank{'s' * (len(ended) > 1)} {', '.join(map(str, ended))}" if ended else "a process of this machine"
            return f"{who} ended without calling it"
    return ""


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

"""Real processes for tests: programs of the folder `programs`, started by MPI's launcher, on this machine alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import tinygrad_edu
from tinygrad_edu.distributed import launch

PROGRAMS = Path(__file__).parent / "programs"

needs_mpi = pytest.mark.skipif(
    bool(launch.missing()), reason=f"several processes cannot be started here: {launch.missing()}"
)


class Ended(NamedTuple):
    """What has become of a program."""

    code: int
    out: str
    err: str


def command(program: str, *args: object, flags: tuple[str, ...] = ()) -> list[str]:
    """How Python runs one of the programs."""
    return [sys.executable, *flags, str(PROGRAMS / f"{program}.py"), *map(str, args)]


def mpiexec(count: int, program: str, *args: object, seconds: float = 60, **environment: str) -> Ended:
    """Several processes of a program."""
    return run([str(launch.find_mpiexec()), "-n", str(count), *command(program, *args)], seconds, **environment)


def run(words: list[str], seconds: float = 60, cwd: Path | None = None, **environment: str) -> Ended:
    """A program to its end; after so many seconds all its processes are killed, and the test fails."""
    there = {name: value for name, value in os.environ.items() if not name.startswith(("PMI_", "MPI_", "OMP_"))}
    there |= {"PYTHONPATH": str(Path(tinygrad_edu.__file__).parents[1]), "HYDRA_IFACE": "lo", **environment}
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=there, cwd=cwd, start_new_session=True
    )
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        pytest.fail(f"not at its end after {seconds} s: {' '.join(words)}\n{out}\n{err}")
    return Ended(process.returncode, out, err)


def succeeds(ended: Ended, count: int) -> None:
    """Every process has come to its end, and has said so."""
    assert ended.code == 0, f"{ended.out}\n{ended.err}"
    assert sorted(line for line in ended.out.splitlines() if line.startswith("done")) == [
        f"done {r}" for r in range(count)
    ]

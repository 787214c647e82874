"""Timing that a noisy machine cannot fool: the contestants take turns, and medians are compared."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
import timeit
from collections.abc import Callable

OURS = ("eager", "recorded", "tinygrad_edu")  # what must not fail; the others are left out, with the reason


def pin_threads(count: int = 1) -> None:
    """So many threads for every numerical library; to be called before any of them is imported."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(count)


def pin_cores(count: int) -> None:
    """So many cores for this process and what it starts: JAX and tinygrad look at these, and at no variable."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-count:])


def interleaved(
    contestants: dict[str, Callable[[], object]], rounds: int = 15, seconds: float = 0.02
) -> dict[str, float]:
    """The median time of each in microseconds; every round measures all of them once, in turn.

    With several threads each waits for its turn: OpenBLAS's others go on spinning for 35 ms after its last product
    (measured), on the cores of whoever comes next.
    """
    several = os.environ.get("OMP_NUM_THREADS") != "1"
    counts = {}
    for name, run in contestants.items():
        run()
        once = timeit.timeit(run, number=1)
        if once < seconds:
            once = max(timeit.timeit(run, number=3) / 3, 1e-8)
        counts[name] = max(1, int(seconds / once))
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            if several:
                time.sleep(0.06)
                run()
            times[name].append(timeit.timeit(run, number=counts[name]) / counts[name] * 1e6)
    return {name: statistics.median(found) for name, found in times.items()}


def alternating(commands: dict[str, list[str]], rounds: int = 7) -> tuple[dict[str, float], dict[str, str]]:
    """The median of the number that each command prints last, run in turn in processes of their own; and what failed."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}  # as a user has it
    found: dict[str, list[float]] = {name: [] for name in commands}
    failed: dict[str, str] = {}
    for _ in range(rounds + 1):
        for name, command in commands.items():
            if name in failed:
                continue
            environment["BEGAN"] = str(time.monotonic())  # for who counts from the start of the process
            done = subprocess.run([sys.executable, *command], capture_output=True, text=True, env=environment)
            if done.returncode == 0:
                found[name].append(float(done.stdout.split()[-1]))
            elif name in OURS:
                raise RuntimeError(f"{' '.join(command[:3])} failed:\n{done.stderr}")
            else:
                failed[name] = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    # the first round warms caches
    return {name: statistics.median(numbers[1:]) for name, numbers in found.items() if name not in failed}, failed

"""Timing that a noisy machine cannot fool: the contestants take turns, and medians are compared."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import timeit
from collections.abc import Callable


def pin_threads(count: int = 1) -> None:
    """One thread for every numerical library; to be called before any of them is imported."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(count)


def interleaved(
    contestants: dict[str, Callable[[], object]], rounds: int = 15, seconds: float = 0.02
) -> dict[str, float]:
    """The median time of each in microseconds; every round measures all of them once, in turn."""
    counts = {}
    for name, run in contestants.items():
        run()
        once = max(timeit.timeit(run, number=3) / 3, 1e-8)
        counts[name] = max(1, int(seconds / once))
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            times[name].append(timeit.timeit(run, number=counts[name]) / counts[name] * 1e6)
    return {name: statistics.median(found) for name, found in times.items()}


def alternating(commands: dict[str, list[str]], rounds: int = 7) -> dict[str, float]:
    """The median of the number that each command prints last, run in turn in processes of their own."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}  # as a user has it
    found: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds + 1):
        for name, command in commands.items():
            run = [sys.executable, *command]
            done = subprocess.run(run, check=True, capture_output=True, text=True, env=environment)
            found[name].append(float(done.stdout.split()[-1]))
    return {name: statistics.median(numbers[1:]) for name, numbers in found.items()}  # the first round warms caches

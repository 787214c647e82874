"""Freed memory stays with the process: a training step does not ask the kernel for pages again."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
import tinygrad_edu as torch
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def step():
    kept = [torch.zeros(100_000) + 1 for _ in range(20)]  # as a graph keeps its values, until all are freed at once
for _ in range(5):
    step()
before = faults()
for _ in range(20):
    step()
print(faults() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the C library of Linux is asked")
def test_large_arrays_are_reused():
    def faults(**environment: str) -> int:
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, env=environment
        )
        return int(run.stdout)

    if faults(MALLOC_ARENA_MAX="2") < 1000:
        pytest.skip("this C library keeps large arrays by itself")
    assert faults() < 1000

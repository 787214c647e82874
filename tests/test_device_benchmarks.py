"""`python -m benchmarks --device cuda`: it says where there is no GPU, and reads the device's clock where there is."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tinygrad_edu import devices

ROOT = Path(__file__).parents[1]


def test_without_a_gpu_it_fails_and_says_why() -> None:
    if devices.cuda_is_available():
        pytest.skip("there is a GPU here")
    command = [sys.executable, "-m", "benchmarks", "--device", "cuda"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.returncode != 0 and done.stdout == ""
    assert done.stderr.startswith("nothing was measured: ") and "cuda" in done.stderr


class Clock:
    """A GPU whose steps take 2 ms in one engine and 4 ms in the other, but for the odd slow one."""

    def __init__(self, milliseconds: float) -> None:
        self.now, self.takes = 0.0, itertools.cycle([milliseconds, milliseconds, 100.0])

    def step(self) -> None:
        self.now += next(self.takes)

    def Event(self, enable_timing: bool) -> Any:
        assert enable_timing
        event = SimpleNamespace(at=None, synchronize=lambda: None)
        event.record = lambda: setattr(event, "at", self.now)
        event.elapsed_time = lambda end: end.at - event.at
        return event


def test_medians_by_the_devices_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import cuda

    clocks = {"tinygrad_edu": Clock(2.0), "PyTorch": Clock(4.0)}
    engines = {name: SimpleNamespace(cuda=clock) for name, clock in clocks.items()}
    found = cuda.medians({name: clock.step for name, clock in clocks.items()}, engines)
    assert found == {"tinygrad_edu": 2.0, "PyTorch": 4.0}
    told = cuda.line({"name": "work", "target": 1.5, "ms": found, "MB": {"tinygrad_edu": 3.0, "PyTorch": 2.0}})
    assert "ratio 0.50 (target 1.50)" in told and "memory 1.50" in told

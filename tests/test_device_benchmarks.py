"""`python -m benchmarks --device cuda`: it says where there is no GPU, and reads the device's clock where there is."""

from __future__ import annotations

import importlib
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import standin

import tinygrad_edu as tg
from tinygrad_edu import devices
from tinygrad_edu import random as tg_random

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


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of the benchmarks."""
    monkeypatch.syspath_prepend(str(ROOT))
    return importlib.import_module("benchmarks.cuda")


def test_medians_by_the_devices_clock(cuda: Any) -> None:
    clocks = {"tinygrad_edu": Clock(2.0), "PyTorch": Clock(4.0)}
    engines = {name: SimpleNamespace(cuda=clock) for name, clock in clocks.items()}
    found = cuda.medians({name: clock.step for name, clock in clocks.items()}, engines)
    assert found == {"tinygrad_edu": 2.0, "PyTorch": 4.0}
    told = cuda.line({"name": "work", "target": 1.5, "ms": found, "MB": {"tinygrad_edu": 3.0, "PyTorch": 2.0}})
    assert "ratio 0.50 (target 1.50)" in told and "memory 1.50 (target 1.20)" in told


def test_the_larger_workloads_are_those_that_were_meant(cuda: Any) -> None:
    assert [work.target for work in cuda.LARGER] == [1.15] * 3
    names = " ".join(work.name for work in cuda.LARGER)
    assert "batch 4096" in names and "batch 256" in names and "12 layers, 768 wide" in names


def test_a_whole_run_on_the_stand_in(
    cuda: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every small workload is stepped, its table printed, its numbers kept under the GPU's name."""
    monkeypatch.setattr(tg_random, "_on_gpu", {})
    monkeypatch.setattr(cuda, "RESULTS", tmp_path)
    monkeypatch.setattr(cuda, "WORKLOADS", [w for w in cuda.WORKLOADS if w.quick or "scalar" in w.name])
    monkeypatch.setattr(cuda, "LARGER", [])
    monkeypatch.setattr(cuda, "pytorch", lambda: (None, "PyTorch is not there"))
    with standin.device():
        cuda.main(write=True, quick=True)
    told = capsys.readouterr().out
    kept = json.loads((tmp_path / "stand-in.json").read_text())
    assert told.startswith("no ratios: PyTorch is not there") and kept["gpu"] == "Stand-in"
    assert [row["name"] for row in kept["workloads"]] == [w.name for w in cuda.WORKLOADS if w.quick]
    for row in kept["workloads"]:
        assert row["ms"]["tinygrad_edu"] > 0 and row["name"] in told
    assert devices.get_default_device().type == "cpu"


def test_no_such_workload(cuda: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "pytorch", lambda: (None, "PyTorch is not there"))
    with standin.device(), pytest.raises(SystemExit, match="no workload has 'perceptron' in its name"):
        cuda.main("perceptron")


def test_a_workload_that_does_not_fit_is_left_out(
    cuda: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    work = next(w for w in cuda.WORKLOADS if w.name.startswith("784-128-10"))
    monkeypatch.setitem(standin.memory, "limit", 10_000)
    with standin.device():
        found = cuda.measured(work, {"tinygrad_edu": tg}, quick=True)
    assert found == {"ms": {}, "MB": {}} and "tinygrad_edu is left out" in capsys.readouterr().out
    assert cuda.line({"name": work.name, "target": 1.5, **found}).strip() == work.name


@pytest.mark.parametrize(
    ("version", "told"), [(None, "without CUDA; pytorch.org"), ("13.0", "built for CUDA 13.0 and finds no GPU")]
)
def test_a_pytorch_that_cannot_use_the_gpu(
    cuda: Any, monkeypatch: pytest.MonkeyPatch, version: str | None, told: str
) -> None:
    no_gpu = SimpleNamespace(is_available=lambda: False)
    torch = SimpleNamespace(cuda=no_gpu, version=SimpleNamespace(cuda=version), __version__="2.13.0")
    monkeypatch.setitem(sys.modules, "torch", torch)
    assert cuda.pytorch()[0] is None and told in cuda.pytorch()[1]
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "pip install torch" in cuda.pytorch()[1]

"""Memory stays flat however long one trains; `RELIABILITY=full` makes 100,000 steps of each kind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from amount import times

import tinygrad_edu as tg

SOAK = Path(__file__).with_name("soak.py")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux for the memory of a process")
@pytest.mark.parametrize("kind", ["eager", "recorded"])
def test_memory_stays_flat(kind: str) -> None:
    steps = times(1500, 100_000)
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, str(SOAK), kind, str(steps)]
    child = subprocess.run(
        command, env=os.environ | one_thread, capture_output=True, text=True, check=True, timeout=3600
    )
    report = json.loads(child.stdout)
    seen = report["resident"]
    assert report["steps"] == steps and report["last"] < report["first"] / 2 and report["files"] < 20
    assert report["replayed"] == (kind == "recorded")
    assert seen[-1] - seen[10] < 2**19, f"grown from {seen[0]} to {seen[-1]} bytes"
    assert seen[-1] - seen[0] < 2**21


def test_a_recording_for_every_number_does_not_pile_up() -> None:
    """A step that is given another number each time is not remembered for each of them."""
    weight = tg.ones(3, requires_grad=True)

    def step(x: tg.Tensor, rate: float) -> tg.Tensor:
        loss = (weight * x).sum()
        loss.backward()
        with tg.no_grad():
            weight.sub_(weight.grad, alpha=rate)
        weight.grad = None
        return loss

    quick, x = tg.compile(step), tg.ones(3)
    for i in range(3000):
        quick(x, 1e-9 * i)
    assert sum(len(held) for held in vars(quick).values() if isinstance(held, dict)) < 1000
    before = weight.detach().clone()
    quick(x, 0.5)
    assert weight.tolist() == (before - 0.5).tolist()

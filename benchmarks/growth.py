"""How the cost grows: with the nodes of a graph, with the batch, with the width of a network."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Any

from .workloads import mlp

NODES = (100, 1_000, 10_000, 100_000, 1_000_000)
BATCHES = (1, 4, 16, 64, 256, 1024)
WIDTHS = (16, 64, 256, 1024, 2048)


def curves(engines: dict[str, Any], quick: bool = False) -> Iterator[tuple[str, int, dict[str, float]]]:
    """For each curve and point, the microseconds of each engine."""
    for count in NODES[:2] if quick else NODES:
        yield "nodes", count, {name: _once(lambda t=t, n=count: chain(t, n), 3) for name, t in engines.items()}
    for batch in BATCHES[:2] if quick else BATCHES:
        yield "batch", batch, _steps(engines, (64, 128, 10), batch)
    for width in WIDTHS[:2] if quick else WIDTHS:
        yield "width", width, _steps(engines, (width, width, 10), 64)


def chain(torch: Any, count: int) -> None:
    """Forward and backward through this many nodes, one after another."""
    x = torch.ones(3, requires_grad=True)
    y = x
    for _ in range(count // 2):
        y = y * 1.0 + x
    y.backward(torch.ones(3))


def _steps(engines: dict[str, Any], sizes: tuple[int, ...], batch: int) -> dict[str, float]:
    steps = {name: mlp(sizes, batch, "SGD", lr=0.01)["make"](t) for name, t in engines.items()}
    for step in steps.values():
        step()
    return {name: _once(step, 15) for name, step in steps.items()}


def _once(run: Any, rounds: int) -> float:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1e6)
    return statistics.median(times)

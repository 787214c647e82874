"""How the cost grows: with the nodes of a graph, with the batch, with the width of a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from .timing import interleaved
from .workloads import mlp

NODES = (100, 1_000, 10_000, 100_000, 1_000_000)
BATCHES = (1, 4, 16, 64, 256, 1024)
WIDTHS = (16, 64, 256, 1024, 2048)


def rows(engines: dict[str, Any], quick: bool) -> Iterator[dict[str, Any]]:
    """For each curve, its points; `quick` shows the first two."""

    def measure(make: Callable[[Any], Callable[[], object]], rounds: int) -> dict[str, float]:
        return interleaved({name: make(torch) for name, torch in engines.items()}, rounds, seconds=0.01)

    def row(curve: str, at: int, values: dict[str, float]) -> dict[str, Any]:
        return {"name": f"{curve} {at:,}", "curve": curve, "at": at, "unit": "µs", "values": values}

    for count in NODES[:2] if quick else NODES:
        yield row("nodes", count, measure(lambda torch, count=count: partial(chain, torch, count), 3))
    for batch in BATCHES[:2] if quick else BATCHES:
        yield row("batch", batch, measure(mlp((64, 128, 10), batch, "SGD", lr=0.01)["make"], 9))
    for width in WIDTHS[:2] if quick else WIDTHS:
        yield row("width", width, measure(mlp((width, width, 10), 64, "SGD", lr=0.01)["make"], 9))


def chain(torch: Any, count: int) -> None:
    """Forward and backward through this many nodes, one after another."""
    x = torch.ones(3, requires_grad=True)
    y = x
    for _ in range(count // 2):
        y = y * 1.0 + x
    y.backward(torch.ones(3))

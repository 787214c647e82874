"""Train for many steps and watch the memory: `python soak.py KIND STEPS`, of kind eager or recorded."""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.utils.data import DataLoader, TensorDataset


def resident() -> int:
    """Bytes of memory that the process has now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def training(kind: str) -> tuple[Callable[[], float], Callable[[], bool]]:
    """A step of training that gives its loss, and whether it is a recording that is replayed."""
    tg.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 16), nn.LayerNorm(16), nn.GELU(), nn.Dropout(0.1), nn.Linear(16, 3))
    optimizer = tg.optim.AdamW(model.parameters(), lr=1e-3)
    schedule = tg.optim.lr_scheduler.CosineAnnealingLR(optimizer, 1000)
    x, y = tg.randn(64, 12), tg.randint(3, (64,))

    def step(x: tg.Tensor, y: tg.Tensor) -> tg.Tensor:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss

    if kind == "recorded":
        model[3].eval()  # a mask that is drawn anew is no part of a recording
        plain = tg.optim.AdamW(model.parameters(), lr=1e-3)

        def short(x: tg.Tensor, y: tg.Tensor) -> tg.Tensor:
            plain.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            plain.step()
            return loss

        recorded = tg.compile(short)
        return lambda: recorded(x[:8], y[:8]).item(), lambda: bool(recorded.programs)

    def batches() -> Iterator[list[tg.Tensor]]:
        loader = DataLoader(TensorDataset(x, y), batch_size=8, shuffle=True)
        while True:
            yield from loader

    source = batches()

    def eager() -> float:
        loss = step(*next(source)).item()
        schedule.step()
        return loss

    return eager, lambda: False


def main(kind: str, steps: int) -> None:
    """Train, and write what the memory was after each twentieth of the steps."""
    step, replayed = training(kind)
    first = step()
    for _ in range(steps // 10):
        step()
    gc.collect()
    gc.disable()  # what only the collector would find shows as growth
    seen = [resident()]
    for _ in range(20):
        for _ in range(steps // 20):
            last = step()
        seen.append(resident())
    files = len(os.listdir("/proc/self/fd"))
    report = {"steps": steps, "resident": seen, "first": first, "last": last, "files": files, "replayed": replayed()}
    print(json.dumps(report))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

"""A GPU: the same training steps in this engine and in PyTorch CUDA eager, in one process, timed by events of the device."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from .workloads import WORKLOADS, Workload, gpt, mlp, residual_cnn

RESULTS = Path(__file__).parent / "results"
WARM_UP, ROUNDS = 10, 30
LARGER = [
    Workload("4096-4096-4096-10, batch 4096", 1.15, **mlp((4096, 4096, 4096, 10), 4096, "Adam", lr=1e-3)),
    Workload("residual CNN, batch 256", 1.15, partial(residual_cnn, batch=256)),
    Workload("GPT, 12 layers, 768 wide", 1.15, partial(gpt, layers=12, width=768, heads=12, length=256, batch=8)),
]
SMALL = 1.5  # the target where launches are most of the time


def main(only: str = "", write: bool = False) -> None:
    """Measure every workload on the current GPU; without one, say why there are no numbers, and fail."""
    import tinygrad_edu

    if not tinygrad_edu.cuda.is_available():
        raise SystemExit(f"nothing was measured: {tinygrad_edu.cuda.why_unavailable()}")
    engines = {"tinygrad_edu": tinygrad_edu}
    try:
        import torch

        if torch.cuda.is_available():
            engines["PyTorch"] = torch
    except ImportError:
        pass
    if len(engines) == 1:
        print("PyTorch with CUDA is not installed: no ratios")
    gpu = tinygrad_edu.cuda.get_device_name()
    rows = []
    for work in [*(w for w in WORKLOADS if not w.name.startswith("DataLoader")), *LARGER]:
        if only in work.name:
            target = work.target if work in LARGER else SMALL
            rows.append({"name": work.name, "target": target, **measured(work, engines)})
            print(line(rows[-1]), flush=True)
    if write:
        RESULTS.mkdir(exist_ok=True)
        name = re.sub(r"\W+", "-", gpu).strip("-").lower()
        (RESULTS / f"{name}.json").write_text(json.dumps({"gpu": gpu, "workloads": rows}, indent=1) + "\n")


def measured(work: Workload, engines: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Milliseconds of a step, the median, and megabytes that the engine's memory pool has grown to."""
    steps, pools = {}, {}
    for name, engine in engines.items():
        engine.cuda.empty_cache()
        before = engine.cuda.memory_reserved()
        engine.set_default_device("cuda")
        steps[name] = work.make(engine)
        for _ in range(WARM_UP):
            steps[name]()
        engine.cuda.synchronize()
        pools[name] = (engine.cuda.memory_reserved() - before) / 1e6
    return {"ms": medians(steps, engines), "MB": pools}


def medians(steps: dict[str, Callable[[], object]], engines: dict[str, Any]) -> dict[str, float]:
    """The median time of each engine's step by its device's clock; the engines take turns."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(ROUNDS):
        for name, step in steps.items():
            start, end = (engines[name].cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            step()
            end.record()
            end.synchronize()
            times[name].append(start.elapsed_time(end))
    return {name: statistics.median(found) for name, found in times.items()}


def line(row: dict[str, Any]) -> str:
    """A row of the table: milliseconds, the ratio to PyTorch, and the ratio of the memory."""
    told = "  ".join(f"{name} {ms:.3f} ms" for name, ms in row["ms"].items())
    if "PyTorch" in row["ms"]:
        told += f"  ratio {row['ms']['tinygrad_edu'] / row['ms']['PyTorch']:.2f} (target {row['target']:.2f})"
        told += f"  memory {row['MB']['tinygrad_edu'] / max(row['MB']['PyTorch'], 1e-6):.2f}"
    return f"{row['name']:36} {told}"

"""A GPU: the same training steps in this engine and in PyTorch CUDA eager, in one process, timed by events of the device."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tinygrad_edu import devices

from .workloads import WORKLOADS, Workload, gpt, mlp, residual_cnn

RESULTS = Path(__file__).parent / "results"
WARM_UP, ROUNDS = 10, 30
LARGER = [
    Workload("4096-4096-4096-10, batch 4096", 1.15, **mlp((4096, 4096, 4096, 10), 4096, "Adam", lr=1e-3)),
    Workload("residual CNN, batch 256", 1.15, partial(residual_cnn, batch=256)),
    Workload("GPT, 12 layers, 768 wide", 1.15, partial(gpt, layers=12, width=768, heads=12, length=256, batch=8)),
]
SMALL = 1.5  # the target where launches are most of the time
MEMORY = 1.2  # and that of the memory, everywhere


def main(only: str = "", write: bool = False, quick: bool = False) -> None:
    """Measure every workload on the current GPU; without one, say why there are no numbers, and fail."""
    import tinygrad_edu

    if not tinygrad_edu.cuda.is_available():
        raise SystemExit(f"nothing was measured: {tinygrad_edu.cuda.why_unavailable()}")
    engines = {"tinygrad_edu": tinygrad_edu}
    torch, missing = pytorch()
    if torch is None:
        print(f"no ratios: {missing}")
    else:
        engines["PyTorch"] = torch
    rows = []
    for work in [*(w for w in WORKLOADS if not w.name.startswith("DataLoader")), *LARGER]:
        if only in work.name and (work.quick or not quick):
            target = work.target if work in LARGER else SMALL
            rows.append({"name": work.name, "target": target, **measured(work, engines, quick)})
            print(line(rows[-1]), flush=True)
    if not rows:
        raise SystemExit(f"nothing was measured: no workload has {only!r} in its name")
    if write:
        print(save(rows, engines))


def pytorch() -> tuple[Any, str]:
    """PyTorch, if it can use the GPU; else None, and what to install."""
    try:
        import torch
    except ImportError:
        return None, "PyTorch is not installed; write pip install torch (on Linux that is the build with CUDA)"
    if torch.cuda.is_available():
        return torch, ""
    if torch.version.cuda is None:
        return (
            None,
            f"PyTorch {torch.__version__} is a build without CUDA; pytorch.org/get-started tells which pip install brings one",
        )
    return (
        None,
        f"PyTorch {torch.__version__} is built for CUDA {torch.version.cuda} and finds no GPU; nvidia-smi tells what the driver has",
    )


def save(rows: list[dict[str, Any]], engines: dict[str, Any]) -> Path:
    """Keep the results in a file that is called by the GPU."""
    gpu = engines["tinygrad_edu"].cuda.get_device_name()
    versions = {name: str(getattr(engine, "__version__", "")) for name, engine in engines.items()}
    versions |= {"cupy": str(getattr(devices.module(devices.device("cuda")), "__version__", ""))}
    path = RESULTS / f"{re.sub(r'[^a-z0-9]+', '-', gpu.lower()).strip('-')}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"gpu": gpu, "versions": versions, "workloads": rows}, indent=1) + "\n")
    return path


def measured(work: Workload, engines: dict[str, Any], quick: bool = False) -> dict[str, dict[str, float]]:
    """Milliseconds of a step, the median, and megabytes that the engine's memory pool has grown to."""
    steps, pools = {}, {}
    for name, engine in engines.items():
        engine.cuda.empty_cache()
        before = engine.cuda.memory_reserved()
        outside = engine.get_default_device()
        engine.set_default_device("cuda")
        try:
            steps[name] = work.make(engine)
            for _ in range(2 if quick else WARM_UP):
                steps[name]()
            engine.cuda.synchronize()
            pools[name] = (engine.cuda.memory_reserved() - before) / 1e6
        except engine.cuda.OutOfMemoryError as error:
            print(f"{work.name}: {name} is left out: {str(error).splitlines()[0]}")
            steps.pop(name, None)
        finally:
            engine.set_default_device(outside)
    return {"ms": medians(steps, engines, 3 if quick else ROUNDS), "MB": pools}


def medians(steps: dict[str, Callable[[], object]], engines: dict[str, Any], rounds: int = ROUNDS) -> dict[str, float]:
    """The median time of each engine's step by its device's clock; the engines take turns."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
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
    if len(row["ms"]) == 2:
        told += f"  ratio {row['ms']['tinygrad_edu'] / row['ms']['PyTorch']:.2f} (target {row['target']:.2f})"
        told += f"  memory {row['MB']['tinygrad_edu'] / max(row['MB']['PyTorch'], 1e-6):.2f} (target {MEMORY:.2f})"
    return f"{row['name']:36} {told}"

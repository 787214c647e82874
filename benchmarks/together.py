"""What every process of `python -m benchmarks.distributed` does: both engines take turns, and rank 0 prints the medians.

PyTorch's group is made over gloo on the loopback, ours over MPI; both have the same processes and the same data.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

import tinygrad_edu
from tinygrad_edu import distributed

from .workloads import Step, data, training

SIZES = (4, 4096, 65_536, 1_000_000, 10_000_000)  # bytes of an all-reduce
WIDE = (784, 1024, 1024, 10)
BATCH = 256
comm = MPI.COMM_WORLD


def main(rounds: int) -> None:
    """Measure, and print one line of JSON."""
    distributed.init_process_group("mpi")
    torch = gloo()
    found = {"processes": comm.size, "all_reduce": [], "moved": {}}
    for size in SIZES:
        found["all_reduce"].append(
            {"bytes": size, "times": in_turns(reductions(torch, size), rounds, min(20, 2 * rounds))}
        )
    steps = contestants(torch)
    found["steps"] = in_turns(steps, rounds, min(3, rounds))
    found["moved"] = {"tinygrad_edu": handed_over(steps["tinygrad_edu"])}
    if torch is not None:
        found["moved"]["PyTorch, seen on the loopback"] = on_the_loopback(steps["PyTorch"])
        torch.distributed.destroy_process_group()
    if comm.rank == 0:
        print(json.dumps(found))


def gloo() -> Any:
    """PyTorch with a group of these processes, None where it is not installed."""
    try:
        import torch
        import torch.distributed
    except ImportError:
        return None
    folder = comm.bcast(tempfile.mkdtemp() if comm.rank == 0 else None)
    where = f"file://{folder}/meeting"
    torch.distributed.init_process_group("gloo", init_method=where, rank=comm.rank, world_size=comm.size)
    torch.set_num_threads(1)
    return torch


def reductions(torch: Any, size: int) -> dict[str, Step]:
    """An all-reduce of so many bytes, in all ways."""
    plain = np.zeros(size // 4, np.float32)
    ours = tinygrad_edu.zeros(size // 4)
    ways: dict[str, Step] = {
        "tinygrad_edu": lambda: distributed.all_reduce(ours),
        "mpi4py": lambda: comm.Allreduce(MPI.IN_PLACE, plain),
    }
    if torch is not None:
        theirs = torch.zeros(size // 4)
        ways["PyTorch"] = lambda: torch.distributed.all_reduce(theirs)
    return ways


def contestants(torch: Any) -> dict[str, Step]:
    """Steps of the wide network: BATCH samples in each process, and BATCH in all of them together."""
    steps = {}
    for name, engine in {"tinygrad_edu": tinygrad_edu, "PyTorch": torch}.items():
        if engine is not None:
            parallel = engine.nn.parallel.DistributedDataParallel
            for split, batch in (("", BATCH), (", split", BATCH // comm.size)):
                steps[f"{name}{split}"] = step(engine, batch, parallel)
                steps[f"{name}{split}, one process"] = step(engine, batch, alone)
    steps["after the walk"] = step(tinygrad_edu, BATCH, alone, averaged)
    return steps


def alone(model: Any) -> Any:
    """A model that nobody shares."""
    return model


def averaged(optimizer: Any, *_: Any) -> None:
    """Average the gradients by hand, once the walk back has ended."""
    for p in optimizer.param_groups[0]["params"]:
        distributed.all_reduce(p.grad, distributed.ReduceOp.AVG)


def step(engine: Any, batch: int, wrap: Callable[[Any], Any], before: Callable[..., None] | None = None) -> Step:
    """A training step of the wide network; `before` is called before the parameters are changed."""
    nn = engine.nn
    engine.manual_seed(0)
    layers = nn.Linear(784, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 10)
    model = wrap(nn.Sequential(*layers))
    optimizer = engine.optim.SGD(model.parameters(), lr=0.1)
    if before is not None:
        optimizer.register_step_pre_hook(before)
    return training(engine, model, optimizer, *data((batch, WIDE[0]), WIDE[-1]))


def in_turns(ways: dict[str, Step], rounds: int, repeats: int) -> dict[str, float]:
    """The median time of each in microseconds, in rounds; `one process` runs while the others sleep."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, run in ways.items():
            meet()
            if name.endswith("one process") and comm.rank:
                continue
            for _ in range(repeats):
                begin = time.perf_counter()
                run()
                if turn:  # the first round warms up
                    times[name].append((time.perf_counter() - begin) * 1e6)
    meet()
    return {name: statistics.median(found) for name, found in times.items() if found}


def meet() -> None:
    """Wait for the others without keeping a core busy."""
    here = comm.Ibarrier()
    while not here.Test():
        time.sleep(0.001)


def handed_over(run: Step) -> int:
    """The bytes that this process hands to MPI to be added up, in one step."""
    way = distributed.GroupMember.WORLD.cpu
    sizes = []
    whole = way.all_reduce
    way.all_reduce = lambda x, op: sizes.append(x.nbytes) or whole(x, op)
    run()
    del way.all_reduce
    return sum(sizes)


def on_the_loopback(run: Step, repeats: int = 5) -> int:
    """The bytes that all processes together send over the loopback, in one step."""
    meet()
    before = loopback()
    for _ in range(repeats):
        run()
    meet()
    return (loopback() - before) // repeats


def loopback() -> int:
    """The bytes that the loopback has carried since the machine was started."""
    for line in Path("/proc/net/dev").read_text().splitlines():
        name, _, numbers = line.partition(":")
        if name.strip() == "lo":
            return int(numbers.split()[0])
    return 0


if __name__ == "__main__":
    main(int(sys.argv[1]))

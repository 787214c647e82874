"""The cost of the engine itself: an operation, a chain of them, the import, the first trained model, the memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from . import memory
from .timing import alternating, interleaved

IMPORT = "import time; t = time.perf_counter(); import {}; print((time.perf_counter() - t) * 1e3)"


def chain(x: Any) -> Any:
    """A hundred operations in a row."""
    y = x
    for _ in range(50):
        y = y * x + x
    return y


def rows(engines: dict[str, Any], quick: bool) -> Iterator[dict[str, Any]]:
    """All of it; `quick` leaves out what needs processes of its own."""
    yield from overheads(engines)
    if not quick:
        yield from processes(engines)


def overheads(engines: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Small operations, where the engine's own steps are most of the time."""
    leaves = {name: torch.ones(3).requires_grad_() for name, torch in engines.items()}
    ones = {name: torch.ones(3) for name, torch in engines.items()}

    def measure(label: str, make: Callable[[str], Callable[[], object]]) -> dict[str, Any]:
        return {"name": label, "unit": "µs", "values": interleaved({name: make(name) for name in engines})}

    yield measure("add, forward", lambda n: lambda x=leaves[n]: x + x)
    yield measure("add, not recorded", lambda n: lambda x=ones[n]: x + x)
    yield measure("exp, forward", lambda n: lambda x=leaves[n]: x.exp())
    yield measure("sum, forward", lambda n: lambda x=leaves[n]: x.sum())
    yield measure("chain of 100, forward", lambda n: lambda x=leaves[n]: chain(x))
    yield measure("chain of 100, forward and backward", lambda n: lambda x=leaves[n], g=ones[n]: chain(x).backward(g))


def processes(engines: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What needs processes of its own: rows of the times from their start, and of the memory of training."""
    modules = {name: module.__name__ for name, module in engines.items()}

    def row(name: str, unit: str, commands: dict[str, list[str]], rounds: int) -> dict[str, Any]:
        values, failed = alternating(commands, rounds)
        return {"name": name, "unit": unit, "values": values, "failed": failed}

    alone = {**modules, "NumPy by hand": "numpy"}
    yield row("import", "ms", {n: ["-c", IMPORT.format(m)] for n, m in alone.items()}, 7)
    first = {n: ["-m", "benchmarks.first_model", m] for n, m in alone.items()}
    yield row("to the first trained model", "ms", first, 5)
    for work, batch in memory.CASES if memory.PEAK_IS_FORGOTTEN.exists() else ():
        commands = {n: ["-m", "benchmarks.memory", m, work, str(batch)] for n, m in modules.items()}
        yield row(f"memory, {work}, batch {batch:,}", "MB", commands, 3)

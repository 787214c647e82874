"""The cost of the engine itself: an operation, a chain of them, the import, the memory of a training step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .timing import alternating, interleaved

IMPORT = "import time; t = time.perf_counter(); import {}; print((time.perf_counter() - t) * 1e3)"

# the same program for both engines: peak of resident memory over what was there before the step, in MB
MEMORY = """
import {module} as torch, re
from {module} import nn
def status(key):
    return int(re.search(key + r":\\s+(\\d+)", open("/proc/self/status").read()).group(1)) / 1024
torch.manual_seed(0)
sizes = [1024, 1024, 1024, 1024, 10]
weights = [(torch.randn(i, o) / i ** 0.5).requires_grad_() for i, o in zip(sizes, sizes[1:])]
x, y = torch.randn(8192, 1024), torch.randint(0, 10, (8192,))
def step(x, y):
    for k, w in enumerate(weights):
        x = x @ w
        if k < len(weights) - 1:
            x = torch.relu(x)
    loss = nn.functional.cross_entropy(x, y)
    loss.backward()
    for w in weights:
        w.grad = None
step(x[:64], y[:64])
open("/proc/self/clear_refs", "w").write("5")
before = status("VmRSS")
step(x, y)
print(status("VmHWM") - before)
"""


def chain(x: Any) -> Any:
    """A hundred operations in a row."""
    y = x
    for _ in range(50):
        y = y * x + x
    return y


def overheads(engines: dict[str, Any]) -> Iterator[tuple[str, dict[str, float]]]:
    """Small operations, where the engine's own steps are most of the time."""
    leaves = {name: torch.ones(3).requires_grad_() for name, torch in engines.items()}
    ones = {name: torch.ones(3) for name, torch in engines.items()}

    def measure(label: str, make: Callable[[str], Callable[[], object]]) -> tuple[str, dict[str, float]]:
        return label, interleaved({name: make(name) for name in engines})

    yield measure("add, forward", lambda n: lambda x=leaves[n]: x + x)
    yield measure("add, not recorded", lambda n: lambda x=ones[n]: x + x)
    yield measure("exp, forward", lambda n: lambda x=leaves[n]: x.exp())
    yield measure("sum, forward", lambda n: lambda x=leaves[n]: x.sum())
    yield measure("chain of 100, forward", lambda n: lambda x=leaves[n]: chain(x))
    yield measure("chain of 100, forward and backward", lambda n: lambda x=leaves[n], g=ones[n]: chain(x).backward(g))


def processes(engines: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, float]]]:
    """What needs a process of its own."""
    modules = {name: module.__name__ for name, module in engines.items()}
    yield "import", "ms", alternating({n: ["-c", IMPORT.format(m)] for n, m in {**modules, "numpy": "numpy"}.items()})
    yield (
        "MLP step, peak",
        "MB",
        alternating({n: ["-c", MEMORY.format(module=m)] for n, m in modules.items()}, rounds=3),
    )

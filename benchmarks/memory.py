"""The memory of training: the most that the process held above what was there before, parameters and optimizer included.

    python -m benchmarks.memory tinygrad_edu "small CNN" 256
    python -m benchmarks.memory torch "small CNN" 256

Prints megabytes of resident memory in three steps. Linux alone tells the peak of a stretch of a program.
"""

from __future__ import annotations

import gc
import re
import sys
from importlib import import_module
from pathlib import Path

from .workloads import WORKLOADS

CASES = (
    ("784-1024-1024-10", 8192),
    ("small CNN", 256),
    ("residual CNN", 64),
    ("LSTM", 128),
    ("GPT", 48),
)
PEAK_IS_FORGOTTEN = Path("/proc/self/clear_refs")


def main(engine: str, name: str, batch: int) -> None:
    """Measure one workload in one engine."""
    torch = import_module(engine)
    make = next(work.make for work in WORKLOADS if work.name.startswith(name))
    make(torch, batch=2)()  # what is loaded or built at the first use is there
    gc.collect()
    PEAK_IS_FORGOTTEN.write_text("5")
    before = resident("VmRSS")
    step = make(torch, batch=batch)
    for _ in range(3):
        step()
    print(resident("VmHWM") - before)


def resident(key: str) -> float:
    """Megabytes that the system tells of this process."""
    return int(re.findall(key + r":\s+(\d+)", Path("/proc/self/status").read_text())[0]) / 1024


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))

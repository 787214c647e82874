"""What the processes of `python -m benchmarks` do: measure one part of it, and print the rows as one line of JSON.

Each has its number of threads from the start, since libraries take it at their import. A part is a module with a
function `rows`; a row has a name, a unit, the `values` of the contestants, and why others `failed`.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import warnings
from importlib import import_module
from typing import Any

from .timing import pin_cores, pin_threads


def in_process(part: str, threads: int, **options: Any) -> list[dict[str, Any]]:
    """The rows of a part, measured in a process of its own, which tells on the way how far it is."""
    command = [sys.executable, "-m", "benchmarks.measure", json.dumps({"part": part, "threads": threads, **options})]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(
            f"nothing was kept: the process that measures benchmarks/{part}.py ended with {done.returncode}"
        )
    return json.loads(done.stdout.splitlines()[-1])


def main(part: str, threads: int, **options: Any) -> None:
    """Pin the threads, measure, print."""
    pin_threads(threads)
    pin_cores(threads)
    warnings.simplefilter("ignore")  # what other engines say to their users
    logging.disable(logging.WARNING)
    rows = []
    for row in import_module(f"benchmarks.{part}").rows(engines(threads), **options):
        rows.append(row | {"threads": threads})
        values = "  ".join(f"{name} {value:,.1f}" for name, value in row["values"].items())
        print(f"{threads} thread{'s' * (threads > 1)}, {row['name']}, {row['unit']}: {values}", file=sys.stderr)
        for name, why in row.get("failed", {}).items():
            print(f"    {name} is left out: {why}", file=sys.stderr)
    print(json.dumps(rows))


def engines(threads: int) -> dict[str, Any]:
    """This engine, and PyTorch if it is installed."""
    import tinygrad_edu

    try:
        import torch
    except ImportError:
        print("PyTorch is not installed: no ratios", file=sys.stderr)
        return {"tinygrad_edu": tinygrad_edu}
    torch.set_num_threads(threads)
    return {"tinygrad_edu": tinygrad_edu, "PyTorch": torch}


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))

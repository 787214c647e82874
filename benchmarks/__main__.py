"""Run the benchmarks and print the table."""

from __future__ import annotations

import argparse
import platform

from .timing import pin_threads


def main() -> None:
    """Measure every row in every engine that is installed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only the small rows, to see that everything runs")
    options = parser.parse_args()
    pin_threads(1)

    import numpy as np

    import tinygrad_edu

    from . import engine

    engines = {"tinygrad_edu": tinygrad_edu}
    try:
        import torch

        torch.set_num_threads(1)
        engines["PyTorch"] = torch
    except ImportError:
        print("PyTorch is not installed: no ratios")
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, {platform.machine()}, one thread\n")
    print(f"| {'workload':36} | {'unit':4} | {'tinygrad_edu':>12} | {'PyTorch':>10} | ratio |")
    print(f"|{'-' * 38}|{'-' * 6}|{'-' * 14}|{'-' * 12}|-------|")
    for label, found in engine.overheads(engines):
        row(label, "µs", found)
    if not options.quick:
        for label, unit, found in engine.processes(engines):
            row(label, unit, found)


def row(label: str, unit: str, found: dict[str, float]) -> None:
    """One line of the table; an import is also compared with NumPy's, on which it stands."""
    ours, theirs = found["tinygrad_edu"], found.get("PyTorch")
    there, ratio = ("", "") if theirs is None else (f"{theirs:.2f}", f"{ours / theirs:.2f}")
    print(f"| {label:36} | {unit:4} | {ours:12.2f} | {there:>10} | {ratio:>5} |")
    if "numpy" in found:
        print(
            f"| {label + ', beside NumPy':36} | {unit:4} | {ours:12.2f} | {found['numpy']:10.2f} | {ours / found['numpy']:5.2f} |"
        )


if __name__ == "__main__":
    main()

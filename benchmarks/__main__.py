"""Measure this engine beside PyTorch, NumPy by hand and other engines, and print the tables."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

OTHERS = ("torch.compile", "jax", "autograd", "mygrad", "tinygrad")
INSTALL = 'pip install -e ".[bench]" torch==2.13.0'
MORE = f"""\
PyTorch, JAX, autograd, MyGrad and tinygrad take part where they are installed, torch.compile where it builds:
  {INSTALL}
which on a CPU need g++ for torch.compile and clang for tinygrad.

examples:
  python -m benchmarks --quick                    a minute: that everything runs
  python -m benchmarks --only GPT --threads 1     one workload
  python -m benchmarks --write                    ten minutes on a machine that does nothing else: results/cpu.json,
                                                  the picture, the tables in README.md and docs/benchmarks.md
  python -m benchmarks --device cuda --write      the steps on a GPU, beside PyTorch
  python -m benchmarks.distributed --help         several processes
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every part in processes of its own, and print what came of it."""
    options = parsed(arguments)
    if options.device == "cuda":
        from . import cuda

        cuda.main(options.only, options.write, options.quick)
        return
    from . import report
    from .measure import in_process

    quick = {"quick": options.quick}
    results: dict[str, Any] = {"machine": report.machine(), "workloads": []}
    for count in [options.threads] if options.threads else [1] if options.quick else [1, 2]:
        results["workloads"] += in_process("contest", count, only=options.only, without=options.without, **quick)
    if not options.only:
        results |= {
            part: in_process(part, options.threads or 1, **quick) for part in ("engine", "operations", "growth")
        }
    print(report.whole(results))
    if options.write:
        report.save(results)


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options, or a sentence about what is wrong with them before anything is measured."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__, epilog=MORE, formatter_class=form)
    parser.add_argument("--quick", action="store_true", help="the small networks with few rounds, to see that they run")
    parser.add_argument(
        "--only", default="", metavar="NAME", help="the workloads with this in their names, nothing else"
    )
    parser.add_argument("--threads", type=int, choices=(1, 2), help="so many threads; without it, one and then two")
    parser.add_argument(
        "--without", action="append", default=[], choices=OTHERS, help="leave one out; may be given several times"
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="cuda: the steps on a GPU")
    parser.add_argument("--write", action="store_true", help="keep the results: the numbers, the picture, the tables")
    options = parser.parse_args(arguments)
    if options.device == "cuda":
        if options.threads or options.without:
            parser.error("--threads and --without are for the CPU; on a GPU write --device cuda with --only or --quick")
        return options
    from .workloads import WORKLOADS

    names = [work.name for work in WORKLOADS if work.quick or not options.quick]
    if not any(options.only in name for name in names):
        parser.error(f"no workload has {options.only!r} in its name; there are {'; '.join(names)}")
    if options.write and (options.quick or options.only or options.threads or options.without):
        parser.error("--write keeps a whole run; leave out --quick, --only, --threads and --without")
    missing = [name for name in ("matplotlib", "torch") if not find_spec(name)]
    if options.write and missing:
        parser.error(f"--write needs {' and '.join(missing)}, and keeps what the others give; write {INSTALL}")
    return options


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)

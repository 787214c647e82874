"""Run the benchmarks: print the tables, and with --write keep the results."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import Any

from .timing import interleaved, pin_threads


def main() -> None:
    """Measure every row in every engine that is installed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the small rows with few rounds, to see that they run")
    parser.add_argument("--only", default="", help="the workloads with this in their names, nothing else")
    parser.add_argument("--threads", type=int, default=0, help="1 or 2; without it, both in turn")
    parser.add_argument(
        "--torch-compile", action="store_true", help="torch.compile beside the others: minutes to build"
    )
    parser.add_argument("--write", action="store_true", help="keep the results, the picture, and the README's table")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="cuda: the steps on a GPU")
    parser.add_argument("--json", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.device == "cuda":
        from . import cuda

        cuda.main(options.only, options.write, options.quick)
        return
    if options.json:
        print(json.dumps(workloads(options)))
        return
    threads = [options.threads] if options.threads else [1] if options.quick else [1, 2]
    results: dict[str, Any] = {"workloads": []}
    for count in threads:
        results["workloads"] += _in_process(options, count)
    pin_threads(1)
    if not results["workloads"]:
        from .workloads import WORKLOADS

        known = "; ".join(work.name for work in WORKLOADS if work.quick or not options.quick)
        parser.error(f"no workload has {options.only!r} in its name; there are {known}")

    from . import engine, growth, operations, report

    engines = found_engines()
    results["machine"] = report.machine()
    print(report.markdown(results))
    if options.only:
        return
    print(f"\n| {'the engine itself':36} | {'unit':4} | {'tinygrad_edu':>12} | {'PyTorch':>10} | ratio |")
    print(f"|{'-' * 38}|{'-' * 6}|{'-' * 14}|{'-' * 12}|-------|")
    rows = [(label, "µs", found) for label, found in engine.overheads(engines)]
    rows += [] if options.quick else engine.processes(engines)
    for label, unit, found in rows:
        row(label, unit, found)
    results["engine"] = [{"name": label, "unit": unit, "values": found} for label, unit, found in rows]
    print(f"\n| {'operations':36} | {'unit':4} | {'tinygrad_edu':>12} | {'PyTorch':>10} | ratio |")
    results["operations"] = []
    for label, found in operations.rows(engines, only="relu" if options.quick else ""):
        row(label, "µs", found)
        results["operations"].append({"name": label, "values": found})
    results["growth"] = [{"curve": c, "at": at, "times": t} for c, at, t in growth.curves(engines, options.quick)]
    print("\nµs " + "; ".join(f"{p['at']:,} {p['curve']}: {_ours(p['times'])}" for p in results["growth"]))
    if options.write:
        report.save(results)


def _in_process(options: argparse.Namespace, threads: int) -> list[dict[str, Any]]:
    """The workloads in a process of its own, whose libraries take their number of threads at their import."""
    command = [sys.executable, "-m", "benchmarks", "--json", "--threads", str(threads), "--only", options.only]
    command += ["--quick"] * options.quick + ["--torch-compile"] * options.torch_compile
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def workloads(options: argparse.Namespace) -> list[dict[str, Any]]:
    """The times of all workloads with one number of threads."""
    pin_threads(options.threads)
    from . import peers
    from .workloads import WORKLOADS

    engines = found_engines(options.threads)
    ours, theirs = engines["tinygrad_edu"], engines.get("PyTorch")
    rows = []
    for work in WORKLOADS:
        if options.only not in work.name or (options.quick and not work.quick):
            continue
        contestants = {"eager": work.make(ours), "recorded": ours.compile(work.make(ours))}
        if theirs is not None:
            contestants["PyTorch"] = work.make(theirs)
            if options.torch_compile and work.peer is not None:
                contestants["torch.compile"] = theirs.compile(work.make(theirs))
        if work.hand is not None:
            contestants["NumPy by hand"] = work.hand()
        if work.peer is not None:
            contestants |= {name: work.peer(make) for name, make in peers.installed().items()}
        for _ in range(3):  # lazy things are there, and the step is recorded
            contestants["recorded"]()
        if not contestants["recorded"].programs:
            del contestants["recorded"]
        rounds = 3 if options.quick else 21
        times = interleaved(contestants, rounds=rounds, seconds=0.01 if options.quick else 0.05)
        rows.append({"name": work.name, "target": work.target, "threads": options.threads, "times": times})
        print(work.name, {name: round(t, 1) for name, t in times.items()}, file=sys.stderr)
    return rows


def found_engines(threads: int = 1) -> dict[str, Any]:
    """This engine, and PyTorch if it is installed."""
    import tinygrad_edu

    try:
        import torch
    except ImportError:
        print("PyTorch is not installed: no ratios", file=sys.stderr)
        return {"tinygrad_edu": tinygrad_edu}
    torch.set_num_threads(threads)
    return {"tinygrad_edu": tinygrad_edu, "PyTorch": torch}


def row(label: str, unit: str, found: dict[str, float]) -> None:
    """One line of the table; an import is also compared with NumPy's, on which it stands."""
    ours, theirs = found["tinygrad_edu"], found.get("PyTorch")
    there, ratio = ("", "") if theirs is None else (f"{theirs:.2f}", f"{ours / theirs:.2f}")
    print(f"| {label:36} | {unit:4} | {ours:12.2f} | {there:>10} | {ratio:>5} |")
    if "numpy" in found:
        print(
            f"| {label + ', beside NumPy':36} | {unit:4} | {ours:12.2f} | {found['numpy']:10.2f} | {ours / found['numpy']:5.2f} |"
        )


def _ours(times: dict[str, float]) -> str:
    ratio = f" ({times['tinygrad_edu'] / times['PyTorch']:.2f})" if "PyTorch" in times else ""
    return f"{times['tinygrad_edu']:,.0f}{ratio}"


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)

"""Several processes: the all-reduce and the step of the wide network, beside plain mpi4py and PyTorch over gloo.

    python -m benchmarks.distributed            measure with 1, 2 and 4 processes, and print the tables
    python -m benchmarks.distributed --quick    one round with 1 and 2, to see that it runs
    python -m benchmarks.distributed --write    keep the results, and write the tables into docs/distributed.md

Needs `pip install "tinygrad_edu[mpi]"`. More processes than cores share them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

from .report import ROOT, machine
from .scaling import MANY, NETWORKS, Model, fit, with_steps, with_turns
from .timing import pin_threads

COUNTS = (1, 2, 4)
OF_TURNS = 65_536  # bytes of the all-reduce that shows how long processes that share cores wait for their turns
RESULTS = ROOT / "benchmarks" / "results" / "distributed_cpu.json"
PAGE = ROOT / "docs" / "distributed.md"
BEGIN, END = "<!-- benchmarks: python -m benchmarks.distributed --write -->", "<!-- end of benchmarks -->"


def main() -> None:
    """Measure, fit the model, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.distributed", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round with 1 and 2 processes, to see that it runs")
    parser.add_argument("--write", action="store_true", help="keep the results, and the tables in docs/distributed.md")
    options = parser.parse_args()
    pin_threads(1)
    from tinygrad_edu.distributed import launch

    if missing := launch.missing():
        raise SystemExit(f"nothing was measured: {missing}")
    runs = [measured(count, 1) for count in COUNTS[:2]] if options.quick else [measured(count, 15) for count in COUNTS]
    results = {"machine": machine() | {"cores": os.cpu_count()}, "runs": runs}
    print(tables(results))
    if options.write:
        save(results)


def save(results: dict[str, Any]) -> None:
    """Keep the numbers, and bring the page up to date."""
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{tables(results)}\n{END}{rest.partition(END)[2]}")


def measured(count: int, rounds: int) -> dict[str, Any]:
    """The medians of so many processes, which measure all contestants in turn."""
    from tinygrad_edu.distributed import launch

    words, environment = launch.command(count, [sys.executable, "-m", "benchmarks.together", str(rounds)])
    environment |= {"HYDRA_IFACE": "lo", "GLOO_SOCKET_IFNAME": "lo"}  # nothing leaves this machine
    load = round(os.getloadavg()[0], 1)
    done = subprocess.run(words, env=environment, check=True, stdout=subprocess.PIPE, text=True, timeout=600)
    return json.loads(done.stdout.splitlines()[-1]) | {"load before": load}


def modelled(results: dict[str, Any]) -> tuple[Model, int]:
    """The model that is fitted to two processes, and the bytes of the gradients."""
    two = next(run for run in results["runs"] if run["processes"] == 2)
    size = two["moved"]["tinygrad_edu"]
    points = [(row["bytes"], row["times"]["tinygrad_edu"]) for row in two["all_reduce"]]
    steps = two["steps"]
    model = fit(points, results["machine"]["cores"])
    for run in results["runs"]:
        if run["processes"] > model.cores:
            time = next(row["times"]["tinygrad_edu"] for row in run["all_reduce"] if row["bytes"] == OF_TURNS)
            model = with_turns(model, run["processes"], OF_TURNS, time)
    work, step, late = (steps[name] for name in ("tinygrad_edu, one process", "tinygrad_edu", "after the walk"))
    return with_steps(model, work, step, late, size), size


def tables(results: dict[str, Any]) -> str:
    """What was measured, what the model says to it, and what it says beyond."""
    where = results["machine"]
    model, size = modelled(results)
    parts = [
        "| all-reduce, µs | processes | tinygrad_edu | plain mpi4py | PyTorch, gloo | the model |\n|---|---:|---:|---:|---:|---:|",
        *(reduction(run["processes"], row, model) for run in results["runs"][1:] for row in run["all_reduce"]),
        "",
        "| a step of 784-1024-1024-10, ms | processes | tinygrad_edu | times one process | PyTorch, gloo | times one "
        "process | the model |\n|---|---:|---:|---:|---:|---:|---:|",
        *(line for run in results["runs"] for line in steps(run, model, size)),
        "",
        f"Measured on {where['processor']}, {where['cores']} cores, Python {where['python']}, NumPy {where['numpy']}, one "
        f"thread a process: medians, all contestants in turn in the same processes; the load of the machine before was "
        f"{', '.join(str(run['load before']) for run in results['runs'])} (other programs slow down who waits, most of all "
        "four processes on two cores). `times one process` is samples per second beside one process alone. "
        f"{shares(results)} {moved(results, size)} The model's latency ({model.latency:.1f} µs), bandwidth ({model.bandwidth / 1e3:.1f} "
        f"GB/s), hidden share of the all-reduce ({model.hidden:.0%}) and what a process does and waits besides "
        f"({model.besides / 1e3:.1f} ms) were fitted to two processes, and to a step whose all-reduce begins after the walk; "
        f"the time for which a process waits for another's turn where they share cores ({model.turn:.0f} µs) to one all-reduce "
        f"of four. There it stands in italics; the other figures test it: {tested(results, model, size)}. With a core for each "
        "process nobody waits for turns; so it is computed below.",
        "",
        "**Computed, not measured:** samples per second of n processes, each on a machine of its own and with 256 samples "
        "a step, as a share of n times one process. The networks' figures are usual ones.",
        "",
        f"| network | latency | bandwidth | {' | '.join(f'{n:,} processes' for n in MANY)} |",
        f"|---|---:|---:|{'---:|' * len(MANY)}",
        *beyond(results, model, size),
    ]
    return "\n".join(parts)


def reduction(count: int, row: dict[str, Any], model: Model) -> str:
    """A line of the first table."""
    times, bytes_ = row["times"], row["bytes"]
    guess = f"{model.reduce(count, bytes_):,.0f}"
    cells = [f"{times[name]:,.0f}" if name in times else "" for name in ("tinygrad_edu", "mpi4py", "PyTorch")]
    return f"| {bytes_:,} bytes | {count} | {' | '.join(cells)} | {f'*{guess}*' if fitted(model, count, bytes_) else guess} |"


def steps(run: dict[str, Any], model: Model, size: int) -> list[str]:
    """The lines of a number of processes: each with a whole batch, and all with one together."""
    count, times = run["processes"], run["steps"]
    lines = []
    for split in ("", ", split") if count > 1 else ("",):
        cells = []
        for name in ("tinygrad_edu", "PyTorch"):
            if name in times:
                speed = times[f"{name}, one process"] / times[name + split] * (1 if split else count)
                cells += [f"{times[name + split] / 1e3:.1f}", f"{speed:.2f}"]
            else:
                cells += ["", ""]
        work = times[f"tinygrad_edu{split}, one process"]
        guess = f"{model.step(count, work, size) / 1e3:.1f}"
        batch = f"256 samples {'together' if split else 'each'}" if count > 1 else "256 samples"
        lines.append(
            f"| {batch} | {count} | {' | '.join(cells)} | {f'*{guess}*' if count == 2 and not split else guess} |"
        )
    return lines


def fitted(model: Model, count: int, size: int) -> bool:
    """Whether the model was fitted to this all-reduce."""
    return size == OF_TURNS if count > model.cores else size in (4, 10_000_000)


def tested(results: dict[str, Any], model: Model, size: int) -> str:
    """How far the model is from what it was not fitted to."""
    reductions, trained = [], []
    for run in results["runs"][1:]:
        count, times = run["processes"], run["steps"]
        seen = {row["bytes"]: row["times"]["tinygrad_edu"] for row in run["all_reduce"]}
        reductions += [model.reduce(count, n) / time for n, time in seen.items() if not fitted(model, count, n)]
        for split in ("", ", split")[count == 2 :]:
            guess = model.step(count, times[f"tinygrad_edu{split}, one process"], size)
            trained.append(guess / times[f"tinygrad_edu{split}"])
    ranges = [f"{min(ratios):.2f} to {max(ratios):.2f}" for ratios in (reductions, trained)]
    return f"it says {ranges[0]} times the measured all-reduces, and {ranges[1]} times the measured steps"


def shares(results: dict[str, Any]) -> str:
    """A sentence about what is left of a step where several processes have one batch together, and nothing travels."""
    left = [(run["processes"], run["steps"]["tinygrad_edu, split, one process"] / 1e3) for run in results["runs"][1:]]
    parts = " and ".join(f"{time:.1f} ms for {256 // count}" for count, time in left)
    return f"Alone, one process takes {parts} samples: each changes all weights, whatever its share of the batch."


def moved(results: dict[str, Any], size: int) -> str:
    """A sentence about bytes."""
    text = f"A step hands {size / 1e6:.2f} MB of gradients to the all-reduce in each process"
    seen = [(run["processes"], run["moved"].get("PyTorch, seen on the loopback")) for run in results["runs"][1:]]
    if all(n for _, n in seen):
        text += "; over gloo " + " and ".join(f"{n / 1e6:.1f} MB" for _, n in seen)
        text += " in all were seen on the loopback with " + " and ".join(str(count) for count, _ in seen) + " processes"
    return text + "."


def beyond(results: dict[str, Any], model: Model, size: int) -> list[str]:
    """The lines of the last table: other networks, with this machine's work, hidden share and besides."""
    work = results["runs"][0]["steps"]["tinygrad_edu, one process"]
    lines = []
    here = {"as between the two cores here": Model(model.latency, model.bandwidth)}
    for name, network in (here | NETWORKS).items():
        several = replace(network, hidden=model.hidden, besides=model.besides)
        shares = [f"{several.efficiency(n, work, size):.0%}" for n in MANY]
        figures = f"{network.latency:.1f} µs | {network.bandwidth / 1e3:.1f} GB/s"
        lines.append(f"| {name} | {figures} | {' | '.join(shares)} |")
    return lines


if __name__ == "__main__":
    main()

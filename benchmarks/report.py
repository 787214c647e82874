"""What was measured, as tables, as JSON, and where they are kept: in the README and in docs/benchmarks.md."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .timing import OURS

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "cpu.json"
PICTURE = ROOT / "docs" / "pictures" / "benchmarks.svg"
BEGIN, END = "<!-- benchmarks: python -m benchmarks --write -->", "<!-- end of benchmarks -->"

Row = dict[str, Any]
Ratios = dict[str, Callable[[Row], str]]


def machine() -> dict[str, Any]:
    """Where it was measured."""
    import numpy

    from .peers import PEERS

    model = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "BLAS": blas(),
        "versions": installed(("torch", *PEERS)),
    }


def blas() -> dict[str, str]:
    """The library behind the matrix products, of NumPy and of PyTorch."""
    import numpy

    built: dict[str, Any] = numpy.show_config(mode="dicts")["Build Dependencies"]["blas"]  # type: ignore[index, assignment]
    found = {"NumPy": f"{built.get('name', 'unknown')} {built.get('version', '')}".strip()}
    try:
        import torch
    except ImportError:
        return found
    return found | {"PyTorch": re.search(r"BLAS_INFO=(\w+)|$", torch.__config__.show())[1] or "unknown"}  # type: ignore[index]


def installed(names: Iterable[str]) -> dict[str, str]:
    """The versions of those that are."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def summary(results: dict[str, Any]) -> str:
    """The workloads, what counts from the start of a process, and where it was measured: for the README."""
    fewest, *others = by_threads(results["workloads"])
    elsewhere = {row["name"]: row for rows in others for row in rows}
    ratios: Ratios = {
        "ratio to PyTorch": lambda row: bold(ratio(row, "PyTorch")),
        "target": lambda row: f"{row['target']:.2f}",
        "to NumPy by hand": lambda row: ratio(row, "NumPy by hand"),
        "to PyTorch, two threads": lambda row: ratio(elsewhere.get(row["name"], NOTHING), "PyTorch"),
    }
    parts = [table(f"one step, µs, {threads(fewest[0])}", fewest, ratios)]
    if beside := [row for row in results.get("engine", ()) if row["unit"] != "µs"]:
        named = [row | {"name": f"{row['name']}, {row['unit']}"} for row in beside]
        parts.append(table("processes of their own", named, TO_PYTORCH, digits=1))
    return "\n\n".join([*parts, where(results)])


def whole(results: dict[str, Any]) -> str:
    """The summary and the other tables: what is printed, and the page of the documentation."""
    parts = [summary(results)]
    for rows in by_threads(results["workloads"])[1:]:
        parts += [f"## Training steps with {threads(rows[0])}", table("one step, µs", rows, TO_PYTORCH)]
    if "engine" in results:
        small = [row for row in results["engine"] if row["unit"] == "µs"]
        head = f"µs, {threads(small[0])}"
        parts += ["## Small operations", table(head, small, TO_PYTORCH, digits=2)]
        parts += ["## Operations", table(head, results["operations"], TO_PYTORCH, digits=1)]
        growth = table(head, results["growth"], TO_PYTORCH | {"µs a node": a_node}, digits=1)
        parts += ["## Growth", f"A chain of so many nodes; a step of 64-128-10 and of width-width-10.\n\n{growth}"]
    failures = [
        f"- {name}, {row['name']}: {why}"
        for rows in results.values()
        if isinstance(rows, list)
        for row in rows
        for name, why in row.get("failed", {}).items()
    ]
    if failures:
        parts += ["## What failed", "\n".join(dict.fromkeys(failures))]  # once, not for each number of threads
    return "\n\n".join(parts)


def by_threads(rows: list[Row]) -> list[list[Row]]:
    """The rows of each number of threads, the fewest first."""
    return [[row for row in rows if row["threads"] == count] for count in sorted({row["threads"] for row in rows})]


def threads(row: Row) -> str:
    """As it is said in a heading."""
    return {1: "one thread", 2: "two threads"}.get(row["threads"], f"{row['threads']} threads")


def table(head: str, rows: list[Row], ratios: Ratios, digits: int = 0) -> str:
    """A line for each row, a column for each contestant, and those of the ratios that any row has."""
    columns = list(dict.fromkeys(name for row in rows for name in (*row["values"], *row.get("failed", ()))))
    ratios = {name: f for name, f in ratios.items() if any(f(row) for row in rows)}
    lines = [f"| {' | '.join([head, *columns, *ratios])} |", f"|---|{'---:|' * len([*columns, *ratios])}"]
    for row in rows:
        values, failed = row["values"], row.get("failed", ())
        cells = [f"{values[name]:,.{digits}f}" if name in values else "fails" * (name in failed) for name in columns]
        lines.append(f"| {' | '.join([row['name'], *cells, *(f(row) for f in ratios.values())])} |")
    return "\n".join(lines)


def ratio(row: Row, other: str) -> str:
    """Our figure by another's; ours is the lesser one of the step as it is written and recorded."""
    values = row["values"]
    if other not in values:
        return ""
    return f"{min(values[name] for name in OURS if name in values) / values[other]:.2f}"


def bold(text: str) -> str:
    """The same, to be seen."""
    return text and f"**{text}**"


def a_node(row: Row) -> str:
    """Our time for each node of a graph."""
    return f"{row['values']['tinygrad_edu'] / row['at']:.2f}" if row["curve"] == "nodes" else ""


def where(results: dict[str, Any]) -> str:
    """What was measured, with what, and how."""
    found = results["machine"]
    others = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    libraries = " and ".join(f"{name}'s is {library}" for name, library in found["BLAS"].items())
    return (
        f"Measured on {found['processor']} with {found['cores']} cores, Python {found['python']}, NumPy {found['numpy']}"
        f"{', ' * bool(others)}{others}. BLAS: {libraries}, with as many threads as the table says, on as many cores. Medians; "
        "the steps take turns in one process, processes of their own alternate. `eager` is the step as it is written, "
        "`recorded` the same under `tinygrad_edu.compile`; the ratio is that of the faster one. Memory is what the process "
        "holds in three steps above what was there before, at most."
    )


def save(results: dict[str, Any]) -> None:
    """Keep the numbers, draw them, and bring the pages up to date."""
    from . import picture

    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    for page, text in PAGES.items():
        before, _, rest = page.read_text("utf-8").partition(BEGIN)
        page.write_text(f"{before}{BEGIN}\n{text(results)}\n{END}{rest.partition(END)[2]}", "utf-8")
    picture.draw(results, PICTURE)


TO_PYTORCH: Ratios = {"ratio": lambda row: ratio(row, "PyTorch")}
NOTHING: Row = {"values": {}}
PAGES = {ROOT / "README.md": summary, ROOT / "docs" / "benchmarks.md": whole}

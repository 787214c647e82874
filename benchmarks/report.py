"""What was measured, as a table, as JSON, as a picture, and in the README."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
COLUMNS = ("eager", "recorded", "PyTorch", "torch.compile", "NumPy by hand", "jax", "autograd", "mygrad")


def machine() -> dict[str, str]:
    """Where it was measured."""
    import numpy

    model = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {"processor": model, "python": platform.python_version(), "numpy": numpy.__version__}


def markdown(results: dict[str, Any]) -> str:
    """The table of workloads: microseconds a step, and our ratio to PyTorch eager, with one thread."""
    rows = [row for row in results["workloads"] if row["threads"] == 1]
    columns = [c for c in COLUMNS if any(c in row["times"] for row in rows)]
    head = ["one step, µs, one thread", *columns, "ratio to PyTorch", "target"]
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    for row in rows:
        times = row["times"]
        cells = [f"{times[c]:,.0f}" if c in times else "" for c in columns]
        best = min(times[c] for c in ("eager", "recorded") if c in times)
        ratio = f"**{best / times['PyTorch']:.2f}**" if "PyTorch" in times else ""
        lines.append(f"| {row['name']} | {' | '.join(cells)} | {ratio} | {row['target']:.2f} |")
    where = results["machine"]
    lines.append("")
    lines.append(
        f"Measured on {where['processor']}, Python {where['python']}, NumPy {where['numpy']}; medians, interleaved in "
        "one process. `eager` is the step as it is written, `recorded` the same under `tinygrad_edu.compile`; the "
        "ratio is that of the faster one."
    )
    return "\n".join(lines)


def save(results: dict[str, Any]) -> None:
    """Keep the numbers, draw them, and bring the README up to date."""
    folder = ROOT / "benchmarks" / "results"
    folder.mkdir(exist_ok=True)
    (folder / "cpu.json").write_text(json.dumps(results, indent=1) + "\n")
    readme = ROOT / "README.md"
    text = readme.read_text()
    begin, end = "<!-- benchmarks: python -m benchmarks --write -->", "<!-- end of benchmarks -->"
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    if rest:
        readme.write_text(f"{before}{begin}\n{markdown(results)}\n{end}{after}")
    picture(results, ROOT / "docs" / "pictures" / "benchmarks.svg")


def picture(results: dict[str, Any], path: Path) -> None:
    """Each workload's ratio to PyTorch eager as a bar, and the growth curves."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    rows = [row for row in results["workloads"] if row["threads"] == 1 and "PyTorch" in row["times"]]
    figure = Figure(figsize=(10, 7), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.subplots(2, 3, height_ratios=[1.6, 1])
    grid = axes[0, 0].get_gridspec()
    for ax in axes[0]:
        ax.remove()
    bars = figure.add_subplot(grid[0, :])
    places = range(len(rows))
    for shift, column, colour in ((-0.2, "eager", "#8ab4d8"), (0.2, "recorded", "#1f5f99")):
        found = [row["times"].get(column, float("nan")) / row["times"]["PyTorch"] for row in rows]
        bars.barh([p + shift for p in places], found, height=0.38, color=colour, label=column)
    bars.axvline(1, color="#b33", linewidth=1, label="PyTorch eager")
    bars.set_yticks(list(places), [row["name"] for row in rows])
    bars.invert_yaxis()
    bars.set_xlabel("time of a training step, PyTorch eager = 1")
    bars.legend(loc="lower right", frameon=False)
    for ax, (curve, unit) in zip(
        axes[1], (("nodes", "nodes in the graph"), ("batch", "rows"), ("width", "units")), strict=True
    ):
        points = [p for p in results["growth"] if p["curve"] == curve]
        for name in points[0]["times"] if points else ():
            colour = {"tinygrad_edu": "#1f5f99", "PyTorch": "#b33"}[name]
            ax.loglog([p["at"] for p in points], [p["times"][name] for p in points], "o-", color=colour, label=name)
        ax.set_xlabel(unit)
        ax.set_ylabel("µs")
    axes[1][0].legend(frameon=False)
    import matplotlib

    with matplotlib.rc_context({"svg.hashsalt": "benchmarks"}):
        figure.savefig(path, format="svg", metadata={"Date": None})

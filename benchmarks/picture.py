"""The results as a picture: ratios to PyTorch as bars, and how the cost grows."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

OURS, RECORDED, THEIRS, INK = "#8ab4d8", "#1f5f99", "#b33b2e", "#222222"
NOTHING: dict[str, Any] = {"values": {}}
CURVES = (("nodes", "nodes in the graph"), ("batch", "rows of a batch"), ("width", "units of a layer"))


def draw(results: dict[str, Any], path: Path) -> None:
    """Steps and the rest of the engine above, growth below."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 8.5), layout="constrained")
    FigureCanvasSVG(figure)
    halves: Any = figure.subfigures(2, 1, height_ratios=[1.7, 1])
    above, below = halves
    steps, rest = above.subplots(1, 2, width_ratios=[1.25, 1])
    workloads(steps, [row for row in results["workloads"] if "PyTorch" in row["values"]])
    bars(rest, [row for row in results["engine"] if "PyTorch" in row["values"]])
    for ax, (curve, unit) in zip(below.subplots(1, 3), CURVES, strict=True):
        growth(ax, [row for row in results["growth"] if row["curve"] == curve], unit)
    with matplotlib.rc_context({"svg.hashsalt": "benchmarks"}):
        figure.savefig(path, format="svg", metadata={"Date": None})


def workloads(ax: Any, rows: list[dict[str, Any]]) -> None:
    """Each step as it is written and recorded, with one thread; the target, NumPy by hand and two threads as marks."""
    one = [row for row in rows if row["threads"] == 1]
    two = {row["name"]: row for row in rows if row["threads"] == 2}
    for shift, name, colour in ((-0.2, "eager", OURS), (0.2, "recorded", RECORDED)):
        places = [place + shift for place in range(len(one))]
        ax.barh(places, [ratio(row, name) for row in one], height=0.38, color=colour, label=name)
    faster = [ratio(two.get(row["name"], NOTHING), "eager", "recorded") for row in one]
    by_hand = [ratio(row, "NumPy by hand") for row in one]
    for label, mark, size, face, found in (
        ("target", "|", 14, INK, [row["target"] for row in one]),
        ("NumPy by hand", "D", 5, INK, by_hand),
        ("two threads", "o", 6, "none", faster),
    ):
        ax.plot(found, range(len(one)), mark, color=INK, markersize=size, markerfacecolor=face, label=label)
    labelled(ax, [row["name"] for row in one], "time of a training step, PyTorch eager = 1")
    ax.legend(loc="lower center", bbox_to_anchor=(0.4, 1), ncols=3, frameon=False)


def bars(ax: Any, rows: list[dict[str, Any]]) -> None:
    """Overheads, import, first trained model, memory."""
    ax.barh(range(len(rows)), [ratio(row, "tinygrad_edu") for row in rows], height=0.6, color=OURS)
    labelled(ax, [row["name"] for row in rows], "time or memory, PyTorch = 1")


def ratio(row: dict[str, Any], *names: str) -> float:
    """The least of these by PyTorch's."""
    values = row["values"]
    return min((values[name] / values["PyTorch"] for name in names if name in values), default=math.nan)


def labelled(ax: Any, names: list[str], what: str) -> None:
    """A name beside each bar, and a line where PyTorch is."""
    ax.axvline(1, color=THEIRS, linewidth=1)
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.set_xlabel(what)
    ax.spines[["top", "right"]].set_visible(False)


def growth(ax: Any, points: list[dict[str, Any]], unit: str) -> None:
    """One curve in each engine."""
    for name, colour in (("tinygrad_edu", RECORDED), ("PyTorch", THEIRS)):
        there = [p for p in points if name in p["values"]]
        ax.loglog([p["at"] for p in there], [p["values"][name] for p in there], "o-", color=colour, label=name)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter("{x:,.0f}")
        axis.set_minor_formatter("")
    least, most = ax.get_ylim()
    ax.yaxis.get_major_locator().set_params(subs=(1, 2, 5) if most < 1000 * least else (1,))
    ax.tick_params(labelsize=8)
    ax.set_xlabel(unit)
    ax.set_ylabel("µs")
    ax.legend(frameon=False)
    ax.spines[["top", "right"]].set_visible(False)

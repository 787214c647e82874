"""The two plain figures that lessons draw most: curves, and how numbers are spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..tensor import Tensor
from ..viz.figures import DASHES, Plot, line_style, panels, style

Numbers = Tensor | Sequence[float] | np.ndarray
BINS = 60


def curves(
    x: Numbers,
    shown: Mapping[str, Mapping[str, Numbers]],
    across: str = "",
    *,
    logarithmic: bool = False,
    points: bool = False,
    columns: int = 3,
    size: tuple[float, float] = (2.9, 2.5),
) -> Plot:
    """Lines over x: a panel for each title, in it a line for each name.

    across       what stands below the panels
    logarithmic  the measure of the heights
    points       whether each number is marked: for few
    """
    with style():
        plot, axes = panels(len(shown), " and ".join(shown), columns, size)
        for (title, lines), ax in zip(shown.items(), axes, strict=True):
            for k, (name, y) in enumerate(lines.items()):
                looks = line_style(k) | {"linestyle": DASHES[k % len(DASHES)], "marker": "o" if points else ""}
                ax.plot(_array(x), _array(y), label=name, linewidth=1.8, markersize=4, **looks)
            if logarithmic:
                ax.set_yscale("log")
            _finish(ax, title, across, len(lines) > 1)
    return plot


def spreads(
    shown: Mapping[str, Mapping[str, Numbers]],
    across: str = "",
    *,
    limits: tuple[float, float] | None = None,
    columns: int = 3,
    size: tuple[float, float] = (2.9, 2.3),
) -> Plot:
    """How numbers are spread: a panel for each title, in it an outline for each name, all between the same limits."""
    with style():
        plot, axes = panels(len(shown), " and ".join(shown), columns, size)
        for (title, groups), ax in zip(shown.items(), axes, strict=True):
            arrays = {name: _array(numbers).ravel() for name, numbers in groups.items()}
            low, high = limits or (min(a.min() for a in arrays.values()), max(a.max() for a in arrays.values()))
            for k, (name, array) in enumerate(arrays.items()):
                counts, edges = np.histogram(array, BINS, (low, high))
                looks = line_style(k) | {"linestyle": DASHES[k % len(DASHES)]}
                ax.stairs(counts / array.size, edges, label=name, linewidth=1.4, **looks)
            ax.yaxis.set_visible(False)
            ax.spines["left"].set_visible(False)
            _finish(ax, title, across, len(arrays) > 1)
    return plot


def _finish(ax: Any, title: str, across: str, several: bool) -> None:
    ax.set_title(title, fontsize=11)
    ax.set_xlabel(across)
    ax.grid(True)
    if several:
        ax.legend(fontsize=8)


def _array(numbers: Numbers) -> np.ndarray:
    return numbers.detach().cpu().numpy() if isinstance(numbers, Tensor) else np.asarray(numbers)


__all__ = ["curves", "spreads"]

"""Optimizers on their way down a landscape of two variables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..autograd.modes import no_grad
from ..ops import as_tensor, cos, exp, tensor
from ..optim import Optimizer
from ..tensor import Tensor
from .figures import MARKERS, Plot, line_style, panels, style
from .palette import INK, QUIET

Surface = Callable[[Tensor, Tensor], Tensor]
Region = tuple[tuple[float, float], tuple[float, float]]  # from and to, of x and of y

LEVELS = 22  # contour lines
FINE = 160  # points of the grid they are drawn from, in each direction


# --- landscapes ------------------------------------------------------------------------------------------------------------------


def bowl(x: Tensor, y: Tensor) -> Tensor:
    """x² / 20 + y²: twenty times steeper in one direction; lowest at (0, 0)."""
    return x * x / 20 + y * y


def rosenbrock(x: Tensor, y: Tensor) -> Tensor:
    """(1 - x)² + 100 (y - x²)²: a bent valley with a flat floor; lowest at (1, 1)."""
    return (1 - x) ** 2 + 100 * (y - x * x) ** 2


def himmelblau(x: Tensor, y: Tensor) -> Tensor:
    """(x² + y - 11)² + (x + y² - 7)²: four equally deep valleys, one of them at (3, 2)."""
    return (x * x + y - 11) ** 2 + (x + y * y - 7) ** 2


def saddle(x: Tensor, y: Tensor) -> Tensor:
    """x² - y² + y⁴ / 4: down both sides of a pass at (0, 0); lowest at (0, ±√2)."""
    return x * x - y * y + y**4 / 4


def waves(x: Tensor, y: Tensor) -> Tensor:
    """A bowl with ripples, in which small steps are caught; lowest at (0, 0)."""
    return (x * x + y * y) / 10 + 1 - cos(2 * x) * cos(2 * y) * exp(-(x * x + y * y) / 20)


LANDSCAPES: dict[str, Surface] = {f.__name__: f for f in (bowl, rosenbrock, himmelblau, saddle, waves)}


# --- paths -----------------------------------------------------------------------------------------------------------------------


def path(surface: Surface, optimizer: Callable[[list[Tensor]], Optimizer], start: Sequence[float], steps: int) -> Any:
    """Where an optimizer comes by, as an array (steps + 1, 2); `optimizer` makes one of the list of variables."""
    variables = [tensor(float(value), requires_grad=True) for value in start]
    descent = optimizer(variables)

    def closure() -> Tensor:
        descent.zero_grad()
        height = surface(*variables)
        height.backward()
        return height

    places = [[v.item() for v in variables]]
    for _ in range(steps):
        descent.step(closure)  # type: ignore[arg-type]
        places.append([v.item() for v in variables])
    return np.array(places)


def race(
    surface: Surface,
    optimizers: Mapping[str, Callable[[list[Tensor]], Optimizer]],
    start: Sequence[float],
    steps: int = 100,
    region: Region | None = None,
) -> Plot:
    """The ways of several optimizers from one start, over the contour lines of `surface`.

    surface     a function of two tensors, element by element: it is also drawn from tensors of many points
    optimizers  by name: `{"Adam": lambda variables: optim.Adam(variables, lr=0.1)}`
    region      what is drawn, `((-2, 2), (-1, 3))`; by itself what the paths pass near the lowest point found
    """
    paths = {name: path(surface, make, start, steps) for name, make in optimizers.items()}
    region = region or _region(surface, list(paths.values()))
    xs, ys = (np.linspace(*span, FINE) for span in region)
    x, y = np.meshgrid(xs, ys)
    heights = _heights(surface, x, y)
    with style():
        plot, (ax,) = panels(1, f"{', '.join(paths)} on {getattr(surface, '__name__', 'a landscape')}", size=(6.4, 5))
        levels = np.unique(np.quantile(heights[np.isfinite(heights)], np.linspace(0, 1, LEVELS) ** 1.5))
        ax.contour(x, y, heights, levels, colors=QUIET[0], linewidths=0.5, alpha=0.6)
        for number, (name, places) in enumerate(paths.items()):
            reached = float(_heights(surface, *places[-1:].T)[0])
            marker = MARKERS[number % len(MARKERS)]
            looks = line_style(number)
            label = f"{name}: {reached:.3g}" if np.isfinite(reached) else f"{name}: flew away"
            ax.plot(*places.T, marker=marker, markersize=2.5, linewidth=1.3, label=label, **looks)
            ax.plot(*places[-1:].T, marker=marker, markersize=9, color=looks["color"])
        ax.plot(*start, marker="x", markersize=9, markeredgewidth=2, color=INK[0])
        ax.annotate("start", (start[0], start[1]), xytext=(7, 5), textcoords="offset points", color=INK[0])
        ax.set_xlim(*region[0])
        ax.set_ylim(*region[1])
        ax.legend(title=f"after {steps} steps", loc="best")
    return plot


def _heights(surface: Surface, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    with no_grad(), np.errstate(all="ignore"):
        return surface(as_tensor(x), as_tensor(y)).numpy()


def _region(surface: Surface, paths: list[np.ndarray]) -> Region:
    """A box around the places that lie as near to the lowest one as the start does, or half as far again."""
    places = np.concatenate(paths)
    places = places[np.isfinite(places).all(1)]
    heights = _heights(surface, *places.T)
    places, heights = places[np.isfinite(heights)], heights[np.isfinite(heights)]
    lowest = places[heights.argmin()]
    distance = np.hypot(*(places - lowest).T)
    near = places[distance <= 1.5 * np.hypot(*(paths[0][0] - lowest)) + 1e-6]
    middle, half = (near.max(0) + near.min(0)) / 2, (near.max(0) - near.min(0)) / 2
    half = np.maximum(half, 0.4 * half.max()) * 1.25 + 1e-3
    (left, bottom), (right, top) = (middle - half).tolist(), (middle + half).tolist()
    return (left, right), (bottom, top)


__all__ = ["LANDSCAPES", "path", "race"]

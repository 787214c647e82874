"""SGD, momentum and Adam on their way down the same landscape, at the learning rate of a slider."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ... import optim
from ...autograd.modes import no_grad
from ...ops import as_tensor
from ...viz.landscape import LANDSCAPES, Surface, path
from ..widget import Widget

STEPS = 80
RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.9, 1.1)
FINE = 72  # points of the grid that the map is shaded from, in each direction
FAR = 1e4  # a path ends when it is so far away
HIGH = 1e30
# from and to, of both variables; where the race begins; a word on what is hard about it
FIELDS: dict[str, tuple[float, tuple[float, float], str]] = {
    "bowl": (6, (-5.0, 2.5), "Twenty times steeper in one direction than in the other; lowest in the middle."),
    "rosenbrock": (2.2, (-1.2, 1.6), "A bent valley with a nearly flat floor; lowest at (1, 1)."),
    "saddle": (
        3,
        (2.0, 0.05),
        "Flat at the pass in the middle, where the gradient is nearly zero; lowest at (0, ±1.41).",
    ),
    "waves": (6, (4.6, -3.9), "Ripples on a bowl: many small hollows, and only one that is lowest, in the middle."),
}
RACERS: dict[str, Callable[[Any, float], optim.Optimizer]] = {
    "SGD": lambda variables, lr: optim.SGD(variables, lr=lr),
    "momentum": lambda variables, lr: optim.SGD(variables, lr=lr, momentum=0.9),
    "Adam": lambda variables, lr: optim.Adam(variables, lr=lr),
}

HTML = """
<h1>Three optimizers, one landscape, one learning rate</h1>
<div class="row">
  <label>landscape <select id="field"></select></label>
  <label>learning rate <input id="rate" type="range" min="0" step="1"> <output id="rate-text"></output></label>
</div>
<div class="row">
  <button id="play">Play</button><button id="restart">To the start</button>
  <label>step <input id="step" type="range" min="0" step="1"> <output id="step-text"></output></label>
</div>
<div class="row top">
  <div class="map"><canvas id="shade" width="400" height="400"></canvas><svg id="paths" viewBox="0 0 400 400" role="img"></svg></div>
  <div class="side">
    <table><thead><tr><th></th><th>height</th><th>place</th></tr></thead><tbody id="table"></tbody></table>
    <svg id="curves" viewBox="0 0 300 190" role="img"></svg>
  </div>
</div>
<p class="quiet" id="story"></p>
"""

CSS = """
.top { align-items: flex-start; margin-top: 10px; }
.map { position: relative; width: 400px; max-width: 100%; aspect-ratio: 1; border: 1px solid var(--line); border-radius: 7px; overflow: hidden; }
.map canvas, .map svg { position: absolute; inset: 0; width: 100%; height: 100%; }
.side { flex: 1 1 260px; max-width: 360px; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; font-weight: 500; color: var(--quiet); }
td, th { padding: 2px 8px 2px 0; white-space: nowrap; }
td:nth-child(2) { min-width: 6em; }
.SGD { --own: var(--blue); } .momentum { --own: var(--orange); } .Adam { --own: var(--purple); }
.name { color: var(--own); font-weight: 600; }
polyline { fill: none; stroke: var(--own); stroke-width: 1.8; stroke-linejoin: round; }
.SGD polyline { stroke-dasharray: 5 3; } .momentum polyline { stroke-dasharray: 1.5 2.5; stroke-width: 2.2; }
.marker { fill: var(--own); stroke: var(--paper); stroke-width: 1.5; }
.cross { stroke: var(--ink); stroke-width: 2; }
.axis { stroke: var(--line); } #curves text { font-size: 11px; fill: var(--quiet); }
#step, #rate { width: 170px; vertical-align: middle; }
"""


def optimizer_race() -> Widget:
    """Three optimizers on four landscapes at eleven learning rates, each step computed by the engine."""
    fields = {name: _field(LANDSCAPES[name], *traits) for name, traits in FIELDS.items()}
    shapes = dict(zip(RACERS, ("circle", "square", "triangle"), strict=True))
    data = {"rates": RATES, "steps": STEPS, "fine": FINE, "shapes": shapes, "fields": fields}
    script = Path(__file__).with_suffix(".js").read_text("utf-8")
    return Widget(HTML, CSS, script, data, title="Optimizers racing over a landscape", height=560)


def _field(surface: Surface, size: float, start: tuple[float, float], story: str) -> dict[str, Any]:
    line = np.linspace(-size, size, FINE)
    heights = _heights(surface, *np.meshgrid(line, line))
    ranks = np.searchsorted(np.sort(heights, axis=None), heights) / heights.size  # bands of equal area
    runs = [{name: _way(surface, make, rate, start) for name, make in RACERS.items()} for rate in RATES]
    return {
        "size": size,
        "start": start,
        "story": story,
        "levels": bytes((ranks * 255).astype(np.uint8).ravel()).hex(),
        "runs": runs,
    }


def _way(surface: Surface, make: Callable, rate: float, start: tuple[float, float]) -> list[list[float]]:
    """Places with their heights above the lowest point, until the last step or until the path has left for good."""
    with np.errstate(all="ignore"):
        places = path(surface, lambda variables: make(variables, rate), start, STEPS)
        heights = np.minimum(_heights(surface, *places.T) - LOWEST.get(surface.__name__, 0.0), HIGH)
    near = np.isfinite(heights) & (np.abs(places) < FAR).all(1)
    count = len(places) if near.all() else int(near.argmin())
    return [[float(f"{v:.4g}") for v in row] for row in np.column_stack([places, heights])[:count]]


LOWEST = {"saddle": -1.0}  # of the landscapes whose lowest point is not at height 0


def _heights(surface: Surface, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    with no_grad():
        return surface(as_tensor(x), as_tensor(y)).numpy()


__all__ = ["optimizer_race"]

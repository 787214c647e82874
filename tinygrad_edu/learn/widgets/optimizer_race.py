"""SGD, momentum and Adam on their way down the same landscape, at the learning rate of a slider."""

from __future__ import annotations

from collections.abc import Callable
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
    "saddle": (3, (2.0, 0.05), "Flat at the pass in the middle, where the gradient is nearly zero; lowest at (0, ±1.41)."),
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

JS = """
const state = { field: Object.keys(data.fields)[0], rate: data.rates.indexOf(0.05), step: data.steps };
const racers = Object.keys(data.shapes);
let clock = null;

function marker(shape, x, y, r) {
  if (shape === "square") return make("rect", { class: "marker", x: x - r, y: y - r, width: 2 * r, height: 2 * r });
  const corners = [[0, -1.25], [1.15, 0.85], [-1.15, 0.85]].map(([a, b]) => `${x + a * r},${y + b * r}`).join(" ");
  return shape === "circle" ? make("circle", { class: "marker", cx: x, cy: y, r }) : make("polygon", { class: "marker", points: corners });
}

// The map: the engine's heights, in bands between contour lines.
function shade() {
  const { levels } = data.fields[state.field], n = data.fine, canvas = one("#shade"), context = canvas.getContext("2d");
  const w = canvas.width, image = context.createImageData(w, w);
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const [low, high, line] = dark ? [[22, 60, 72], [24, 26, 31], [96, 110, 128]] : [[205, 232, 226], [252, 252, 250], [150, 165, 175]];
  const at = (x, y) => parseInt(levels.substr(2 * (y * n + x), 2), 16);
  const field = new Float32Array(w * w);
  for (let j = 0; j < w; j++) for (let i = 0; i < w; i++) {
    const x = i / (w - 1) * (n - 1), y = (1 - j / (w - 1)) * (n - 1);
    const x0 = Math.min(Math.floor(x), n - 2), y0 = Math.min(Math.floor(y), n - 2), a = x - x0, b = y - y0;
    field[j * w + i] = (1 - b) * ((1 - a) * at(x0, y0) + a * at(x0 + 1, y0)) + b * ((1 - a) * at(x0, y0 + 1) + a * at(x0 + 1, y0 + 1));
  }
  const band = (k) => Math.floor(field[k] / 14);
  for (let k = 0; k < w * w; k++) {
    const edge = k % w && k >= w && (band(k) !== band(k - 1) || band(k) !== band(k - w));
    const t = field[k] / 255;
    for (let c = 0; c < 3; c++) image.data[4 * k + c] = edge ? line[c] : low[c] * (1 - t) + high[c] * t;
    image.data[4 * k + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

function draw() {
  const { size, start, story, runs } = data.fields[state.field];
  const place = ([x, y]) => [(x + size) / (2 * size) * 400, (size - y) / (2 * size) * 400];
  const ways = runs[state.rate], svg = one("#paths"), table = one("#table"), curves = one("#curves");
  svg.replaceChildren(make("title", {}, "the ways of the optimizers from the start, marked by a cross"));
  table.replaceChildren();
  const heights = racers.flatMap((name) => ways[name].map((p) => p[2])).filter((h) => h < 1e6);
  const lowest = 1e-6, top = Math.log10(Math.max(...heights, 1)), bottom = Math.log10(lowest);
  const across = (k) => 34 + k / data.steps * 258;
  const up = (h) => 168 - (Math.log10(Math.min(Math.max(h, lowest), 10 ** top)) - bottom) / (top - bottom) * 156;
  curves.replaceChildren(make("title", {}, "height above the lowest point, step by step"),
    make("line", { class: "axis", x1: 34, y1: 168, x2: 292, y2: 168 }), make("line", { class: "axis", x1: 34, y1: 12, x2: 34, y2: 168 }),
    make("text", { x: 30, y: 171, "text-anchor": "end" }, "1e−6"), make("text", { x: 30, y: up(1) + 4, "text-anchor": "end" }, "1"),
    make("text", { x: 292, y: 184, "text-anchor": "end" }, `step ${data.steps}`), make("text", { x: 40, y: 10 }, "height above the lowest point"));
  for (const name of racers) {
    const way = ways[name], last = Math.min(state.step, way.length - 1), flown = state.step > way.length - 1;
    const [x, y, h] = way[last];
    const here = make("g", { class: name }), there = make("g", { class: name });
    here.append(make("polyline", { points: way.slice(0, last + 1).map((p) => place(p).map((v) => v.toFixed(1)).join(",")).join(" ") }));
    if (!flown) here.append(marker(data.shapes[name], ...place([x, y]), 7));
    there.append(make("polyline", { points: way.slice(0, last + 1).map((p, k) => `${across(k).toFixed(1)},${up(p[2]).toFixed(1)}`).join(" ") }));
    if (!flown) there.append(marker(data.shapes[name], across(last), up(h), 4));
    svg.append(here);
    curves.append(there);
    const sign = make("svg", { width: 16, height: 14, viewBox: "0 0 16 14", style: "display:inline-block;vertical-align:-2px" });
    sign.append(marker(data.shapes[name], 8, 7, 5));
    table.append(make("tr", { class: name, "data-name": name }, make("td", { class: "name" }, sign, " " + name),
      make("td", {}, flown ? "flew away" : number(h, 3)), make("td", {}, flown ? `at step ${way.length - 1}` : `${number(x, 3)}, ${number(y, 3)}`)));
  }
  const [sx, sy] = place(start);
  svg.append(make("line", { class: "cross", x1: sx - 6, y1: sy - 6, x2: sx + 6, y2: sy + 6 }), make("line", { class: "cross", x1: sx - 6, y1: sy + 6, x2: sx + 6, y2: sy - 6 }));
  one("#rate-text").textContent = number(data.rates[state.rate]);
  one("#step-text").textContent = state.step;
  one("#rate").value = state.rate;
  one("#step").value = state.step;
  one("#story").textContent = story;
  one("#play").textContent = clock ? "Pause" : "Play";
}

function stop() {
  clearInterval(clock);
  clock = null;
}

function play() {
  if (clock) stop();
  else if (matchMedia("(prefers-reduced-motion: reduce)").matches) state.step = data.steps;
  else {
    if (state.step === data.steps) state.step = 0;
    clock = setInterval(() => {
      if (++state.step >= data.steps) stop();
      draw();
    }, 70);
  }
  draw();
}

for (const name of Object.keys(data.fields)) one("#field").append(make("option", { value: name }, name));
one("#rate").max = data.rates.length - 1;
one("#step").max = data.steps;
one("#field").addEventListener("change", (event) => { state.field = event.target.value; shade(); draw(); });
one("#rate").addEventListener("input", (event) => { state.rate = Number(event.target.value); draw(); });
one("#step").addEventListener("input", (event) => { stop(); state.step = Number(event.target.value); draw(); });
one("#restart").addEventListener("click", () => { stop(); state.step = 0; draw(); });
one("#play").addEventListener("click", play);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", shade);
shade();
draw();
"""


def optimizer_race() -> Widget:
    """Three optimizers on four landscapes at eleven learning rates, each step computed by the engine."""
    fields = {name: _field(LANDSCAPES[name], *traits) for name, traits in FIELDS.items()}
    shapes = dict(zip(RACERS, ("circle", "square", "triangle"), strict=True))
    data = {"rates": RATES, "steps": STEPS, "fine": FINE, "shapes": shapes, "fields": fields}
    return Widget(HTML, CSS, JS, data, title="Optimizers racing over a landscape", height=560)


def _field(surface: Surface, size: float, start: tuple[float, float], story: str) -> dict[str, Any]:
    line = np.linspace(-size, size, FINE)
    heights = _heights(surface, *np.meshgrid(line, line))
    ranks = np.searchsorted(np.sort(heights, axis=None), heights) / heights.size  # bands of equal area
    runs = [{name: _way(surface, make, rate, start) for name, make in RACERS.items()} for rate in RATES]
    return {"size": size, "start": start, "story": story, "levels": bytes((ranks * 255).astype(np.uint8).ravel()).hex(), "runs": runs}


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

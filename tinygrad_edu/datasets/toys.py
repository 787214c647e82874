"""Data made by a formula: the same seed gives the same numbers.

Each function gives `x, y`: points in the plane and their classes, drawings and their classes, a table and what is to
be told from it.
"""

from __future__ import annotations

from math import pi

import numpy as np

from ..ops import as_tensor
from ..tensor import Tensor

Data = tuple[Tensor, Tensor]

LINES = ("horizontal", "vertical", "crossed")
DELIVERY_COLUMNS = ("distance in km", "traffic from 0 to 1", "preparation in minutes")


def moons(n: int = 500, noise: float = 0.1, seed: int = 0) -> Data:
    """Two half circles that reach into each other."""
    rng, y = _begin(n, 2, seed)
    angle = rng.uniform(0, pi, n)
    sign = 1 - 2 * y
    points = np.stack([y + sign * np.cos(angle), y / 2 + sign * np.sin(angle)], 1)
    return _finish(points, y, noise, rng)


def circles(n: int = 500, noise: float = 0.05, factor: float = 0.5, seed: int = 0) -> Data:
    """A circle of radius 1, and one of radius `factor` inside."""
    rng, y = _begin(n, 2, seed)
    return _finish(_polar(np.where(y == 0, 1, factor), rng.uniform(0, 2 * pi, n)), y, noise, rng)


def spirals(n: int = 600, classes: int = 3, turns: float = 0.7, noise: float = 0.03, seed: int = 0) -> Data:
    """Arms that turn around the origin."""
    rng, y = _begin(n, classes, seed)
    radius = rng.uniform(0.05, 1, n)
    return _finish(_polar(radius, 2 * pi * (turns * radius + y / classes)), y, noise, rng)


def blobs(n: int = 500, classes: int = 3, spread: float = 0.3, seed: int = 0) -> Data:
    """Round clouds, with their centres on a circle of radius 1."""
    rng, y = _begin(n, classes, seed)
    return _finish(_polar(np.ones(n), 2 * pi * y / classes), y, spread, rng)


def pixel_lines(n: int = 600, noise: float = 0.1, size: int = 6, seed: int = 0) -> Data:
    """Drawings of a horizontal line, a vertical line, or one of each (classes 0, 1, 2): x is (n, size, size).

    Lines are at least half as long as the drawing, of any darkness above a half; `noise` is that of the paper.
    """
    rng, y = _begin(n, len(LINES), seed)
    x = np.abs(rng.normal(0, noise, (n, size, size)))
    for drawing, kind in zip(x, y, strict=True):
        row, column = rng.integers(size, size=2)
        if kind != 1:
            drawing[row, _stretch(rng, size, column if kind == 2 else None)] = rng.uniform(0.6, 1)
        if kind != 0:
            drawing[_stretch(rng, size, row if kind == 2 else None), column] = rng.uniform(0.6, 1)
    return as_tensor(np.clip(x, 0, 1).astype(np.float32)), as_tensor(y)


def _stretch(rng: np.random.Generator, size: int, through: int | None) -> slice:
    """A stretch of a line, at least half of it, and past `through` on both sides where there is room."""
    length = int(rng.integers((size + 1) // 2, size + 1))
    start = int(rng.integers(size - length + 1))
    if through is None:
        return slice(start, start + length)
    return slice(min(start, max(through - 1, 0)), max(start + length, min(through + 2, size)))


def delivery(n: int = 500, noise: float = 2.0, seed: int = 0) -> Data:
    """How many minutes a delivery takes: x is (n, 3), see `DELIVERY_COLUMNS`; y is (n, 1).

    minutes = preparation + distance * (2 + 4 * traffic**2) + 3 + noise: traffic makes each kilometre longer.
    """
    rng = np.random.default_rng(seed)
    distance, traffic = rng.uniform(0.5, 12, n), rng.uniform(0, 1, n)
    preparation = rng.uniform(5, 30, n)
    minutes = preparation + distance * (2 + 4 * traffic**2) + 3 + rng.normal(0, noise, n)
    x = np.stack([distance, traffic, preparation], 1)
    return as_tensor(x.astype(np.float32)), as_tensor(minutes[:, None].astype(np.float32))


def _begin(n: int, classes: int, seed: int) -> tuple[np.random.Generator, np.ndarray]:
    """A source of random numbers, and classes as equally frequent as possible, in random order."""
    rng = np.random.default_rng(seed)
    return rng, rng.permutation(np.arange(n) % classes)


def _polar(radius: np.ndarray, angle: np.ndarray) -> np.ndarray:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)


def _finish(points: np.ndarray, y: np.ndarray, noise: float, rng: np.random.Generator) -> Data:
    points = points + rng.normal(0, noise, points.shape)
    return as_tensor(points.astype(np.float32)), as_tensor(y)


__all__ = [
    "DELIVERY_COLUMNS",
    "LINES",
    "blobs",
    "circles",
    "delivery",
    "moons",
    "pixel_lines",
    "spirals",
]

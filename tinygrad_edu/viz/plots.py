"""Pictures of what a network has learned: regions of its classes, its weights, its mistakes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..autograd.modes import no_grad
from ..nn.modules.module import Module
from ..ops import as_tensor
from ..tensor import Tensor
from .figures import COLOURS, MARKERS, TINTS, Plot, panels, style
from .palette import PAPER

FINE = 200  # points of the grid a boundary is drawn from, in each direction
MOST = 64  # pictures in one plot
SMALL = 7  # font size


def decision_boundary(
    model: Callable[[Tensor], Tensor], x: Tensor, y: Tensor, classes: Sequence[str] | None = None
) -> Plot:
    """Which class a model gives to each point of the plane, with the data on top.

    The model turns points (N, 2) into scores (N, classes), or into one number (N,) or (N, 1) that is above 0 for class 1.
    """
    points, labels = _array(x), _array(y).reshape(-1).astype(int)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"decision_boundary draws points in the plane, x of shape (N, 2), but got {points.shape}")
    low, high = points.min(0), points.max(0)
    margin = 0.1 * (high - low)
    xs, ys = (np.linspace(a, b, FINE) for a, b in zip(low - margin, high + margin, strict=True))
    grid = np.stack(np.meshgrid(xs, ys), -1)
    given = _classes(model, grid.reshape(-1, 2).astype(points.dtype)).reshape(FINE, FINE)
    count = max(given.max(), labels.max()) + 1
    names = classes or [f"class {i}" for i in range(count)]
    with style():
        plot, (ax,) = panels(1, "decision boundary", size=(5.6, 4.6))
        tints = [TINTS[i % len(TINTS)][0] for i in range(count)]
        ax.contourf(xs, ys, given, np.arange(count + 1) - 0.5, colors=tints)
        for i in range(count):
            looks: dict[str, Any] = {"marker": MARKERS[i % len(MARKERS)], "color": COLOURS[i % len(COLOURS)][0]}
            across, up = points[labels == i].T
            ax.scatter(across, up, s=16, label=names[i], edgecolors=PAPER[0], linewidths=0.4, **looks)
        ax.set_aspect("equal")
        right = (_classes(model, points) == labels).mean()
        ax.set_title(f"{100 * right:.1f}% of {len(labels)} points right", fontsize=11)
        ax.legend()
    return plot


def _classes(model: Callable[[Tensor], Tensor], points: np.ndarray) -> np.ndarray:
    """The class of each point, by a model that does not train meanwhile."""
    trains = isinstance(model, Module) and model.training
    if trains:
        model.eval()  # type: ignore[attr-defined]
    try:
        with no_grad():
            scores = _array(model(as_tensor(points)))
    finally:
        if trains:
            model.train()  # type: ignore[attr-defined]
    scores = scores.reshape(len(points), -1)
    return (scores[:, 0] > 0).astype(int) if scores.shape[1] == 1 else scores.argmax(1)


def confusion(actual: Tensor, predicted: Tensor, classes: Sequence[str] | None = None) -> Plot:
    """How often each class was taken for each: a row is a class, its columns what it was taken for."""
    truth, guess = (_array(t).reshape(-1).astype(int) for t in (actual, predicted))
    if len(truth) != len(guess):
        raise ValueError(f"confusion: {len(truth)} classes and {len(guess)} predictions do not go together")
    count = max(len(classes or ()), truth.max(initial=0) + 1, guess.max(initial=0) + 1)
    table = np.zeros((count, count), int)
    np.add.at(table, (truth, guess), 1)
    share = table / np.maximum(table.sum(1, keepdims=True), 1)
    names = list(classes or map(str, range(count)))
    with style():
        side = 0.42 * count + 1.6
        plot, (ax,) = panels(1, "confusion matrix", size=(side, side))
        ax.pcolormesh(share, cmap="Blues", vmin=0, vmax=1.15, edgecolors=PAPER[0], linewidth=1)
        for i, j in np.argwhere(table):
            shade = "#fdfdfd" if share[i, j] > 0.5 else "#101418"  # on the cell, in light and in dark
            ax.text(j + 0.5, i + 0.5, str(table[i, j]), ha="center", va="center", fontsize=SMALL + 1, color=shade)
        turned = 45 if max(map(len, names)) > 3 else 0
        ax.set_xticks(np.arange(count) + 0.5, names, rotation=turned, ha="right" if turned else "center")
        ax.set_yticks(np.arange(count) + 0.5, names)
        ax.invert_yaxis()
        ax.set_aspect("equal")
        ax.tick_params(length=0)
        ax.set_xlabel("taken for")
        ax.set_ylabel("is")
        ax.set_title(f"{100 * np.trace(table) / max(table.sum(), 1):.1f}% right", fontsize=11)
    return plot


def images(x: Tensor, titles: Sequence[str] | None = None, columns: int = 8) -> Plot:
    """Pictures (N, H, W) or (N, C, H, W), dark where the numbers are large, or in colour."""
    pictures = _array(x)[:MOST]
    if pictures.ndim == 4:
        pictures = pictures.transpose(0, 2, 3, 1)
    if pictures.ndim == 4 and pictures.shape[-1] == 1:
        pictures = pictures[..., 0]
    if pictures.ndim not in (3, 4):
        raise ValueError(f"images draws (N, H, W) or (N, C, H, W), but got {tuple(x.shape)}")
    return _gallery(pictures, "pictures", titles, columns, cmap="Greys")


def weights(layer: Module, shape: tuple[int, int] | None = None, columns: int = 8) -> Plot:
    """What each unit of a layer looks for: its weights as a picture, blue where positive, red where negative.

    `shape` is that of the input's picture, for a layer whose input is one laid flat; by itself it is a square.
    """
    values = _array(layer.weight)
    if shape is None:
        side = math.isqrt(values.shape[-1])
        shape = values.shape[-2:] if values.ndim > 2 else (side, side)
    if values.ndim == 2 and math.prod(shape) != values.shape[1]:
        raise ValueError(f"{values.shape[1]} weights of a unit are no picture of {shape}; write shape=(height, width)")
    pictures = values.reshape(-1, *shape)[:MOST]
    largest = float(np.abs(pictures).max()) or 1.0
    names = [f"{i}" for i in range(len(pictures))]
    return _gallery(pictures, "weights", names, columns, cmap="RdBu", vmin=-largest, vmax=largest)


def _gallery(pictures: np.ndarray, title: str, titles: Sequence[str] | None, columns: int, **options: Any) -> Plot:
    with style():
        plot, axes = panels(len(pictures), title, columns, size=(1.0, 1.15 if titles else 1.0))
        for i, (picture, ax) in enumerate(zip(pictures, axes, strict=True)):
            ax.imshow(picture, interpolation="nearest", **options)
            ax.set_axis_off()
            if titles is not None:
                ax.set_title(titles[i], fontsize=SMALL)
    return plot


def _array(x: Tensor) -> np.ndarray:
    return x.detach().cpu().numpy()


__all__ = ["confusion", "decision_boundary", "images", "weights"]

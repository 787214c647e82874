"""What a page shows of its arrays, as plain data: a few numbers as they are, of many their statistics and a map."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from .labels import dtype_text, on_host

LEVELS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+"  # a letter for each of -31 ... 31
MOST = 31
LETTERS = LEVELS + "!"  # the last one where a number of the map is not finite
ROOM = 600_000  # characters for the arrays of one page


class Contents:
    """The arrays of a page, each once; `add` answers its place in the table.

    The more arrays there are, the less is shown of each, so that a page stays small.
    """

    def __init__(self, arrays: int) -> None:
        share = ROOM // max(arrays, 1)
        self.numbers, self.cells = min(64, share // 12), min(768, share)
        self.table: list[dict[str, Any]] = []
        self._places: dict[str, int] = {}

    def add(self, array: Any) -> int:
        """The place of an array in the table: equal ones share theirs."""
        shown = described(array, self.numbers, self.cells)
        key = json.dumps(shown)
        if key not in self._places:
            self._places[key] = len(self.table)
            self.table.append(shown)
        return self._places[key]


def described(array: Any, numbers: int, cells: int) -> dict[str, Any]:
    """An array as plain data, with no more numbers or cells of a map than these."""
    array = on_host(array)
    shown: dict[str, Any] = {"shape": list(array.shape), "dtype": dtype_text(array.dtype)}
    if array.size <= max(numbers, 1):
        return shown | {"numbers": [plain(x) for x in array.ravel()]}
    if array.dtype.kind not in "fiub":
        return shown
    finite = array[np.isfinite(array)].astype(np.float64)
    if finite.size:
        shown |= {"min": short(finite.min()), "mean": short(finite.mean()), "max": short(finite.max())}
    if zeros := int(np.count_nonzero(array == 0)):
        shown["zeros"] = zeros
    if finite.size < array.size:
        nan = int(np.isnan(array).sum())
        shown |= {"nan": nan, "inf": array.size - finite.size - nan}
    return shown | {"map": heat_map(array, cells)}


def plain(x: Any) -> Any:
    """A number that JSON can hold and that reads back as the same number in the array's dtype."""
    if isinstance(x, (np.bool_, np.integer)):
        return x.item()
    if isinstance(x, np.complexfloating):
        return f"{complex(x):.4g}"
    return float(str(x)) if np.isfinite(x) else str(x)  # str: the fewest digits, also of single precision


def short(x: float) -> float:
    """A statistic in six digits: the last ones depend on the order of a sum."""
    return float(f"{x:.6g}")


def heat_map(array: np.ndarray, cells: int) -> dict[str, Any]:
    """The numbers as rows and columns of at most `cells` letters, each the mean of a block."""
    rows = array.reshape(-1, array.shape[-1]) if array.ndim > 1 else array.reshape(1, -1)
    height, width = rows.shape
    r = min(height, 24, max(1, int((cells * height / (height + width)) ** 0.5)))
    c = min(width, 32 if height > 1 else 64, max(1, cells // r))
    blocks = _means(_means(rows.astype(np.float64), r, 0), c, 1)
    finite = blocks[np.isfinite(blocks)]
    scale = float(np.abs(finite).max()) if finite.size else 0.0
    levels = np.where(np.isfinite(blocks), np.rint(blocks * (MOST / (scale or 1.0))), MOST + 1).astype(int)
    cells_text = "".join([LETTERS[i] for i in (levels + MOST).ravel().tolist()])
    each = [round(height / r, 1), round(width / c, 1)]
    return {"rows": r, "columns": c, "scale": short(scale), "each": each, "cells": cells_text}


def _means(a: np.ndarray, count: int, axis: int) -> np.ndarray:
    """The means of `count` blocks of about equal length."""
    edges = np.linspace(0, a.shape[axis], count + 1).astype(int)
    with np.errstate(invalid="ignore"):
        sums = np.add.reduceat(a, edges[:-1], axis=axis)
    lengths = np.diff(edges)
    return sums / (lengths[:, None] if axis == 0 else lengths)

"""How a tensor prints: aligned numbers, the middle of long dimensions left out, and what is not obvious at the end."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import devices, dtypes
from .tensor import Leaf, Tensor


@dataclass
class Options:
    """What `set_printoptions` sets."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


OPTIONS = Options()
PROFILES = {"default": (4, 1000, 3, 80), "short": (2, 1000, 2, 80), "full": (4, math.inf, 3, 80)}


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set the digits behind the point, from how many elements on a tensor is shortened, to how many, and line lengths."""
    if profile is not None:
        OPTIONS.precision, OPTIONS.threshold, OPTIONS.edgeitems, OPTIONS.linewidth = PROFILES[profile]
    if precision is not None:
        OPTIONS.precision = precision
    if threshold is not None:
        OPTIONS.threshold = threshold
    if edgeitems is not None:
        OPTIONS.edgeitems = edgeitems
    if linewidth is not None:
        OPTIONS.linewidth = linewidth
    OPTIONS.sci_mode = sci_mode


# --- numbers -------------------------------------------------------------------------------------------------------------


def formatter(shown: np.ndarray) -> tuple[Callable[[Any], str], int]:
    """What writes one of the numbers that are shown, and the width that all of them have."""
    if shown.dtype.kind == "c":
        return _complex_formatter(shown)
    if shown.dtype.kind == "f":
        return _float_formatter(shown)
    texts = [str(v) for v in shown.ravel().tolist()]
    width = max(map(len, texts), default=1)
    return (lambda v: str(v).rjust(width)), width


def _float_formatter(shown: np.ndarray) -> tuple[Callable[[Any], str], int]:
    """Whole numbers, decimals or powers of ten; the width is that of the finite numbers beside 0."""
    values = shown.astype(np.float64).ravel()
    values = values[np.isfinite(values) & (values != 0)]
    if not values.size:
        return _whole, 1
    sizes = np.abs(values)
    largest, smallest = sizes.max(), sizes.min()
    whole = bool(np.all(sizes == np.ceil(sizes)))
    wide = largest / smallest > 1000 or largest > 1e8 or (smallest < 1e-4 and not whole)
    if wide if OPTIONS.sci_mode is None else OPTIONS.sci_mode:
        return _padded(lambda v: f"{v:.{OPTIONS.precision}e}", values)
    return _padded(_whole if whole else lambda v: f"{v:.{OPTIONS.precision}f}", values)


def _whole(v: float) -> str:
    """A whole number as a float is written, or `inf` or `nan`."""
    return f"{v:.0f}." if math.isfinite(v) else f"{v:.0f}"


def _padded(write: Callable[[float], str], values: np.ndarray) -> tuple[Callable[[Any], str], int]:
    width = max(len(write(v)) for v in values.tolist())
    return (lambda v: write(v).rjust(width)), width


def _complex_formatter(shown: np.ndarray) -> tuple[Callable[[Any], str], int]:
    real, real_width = _float_formatter(shown.real)
    imag, imag_width = _float_formatter(shown.imag)

    def write(v: complex) -> str:
        second = imag(v.imag).lstrip()
        sign = "" if second[0] == "-" else "+"
        return f"{real(v.real)}{sign}{second}j"

    return write, real_width + imag_width + 1


# --- nested brackets -------------------------------------------------------------------------------------------------------


def shortened(array: np.ndarray) -> np.ndarray:
    """The elements that are shown of a long array."""
    edge = OPTIONS.edgeitems
    for d, n in enumerate(array.shape):
        if n > 2 * edge:
            ends = array[(slice(None),) * d + (slice(0, edge),)], array[(slice(None),) * d + (slice(n - edge, n),)]
            array = np.concatenate(ends, d)
    return array


def body(array: np.ndarray, indent: int, short: bool) -> str:
    """The elements in nested brackets, each line indented under the first."""
    write, width = formatter(shortened(array) if short else array)
    return _nested(array, indent, short, write, width)


def _nested(array: np.ndarray, indent: int, short: bool, write: Callable[[Any], str], width: int) -> str:
    """A bracket for each dimension; the depth of the calls is the number of dimensions."""
    edge = OPTIONS.edgeitems
    if not array.ndim:
        return write(array.item())
    cut = short and array.shape[0] > 2 * edge
    if array.ndim == 1:
        texts = [write(v) for v in (shortened(array) if cut else array).tolist()]
        if cut:
            texts.insert(edge, " ...")
        per_line = max(1, math.floor((OPTIONS.linewidth - indent) / (width + 2)))
        lines = [", ".join(texts[i : i + per_line]) for i in range(0, len(texts), per_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
    rows = itertools.chain(array[:edge], array[-edge:]) if cut else array
    texts = [_nested(row, indent + 1, short, write, width) for row in rows]
    if cut:
        texts.insert(edge, "...")
    return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(texts) + "]"


# --- the whole -------------------------------------------------------------------------------------------------------------


def text(self: Tensor, *, tensor_contents: Any = None) -> str:
    """`tensor(...)` as PyTorch writes it."""
    name = "tensor(" if type(self) is Tensor or type(self).__name__ == "Parameter" else f"{type(self).__name__}("
    array = devices.move(self.array, devices.CPU)
    notes = []
    if self.is_cuda:
        notes.append(f"device='{self.device}'")
    usual = (dtypes.get_default_dtype(), dtypes.get_default_dtype().to_complex(), dtypes.int64, dtypes.bool_)
    if not array.size:
        if array.ndim != 1:
            notes.append(f"size={tuple(array.shape)}")
        if self.dtype is not dtypes.get_default_dtype():
            notes.append(f"dtype={self.dtype}")
        contents = "[]"
    else:
        if self.dtype not in usual:
            notes.append(f"dtype={self.dtype}")
        contents = body(array, len(name), array.size > OPTIONS.threshold)
    node = self.edge()
    if isinstance(node, Leaf):
        notes.append("requires_grad=True")
    elif node is not None:
        notes.append(f"grad_fn=<{node.as_function()[0].name()}>")
    return _with_notes(name + contents, notes, len(name), array)


def _with_notes(start: str, notes: list[str], indent: int, array: np.ndarray) -> str:
    """The notes behind the elements, on a line of their own where the last one is full."""
    parts, length = [start], len(start) - start.rfind("\n") + 1
    for note in notes:
        if length + len(note) + 2 > OPTIONS.linewidth:
            parts.append(",\n" + " " * indent + note)
            length = indent + len(note)
        else:
            parts.append(", " + note)
            length += len(note) + 2
    return "".join(parts) + ")"

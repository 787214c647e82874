"""How things are written in pictures: shapes, numbers, sizes, names; short, and safe whatever is in them."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import devices

SMALL = 6  # arrays of no more numbers are written out
CONTROL = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]+"
)  # what no line of text or XML can hold


def clean(text: str) -> str:
    """The text on one line, without what cannot be shown."""
    return CONTROL.sub(" ", text).strip()


def cut(text: str, length: int = 44) -> str:
    """The text on one line and no longer than `length`: what is too long loses its middle."""
    text = clean(text[: 4 * length] + text[-length:] if len(text) > 5 * length else text)
    if len(text) <= length:
        return text
    head = (length - 1) * 2 // 3
    return text[:head] + "…" + text[head + 1 - length :]


def escaped(text: str) -> str:
    """The text for HTML-like labels and for SVG."""
    return html.escape(clean(text), quote=True)


def shape_text(shape: Sequence[int]) -> str:
    """A shape as PyTorch prints it."""
    return f"[{', '.join(map(str, shape))}]" if len(shape) else "scalar"


def dtype_text(dtype: Any) -> str:
    """A dtype, without the module that it is in."""
    return str(dtype).removeprefix("torch.").rpartition(".")[2]


def number(x: Any) -> str:
    """A number in four digits."""
    if isinstance(x, (bool, np.bool_)):
        return str(bool(x))
    if isinstance(x, (int, np.integer)):
        return str(int(x)) if abs(int(x)) < 10**15 else f"{float(x):.4g}"
    if isinstance(x, (complex, np.complexfloating)):
        return f"{complex(x):.4g}"
    x = float(x)
    if math.isnan(x):
        return "NaN"
    if math.isinf(x):
        return "∞" if x > 0 else "−∞"
    return f"{x:.4g}".replace("-", "−")


def value_text(array: Any) -> str:
    """A few numbers as they are, more as their statistics."""
    array = on_host(array)
    if array.size == 0:
        return "no numbers"
    if array.size > SMALL or array.dtype.kind not in "fciub":
        return statistics(array)
    if array.ndim == 0:
        return number(array[()])
    rows = array.reshape(-1, array.shape[-1]).tolist()
    texts = ["[" + ", ".join(number(x) for x in row) + "]" for row in rows]
    return ", ".join(texts) if array.ndim == 1 else f"[{', '.join(texts)}]"


def statistics(array: Any) -> str:
    """The least, the mean and the greatest number, and the share of zeros where there are any."""
    array = on_host(array)
    if array.dtype.kind not in "fiub" or array.size == 0:
        return f"{array.size} numbers" if array.dtype.kind == "c" else f"{array.size} values"
    numbers = array[np.isfinite(array)].astype(np.float64)
    if numbers.size == 0:
        return "no finite number"
    least, mean, most = number(numbers.min()), number(numbers.mean()), number(numbers.max())
    text = f"{least} … {most}, mean {mean}"
    zeros = 100 * np.count_nonzero(array == 0) / array.size
    return text + (f", {zeros:.0f} % zeros" if zeros >= 0.5 else "")


def faults(array: Any, infinite: bool = False) -> str:
    """How many NaN and infinities there are, "" if none; infinities count unless they are meant, as in a mask."""
    array = on_host(array)
    if array.dtype.kind not in "fc":
        return ""
    nans, infinities = int(np.isnan(array).sum()), 0 if infinite else int(np.isinf(array).sum())
    texts = [f"{count} {name}" for count, name in ((nans, "NaN"), (infinities, "∞")) if count]
    return f"{' and '.join(texts)} of {array.size}" if texts else ""


def bytes_text(count: int) -> str:
    """A size in bytes, kB, MB or GB."""
    size = float(count)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def seconds_text(seconds: float) -> str:
    """A time in µs, ms or s."""
    for factor, unit in ((1e6, "µs"), (1e3, "ms")):
        if seconds * factor < 1000:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.3g} s"


def on_host(array: Any) -> np.ndarray:
    """The array in the computer's own memory."""
    return np.asarray(devices.move(array, devices.CPU))

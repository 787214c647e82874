"""What is wrong with an answer: its shape, a factor, a sign, a transpose, a sum that is missing, or where it differs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..tensor import Tensor
from ..viz.labels import cut, number

RTOL = 1e-5


def difference(answer: Any, expected: Any, atol: float) -> str:
    """One sentence on how an answer differs from what is expected, "" if it does not."""
    if isinstance(expected, Mapping):
        return _mappings(answer, expected, atol)
    if isinstance(expected, (tuple, list)):
        return _sequences(answer, expected, atol)
    if isinstance(expected, bool) or not _numeric(expected):
        tensor = isinstance(answer, (Tensor, np.ndarray)) and answer.ndim > 0
        return "" if not tensor and answer == expected else f"{_short(answer)} is not it"
    if not _numeric(answer):
        return f"a {_kind_of(expected)} is wanted, and this is {_short(answer)}"
    if np.ndim(expected_array := _array(expected)) == 0 and _array(answer).size == 1:
        return _numbers(_array(answer).reshape(()), expected_array, atol)
    return _arrays(_array(answer), expected_array, atol)


def _mappings(answer: Any, expected: Mapping, atol: float) -> str:
    if not isinstance(answer, Mapping):
        return f"a dictionary with the keys {', '.join(map(str, expected))} is wanted, and this is {_short(answer)}"
    for key, value in expected.items():
        if key not in answer:
            return f"the key {key!r} is missing"
        if wrong := difference(answer[key], value, atol):
            return f"at {key!r}: {wrong}"
    unknown = [key for key in answer if key not in expected]
    return f"the key {unknown[0]!r} is one too many" if unknown else ""


def _sequences(answer: Any, expected: tuple | list, atol: float) -> str:
    if isinstance(answer, (Tensor, np.ndarray)) and answer.ndim == 1:
        answer = answer.tolist()
    wanted = "1 value is wanted" if len(expected) == 1 else f"{len(expected)} values are wanted"
    if not isinstance(answer, (tuple, list)):
        return f"{wanted}, in a {type(expected).__name__}, and this is {_short(answer)}"
    if len(answer) != len(expected):
        return f"{wanted}, and this has {len(answer)}"
    if all(isinstance(v, int) for v in (*answer, *expected)) and list(answer) == list(expected)[::-1] != list(expected):
        return "the right values in the opposite order"
    for i, (a, e) in enumerate(zip(answer, expected, strict=True)):
        if wrong := difference(a, e, atol):
            return f"value {i}: {wrong}"
    return ""


def _numbers(a: np.ndarray, e: np.ndarray, atol: float) -> str:
    """How a number differs; the expected one is not told."""
    if _close(a, e, atol):
        return ""
    shown = f"{int(a):,}" if abs(a) < 1e15 and a == np.floor(a) else number(a)
    if not np.isfinite(a):
        return f"it is {shown}: look for a division by zero, the logarithm of zero or an exp that is too large"
    if a and _close(-a, e, atol):
        return f"{shown} has the right size and the wrong sign"
    ratio = float(a / e) if e else 0.0
    for factor, text in ((ratio, "large"), (1 / ratio if ratio else 0.0, "small")):
        if 2 <= factor <= 1e6 and abs(factor - round(factor)) < 1e-4 * factor:
            return f"{shown} is exactly {round(factor):,} times too {text}"
    return f"{shown} is too {'large' if a > e else 'small'}"


# --- tensors -----------------------------------------------------------------------------------------------------------


def _arrays(a: np.ndarray, e: np.ndarray, atol: float) -> str:
    if a.shape != e.shape:
        return f"its shape is {_shape(a)}, and {_shape(e)} is wanted" + _shape_reason(a, e, atol)
    if _close(a, e, atol):
        return ""
    strange = ~np.isfinite(a) & np.isfinite(e)
    if strange.any():
        where = _first(strange)
        return f"{strange.sum()} of {a.size} entries are not finite, the first at {where}: {number(a[where])}"
    return _scaled(a, e, atol) or _shifted(a, e, atol) or _turned(a, e, atol) or _somewhere(a, e, atol)


def _shape_reason(a: np.ndarray, e: np.ndarray, atol: float) -> str:
    """Why the shape is wrong, if the numbers tell."""
    if a.ndim >= 2 and a.shape[:-2] == e.shape[:-2] and _same(np.swapaxes(a, -1, -2), e, atol):
        return ": it is transposed, write .T"
    if a.size == e.size and _same(a.reshape(e.shape), e, atol):
        return ": the numbers are right, a reshape is missing"
    for axes in [(d,) for d in range(a.ndim)] + [tuple(range(a.ndim))]:
        over = f"dimension {axes[0]}" if len(axes) == 1 else "all dimensions"
        for reduce, word in ((np.sum, "sum"), (np.mean, "mean")):
            if a.size and _same(reduce(a, axes).reshape(-1), e.reshape(-1), atol):
                return f": the {word} over {over} is missing"
    for d in range(e.ndim):
        for reduce, word in ((np.sum, "summed"), (np.mean, "averaged")):
            if e.size and _same(reduce(e, d), a, atol):
                return f": it is {word} over dimension {d}, and each entry along it is wanted"
    return ""


def _scaled(a: np.ndarray, e: np.ndarray, atol: float) -> str:
    square = float((e * e).sum())
    factor = float((a * e).sum()) / square if square else 1.0
    if not _close(a, factor * e, atol):
        return ""
    if not a.any():
        return "all its entries are zero"
    if abs(factor + 1) < 1e-4:
        return "every entry has the right size and the wrong sign"
    ratio = max(factor, 1 / factor) if factor > 0 else 0.0
    text = f"every entry is {number(factor)} times what it should be"
    for d, length in enumerate(a.shape):
        if length > 1 and abs(ratio - length) < 1e-4 * length:
            done = "a sum where a mean belongs" if factor > 1 else "a mean where a sum belongs"
            return f"{text}; {length} is the length of dimension {d}: {done}?"
    if ratio > 1 and abs(ratio - a.size) < 1e-4 * a.size:
        return f"{text}, the number of entries: {'a mean' if factor > 1 else 'a sum'} belongs here"
    return text


def _shifted(a: np.ndarray, e: np.ndarray, atol: float) -> str:
    by = float(np.mean(a - e))
    return f"every entry is {number(abs(by))} too {'large' if by > 0 else 'small'}" if _close(a, e + by, atol) else ""


def _turned(a: np.ndarray, e: np.ndarray, atol: float) -> str:
    for order in itertools.permutations(range(a.ndim)) if a.ndim <= 4 else ():
        if list(order) != sorted(order) and _same(a.transpose(order), e, atol):
            return "it is transposed, write .T" if a.ndim == 2 else f"its dimensions are in another order: {order}"
    return ""


def _somewhere(a: np.ndarray, e: np.ndarray, atol: float) -> str:
    """How many entries differ, the worst of them, and whether whole rows are right."""
    wrong = np.abs(a - e) > atol + RTOL * np.abs(e)
    worst = np.unravel_index(np.argmax(np.where(wrong, np.abs(a - e), -1)), a.shape)
    at = f"[{', '.join(map(str, worst))}]"
    text = (
        f"{wrong.sum()} of {a.size} entries differ; the worst is {at}: {number(a[worst])} instead of {number(e[worst])}"
    )
    for d in range(a.ndim if a.ndim > 1 else 0):
        others = tuple(i for i in range(a.ndim) if i != d)
        touched = wrong.any(others)
        if not touched.all():
            return f"{text}; only at {cut(', '.join(map(str, np.flatnonzero(touched))), 40)} of dimension {d}"
    if _close(np.where(wrong, -a, a), e, atol):
        return f"{text}; these have the wrong sign"
    return text


def _close(a: np.ndarray, e: np.ndarray, atol: float) -> bool:
    return bool(np.allclose(a, e, rtol=RTOL, atol=atol, equal_nan=True))


def _same(a: np.ndarray, e: np.ndarray, atol: float) -> bool:
    return a.shape == e.shape and _close(a, e, atol)


# --- words -------------------------------------------------------------------------------------------------------------


def _array(value: Any) -> np.ndarray:
    """Any number or tensor in double precision, so that a comparison rounds nothing."""
    array = value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


def _numeric(value: Any) -> bool:
    try:
        return isinstance(value, Tensor) or np.asarray(value).dtype.kind in "biufc"
    except ValueError:  # a list of lists of different lengths
        return False


def _kind_of(value: Any) -> str:
    return "tensor" if isinstance(value, (Tensor, np.ndarray)) and value.ndim else "number"


def _short(value: Any) -> str:
    if isinstance(value, (Tensor, np.ndarray)):
        return f"a tensor of shape {_shape(value)}"
    return cut(repr(value), 60)


def _shape(value: Any) -> str:
    return str(tuple(value.shape))


def _first(where: np.ndarray) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(where)[0])


__all__ = ["difference"]

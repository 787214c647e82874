"""The form of an error message: the operation and its tensors, what went wrong, where from, what to write instead."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np


class OutOfMemoryError(RuntimeError):
    """Memory is full: the computer's, or a GPU's."""


class Mistake(ValueError):
    """What a user of the command line asked for cannot be done; the text says what can."""


NO_LEAF = (
    "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed: it stays None. "
    "Write x.retain_grad() before backward(), or look at the leaf instead."
)


def describe(value: Any) -> str:
    """A value in a message: a tensor or array by dtype and shape, anything else as itself, shortened."""
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is not None and dtype is not None:
        return f"{str(dtype).removeprefix('torch.')}{list(shape)}"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def message(what: str, wrong: str, origin: str = "", instead: str = "") -> str:
    """The four parts in one text; the last two only where they are known."""
    text = f"{what}: {wrong}"
    if origin:
        text += f"\n  from: {origin}"
    if instead:
        text += f"\n  write instead: {instead}"
    return text


def translated(name: str, inputs: list[Any], error: Exception) -> Exception:
    """NumPy's complaint about an operation as PyTorch raises it: same type, with the operation and its tensors."""
    what = f"{name}({', '.join(describe(v) for v in inputs)})"
    wrong = str(error)
    if isinstance(error, (RuntimeError, NotImplementedError, Warning)):
        return error
    if isinstance(error, np.exceptions.AxisError) and error.ndim is not None:
        bound = max(error.ndim, 1)
        wrong = f"Dimension out of range (expected to be in range of [{-bound}, {bound - 1}], but got {error.axis})"
        return IndexError(message(what, wrong))
    if isinstance(error, IndexError):
        return IndexError(message(what, wrong))
    if isinstance(error, TypeError):  # NumPy's own kinds of it are not made from a text
        return TypeError(message(what, wrong))
    if isinstance(error, OverflowError):
        return OverflowError(message(what, wrong))
    if isinstance(error, MemoryError):
        return OutOfMemoryError(message(what, f"out of memory: {wrong}", instead="a smaller batch, or torch.no_grad()"))
    disagree = mismatch(inputs)
    return RuntimeError(message(what, disagree or wrong, instead=_fitting(inputs) if disagree else ""))


def outside(what: str, index: int, dim: int, n: int, low: int | None = None) -> str:
    """An index that is not in its dimension, and which ones are."""
    wrong = f"index {index} is out of bounds for dimension {dim} with size {n}"
    return message(what, wrong, instead=f"an index from {-n if low is None else low} to {n - 1}" if n else "")


def alike(word: str, known: Iterable[str]) -> str:
    """The nearest of the known words in parentheses, to be appended to what is said of an unknown one."""
    import difflib  # only a mistake waits for it

    found = difflib.get_close_matches(word, known, 1)
    return f" (did you mean {found[0]}?)" if found else ""


def mismatch(inputs: list[Any]) -> str:
    """Where the shapes of tensors cannot be broadcast together, which lengths disagree."""
    return _disagreeing([v.shape for v in inputs if hasattr(v, "shape")])


def _disagreeing(shapes: list[tuple[int, ...]]) -> str:
    for a, b in itertools.pairwise(shapes):
        for d in range(1, min(len(a), len(b)) + 1):
            if a[-d] != b[-d] and 1 not in (a[-d], b[-d]):
                return (
                    f"The size of tensor a ({a[-d]}) must match the size of tensor b ({b[-d]}) "
                    f"at non-singleton dimension {max(len(a), len(b)) - d}"
                )
    return ""


def _fitting(inputs: list[Any]) -> str:
    """What makes two shapes that disagree fit each other: a dimension of length 1 in the right place, or a transpose."""
    shapes = [tuple(v.shape) for v in inputs if hasattr(v, "shape")]
    if len(shapes) == 2:
        for name, short, long in (("b", shapes[1], shapes[0]), ("a", shapes[0], shapes[1])):
            if len(short) == len(long) == 2 and short[::-1] == long:
                return f"{name}.mT, if its rows stand where its columns should be"
            for dim in range(len(short), 0, -1) if len(short) < len(long) else ():
                if not _disagreeing([long, (*short[:dim], 1, *short[dim:])]):
                    return (
                        f"{name}.unsqueeze({dim - len(short) - 1}), to fit {list(short)} to {list(long)} from the left"
                    )
    return "shapes whose lengths, counted from the last, are equal or 1: x.unsqueeze(dim) gives a length of 1"

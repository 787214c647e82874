"""The form of an error message: the operation and its tensors, what went wrong, where from, what to write instead."""

from __future__ import annotations

import difflib
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
    return RuntimeError(message(what, mismatch(inputs) or wrong))


def alike(word: str, known: Iterable[str]) -> str:
    """The nearest of the known words in parentheses, to be appended to what is said of an unknown one."""
    found = difflib.get_close_matches(word, known, 1)
    return f" (did you mean {found[0]}?)" if found else ""


def mismatch(inputs: list[Any]) -> str:
    """Where the shapes of tensors cannot be broadcast together, which lengths disagree."""
    shapes = [v.shape for v in inputs if hasattr(v, "shape")]
    for a, b in itertools.pairwise(shapes):
        for d in range(1, min(len(a), len(b)) + 1):
            if a[-d] != b[-d] and 1 not in (a[-d], b[-d]):
                return (
                    f"The size of tensor a ({a[-d]}) must match the size of tensor b ({b[-d]}) "
                    f"at non-singleton dimension {max(len(a), len(b)) - d}"
                )
    return ""

"""The form of an error message: the operation and its tensors, what went wrong, where from, what to write instead."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable
from pathlib import Path
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
    if _holds_arrays(value):
        text = ", ".join(map(describe, value))
        return f"({text})" if isinstance(value, tuple) else f"[{text}]"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _holds_arrays(value: Any) -> bool:
    """Whether a value is a short list or tuple with tensors in it, as what an LSTM answers."""
    few = type(value) in (list, tuple) and len(value) < 5
    return few and any(hasattr(v, "dtype") or _holds_arrays(v) for v in value)


def must_be_tensor(what: str, name: str, value: Any, position: int | None = None) -> str:
    """PyTorch's sentence for an argument that must be a tensor, and how it becomes one."""
    place = f"'{name}'" if position is None else f"'{name}' (position {position})"
    wrong = f"{what}(): argument {place} must be Tensor, not {type(value).__name__}; "
    if value is None:
        return wrong + "was a return forgotten?"
    if hasattr(value, "values") and hasattr(value, "indices"):
        return wrong + f"write .values for the values that {type(value).__name__}() found"
    if _holds_arrays(value):
        return wrong + f"write [0] for the first of {describe(value)}, or stack(...) for all"
    return wrong + f"write tensor({describe(value)})"


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
        return IndexError(no_dimension(error.axis, error.ndim, what))
    if isinstance(error, IndexError):
        return IndexError(message(what, wrong))
    if isinstance(error, (TypeError, AttributeError)):  # NumPy's own kinds of it are not made from a text
        return TypeError(message(what, wrong))
    if isinstance(error, OverflowError):
        return OverflowError(message(what, wrong))
    if isinstance(error, MemoryError):
        return OutOfMemoryError(message(what, f"out of memory: {wrong}", instead="a smaller batch, or torch.no_grad()"))
    disagree = mismatch(inputs)
    return RuntimeError(message(what, disagree or wrong, instead=_fitting(inputs) if disagree else ""))


def no_dimension(dim: Any, ndim: int, what: str = "") -> str:
    """A dimension that a tensor has not, and which ones it has."""
    low, high = -max(ndim, 1), max(ndim, 1) - 1
    wrong = f"Dimension out of range (expected to be in range of [{low}, {high}], but got {dim})"
    having = f"a dim from {low} to {high}, as the tensor has {ndim} dimension{'s' if ndim != 1 else ''}"
    return message(what or called(), wrong, instead=having)


def called() -> str:
    """The operation in which an error is being raised: the outermost of the functions of `ops/` that are running."""
    frame, name = sys._getframe(1), "an operation"
    families = str(Path(__file__).parent / "ops")
    while frame is not None:
        if frame.f_code.co_filename.startswith(families):
            name = frame.f_code.co_name.strip("_") if frame.f_code.co_name != "call" else name  # a face of the next
        elif name != "an operation":
            break
        frame = frame.f_back  # type: ignore[assignment]
    return name


def outside(what: str, index: int, dim: int, n: int, low: int | None = None) -> str:
    """An index that is not in its dimension, and which ones are."""
    wrong = f"index {index} is out of bounds for dimension {dim} with size {n}"
    return message(what, wrong, instead=f"an index from {-n if low is None else low} to {n - 1}" if n else "")


def alike(word: str, known: Iterable[str]) -> str:
    """The nearest of the known words in parentheses, to be appended to what is said of an unknown one."""
    import difflib  # only a mistake waits for it

    known = list(known)
    found = difflib.get_close_matches(word, known, 1) or [name for name in known if name.lower() == word.lower()]
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

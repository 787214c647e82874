"""How arguments are read: sizes, dimensions, numbers; and the checks that all families share. No operations."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index as as_index
from typing import Any

import numpy as np

from .. import devices, dtypes
from ..errors import describe, must_be_tensor, no_dimension
from ..tensor import Tensor, wrap


def axes(dim: Any) -> Any:
    """`dim` as NumPy takes it: an integer, a tuple, or None."""
    return tuple(dim) if isinstance(dim, list) else dim


def sizes(args: tuple, what: str = "size") -> tuple[int, ...]:
    """Sizes given one by one or as one sequence: `x.view(2, 3)`, `x.view((2, 3))`."""
    given = args[0] if len(args) == 1 and isinstance(args[0], (tuple, list)) else args
    for value in given:
        if type(value) is not int:
            return tuple(_size(v, what) for v in given)
    return tuple(given)


def _size(value: Any, what: str) -> int:
    try:
        return as_index(value)
    except TypeError:
        raise TypeError(f"argument '{what}' must be tuple of ints, not {describe(value)}") from None


def positive(shape: Sequence[int], what: str) -> tuple[int, ...]:
    """A shape without negative lengths."""
    for n in shape:
        if n < 0:
            raise RuntimeError(f"{what}: Dimension size must be non-negative, but got {list(shape)}")
    return tuple(shape)


def wrapped(dim: int, ndim: int) -> int:
    """A dimension counted from the front; a number may be asked for its dimension 0 or -1."""
    bound = max(ndim, 1)
    if not -bound <= dim < bound:
        raise IndexError(no_dimension(dim, ndim))
    return dim % bound


def wrapped_all(dims: Any, ndim: int, what: str) -> tuple[int, ...]:
    """Dimensions counted from the front, none twice."""
    several: Any = (dims,) if isinstance(dims, (int, np.integer)) else dims
    found = tuple(wrapped(d, ndim) for d in several)
    if len(set(found)) < len(found):
        twice = next(d for d in found if found.count(d) > 1)
        raise RuntimeError(f"{what}: dim {twice} appears multiple times in the list of dims {list(dims)}")
    return found


def need_tensor(value: Any, what: str, name: str = "input") -> Tensor:
    """`value`, which must be a tensor."""
    if not isinstance(value, Tensor):
        raise TypeError(must_be_tensor(what, name, value))
    return value


def blank(x: Any, shape: Sequence[int]) -> Any:
    """Zeros of another shape beside `x`: an array for an array, a tensor for a tensor."""
    if isinstance(x, Tensor):
        return wrap(devices.zeros(shape, x.array.dtype, like=x.array))
    return devices.zeros(shape, x.dtype, like=np.asarray(x) if isinstance(x, np.generic) else x)


def fitting(value: Any, dtype: dtypes.dtype) -> Any:
    """A Python number as an element of a tensor of `dtype`."""
    if isinstance(value, complex) and not dtype.is_complex:
        if value.imag:
            raise RuntimeError(f"value {value} cannot be converted to type {dtype.name} without overflow")
        value = value.real
    if dtype.rank == 1 and not isinstance(value, bool):
        info = np.iinfo(dtype.numpy)
        low = info.min if dtype.is_signed else -info.max
        if not low <= value <= info.max:
            raise RuntimeError(f"value {value} cannot be converted to type {dtype.name} without overflow")
        return int(value) & info.max if not dtype.is_signed else int(value)
    return bool(value) if dtype.rank == 0 else value


def along(dim: int, part: slice) -> tuple:
    """The index that takes a part of one dimension."""
    return (slice(None),) * dim + (part, ...)


def single(value: Any, x: Tensor, what: str) -> Tensor:
    """A value to fill with, as a tensor without dimensions of the dtype of `x`."""
    if isinstance(value, Tensor):
        if value.ndim:
            raise RuntimeError(
                f"{what} only supports a 0-dimensional value tensor, but got tensor with {value.ndim} dimension(s)."
            )
        if value.dtype.rank > x.dtype.rank and (value.dtype.is_complex or what == "masked_fill"):
            raise RuntimeError(f"{what}: value of {value.dtype} cannot be converted to {x.dtype} without overflow")
        return value.to(x.device, x.dtype)
    return wrap(devices.full((), fitting(value, x.dtype), x.array.dtype, like=x.array))

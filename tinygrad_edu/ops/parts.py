"""Parts of a tensor as views: slices, rows, diagonals, windows; and tensors with such a part replaced."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import index as as_index
from typing import Any

import numpy as np

from .. import devices
from ..errors import describe, message, outside
from ..inplace import overwrite
from ..op import op
from ..tensor import Tensor
from .arguments import along, need_tensor, wrapped
from .making import stored
from .shape import reshaped_in_place

# --- the transpose of a view ---------------------------------------------------------------------------------------------


@op
def _place(x, shape, view, options):
    """Zeros in which `view` shows `x`: the transpose of a view that shows no element twice."""
    out = devices.zeros(shape, x.dtype, like=x)
    view(out, *options)[...] = x
    return out


@op
def _deposit(x, shape, view, options):
    """Zeros to which `x` is added where `view` looks: the transpose of any view."""
    count = math.prod(shape)
    out = devices.zeros(count, x.dtype, like=x)
    places = view(devices.arange(count, like=x).reshape(shape), *options)
    devices.scatter_add(out, places.reshape(-1), x.reshape(-1))
    return out.reshape(shape)


_place.grad(x=lambda g, view, options: view(g, *options))
_deposit.grad(x=lambda g, view, options: view(g, *options))

# --- windows in the order of the elements ----------------------------------------------------------------------------------


@op(view=True)
def _select(x, dim, index):
    """The elements at one position of a dimension, which disappears."""
    return x[(slice(None),) * dim + (index, ...)]


@op(view=True)
def _slice(x, key):
    """The part given by numbers, slices, None and Ellipsis."""
    return x[key]


_select.grad(x=lambda g, x_shape, dim, index: _place(g, x_shape, _select, (dim, index)))
_slice.grad(x=lambda g, x_shape, key: _place(g, x_shape, _slice, (key,)))


def select(input: Tensor, dim: int, index: int) -> Tensor:
    """The elements at one position of a dimension, which disappears."""
    if not input.ndim:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    dim, index = wrapped(dim, input.ndim), as_index(index)
    n = input.array.shape[dim]
    if not -n <= index < n:
        raise IndexError(outside(f"select() of {describe(input)}", index, dim, n))
    return _select(input, dim, index)


def narrow(input: Tensor, dim: int, start: int | Tensor, length: int) -> Tensor:
    """`length` positions of a dimension from `start`."""
    if not input.ndim:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    if length < 0:
        raise RuntimeError(f"narrow(): length must be non-negative, but got {length}")
    if isinstance(start, Tensor) and (start.ndim or start.array.dtype.kind not in "iu"):
        raise RuntimeError(f"narrow(): start must be an 0-dim integral Tensor, not {describe(start)}")
    dim, start = wrapped(dim, input.ndim), as_index(start)
    n = input.array.shape[dim]
    if not -n <= start <= n:
        wrong = f"start out of range (expected to be in range of [{-n}, {n}], but got {start})"
        raise IndexError(message(f"narrow() of {describe(input)}", wrong, instead=f"a start from {-n} to {n}"))
    start = start + n if start < 0 else start
    if start + length > n:
        wrong = f"start ({start}) + length ({length}) exceeds dimension size ({n})."
        raise RuntimeError(message(f"narrow() of {describe(input)}", wrong, instead=f"a length of at most {n - start}"))
    return _slice(input, along(dim, slice(start, start + length)))


def narrow_copy(input: Tensor, dim: int, start: int, length: int, *, out: Tensor | None = None) -> Tensor:
    """A copy of `length` positions of a dimension from `start`."""
    if dim >= input.ndim:
        raise RuntimeError(f"narrow_copy: the tensor has {input.ndim} dimensions, but dim is {dim}")
    return stored("narrow_copy", narrow(input, dim, start, length).clone(), out)


# --- diagonals -------------------------------------------------------------------------------------------------------------


@op(view=True)
def _diagonal(x, offset, dim1, dim2):
    """The diagonal of two dimensions, as the last dimension."""
    out = np.diagonal(x, offset, dim1, dim2)
    if type(out) is np.ndarray and x.flags.writeable:
        out.flags.writeable = True  # NumPy hands diagonals out read-only
    return out


_diagonal.grad(x=lambda g, x_shape, offset, dim1, dim2: _place(g, x_shape, _diagonal, (offset, dim1, dim2)))


def _two(what: str, dim1: int, dim2: int, ndim: int) -> tuple[int, int]:
    first, second = wrapped(dim1, ndim), wrapped(dim2, ndim)
    if first == second:
        raise RuntimeError(f"{what}: diagonal dimensions cannot be identical {dim1}, {dim2}")
    return first, second


def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The diagonal of two dimensions, as the last dimension."""
    return _diagonal(input, offset, *_two("diagonal", dim1, dim2, input.ndim))


def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Zeros with the last dimension laid on the diagonal of two dimensions."""
    dim1, dim2 = _two("diag_embed", dim1, dim2, input.ndim + 1) if input.ndim else (wrapped(-2, 0), 0)
    n = input.array.shape[-1] + abs(offset)
    shape = list(input.array.shape[:-1])
    for d in sorted((dim1, dim2)):
        shape.insert(d, n)
    return _place(input, tuple(shape), _diagonal, (offset, dim1, dim2))


def diag(input: Tensor, diagonal: int = 0, *, out: Tensor | None = None) -> Tensor:
    """A vector as the diagonal of a matrix, or a matrix's diagonal."""
    if input.ndim not in (1, 2):
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {input.ndim}D")
    if input.ndim == 1:
        n = input.array.shape[0] + abs(diagonal)
        return stored("diag", _place(input, (n, n), _diagonal, (diagonal, 0, 1)), out)
    return stored("diag", _diagonal(input, diagonal, 0, 1).clone(), out)


def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """All elements as the diagonal of a matrix."""
    return diag(input.reshape(-1), offset)


# --- a part replaced -------------------------------------------------------------------------------------------------------


def _with_part(what: str, input: Tensor, src: Tensor, view: Any, options: tuple) -> Tensor:
    """`input` with `src` in the place that a view shows."""
    shape = view(input.detach(), *options).shape
    if shape != need_tensor(src, what, "src").shape:
        raise RuntimeError(
            f"{what}: expected src to have a size equal to the slice of self. "
            f"src size = {list(src.shape)}, slice size = {list(shape)}"
        )
    return overwrite(input, src.to(input.dtype), ((view.op, options),))


def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """`input` with `src` at one position of a dimension."""
    select(input.detach(), dim, index)
    return _with_part("select_scatter", input, src, _select, (wrapped(dim, input.ndim), index))


def slice_scatter(
    input: Tensor,
    src: Tensor,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """`input` with `src` in a slice of a dimension."""
    if step < 1:
        raise RuntimeError(f"slice_scatter: slice step must be positive, but got {step}")
    key = along(wrapped(dim, input.ndim), slice(start, end, step))
    return stored("slice_scatter", _with_part("slice_scatter", input, src, _slice, (key,)), out)


def diagonal_scatter(input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """`input` with `src` on a diagonal."""
    options = (offset, *_two("diagonal_scatter", dim1, dim2, input.ndim))
    return _with_part("diagonal_scatter", input, src, _diagonal, options)


# --- windows that overlap --------------------------------------------------------------------------------------------------


@op(view=True)
def _unfold(x, dimension, size, step):
    """All windows of `size` along a dimension, `step` apart, with the windows' elements as the last dimension."""
    if not x.ndim:
        return x.reshape(1)[:size]
    count = (x.shape[dimension] - size) // step + 1
    shape = (*x.shape[:dimension], count, *x.shape[dimension + 1 :], size)
    along_windows, along_elements = x.strides[dimension] * step, x.strides[dimension]
    strides = (*x.strides[:dimension], along_windows, *x.strides[dimension + 1 :], along_elements)
    return devices.as_strided(x, shape, strides)


_unfold.grad(
    x=lambda g, x_shape, dimension, size, step: _deposit(g, x_shape, _unfold, (dimension, size, step)),
)


def _unfolded(self: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """All windows of `size` along a dimension, `step` apart, with the windows' elements as the last dimension."""
    dim = wrapped(dimension, self.ndim)
    n = self.array.shape[dim] if self.ndim else 1
    if size < 0:
        raise RuntimeError(f"unfold: size is {size} but must be >= 0")
    if size > n:
        raise RuntimeError(f"unfold: maximum size for tensor at dimension {dim} is {n} but size is {size}")
    if step <= 0:
        raise RuntimeError(f"unfold: step is {step} but must be > 0")
    return _unfold(self, dim, size, step)


def _memory(x: Any) -> tuple[Any, int]:
    """All of the memory in which an array lies, in one dimension, and where in it the array begins."""
    root, owner = x, x
    while owner is not None:
        if type(owner) is type(x) and owner.dtype == x.dtype:
            root = owner
        owner = getattr(owner, "base", None)
    flat = root.reshape(-1) if root.flags.c_contiguous else root.T.reshape(-1)
    if not np.may_share_memory(flat, root) and root.size:
        root = flat = x.reshape(-1)
    return flat, (devices.address(x) - devices.address(root)) // x.itemsize if x.size else 0


def _seen(flat: Any, size: Sequence[int], stride: Sequence[int], start: int) -> Any:
    """A window on an array of one dimension, by lengths and steps in elements."""
    last = start + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if 0 not in size and last >= flat.size:
        raise RuntimeError(
            f"as_strided: sizes {list(size)}, strides {list(stride)}, storage offset {start} reach element {last}, "
            f"out of bounds for storage of {flat.size} elements"
        )
    return devices.as_strided(flat[start:], size, tuple(step * flat.itemsize for step in stride))


def _geometry(x: Any, flat: Any, start: int) -> tuple:
    """How an array lies in its memory: the memory's length, and the options with which `as_strided` shows the array."""
    return flat.size, (x.shape, tuple(step // x.itemsize for step in x.strides), start)


@op(view=True, keeps="place")
def _as_strided(x, size, stride, storage_offset):
    """A window on the memory of a tensor: element (i, j, ...) lies at `storage_offset + i stride[0] + j stride[1] ...`."""
    flat, start = _memory(x)
    return _seen(flat, size, stride, storage_offset), _geometry(x, flat, start)


@op(keeps="place")
def _as_strided_scatter(x, src, size, stride, storage_offset):
    """A copy of `x` and of the memory around it, with `src` where `as_strided` looks."""
    flat, start = _memory(x)
    place, flat = _geometry(x, flat, start), flat.copy()
    _seen(flat, size, stride, storage_offset)[...] = src
    return _seen(flat, *place[1]), place


def _as_strided_grad(g, place, size, stride, storage_offset):
    length, own = place
    return _as_strided(_deposit(g, (length,), _as_strided, (size, stride, storage_offset)), *own)


def _scatter_grad_x(g, place, size, stride, storage_offset):
    length, own = place
    memory = _place(g, (length,), _as_strided, own)
    return _as_strided(_as_strided_scatter(memory, 0, size, stride, storage_offset), *own)


def _scatter_grad_src(g, place, size, stride, storage_offset):
    length, own = place
    return _as_strided(_place(g, (length,), _as_strided, own), size, stride, storage_offset)


_as_strided.grad(x=_as_strided_grad)
_as_strided_scatter.grad(x=_scatter_grad_x, src=_scatter_grad_src)


def _window(x: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None) -> tuple:
    """Checked options of `as_strided`."""
    if len(size) != len(stride):
        raise RuntimeError(f"as_strided: mismatch in length of strides and shape: {list(stride)} and {list(size)}")
    if any(step < 0 for step in stride):
        raise RuntimeError(f"as_strided: Negative strides are not supported at the moment, got strides: {list(stride)}")
    if any(n < 0 for n in size):
        raise RuntimeError(f"as_strided: Trying to create tensor with negative dimension: {list(size)}")
    start = _memory(x.array)[1] if storage_offset is None else storage_offset
    if start < 0:
        raise RuntimeError(f"as_strided: storage_offset must be non-negative, got {start}")
    return tuple(size), tuple(stride), start


def as_strided(input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None) -> Tensor:
    """A window on the memory of a tensor, by lengths and strides in elements."""
    return _as_strided(input, *_window(input, size, stride, storage_offset))


def as_strided_scatter(
    input: Tensor, src: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
) -> Tensor:
    """`input` with `src` where `as_strided` looks."""
    if need_tensor(src, "as_strided_scatter", "src").array.shape != tuple(size):
        raise RuntimeError(
            f"as_strided_scatter: expected src to have a size equal to the slice of self. "
            f"src size = {list(src.shape)}, slice size = {list(size)}"
        )
    return _as_strided_scatter(input, src.to(input.dtype), *_window(input, size, stride, storage_offset))


METHODS = """
    as_strided as_strided_scatter diag diag_embed diagflat diagonal diagonal_scatter narrow narrow_copy select
    select_scatter slice_scatter
"""
OPERATORS = {"unfold": _unfolded, "as_strided_": reshaped_in_place(as_strided, "as_strided_")}

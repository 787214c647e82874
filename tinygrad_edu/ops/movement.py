"""Movement: elements at other places, repeated, reversed, or cut to a triangle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import describe
from ..op import op, sum_to
from ..tensor import Tensor
from .arguments import sizes, wrapped, wrapped_all
from .shape import _view


@op
def _flip(x, dims):
    """The order reversed along dimensions."""
    return np.flip(x, dims).copy()


@op
def _roll(x, shifts, dims):
    """The elements moved along dimensions; what leaves at the end enters at the beginning."""
    return np.roll(x, shifts, dims)


@op
def _rot90(x, k, dims):
    """A plane of two dimensions turned by `k` quarters, from the first towards the second."""
    return np.rot90(x, k, dims).copy()


@op
def _tril(x, diagonal):
    """Zeros above a diagonal."""
    return np.tril(x, diagonal)


@op
def _triu(x, diagonal):
    """Zeros below a diagonal."""
    return np.triu(x, diagonal)


@op
def _repeat(x, repeats):
    """The whole, side by side so many times along each dimension."""
    return np.tile(x, repeats)


def _repeat_grad(g, x_shape, repeats):
    lengths = (1,) * (len(repeats) - len(x_shape)) + x_shape
    pairs = [size for pair in zip(repeats, lengths, strict=True) for size in pair]
    once = [size for n in lengths for size in (1, n)]
    return _view(sum_to(_view(g, tuple(pairs)), tuple(once)), x_shape)


_flip.grad(x=lambda g, dims: _flip(g, dims))
_roll.grad(x=lambda g, shifts, dims: _roll(g, tuple(-s for s in shifts), dims))
_rot90.grad(x=lambda g, k, dims: _rot90(g, -k, dims))
_tril.grad(x=lambda g, diagonal: _tril(g, diagonal))
_triu.grad(x=lambda g, diagonal: _triu(g, diagonal))
_repeat.grad(x=_repeat_grad)

# --- PyTorch's signatures ---------------------------------------------------------------------------------------------------


def flip(input: Tensor, *axes: Any, dims: Any = None) -> Tensor:
    """The order reversed along dimensions: `flip(0, 1)`, `flip((0, 1))`."""
    if not axes and dims is None:
        raise TypeError('flip() missing 1 required positional arguments: "dims"')
    found = wrapped_all(sizes(axes if dims is None else (dims,), "dims"), input.ndim, "flip")
    return _flip(input, found if input.ndim else ())


def fliplr(input: Tensor) -> Tensor:
    """The second dimension reversed."""
    if input.ndim < 2:
        raise RuntimeError(f"fliplr: Input must be >= 2-d, but is {input.ndim}-d.")
    return _flip(input, (1,))


def flipud(input: Tensor) -> Tensor:
    """The first dimension reversed."""
    if input.ndim < 1:
        raise RuntimeError("flipud: Input must be >= 1-d, but is 0-d.")
    return _flip(input, (0,))


def roll(input: Tensor, shifts: int | Sequence[int], dims: int | Sequence[int] = ()) -> Tensor:
    """The elements moved along dimensions, or all of them as if in one dimension; the end enters at the beginning."""
    steps = (shifts,) if isinstance(shifts, (int, np.integer)) else tuple(shifts)
    along = (dims,) if isinstance(dims, (int, np.integer)) else tuple(dims)
    if not steps:
        raise RuntimeError("roll: `shifts` required")
    if not along and len(steps) == 1:
        return _view(_roll(_view(input, (input.array.size,)), steps, (0,)), input.array.shape)
    if len(steps) != len(along):
        raise RuntimeError(f"roll: shifts and dimensions must align. shifts: {len(steps)}, dims:{len(along)}")
    if not input.ndim:
        raise IndexError("roll: Dimension specified as 0 but tensor has no dimensions")
    return _roll(input, steps, tuple(wrapped(d, input.ndim) for d in along))


def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """A plane of two dimensions turned by `k` quarters, from the first towards the second."""
    if len(dims) != 2:
        raise RuntimeError(f"rot90: expected total rotation dims == 2, but got dims = {len(dims)}")
    if input.ndim < 2:
        raise RuntimeError(f"rot90: expected total dims >= 2, but got total dims = {input.ndim}")
    if dims[0] == dims[1] or abs(dims[0] - dims[1]) == input.ndim:
        raise RuntimeError(
            f"rot90: expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}"
        )
    return _rot90(input, k, (wrapped(dims[0], input.ndim), wrapped(dims[1], input.ndim)))


def tril(input: Tensor, diagonal: int = 0, *, out: Tensor | None = None) -> Tensor:
    """Matrices with zeros above a diagonal."""
    return _tril(_matrix(input, "tril"), diagonal, out=out)


def triu(input: Tensor, diagonal: int = 0, *, out: Tensor | None = None) -> Tensor:
    """Matrices with zeros below a diagonal."""
    return _triu(_matrix(input, "triu"), diagonal, out=out)


def _matrix(x: Tensor, what: str) -> Tensor:
    if x.ndim < 2:
        raise RuntimeError(f"{what}: input tensor must have at least 2 dimensions, but is {describe(x)}")
    return x


def _repeated(self: Tensor, *counts: Any, repeats: Any = None) -> Tensor:
    """The whole, side by side so many times along each dimension."""
    counts = sizes(counts if repeats is None else (repeats,), "repeats")
    if len(counts) < self.ndim:
        raise RuntimeError(
            f"repeat({describe(self)}, {list(counts)}): Number of dimensions of repeat dims can not be smaller than number "
            "of dimensions of tensor"
        )
    if any(n < 0 for n in counts):
        raise RuntimeError(f"repeat: Trying to create tensor with negative dimension: {list(counts)}")
    return _repeat(self, counts)


def tile(input: Tensor, *counts: Any, dims: int | Sequence[int] | None = None) -> Tensor:
    """The whole, side by side so many times along each of the last dimensions."""
    counts = sizes(counts if dims is None else (dims,), "dims")
    return _repeated(input, (1,) * (input.ndim - len(counts)) + counts)


METHODS = "flip fliplr flipud roll rot90 tile tril triu"
INPLACE = "tril triu"
OPERATORS = {"repeat": _repeated}

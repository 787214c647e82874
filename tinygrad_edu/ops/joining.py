"""Joining and splitting: several tensors as one, one as several."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..call import show
from ..errors import describe, message
from ..op import op
from ..tensor import Tensor
from .arguments import along, blank, need_tensor, wrapped
from .making import stored
from .parts import _select, _slice
from .shape import _view, atleast_1d, atleast_2d, atleast_3d, broadcast_tensors

# --- joining ---------------------------------------------------------------------------------------------------------------


@op(sequence=True)
def _cat(xs, dim):
    """The tensors one after the other along a dimension."""
    return np.concatenate(xs, dim)


@op(sequence=True)
def _stack(xs, dim):
    """The tensors side by side along a new dimension."""
    return np.stack(xs, dim)


def _cat_grad(g, xs_shape, dim):
    ends = list(itertools.accumulate(shape[dim] for shape in xs_shape))
    return [_slice(g, along(dim, slice(end - shape[dim], end))) for end, shape in zip(ends, xs_shape, strict=True)]


_cat.grad(xs=_cat_grad)
_stack.grad(xs=lambda g, dim: [_select(g, dim, i) for i in range(g.shape[dim])])


def _list(tensors: Any, what: str) -> list[Tensor]:
    """A list of tensors, not empty."""
    if isinstance(tensors, Tensor) or not isinstance(tensors, (list, tuple)):
        kind = type(tensors).__name__
        raise TypeError(f"{what}(): argument 'tensors' must be tuple of Tensors, not {kind}; write {what}([x, y, ...])")
    if not tensors:
        raise (ValueError if what == "cat" else RuntimeError)(
            f"{what}: expected a non-empty list of Tensors; was nothing appended?"
        )
    return [need_tensor(x, what, "tensors") for x in tensors]


def cat(tensors: Sequence[Tensor], dim: int = 0, *, out: Tensor | None = None) -> Tensor:
    """The tensors one after the other along a dimension."""
    xs = _list(tensors, "cat")
    for i, x in enumerate(xs):
        if not x.ndim:
            raise RuntimeError(f"zero-dimensional tensor (at position {i}) cannot be concatenated; write stack(...)")
    full = [x for x in xs if x.array.shape != (0,)] or xs  # a vector of no elements joins with everything
    dim, first = wrapped(dim, full[0].ndim), full[0].array.shape
    for i, x in enumerate(full):
        if x.ndim != len(first):
            wrong = f"Tensors must have same number of dimensions: got {len(first)} and {x.ndim}"
            what = f"cat({describe(full[0])}, ..., {describe(x)})"
            raise RuntimeError(message(what, wrong, instead="x.unsqueeze(0) on the one with fewer, or stack(tensors)"))
        for d, n in enumerate(x.array.shape):
            if d != dim and n != first[d]:
                wrong = f"Expected size {first[d]} but got size {n} for tensor number {i} in the list."
                fits = all(a == b or e == d for e, (a, b) in enumerate(zip(first, x.array.shape, strict=True)))
                raise RuntimeError(
                    message(
                        f"cat({describe(full[0])}, ..., {describe(x)})",
                        f"Sizes of tensors must match except in dimension {dim}. {wrong}",
                        instead=f"cat(tensors, dim={d})"
                        if fits
                        else "tensors of equal lengths in all other dimensions",
                    )
                )
    if len(full) < len(xs):
        shape = (*first[:dim], 0, *first[dim + 1 :])
        xs = [x if x.array.shape != (0,) else _view(blank(x, shape) if 0 not in shape else x, shape) for x in xs]
    return stored("cat", _cat(xs, dim), out, *xs)


def stack(tensors: Sequence[Tensor], dim: int = 0, *, out: Tensor | None = None) -> Tensor:
    """The tensors side by side along a new dimension."""
    xs = _list(tensors, "stack")
    for i, x in enumerate(xs):
        if x.array.shape != xs[0].array.shape:
            sizes = f"{list(xs[0].shape)} at entry 0 and {list(x.shape)} at entry {i}"
            instead = "cat(tensors) to lay them end to end, or nn.utils.rnn.pad_sequence(tensors) to fill them up"
            raise RuntimeError(
                message("stack", f"stack expects each tensor to be equal size, but got {sizes}", instead=instead)
            )
    return stored("stack", _stack(xs, wrapped(dim, xs[0].ndim + 1)), out, *xs)


def hstack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """The tensors beside each other: along the second dimension, vectors along their only one."""
    xs = atleast_1d(_list(tensors, "hstack"))
    return cat(xs, 0 if xs[0].ndim == 1 else 1, out=out)


def vstack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """The tensors below each other: along the first dimension, vectors as rows."""
    return cat(atleast_2d(_list(tensors, "vstack")), 0, out=out)


def dstack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """The tensors behind each other: along the third dimension."""
    return cat(atleast_3d(_list(tensors, "dstack")), 2, out=out)


def column_stack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """The tensors beside each other, vectors as columns."""
    return hstack([x if x.ndim > 1 else x.reshape(-1, 1) for x in _list(tensors, "column_stack")], out=out)


def block_diag(*tensors: Tensor) -> Tensor:
    """A matrix with the given ones along its diagonal and zeros elsewhere."""
    blocks = []
    for i, x in enumerate(tensors):
        if need_tensor(x, "block_diag", "tensors").ndim > 2:
            raise RuntimeError(f"block_diag: Input tensors must have 2 or fewer dimensions. Input {i} has {x.ndim}")
        blocks.append(atleast_2d(x))
    left, width, rows = 0, sum(b.array.shape[1] for b in blocks), []
    for block in blocks:
        n, m = block.array.shape
        sides = blank(block, (n, left)), block, blank(block, (n, width - left - m))
        rows.append(_cat([s for s in sides if s.array.shape[1] or s is block], 1))
        left += m
    return _cat(rows, 0)


# --- splitting ---------------------------------------------------------------------------------------------------------------


@op(many=True)
def _split(x, lengths, dim):
    """Consecutive parts along a dimension."""
    ends = itertools.accumulate(lengths)
    return tuple(x[along(dim, slice(end - n, end))] for end, n in zip(ends, lengths, strict=True))


@op(many=True)
def _unbind(x, dim):
    """All positions of a dimension, which disappears."""
    return tuple(x[along(dim, i)] for i in range(x.shape[dim]))


_split.grad(x=lambda g, dim: _cat(g, dim))
_unbind.grad(x=lambda g, x_shape, dim: _stack(g, dim) if g else None)


def split_with_sizes(input: Tensor, split_sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Consecutive parts of the given lengths along a dimension, as views."""
    dim, lengths = wrapped(dim, input.ndim), tuple(split_sizes)
    if not input.ndim:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    n = input.array.shape[dim]
    if any(length < 0 for length in lengths):
        raise RuntimeError(
            f"split_with_sizes expects split_sizes have only non-negative entries, but got {list(lengths)}"
        )
    if sum(lengths) != n:
        wrong = f"split_with_sizes expects split_sizes to sum exactly to {n} (input tensor's size at dimension {dim}), "
        wrong += f"but got split_sizes={list(lengths)}"
        instead = f"lengths that add up to {n}, or one length for parts that are all alike"
        raise RuntimeError(message(f"split of {describe(input)}", wrong, instead=instead))
    parts = _split(input, lengths, dim)
    start = 0
    for part, length in zip(parts, lengths, strict=True):
        show(part, _slice.op, input, (along(dim, slice(start, start + length)),))
        start += length
    return parts


def split(tensor: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Consecutive parts along a dimension, as views: of one length (the last may be shorter), or of given lengths."""
    if not isinstance(split_size_or_sections, (int, np.integer)):
        return split_with_sizes(tensor, split_size_or_sections, dim)
    size, axis = split_size_or_sections, wrapped(dim, tensor.ndim)
    if not tensor.ndim:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    n = tensor.array.shape[axis]
    if size < 0:
        raise RuntimeError(f"split expects split_size be non-negative, but got split_size={size}")
    if not size and n:
        raise RuntimeError(f"split: split_size can only be 0 if dimension size is 0, but got dimension size of {n}")
    lengths = [size] * (n // size if size else 0) + ([n % size] if size and n % size else [])
    return split_with_sizes(tensor, lengths or [n], axis)


def _split_method(self: Tensor, split_size: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Consecutive parts along a dimension, as views."""
    return split(self, split_size, dim)


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` parts of equal length along a dimension, the last perhaps shorter, as views."""
    axis = wrapped(dim, input.ndim)
    if not input.ndim:
        raise RuntimeError("chunk expects at least a 1-dimensional tensor")
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    n = input.array.shape[axis]
    if not n:
        return split_with_sizes(input, [0] * chunks, axis)
    return split(input, -(-n // chunks), axis)


def tensor_split(input: Tensor, indices_or_sections: int | Sequence[int] | Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """Parts of nearly equal length, or parts between given positions, as views."""
    if not input.ndim:
        raise RuntimeError("tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims")
    dim, given = wrapped(dim, input.ndim), indices_or_sections
    if isinstance(given, Tensor):
        if given.array.dtype != np.int64 or given.ndim > 1:
            raise RuntimeError(
                f"tensor_split: indices or sections must be an int64 tensor of 0 or 1 dims, not {describe(given)}"
            )
        given = given.tolist()
    n = input.array.shape[dim]
    if isinstance(given, (int, np.integer)):
        if given <= 0:
            raise RuntimeError(f"tensor_split: number of sections must be larger than 0, got {given}")
        longer = n % given
        lengths = [n // given + 1] * longer + [n // given] * (given - longer)
        return split_with_sizes(input, lengths, dim)
    places = [slice(a, b) for a, b in itertools.pairwise([0, *given, n])]
    return tuple(_slice(input, along(dim, place)) for place in places)


def _split_along(what: str, least: int, dim: Any) -> Any:
    """`hsplit` and its kin: equal parts along a fixed dimension."""

    def function(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
        if input.ndim < least:
            raise RuntimeError(
                f"torch.{what} requires a tensor with at least {least} dimension, "
                f"but got a tensor with {input.ndim} dimensions!"
            )
        d, given = dim(input), indices_or_sections
        if isinstance(given, (int, np.integer)) and (given <= 0 or input.array.shape[d] % given):
            raise RuntimeError(
                f"torch.{what} attempted to split along dimension {d}, but the size of the dimension "
                f"{input.array.shape[d]} is not divisible by the split_size {given}!"
            )
        return tensor_split(input, given, d)

    function.__name__ = function.__qualname__ = what
    function.__doc__ = "Equal parts, or parts between given positions, along the dimension that its name says."
    return function


hsplit = _split_along("hsplit", 1, lambda x: 0 if x.ndim == 1 else 1)
vsplit = _split_along("vsplit", 2, lambda x: 0)
dsplit = _split_along("dsplit", 3, lambda x: 2)


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """All positions of a dimension, which disappears, as views."""
    dim = wrapped(dim, input.ndim)
    if not input.ndim:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    rows = _unbind(input, dim)
    for i, row in enumerate(rows):
        show(row, _select.op, input, (dim, i))
    return rows


# --- grids and products of sets ------------------------------------------------------------------------------------------------


def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple[Tensor, ...]:
    """Grids of coordinates: of each vector, its value at every point of the grid that they span."""
    if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)):
        tensors = tuple(tensors[0])
    if not tensors:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    if indexing not in (None, "ij", "xy"):
        raise RuntimeError(f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}')
    for x in tensors:
        if need_tensor(x, "meshgrid", "tensors").ndim > 1:
            raise RuntimeError(f"torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: {describe(x)}")
        if x.dtype is not tensors[0].dtype:
            raise RuntimeError("torch.meshgrid expects all tensors to have the same dtype")
    if indexing == "xy" and len(tensors) > 1:
        second, first, *rest = meshgrid(tensors[1], tensors[0], *tensors[2:])
        return first, second, *rest
    count = len(tensors)
    return broadcast_tensors(*[x.reshape((1,) * i + (-1,) + (1,) * (count - i - 1)) for i, x in enumerate(tensors)])


def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All tuples with one element of each vector, in order, as rows."""
    for x in tensors:
        if x.ndim != 1:
            raise RuntimeError(f"cartesian_prod: Expect a 1D vector, but got shape {list(x.shape)}")
    if len(tensors) == 1:
        return tensors[0]
    return stack([grid.reshape(-1) for grid in meshgrid(*tensors)], 1)


concat = concatenate = cat
row_stack = vstack
unsafe_chunk, unsafe_split, unsafe_split_with_sizes = chunk, split, split_with_sizes
METHODS = "chunk dsplit hsplit split_with_sizes tensor_split unbind unsafe_chunk unsafe_split_with_sizes vsplit"
OPERATORS = {"split": _split_method, "unsafe_split": _split_method}

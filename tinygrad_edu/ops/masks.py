"""Masks: reading and writing where a condition holds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import devices
from ..op import expand, op
from ..tensor import Tensor, wrap
from .arguments import need_tensor, single
from .indexing import _index, _index_put
from .making import stored
from .parts import _slice
from .pointwise import _where
from .shape import _view


def _mask(mask: Any, what: str) -> Tensor:
    if need_tensor(mask, what, "mask").array.dtype.kind != "b":
        raise RuntimeError(
            f"{what} only supports boolean masks, but got mask with dtype {mask.dtype}; write mask.bool()"
        )
    return mask


@op
def _masked_fill(x, mask, value):
    """`value` where the mask holds, `x` elsewhere."""
    return np.where(mask, value, x)


_masked_fill.grad(
    x=lambda g, mask: _where(mask, 0, g),
    value=lambda g, mask: _where(mask, g, 0),
)


def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """`value` where the mask holds, `input` elsewhere."""
    return _masked_fill(input, _mask(mask, "masked_fill"), single(value, input, "masked_fill"))


def masked_select(input: Tensor, mask: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The elements where the mask holds, in one dimension."""
    shape = _together(input, _mask(mask, "masked_select"))
    found = _index(_view(expand(input, shape), (math.prod(shape),)), _held(mask, shape))
    return stored("masked_select", found, out, input, mask, exact=True)


def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """`input` with the elements of `source`, in order, where the mask holds."""
    shape = _together(input, _mask(mask, "masked_scatter"))
    if source.dtype is not input.dtype:
        raise RuntimeError(
            f"masked_scatter: expected self and source to have same dtypes but got {input.dtype} and {source.dtype}"
        )
    places = _held(mask, shape)
    count, given = places[0].size, source.array.size
    if given < count:
        raise RuntimeError(f"Number of elements of source < number of ones in mask: {given} < {count}")
    first = _slice(_view(source, (given,)), (slice(0, count),))
    flat = _index_put(_view(expand(input, shape), (math.prod(shape),)), first, places, False)
    return _view(flat, shape)


def _together(x: Tensor, mask: Tensor) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(x.array.shape, mask.array.shape)
    except ValueError:
        raise RuntimeError(
            f"The size of the mask, {list(mask.shape)}, must match the size of the tensor, {list(x.shape)}, "
            "or be broadcastable to it; write mask.unsqueeze(dim), or x[mask] for whole rows"
        ) from None


def _held(mask: Tensor, shape: tuple[int, ...]) -> list[Any]:
    """Where a mask holds, counted as if in one dimension."""
    return [np.flatnonzero(np.broadcast_to(mask.array, shape))]


def nonzero(input: Tensor, *, as_tuple: bool = False, out: Tensor | None = None) -> Any:
    """The positions of the elements that are not 0: as rows, or as one tensor for each dimension."""
    if as_tuple:
        return tuple(wrap(places) for places in np.nonzero(input.array if input.ndim else input.array.reshape(1)))
    return stored("nonzero", _rows_of_nonzero(input), out, exact=True)


def _rows_of_nonzero(x: Tensor) -> Tensor:
    if not x.ndim:
        return wrap(devices.zeros((int(bool(x.array)), 0), np.int64, like=x.array))
    return wrap(np.stack(np.nonzero(x.array), 1))


def argwhere(input: Tensor) -> Tensor:
    """The positions of the elements that are not 0, as rows."""
    return _rows_of_nonzero(input)


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """A row for each number `i`, with a one at position `i` and zeros elsewhere."""
    index = tensor.array
    if index.dtype != np.int64:
        raise RuntimeError(
            f"one_hot is only applicable to index tensor of type LongTensor, not {tensor.dtype}; write x.long()"
        )
    if not index.size:
        if num_classes <= 0:
            raise RuntimeError("one_hot: Can not infer total number of classes from empty tensor; write num_classes=")
        return wrap(devices.zeros((*index.shape, num_classes), np.int64, like=index))
    if index.min() < 0:
        raise RuntimeError(f"one_hot: Class values must be non-negative, but {index.min()} is among them.")
    count = int(index.max()) + 1 if num_classes == -1 else num_classes
    if index.max() >= count:
        raise RuntimeError(
            f"one_hot: Class values must be smaller than num_classes ({count}), not {index.max()}; write one_hot(x, {index.max() + 1})"
        )
    return wrap((index[..., None] == devices.arange(count, like=index)).astype(np.int64))


METHODS = "argwhere masked_fill masked_scatter masked_select nonzero"
INPLACE = "masked_fill masked_scatter"

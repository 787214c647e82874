"""Positions: reading, adding and replacing at given positions of one dimension."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import devices
from ..autograd.graph import recording
from ..errors import describe
from ..promotion import same_place
from ..tensor import Tensor, wrap
from .arguments import need_tensor, positive, single, wrapped
from .indexing import _from_front, _index, _index_put, check_inside
from .making import stored
from .shape import _view

# --- along one dimension -------------------------------------------------------------------------------------------------------


def _vector(
    x: Tensor, dim: int, index: Any, what: str, low: int = 0, shape_error: type = IndexError
) -> tuple[Tensor, int, Any]:
    """`x` with at least one dimension, the dimension, and the positions in it as an array."""
    if not isinstance(index, Tensor):
        raise TypeError(f"{what}(): argument 'index' must be Tensor, not {type(index).__name__}")
    if index.array.dtype not in (np.int32, np.int64):
        raise RuntimeError(
            f"{what}(): Expected dtype int32 or int64 for index, but got {index.dtype}; write index.long()"
        )
    if index.ndim > 1:
        raise shape_error(f"{what}(): Index is supposed to be a vector, but has shape {list(index.shape)}")
    same_place(what, x, index)
    dim = wrapped(dim, x.ndim)
    if not x.ndim and index.array.size != 1:
        raise RuntimeError(f"{what}(): Index to scalar can have only 1 value, got {index.array.size} value(s)")
    x = x if x.ndim else _view(x, (1,))
    n = x.array.shape[dim]
    check_inside(index.array, low if low >= 0 else -n, n, dim, IndexError, f"{what}()")
    array = index.array.reshape(-1)
    return x, dim, array.copy() if recording.get() else array


def index_select(input: Tensor, dim: int, index: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The positions `index` of a dimension, in that order."""
    x, dim, array = _vector(input, dim, index, "index_select")
    found = _back_to(input, _index(x, [None] * dim + [array]))
    return stored("index_select", found, out, input, exact=True)


def _source(x: Tensor, dim: int, index: Any, source: Tensor, what: str) -> Tensor:
    """`source` as what is to be put at the positions of a dimension."""
    if need_tensor(source, what, "source").dtype is not x.dtype:
        raise RuntimeError(
            f"{what}: self and source expected to have the same dtype, but got (self) {x.dtype} and (source) {source.dtype}"
        )
    count = index.size
    wanted = (*x.array.shape[:dim], count, *x.array.shape[dim + 1 :])
    if not source.ndim and x.array.ndim == 1 and count == 1:
        return _view(source, (1,))
    if source.array.shape != wanted:
        have = source.array.shape[dim] if dim < source.ndim else 1
        error = IndexError if what == "index_copy" and have != count and source.ndim == len(wanted) else RuntimeError
        raise error(
            f"{what}(): Number of indices ({count}) should be equal to source.size(dim) ({have}), and the other lengths "
            f"the same: expected a source of shape {list(wanted)}, but got {list(source.shape)}"
        )
    return source


def index_add(
    input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1, out: Tensor | None = None
) -> Tensor:
    """`input` with `alpha * source` added at positions of a dimension, as often as each comes."""
    x, dim, array = _vector(input, dim, index, "index_add")
    source = _source(x, dim, array, source, "index_add")
    added = _index_put(x, source if alpha == 1 else source * alpha, [None] * dim + [array], True)
    return stored("index_add", _back_to(input, added), out)


def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor, *, out: Tensor | None = None) -> Tensor:
    """`input` with `source` at positions of a dimension."""
    x, dim, array = _vector(input, dim, index, "index_copy")
    source = _source(x, dim, array, source, "index_copy")
    return stored("index_copy", _back_to(input, _index_put(x, source, [None] * dim + [array], False)), out)


def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """`input` with one value at positions of a dimension."""
    x, dim, array = _vector(input, dim, index, "index_fill", low=-1)
    # each position once: the gradient of `value` counts the elements that were filled
    indices = [None] * dim + [np.unique(_from_front(array, x.array.shape[dim]))]
    return _back_to(input, _index_put(x, single(value, input, "index_fill"), indices, False))


def _back_to(like: Tensor, result: Tensor) -> Tensor:
    """A result for a number in the shape of a number."""
    return result if like.ndim else _view(result, ())


# --- as if in one dimension ------------------------------------------------------------------------------------------------------


def _flat_index(x: Tensor, index: Tensor, what: str) -> Any:
    if need_tensor(index, what, "index").array.dtype != np.int64:
        raise RuntimeError(f"{what}(): Expected a long tensor for index, but got {index.dtype}")
    same_place(what, x, index)
    n = x.array.size
    if not n and index.array.size:
        raise IndexError(f"{what}(): tried to take from an empty tensor")
    check_inside(index.array, -n, n, 0, IndexError, f"{what}(): out of range")
    return index.array.copy() if recording.get() else index.array


def take(input: Tensor, index: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The elements at positions, counted as if in one dimension."""
    found = _index(_view(input, (input.array.size,)), [_flat_index(input, index, "take")])
    return stored("take", found, out, input, index, exact=True)


def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """`input` with the elements of `source` at positions, counted as if in one dimension."""
    array = _flat_index(input, index, "put").reshape(-1)
    if source.dtype is not input.dtype:
        raise RuntimeError(
            f"put(): self and source expected to have the same dtype, but got self.dtype = {input.dtype} and "
            f"source.dtype = {source.dtype}"
        )
    if source.array.size != array.size:
        raise IndexError(
            "put(): Expected source and index to have the same number of elements, but got source.numel() = "
            f"{source.array.size}, index.numel() = {array.size}"
        )
    flat = _index_put(_view(input, (input.array.size,)), _view(source, (array.size,)), [array], accumulate)
    return _view(flat, input.array.shape)


# --- choices of positions -------------------------------------------------------------------------------------------------------------


def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All choices of `r` elements of a vector, in order, as rows."""
    if input.ndim != 1:
        raise RuntimeError(f"combinations: Expect a 1D vector, but got shape {list(input.shape)}")
    if r < 0:
        raise RuntimeError(f"combinations: Expect a non-negative number, but got {r}")
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    places = np.array(list(choose(range(input.numel()), r)), np.int64).reshape(-1, r)
    return _index(input, [devices.asarray(places, like=input.array)])


# --- each element so many times ------------------------------------------------------------------------------------------------------


def repeat_interleave(
    input: Tensor, repeats: int | Tensor | None = None, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Each element, or each position of a dimension, as many times as `repeats` says, next to each other."""
    if repeats is None:
        return wrap(_repeated(input.array.size, _counts(input), input.array))
    x = _view(input, (input.array.size,)) if dim is None or not input.ndim else input
    dim = wrapped(dim or 0, x.ndim)
    n = x.array.shape[dim]
    if isinstance(repeats, (int, np.integer)):
        if repeats < 0:
            raise RuntimeError(f"repeat_interleave: Repeats must be non-negative, but got {repeats}")
        counts: Any = repeats
    else:
        counts = _counts(repeats)
        if counts.size not in (1, n):
            raise RuntimeError(
                "repeat_interleave: repeats must have the same size as input along dim, but got "
                f"repeats.size(0) = {counts.size} and input.size({dim}) = {n}"
            )
    places = _repeated(n, counts, x.array)
    if output_size is not None and output_size != places.size:
        raise RuntimeError(
            f"repeat_interleave: allocated size {output_size} does not match required size {places.size}"
        )
    return _index(x, [None] * dim + [places])


def _repeated(n: int, counts: Any, like: Any) -> Any:
    """0 to n - 1, each as often as `counts` says: one number for all, or an array of them."""
    if isinstance(counts, (int, np.integer)) or type(counts) is np.ndarray:
        return np.repeat(devices.arange(n, like=like), counts)
    ends = np.cumsum(np.broadcast_to(counts, (n,)))  # CuPy takes no array of counts
    return np.searchsorted(ends, devices.arange(int(ends[-1]) if n else 0, like=like), side="right")


def _counts(repeats: Tensor) -> Any:
    if repeats.ndim > 1 or repeats.array.dtype not in (np.int32, np.int64):
        raise RuntimeError(
            f"repeat_interleave: repeats must be 0-dim or 1-dim int32 or int64 tensor, not {describe(repeats)}"
        )
    if repeats.array.size and repeats.array.min() < 0:
        raise RuntimeError("repeat_interleave: repeats can not be negative")
    return repeats.array.reshape(-1)


def unravel_index(indices: Tensor, shape: int | Sequence[int]) -> tuple[Tensor, ...]:
    """The index in each dimension of a tensor of `shape`, for positions in its flattened elements."""
    if need_tensor(indices, "unravel_index", "indices").dtype.rank != 1:
        raise ValueError(f"unravel_index: expected 'indices' to be an integer tensor, but got {indices.dtype}")
    lengths = positive([shape] if isinstance(shape, int) else shape, "unravel_index")
    place = indices.array.astype(np.int64)
    found = []
    for n in reversed(lengths):
        found.append(wrap(place % n))
        place = place // n
    return tuple(reversed(found))


METHODS = "index_add index_copy index_fill index_select put repeat_interleave take"
INPLACE = "index_add index_copy index_fill put"

"""Indexing: `x[...]` for reading and writing, by numbers, slices, masks and index tensors, and the functions like it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import index as as_index
from typing import Any

import numpy as np

from .. import devices, dtypes
from ..autograd.graph import recording
from ..errors import describe, message, outside
from ..inplace import assign, check_writable
from ..op import op
from ..tensor import Tensor, wrap
from .arguments import fitting, need_tensor
from .creation import as_tensor
from .parts import _select, _slice

# --- by integer arrays: the one pair of operations behind everything here ----------------------------------------------------
# `indices` has one entry for each leading dimension: an array of integers, or None where all of it is taken.


@op
def _index(x, indices):
    """The elements at positions given by integer arrays, which are broadcast together."""
    dims = [d for d, index in enumerate(indices) if index is not None]
    if len(dims) == 1:
        return x.take(indices[dims[0]], axis=dims[0])
    return x[_key(indices)]


@op
def _index_put(x, values, indices, accumulate):
    """`x` with other values at positions given by integer arrays; or with these added, as often as they come."""
    out = x.copy()
    if accumulate:
        _add_at(out, indices, np.broadcast_to(values, _place_shape(x, indices)))
    else:
        out[_key(indices)] = values
    return out


@op
def _index_back(x, shape, indices):
    """Zeros to which `x` is added at positions given by integer arrays: the transpose of `index`."""
    out = devices.zeros(shape, x.dtype, like=x)
    _add_at(out, indices, x)
    return out


_index.grad(x=lambda g, x_shape, indices: _index_back(g, x_shape, indices))
_index_back.grad(x=lambda g, indices: _index(g, indices))
_index_put.grad(
    x=lambda g, indices, accumulate: _clear(g, indices, accumulate),
    values=lambda g, indices: _index(g, indices),
)


def _clear(g, indices, accumulate):
    """The gradient of what was there before: none where it was replaced."""
    return g * 1 if accumulate else _index_put(g, 0, indices, False)


def _key(indices: Sequence[Any]) -> tuple:
    return tuple(slice(None) if index is None else index for index in indices)


def _place_shape(x: Any, indices: Sequence[Any]) -> tuple[int, ...]:
    """The shape of `x` at integer arrays: theirs takes the place of the dimensions, or the front if these lie apart."""
    dims = [d for d, index in enumerate(indices) if index is not None]
    shape = np.broadcast_shapes(*[indices[d].shape for d in dims])
    rest = [n for d, n in enumerate(x.shape) if d not in dims]
    first = dims[0] if dims[-1] - dims[0] == len(dims) - 1 else 0
    return (*rest[:first], *shape, *rest[first:])


def _add_at(out: Any, indices: Sequence[Any], values: Any) -> None:
    """Add values to an array at integer positions, as often as each comes.

    All positions are first counted as rows of one matrix. Sorted, equal ones stand together and are added by one
    `reduceat`: ten to fifty times the speed of `np.add.at` where rows are long.
    """
    dims = [d for d, index in enumerate(indices) if index is not None]
    rest = [d for d in range(out.ndim) if d not in dims]
    lengths = [out.shape[d] for d in dims]
    arrays = np.broadcast_arrays(*[_from_front(indices[d], out.shape[d]) for d in dims])
    position: Any = 0
    factor = 1
    for array, n in zip(arrays[::-1], lengths[::-1], strict=True):
        position, factor = position + array * factor, factor * n
    first = dims[0] if dims[-1] - dims[0] == len(dims) - 1 else 0
    count, width = position.size, math.prod(out.shape[d] for d in rest)
    fronts = tuple(range(first, first + position.ndim))
    rows = np.moveaxis(values, fronts, tuple(range(position.ndim))).reshape(count, width)
    target = out.transpose(dims + rest)
    flat = target.reshape(factor, width)
    add_rows(flat, position.reshape(-1), rows)
    if not np.may_share_memory(flat, out):
        target[...] = flat.reshape(target.shape)


def _from_front(index: Any, n: int) -> Any:
    """Positions counted from the front."""
    return np.where(index < 0, index + n, index)


def add_rows(target: Any, position: Any, rows: Any) -> None:
    """`target[position] += rows`, where a position that comes twice adds twice."""
    if not rows.size:
        return
    if type(target) is not np.ndarray or rows.shape[1] == 1:
        devices.scatter_add(
            target if rows.shape[1] > 1 else target[:, 0], position, rows if rows.shape[1] > 1 else rows[:, 0]
        )
        return
    steps = position[1:] - position[:-1]
    if not (steps >= 0).all():
        order = np.argsort(position, kind="stable")
        position, rows = position[order], rows[order]
        steps = position[1:] - position[:-1]
    if (steps > 0).all():
        target[position] += rows
        return
    starts = np.concatenate((np.zeros(1, np.int64), np.flatnonzero(steps) + 1))
    target[position[starts]] += np.add.reduceat(rows, starts, axis=0, dtype=target.dtype)


# --- reading an index: what stands between the brackets ------------------------------------------------------------------------

NOT_AN_INDEX = (
    "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices (got {})"
)


def _parsed(x: Tensor, key: Any) -> tuple[tuple, list[Any]]:
    """An index as its basic part, and the integer arrays for each dimension of what that leaves."""
    keys = key if isinstance(key, tuple) else (key,)
    if len(keys) == 1 and isinstance(keys[0], list) and any(v is None or isinstance(v, slice) for v in keys[0]):
        keys = tuple(keys[0])
    keys = tuple(_readable(k, x) for k in keys)
    known = sum(
        k.ndim if _is_mask(k) else 1 for k in keys if k is not None and k is not ... and not isinstance(k, bool)
    )
    if known > x.ndim:
        wrong = f"too many indices for tensor of dimension {x.ndim}: {known} were given"
        raise IndexError(message(f"indexing {describe(x)}", wrong, instead=f"at most {x.ndim} between the brackets"))
    basic: list[Any] = []
    indices: list[Any] = []
    dim = 0
    for k in keys:
        if k is ...:
            basic += [slice(None)] * (x.ndim - known)
            indices += [None] * (x.ndim - known)
            dim += x.ndim - known
            known = x.ndim  # a second ellipsis stands for nothing
        elif k is None or isinstance(k, bool):
            basic.append(None)
            indices.append(None if k is None else devices.arange(int(k), like=x.array))
        elif isinstance(k, int):
            n = x.array.shape[dim]
            if not -n <= k < n:
                raise IndexError(outside(f"indexing {describe(x)}", k, dim, n))
            basic.append(k)
            dim += 1
        elif isinstance(k, slice):
            basic.append(k)
            indices.append(None)
            dim += 1
        else:
            places = _of_mask(k, x, dim) if _is_mask(k) else (_of_integers(k, x, dim),)
            basic += [slice(None)] * len(places)
            indices += places
            dim += len(places)
    while indices and indices[-1] is None:
        indices.pop()
    return (*basic, ...), indices


def _readable(k: Any, x: Tensor) -> Any:
    """One entry of an index as a number, a flag, a slice, None, `...`, or an array."""
    if k is None or k is ... or isinstance(k, (bool, int)):
        return k
    if isinstance(k, slice):
        bounds = [None if v is None else as_index(v) for v in (k.start, k.stop, k.step)]
        if bounds[2] is not None and bounds[2] <= 0:
            raise ValueError(f"step must be greater than zero, not {bounds[2]}; write x.flip(dim)")
        return slice(*bounds)
    if isinstance(k, (list, tuple, range)):
        k = as_tensor(list(k), dtype=None if len(k) else dtypes.int64)
    if isinstance(k, (Tensor, np.ndarray, np.generic)) or devices.is_array(k):
        array = k.array if isinstance(k, Tensor) else np.asarray(k) if isinstance(k, np.generic) else k
        if array.dtype.kind not in "iub" or array.dtype.itemsize == 2:
            wrong = f"tensors used as indices must be long, int, byte or bool tensors, not {describe(k)}"
            raise IndexError(message(f"indexing {describe(x)}", wrong, instead="index.long()"))
        if not array.ndim:
            return array.item()
        if type(x.array) is np.ndarray and type(array) is not np.ndarray:
            wrong = "indices should be either on cpu or on the same device as the indexed tensor (cpu)"
            raise RuntimeError(message(f"indexing {describe(x)}", wrong, instead="index.cpu()"))
        return devices.move(array, x.device)
    if isinstance(k, str):
        raise TypeError("new(): invalid data type 'str'")
    raise IndexError(NOT_AN_INDEX.format(type(k).__name__) + ("; write int(i)" if isinstance(k, float) else ""))


def _is_mask(k: Any) -> bool:
    return getattr(k, "dtype", None) in (np.dtype("bool"), np.dtype("uint8"))


def _of_mask(mask: Any, x: Tensor, dim: int) -> tuple:
    """Where a mask holds, as an integer array for each of its dimensions."""
    for i, n in enumerate(mask.shape):
        if n != x.array.shape[dim + i]:
            wrong = (
                f"The shape of the mask {list(mask.shape)} at index {i} does not match the shape of the indexed tensor"
            )
            wrong = f"{wrong} {list(x.shape)} at index {dim + i}"
            fits = next((d for d in range(x.ndim) if mask.shape == x.shape[d : d + mask.ndim]), None)
            other = (
                f"x[{':, ' * fits}mask], whose lengths are those of the mask"
                if fits
                else "a mask made of x itself: x > 0"
            )
            raise IndexError(message(f"indexing {describe(x)}", wrong, instead=other))
    return np.nonzero(mask)


def _of_integers(index: Any, x: Tensor, dim: int, error: type = IndexError) -> Any:
    """An integer array inside a dimension. A copy while gradients are recorded: later writes must not reach it."""
    n = x.array.shape[dim]
    check_inside(index, -n, n, dim, error, x)
    return index.copy() if recording.get() and x.node is not None else index


def check_inside(index: Any, low: int, n: int, dim: int, error: type, what: str | Tensor) -> None:
    """Raise if a position lies outside. On a GPU the host would have to wait: there it wraps, but for a debugger.

    As for PyTorch, that is `CUDA_LAUNCH_BLOCKING=1` in the environment.
    """
    if (type(index) is np.ndarray or devices.blocking) and index.size:
        least, most = index.min(), index.max()
        if least < low or most >= n:
            wrong = least if least < low else most
            name = what if isinstance(what, str) else f"indexing {describe(what)}"
            raise error(outside(name, int(wrong), dim, n, low))


def _check_together(indices: Sequence[Any]) -> None:
    arrays = [index for index in indices if index is not None]
    if len(arrays) > 1:
        try:
            np.broadcast_shapes(*[a.shape for a in arrays])
        except ValueError:
            shapes = ", ".join(str(list(a.shape)) for a in arrays)
            wrong = f"shape mismatch: indexing tensors could not be broadcast together with shapes {shapes}"
            instead = "x[i[:, None], j] for all pairs of two indices, or indices of equal length"
            raise IndexError(message("indexing", wrong, instead=instead)) from None


# --- x[...] --------------------------------------------------------------------------------------------------------------------


def _getitem(self: Tensor, key: Any) -> Tensor:
    """`x[key]`: a view for numbers, slices, None and `...`; a copy for masks and index tensors."""
    if type(key) is int and self.array.ndim:
        n = self.array.shape[0]
        if not -n <= key < n:
            raise IndexError(outside(f"indexing {describe(self)}", key, 0, n))
        return _select(self, 0, key)
    if not self.ndim and isinstance(key, int) and not isinstance(key, bool):
        raise IndexError(
            "invalid index of a 0-dim tensor. Use `tensor.item()` to convert a 0-dim tensor to a Python number"
        )
    basic, indices = _parsed(self, key)
    if not indices:
        return _slice(self, basic)
    _check_together(indices)
    return _index(_slice(self, basic) if _takes_part(basic) else self, indices)


def _takes_part(basic: tuple) -> bool:
    return any(k is not ... and k != slice(None) for k in basic)


def _setitem(self: Tensor, key: Any, value: Any) -> None:
    """`x[key] = value`."""
    basic, indices = _parsed(self, key)
    if not isinstance(value, (Tensor, bool, int, float, complex, np.generic)):
        raise TypeError(f"can't assign a {type(value).__name__} to a {self.type()}; write tensor(value)")
    if not isinstance(value, Tensor):
        value = fitting(value.item() if isinstance(value, np.generic) else value, self.dtype)
    part = _slice(self, basic) if not indices or _takes_part(basic) else self
    if indices:
        _check_together(indices)
        if isinstance(value, Tensor) and not value.ndim:
            value = value.to(self.device, self.dtype)
        _write_at(part, indices, value, False, "index_put_")
    elif isinstance(value, Tensor):
        lead = value.ndim - part.ndim
        if lead > 0 and all(n == 1 for n in value.array.shape[:lead]):
            value = value.reshape(value.array.shape[lead:])
        part.copy_(value)
    else:
        part.fill_(value)


def _write_at(x: Tensor, indices: list[Any], values: Any, accumulate: bool, what: str) -> Tensor:
    """Write into `x` at integer positions; without a graph straight into its memory."""
    check_writable(x, what)
    put = _checked_put(wrap(x.array, x.edge()), indices, values, what)
    if x.edge() is None and put.edge() is None and recording.get() in (True, False) and not accumulate:
        x.array[_key(indices)] = put.array
        x.version().write()
        return x
    return assign(x, _index_put(wrap(x.array, x.edge()), put, indices, accumulate), what)


def _checked_put(x: Tensor, indices: list[Any], values: Any, what: str) -> Tensor:
    """The values of `index_put`, of the right dtype and shape."""
    if not isinstance(values, Tensor):
        return wrap(devices.full((), values, x.array.dtype, like=x.array))
    if values.dtype is not x.dtype:
        raise RuntimeError(
            f"{what}: Index put requires the source and destination dtypes match, got {x.dtype} for the destination and "
            f"{values.dtype} for the source; write values.to({x.dtype})"
        )
    shape = _place_shape(x.array, indices)
    while values.ndim > len(shape) and values.array.shape[0] == 1:
        values = _select(values, 0, 0)
    fits = values.ndim <= len(shape) and all(
        n in (1, m) for n, m in zip(values.array.shape[::-1], shape[::-1], strict=False)
    )
    if not fits:
        raise RuntimeError(
            f"{what}: shape mismatch: value tensor of shape {list(values.shape)} cannot be broadcast to indexing result "
            f"of shape {list(shape)}"
        )
    return values


def index_put(input: Tensor, indices: Sequence[Any], values: Tensor, accumulate: bool = False) -> Tensor:
    """`input` with `values` at the positions, `x[indices] = values`; or added, as often as each position comes."""
    _, found = _parsed(input, tuple(slice(None) if k is None else k for k in indices))
    if not found:
        raise RuntimeError("index_put: at least one index tensor is needed")
    _check_together(found)
    put = _checked_put(input, found, need_tensor(values, "index_put", "values"), "index_put")
    return _index_put(input, put, found, accumulate)


# --- in place ------------------------------------------------------------------------------------------------------------------------


def _index_put_(self: Tensor, indices: Sequence[Any], values: Tensor, accumulate: bool = False) -> Tensor:
    """`x[indices] = values`, or `+=` where each position counts as often as it comes."""
    _, found = _parsed(self, tuple(slice(None) if k is None else k for k in indices))
    _check_together(found)
    return _write_at(self, found, need_tensor(values, "index_put_", "values"), accumulate, "index_put_")


METHODS = "index_put"
OPERATORS = {"__getitem__": _getitem, "__setitem__": _setitem, "index_put_": _index_put_}

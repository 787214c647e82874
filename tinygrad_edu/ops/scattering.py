"""Gathering and scattering: along one dimension, each element from or to a position of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import devices
from ..errors import describe
from ..op import expand, op
from ..promotion import same_place
from ..tensor import Tensor
from .arguments import blank, need_tensor, single, wrapped
from .indexing import check_inside
from .making import stored
from .parts import _slice, narrow
from .pointwise import _where
from .shape import _view, broadcast_shapes


def _places(index, dim, shape):
    """Where each element of an index leads in a tensor of `shape`, counted as if in one dimension."""
    total, step = 0, 1
    for d in reversed(range(len(shape))):
        line = (
            index if d == dim else devices.arange(index.shape[d], like=index).reshape(-1, *(1,) * (len(shape) - d - 1))
        )
        total, step = total + line * step, step * shape[d]
    return total.reshape(-1)


@op
def _gather(x, dim, index):
    """`out[i, j] = x[index[i, j], j]`, for `dim` 0."""
    reached = tuple(slice(None) if d == dim else slice(0, n) for d, n in enumerate(index.shape))
    return np.take_along_axis(x[reached], index, dim)


@op
def _scatter(x, dim, index, src):
    """`x` with `out[index[i, j], j] = src[i, j]`, for `dim` 0."""
    out = x.copy("C")
    out.reshape(-1)[_places(index, dim, x.shape)] = np.reshape(src, -1) if np.ndim(src) else src
    return out


@op
def _scatter_add(x, dim, index, src):
    """`x` with `out[index[i, j], j] += src[i, j]`, for `dim` 0."""
    out = x.copy("C")
    devices.scatter_add(out.reshape(-1), _places(index, dim, x.shape), src.reshape(-1))
    return out


_gather.grad(x=lambda g, x_shape, dim, index: _scatter_add(blank(g, x_shape), dim, index, g))
_scatter.grad(
    x=lambda g, dim, index: _scatter(g, dim, index, 0),
    src=lambda g, dim, index: _gather(g, dim, index),
)
_scatter_add.grad(x=lambda g: g * 1, src=lambda g, dim, index: _gather(g, dim, index))

# --- with a reduction: what meets at one position becomes one number ------------------------------------------------------------

JOIN = {"prod": np.multiply, "amax": np.maximum, "amin": np.minimum}


@op
def _scatter_reduce(x, dim, index, src, reduce, include_self):
    """`x` with, at each position, the sum, product, mean or extreme of what `src` sends there, and of `x` itself."""
    out, places = x.copy("C"), _places(index, dim, x.shape)
    flat = out.reshape(-1)
    if not include_self:
        flat[places] = _neutral(reduce, x.dtype)
    if reduce in JOIN:
        _join(JOIN[reduce], flat, places, src.reshape(-1))
    else:
        devices.scatter_add(flat, places, src.reshape(-1))
    if reduce == "mean":
        counts = _counts(flat, places, include_self)
        mean = flat / counts if x.dtype.kind in "fc" else flat // counts
        flat[...] = mean.astype(x.dtype)
    return out


def _join(function, flat, places, values):
    """`flat[places] = function(flat[places], values)`, as often as each place comes.

    A GPU has no `multiply.at`: there it goes in rounds, in each of which every place comes once at most.
    """
    if type(flat) is np.ndarray:
        function.at(flat, places, values)
        return
    order = np.argsort(places, kind="stable")
    sorted_places = places[order]
    turn = devices.arange(places.size, like=flat) - np.searchsorted(sorted_places, sorted_places)
    for k in range(int(turn.max()) + 1 if turn.size else 0):
        here = order[turn == k]
        flat[places[here]] = function(flat[places[here]], values[here])


def _neutral(reduce, dtype):
    """What changes nothing."""
    if reduce in ("sum", "mean", "prod"):
        return 1 if reduce == "prod" else 0
    if dtype.kind == "b":
        return reduce == "amin"
    least, most = (-np.inf, np.inf) if dtype.kind in "fc" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    return least if reduce == "amax" else most


def _counts(flat, places, include_self):
    """How many numbers meet at each position."""
    counts = devices.zeros(flat.shape, np.int64, like=flat)
    devices.scatter_add(counts, places, 1)
    return counts + 1 if include_self else np.maximum(counts, 1)


def _ones(x):
    """Ones in the shape of `x`, an array or a tensor."""
    return blank(x, x.shape) + 1


def _scatter_reduce_grad(g, x, dim, index, src, reduce, include_self, out):
    """Both gradients; where extremes tie, each gets an equal part."""
    nothing = blank(g, x.shape)
    if reduce == "sum":
        gx, g_src = g * 1, _gather(g, dim, index)
    elif reduce == "mean":
        counts = _scatter_add(nothing, dim, index, _ones(src))
        part = g / (counts + 1 if include_self else _where(counts == 0, 1, counts))
        gx, g_src = part, _gather(part, dim, index)
    elif reduce == "prod":
        gx, g_src = _product_grads(g, x, dim, index, src, include_self, out)
    else:
        at_x, at_src = (x == out) * _ones(x), (src == _gather(out, dim, index)) * _ones(src)
        if not include_self:
            at_x = _scatter(at_x, dim, index, 0)
        sharing = _scatter_add(at_x, dim, index, at_src)
        part = g / _where(sharing == 0, 1, sharing)
        gx, g_src = at_x * part, at_src * _gather(part, dim, index)
    if not include_self and reduce not in ("amax", "amin"):
        gx = _scatter(gx, dim, index, 0)
    return gx, g_src


def _product_grads(g, x, dim, index, src, include_self, out):
    """`g * out / factor`, with the one factor that is 0 left out of its own product."""
    start = x if include_self else _scatter(x, dim, index, 1)
    whole = _where(x == 0, 1, x)
    gx = g * _scatter_reduce(whole, dim, index, src, "prod", True) / whole
    zeros = _gather(_scatter_add(blank(x, x.shape), dim, index, (src == 0) * _ones(src)), dim, index)
    alone = (src == 0) & (zeros == 1)
    others = _gather(g * _scatter_reduce(start, dim, index, _where(alone, 1, src), "prod", True), dim, index)
    return gx, _where(alone, others, _gather(g * out, dim, index) / _where(src == 0, 1, src))


_scatter_reduce.grad(**{"x,src": _scatter_reduce_grad})

# --- PyTorch's signatures ---------------------------------------------------------------------------------------------------------


def _checked(what: str, x: Tensor, dim: int, index: Any, src: Tensor | None = None) -> tuple[Tensor, int, Tensor, Any]:
    """The tensors with at least one dimension, `src` cut to what the index reaches."""
    if need_tensor(index, what, "index").array.dtype not in (np.int32, np.int64) and index.numel():
        raise RuntimeError(f"{what}(): Expected dtype int32/int64 for index, but got {index.dtype}; write index.long()")
    same_place(what, x, index, *(() if src is None else (src,)))
    dim = wrapped(dim, x.ndim)
    if index.numel() or index.ndim == x.ndim:
        if max(index.ndim, 1) != max(x.ndim, 1):
            raise RuntimeError(
                f"{what}(): Index tensor must have the same number of dimensions as input tensor, "
                f"but got {index.ndim} and {x.ndim}; write index.unsqueeze(dim)"
            )
        if src is not None and max(index.ndim, 1) != max(src.ndim, 1):
            raise RuntimeError(
                f"{what}(): Index tensor must have the same number of dimensions as src tensor, "
                f"but got {index.ndim} and {src.ndim}"
            )
    x, index = x if x.ndim else _view(x, (1,)), index if index.ndim else _view(index, (1,))
    if index.numel():
        for d, n in enumerate(index.array.shape):
            if d != dim and n > x.array.shape[d]:
                raise RuntimeError(
                    f"{what}(): Size does not match at dimension {d} expected index {list(index.shape)} to be no larger "
                    f"than self {list(x.shape)} apart from dimension {dim}"
                )
        check_inside(index.array, 0, x.array.shape[dim], dim, RuntimeError, f"{what}()")
    if src is not None:
        if src.dtype is not x.dtype:
            raise RuntimeError(
                f"{what}(): Expected self.dtype to be equal to src.dtype, but got {x.dtype} and {src.dtype}"
            )
        src = src if src.ndim else _view(src, (1,))
        if index.numel() and any(n > m for n, m in zip(index.array.shape, src.array.shape, strict=True)):
            raise RuntimeError(
                f"{what}(): Expected index {list(index.shape)} to be no larger size than src {list(src.shape)}"
            )
        if src.array.shape != index.array.shape and index.numel():
            src = _slice(src, tuple(slice(0, n) for n in index.array.shape))
    return x, dim, index, src


def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False, out: Tensor | None = None) -> Tensor:
    """`out[i, j] = input[index[i, j], j]`, for `dim` 0."""
    shape = need_tensor(index, "gather", "index").array.shape
    x, dim, index, _ = _checked("gather", need_tensor(input, "gather"), dim, index)
    found = _gather(x, dim, index) if index.numel() else narrow(_view(x, (x.numel(),)), 0, 0, 0)
    found = found if found.array.shape == shape else _view(found, shape)
    return stored("gather", found, out, input, index, exact=True)


def _scattered(
    what: str, function: Any, input: Tensor, dim: int, index: Tensor, src: Any, *options: Any, out: Any
) -> Tensor:
    x, dim, index, src = _checked(what, input, dim, index, src)
    found = function(x, dim, index, src, *options) if index.numel() else input.clone()
    return stored(what, found if input.ndim else _view(found, ()), out)


def scatter(
    input: Tensor,
    dim: int,
    index: Tensor,
    src: Any = None,
    *,
    value: Any = None,
    reduce: str | None = None,
    out: Any = None,
) -> Tensor:
    """`input` with `out[index[i, j], j] = src[i, j]`, for `dim` 0; or with one value there."""
    src = value if src is None else src
    if not isinstance(src, Tensor):
        _checked("scatter", input, dim, index)
        src = expand(single(src, input, "scatter"), index.array.shape)
    if reduce is None:
        return _scattered("scatter", _scatter, input, dim, index, src, out=out)
    names = {"add": "sum", "multiply": "prod"}
    if reduce not in names:
        raise RuntimeError(f"scatter: reduce argument must be either add or multiply, not {reduce}.")
    return _scattered("scatter", _scatter_reduce, input, dim, index, src, names[reduce], True, out=out)


def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor, *, out: Tensor | None = None) -> Tensor:
    """`input` with `out[index[i, j], j] += src[i, j]`, for `dim` 0."""
    return _scattered("scatter_add", _scatter_add, input, dim, index, need_tensor(src, "scatter_add", "src"), out=out)


def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True, out: Any = None
) -> Tensor:
    """`input` with, at each position, the sum, product, mean or extreme of what `src` sends there."""
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise RuntimeError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    src = need_tensor(src, "scatter_reduce", "src")
    return _scattered("scatter_reduce", _scatter_reduce, input, dim, index, src, reduce, include_self, out=out)


def index_reduce(
    input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True, out: Any = None
) -> Tensor:
    """`input` with, at positions of a dimension, the product, mean or extreme of what `source` has for them."""
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise RuntimeError(f"index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got {reduce}.")
    if need_tensor(index, "index_reduce", "index").ndim > 1:
        raise IndexError(f"index_reduce(): Index is supposed to be a vector, but has shape {list(index.shape)}")
    dim = wrapped(dim, input.ndim)
    if source.dtype is not input.dtype:
        raise RuntimeError(
            f"index_reduce(): self ({input.dtype}) and source ({source.dtype}) must have the same scalar type"
        )
    count = source.array.shape[dim] if source.ndim else 1
    if index.numel() != count:
        raise RuntimeError(
            f"index_reduce(): Number of indices ({index.numel()}) should be equal to source.size(dim) ({count})"
        )
    check_inside(index.array, 0, input.array.shape[dim] if input.ndim else 1, dim, IndexError, "index_reduce()")
    line = _view(index, (-1, *(1,) * (max(source.ndim, 1) - dim - 1)))
    places = expand(line, source.array.shape or (1,))
    return scatter_reduce(input, dim, places, source, reduce, include_self=include_self, out=out)


def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None, *, out: Tensor | None = None) -> Tensor:
    """The elements at positions along a dimension, where the other dimensions are broadcast together."""
    if need_tensor(indices, "take_along_dim", "indices").array.dtype != np.int64:
        raise RuntimeError(f"take_along_dim(): dtype of indices should be Long but got {indices.dtype}")
    if dim is None:
        return gather(_view(input, (input.numel(),)), 0, _view(indices, (indices.numel(),)), out=out)
    if input.ndim != indices.ndim:
        raise RuntimeError(
            "take_along_dim(): input and indices should have the same number of dimensions, "
            f"but got {describe(input)} and {describe(indices)}"
        )
    dim = wrapped(dim, input.ndim)
    lengths = list(broadcast_shapes(_without(input, dim), _without(indices, dim)))
    wide = [*lengths[:dim], 0, *lengths[dim + 1 :]]
    wide[dim] = input.array.shape[dim]
    x = expand(input, tuple(wide))
    wide[dim] = indices.array.shape[dim]
    n = input.array.shape[dim]
    index = expand(indices, tuple(wide))
    check_inside(index.array, -n, n, dim, RuntimeError, "take_along_dim()")
    return gather(x, dim, _where(index < 0, index + n, index), out=out)


def _without(x: Tensor, dim: int) -> tuple[int, ...]:
    return (*x.array.shape[:dim], 1, *x.array.shape[dim + 1 :])


METHODS = "gather index_reduce scatter scatter_add scatter_reduce take_along_dim"
INPLACE = "index_reduce scatter scatter_add scatter_reduce"

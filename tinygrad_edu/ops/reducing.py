"""What reductions share: which dimensions they take, their results beside what went in, and an accurate sum."""

from __future__ import annotations

import math
from operator import index

import numpy as np

from .. import devices, dtypes
from ..errors import message
from ..op import cast, expand, op


def reduced(x, dim):
    """`dim` as NumPy takes it, where no dimension at all means every one. A number counts as having dimension 0."""
    if dim is None or (type(dim) is int and x.ndim):
        return dim
    dims = tuple(dim) if isinstance(dim, (tuple, list)) else (index(dim),)  # never an array: that is no list of dims
    if x.ndim:
        return dims or None
    for d in dims:
        if d not in (-1, 0):
            raise np.exceptions.AxisError(d, 1)
    return ()


def unreduced(x, shape, dim, keepdim):
    """A reduction's result, of a tensor of this shape, with the reduced dimensions as dimensions of length 1."""
    if keepdim or dim is None or not shape:
        return x
    dims = (dim,) if isinstance(dim, (int, np.integer)) else dim
    gone = {d % len(shape) for d in dims}
    return x.reshape([1 if d in gone else n for d, n in enumerate(shape)]) if gone else x


def spread(g, x_shape, dim, keepdim):
    """A reduction's gradient at each element that went into it."""
    return expand(unreduced(g, x_shape, dim, keepdim), x_shape)


def count(shape, dim):
    """How many elements of a tensor of this shape go into each result."""
    if dim is None or (not isinstance(dim, (int, np.integer)) and not dim) or not shape:
        return math.prod(shape)
    return math.prod(shape[d] for d in ((dim,) if isinstance(dim, (int, np.integer)) else dim))


def share(x_shape, out_shape):
    """One divided by how many elements go into each result; NaN for the mean of nothing."""
    n = math.prod(x_shape)
    return math.prod(out_shape) / n if n else math.nan


def typed(x, dtype):
    """The tensor in the dtype that the caller asks for."""
    return x if dtype is None else cast(x, dtypes.as_dtype(dtype))


def need_elements(name, x, dim, error=IndexError):
    """Raise where a result would have no element to be chosen from."""
    if x.size:
        return
    if dim is None or dim == ():
        wrong = "Expected reduction dim to be specified for input.numel() == 0"
        raise error(
            message(f"{name}()", wrong, instead=f"if x.numel(): x.{name}(), as no element is the answer for none")
        )
    for d in (dim,) if isinstance(dim, (int, np.integer)) else dim:
        if -x.ndim <= d < x.ndim and not x.shape[d]:
            raise IndexError(message(f"{name}()", f"Expected reduction dim {d} to have non-zero size"))


def need_float(name, x):
    """Raise for a tensor of integers."""
    if x.dtype.kind not in "fc":
        wrong = f"Input dtype must be either a floating point or complex dtype. Got: {x.dtype}"
        raise RuntimeError(message(f"{name}()", wrong, instead=f"{name}(x.float())"))


def need_order(name, x):
    """Raise for complex numbers, which have no order."""
    if x.dtype.kind == "c":
        raise NotImplementedError(message(f"{name}()", f"not implemented for {x.dtype}", instead=f"{name}(x.abs())"))


def widened(x):
    """Half precision in single: squares and sums would leave its range before the mean or root is back in it."""
    return x.astype(np.float32) if x.dtype.itemsize == 2 and x.dtype.kind == "f" else x


# --- one chosen element: what is taken from a place gives its gradient back to that place ----------------------------


@op
def _take_along(x, index, dim):
    """The elements at `index` along a dimension."""
    return np.take_along_axis(x, index, dim) if x.ndim else x.copy()


@op
def _place_along(x, index, shape, dim):
    """Zeros of this shape, and the elements of `x` added at `index` along a dimension."""
    if not shape:
        return x.copy()
    place, step = 0, 1  # counted in a row: much the quickest form for `scatter_add`
    for d in reversed(range(len(shape))):
        lie = [-1 if e == d else 1 for e in range(len(shape))]
        own = index if d == dim % len(shape) else devices.arange(index.shape[d], like=index).reshape(lie)
        place, step = place + own * step, step * shape[d]
    out = devices.zeros(step, x.dtype, like=index)
    devices.scatter_add(out, np.ravel(place), np.ravel(x))
    return out.reshape(shape)


_take_along.grad(x=lambda g, index, x_shape, dim: _place_along(g, index, x_shape, dim))
_place_along.grad(x=lambda g, index, dim: _take_along(g, index, dim))


def chosen(x, dim, keepdim, choose):
    """Values and places of the elements at the indices that `choose` finds along a dimension."""
    rows = x if x.ndim else x.reshape(1)
    index = np.expand_dims(choose(rows), dim)
    values = np.take_along_axis(rows, index, dim)
    if not keepdim:
        values, index = values.squeeze(dim), index.squeeze(dim)
    return (values, index) if x.ndim else (values.reshape(()), index.reshape(()))


def chosen_grad(g_values, indices, x_shape, dim, keepdim):
    """The gradient of chosen elements, at their places."""
    keep = [unreduced(v, x_shape, dim, keepdim) for v in (g_values, indices)]
    return _place_along(*keep, x_shape, dim)

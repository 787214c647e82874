"""Sums that stay accurate in single precision along every axis."""

import functools
import math

import numpy as np


def total(x, axis=None, keepdims=False):
    """The sum, in int64 for integers, and accurate in single and half precision.

    NumPy adds in pairs along the last axis only, and one by one along the others: 10⁶ rows of 4 floats lose a digit.
    Here these are taken one at a time, each folded first, which is as accurate and, for narrow rows, many times faster.
    """
    if x.dtype.kind in "bui":
        return x.sum(axis=axis, keepdims=keepdims, dtype=np.int64)
    if x.dtype.itemsize == 2:
        return x.sum(axis=axis, keepdims=keepdims, dtype=np.float32).astype(x.dtype)
    if axis in (0, (0,)) and x.ndim == 2 and 0 < len(x) <= 1024 and type(x) is np.ndarray and not keepdims:
        return ones(len(x), x.dtype) @ x  # a product takes half the time of NumPy's sum over rows
    if x.size > 4096 and axis is not None:
        axes = (axis,) if isinstance(axis, (int, np.integer)) else axis
        rows = axes == LEADING[: len(axes)] and len(axes) < x.ndim and not keepdims
        if rows and type(x) is np.ndarray and x.flags.c_contiguous:
            return _over_rows(x.reshape(math.prod(x.shape[: len(axes)]), -1)).reshape(x.shape[len(axes) :])
        if all(-x.ndim <= a < x.ndim - 1 and a != -1 for a in axes):
            for a in axes:
                x = _folded(x, a).sum(axis=a, keepdims=True)
            return x if keepdims else x.squeeze(axis)
    return x.sum(axis=axis, keepdims=keepdims)


LEADING = tuple(range(64))  # NumPy's arrays have no more dimensions


def _over_rows(x):
    """The sum of many rows, by products: 512 at a time, so that no number is added to one much larger."""
    while len(x) > 1024:
        blocks = len(x) // 512
        sums = ones(512, x.dtype) @ x[: blocks * 512].reshape(blocks, 512, -1)
        sums[0] += ones(len(x) % 512, x.dtype) @ x[blocks * 512 :]
        x = sums
    return ones(len(x), x.dtype) @ x


@functools.cache
def ones(n, dtype):
    """A row of ones, to be read only."""
    return np.ones(n, dtype)


@functools.lru_cache(64)
def starts(rows, width):
    """Where each row of a matrix begins among all its numbers; to be read only."""
    return np.arange(rows) * width


def _folded(x, axis):
    """Partial sums along a long axis: of k, about √n, each the sum of every k-th element."""
    n = x.shape[axis]
    if n < 64:
        return x
    k = math.isqrt(n)
    x = np.moveaxis(x, axis, 0)
    out = x[: n - n % k].reshape(n // k, k, *x.shape[1:]).sum(0)
    out[: n % k] += x[n - n % k :]
    return np.moveaxis(out, 0, axis)

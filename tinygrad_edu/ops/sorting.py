"""Order: sorting, selection, ranks, distinct elements, histograms."""

from __future__ import annotations

import math

import numpy as np

from .. import devices, dtypes
from ..call import store_one
from ..errors import describe, message
from ..op import op
from ..tensor import Tensor, wrap
from .arguments import need_tensor, wrapped
from .faces import takes_out
from .reducing import _place_along, chosen, chosen_grad, need_elements, need_order
from .scans import _doubled

# --- sorting ---------------------------------------------------------------------------------------------------------


def _order(x, dim, descending):
    """The places of the elements from the smallest to the largest, or back; equals keep their order, NaN is largest."""
    if not descending:
        return np.argsort(x, axis=dim, kind="stable")
    last = x.shape[dim] - 1
    return last - np.flip(np.argsort(np.flip(x, dim), axis=dim, kind="stable"), dim)


@op(returns="values indices")
def _sort(x, dim, descending):
    """The elements in order along a dimension, and where they were."""
    need_order("sort", x)
    if not x.ndim:
        return x.copy(), devices.zeros((), np.int64, like=x)
    order = _order(x, dim, descending)
    return np.take_along_axis(x, order, dim), order


def _sorted_grad(g_values, indices, x_shape, dim):
    return _place_along(g_values, indices, x_shape, dim) if x_shape else g_values * 1


_sort.grad(x=_sorted_grad)


def sort(input, dim=-1, descending=False, stable: bool | None = False, *, out=None):
    """(values, indices) in order along a dimension; equal elements keep their order, NaN counts as the largest."""
    wrapped(dim, need_tensor(input, "sort").ndim)
    return _sort(input, dim, descending, out=out)


def argsort(input, dim=-1, descending=False, stable=False):
    """The places of the elements in order."""
    return sort(input, dim, descending).indices


@takes_out
def msort(input):
    """The elements in order along the first dimension."""
    return sort(input, 0).values


# --- selection by rank -----------------------------------------------------------------------------------------------


@op(returns="values indices")
def topk(x, k, dim=-1, largest=True, sorted=True):
    """The k largest elements along a dimension, or the smallest, in order, and where they were."""
    need_order("topk", x)
    if not 0 <= k <= (x.shape[dim] if x.ndim else 1):
        raise RuntimeError(
            message(
                f"topk({describe(x)})",
                f"selected index k out of range: {k} in dimension {dim}",
                instead=f"k of at most {x.shape[dim] if x.ndim else 1}",
            )
        )
    if not x.ndim:
        return x.copy(), devices.zeros((), np.int64, like=x)
    n, index = x.shape[dim], [slice(None)] * x.ndim
    index[dim] = slice(n - k, None) if largest else slice(k)
    if 0 < k < n:
        places = np.argpartition(x, n - k if largest else k - 1, axis=dim)[tuple(index)]
    else:
        places = np.argsort(x, axis=dim)[tuple(index)]
    values = np.take_along_axis(x, places, dim)
    order = _order(values, dim, largest)
    return np.take_along_axis(values, order, dim), np.take_along_axis(places, order, dim)


@op(returns="values indices")
def kthvalue(x, k: int, dim=-1, keepdim=False):
    """The k-th smallest element along a dimension, and where it was."""
    need_order("kthvalue", x)
    need_elements("kthvalue", x, dim)
    if not 1 <= k <= (x.shape[dim] if x.ndim else 1):
        raise RuntimeError(
            message(f"kthvalue({describe(x)})", f"selected number k out of range for dimension {dim}: {k}")
        )
    return chosen(x, dim, keepdim, lambda rows: np.take(_order(rows, dim, False), k - 1, axis=dim))


@op(returns="values indices")
def mode(x, dim=-1, keepdim=False):
    """The most frequent element along a dimension, the smallest of several, and where it came last."""
    need_order("mode", x)
    need_elements("mode", x, dim)

    def choose(rows):
        order = _order(rows, dim, False)
        ranked = np.take_along_axis(rows, order, dim).swapaxes(dim, -1)
        fresh = np.ones_like(ranked, dtype=bool)
        fresh[..., 1:] = ranked[..., 1:] != ranked[..., :-1]
        position = devices.arange(ranked.shape[-1], like=rows)
        start = _doubled(np.maximum, np.where(fresh, position, 0), -1)
        longest = np.argmax(position - start, axis=-1)  # where the first of the longest runs of equals ends
        return np.take_along_axis(order.swapaxes(dim, -1), longest[..., None], -1)[..., 0]

    return chosen(x, dim, keepdim, choose)


topk.grad(x=_sorted_grad)
kthvalue.grad(x=chosen_grad)
mode.grad(x=chosen_grad)

# --- distinct elements -----------------------------------------------------------------------------------------------


def _asked(found, return_inverse, return_counts):
    """Of (elements, inverse, counts), what was asked for."""
    elements, inverse, counts = map(wrap, found)
    answer = (elements, *([inverse] if return_inverse else []), *([counts] if return_counts else []))
    return answer if len(answer) > 1 else elements


def _along(name, x, dim):
    """The dimension along which slices are compared."""
    if dim is None:
        return None
    if not x.ndim:
        raise IndexError(message(f"{name}()", f"Dimension specified as {dim} but tensor has no dimensions"))
    dim = wrapped(dim, x.ndim)
    if 0 in x.shape[:dim] + x.shape[dim + 1 :]:
        wrong = f"There are 0 sized dimensions in {describe(x)}, and they aren't selected"
        raise RuntimeError(message(f"{name}()", wrong))
    return dim


def unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None):
    """The distinct elements, or slices along a dimension, in order; where each element went, how often each came."""
    x = need_tensor(input, "unique").array
    dim = _along("unique", x, dim)
    if not x.size:
        return _asked(_runs(x, dim), return_inverse, return_counts)
    elements, inverse, counts = np.unique(x, return_inverse=True, return_counts=True, axis=dim, equal_nan=False)
    return _asked((elements, inverse.reshape(x.shape if dim is None else -1), counts), return_inverse, return_counts)


def unique_consecutive(input, return_inverse=False, return_counts=False, dim=None):
    """The first of each run of equal elements, or of equal slices along a dimension."""
    x = need_tensor(input, "unique_consecutive").array
    return _asked(_runs(x, _along("unique_consecutive", x, dim)), return_inverse, return_counts)


def _runs(x, dim):
    """The first of each run, to which run each belongs, and the lengths of the runs."""
    slices = x.reshape(-1) if dim is None else np.moveaxis(x, dim, 0)
    fresh = np.ones_like(slices, dtype=bool, shape=slices.shape[:1])
    fresh[1:] = np.any(
        (slices[1:] != slices[:-1]).reshape(max(len(slices) - 1, 0), math.prod(slices.shape[1:])), axis=1
    )
    starts = np.nonzero(fresh)[0]
    ends = np.concatenate([starts[1:], np.full_like(starts[:1], len(slices))])
    run = np.cumsum(fresh) - 1
    elements = np.moveaxis(slices[starts], 0, dim or 0)
    return elements, run.reshape(x.shape) if dim is None else run, ends - starts


# --- places in an order ----------------------------------------------------------------------------------------------


@op(differentiable=False)
def _searchsorted(sequence, x, right):
    """Before which element of an ordered sequence each value belongs; behind its equals with `right`."""
    side = "right" if right else "left"
    if sequence.ndim == 1:
        return np.searchsorted(sequence, x, side=side)
    if not x.size:
        return devices.zeros(x.shape, np.int64, like=x)
    rows, values = sequence.reshape(-1, sequence.shape[-1]), x.reshape(-1, x.shape[-1])
    found = [np.searchsorted(row, value, side=side) for row, value in zip(rows, values, strict=True)]
    return np.stack(found).reshape(x.shape)


def searchsorted(sorted_sequence, input, *, out_int32=False, right=False, side=None, sorter=None, out=None):
    """Before which element of an ordered sequence each value belongs, row by row where the sequence has rows."""
    name = "searchsorted()"
    if side not in (None, "left", "right"):
        raise RuntimeError(message(name, f"side can only be 'left' or 'right' but got {side}"))
    if side == "left" and right:
        raise RuntimeError(
            message(name, "side and right can't be set to opposites, got side of left while right was True")
        )
    sequence = need_tensor(sorted_sequence, "searchsorted", "sorted_sequence")
    if not sequence.ndim:
        raise RuntimeError(message(name, "the sequence must have at least one dimension"))
    shape = tuple(getattr(input, "shape", ()))
    if sequence.ndim > 1 and (not shape or tuple(sequence.shape[:-1]) != shape[:-1]):
        wrong = f"the first dimensions of the sequence {list(sequence.shape)} and of the input {list(shape)} must match"
        raise RuntimeError(message(name, wrong))
    if sorter is not None:
        if sorter.shape != sequence.shape:
            wrong = f"sequence {list(sequence.shape)} and sorter {list(sorter.shape)} must have the same size"
            raise RuntimeError(message(name, wrong))
        if sorter.dtype is not dtypes.int64:
            raise RuntimeError(message(name, f"sorter must be a tensor of int64 but got {sorter.dtype}"))
        if sorter.numel() and not 0 <= sorter.min() <= sorter.max() < sequence.shape[-1]:
            raise RuntimeError(message(name, "sorter index out of range"))
        sequence = sequence.take_along_dim(sorter, -1)
    found = _searchsorted(sequence, input, right or side == "right")
    found = found.to(dtypes.int32) if out_int32 else found
    return found if out is None else _checked_store(found, out)


def _checked_store(found, out):
    if out.dtype != found.dtype:
        wrong = f"output tensor's dtype is wrong, it can only be Int(int32) or Long(int64) depending on out_int32: {out.dtype}"
        raise RuntimeError(message("searchsorted()", wrong))
    return store_one("searchsorted", found, out)


def bucketize(input, boundaries, *, out_int32=False, right=False, out=None):
    """Which of the intervals between the boundaries each value falls into."""
    if boundaries.ndim != 1:
        raise RuntimeError(message("bucketize()", f"boundaries tensor must be 1 dimension, but got {boundaries.ndim}"))
    return searchsorted(boundaries, input, out_int32=out_int32, right=right, out=out)


@op(differentiable=False)
def _isin(x, y, assume_unique: bool, invert: bool):
    """Whether each element is one of those of `y`."""
    return np.isin(x, y, assume_unique=assume_unique, invert=invert)


@takes_out
def isin(elements: Tensor | complex, test_elements: Tensor | complex, *, assume_unique=False, invert=False):
    """Whether each element is one of the `test_elements`."""
    if not isinstance(elements, Tensor) and not isinstance(test_elements, Tensor):
        raise TypeError("isin(): 'elements' or 'test_elements' must be Tensor, not both numbers")
    return _isin(elements, test_elements, assume_unique, invert)


METHODS = "argsort bucketize isin kthvalue mode msort sort topk unique unique_consecutive"

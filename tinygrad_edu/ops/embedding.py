"""Embedding: rows of a table by number, bags of rows, and dropout by masks."""

from __future__ import annotations

import math

import numpy as np

from .. import devices
from ..op import op
from ..tensor import wrap
from .pointwise import _where
from .reductions import max
from .shape import unsqueeze

# --- rows of a table -------------------------------------------------------------------------------------------------


@op
def _embedding(weight, index, padding_idx=None, by_frequency=False):
    """The row of `weight` for each number in `index`; the row `padding_idx` is not learnt."""
    return weight.take(index, 0)


@devices.fused
def _add_rows(x, index, rows):
    """A table of `rows` rows, each the sum of the vectors of x whose index it has."""
    width = x.shape[-1]
    flat = index.reshape(-1, 1)
    table = devices.zeros(rows * width, x.dtype, like=x)
    # NumPy adds single numbers three times as fast as rows
    devices.scatter_add(table, (flat * width + devices.arange(width, like=flat)).reshape(-1), x.reshape(-1))
    return table.reshape(rows, width)


@op
def _sum_rows(x, index, rows, skip=None, by_frequency=False):
    """A table of `rows` rows, each the sum (or by frequency the mean) of the vectors of x whose index it has."""
    if by_frequency:
        x = x / _frequency(index, x)
    table = _add_rows(x, index, rows)
    if skip is not None:
        table[skip] = 0
    return table


@op(differentiable=False, promote=False)
def _frequency(index, like):
    """How often the number at each place comes in `index`, in the dtype of `like`."""
    found = np.bincount(index.reshape(-1)) if index.size else index
    return found[index][..., None].astype(like.dtype)


def _embedding_grad(g, index, weight_shape, padding_idx, by_frequency):
    return _sum_rows(g, index, weight_shape[0], padding_idx, by_frequency)


def _sum_rows_grad(g, index, x_shape, skip, by_frequency):
    spread = _embedding(g, index)
    if skip is not None:
        spread = spread * unsqueeze(index != skip, -1)
    return spread / _frequency(index, g) if by_frequency else spread


_embedding.grad(weight=_embedding_grad)
_sum_rows.grad(x=_sum_rows_grad)


def _embedding_bag(weight, index, bag, count, mode, factors=None, by_frequency=False):
    """The sum, mean or maximum of the rows in each bag; `bag` says, in order, where each belongs."""
    rows = _embedding(weight, index, None, by_frequency)
    if mode == "max":
        return _bag_max(rows, bag, count)
    out = _sum_rows(rows if factors is None else rows * unsqueeze(factors, 1), bag, count)
    if mode == "mean":
        sizes = devices.zeros(count, weight.array.dtype, like=bag.array)
        devices.scatter_add(sizes, bag.array, 1)
        out = out / wrap(np.maximum(sizes, 1)[:, None])
    return out


def _bag_max(rows, bag, count):
    """The greatest row of each bag, number by number; zeros for an empty bag."""
    ends = np.searchsorted(bag.array, devices.arange(count, like=bag.array), side="right")[:, None]
    starts = np.searchsorted(bag.array, devices.arange(count, like=bag.array))[:, None]
    longest = int((ends - starts).max()) if count else 0
    if not longest:
        return _sum_rows(rows, bag, count)
    slots = starts + devices.arange(longest, like=starts)  # (count, longest)
    inside = wrap(slots < ends)
    padded = _embedding(rows, wrap(np.minimum(slots, rows.shape[0] - 1)))
    greatest = max(_where(unsqueeze(inside, 2), padded, -math.inf), 1)[0]
    return _where(inside[:, :1], greatest, 0.0)


# --- dropout ---------------------------------------------------------------------------------------------------------


@op
def _dropout(x, mask, scale):
    """x where the mask is True, times scale; 0 elsewhere."""
    return _dropped(x, mask, scale)


@devices.fused
def _dropped(x, mask, scale):
    out = x * mask
    out *= scale
    return out


@op
def _alpha_dropout(x, mask, p):
    """x where the mask is True, what selu gives at -∞ elsewhere, brought back to mean 0 and variance 1."""
    floor, scale, shift = _alpha_constants(p)
    out = (x - floor) * mask
    out *= scale
    out += floor * scale + shift
    return out


def _alpha_constants(p):
    floor = -1.7580993408473766  # -scale * alpha of selu
    scale = ((1 - p) * (1 + p * floor * floor)) ** -0.5 if p < 1 else 0.0
    return floor, scale, -scale * p * floor


_dropout.grad(x=lambda g, mask, scale: _dropout(g, mask, scale))
_alpha_dropout.grad(x=lambda g, mask, p: g * mask * _alpha_constants(p)[1])

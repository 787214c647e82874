"""Reductions: many elements to one, along dimensions or over all."""

from __future__ import annotations

import math

import numpy as np

from ..op import expand, op
from .shape import axes, restored


@op
def sum(x, dim=None, keepdim=False, *, dtype=None):
    """The sum."""
    return np.sum(x, axis=axes(dim), keepdims=keepdim, dtype=dtype and dtype.numpy)


@op
def mean(x, dim=None, keepdim=False, *, dtype=None):
    """The arithmetic mean."""
    return np.mean(x, axis=axes(dim), keepdims=keepdim, dtype=dtype and dtype.numpy)


def spread(g, x_shape, dim, keepdim):
    """A reduction's gradient at each element that went into it."""
    return expand(restored(g, x_shape, dim, keepdim), x_shape)


def _mean_grad(g, x_shape, dim, keepdim):
    count = math.prod(x_shape) / max(math.prod(g.shape), 1)
    return spread(g / count, x_shape, dim, keepdim)


sum.grad(x=spread)
mean.grad(x=_mean_grad)

METHODS = "mean sum"

"""The softmax family, in stable forms: the maximum is taken off before anything is raised to a power."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import devices
from ..op import op
from ..sums import ones
from ..tensor import Tensor
from .operands import refuse
from .pointwise import exp
from .reductions import logsumexp


def _row_max(x):
    """The greatest of each last row, which stays as a dimension of length 1."""
    if x.shape[-1] > 64 or x.size < 128 or x.ndim < 2:
        return x.max(-1, keepdims=True)
    # NumPy goes through rows one by one, and through columns all at once: for short rows ten times as fast
    return x.reshape(-1, x.shape[-1]).T.copy().max(0).reshape(*x.shape[:-1], 1)


def _row_sum(x):
    """The sum of each last row, which stays as a dimension of length 1: a product takes a quarter of the time of sum."""
    if type(x) is np.ndarray and x.dtype.char in "fd" and x.flags.c_contiguous:
        row = ones(x.shape[-1], x.dtype)
        return x.dot(row)[:, None] if x.ndim == 2 else (x @ row)[..., None]
    return x.sum(-1, keepdims=True)


def _centred(x, dim):
    """x, less its maximum: the greatest is 0."""
    if not x.size:
        return x.copy()
    return x - (_row_max(x) if _is_last(x, dim) else x.max(dim, keepdims=True))


def _total(x, dim):
    return _row_sum(x) if _is_last(x, dim) else x.sum(dim, keepdims=True)


def _is_last(x, dim):
    return x.ndim > 1 and dim in (-1, x.ndim - 1)


def _along(x, dim):
    """`dim`, but no dimension for the one of a number alone: to CuPy it has none."""
    return () if not x.ndim and dim in (0, -1) else dim


# The plain definitions are for the reader, and for tests: the rules of these operations work on tensors too.


def _softmax_plain(x, dim):
    return exp(x - logsumexp(x, dim, True))


def _log_softmax_plain(x, dim):
    return x - logsumexp(x, dim, True)


@op
def _softmax(x, dim):
    """exp(x) / Σ exp(x) along `dim`."""
    refuse("biu", "softmax", x)
    return _softmax_along(x, _along(x, dim))


@devices.fused
def _softmax_along(x, dim):
    """What `_softmax` says."""
    e = np.exp(_centred(x, dim))
    e /= _total(e, dim)
    return e


@devices.fused
def _softmax_along_grad(g, out, dim):
    """The way back through `_softmax`."""
    return out * (g - (g * out).sum(dim, keepdims=True))


@op
def _log_softmax(x, dim):
    """x - log Σ exp(x) along `dim`."""
    refuse("biu", "log_softmax", x)
    return _log_softmax_along(x, _along(x, dim))


@devices.fused
def _log_softmax_along(x, dim):
    """What `_log_softmax` says."""
    z = _centred(x, dim)
    z -= np.log(_total(np.exp(z), dim))
    return z


@devices.fused
def _log_softmax_along_grad(g, out, dim):
    """The way back through `_log_softmax`."""
    return g - exp(out) * g.sum(dim, keepdims=True)


_softmax.grad(x=lambda g, out, dim: _softmax_along_grad(g, out, _along(out, dim)))
_log_softmax.grad(x=lambda g, out, dim: _log_softmax_along_grad(g, out, _along(out, dim)))


def softmax(input: Tensor, dim: int, dtype: Any = None, *, out: Tensor | None = None) -> Tensor:
    """exp(x) / Σ exp(x) along `dim`: positive numbers whose sum is 1."""
    return _softmax(input if dtype is None else input.to(dtype), dim, out=out)


def log_softmax(input: Tensor, dim: int, dtype: Any = None, *, out: Tensor | None = None) -> Tensor:
    """The logarithm of the softmax along `dim`."""
    return _log_softmax(input if dtype is None else input.to(dtype), dim, out=out)


METHODS = "log_softmax softmax"

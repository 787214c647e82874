"""The words that matrix calculus is written in; each takes arrays and tensors. A matrix is the last two dimensions."""

from __future__ import annotations

import numpy as np

from .. import devices
from ..call import store_one
from ..op import op
from .complexes import conj
from .joining import _cat
from .parts import _diagonal, _place, _slice
from .shape import _view, mT


@op
def identity(x):
    """The identity matrix in place of each matrix."""
    return np.broadcast_to(devices.module_of(x).eye(*x.shape[-2:], dtype=x.dtype), x.shape).copy()


identity.grad(x=lambda g: g * 0)


def mH(x):
    """The conjugate transpose."""
    return conj(mT(x))


def each(x):
    """One number for each matrix, as a matrix of one element."""
    return _view(x, (*x.shape, 1, 1))


def rows(x, start, stop):
    """Some rows."""
    return _slice(x, (..., slice(start, stop), slice(None)))


def columns(x, start, stop):
    """Some columns, or elements of a vector."""
    return _slice(x, (..., slice(start, stop)))


def beside(*xs):
    """One matrix of the columns of several."""
    return _cat(list(xs), xs[0].ndim - 1)


def below(*xs):
    """One matrix of the rows of several."""
    return _cat(list(xs), xs[0].ndim - 2)


def diagonal_of(x):
    """The diagonal as a vector."""
    return _diagonal(x, 0, -2, -1)


def diagonal_from(x):
    """The diagonal matrix of a vector."""
    return _place(x, (*x.shape, x.shape[-1]), _diagonal, (0, -2, -1))


def written(function, result, out):
    """The result of a composed function, or its results, in the tensors given as `out=`."""
    if out is None:
        return result
    if isinstance(result, tuple):
        return type(result)(*[store_one(function.op.name, r, o) for r, o in zip(result, out, strict=True)])
    return store_one(function.op.name, result, out)

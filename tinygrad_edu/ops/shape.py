"""Shape and movement: the same elements in another arrangement, as views wherever NumPy can."""

from __future__ import annotations

import numpy as np

from ..op import op


def axes(dim):
    """`dim` as NumPy takes it: an integer, a tuple, or None."""
    return tuple(dim) if isinstance(dim, list) else dim


def sizes(args):
    """Sizes given one by one or as one sequence: `x.view(2, 3)`, `x.view((2, 3))`."""
    return tuple(args[0]) if len(args) == 1 and isinstance(args[0], (tuple, list)) else args


def restored(x, shape, dim, keepdim):
    """A reduction's result with the reduced dimensions as dimensions of length 1."""
    if keepdim:
        return x
    dims = range(len(shape)) if dim is None else {d % len(shape) for d in np.atleast_1d(axes(dim))} if shape else ()
    return _reshape(x, tuple(1 if d in dims else n for d, n in enumerate(shape)))


@op(view=True)
def _reshape(x, shape):
    """The elements in another shape: a view where the strides allow it, else a copy."""
    return x.reshape(shape)


@op(view=True)
def _permute(x, dims):
    """The dimensions in another order."""
    return x.transpose(dims)


@op(view=True)
def transpose(x, dim0, dim1):
    """Two dimensions exchanged."""
    return x.swapaxes(dim0, dim1)


@op(view=True)
def mT(x):
    """The last two dimensions exchanged."""
    return x.swapaxes(-1, -2)


_reshape.grad(x=lambda g, x_shape: _reshape(g, x_shape))
_permute.grad(x=lambda g, dims: _permute(g, tuple(np.argsort(dims))))
transpose.grad(x=lambda g, dim0, dim1: transpose(g, dim0, dim1))
mT.grad(x=lambda g: mT(g))


def reshape(input, *shape):
    """The elements in another shape: a view where the strides allow it, else a copy."""
    return _reshape(input, sizes(shape))


def permute(input, *dims):
    """The dimensions in another order."""
    return _permute(input, sizes(dims))


METHODS = "permute reshape transpose"
OPERATORS = {"mT": property(mT)}

import itertools
import math

import numpy as np

from . import call, entry


def _reduce(function):
    return lambda x, dim=None, keepdim=False: function(x, axis=dim, keepdims=keepdim)


def _samples(draw="__call__"):
    return (
        lambda r: call(getattr(r, draw)(3, 4)),
        lambda r: call(getattr(r, draw)(2, 3, 4), 1),
        lambda r: call(getattr(r, draw)(2, 3, 4), -1, True),
        lambda r: call(getattr(r, draw)()),
        lambda r: call(getattr(r, draw)(), -1),
    )


def _samples_over_dims(draw="__call__"):
    return (
        *_samples(draw),
        lambda r: call(getattr(r, draw)(2, 3, 4), (0, -1), True),
        lambda r: call(getattr(r, draw)(2, 3, 4), (2, 0)),
    )


def _scalar_dim(function):
    """NumPy has no dimension 0 of a number."""
    return lambda x, dim=None, keepdim=False: function(x, dim if x.ndim else None, keepdim and x.ndim > 0)


# --- sums ------------------------------------------------------------------------------------------------------------

_sum, _mean = _scalar_dim(_reduce(np.sum)), _scalar_dim(_reduce(np.mean))


def _by_hand(function):
    """Along one dimension or over all, row by row in Python's own arithmetic."""

    def expect(x, dim=None, keepdim=False):
        if dim is None or not x.ndim:
            return np.asarray(function(x.ravel().tolist()))
        return np.apply_along_axis(lambda row: np.asarray(function(row.tolist())), dim, x).reshape(
            np.sum(x, axis=dim, keepdims=keepdim).shape
        )

    return expect


entry(
    "sum",
    *_samples_over_dims(),
    *_samples_over_dims("complex"),
    lambda r: call(r(0, 3), 0),
    lambda r: call(r(2, 0, 3), 1, True),
    lambda r: call(r(700, 3, 2), 0),  # long enough to be added up in parts
    lambda r: call(r(2, 3001, 2), (1,)),
    expect=_sum,
)
entry("mean", *_samples_over_dims(), *_samples_over_dims("complex"), lambda r: call(r(2, 0), 0), expect=_mean)


def _holes(r, *shape):
    x = r(*shape)
    return np.where(r.flags(*shape), x, np.nan)


entry(
    "nansum",
    *_samples_over_dims(),
    expect=lambda x, dim=None, keepdim=False: _scalar_dim(_reduce(np.nansum))(x, dim, keepdim),
)

# --- yes or no, how many ---------------------------------------------------------------------------------------------

_flags = (
    lambda r: call(r.flags(3, 4)),
    lambda r: call(r.flags(2, 3, 4), 1),
    lambda r: call(r.flags(2, 3, 4), (0, 2), True),
    lambda r: call(r.flags(0, 3), 0),
    lambda r: call(r.ints(0, 2, 3, 2), 0),
)
entry("all", *_flags, gradient=False, expect=_reduce(np.all))
entry("any", *_flags, gradient=False, expect=_reduce(np.any))
entry(
    "count_nonzero",
    lambda r: call(r.ints(0, 3, 3, 4)),
    lambda r: call(r.ints(0, 3, 3, 4), 1),
    lambda r: call(r.ints(0, 2, 3, 4, 2), (0, 2)),
    lambda r: call(np.zeros((0, 3)), 0),
    gradient=False,
    expect=lambda x, dim=None: np.count_nonzero(x, axis=dim),
)

# --- extremes --------------------------------------------------------------------------------------------------------

entry("amax", *_samples_over_dims("distinct"), lambda r: call(r(2, 0), 0), expect=_scalar_dim(_reduce(np.max)))
entry("amin", *_samples_over_dims("distinct"), lambda r: call(r(2, 0), 0), expect=_scalar_dim(_reduce(np.min)))

_along = (
    lambda r: call(r.distinct(3, 4), 0),
    lambda r: call(r.distinct(2, 3, 4), 1),
    lambda r: call(r.distinct(2, 3, 4), -1, True),
    lambda r: call(r.distinct(), 0),
    lambda r: call(r(2, 0), 0),
)


def _found(place):
    """Value and place along a dimension, by a look-up with Python's indices."""

    def expect(x, dim, keepdim=False):
        if not x.ndim:
            return x, np.int64(0)
        index = np.zeros([n for d, n in enumerate(x.shape) if d != dim % x.ndim], np.int64)
        values = np.zeros(index.shape)
        rows = np.moveaxis(x, dim, -1)
        for where in itertools.product(*map(range, index.shape)):
            index[where] = place(rows[where].tolist())
            values[where] = rows[where][index[where]]
        return [np.expand_dims(v, dim) if keepdim else v for v in (values, index)]

    return expect


entry("max", *_along, expect=_found(lambda row: row.index(max(row))))
entry("min", *_along, expect=_found(lambda row: row.index(min(row))))
entry("argmax", *_samples("distinct"), gradient=False, expect=_scalar_dim(_reduce(np.argmax)))
entry("argmin", *_samples("distinct"), gradient=False, expect=_scalar_dim(_reduce(np.argmin)))

# --- what is taken from a place --------------------------------------------------------------------------------------

entry(
    "take_along",
    lambda r: call(r(3, 4), np.array([[2, 0, 0, 1]]), 0),
    lambda r: call(r(2, 3), np.array([[2], [0]]), -1),
    expect=lambda x, index, dim: np.take_along_axis(x, index, dim),
)


def _placed(x, index, shape, dim):
    out = np.zeros(shape)
    for where in np.ndindex(index.shape):
        target = list(where)
        if target:
            target[dim] = index[where]
        out[tuple(target)] += x[where]
    return out


entry(
    "place_along",
    lambda r: call(r(2, 4), np.array([[2, 0, 0, 1], [2, 1, 0, 1]]), (3, 4), 0),
    lambda r: call(r(2, 1, 3), r.ints(0, 5, 2, 1, 3), (2, 5, 3), -2),
    lambda r: call(r(), np.array(0), (), 0),
    expect=_placed,
)

# --- products, log of a sum of exponentials, norms -------------------------------------------------------------------


def _one_zero(r, *shape):
    x = r(*shape)
    x.flat[1] = 0
    return x


entry(
    "prod",
    *_samples(),
    *_samples("complex"),
    lambda r: call(r(2, 0), 1),
    lambda r: call(_one_zero(r, 3, 3), 0),
    lambda r: call(np.array([0.0, 2.0, 0.0, 3.0])),
    lambda r: call(r(5), 0),
    expect=_scalar_dim(_reduce(np.prod)),
)


def _logsumexp(x, dim, keepdim=False):
    return np.log(_sum(np.exp(x), dim, keepdim))


entry(
    "logsumexp",
    *_samples_over_dims()[1:3],
    *_samples_over_dims()[4:],
    *_samples_over_dims("complex")[1:3],
    lambda r: call(r(2, 3), ()),
    expect=lambda x, dim, keepdim=False: _logsumexp(x, dim if dim != () else None, keepdim),
)


def _norm(x, p, dim=None, keepdim=False):
    size = abs(x)
    if p == 0:
        return _sum((size > 0) * 1.0, dim, keepdim)
    if math.isinf(p):
        return _scalar_dim(_reduce(np.max if p > 0 else np.min))(size, dim, keepdim)
    return _sum(size**p, dim, keepdim) ** (1 / p)


def _norms(draw):
    return [
        lambda r, p=p, rest=rest: call(getattr(r, draw)(3, 4), p, *rest)
        for p in (2, 1, 3, 2.5, 0.7, -1, 0, math.inf, -math.inf)
        for rest in ((), (1,), ((0, 1), True))
    ]


entry(
    "norm",
    *_norms("off_zero"),
    *_norms("complex"),
    lambda r: call(r.off_zero(), 2),
    lambda r: call(r(0, 3), 2),
    expect=_norm,
)

import itertools
import operator

import numpy as np

from . import call, entry


def _samples(draw="__call__"):
    return (
        lambda r: call(getattr(r, draw)(5), 0),
        lambda r: call(getattr(r, draw)(3, 7), 1),
        lambda r: call(getattr(r, draw)(2, 3, 4), -2),
        lambda r: call(getattr(r, draw)(), 0),
        lambda r: call(getattr(r, draw)(0, 3), 0),
    )


def _running(combine):
    """Element after element, in Python."""

    def expect(x, dim):
        if not x.ndim:
            return x
        rows = np.moveaxis(x, dim, 0)
        return np.moveaxis(np.array(list(itertools.accumulate(rows, combine))).reshape(rows.shape), 0, dim)

    return expect


def _zeros(r, *places):
    x = r(4, 3)
    for place in places:
        x[place] = 0
    return x


entry("cumsum", *_samples(), *_samples("complex"), expect=_running(operator.add))
entry(
    "cumprod",
    *_samples(),
    *_samples("complex"),
    lambda r: call(_zeros(r, (1, 0), (0, 1), (3, 2)), 0),
    lambda r: call(_zeros(r, (1, 0), (2, 0), (3, 0), (0, 1), (3, 1)), 0),
    expect=_running(operator.mul),
)


def _running_log(x, dim):
    return np.log(_running(operator.add)(np.exp(x), dim)) if np.iscomplexobj(x) else _running(np.logaddexp)(x, dim)


entry(
    "logcumsumexp",
    *_samples(),
    lambda r: call(0.3 * r.complex(3, 4), 1),
    lambda r: call(r.complex(), 0),
    lambda r: call(np.array([-800.0, -801.0, 3.0, 900.0, 899.0, -5.0]), 0),
    expect=_running_log,
)


def _extreme(better):
    def expect(x, dim):
        if not x.ndim:
            return x, np.int64(0)
        rows = np.moveaxis(x, dim, 0)
        index = np.zeros(rows.shape, np.int64)
        for k in range(1, len(rows)):
            best = np.take_along_axis(rows, index[k - 1 : k], 0)[0]
            index[k] = np.where(better(rows[k], best), k, index[k - 1])
        return [np.moveaxis(v, 0, dim) for v in (np.take_along_axis(rows, index, 0), index)]

    return expect


entry("cummax", *_samples("distinct"), expect=_extreme(np.greater_equal))
entry("cummin", *_samples("distinct"), expect=_extreme(np.less_equal))

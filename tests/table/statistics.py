import statistics

import numpy as np

from . import call, entry
from .reductions import _along, _found


def _spread(function):
    def expect(x, dim=None, correction=1, keepdim=False):
        if np.iscomplexobj(x):
            return expect(x.real, dim, correction, keepdim) + expect(x.imag, dim, correction, keepdim)
        return function(x, axis=dim, ddof=correction, keepdims=keepdim)

    return expect


def _variances(draw):
    return (
        lambda r: call(getattr(r, draw)(3, 4)),
        lambda r: call(getattr(r, draw)(2, 3, 4), 1, 0),
        lambda r: call(getattr(r, draw)(2, 3, 4), (0, -1), 2, True),
        lambda r: call(getattr(r, draw)(5), None, 0.5),
    )


_variance = _spread(np.var)
entry("var", *_variances("__call__"), *_variances("complex"), expect=_variance)
entry("std", *_variances("__call__"), *_variances("complex"), expect=lambda *args: np.sqrt(_variance(*args)))

_middle = _found(lambda row: row.index(statistics.median_low(row)))
entry("median", *_along, expect=_middle)
entry("nanmedian", *_along, expect=_middle)


def _bincount(x, weights, minlength):
    numbers = np.arange(max([minlength, *(x + 1)]))[:, None]
    return np.sum((x == numbers) * (1 if weights is None else weights), axis=1)


entry(
    "bincount",
    lambda r: call(r.ints(0, 5, 20), None, 0),
    lambda r: call(r.ints(0, 5, 20), r(20), 9),
    lambda r: call(np.zeros(0, np.int64), None, 3),
    gradient=False,
    expect=_bincount,
)

import numpy as np

from . import call, entry


def _reduce(function):
    return lambda x, dim=None, keepdim=False: function(x, axis=dim, keepdims=keepdim)


def _samples():
    return (
        lambda r: call(r(3, 4)),
        lambda r: call(r(2, 3, 4), 1),
        lambda r: call(r(2, 3, 4), (0, -1), True),
        lambda r: call(r()),
    )


entry("sum", *_samples(), lambda r: call(r(0, 3), 0), expect=_reduce(np.sum))
entry("mean", *_samples(), expect=_reduce(np.mean))

import math

import numpy as np

from . import Call, Draw, call, entry, unary
from .special_functions import _each


def _zeta(s, q):
    """A hundred thousand terms of the sum, and the integral of the rest."""
    k = q + np.arange(100_000.0)
    return math.fsum(k**-s) + (q + 1e5) ** (1 - s) / (s - 1) + (q + 1e5) ** -s / 2


def _digamma(x):
    """The limit of `log(k) - 1/x - 1/(x + 1) ... - 1/(x + k)`, with two terms of its error."""
    k = np.arange(100_000.0)
    return math.log(x + 1e5) - math.fsum(1 / (x + k)) - 0.5 / (x + 1e5) - 1 / (12 * (x + 1e5) ** 2)


def _upper(a, x):
    """`gammaincc` for whole a: the chance of fewer than a events."""
    return math.exp(-x) * math.fsum(x**k / math.factorial(k) for k in range(int(a)))


unary("lgamma", _each(math.lgamma), "between", (-0.9, -0.1))
unary("digamma", _each(_digamma), "between", (0.3, 12.0))


def _polygamma(x: np.ndarray, n: int) -> np.ndarray:
    return _each(lambda v: _digamma(v) if n == 0 else (-1) ** (n + 1) * math.factorial(n) * _zeta(n + 1, v))(x)


entry(
    "polygamma",
    lambda r: call(r.between(0.3, 12, 3), 0),
    lambda r: call(r.between(0.5, 12, 3), 1),
    lambda r: call(r.between(0.5, 3), 2),
    lambda r: call(r.between(0.5, 3, 0, 2), 3),
    expect=_polygamma,
)


# the first argument has no derivative: whole numbers ask for none
def _by_integers(r: Draw) -> Call:
    return call(r.ints(2, 7, 3, 1), r.between(0.5, 9, 4))


def _one_number(r: Draw) -> Call:
    return call(r.ints(2, 7), r.between(0.5, 9))


def _none(r: Draw) -> Call:
    return call(r.ints(2, 7, 0, 3), r.between(0.5, 9, 3))


entry("zeta_function", _by_integers, _one_number, _none, expect=np.vectorize(_zeta, otypes=[float]))
entry("gammaincc", _by_integers, _one_number, _none, expect=np.vectorize(_upper, otypes=[float]))
entry(
    "gammainc",
    _by_integers,
    _one_number,
    _none,
    lambda r: call(r.ints(90, 110, 5), r.between(80, 120, 5)),
    expect=np.vectorize(lambda a, x: 1 - _upper(a, x), otypes=[float]),
)

import math

import numpy as np

from . import unary


def _each(function):
    return np.vectorize(function, otypes=[float])


def _solve(function, y):
    """Where a rising function takes the value y, by bisection."""
    low, high = -9.0, 9.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) < y else (low, middle)
    return (low + high) / 2


def _ndtr(x):
    return math.erfc(-x / math.sqrt(2)) / 2


unary("erf", _each(math.erf))
unary("erfc", _each(math.erfc))
unary("erfcx", _each(lambda x: math.exp(x * x) * math.erfc(x)))
unary("erfinv", _each(lambda y: _solve(math.erf, y)), "between", (-0.95, 0.95))
unary("ndtr", _each(_ndtr))
unary("log_ndtr", _each(lambda x: math.log(_ndtr(x))), "between", (-5, 3))
unary("ndtri", _each(lambda y: _solve(_ndtr, y)), "between", (0.05, 0.95))
unary("entr", lambda x: -x * np.log(x), "between", (0.3, 3.0))

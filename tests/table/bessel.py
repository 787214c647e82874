import math
from fractions import Fraction

import numpy as np

from . import unary
from .special_functions import _each

POINTS, WEIGHTS = np.polynomial.legendre.leggauss(200)


def _integral(function, low, high):
    """The integral by Gauss's and Legendre's rule."""
    half = (high - low) / 2
    return float(half * np.sum(WEIGHTS * function(low + half * (POINTS + 1))))


def _series(order, sign):
    """The power series of J (sign -1) or I (sign 1)."""

    def value(x):
        terms = ((x / 2) ** (2 * k + order) / (math.factorial(k) * math.factorial(k + order)) for k in range(60))
        return math.fsum(sign**k * term for k, term in enumerate(terms))

    return value


def _falling(order):
    """K, from its integral."""
    return lambda x: _integral(lambda t: np.exp(-x * np.cosh(t)) * np.cosh(order * t), 0, 7)


def _second(order):
    """Y, from Schläfli's integrals."""

    def value(x):
        waves = _integral(lambda t: np.sin(x * np.sin(t) - order * t), 0, math.pi)
        tail = _integral(
            lambda t: (np.exp(order * t) + (-1) ** order * np.exp(-order * t)) * np.exp(-x * np.sinh(t)), 0, 7
        )
        return (waves - tail) / math.pi

    return value


def _airy(x):
    """Ai, from its two power series in exact fractions: their terms are much larger than their sum."""
    x = Fraction(x)
    term, other = Fraction("0.355028053887817239260063186004"), -x * Fraction("0.258819403792806798405183560189")
    total = Fraction(0)
    for k in range(3, 180, 3):
        total += term + other
        term, other = term * x**3 / (k * (k - 1)), other * x**3 / (k * (k + 1))
    return float(total)


unary("airy_ai", _each(_airy), "between", (-8, 6), gradient=False)
unary("bessel_j0", _each(_series(0, -1)), "between", (-6, 6))
unary("bessel_j1", _each(_series(1, -1)), "between", (-6, 6))
unary("bessel_y0", _each(_second(0)), "between", (0.5, 30))
unary("bessel_y1", _each(_second(1)), "between", (0.5, 30))
unary("i0", _each(_series(0, 1)), "off_zero")
unary("i1", _each(_series(1, 1)), "off_zero")
unary("i0e", _each(lambda x: math.exp(-abs(x)) * _series(0, 1)(x)), "off_zero")
unary("i1e", _each(lambda x: math.exp(-abs(x)) * _series(1, 1)(x)), "off_zero")
unary("modified_bessel_k0", _each(_falling(0)), "between", (0.3, 6))
unary("modified_bessel_k1", _each(_falling(1)), "between", (0.3, 6))
unary("scaled_modified_bessel_k0", _each(lambda x: math.exp(x) * _falling(0)(x)), "between", (0.3, 6))
unary("scaled_modified_bessel_k1", _each(lambda x: math.exp(x) * _falling(1)(x)), "between", (0.3, 6))

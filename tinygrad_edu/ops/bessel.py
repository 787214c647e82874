"""Bessel functions of orders 0 and 1, as averages over an angle.

`J0(x)` is the mean of `cos(x cos t)`, `I0(x)` that of `cosh(x cos t)`. The mean of a smooth periodic function over a few
evenly spaced angles is exact to all digits; beyond, Hankel's asymptotic series takes over. No tables are needed.
"""

from __future__ import annotations

import cmath
import math

import numpy as np

from ..op import op
from .operands import in_double, polynomial
from .pointwise import _where
from .rounding import sign
from .trigonometry import sinc

EULER = 0.57721566490153286
NEAR = 25.0  # up to here by averages
ANGLES = tuple((k + 0.5) * math.pi / 64 for k in range(32))
COSINES = tuple(map(math.cos, ANGLES))
# the sum of cos(2 k t) / k, which makes the second solution: its series in even Bessel functions, summed first
SECOND = tuple(sum(math.cos(2 * k * t) / k for k in range(1, 33)) for t in ANGLES)


def _hankel(order, count):
    """The coefficients of the asymptotic series in 1 / x."""
    found = [1.0]
    for k in range(1, count):
        found.append(found[-1] * (4 * order * order - (2 * k - 1) ** 2) / (8 * k))
    return found


HANKEL = _hankel(0, 28), _hankel(1, 28)


def _mean(function, x, weights):
    """The mean over the angles of `weight * function(x cos t)`."""
    total = 0.0
    for c, w in zip(COSINES, weights, strict=True):
        total = total + w * function(x * c)
    return total / len(COSINES)


WEIGHTS = (1.0,) * len(COSINES), COSINES
SECOND_WEIGHTS = SECOND, tuple(w * c for w, c in zip(SECOND, COSINES, strict=True))


def _waves(order, x):
    """J and Y of a large x: two waves of falling height."""
    signs = [(-1) ** (k // 2) * a for k, a in enumerate(HANKEL[order])]
    p = polynomial(1 / (x * x), signs[::2][::-1])
    q = polynomial(1 / (x * x), signs[1::2][::-1]) / x
    up, down = np.cos(x) + np.sin(x), np.sin(x) - np.cos(x)
    c, s = (up, down) if order == 0 else (down, -up)
    height = 1 / np.sqrt(math.pi * x)
    return height * (p * c - q * s), height * (p * s + q * c)


def _first(order, x):
    """J."""
    size = np.abs(x)
    near = _mean(np.sin if order else np.cos, np.minimum(size, NEAR), WEIGHTS[order])
    far = _waves(order, np.minimum(np.maximum(size, NEAR), 1e300))[0]
    out = np.where(size <= NEAR, near, np.where(np.isinf(x), 0, far))
    return np.where(x < 0, -out, out) if order else out


def _second(order, x):
    """Y."""
    near = np.minimum(np.maximum(x, 0), NEAR)
    even, odd = (_mean(f, near, w) for f, w in zip((np.cos, np.sin), WEIGHTS, strict=True))
    rest = _mean(np.sin if order else np.cos, near, SECOND_WEIGHTS[order])
    level = np.log(near / 2) + EULER
    near = level * (odd if order else even) - 2 * rest
    near = 2 / math.pi * (near - even / np.maximum(x, 5e-324) if order else near)
    far = _waves(order, np.minimum(np.maximum(x, NEAR), 1e300))[1]
    out = np.where(x <= NEAR, near, np.where(np.isinf(x), 0, far))
    return np.where(x < 0, math.nan, np.where(x == 0, -math.inf, out))


def _growing(order, x):
    """I, scaled by `exp(-|x|)`."""
    size = np.abs(x)
    low = np.minimum(size, NEAR)
    near = _mean(np.sinh if order else np.cosh, low, WEIGHTS[order]) * np.exp(-low)
    high = np.maximum(size, NEAR)
    series = [(-1) ** k * a for k, a in enumerate(HANKEL[order])][::-1]
    far = polynomial(1 / high, series) / np.sqrt(2 * math.pi * high)
    out = np.where(size <= NEAR, near, far)
    return np.where(x < 0, -out, out) if order else out


def _falling(order, x):
    """K, scaled by `exp(x)`: beyond 1 from its integral of `exp(-x cosh t) cosh(order t)`."""
    near = np.minimum(np.maximum(x, 0), 1)
    even, odd = (_mean(f, near, w) for f, w in zip((np.cosh, np.sinh), WEIGHTS, strict=True))
    rest = 2 * _mean(np.sinh if order else np.cosh, near, SECOND_WEIGHTS[order])
    level = np.log(near / 2) + EULER
    near = np.exp(near) * (even / np.maximum(x, 5e-324) + level * odd - rest if order else rest - level * even)
    high = np.maximum(x, 1)
    step = 2 * np.arcsinh(np.sqrt(20 / high)) / 20  # in 20 steps the integrand falls by exp(-40)
    total = 0.5
    for k in range(1, 21):
        half = np.sinh(k * step / 2) ** 2
        total = total + np.exp(-2 * high * half) * (1 + 2 * half if order else 1)
    out = np.where(x <= 1, near, total * step)
    return np.where(x < 0, math.nan, np.where(x == 0, math.inf, np.where(np.isinf(x), 0, out)))


def _scaled_back(x, scaled, sign):
    """`scaled * exp(sign * x)`, without overflow where only the exponential is too large."""
    half = np.exp(sign * x / 2)
    return scaled * half * half


# --- modified: without waves -----------------------------------------------------------------------------------------


@op
def i0(x):
    """The modified Bessel function of the first kind, order 0: the mean of `exp(x cos t)`."""
    return in_double(lambda x: _scaled_back(np.abs(x), _growing(0, x), 1), x)


@op
def i0e(x):
    """`exp(-|x|) * i0(x)`."""
    return in_double(lambda x: _growing(0, x), x)


@op
def i1(x):
    """The modified Bessel function of the first kind, order 1: the mean of `cos t exp(x cos t)`."""
    return in_double(lambda x: _scaled_back(np.abs(x), _growing(1, x), 1), x)


@op
def i1e(x):
    """`exp(-|x|) * i1(x)`."""
    return in_double(lambda x: _growing(1, x), x)


@op
def modified_bessel_k0(x):
    """The modified Bessel function of the second kind, order 0."""
    return in_double(lambda x: _scaled_back(x, _falling(0, x), -1), x)


@op
def modified_bessel_k1(x):
    """The modified Bessel function of the second kind, order 1."""
    return in_double(lambda x: _scaled_back(x, _falling(1, x), -1), x)


@op
def scaled_modified_bessel_k0(x):
    """`exp(x) * modified_bessel_k0(x)`."""
    return in_double(lambda x: _falling(0, x), x)


@op
def scaled_modified_bessel_k1(x):
    """`exp(x) * modified_bessel_k1(x)`."""
    return in_double(lambda x: _falling(1, x), x)


def _over(out, x):
    """`out / x` for an odd function with the slope 1/2 at 0."""
    return _where(x == 0, 0.5, out / _where(x == 0, 1, x))


i0.grad(x=lambda g, x: g * i1(x))
i0e.grad(x=lambda g, x, out: g * (i1e(x) - sign(x) * out))
i1.grad(x=lambda g, x, out: g * (i0(x) - _over(out, x)))
i1e.grad(x=lambda g, x, out: g * (i0e(x) - sign(x) * out - _over(out, x)))
modified_bessel_k0.grad(x=lambda g, x: -g * modified_bessel_k1(x))
modified_bessel_k1.grad(x=lambda g, x, out: -g * (modified_bessel_k0(x) + out / x))
scaled_modified_bessel_k0.grad(x=lambda g, x, out: g * (out - scaled_modified_bessel_k1(x)))
scaled_modified_bessel_k1.grad(x=lambda g, x, out: g * (out - scaled_modified_bessel_k0(x) - out / x))

# --- waves -----------------------------------------------------------------------------------------------------------


@op
def bessel_j0(x):
    """The Bessel function of the first kind, order 0: the mean of `cos(x cos t)`."""
    return in_double(lambda x: _first(0, x), x)


@op
def bessel_j1(x):
    """The Bessel function of the first kind, order 1: the mean of `cos t sin(x cos t)`."""
    return in_double(lambda x: _first(1, x), x)


@op
def bessel_y0(x):
    """The Bessel function of the second kind, order 0."""
    return in_double(lambda x: _second(0, x), x)


@op
def bessel_y1(x):
    """The Bessel function of the second kind, order 1."""
    return in_double(lambda x: _second(1, x), x)


bessel_j0.grad(x=lambda g, x: -g * bessel_j1(x))
bessel_j1.grad(x=lambda g, x, out: g * (bessel_j0(x) - _over(out, x)))
bessel_y0.grad(x=lambda g, x: -g * bessel_y1(x))
bessel_y1.grad(x=lambda g, x, out: g * (bessel_y0(x) - out / x))


def spherical_bessel_j0(input, *, out=None):
    """The spherical Bessel function of order 0: `sin(x) / x`."""
    return sinc(input / math.pi, out=out)


def _descent(z):
    """Airy's function of a number of size 1 or more, real or complex: an integral along its path of steepest descent."""
    root, total = np.sqrt(z), 0.0
    for k in range(112):
        t = (k + 0.5) / 16
        total = total + np.exp(-root * (t * t)) * math.cos(t**3 / 3)
    return np.exp(-2 / 3 * z * root) * total / (16 * math.pi)


def _airy_series(x):
    """Airy's function near 0, by its two power series."""
    first, second = term, other = 0.355028053887817239, -0.258819403792806798 * x
    for k in range(3, 30, 3):
        term, other = term * x**3 / (k * (k - 1)), other * x**3 / (k * (k + 1))
        first, second = first + term, second + other
    return first + second


def _airy(x):
    size = np.minimum(np.maximum(np.abs(x), 1), 1e5)
    turned = cmath.exp(1j * math.pi / 3)
    far = np.where(x > 0, _descent(size), 2 * (turned * _descent(turned * size)).real)
    return np.where(np.abs(x) <= 1, _airy_series(np.clip(x, -1, 1)), np.where(np.isnan(x), x, far))


@op(differentiable=False)
def airy_ai(x):
    """Airy's function Ai, the solution of `y'' = x y` that falls."""
    return in_double(_airy, x)


modified_bessel_i0, modified_bessel_i1 = i0, i1

METHODS = INPLACE = "i0"

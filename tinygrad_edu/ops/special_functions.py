"""Special functions: the error function and its kin, the normal distribution, entropy.

All of it stands on `erfcx(x) = exp(x**2) * (1 - erf(x))`, which is as smooth as `1 / x`: one polynomial is enough.
"""

from __future__ import annotations

import math

import numpy as np

from ..op import op
from .operands import in_double, polynomial, refuse
from .pieces import in_pieces
from .pointwise import _where, exp, log

# (1 + 2x) erfcx(x) for all x >= 0 as a polynomial of (x - 4) / (x + 4), interpolated in Chebyshev's points to 4e-17
ERFCX = (
    9.6554082254828637e-10, 1.5712153638319064e-9, -1.2544825403855519e-8, -1.6357383982124768e-8,
    1.0683442926744586e-7, 7.1119124280104235e-8, -8.2180206548130448e-7, 2.9805960553227689e-7,
    5.7072395736932574e-6, -1.1225140354449657e-5, -2.4398117942079951e-5, 0.0001506231178516207,
    -0.00019925700412184814, -0.00075777371418388841, 0.005031970032548695, -0.016197733979924258,
    0.037167515531843196, -0.066330365820503671, 0.093732834998651721, -0.10103906603585294,
    0.068097054254686208, 0.015379652102610162, -0.13962111684056249, 1.2329951186255525,
)  # fmt: skip
# atanh(erf(x)) / x for x**2 <= 15.6 as a polynomial of x**2, so that erf comes out to 1e-7: all of single precision
ERF_SINGLE = (
    1.418472426e-7, -5.668382894e-6, 8.763671970e-5, -0.0006197829214, -0.0001918329781, 0.1027690568, 1.128379274,
)  # fmt: skip
NORMAL_SINGLE = tuple(c * 0.5 ** (6.5 - k) for k, c in enumerate(ERF_SINGLE))  # atanh(erf(x / √2)) / x
ERF_SERIES = tuple(2 / math.sqrt(math.pi) * (-1) ** n / (math.factorial(n) * (2 * n + 1)) for n in range(12, -1, -1))
ROOT_PI, ROOT_2 = math.sqrt(math.pi), math.sqrt(2)


def _erfcx_right(x):
    """erfcx for x >= 0."""
    return polynomial(1 - 8 / (x + 4), ERFCX) / (1 + 2 * x)


def _gauss(x):
    """`exp(-x**2)`: the square in two parts, as its rounding error would count `x**2` times."""
    high = np.floor(x * 16) / 16
    return np.exp(-high * high) * np.exp(-(x - high) * (x + high))


def _erfcx(x):
    size = np.abs(x)
    right = _erfcx_right(size)
    return np.where(x < 0, 2 * np.exp(x * x) - right, right)


def _erfc(x):
    size = np.minimum(np.abs(x), 30)
    right = _gauss(size) * _erfcx_right(size)
    return np.where(x != x, x, np.where(x < 0, 2 - right, right))


def _erf(x):
    size = np.abs(x)
    near = size * polynomial(np.minimum(size, 0.5) ** 2, ERF_SERIES)
    return np.copysign(np.where(size < 0.5, near, 1 - np.exp(-size * size) * _erfcx_right(size)), x)


def _erf_single(x, out=None):
    """tanh of a polynomial: NumPy's tanh costs as much as two products. Beyond its range the polynomial only grows."""
    inner = polynomial(x * x, ERF_SINGLE)
    inner *= x
    return np.tanh(inner, out=out)


def _normal(x, square):
    """The normal distribution's Φ(x) = ½ + ½ erf(x / √2), for x and its square."""
    if x.dtype == np.float32:
        inner = polynomial(square, NORMAL_SINGLE)
        inner *= x
        share = np.tanh(inner)
    else:
        share = erf(x * math.sqrt(0.5))
    share *= 0.5
    share += 0.5
    return share


def _erfcinv_right(q, rounds):
    """The x >= 0 with erfc(x) = q, for 0 <= q <= 1: Winitzki's guess, made exact by Halley's steps."""
    rest = np.log(q * (2 - q))
    half = 2 / (math.pi * 0.147) + rest / 2
    root = np.sqrt(half * half - rest / 0.147)
    x = np.sqrt(np.where(half > 0, -rest / 0.147 / (root + half), root - half))
    for _ in range(rounds):
        step = (_erfcx_right(x) - q * np.exp(x * x)) * (ROOT_PI / 2)
        x = x + step / (1 - x * step)
    return x


def _erfinv(y):
    """Near 0 by Newton's and Halley's steps on erf itself, else by what is left to 1."""
    size = np.abs(y)
    near = size * (ROOT_PI / 2)
    for _ in range(3):
        step = (_erf(near) - np.minimum(size, 0.5)) * (ROOT_PI / 2) * np.exp(near * near)
        near = np.minimum(near - step / (1 + near * step), 0.6)
    far = _erfcinv_right(np.minimum(1 - size, 0.6), 3)
    far = np.where(size == 1, math.inf, np.where(size > 1, math.nan, far))
    return np.copysign(np.where(size < 0.5, near, far), y)


def _ndtri(p):
    tail = np.minimum(p, 1 - p)
    x = ROOT_2 * _erfcinv_right(2 * tail, 3)
    x = np.where(tail == 0, math.inf, np.where(tail < 0, math.nan, x))
    return np.where(tail > 0.25, ROOT_2 * _erfinv(2 * p - 1), np.where(p < 0.5, -x, x))


def _log_ndtr(x):
    left = np.log(_erfcx_right(np.maximum(-x, 0) / ROOT_2) / 2) - x * x / 2
    right = np.log1p(-_erfc(np.maximum(x, -1) / ROOT_2) / 2)
    return np.where(x < -1, left, right)


# --- the error function ----------------------------------------------------------------------------------------------


@op
def erf(x):
    """The error function `2 / sqrt(pi) * integral of exp(-t**2) from 0 to x`."""
    return in_pieces(_erf_single, 1, x) if x.dtype == np.float32 else in_double(_erf, x)


@op
def erfc(x):
    """`1 - erf(x)`, accurate also where that is small."""
    return in_double(_erfc, x)


@op
def erfcx(x):
    """`exp(x**2) * erfc(x)`."""
    return in_double(_erfcx, x)


@op
def erfinv(x):
    """The inverse of the error function."""
    return in_double(_erfinv, x)


erf.grad(x=lambda g, x: g * (2 / ROOT_PI * exp(-(x * x))))
erfc.grad(x=lambda g, x: g * (-2 / ROOT_PI * exp(-(x * x))))
erfcx.grad(x=lambda g, x, out: g * (2 * x * out - 2 / ROOT_PI))
erfinv.grad(x=lambda g, out: g * (ROOT_PI / 2 * exp(out * out)))

# --- the normal distribution -----------------------------------------------------------------------------------------


@op
def ndtr(x):
    """The probability that a normal number is at most x."""
    return in_double(lambda x: _erfc(-x / ROOT_2) / 2, x)


@op
def log_ndtr(x):
    """The logarithm of that probability, accurate also where it is tiny."""
    return in_double(_log_ndtr, x)


@op
def ndtri(x):
    """The number that a normal one does not exceed with probability x."""
    return in_double(_ndtri, x)


ndtr.grad(x=lambda g, x: g * (1 / math.sqrt(2 * math.pi) * exp(-0.5 * x * x)))
log_ndtr.grad(x=lambda g, x: g * (math.sqrt(2 / math.pi) / erfcx(x * (-1 / ROOT_2))))
ndtri.grad(x=lambda g, out: g * (math.sqrt(2 * math.pi) * exp(0.5 * out * out)))

# --- entropy ---------------------------------------------------------------------------------------------------------


@op
def entr(x):
    """One outcome's part of the entropy: `-x * log(x)`, 0 at 0, and -inf below."""
    refuse("c", "entr", x)
    inside = (0 - x) * np.log(np.where(x > 0, x, 1))
    return np.where(x < 0, -math.inf, inside)


entr.grad(x=lambda g, x: g * _where(x < 0, math.nan, -1 - log(_where(x < 0, 1, x))))

METHODS = INPLACE = "erf erfc erfinv"

"""The gamma function and its kin: logarithm, derivatives, incomplete integrals, Hurwitz's zeta function.

Small arguments are moved up by recurrences to where asymptotic series hold, negative ones to the right by reflection.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from ..op import op
from ..tensor import Tensor
from .operands import in_double, polynomial, refuse, tensors
from .pointwise import exp, log

BERNOULLI = (
    1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330,
    854513 / 138, -236364091 / 2730,
)  # fmt: skip
# log(gamma(z)) - (z - 1/2) log(z) + z - log(2 pi) / 2 is this series of z**-2, over z; likewise for its derivative
STIRLING = tuple(b / (2 * k * (2 * k - 1)) for k, b in enumerate(BERNOULLI[:10], 1))[::-1]
DIGAMMA = tuple(b / (2 * k) for k, b in enumerate(BERNOULLI[:10], 1))[::-1]
EULER = 0.57721566490153286


@functools.cache
def _legendre():
    """Nodes and weights of Gauss's quadrature; computed when first asked for, not at the import."""
    nodes, weights = np.polynomial.legendre.leggauss(40)
    return tuple(zip(nodes.tolist(), weights.tolist(), strict=True))


def _zeta_right(s, q):
    """Hurwitz's zeta function for q > 0 by Euler's and Maclaurin's sum: ten terms, then an integral."""
    total = 0.0
    for k in range(10):
        total = total + (q + k) ** -s
    z = q + 10
    power = z**-s
    total = total + z ** (1 - s) / (s - 1) + power / 2
    factor = s * power / z
    for k, b in enumerate(BERNOULLI, 1):
        total = total + b * factor / float(math.factorial(2 * k))
        factor = factor * (s + 2 * k - 1) * (s + 2 * k) / (z * z)
    return total


def _zeta(s, q):
    """Left of 0, for whole s, the terms below 0 are summed by two more values of the same function."""
    whole = np.floor(q) == q
    high = np.where(q > 0, q, np.where(whole, 1, q - np.floor(q)))
    above = np.where((q > 0) | whole, 1, np.ceil(q) - q)  # 1 - high, exactly
    below = _zeta_right(s, above) - _zeta_right(s, np.where(q > 0, 1, 1 - q))
    left = _zeta_right(s, high) + np.where(s % 2 == 0, below, -below)
    out = np.where(q > 0, _zeta_right(s, np.where(q > 0, q, 1)), np.where(s == np.floor(s), left, math.nan))
    out = np.where((q <= 0) & whole, math.inf, out)
    out = np.where(s < 1, math.nan, np.where(s == 1, math.inf, out))
    return np.where((s != s) | (q != q), math.nan, out)


# (-1)**k (zeta(k) - 1) / k, the coefficients of lgamma(2 + e)
AT_TWO = (*[_zeta_right(float(k), 2.0) * (-1) ** k / k for k in range(28, 1, -1)], 1 - EULER, 0.0)


def _stirling(z):
    """`log(gamma(z))` for large z, less `(z - 1/2) log(z) - z + log(2 pi) / 2`."""
    return polynomial(1 / (z * z), STIRLING) / z


def _lgamma_right(x):
    """lgamma for x > 0."""
    low = np.minimum(x, 8)
    product = low
    for k in range(1, 8):
        product = product * (low + k)
    z = np.where(x < 8, x + 8, x)
    far = (z - 0.5) * (np.log(z) - 1) + (math.log(2 * math.pi) - 1) / 2 + _stirling(z)
    far = np.where(x < 8, far - np.log(product), far)
    near = np.minimum(np.maximum(x, 0.5), 2.5)
    step = np.where(near < 1.5, near - 1, near - 2)
    at_two = polynomial(step, AT_TWO)
    near = np.where(near < 1.5, at_two - np.log1p(np.minimum(step, 0.5)), at_two)
    return np.where((x >= 0.5) & (x <= 2.5), near, far)


def _lgamma(x):
    size = np.where(x > 0, x, 1 - x)
    right = _lgamma_right(np.minimum(size, 1e305))
    offset = x - np.round(x)
    left = math.log(math.pi) - np.log(np.abs(np.sin(math.pi * offset))) - right
    out = np.where(x > 0, right, left)
    return np.where(np.isinf(x) | (x > 2.6e305), math.inf, np.where(offset == 0, np.where(x > 0, out, math.inf), out))


def _digamma(x):
    size = np.where(x > 0, x, 1 - x)
    total, low = 0.0, np.minimum(size, 8)
    for k in range(8):
        total = total + 1 / (low + k)
    z = np.where(size < 8, size + 8, size)
    right = np.log(z) - 0.5 / z - polynomial(1 / (z * z), (*DIGAMMA, 0.0))
    right = np.where(size < 8, right - total, right)
    offset = x - np.round(x)
    out = np.where(x > 0, right, right - math.pi / np.tan(math.pi * offset))
    pole = np.where(x == 0, np.copysign(math.inf, -x), math.nan)
    return np.where((x <= 0) & (offset == 0), pole, np.where(x == -math.inf, math.nan, out))


# --- the gamma function and its derivatives --------------------------------------------------------------------------


@op
def lgamma(x):
    """The logarithm of the absolute value of the gamma function."""
    return in_double(_lgamma, x)


@op
def digamma(x):
    """The derivative of `lgamma`."""
    return in_double(_digamma, x)


@op
def _polygamma(x, n):
    """The n-th derivative of `digamma`: `(-1)**(n + 1) * n! * zeta(n + 1, x)`."""
    if n == 0:
        return in_double(_digamma, x)
    factor = (-1) ** (n + 1) * (float(math.factorial(n)) if n < 171 else math.inf)
    return in_double(lambda x: factor * _zeta(x * 0 + (n + 1), x), x)


@op
def _zeta_function(x, y):
    """Hurwitz's zeta function, the sum of `(y + k)**-x` over k = 0, 1, 2 ..."""
    return in_double(_zeta, x, y)


def _unknown(g):
    raise NotImplementedError("the derivative for the first argument is not implemented, as in PyTorch")


lgamma.grad(x=lambda g, x: g * digamma(x))
digamma.grad(x=lambda g, x: g * _polygamma(x, 1))
_polygamma.grad(x=lambda g, x, n: g * _polygamma(x, n + 1))
_zeta_function.grad(x=_unknown, y=lambda g, x, y: -g * x * _zeta_function(x + 1, y))

# --- incomplete gamma functions --------------------------------------------------------------------------------------


def _density(a, x):
    """`x**a * exp(-x) / gamma(a + 1)`: for large a by Stirling's series, as large numbers would cancel."""
    z = np.maximum(a, 8)
    ratio = (x - z) / z
    rise = np.where(np.abs(ratio) < 0.5, np.log1p(np.maximum(ratio, -0.5)), np.log(x / z)) - ratio
    large = np.exp(z * rise - _stirling(z)) / np.sqrt(2 * math.pi * z)
    low = np.minimum(a, 8)
    small = np.exp(low * np.log(x) - x - _lgamma_right(low + 1))
    return np.where(a < 8, small, large)


def _lower_series(a, x):
    """The lower integral over `_density`, where x < a + 1: the sum of `x**k / ((a + 1) ... (a + k))`."""
    term = total = np.ones_like(x)
    for k in range(1, 120):
        term = term * (x / (a + k))
        total = total + term
    return total


def _upper_fraction(a, x):
    """The upper integral over `_density`, where x >= a + 1: Legendre's continued fraction, from its far end."""
    tail = x + 201 - a
    for k in range(100, 0, -1):
        tail = x + 2 * k - 1 - a - k * (k - a) / tail
    return a / tail


def _by_quadrature(a, x, up):
    """The integral on x's side of a large `a`, by Legendre's 40 points as far as the density counts."""
    root, decay = np.sqrt(a), 45 / np.abs(1 - a / x)
    width = np.where(up, np.maximum(a + 12 * root - x, 7 * root), np.minimum(np.maximum(x - a + 9 * root, 6 * root), x))
    half = np.minimum(width, decay) / 2
    middle, total = np.where(up, x + half, x - half), 0.0
    for point, weight in _legendre():
        t = middle + half * point
        total = total + weight * _density(a, t) / t
    return half * a * total


def _incomplete(a, x, upper):
    """Whichever of the two integrals is the smaller, and the other as what it leaves to 1."""
    known = (a >= 0) & (x >= 0) & ~(np.isinf(a) & np.isinf(x)) & ~((a == 0) & (x == 0))
    a_safe = np.where(known & (a > 0) & np.isfinite(a), a, 1)
    x_safe = np.where(known & (x > 0) & np.isfinite(x), x, 1)
    up = x_safe >= a_safe + (a_safe < 50)
    low_a, low_x = np.minimum(a_safe, 50), np.where(a_safe < 50, x_safe, np.where(up, 52, 50))
    series = _lower_series(low_a, np.where(up, 0, low_x))
    fraction = _upper_fraction(low_a, np.where(up, low_x, low_a + 1))
    small = _density(low_a, low_x) * np.where(up, fraction, series)
    part = np.where(a_safe < 50, small, _by_quadrature(np.maximum(a_safe, 50), x_safe, up))
    out = np.where(up == upper, part, 1 - part)
    out = np.where((a == 0) | np.isinf(x), 0.0 if upper else 1.0, out)
    out = np.where((x == 0) | np.isinf(a), 1.0 if upper else 0.0, out)
    return np.where(known, out, math.nan)


@op(tensors="x y")
def gammainc(x, y):
    """The lower incomplete gamma function, as a part of the whole: the integral of `t**(x - 1) exp(-t)` up to y."""
    refuse("biu", "gammainc", x)
    return in_double(lambda a, x: _incomplete(a, x, False), x, y)


@op(tensors="x y")
def gammaincc(x, y):
    """The upper incomplete gamma function, as a part of the whole: `1 - gammainc(x, y)`."""
    refuse("biu", "gammaincc", x)
    return in_double(lambda a, x: _incomplete(a, x, True), x, y)


def _gammainc_grad(g, x, y):
    return g * exp((x - 1) * log(y) - y - lgamma(x))


gammainc.grad(x=_unknown, y=_gammainc_grad)
gammaincc.grad(x=_unknown, y=lambda g, x, y: -_gammainc_grad(g, x, y))

# --- PyTorch's call forms --------------------------------------------------------------------------------------------


def polygamma(n: int | Tensor, input: Tensor | int, *, out=None):
    """The n-th derivative of `digamma`."""
    if isinstance(n, Tensor) and not isinstance(input, Tensor):
        n, input = input, n  # the method: x.polygamma(n)
    if n < 0:
        raise RuntimeError(f"polygamma(n, x) does not support negative n, here {n}")
    return _polygamma(input, n, out=out)


def zeta(input, other, *, out=None):
    """Hurwitz's zeta function, the sum of `(other + k)**-input` over k = 0, 1, 2 ..."""
    return _zeta_function(*tensors(input, other), out=out)


LARGEST_P = 10_000  # dimensions of `mvlgamma`, each of which is a term


def mvlgamma(input, p, *, out=None):
    """The logarithm of the gamma function of `p` dimensions."""
    if p < 1:
        raise RuntimeError(f"mvlgamma: p has to be greater than or equal to 1, but got {p}")
    if p > LARGEST_P:
        raise RuntimeError(f"mvlgamma: p has to be at most {LARGEST_P}, but got {p}")
    total = lgamma(input - 0.0)
    for j in range(1, p):
        total = total + lgamma(input - j / 2)
    constant = p * (p - 1) / 4 * math.log(math.pi)
    return total + constant if out is None else total.add(constant, out=out)


multigammaln, igamma, igammac = mvlgamma, gammainc, gammaincc

METHODS = "digamma igamma igammac lgamma mvlgamma polygamma"
INPLACE = "digamma igamma igammac lgamma mvlgamma polygamma"

"""Draws of the gamma distribution, and how they change with its concentration.

A draw z of concentration a keeps its place in the distribution, `P(a, z) = u`, when a changes. By implicit
differentiation `dz/da = -(dP/da) / p(a, z)`, where p is the density. Relative to the density both tails' integrals are
sums of terms of one sign, so that nothing cancels: below the middle by the series of the lower incomplete gamma
function, above by the continued fraction of the upper one, each differentiated term by term; for large a by quadrature.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import devices
from ..autograd.function import Function
from ..ops import digamma
from ..random import _source as source_of
from ..tensor import Tensor, wrap

LARGE = 50  # from here on quadrature
POINTS = tuple(zip(*(a.tolist() for a in np.polynomial.legendre.leggauss(40)), strict=True))


def _below(a: Any, x: Any, log_x: Any) -> Any:
    """`d log z / da` for z = x < a + 1: the lower integral is the density times `S x / a`, S a series."""
    term = total = x * 0 + 1
    slope = slopes = x * 0
    for k in range(1, 25 + int(12 * math.sqrt(a.max()))):
        slope = (slope * x - term * x / (a + k)) / (a + k)
        term = term * x / (a + k)
        total, slopes = total + term, slopes + slope
    return -((log_x - digamma(a + 1)) * total + slopes) / a


def _above(a: Any, x: Any, log_x: Any) -> Any:
    """`d log z / da` for z = x >= a + 1: the upper integral is the density times `F x / a`, F a continued fraction."""
    tail, slope = x + 201 - a, x * 0 - 1
    for k in range(100, 0, -1):
        part = k * (k - a)
        slope = -1 + k / tail + part * slope / (tail * tail)
        tail = x + 2 * k - 1 - a - part / tail
    fraction = a / tail
    return ((log_x - digamma(a + 1)) * fraction + 1 / tail - a * slope / (tail * tail)) / a


def _far(a: Any, x: Any, log_x: Any) -> Any:
    """`d log z / da` for large a: the integral of `p(t) (log t - digamma(a))` on x's side, over `p(x) x`."""
    middle = digamma(a)
    up = x > np.exp(middle)
    root = np.sqrt(a)
    width = np.where(up, np.maximum(a + 12 * root - x, 7 * root), np.minimum(np.maximum(x - a + 9 * root, 6 * root), x))
    half = np.minimum(width, 45 / np.maximum(np.abs(1 - a / x), 1e-30)) / 2
    centre, total = np.where(up, x + half, x - half), 0.0
    for point, weight in POINTS:
        t = centre + half * point
        density = np.exp((a - 1) * np.log1p((t - x) / x) - (t - x))
        total = total + weight * density * (np.log(t) - middle)
    return half * np.where(up, total, -total) / x


def log_slope(a: Any, x: Any, log_x: Any) -> Any:
    """`d log z / da` of draws z = x of concentration a, on arrays of double precision."""
    flat = [np.reshape(v, -1) for v in np.broadcast_arrays(a, x, log_x)]
    a, x, log_x = flat
    out, large, under = a * 0, a >= LARGE, x < a + 1
    for part, slope in ((under & ~large, _below), (~under & ~large, _above), (large, _far)):
        if part.any():
            out[part] = slope(a[part], x[part], log_x[part])
    return out


class LogStandardGamma(Function):
    """Logarithms of gamma draws of scale 1: they exist where the draw itself is too small for a number."""

    @staticmethod
    def forward(ctx: Any, concentration: Tensor) -> Tensor:
        a = concentration.array.astype(np.float64)
        source = source_of(None, concentration.device)
        # a draw of a is one of a + 1 times u**(1 / a)
        boost = a < 1
        log_z = np.log(source.standard_gamma(np.where(boost, a + 1, a)))
        log_u = -source.standard_exponential(a.shape) if boost.any() else 0.0
        log_z = devices.asarray(np.where(boost, log_z + log_u / a, log_z), like=concentration.array)
        ctx.a, ctx.log_z = a, log_z
        return wrap(log_z.astype(concentration.array.dtype))

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        slope = log_slope(ctx.a, np.exp(ctx.log_z), ctx.log_z)
        return g * wrap(slope.reshape(ctx.a.shape).astype(g.array.dtype))


def log_standard_gamma(concentration: Tensor) -> Tensor:
    """The logarithm of one gamma draw for each concentration, differentiable."""
    return LogStandardGamma.apply(concentration)


__all__ = ["log_slope", "log_standard_gamma"]

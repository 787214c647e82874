"""Angles: trigonometric and hyperbolic functions and their inverses."""

from __future__ import annotations

import math

import numpy as np

from ..op import op
from .operands import refuse
from .pointwise import _where, sqrt


@op
def deg2rad(x):
    """Degrees as radians."""
    refuse("c", "deg2rad", x)
    return x * (math.pi / 180)


@op
def rad2deg(x):
    """Radians as degrees."""
    refuse("c", "rad2deg", x)
    return x * (180 / math.pi)


@op
def sin(x):
    """Sine."""
    return np.sin(x)


@op
def cos(x):
    """Cosine."""
    return np.cos(x)


@op
def tan(x):
    """Tangent."""
    return np.tan(x)


@op
def asin(x):
    """The inverse of the sine."""
    return np.arcsin(x)


@op
def acos(x):
    """The inverse of the cosine."""
    return np.arccos(x)


@op
def atan(x):
    """The inverse of the tangent."""
    return np.arctan(x)


@op(tensors="x y")
def atan2(x, y):
    """The angle of the point with height `x` above `y`, in all four quadrants."""
    refuse("c", "atan2", x)
    return np.arctan2(x, y)


@op
def sinh(x):
    """Hyperbolic sine."""
    return np.sinh(x)


@op
def cosh(x):
    """Hyperbolic cosine."""
    return np.cosh(x)


@op
def tanh(x):
    """Hyperbolic tangent."""
    return np.tanh(x)


@op
def asinh(x):
    """The inverse of the hyperbolic sine."""
    return np.arcsinh(x)


@op
def acosh(x):
    """The inverse of the hyperbolic cosine."""
    return np.arccosh(x)


@op
def atanh(x):
    """The inverse of the hyperbolic tangent."""
    return np.arctanh(x)


@op
def sinc(x):
    """`sin(pi x) / (pi x)`, and 1 at 0."""
    t = math.pi * np.where(x == 0, 1, x)
    return np.where(x == 0, 1, np.sin(t) / t)


def _distance(x, y):
    """The squared distance from the origin; there, where no angle changes, 1."""
    square = x * x + y * y
    return _where(square == 0, 1, square)


def _sinc_grad(g, x, out):
    """`(cos(t) - sin(t) / t) / t` with t = pi x: near 0, where the two cancel, by its series."""
    t = math.pi * x
    s = t * t
    small = (s * s.conj()).real < 1e-4
    near = t * (-1 / 3) * (1 - s / 10 * (1 - s / 28 * (1 - s / 54)))
    far = (cos(t) - out) / _where(small, 1, t)
    return g * (math.pi * _where(small, near, far))


deg2rad.grad(x=lambda g: g * (math.pi / 180))
rad2deg.grad(x=lambda g: g * (180 / math.pi))
sin.grad(x=lambda g, x: g * cos(x))
cos.grad(x=lambda g, x: -g * sin(x))
tan.grad(x=lambda g, out: g * (1 + out * out))
asin.grad(x=lambda g, x: g / sqrt(1 - x * x))
acos.grad(x=lambda g, x: -g / sqrt(1 - x * x))
atan.grad(x=lambda g, x: g / (1 + x * x))
atan2.grad(x=lambda g, x, y: g * y / _distance(x, y), y=lambda g, x, y: -g * x / _distance(x, y))
sinh.grad(x=lambda g, x: g * cosh(x))
cosh.grad(x=lambda g, x: g * sinh(x))
tanh.grad(x=lambda g, out: g * (1 - out * out))
asinh.grad(x=lambda g, x: g / sqrt(1 + x * x))
acosh.grad(x=lambda g, x: g / (sqrt(x - 1) * sqrt(x + 1)))  # of x * x - 1, the root would have the wrong branch
atanh.grad(x=lambda g, x: g / (1 - x * x))
sinc.grad(x=_sinc_grad)

arcsin, arccos, arctan, arctan2 = asin, acos, atan, atan2
arcsinh, arccosh, arctanh = asinh, acosh, atanh

METHODS = INPLACE = """
    acos acosh arccos arccosh arcsin arcsinh arctan arctan2 arctanh asin asinh atan atan2 atanh cos cosh deg2rad
    rad2deg sin sinc sinh tan tanh
"""

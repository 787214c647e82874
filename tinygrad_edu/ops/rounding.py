"""Rounding, signs, extremes of two, limits: operations that jump or bend, element by element."""

from __future__ import annotations

import numpy as np

from ..op import op
from ..tensor import Tensor
from .arguments import need_tensor
from .operands import Number, plain_numbers, refuse, signs, zero
from .pointwise import _where

# --- rounding --------------------------------------------------------------------------------------------------------


@op
def floor(x):
    """The largest integer that is not above."""
    refuse("bc", "floor", x)
    return np.floor(x)


@op
def ceil(x):
    """The smallest integer that is not below."""
    refuse("bc", "ceil", x)
    return np.ceil(x)


@op
def trunc(x):
    """The integer part: rounded towards 0."""
    refuse("bc", "trunc", x)
    return np.trunc(x)


@op
def frac(x):
    """What the integer part leaves over."""
    refuse("biuc", "frac", x)
    return x - np.trunc(x)


@op
def round(x, *, decimals: int = 0):
    """The nearest integer, of two the even one; with `decimals`, the nearest multiple of `10**-decimals`."""
    refuse("bc" if not decimals else "biuc", "round", x)
    return np.round(x, decimals)


floor.grad(x=zero)
ceil.grad(x=zero)
trunc.grad(x=zero)
frac.grad(x=lambda g: g)
round.grad(x=zero)

# --- signs -----------------------------------------------------------------------------------------------------------


@op
def sign(x):
    """-1, 0 or 1."""
    refuse("c", "sign", x, instead="x.sgn()")
    return signs(x)


@op(differentiable=False)
def signbit(x):
    """Whether the sign is a minus, also that of -0.0."""
    refuse("c", "signbit", x)
    return np.signbit(x) if x.dtype.kind == "f" else x < 0


@op(tensors="x")
def copysign(x, y):
    """The magnitude of `x` with the sign of `y`."""
    refuse("c", "copysign", x, y)
    return np.copysign(x, y)


@op(differentiable=False, tensors="x values")
def _heaviside(x, values):
    """0 below 0, 1 above, `values` at 0."""
    refuse("c", "heaviside", x, values)
    return np.where(x == 0, values, x > 0)


sign.grad(x=zero)
copysign.grad(x=lambda g, x, out: _where(x == 0, 0, g * (out / _where(x == 0, 1, x))), y=zero)

# --- the larger and the smaller of two -------------------------------------------------------------------------------


@op(tensors="x y")
def maximum(x, y):
    """The larger of two; not a number if one of them is not."""
    refuse("c", "maximum", x, y)
    return np.maximum(x, y)


@op(tensors="x y")
def minimum(x, y):
    """The smaller of two; not a number if one of them is not."""
    refuse("c", "minimum", x, y)
    return np.minimum(x, y)


@op(tensors="x y")
def fmax(x, y):
    """The larger of two, or the one that is a number."""
    refuse("c", "fmax", x, y)
    return np.fmax(x, y)


@op(tensors="x y")
def fmin(x, y):
    """The smaller of two, or the one that is a number."""
    refuse("c", "fmin", x, y)
    return np.fmin(x, y)


maximum.grad(
    x=lambda g, x, y: _where(x == y, g / 2, _where(x < y, 0, g)),
    y=lambda g, x, y: _where(x == y, g / 2, _where(x > y, 0, g)),
)
minimum.grad(
    x=lambda g, x, y: _where(x == y, g / 2, _where(x > y, 0, g)),
    y=lambda g, x, y: _where(x == y, g / 2, _where(x < y, 0, g)),
)
fmax.grad(
    x=lambda g, x, y: _where((x >= y) | (y != y), g, 0),
    y=lambda g, x, y: _where((x >= y) | (y != y), 0, g),
)
fmin.grad(
    x=lambda g, x, y: _where((x <= y) | (y != y), g, 0),
    y=lambda g, x, y: _where((x <= y) | (y != y), 0, g),
)

# --- limits ----------------------------------------------------------------------------------------------------------


@op(tensors="x")
def _clamp(x, min=None, max=None):
    """`x` between `min` and `max`; where these cross, `max`."""
    refuse("c", "clamp", x)
    x = x if min is None else np.maximum(x, min)
    return x if max is None else np.minimum(x, max)


def _clamp_grad(g, x, min, max):
    inside = x == x if min is None else x >= min
    inside = inside if max is None else inside & (x <= max)
    return _where(inside, g, 0)


def _clamp_grad_min(g, x, min, max):
    below = x < min
    return _where(below if max is None else below & (min < max), g, 0)


def _clamp_grad_max(g, x, min, max):
    above = x > max
    return _where(above if min is None else above | (max < min), g, 0)


_clamp.grad(x=_clamp_grad, min=_clamp_grad_min, max=_clamp_grad_max)


@op
def nan_to_num(x, nan: float | None = None, posinf: float | None = None, neginf: float | None = None):
    """Finite numbers: `nan` (0) for what is no number, the largest and the smallest for the infinite."""
    if x.dtype.kind not in "fc":
        return x.copy()
    plain_numbers("nan_to_num", *(v for v in (nan, posinf, neginf) if v is not None))
    limits = np.finfo(x.dtype)
    posinf = float(limits.max) if posinf is None else posinf
    neginf = float(limits.min) if neginf is None else neginf
    return np.nan_to_num(x, nan=nan or 0.0, posinf=posinf, neginf=neginf)


nan_to_num.grad(x=lambda g, x: _where((x - x) == 0, g, 0))

# --- integers, and numbers taken apart -------------------------------------------------------------------------------


@op(differentiable=False, tensors="x y")
def gcd(x, y):
    """The greatest common divisor."""
    refuse("bfc", "gcd", x, y)
    return np.gcd(x, y)


@op(differentiable=False, tensors="x y")
def lcm(x, y):
    """The least common multiple."""
    refuse("bfc", "lcm", x, y)
    return np.lcm(x, y)


@op
def _times_power_of_2(x, exponent):
    """`x * 2**exponent`, for integer exponents."""
    return np.ldexp(x, exponent)


@op(returns="mantissa exponent")
def frexp(x):
    """`mantissa * 2**exponent`, the mantissa's magnitude in [0.5, 1)."""
    refuse("biuc", "frexp", x)
    return np.frexp(x)


@op(tensors="x y")
def nextafter(x, y):
    """The next floating-point number after `x` towards `y`."""
    refuse("biuc", "nextafter", x, y)
    return np.nextafter(x, y)


_times_power_of_2.grad(x=lambda g, exponent: _times_power_of_2(g, exponent))
nextafter.grad(x=lambda g, x, y: _where(x == y, 0, g), y=zero)
frexp.grad(x=lambda g_mantissa, exponent: _times_power_of_2(g_mantissa, -exponent))

# --- PyTorch's call forms --------------------------------------------------------------------------------------------


def clamp(input, min=None, max=None, *, out=None):
    """The input between `min` and `max`, numbers or tensors, of which one may be left out."""
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    for value in (min, max):
        if not isinstance(value, (Tensor, type(None), *Number)):
            if isinstance(value, np.generic):
                low, high = (each.item() if isinstance(each, np.generic) else each for each in (min, max))
                return clamp(input, low, high, out=out)
            raise TypeError(f"clamp(): the limits must be numbers or Tensors, not {type(value).__name__}")
    return _clamp(input, min, max, out=out)


def clamp_min(input, min, *, out=None):
    """The input, at least `min`."""
    return clamp(input, min, out=out)


def clamp_max(input, max, *, out=None):
    """The input, at most `max`."""
    return clamp(input, None, max, out=out)


def heaviside(input, values, *, out=None):
    """0 below 0, 1 above, `values` at 0."""
    if need_tensor(input, "heaviside").dtype is not need_tensor(values, "heaviside", "values").dtype:
        raise RuntimeError(f"heaviside: tensors with different dtype are not supported: {input.dtype}, {values.dtype}")
    return _heaviside(input, values, out=out)


clip, fix = clamp, trunc

METHODS = """
    ceil clamp clamp_max clamp_min clip copysign fix floor fmax fmin frac frexp gcd heaviside lcm maximum minimum
    nan_to_num nextafter round sign signbit trunc
"""
INPLACE = """
    ceil clamp clamp_max clamp_min clip copysign fix floor frac gcd heaviside lcm nan_to_num nextafter round sign trunc
"""
OPERATORS = {
    "__round__": lambda self, ndigits=0: round(self, decimals=ndigits or 0),
    "__floor__": floor,
    "__ceil__": ceil,
    "__trunc__": trunc,
}

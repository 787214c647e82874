"""Operations element by element: arithmetic, choice, powers, exponentials and logarithms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes
from ..inplace import inplace
from ..op import cast, op
from ..tensor import Tensor
from .arguments import need_tensor
from .faces import former_order
from .operands import Number, operator, plain_numbers, refuse, tensors, zero

# --- arithmetic ------------------------------------------------------------------------------------------------------


@op
def neg(x):
    """The negative."""
    try:
        return -x
    except TypeError:
        refuse("b", "neg", x, instead="~x or logical_not(x)")
        raise


@op
def _add(x, y):
    """The sum, element by element."""
    return x + y


@op
def _sub(x, y):
    """The difference, element by element."""
    try:
        return x - y
    except TypeError:
        refuse("b", "sub", x, y, instead="x ^ y, ~x or logical_not(x)")
        raise


@op
def mul(x, y):
    """The product, element by element."""
    return x * y


@op
def _div(x, y):
    """The true quotient, element by element."""
    return x / y


@op
def square(x):
    """The square."""
    return x * x if x.dtype.kind != "b" else x.astype(np.int64)


@op
def reciprocal(x):
    """One divided by each element."""
    return 1 / x


neg.grad(x=lambda g: -g)
_add.grad(x=lambda g: g, y=lambda g: g)
_sub.grad(x=lambda g: g, y=lambda g: -g)
mul.grad(x=lambda g, y: g * y, y=lambda g, x: g * x)
_div.grad(x=lambda g, y: g / y, y=lambda g, x, y: -g * ((x / y) / y))
square.grad(x=lambda g, x: g * (2 * x))
reciprocal.grad(x=lambda g, out: -g * (out * out))


@op(tensors="x tensor1 tensor2")
def _addcmul(x, tensor1, tensor2, *, value=1):
    """`x + value * tensor1 * tensor2`."""
    return x + value * tensor1 * tensor2


@op(tensors="x tensor1 tensor2")
def _addcdiv(x, tensor1, tensor2, *, value=1):
    """`x + value * tensor1 / tensor2`."""
    refuse("biu", "addcdiv", x, instead="x + (value * tensor1 / tensor2).trunc()")
    return x + value * tensor1 / tensor2


@op
def _lerp(x, end, weight):
    """The way from `x` to `end`, gone by `weight`: `x + weight * (end - x)`, exact at both ends."""
    near, way = abs(weight) < 0.5, end - x
    if isinstance(near, bool):  # a number's
        return x + weight * way if near else end - way * (1 - weight)
    return np.where(near, x + weight * way, end - way * (1 - weight))


_addcmul.grad(
    x=lambda g: g,
    tensor1=lambda g, tensor2, value: g * (tensor2 * value),
    tensor2=lambda g, tensor1, value: g * (tensor1 * value),
)
_addcdiv.grad(
    x=lambda g: g,
    tensor1=lambda g, tensor2, value: g * value / tensor2,
    tensor2=lambda g, tensor1, tensor2, value: -g * (value * tensor1 / (tensor2 * tensor2)),
)
_lerp.grad(
    x=lambda g, weight: g * (1 - weight), end=lambda g, weight: g * weight, weight=lambda g, x, end: g * (end - x)
)


# --- choice ----------------------------------------------------------------------------------------------------------


@op
def _where(condition, x, y):
    """`x` where the condition holds, `y` elsewhere."""
    if condition.dtype.kind != "b":
        raise RuntimeError(f"where: expected condition to be a boolean tensor, but got one of {condition.dtype}")
    return np.where(condition, x, y)


_where.grad(x=lambda g, condition: _where(condition, g, 0), y=lambda g, condition: _where(condition, 0, g))


# --- whole quotients and what they leave over ----------------------------------------------------------------------


def _check(name, x, y):
    """Raise for an integer divided by 0, as PyTorch does on the CPU (a GPU is not asked, it would have to wait)."""
    refuse("bc", name, x, y)
    if "f" in (x.dtype.kind if hasattr(x, "dtype") else "", y.dtype.kind if hasattr(y, "dtype") else ""):
        return
    if not y.all() if isinstance(y, np.ndarray) else isinstance(y, Number) and not y:
        raise RuntimeError(f"{name}: ZeroDivisionError: an integer is divided by 0")


@op
def _floor_div(x, y):
    """The quotient, rounded down."""
    _check("floor_divide", x, y)
    return np.floor_divide(x, y)


@op
def _trunc_div(x, y):
    """The quotient, rounded towards 0."""
    _check("div", x, y)
    low = np.floor_divide(x, y)
    return np.trunc(x / y) if low.dtype.kind == "f" else low + ((low < 0) & (low * y != x))


@op
def remainder(x, y):
    """What the quotient rounded down leaves over; it has the divisor's sign."""
    _check("remainder", x, y)
    return np.remainder(x, y)


@op(tensors="x")
def fmod(x, y):
    """What the quotient rounded towards 0 leaves over; it has the dividend's sign."""
    _check("fmod", x, y)
    return np.fmod(x, y)


_floor_div.grad(x=zero, y=zero)
_trunc_div.grad(x=zero, y=zero)
remainder.grad(x=lambda g: g, y=lambda g, x, y: -g * _floor_div(x, y))
fmod.grad(x=lambda g: g, y=lambda g, x, y: -g * _trunc_div(x, y))


# --- powers ----------------------------------------------------------------------------------------------------------


def _pow_grad_x(g, x, y):
    if isinstance(y, Number):
        return g * (y * x ** (y - 1)) if y else zero(g)
    base = _where((x == 0) & (y == 0), 1, x)  # else 0 * 0 ** -1 would be nan
    return g * (y * base ** (y - 1))


def _pow_grad_y(g, x, y, out):
    flat = (x == 0) & (y.real >= 0)  # 0 to the power of y is 0 also beside y
    return _where(flat, 0, g * out * log(_where(flat, 1, x)))


@op
def _pow(x, y):
    """`x` to the power of `y`; of integers, an integer."""
    if isinstance(y, Number):
        return x * x if y == 2 else x * x * x if y == 3 else x**y
    refuse("b", "pow", x)
    if x.dtype.kind in "iu":
        units = np.where(y % 2 == 0, x * x, x) * (x * x == 1)  # what has an integer as its inverse
        return np.where(y < 0, units, x ** np.maximum(y, 0))
    return x**y


@op
def sqrt(x):
    """The square root."""
    return np.sqrt(x)


@op
def rsqrt(x):
    """One divided by the square root."""
    return 1 / np.sqrt(x)


@op(tensors="x y")
def hypot(x, y):
    """`sqrt(x**2 + y**2)`, without overflow on the way."""
    refuse("biuc", "hypot", x)
    return np.hypot(x, y)


_pow.grad(x=_pow_grad_x, y=_pow_grad_y)
sqrt.grad(x=lambda g, out: g / (2 * out))
rsqrt.grad(x=lambda g, out: g * (-0.5 * out * out * out))
hypot.grad(x=lambda g, x, out: g * (x / out), y=lambda g, y, out: g * (y / out))


# --- exponentials and logarithms -------------------------------------------------------------------------------------


@op
def exp(x):
    """e to the power of each element."""
    return np.exp(x)


@op
def exp2(x):
    """2 to the power of each element."""
    return np.exp2(x)


@op
def expm1(x):
    """`exp(x) - 1`, accurate also near 0."""
    return np.expm1(x)


@op
def log(x):
    """The natural logarithm."""
    return np.log(x)


@op
def log2(x):
    """The logarithm to base 2."""
    return np.log2(x)


@op
def log10(x):
    """The logarithm to base 10."""
    return np.log10(x)


@op
def log1p(x):
    """`log(1 + x)`, accurate also near 0."""
    return np.log1p(x)


@op
def sigmoid(x):
    """The logistic function `1 / (1 + exp(-x))`."""
    return 1 / (1 + np.exp(0 - x))  # booleans have no negative


exp.grad(x=lambda g, out: g * out)
exp2.grad(x=lambda g, out: g * (out * math.log(2)))
expm1.grad(x=lambda g, out: g * (out + 1))
log.grad(x=lambda g, x: g / x)
log2.grad(x=lambda g, x: g / (x * math.log(2)))
log10.grad(x=lambda g, x: g / (x * math.log(10)))
log1p.grad(x=lambda g, x: g / (x + 1))
sigmoid.grad(x=lambda g, out: g * (out * (1 - out)))


@op(tensors="x y")
def logaddexp(x, y):
    """`log(exp(x) + exp(y))`, without overflow on the way."""
    refuse("biu", "logaddexp", x)
    if x.dtype.kind == "c":
        high, low = np.where(x.real >= y.real, x, y), np.where(x.real >= y.real, y, x)
        return np.where(high == low, high + math.log(2), high + np.log1p(np.exp(low - high)))
    return np.logaddexp(x, y)


@op(tensors="x y")
def logaddexp2(x, y):
    """`log2(2**x + 2**y)`, without overflow on the way."""
    refuse("biuc", "logaddexp2", x)
    return np.logaddexp2(x, y)


logaddexp.grad(x=lambda g, x, y: g * sigmoid(x - y), y=lambda g, x, y: g * sigmoid(y - x))
logaddexp2.grad(
    x=lambda g, x, y: g * sigmoid((x - y) * math.log(2)),
    y=lambda g, x, y: g * sigmoid((y - x) * math.log(2)),
)


@op
def _xlogy(x, y):
    """`x * log(y)`, and 0 where x is 0."""
    refuse("c", "xlogy", x)
    return np.where((x == 0) & (y == y), 0, x * np.log(y))


@op
def _xlog1py(x, y):
    """`x * log(1 + y)`, and 0 where x is 0."""
    refuse("c", "xlog1py", x)
    return np.where((x == 0) & (y == y), 0, x * np.log1p(y))


@op
def logit(x, eps=None):
    """`log(x / (1 - x))`, the inverse of the sigmoid; `eps` keeps x inside [eps, 1 - eps]."""
    refuse("c", "logit", x)
    if eps is not None:
        plain_numbers("logit", eps)
        x = np.minimum(np.maximum(x, eps), 1 - eps)
    return np.log(x / (1.0 - x))


def _logit_grad(g, x, eps):
    low, high = (0, 1) if eps is None else (eps, 1 - eps)
    outside = math.nan if eps is None else 0
    return _where((x < low) | (x > high), outside, g / (x * (1 - x)))


_xlogy.grad(x=lambda g, x, y: _where((x == 0) & (y <= 0), 0, g * log(y)), y=lambda g, x, y: g * x / y)
_xlog1py.grad(x=lambda g, x, y: _where((x == 0) & (y <= -1), 0, g * log1p(y)), y=lambda g, x, y: g * x / (y + 1))
logit.grad(x=_logit_grad)


# --- PyTorch's call forms --------------------------------------------------------------------------------------------


def _scaled(other: Any, alpha: Any, input: Any) -> Any:
    for kind, rank, name in ((float, 2, "integral"), (complex, 3, "non-complex")):
        if isinstance(alpha, kind) and isinstance(input, Tensor) and input.dtype.rank < rank:
            what = "floating point" if rank == 2 else "complex"
            raise RuntimeError(f"For {name} input tensors, argument alpha must not be a {what} number, got {alpha}")
    return other * alpha


@former_order("alpha")
def add(input, other, *, alpha=1, out=None):
    """The sum `input + alpha * other`."""
    if alpha != 1:
        other = _scaled(other, alpha, input)
    return _add(input, other) if out is None else _add(input, other, out=out)


@former_order("alpha")
def sub(input, other, *, alpha=1, out=None):
    """The difference `input - alpha * other`."""
    if alpha != 1:
        other = _scaled(other, alpha, input)
    return _sub(input, other) if out is None else _sub(input, other, out=out)


@former_order("value")
def addcmul(input, tensor1, tensor2, *, value=1, out=None):
    """`input + value * tensor1 * tensor2`."""
    return _addcmul(input, tensor1, tensor2, value=value, out=out)


@former_order("value")
def addcdiv(input, tensor1, tensor2, *, value=1, out=None):
    """`input + value * tensor1 / tensor2`."""
    return _addcdiv(input, tensor1, tensor2, value=value, out=out)


def positive(input):
    """The tensor itself."""
    if input.dtype is dtypes.bool_:
        raise RuntimeError("positive: the `+` operator on a bool tensor is not supported")
    return input


def rsub(input, other, *, alpha=1):
    """The difference the other way round: `other - alpha * input`."""
    return sub(other, need_tensor(input, "rsub"), alpha=alpha)


def div(input, other, *, rounding_mode=None, out=None):
    """The quotient; with `rounding_mode` "floor" rounded down, "trunc" towards 0."""
    if rounding_mode not in ROUNDED:
        wrong = f"expected rounding_mode to be one of None, 'trunc', or 'floor' but found {rounding_mode!r}"
        raise RuntimeError(f"div: {wrong}")
    function = ROUNDED[rounding_mode]
    return function(input, other) if out is None else function(input, other, out=out)


def true_divide(input, other, *, out=None):
    """The true quotient."""
    return div(input, other, out=out)


def floor_divide(input, other, *, out=None):
    """The quotient, rounded down."""
    return div(input, other, rounding_mode="floor", out=out)


ROUNDED = {None: _div, "floor": _floor_div, "trunc": _trunc_div}


def lerp(input, end, weight, *, out=None):
    """The way from `input` to `end`, gone by `weight`: a number, or a tensor for each element."""
    for name, t in (("end", end), ("weight", weight)):
        if isinstance(t, Tensor) and t.dtype is not input.dtype:
            raise RuntimeError(f"lerp: expected dtype {input.dtype} for '{name}' but got dtype {t.dtype}")
    return _lerp(input, end, weight, out=out)


def where(condition, input=None, other=None, *, out=None):
    """`input` where the condition holds, `other` elsewhere; of a condition alone, where it holds."""
    if input is None and other is None:
        return condition.nonzero(as_tuple=True)
    return _where(condition, input, other, out=out)


def pow(input, exponent, *, out=None):
    """`input` to the power of `exponent`, one of them possibly a number."""
    if isinstance(input, Number):
        input, exponent = tensors(input, exponent)
    return _pow(input, exponent) if out is None else _pow(input, exponent, out=out)


def float_power(input, exponent, *, out=None):
    """`pow`, computed in double precision."""
    input, exponent = tensors(input, exponent)
    double = dtypes.complex128 if input.is_complex() or exponent.is_complex() else dtypes.float64
    return _pow(cast(input, double), cast(exponent, double), out=out)


def ldexp(input, other, *, out=None):
    """`input * 2**other`."""
    return mul(need_tensor(input, "ldexp"), pow(2.0, need_tensor(other, "ldexp", "other")), out=out)


def xlogy(input, other, *, out=None):
    """`input * log(other)`, and 0 where the input is 0."""
    return _xlogy(*tensors(input, other), out=out)


def xlog1py(input, other, *, out=None):
    """`input * log(1 + other)`, and 0 where the input is 0."""
    return _xlog1py(*tensors(input, other), out=out)


negative, subtract, multiply, divide = neg, sub, mul, div

METHODS = """
    add addcdiv addcmul div divide exp exp2 expm1 float_power floor_divide fmod hypot ldexp lerp log log10 log1p log2
    logaddexp logaddexp2 logit mul multiply neg negative positive pow reciprocal remainder rsqrt sigmoid sqrt square
    sub subtract true_divide xlogy
"""
INPLACE = """
    add addcdiv addcmul div divide exp exp2 expm1 float_power floor_divide fmod hypot ldexp lerp log log10 log1p log2
    logit mul multiply neg negative pow reciprocal remainder rsqrt sigmoid sqrt square sub subtract true_divide xlogy
"""
OPERATORS = {
    "__neg__": neg, "__pos__": positive,
    "__add__": operator(_add), "__radd__": operator(_add), "__iadd__": inplace(_add),
    "__sub__": operator(_sub), "__rsub__": operator(_sub, swap=True), "__isub__": inplace(_sub),
    "__mul__": operator(mul), "__rmul__": operator(mul), "__imul__": inplace(mul),
    "__truediv__": operator(_div), "__rtruediv__": operator(_div, swap=True), "__itruediv__": inplace(_div),
    "__rdiv__": operator(_div, swap=True),  # PyTorch has kept this name from Python 2
    "__floordiv__": operator(_floor_div), "__rfloordiv__": operator(_floor_div, swap=True),
    "__ifloordiv__": inplace(_floor_div),
    "__mod__": operator(remainder), "__rmod__": operator(remainder, swap=True), "__imod__": inplace(remainder),
    "__pow__": operator(_pow), "__rpow__": operator(pow, swap=True), "__ipow__": inplace(_pow),
    "where": lambda self, condition, other: where(condition, self, other),
}  # fmt: skip

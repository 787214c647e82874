"""Comparisons, logic and bits, element by element, and questions about whole tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..inplace import inplace
from ..op import op
from ..tensor import Tensor
from .arguments import need_tensor
from .operands import operator, refuse, refuse_none

# --- comparisons -----------------------------------------------------------------------------------------------------


@op(differentiable=False, tensors="x")
def eq(x, y):
    """Whether two elements are equal."""
    return x == y if y is not None else refuse_none("eq")


@op(differentiable=False, tensors="x")
def ne(x, y):
    """Whether two elements differ."""
    return x != y if y is not None else refuse_none("ne")


@op(differentiable=False, tensors="x")
def lt(x, y):
    """Whether each element is less."""
    if x.dtype.kind == "c":
        refuse("c", "lt", x)
    return x < y if y is not None else refuse_none("lt")


@op(differentiable=False, tensors="x")
def le(x, y):
    """Whether each element is less or equal."""
    if x.dtype.kind == "c":
        refuse("c", "le", x)
    return x <= y if y is not None else refuse_none("le")


@op(differentiable=False, tensors="x")
def gt(x, y):
    """Whether each element is greater."""
    if x.dtype.kind == "c":
        refuse("c", "gt", x)
    return x > y if y is not None else refuse_none("gt")


@op(differentiable=False, tensors="x")
def ge(x, y):
    """Whether each element is greater or equal."""
    if x.dtype.kind == "c":
        refuse("c", "ge", x)
    return x >= y if y is not None else refuse_none("ge")


@op(differentiable=False, tensors="x y")
def _isclose(x, y, rtol, atol, equal_nan):
    """Whether `|x - y| <= atol + rtol * |y|`, or the two are equal."""
    near = (x == y) | (np.isfinite(y) & (np.abs(x - y) <= atol + np.abs(rtol * y)))
    return near | ((x != x) & (y != y)) if equal_nan else near


# --- kinds of numbers ------------------------------------------------------------------------------------------------


@op(differentiable=False)
def isnan(x):
    """Whether an element is not a number."""
    return np.isnan(x)


@op(differentiable=False)
def isinf(x):
    """Whether an element is infinite."""
    return np.isinf(x)


@op(differentiable=False)
def isfinite(x):
    """Whether an element is neither infinite nor not a number."""
    return np.isfinite(x)


@op(differentiable=False)
def isposinf(x):
    """Whether an element is infinite and positive."""
    refuse("c", "isposinf", x)
    return np.isinf(x) & (x > 0)


@op(differentiable=False)
def isneginf(x):
    """Whether an element is infinite and negative."""
    refuse("c", "isneginf", x)
    return np.isinf(x) & (x < 0)


@op(differentiable=False)
def isreal(x):
    """Whether the imaginary part is 0."""
    return x.imag == 0


# --- logic and bits --------------------------------------------------------------------------------------------------


@op(differentiable=False)
def logical_not(x):
    """Whether an element is 0."""
    return np.logical_not(x)


@op(differentiable=False, tensors="x y")
def logical_and(x, y):
    """Whether both are other than 0."""
    return np.logical_and(x, y)


@op(differentiable=False, tensors="x y")
def logical_or(x, y):
    """Whether one of two is other than 0."""
    return np.logical_or(x, y)


@op(differentiable=False, tensors="x y")
def logical_xor(x, y):
    """Whether exactly one of two is other than 0."""
    return np.logical_xor(x, y)


@op(differentiable=False)
def bitwise_not(x):
    """Every bit the other way round; of booleans, the opposite."""
    refuse("fc", "bitwise_not", x)
    return ~x


@op(differentiable=False)
def bitwise_and(x, y):
    """The bits that both have."""
    refuse("fc", "bitwise_and", x, y)
    return x & y


@op(differentiable=False)
def bitwise_or(x, y):
    """The bits that one of them has."""
    refuse("fc", "bitwise_or", x, y)
    return x | y


@op(differentiable=False)
def bitwise_xor(x, y):
    """The bits that exactly one of them has."""
    refuse("fc", "bitwise_xor", x, y)
    return x ^ y


@op(differentiable=False)
def bitwise_left_shift(x, y):
    """The bits moved up by `y` places."""
    refuse("bfc", "bitwise_left_shift", x, y)
    return x << y


@op(differentiable=False)
def bitwise_right_shift(x, y):
    """The bits moved down by `y` places."""
    refuse("bfc", "bitwise_right_shift", x, y)
    return x >> y


# --- about whole tensors ---------------------------------------------------------------------------------------------


def isclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Whether elements are equal up to `atol + rtol * |other|`."""
    if need_tensor(input, "isclose").dtype is not need_tensor(other, "isclose", "other").dtype:
        raise RuntimeError(f"isclose: {input.dtype} did not match {other.dtype}; write .to(dtype) on one of them")
    if rtol < 0 or atol < 0:
        raise RuntimeError(f"isclose: rtol and atol must be greater than or equal to zero, but got {rtol} and {atol}")
    return _isclose(input, other, rtol, atol, equal_nan)


def allclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Whether all elements are equal up to `atol + rtol * |other|`."""
    return bool(isclose(input, other, rtol, atol, equal_nan).array.all())


def equal(input, other):
    """Whether two tensors have the same shape and the same elements."""
    return input.shape == need_tensor(other, "equal", "other").shape and bool(eq(input, other).array.all())


def is_nonzero(input):
    """Whether the only element is other than 0."""
    return bool(need_tensor(input, "is_nonzero"))


def is_floating_point(input):
    """Whether the elements are real floating-point numbers."""
    return input.is_floating_point()


def is_complex(input):
    """Whether the elements are complex numbers."""
    return input.is_complex()


def is_tensor(obj: Any) -> bool:
    """Whether an object is a tensor."""
    return isinstance(obj, Tensor)


def is_same_size(input, other):
    """Whether two tensors have the same shape."""
    return input.shape == other.shape


less, less_equal, greater, greater_equal, not_equal = lt, le, gt, ge, ne

METHODS = """
    allclose bitwise_and bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor eq equal ge greater
    greater_equal gt is_nonzero is_same_size isclose isfinite isinf isnan isneginf isposinf isreal le less less_equal
    logical_and logical_not logical_or logical_xor lt ne not_equal
"""
INPLACE = """
    bitwise_and bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor eq ge greater greater_equal
    gt le less less_equal logical_and logical_not logical_or logical_xor lt ne not_equal
"""


def _invert(x):
    if x.array.dtype.kind in "fc":
        raise TypeError(f"~ (operator.invert) is only implemented on integer and Boolean-type tensors, not {x.dtype}")
    return bitwise_not(x)


OPERATORS = {
    "__eq__": operator(eq), "__ne__": operator(ne),
    "__lt__": operator(lt), "__le__": operator(le), "__gt__": operator(gt), "__ge__": operator(ge),
    "__invert__": _invert,
    "__and__": operator(bitwise_and), "__rand__": operator(bitwise_and), "__iand__": inplace(bitwise_and),
    "__or__": operator(bitwise_or), "__ror__": operator(bitwise_or), "__ior__": inplace(bitwise_or),
    "__xor__": operator(bitwise_xor), "__rxor__": operator(bitwise_xor), "__ixor__": inplace(bitwise_xor),
    "__lshift__": operator(bitwise_left_shift), "__rlshift__": operator(bitwise_left_shift, swap=True),
    "__ilshift__": inplace(bitwise_left_shift),
    "__rshift__": operator(bitwise_right_shift), "__rrshift__": operator(bitwise_right_shift, swap=True),
    "__irshift__": inplace(bitwise_right_shift),
}  # fmt: skip

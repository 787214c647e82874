"""Operations element by element: arithmetic, powers, exponentials, comparisons."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..op import op

# --- arithmetic ------------------------------------------------------------------------------------------------------


@op
def neg(x):
    """The negative."""
    return -x


@op
def _add(x, y):
    """The sum, element by element."""
    return x + y


@op
def _sub(x, y):
    """The difference, element by element."""
    return x - y


@op
def mul(x, y):
    """The product, element by element."""
    return x * y


@op
def div(x, y):
    """The true quotient, element by element."""
    return x / y


neg.grad(x=lambda g: -g)
_add.grad(x=lambda g: g, y=lambda g: g)
_sub.grad(x=lambda g: g, y=lambda g: -g)
mul.grad(x=lambda g, y: g * y, y=lambda g, x: g * x)
div.grad(x=lambda g, y: g / y, y=lambda g, y, out: -(g * out) / y)



def add(input, other, *, alpha=1, out=None):
    """The sum `input + alpha * other`."""
    return _add(input, other if alpha == 1 else mul(other, alpha), out=out)


def sub(input, other, *, alpha=1, out=None):
    """The difference `input - alpha * other`."""
    return _sub(input, other if alpha == 1 else mul(other, alpha), out=out)


# --- exponentials ----------------------------------------------------------------------------------------------------


@op
def exp(x):
    """e to the power of each element."""
    return np.exp(x)


@op
def log(x):
    """The natural logarithm."""
    return np.log(x)


@op
def tanh(x):
    """Hyperbolic tangent."""
    return np.tanh(x)


exp.grad(x=lambda g, out: g * out)
log.grad(x=lambda g, x: g / x)
tanh.grad(x=lambda g, out: g * (1 - out * out))

# --- comparisons -----------------------------------------------------------------------------------------------------


@op(differentiable=False)
def gt(x, y):
    """Whether each element is greater."""
    return x > y


def _reversed(function: Any) -> Any:
    """The operator for a tensor on the right."""
    return lambda x, y: function(y, x)


METHODS = "add div exp gt log mul neg sub tanh"
INPLACE = "add div exp log mul neg sub tanh"
OPERATORS = {
    "__neg__": neg,
    "__add__": _add, "__radd__": _add,
    "__sub__": _sub, "__rsub__": _reversed(_sub),
    "__mul__": mul, "__rmul__": mul,
    "__truediv__": div, "__rtruediv__": _reversed(div),
    "__gt__": gt,
}  # fmt: skip

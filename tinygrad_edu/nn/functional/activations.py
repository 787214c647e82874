"""Activations: `inplace=True` writes the result into the input."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from ... import random
from ...inplace import inplace as _written
from ...ops import activations as ops
from ...ops import celu as _celu
from ...ops import hardshrink, log, prelu, sigmoid, softsign, tanh, zeros_like
from ...ops import log_softmax as _log_softmax
from ...ops import relu as _relu
from ...ops import selu as _selu
from ...ops import softmax as _softmax
from ...ops import threshold as _threshold
from ...ops.misuse import explained
from ...tensor import Tensor

__all__ = [
    "celu", "celu_", "elu", "elu_", "gelu", "glu", "gumbel_softmax", "hardshrink", "hardsigmoid", "hardswish",
    "hardtanh", "hardtanh_", "leaky_relu", "leaky_relu_", "log_softmax", "logsigmoid", "mish", "prelu", "relu",
    "relu6", "relu_", "rrelu", "rrelu_", "selu", "selu_", "sigmoid", "silu", "softmax", "softmin", "softplus",
    "softshrink", "softsign", "tanh", "tanhshrink", "threshold", "threshold_",
]  # fmt: skip


def in_place(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The function that writes into its argument; unlike a method it may be called with anything."""
    return explained(_written(function))


relu_, elu_, selu_, celu_ = in_place(_relu), in_place(ops._elu), in_place(_selu), in_place(_celu)
leaky_relu_, hardtanh_, threshold_ = in_place(ops._leaky_relu), in_place(ops._hardtanh), in_place(_threshold)

# --- piecewise linear ------------------------------------------------------------------------------------------------


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0)"""
    return relu_(input) if inplace else _relu(input)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x, 0), 6)"""
    return hardtanh(input, 0, 6, inplace)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x above 0, negative_slope * x below"""
    return (leaky_relu_ if inplace else ops._leaky_relu)(input, negative_slope)


def rrelu(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    """x above 0, below times a slope: drawn for each element while training, else the mean slope."""
    return (rrelu_ if inplace else _rrelu)(input, lower, upper, training)


def _rrelu(input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False) -> Tensor:
    if lower > upper:
        raise RuntimeError(f"Lower bound should be less than or equal to the upper bound, but got {lower} and {upper}")
    if not training:
        return ops._leaky_relu(input, (lower + upper) / 2)
    return ops._prelu(input, random.rand_like(input) * (upper - lower) + lower)


rrelu_ = in_place(_rrelu)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """x between min_val and max_val, these beyond"""
    if min_val > max_val:
        raise ValueError(f"min_val cannot be greater than max_val, but got {min_val} and {max_val}")
    return (hardtanh_ if inplace else ops._hardtanh)(input, min_val, max_val)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """x / 6 + 1/2 between 0 and 1"""
    return (_hardsigmoid_ if inplace else ops._hardsigmoid)(input)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x times its hardsigmoid"""
    return (_hardswish_ if inplace else ops._hardswish)(input)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x above the threshold, value elsewhere"""
    return (threshold_ if inplace else _threshold)(input, threshold, value)


def softshrink(input: Tensor, lambd: float = 0.5, *, out: Tensor | None = None) -> Tensor:
    """x moved by lambd towards 0, but not across"""
    if not lambd >= 0:
        raise RuntimeError(f"lambda must be greater or equal to 0, but found to be {lambd}")
    return ops._softshrink(input, lambd, out=out)


# --- smooth ----------------------------------------------------------------------------------------------------------


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x above 0, alpha * (exp(x) - 1) below"""
    return (elu_ if inplace else ops._elu)(input, alpha)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """1.0507 * elu(x, 1.6733): keeps mean 0 and variance 1 from layer to layer."""
    return (selu_ if inplace else _selu)(input)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x above 0, alpha * (exp(x / alpha) - 1) below"""
    return (celu_ if inplace else _celu)(input, alpha)


def gelu(input: Tensor, approximate: str = "none", *, out: Tensor | None = None) -> Tensor:
    """x * Φ(x), where Φ is the normal distribution; approximate="tanh" is close to it."""
    if approximate not in ("none", "tanh"):
        raise RuntimeError(f"approximate argument must be either none or tanh, not {approximate!r}")
    return ops._gelu(input, approximate, out=out)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x * sigmoid(x)"""
    return (_silu_ if inplace else ops._silu)(input)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * tanh(softplus(x))"""
    return (_mish_ if inplace else ops._mish)(input)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0, *, out: Tensor | None = None) -> Tensor:
    """log(1 + exp(beta * x)) / beta, and x itself where beta * x is above the threshold"""
    return ops._softplus(input, beta, threshold, out=out)


def logsigmoid(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """log(sigmoid(x))"""
    return ops._logsigmoid(input, out=out)


def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x)"""
    return ops._tanhshrink(input)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """The first half along `dim`, times the sigmoid of the second."""
    if not input.ndim:
        raise RuntimeError("glu does not support 0-dimensional tensors")
    if input.size(dim) % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {dim} is size {input.size(dim)}")
    return ops._glu(input, dim)


_hardsigmoid_, _hardswish_ = in_place(ops._hardsigmoid), in_place(ops._hardswish)
_silu_, _mish_ = in_place(ops._silu), in_place(ops._mish)

# --- along a dimension -----------------------------------------------------------------------------------------------


def softmax(input: Tensor, dim: int | None = None, _stacklevel: Any = 3, dtype: Any = None) -> Tensor:
    """exp(x) / Σ exp(x) along `dim`: positive numbers whose sum is 1."""
    return _softmax(input, _dimension("softmax", input, dim, _stacklevel), dtype)


def softmin(input: Tensor, dim: int | None = None, _stacklevel: Any = 3, dtype: Any = None) -> Tensor:
    """The softmax of -x."""
    return _softmax(-input, _dimension("softmin", input, dim, _stacklevel), dtype)


def log_softmax(input: Tensor, dim: int | None = None, _stacklevel: Any = 3, dtype: Any = None) -> Tensor:
    """The logarithm of the softmax along `dim`."""
    return _log_softmax(input, _dimension("log_softmax", input, dim, _stacklevel), dtype)


def _dimension(name: str, input: Tensor, dim: int | None, stacklevel: int) -> int:
    """`dim`, or the one that PyTorch has always guessed."""
    if dim is None:
        dim = 0 if input.ndim in (0, 1, 3) else 1
        text = f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim={dim}."
        warnings.warn(text, UserWarning, stacklevel=stacklevel + 1)
    return dim


def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """A differentiable draw from a categorical distribution; `hard` rounds it, with the gradient of the soft one."""
    gumbels = -log(-log(random.rand_like(logits)))
    soft = _softmax((logits + gumbels) / tau, dim)
    if not hard:
        return soft
    chosen = zeros_like(soft).scatter_(dim, soft.detach().argmax(dim, keepdim=True), 1.0)
    return chosen - soft.detach() + soft

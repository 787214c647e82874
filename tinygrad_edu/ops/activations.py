"""Activations: what stands between the linear maps of a network.

NumPy's `where` on a mask without a pattern is ten times slower than arithmetic (every other branch is mispredicted),
so the hot ones take a maximum, or multiply by the mask.
"""

from __future__ import annotations

import math

import numpy as np

from .. import devices
from ..errors import message
from ..op import op
from ..tensor import Tensor
from .arguments import blank
from .complexes import abs
from .joining import chunk
from .operands import plain_numbers, refuse, zero
from .pieces import in_pieces
from .pointwise import _where, exp, sigmoid
from .rounding import _clamp
from .special_functions import _normal, erf
from .trigonometry import tanh

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805

# --- piecewise linear ------------------------------------------------------------------------------------------------


@op
def relu(x):
    """max(x, 0)"""
    if x.dtype.kind == "b":
        raise RuntimeError("relu: Boolean inputs not supported; write x.float()")
    refuse("c", "relu", x)
    return np.maximum(x, 0)


@op
def _gate(x, out):
    """x where `out` is above 0, and 0 elsewhere: in pieces, so that no mask as large as x is made; on a GPU at once."""
    if x.size < 1 << 16 or x.shape != out.shape or type(x) is not np.ndarray:
        return x * (out > 0)
    gated = np.empty_like(x)
    step = max(1, len(x) >> 5)
    for start in range(0, len(x), step):
        rows = slice(start, start + step)
        np.multiply(x[rows], out[rows] > 0, out=gated[rows])
    return gated


@op
def _tied(x, to):
    """x, as if it depended on `to`: so a second derivative of what is linear in pieces is 0, and no error."""
    return x


@op
def _leaky_relu(x, negative_slope=0.01):
    """x above 0, negative_slope * x below"""
    plain_numbers("leaky_relu", negative_slope)
    refuse("biuc", "leaky_relu", x)
    return (np.maximum if negative_slope <= 1 else np.minimum)(x, x * negative_slope)


def _leaky_relu_grad(g, x, negative_slope):
    return _gate(g, x) * (1 - negative_slope) + g * negative_slope


@op(tied=True)
def _prelu(x, weight):
    """x above 0, weight * x below; the weight broadcasts"""
    return np.maximum(x, 0) + weight * np.minimum(x, 0)


@op(tied=True)
def _hardtanh(x, min_val=-1.0, max_val=1.0):
    """x between min_val and max_val, these beyond"""
    plain_numbers("hardtanh", min_val, max_val)
    refuse("c", "hardtanh", x)
    if x.dtype.kind in "iu":
        min_val, max_val = int(min_val), int(max_val)
    return np.minimum(np.maximum(x, min_val), max_val)


def _hardtanh_grad(g, x, min_val, max_val):
    return g * ((x > min_val) & (x < max_val))


@op(tied=True)
def _hardsigmoid(x):
    """x / 6 + 1/2 between 0 and 1"""
    refuse("biuc", "hardsigmoid", x)
    return np.minimum(np.maximum(x + 3, 0), 6) / 6


@op
def _hardswish(x):
    """x times its hardsigmoid"""
    refuse("biuc", "hardswish", x)
    return x * np.minimum(np.maximum(x + 3, 0), 6) / 6


@op(tied=True)
def threshold(x, threshold, value):
    """x above the threshold, value elsewhere"""
    plain_numbers("threshold", threshold, value)
    refuse("bc", "threshold", x)
    return np.where(x <= threshold, value, x)


@op(tied=True)
def hardshrink(x, lambd: float = 0.5):
    """x where it is farther than lambd from 0, else 0"""
    plain_numbers("hardshrink", lambd)
    refuse("biuc", "hardshrink", x)
    return x * ((x > lambd) | (x < -lambd))


@op(tied=True)
def _softshrink(x, lambd: float = 0.5):
    """x moved by lambd towards 0, but not across"""
    plain_numbers("softshrink", lambd)
    refuse("biuc", "softshrink", x)
    return x - np.minimum(np.maximum(x, -lambd), lambd)


relu.grad(x=lambda g, out: _gate(g, out))
_gate.grad(x=lambda g, out: _gate(g, out), out=zero)
_tied.grad(x=lambda g: g, to=lambda g, to_shape: blank(g, to_shape))
_leaky_relu.grad(x=_leaky_relu_grad)
_prelu.grad(x=lambda g, x, weight: _where(x > 0, g, g * weight), weight=lambda g, x: g * _clamp(x, None, 0))
_hardtanh.grad(x=_hardtanh_grad)
_hardsigmoid.grad(x=lambda g, out: g * ((out > 0) & (out < 1)) / 6)
_hardswish.grad(x=lambda g, x: g * (x / 3 + 0.5) * ((x > -3) & (x < 3)) + g * (x >= 3))
threshold.grad(x=lambda g, x, threshold: g * (x > threshold))
hardshrink.grad(x=lambda g, x, lambd: g * ((x > lambd) | (x < -lambd)))
_softshrink.grad(x=lambda g, x, lambd: g * ((x > lambd) | (x < -lambd)))

# --- exponential below, linear above ---------------------------------------------------------------------------------


@op
def _elu(x, alpha=1.0, scale=1.0, input_scale=1.0):
    """scale * x above 0, scale * alpha * (exp(input_scale * x) - 1) below: elu, selu and celu"""
    plain_numbers("elu", alpha, scale, input_scale)
    refuse("biuc", "elu", x)
    above, below = np.maximum(x, 0), np.expm1(np.minimum(x, 0) * input_scale)
    return (above + below * alpha) * scale


def _elu_grad(g, x, alpha, scale, input_scale):
    steepest = scale * alpha * input_scale  # the slope just below 0: for elu and celu also that above
    below = g * exp(_clamp(x, None, 0) * input_scale) * steepest
    return below if steepest == scale else below + g * (x > 0) * (scale - steepest)


@op
def _softplus(x, beta=1.0, threshold=20.0):
    """log(1 + exp(beta * x)) / beta, and x itself where beta * x is above the threshold"""
    plain_numbers("softplus", beta, threshold)
    refuse("biuc", "softplus", x)
    z = x * beta
    smooth = (np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))) / beta
    return np.where(z > threshold, x, smooth)


def _softplus_grad(g, x, beta, threshold):
    z = x * beta
    return g * sigmoid(z) * (z <= threshold) + g * (z > threshold)


@op
def _logsigmoid(x):
    """log(sigmoid(x))"""
    refuse("biu", "logsigmoid", x)
    return np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))


_elu.grad(x=_elu_grad)
_softplus.grad(x=_softplus_grad)
_logsigmoid.grad(x=lambda g, x: g * sigmoid(-x))

# --- gates: the input times a number between 0 and 1 -----------------------------------------------------------------
# The hot ones keep their slope: the way back is one product, in place of another tour of the same chain.


def _silu_plain(x):
    return x * sigmoid(x)


@op(plain=_silu_plain, keeps="slope")
def _silu(x):
    """x * sigmoid(x)"""
    refuse("biu", "silu", x)
    return in_pieces(_silu_of_piece, 2, x)


def _silu_of_piece(x, out=None, slope=None):
    s = sigmoid(x)
    out = np.multiply(x, s, out=out)
    rise = 1 - s
    rise *= out
    return out, np.add(s, rise, out=slope)  # s + x s (1 - s)


def _mish_plain(x):
    return x * tanh(_softplus(x))


@op(plain=_mish_plain, keeps="t")
def _mish(x):
    """x * tanh(softplus(x))"""
    refuse("biuc", "mish", x)
    e = np.exp(np.minimum(x, 30.0))  # tanh(log(1 + e)) = (e² + 2e) / (e² + 2e + 2), which is 1 from here on
    e = e * (e + 2)
    t = e / (e + 2)
    return x * t, t


def _mish_grad(g, x, t):
    return g * (t + x * sigmoid(x) * (1 - t * t))


def _gelu_plain(x, approximate="none"):
    if approximate == "tanh":
        return 0.5 * x * (1 + tanh(x * (1 + 0.044715 * x * x) * math.sqrt(2 / math.pi)))
    return x * (0.5 + 0.5 * erf(x * math.sqrt(0.5)))


@op(plain=_gelu_plain, keeps="slope")
def _gelu(x, approximate="none"):
    """x * Φ(x), where Φ is the normal distribution, or its approximation by tanh"""
    refuse("biu", "gelu", x)
    return in_pieces(_gelu_by_tanh if approximate == "tanh" else _gelu_by_erf, 2, x)


@devices.fused
def _gelu_by_erf(x, out=None, slope=None):
    square = x * x
    share = _normal(x, square)  # Φ
    square *= -0.5
    rise = np.exp(square)
    rise *= 1 / math.sqrt(2 * math.pi)  # Φ'
    rise *= x
    return np.multiply(x, share, out=out), np.add(share, rise, out=slope)


@devices.fused
def _gelu_by_tanh(x, out=None, slope=None):
    square = x * x
    square *= 0.044715 * math.sqrt(2 / math.pi)
    inner = square + math.sqrt(2 / math.pi)
    inner *= x  # u = √(2/π) (x + 0.044715 x³)
    share = np.tanh(inner)
    share *= 0.5
    share += 0.5
    out = np.multiply(x, share, out=out)
    square *= 6
    square += 2 * math.sqrt(2 / math.pi)
    rise = 1 - share
    rise *= out
    rise *= square  # x Φ', where Φ' = 2 Φ (1 - Φ) u'
    return out, np.add(share, rise, out=slope)


def _glu_plain(x, dim=-1):
    a, b = chunk(x, 2, dim)
    return a * sigmoid(b)


@op(plain=_glu_plain, keeps="s")
def _glu(x, dim=-1):
    """The first half along `dim`, times the sigmoid of the second."""
    refuse("biu", "glu", x)
    a, b = np.split(x, 2, dim)
    s = sigmoid(b)
    return a * s, s


def _glu_grad(g, x, s, dim):
    return np.concatenate([g * s, g * np.split(x, 2, dim)[0] * s * (1 - s)], dim)


_silu.grad(x=lambda g, slope: g * slope)
_mish.grad(x=_mish_grad)
_gelu.grad(x=lambda g, slope: g * slope)
_glu.grad(x=_glu_grad)

# --- what is left of the input ---------------------------------------------------------------------------------------


@op
def _tanhshrink(x):
    """x - tanh(x)"""
    return x - np.tanh(x)


def _tanhshrink_grad(g, x):
    t = tanh(x)
    return g * (t * t)


def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|)"""
    return input / (abs(input) + 1)


_tanhshrink.grad(x=_tanhshrink_grad)

# --- PyTorch's call forms --------------------------------------------------------------------------------------------


def selu(input: Tensor) -> Tensor:
    """1.0507 * elu(x, 1.6733): keeps mean 0 and variance 1 from layer to layer."""
    return _elu(input, SELU_ALPHA, SELU_SCALE)


def celu(input: Tensor, alpha: float = 1.0) -> Tensor:
    """x above 0, alpha * (exp(x / alpha) - 1) below"""
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return _elu(input, alpha, 1.0, 1 / alpha)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x above 0, weight * x below; the weight is one number, or one for each channel (dimension 1)."""
    channels = input.shape[1] if input.ndim > 1 else 1
    if weight.ndim > 1 or weight.numel() not in (1, channels):
        wrong = f"Mismatch of parameter numbers and input channel size: {list(weight.shape)} for {channels} channels"
        raise RuntimeError(message(f"prelu of {list(input.shape)}", wrong, instead="a weight of one number a channel"))
    if weight.ndim:
        weight = weight.reshape(() if input.ndim < 2 else (-1, *[1] * (input.ndim - 2)))
    return _prelu(input, weight)


METHODS = "hardshrink prelu relu"
INPLACE = "relu"

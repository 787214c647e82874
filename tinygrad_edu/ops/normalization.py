"""Normalization: rows brought to mean 0 and variance 1, or to length 1, then scaled and shifted.

Batch, layer, group and instance norm differ in which elements make up a row and in which share a weight. All are
x̂ = (x - mean) rstd, with rstd = 1 / sqrt(var + eps), then x̂ weight + bias; and for all the way back is

    dx = rstd (gx̂ - mean(gx̂) - x̂ mean(gx̂ x̂)),   gx̂ = g weight

in which the two means are all that couples the elements of a row. x̂ is kept, so that nothing is computed twice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import devices
from ..dtypes import float16, float32
from ..errors import message
from ..op import op
from ..tensor import Tensor
from .pointwise import rsqrt
from .reductions import norm
from .rounding import clamp
from .shape import _reshape, broadcast_tensors
from .softmax import _row_sum

# --- the core: rows (R, n) -------------------------------------------------------------------------------------------


@devices.fused
def _standardized(rows, eps):
    """Rows with mean 0 and variance 1, in a new array, and what each was multiplied by."""
    n = max(rows.shape[1], 1)
    centred = rows - _row_sum(rows) / n
    rstd = np.einsum("rn,rn->r", centred, centred)[:, None]
    rstd /= n
    rstd += eps
    np.sqrt(rstd, out=rstd)
    np.reciprocal(rstd, out=rstd)
    centred *= rstd
    return centred, rstd


@devices.fused
def _standardized_grad(g, normal, rstd):
    """The way back through `_standardized`; it may write into `g`."""
    n = max(normal.shape[1], 1)
    coupled = np.einsum("rn,rn->r", g, normal)[:, None]
    coupled /= -n
    g -= _row_sum(g) / n
    g += normal * coupled
    g *= rstd
    return g


@devices.fused
def _rms_normal(rows, eps):
    """Rows whose mean square is 1, and what each was multiplied by."""
    scale = 1 / np.sqrt(np.einsum("rn,rn->r", rows, rows)[:, None] / max(rows.shape[1], 1) + eps)
    return rows * scale, scale


@devices.fused
def _rms_normal_grad(g, normal, scale):
    """The way back through `_rms_normal`; it may write into `g`."""
    g -= normal * (np.einsum("rn,rn->r", g, normal)[:, None] / max(normal.shape[1], 1))
    g *= scale
    return g


@devices.fused
def _scaled(x, scale, shift, out):
    """x · scale + shift for each channel of x (N, C, S), written to `out`; either may be None."""
    if scale is None:
        np.copyto(out, x)
    else:
        np.multiply(x, _spread(scale, x), out=out)
    if shift is not None:
        out += _spread(shift, x)
    return out


@devices.fused
def _combined(x, g, by_x, by_g, shift):
    """x · by_x + g · by_g + shift for each channel of x and g (N, C, S); it may write into `x`."""
    x *= _spread(by_x, x)
    x += g * _spread(by_g, x)
    x += _spread(shift, x)
    return x


def _spread(values, x):
    """Each channel's value at all its places, (C, S): NumPy repeats a number within a row at half the speed."""
    return values[:, None] if x.shape[2] == 1 else np.repeat(values, x.shape[2]).reshape(x.shape[1:])


# --- layer norm, RMS norm: a row is the last dimensions of one sample ------------------------------------------------


def _layer_norm_plain(x, weight, bias, dims, eps):
    axes = tuple(range(-dims, 0))
    centred = x - x.mean(axes, keepdims=True)
    out = centred * rsqrt((centred * centred).mean(axes, keepdims=True) + eps)
    out = out if weight is None else out * weight
    return out if bias is None else out + bias


@op(plain=_layer_norm_plain, keeps="normal rstd")
def _layer_norm(x, weight, bias, *, dims, eps=1e-5):
    """(x - mean) / sqrt(var + eps) over the last `dims` dimensions, times weight, plus bias."""
    n = math.prod(x.shape[x.ndim - dims :])
    normal, rstd = _standardized(x.reshape(math.prod(x.shape[: x.ndim - dims]), n), eps)
    scale, shift = (None if each is None else each.reshape(-1) for each in (weight, bias))
    out = _scaled(normal[..., None], scale, shift, np.empty_like(normal)[..., None])
    return out.reshape(x.shape), normal, rstd


def _layer_norm_grad(g, normal, rstd, weight, bias_shape, needs):
    rows = g.reshape(normal.shape)
    gx = gw = gb = None
    if needs & 1:
        gx = rows.copy() if weight is None else rows * weight.reshape(-1)
        gx = _standardized_grad(gx, normal, rstd).reshape(g.shape)
    if needs & 2:
        gw = np.einsum("rn,rn->n", rows, normal).reshape(weight.shape)
    if needs & 4:
        gb = np.einsum("rn->n", rows).reshape(bias_shape)
    return gx, gw, gb


def _rms_norm_plain(x, weight, dims, eps):
    out = x * rsqrt((x * x).mean(tuple(range(-dims, 0)), keepdims=True) + eps)
    return out if weight is None else out * weight


@op(plain=_rms_norm_plain, keeps="normal scale")
def _rms_norm(x, weight, *, dims, eps):
    """x / sqrt(mean(x²) + eps) over the last `dims` dimensions, times weight."""
    n = math.prod(x.shape[x.ndim - dims :])
    normal, scale = _rms_normal(x.reshape(math.prod(x.shape[: x.ndim - dims]), n), eps)
    out = normal.copy() if weight is None else normal * weight.reshape(-1)
    return out.reshape(x.shape), normal, scale


def _rms_norm_grad(g, normal, scale, weight, needs):
    rows = g.reshape(normal.shape)
    gx = gw = None
    if needs & 1:
        gx = rows.copy() if weight is None else rows * weight.reshape(-1)
        gx = _rms_normal_grad(gx, normal, scale).reshape(g.shape)
    if needs & 2:
        gw = np.einsum("rn,rn->n", rows, normal).reshape(weight.shape)
    return gx, gw


_layer_norm.grad(together=_layer_norm_grad)
_rms_norm.grad(together=_rms_norm_grad)

# --- group norm, instance norm: a row is some channels of one sample; a weight belongs to a channel ------------------


def _channels(x, count):
    """A view of x, one row for each channel: (N, C, S)."""
    return x.reshape(x.shape[0], count, math.prod(x.shape[1:]) // max(count, 1))


def _group_norm_plain(x, weight, bias, groups, eps):
    n, c = x.shape[:2]
    rows = _reshape(x, (n, groups, math.prod(x.shape[1:]) // groups))
    centred = rows - rows.mean(2, keepdims=True)
    normal = centred * rsqrt((centred * centred).mean(2, keepdims=True) + eps)
    out = _reshape(normal, (n, c, math.prod(x.shape[2:])))
    out = out if weight is None else out * _reshape(weight, (c, 1))
    return _reshape(out if bias is None else out + _reshape(bias, (c, 1)), tuple(x.shape))


@op(plain=_group_norm_plain, keeps="normal rstd")
def _group_norm(x, weight, bias, *, groups, eps):
    """(x - mean) / sqrt(var + eps) over groups of channels, times weight, plus bias."""
    normal, rstd = _standardized(x.reshape(x.shape[0] * groups, math.prod(x.shape[1:]) // groups), eps)
    channels = _channels(normal.reshape(x.shape), x.shape[1])
    return _scaled(channels, weight, bias, np.empty_like(channels)).reshape(x.shape), normal, rstd


def _group_norm_grad(g, normal, rstd, weight, needs):
    channels = _channels(g, g.shape[1])
    gx = gw = gb = None
    if needs & 1:
        gx = channels.copy() if weight is None else channels * weight[:, None]
        gx = _standardized_grad(gx.reshape(normal.shape), normal, rstd).reshape(g.shape)
    if needs & 2:
        gw = np.einsum("ncs,ncs->c", channels, normal.reshape(channels.shape))
    if needs & 4:
        gb = channels.sum((0, 2))
    return gx, gw, gb


_group_norm.grad(together=_group_norm_grad)

# --- batch norm: a row is one channel of all samples -----------------------------------------------------------------


def _batch_norm_plain(x, weight, bias, eps):
    axes = (0, *range(2, x.ndim))
    per_channel = (1, -1, *[1] * (x.ndim - 2))
    mean = x.mean(axes, keepdims=True)
    centred = x - mean
    var = (centred * centred).mean(axes, keepdims=True)
    out = centred * rsqrt(var + eps)
    out = out if weight is None else out * _reshape(weight, per_channel)
    out = out if bias is None else out + _reshape(bias, per_channel)
    return out, _reshape(mean, (-1,)), _reshape(var, (-1,))


@op(plain=_batch_norm_plain, keeps="rstd", returns="out mean var")
def _batch_norm(x, weight, bias, *, eps):
    """(x - mean) / sqrt(var + eps) over all but dimension 1, times weight, plus bias; and the mean and the variance."""
    channels = _channels(x, x.shape[1])  # (N, C, S)
    m = x.size // max(x.shape[1], 1)
    mean = _over_channels(channels) / m
    out = channels - _spread(mean, channels)
    var = _over_channels(out, out)
    var /= m
    rstd = 1 / np.sqrt(var + eps)
    out = _scaled(out, rstd if weight is None else rstd * weight, bias, out)
    return out.reshape(x.shape), mean, var, rstd


def _batch_norm_grad(g_out, g_mean, g_var, x, mean, rstd, weight, needs):
    g, x = _channels(g_out, g_out.shape[1]), _channels(x, g_out.shape[1])
    gx = x - _spread(mean, x)
    gb = _over_channels(g)
    gw = _over_channels(g, gx) * rstd  # both sums serve dx too
    if not needs & 1:
        return None, gw, gb
    m = g.size // g.shape[1]
    scale = rstd if weight is None else rstd * weight
    gx = _combined(gx, g, (2 * g_var - scale * gw * rstd) / m, scale, (g_mean - scale * gb) / m)
    return gx.reshape(g_out.shape), gw, gb


def _over_channels(x, y=None):
    """The sum over samples and places for each channel, of x or of x · y: (N, C, S) to (C)."""
    if x.shape[2] == 1:
        return np.einsum("nc->c", x[:, :, 0]) if y is None else np.einsum("nc,nc->c", x[:, :, 0], y[:, :, 0])
    return np.einsum("ncs->c", x) if y is None else np.einsum("ncs,ncs->c", x, y)


_batch_norm.grad(together=_batch_norm_grad)


def _fixed_norm(x, weight, bias, mean, var, eps):
    """The same with a mean and a variance that are known: one product and one sum."""
    scale = rsqrt(var + eps)
    scale = scale if weight is None else scale * weight
    shift = -mean * scale
    shift = shift if bias is None else shift + bias
    per_channel = (-1, *[1] * (x.ndim - 2))
    return x * _reshape(scale, per_channel) + _reshape(shift, per_channel)


# --- over neighbouring channels --------------------------------------------------------------------------------------


@op(differentiable=False)
def _moved(running, value, rate, factor):
    """A running statistic moved towards `factor` times this batch's value."""
    return running * (1 - rate) + value * (rate * factor)


@op
def _channel_sum(x, before, after):
    """At each channel, the sum over `before` channels in front of it, itself, and `after` channels behind it."""
    out = x.copy()
    for step in range(1, min(before, x.shape[1] - 1) + 1):
        out[:, step:] += x[:, :-step]
    for step in range(1, min(after, x.shape[1] - 1) + 1):
        out[:, :-step] += x[:, step:]
    return out


_channel_sum.grad(x=lambda g, before, after: _channel_sum(g, after, before))


def _local_response_norm(x, size, alpha=1e-4, beta=0.75, k=1.0):
    """x / (k + alpha * mean of x² over `size` neighbouring channels) ** beta"""
    squares = _channel_sum(x * x, size // 2, (size - 1) // 2)
    return x / (squares * (alpha / size) + k) ** beta


# --- PyTorch's call forms ----------------------------------------------------------------------------------------------


def _need_one_dtype(what, input, *others):
    """Raise for parameters or statistics of another type, which would change the type of everything that follows."""
    own = input.dtype
    for other in others:
        if other is not None and other.dtype is not own and not (own is float16 and other.dtype is float32):
            wrong = f"the input is {own}, but a parameter or running statistic is {other.dtype}"
            raise RuntimeError(message(what, wrong, instead=f"input.to({other.dtype})"))


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) over the last dimensions, times weight, plus bias."""
    dims = _last_dimensions("layer_norm", input, normalized_shape, weight, bias)
    _need_one_dtype("layer_norm", input, weight, bias)
    return _layer_norm(input, weight, bias, dims=dims, eps=eps)


def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """x / sqrt(mean(x²) + eps) over the last dimensions, times weight."""
    dims = _last_dimensions("rms_norm", input, normalized_shape, weight)
    eps = float(np.finfo(input.array.dtype).eps) if eps is None else eps
    return _rms_norm(input, weight, dims=dims, eps=eps)


def _last_dimensions(name, input, shape, *parameters):
    """How many dimensions `shape` stands for; raise unless it ends the input's shape, and is that of the parameters."""
    shape = tuple(shape)
    if not shape:
        wrong = "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element"
        raise RuntimeError(message(name, f"{wrong}, but got []"))
    for parameter in parameters:
        if parameter is not None and parameter.array.shape != shape:
            wrong = f"Expected weight and bias to be of same shape as normalized_shape {list(shape)}"
            raise RuntimeError(message(name, f"{wrong}, but got {list(parameter.shape)}"))
    if input.array.shape[-len(shape) :] != shape:
        wrong = f"Given normalized_shape={list(shape)}, expected input with shape [*, {', '.join(map(str, shape))}]"
        instead = f"a layer with normalized_shape={list(input.shape[-len(shape) :])}"
        raise RuntimeError(message(name, f"{wrong}, but got input of size {list(input.shape)}", instead=instead))
    return len(shape)


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """(x - mean) / sqrt(var + eps) over groups of channels, times weight, plus bias."""
    if input.ndim < 2:
        raise RuntimeError(
            message("group_norm", f"Expected at least 2 dimensions for input tensor but received {input.ndim}")
        )
    n, c = input.shape[:2]
    if num_groups <= 0 or c % num_groups:
        wrong = "Expected number of channels in input to be divisible by num_groups"
        wrong = f"{wrong}, but got {c} channels and num_groups={num_groups}"
        raise RuntimeError(
            message("group_norm", wrong, instead=f"GroupNorm(groups, {c}), with groups a divisor of {c}")
        )
    _need_several((n * c // num_groups, num_groups, *input.shape[2:]))
    _need_channels("group_norm", c, weight=weight, bias=bias)
    _need_one_dtype("group_norm", input, weight, bias)
    return _group_norm(input, weight, bias, groups=num_groups, eps=eps)


def _need_channels(name, channels, **parameters):
    """Raise for a parameter that does not hold one number a channel."""
    for what, parameter in parameters.items():
        if parameter is not None and parameter.array.shape != (channels,):
            wrong = f"{what} should contain {channels} elements not {parameter.numel()}"
            instead = f"a layer of {channels} features: the input has as many channels, in dimension 1"
            raise RuntimeError(message(name, wrong, instead=instead))


def _need_several(size):
    """Raise where a row of the batch is a single value: it would be normalized to 0."""
    if size[0] * math.prod(size[2:]) == 1:
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input size {size}; "
            "write model.eval() for a single sample, or DataLoader(..., drop_last=True) for a last batch of one"
        )


# --- vectors: lengths, angles, distances -----------------------------------------------------------------------------


def _normalize(x, p=2.0, dim: Any = 1, eps=1e-12):
    """x / max(‖x‖, eps) along `dim`."""
    return x / clamp(norm(x, p, dim, True), eps)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x1 · x2 / (max(‖x1‖, eps) max(‖x2‖, eps)) along `dim`."""
    x1, x2 = broadcast_tensors(x1, x2)
    return (_normalize(x1, 2, dim, eps) * _normalize(x2, 2, dim, eps)).sum(dim)


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """‖x1 - x2 + eps‖ along the last dimension."""
    return norm(x1 - x2 + eps, p, -1, keepdim)

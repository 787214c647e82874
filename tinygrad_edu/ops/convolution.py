"""Convolution: a kernel that slides over the input, in any number of dimensions.

All of it rests on one relation between a position q of the input, a position p of the output and a tap k of the kernel,

    q = p · stride + k · dilation - padding,

and on three sums over it, each of which is linear in two of the three tensors and gives the third:

    convolution            output[n, o, p] = Σ input[n, c, q] · weight[o, c, k]
    transposed convolution  input[n, c, q] = Σ output[n, o, p] · weight[o, c, k]
    kernel gradient         weight[o, c, k] = Σ input[n, c, q] · output[n, o, p]

The rules of each are the two others, so that the derivatives go on for ever. None keeps more than its arguments.
"""

from __future__ import annotations

import itertools
import math

import numpy as np

from .. import devices
from ..op import op
from .columns import Windows
from .windows import meetings


@op(promote=False)
def _convolution(x, weight, bias, size, stride, padding, dilation, groups):
    """The sum over input channels and taps, `size` windows of it: what lies outside the input counts as 0."""
    return _correlate(x, weight, bias, size, stride, padding, dilation, groups)


@op(promote=False)
def _conv_transpose(x, weight, bias, size, stride, padding, dilation, groups):
    """The gradient of a convolution for its input of `size`: every output is spread over what it was made of.

    Nothing is scattered: for each residue of the position modulo the stride, the taps that reach it form a kernel
    of their own, and the positions of this residue are its plain convolution, with the taps in reverse order.
    """
    exchanged, phases = _exchanged(weight, groups), _phases(size, weight.shape[2:], stride, padding, dilation)
    if max(stride) == 1:
        ((_, kernel, options),) = phases
        return _correlate(x, exchanged[kernel], bias, *options, groups)
    out = devices.zeros((len(x), len(exchanged), *size), np.result_type(x, weight), like=x)
    for positions, kernel, options in phases:
        out[positions] = _correlate(x, exchanged[kernel], None, *options, groups)
    if bias is not None:
        out += bias.reshape(-1, *[1] * len(size))
    return out


def _exchanged(weight, groups):
    """A kernel with its channels exchanged: (G · o, c, *K) to (G · c, o, *K)."""
    channels, outputs, kernel = weight.shape[1], len(weight) // groups, weight.shape[2:]
    weight = weight.reshape(groups, outputs, channels, *kernel).swapaxes(1, 2)
    return weight.reshape(groups * channels, outputs, *kernel)


def _phases(*where):
    """For each residue: its positions, its taps (reversed), and the options of the convolution that joins them."""
    for phase in itertools.product(*[_phases_along(*dim) for dim in zip(*where, strict=True)]):
        positions, kernel, size, padding, dilation = zip(*phase, strict=True)
        yield (..., *positions), (..., *kernel), (size, (1,) * len(size), padding, dilation)


def _phases_along(size, kernel, stride, padding, dilation):
    """`_phases` in one dimension."""
    found = []
    for residue in range(stride):
        ks = [k for k in range(kernel) if (k * dilation - residue) % stride == 0]
        first = (residue - padding) % stride
        count = len(range(first, size, stride))
        if ks and count:
            step = dilation // math.gcd(dilation, stride)
            pad = (ks[-1] * dilation - first - padding) // stride
            backwards = slice(ks[-1], ks[0] - 1 if ks[0] else None, ks[0] - ks[1] if len(ks) > 1 else -1)
            found.append((slice(first, size, stride), backwards, count, pad, step))
    return found


@op(promote=False)
def _conv_kernel_grad(x, y, size, stride, padding, dilation, groups):
    """The gradient of a convolution for its weight with a kernel of `size`, from the input and the output's gradient."""
    channels, outputs = x.shape[1] // groups, y.shape[1] // groups
    y = y.reshape(len(y), groups, outputs, *y.shape[2:])
    met = _met_by_one_tap(x, size, y.shape[3:], stride, padding, groups)
    if met is not None:
        total = y.reshape(*y.shape[:3], met.shape[-1]) @ met.swapaxes(-1, -2)
        return total.sum(0).reshape(groups * outputs, channels, *size)
    windows = Windows(x, size, y.shape[3:], stride, padding, dilation, groups, outputs)
    outside = windows.outside()
    total = devices.zeros((groups, windows.length, outputs), x.dtype, like=x)
    for where, columns in windows.columns():
        total += (columns @ outside(y[where])).sum(0)
    return _kernel(windows, total, y, stride, padding, dilation)


def _kernel(windows, total, y, stride, padding, dilation):
    """The kernel's gradient (G · o, c, *K) of sums (G, K, o). If one is not finite, all are made again, tap by tap.

    For a row of windows goes on where nobody reads, and an infinite element times the 0 that stands there is nan.
    """
    groups, outputs, channels, size = windows.groups, windows.outputs, windows.channels, windows.kernel
    if type(y) is not np.ndarray or np.isfinite(total).all():  # a GPU would wait for the answer
        weight = windows.unflat(total.swapaxes(-1, -2))
    else:
        x = windows.x.reshape(len(y), groups, channels, *windows.x.shape[2:])
        weight = np.empty((groups, outputs, channels, *size), x.dtype)
        taps = meetings(x.shape[3:], y.shape[3:], size, stride, padding, dilation)
        for tap, (there, here) in zip(np.ndindex(*size), taps, strict=True):
            by, met = (part.reshape(*part.shape[:3], -1) for part in (y[there], x[here]))
            weight[(..., *tap)] = (by @ met.swapaxes(-1, -2)).sum(0)
    return weight.reshape(groups * outputs, channels, *size)


@op(promote=False, returns="for_x for_weight")
def _conv_grads(y, x, weight, padding, dilation, groups):
    """Both gradients of a convolution with a stride of 1, from the same windows of the output's, y.

    It takes 0.75 to 0.95 of the time of one after the other. With strides of 2 it does not pay: each residue modulo the
    stride has windows of its own, and their products are small.
    """
    size, stride, exchanged = x.shape[2:], (1,) * len(padding), _exchanged(weight, groups)
    ((_, taps, (_, _, pads, _)),) = _phases(size, weight.shape[2:], stride, padding, dilation)
    channels, outputs, kernel = weight.shape[1], len(weight) // groups, weight.shape[2:]
    windows = Windows(y, kernel, size, stride, pads, dilation, groups, channels)
    matrices = windows.flat(exchanged[taps].reshape(groups, channels, outputs, *kernel))
    outside = windows.outside()
    x = x.reshape(len(x), groups, channels, *size)
    for_x = devices.empty(x.shape, x.dtype, like=x)
    total = devices.zeros((groups, windows.length, channels), x.dtype, like=x)
    for where, columns in windows.columns():
        there = for_x[where]
        there[...] = windows.inside(matrices @ columns, len(there))
        total += (columns @ outside(x[where])).sum(0)
    for_weight = _exchanged(_kernel(windows, total, x, stride, pads, dilation)[taps], groups)
    return for_x.reshape(len(x), groups * channels, *size), for_weight.copy()  # in order, not a mirrored view


def _correlate(x, weight, bias, size, stride, padding, dilation, groups):
    """The convolution as matrix products: the kernels, by the windows of a piece of the batch.

    What took no less for kernels of 3x3: windows of rows only, whose products are shifted and summed (1.04 to 3.2 times
    the time, by channels), Winograd's 16 products for 36 (1.5 at 16 channels, 0.95 at 64 and 1.0 at 128); and where
    each channel has its own kernel, a sum of shifted products, tap by tap (2.2).
    """
    kernel, channels, outputs = weight.shape[2:], weight.shape[1], len(weight) // groups
    bias = None if bias is None else bias.reshape(groups, outputs, 1)
    met = _met_by_one_tap(x, kernel, size, stride, padding, groups)
    if met is not None:
        out = weight.reshape(groups, outputs, channels) @ met
        if bias is not None:
            out += bias
        return out.reshape(len(x), groups * outputs, *size)
    out = devices.empty((len(x), groups, outputs, *size), x.dtype, like=x)
    windows = Windows(x, kernel, size, stride, padding, dilation, groups, outputs)
    matrices = windows.flat(weight.reshape(groups, outputs, channels, *kernel))
    for where, columns in windows.columns():
        product = matrices @ columns
        if bias is not None:
            product += bias
        there = out[where]
        there[...] = windows.inside(product, len(there))
    return out.reshape(len(x), groups * outputs, *size)


def _met_by_one_tap(x, kernel, size, stride, padding, groups):
    """Where the kernel is one tap that is always inside, what it meets: (N, G, c, P); else None."""
    here = [slice(-p, (m - 1) * s - p + 1, s) for m, s, p in zip(size, stride, padding, strict=True)]
    if math.prod(kernel) > 1 or any(s.start < 0 or s.stop > n for s, n in zip(here, x.shape[2:], strict=True)):
        return None
    return x[(..., *here)].reshape(len(x), groups, x.shape[1] // groups, math.prod(size))


def _bias_grad(g):
    return g.sum((0, *range(2, g.ndim)))


def _unstrided(x, weight, out_shape, padding, dilation, groups):
    """The convolution with a stride of 1 and no bias."""
    return _convolution(x, weight, None, tuple(out_shape[2:]), (1,) * len(padding), padding, dilation, groups)


def _convolution_grad(g, x, weight, stride, padding, dilation, groups, needs):
    options = (stride, padding, dilation, groups)
    if needs & 3 == 3 and max(stride) == 1 < math.prod(weight.shape[2:]):
        return _conv_grads(g, x, weight, padding, dilation, groups)
    gx = _conv_transpose(g, weight, None, tuple(x.shape[2:]), *options) if needs & 1 else None
    return gx, _conv_kernel_grad(x, g, tuple(weight.shape[2:]), *options) if needs & 2 else None


_convolution.grad(**{"x,weight": _convolution_grad, "bias": _bias_grad})
_conv_transpose.grad(
    x=lambda g, weight, x_shape, stride, padding, dilation, groups: _convolution(
        g, weight, None, tuple(x_shape[2:]), stride, padding, dilation, groups
    ),
    weight=lambda g, x, weight_shape, stride, padding, dilation, groups: _conv_kernel_grad(
        g, x, tuple(weight_shape[2:]), stride, padding, dilation, groups
    ),
    bias=_bias_grad,
)
_conv_kernel_grad.grad(
    x=lambda g, y, x_shape, stride, padding, dilation, groups: _conv_transpose(
        y, g, None, tuple(x_shape[2:]), stride, padding, dilation, groups
    ),
    y=lambda g, x, y_shape, stride, padding, dilation, groups: _convolution(
        x, g, None, tuple(y_shape[2:]), stride, padding, dilation, groups
    ),
)
_conv_grads.grad(
    y=lambda g_for_x, g_for_weight, x, weight, y_shape, padding, dilation, groups: (
        _unstrided(g_for_x, weight, y_shape, padding, dilation, groups)
        + _unstrided(x, g_for_weight, y_shape, padding, dilation, groups)
    ),
    x=lambda g_for_weight, y, x_shape, padding, dilation, groups: _conv_transpose(
        y, g_for_weight, None, tuple(x_shape[2:]), (1,) * len(padding), padding, dilation, groups
    ),
    weight=lambda g_for_x, y, weight_shape, padding, dilation, groups: _conv_kernel_grad(
        g_for_x, y, tuple(weight_shape[2:]), (1,) * len(padding), padding, dilation, groups
    ),
)

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
    channels = weight.shape[1] * groups
    mirrored = weight.reshape(groups, len(weight) // groups, *weight.shape[1:]).swapaxes(1, 2)  # (G, c, o, *K)
    mirrored = mirrored.reshape(channels, len(weight) // groups, *weight.shape[2:])
    dims = zip(size, weight.shape[2:], stride, padding, dilation, strict=True)
    phases = list(itertools.product(*[_phases(*dim) for dim in dims]))
    if max(stride) == 1:
        ((_, kernel, count, pads, steps),) = [zip(*phase, strict=True) for phase in phases]
        return _correlate(x, mirrored[(..., *kernel)], bias, count, stride, pads, steps, groups)
    out = devices.zeros((x.shape[0], channels, *size), np.result_type(x, weight), like=x)
    for phase in phases:
        positions, kernel, count, pads, steps = zip(*phase, strict=True)
        part = mirrored[(..., *kernel)]
        out[(..., *positions)] = _correlate(x, part, None, count, (1,) * len(size), pads, steps, groups)
    if bias is not None:
        out += bias.reshape(-1, *[1] * len(size))
    return out


def _phases(size, kernel, stride, padding, dilation):
    """Along one dimension, for each residue: positions, taps (reversed), and the convolution that joins them."""
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
        return (
            (y.reshape(*y.shape[:3], met.shape[-1]) @ met.swapaxes(-1, -2))
            .sum(0)
            .reshape(groups * outputs, channels, *size)
        )
    windows = Windows(x, size, y.shape[3:], stride, padding, dilation, groups, outputs)
    outside = windows.outside()
    total = devices.zeros((groups, windows.length, outputs), x.dtype, like=x)
    for where, columns in windows.columns():
        total += (columns @ outside(y[where])).sum(0)
    return windows.unflat(total.swapaxes(-1, -2)).reshape(groups * outputs, channels, *size)


def _correlate(x, weight, bias, size, stride, padding, dilation, groups):
    """The convolution as matrix products: the kernels, by the windows of a piece of the batch."""
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


_convolution.grad(
    x=lambda g, weight, x_shape, stride, padding, dilation, groups: _conv_transpose(
        g, weight, None, tuple(x_shape[2:]), stride, padding, dilation, groups
    ),
    weight=lambda g, x, weight_shape, stride, padding, dilation, groups: _conv_kernel_grad(
        x, g, tuple(weight_shape[2:]), stride, padding, dilation, groups
    ),
    bias=_bias_grad,
)
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

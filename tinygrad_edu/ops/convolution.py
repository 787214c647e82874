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

# Elements of gathered windows that are multiplied at a time: what one core's cache holds. A GPU wants larger pieces.
PIECE = {np.ndarray: 1 << 18}
LARGE_PIECE = 1 << 26
FEW = 6  # channels: below, copies go along rows of positions, measured on 3x3 kernels


@op(promote=False)
def _convolution(x, weight, bias, size, stride, padding, dilation, groups):
    """The sum over input channels and taps, `size` windows of it: what lies outside the input counts as 0."""
    return _biased(_correlate(x, weight, size, stride, padding, dilation, groups), bias)


@op(promote=False)
def _conv_transpose(x, weight, bias, size, stride, padding, dilation, groups):
    """The gradient of a convolution for its input of `size`: every output is spread over what it was made of.

    Nothing is scattered: for each residue of the position modulo the stride, the taps that reach it form a kernel
    of their own, and the positions of this residue are its plain convolution, with the taps in reverse order.
    """
    channels = weight.shape[1] * groups
    out = devices.zeros((x.shape[0], channels, *size), np.result_type(x, weight), like=x)
    mirrored = weight.reshape(groups, len(weight) // groups, *weight.shape[1:]).swapaxes(1, 2)  # (G, c, o, *K)
    mirrored = mirrored.reshape(channels, len(weight) // groups, *weight.shape[2:])
    dims = zip(size, weight.shape[2:], stride, padding, dilation, strict=True)
    for phase in itertools.product(*[_phases(*dim) for dim in dims]):
        positions, kernel, count, pads, steps = zip(*phase, strict=True)
        part = mirrored[(..., *kernel)]
        out[(..., *positions)] = _correlate(x, part, count, (1,) * len(size), pads, steps, groups)
    return _biased(out, bias)


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
    where = (size, y.shape[2:], stride, padding, dilation)
    y = np.moveaxis(y.reshape(len(y), groups, outputs, *y.shape[2:]), (1, 2), (0, -1))  # (G, N, *P, o)
    if channels == 1 < groups:
        p, k = _labels(len(size))
        total = devices.zeros((*size, groups, outputs), x.dtype, like=x)
        for samples, rows, windows in _windows(x, *where, groups=1):
            piece = np.moveaxis(y[:, samples, rows], 0, -2).copy()  # (b, *P, G, o)
            total += np.einsum(windows[0], [0, *p, *k, 1], piece, [0, *p, 1, 2], [*k, 1, 2])
        return np.moveaxis(total, (-2, -1), (0, 1)).reshape(groups * outputs, 1, *size).copy()
    total = devices.zeros((groups, math.prod(size) * channels, outputs), x.dtype, like=x)
    for samples, rows, columns in _columns(x, *where, groups):
        total += columns.swapaxes(1, 2) @ y[:, samples, rows].reshape(*columns.shape[:2], outputs)
    total = np.moveaxis(total.reshape(groups, *size, channels, outputs), (-1, -2), (1, 2))
    return total.reshape(groups * outputs, channels, *size).copy()


def _biased(out, bias):
    if bias is not None:
        out += bias.reshape(-1, *[1] * (out.ndim - 2))
    return out


def _correlate(x, weight, size, stride, padding, dilation, groups):
    """The convolution as matrix products: the windows of a piece of the batch, by the kernels."""
    kernel, channels, outputs = weight.shape[2:], weight.shape[1], len(weight) // groups
    here = [slice(-p, (m - 1) * s - p + 1, s) for m, s, p in zip(size, stride, padding, strict=True)]
    if math.prod(kernel) == 1 and all(s.start >= 0 and s.stop <= n for s, n in zip(here, x.shape[2:], strict=True)):
        part = x[(..., *here)].reshape(len(x), groups, channels, math.prod(size))
        return (weight.reshape(groups, outputs, channels) @ part).reshape(len(x), groups * outputs, *size)
    weight = np.moveaxis(weight.reshape(groups, outputs, channels, *kernel), (1, 2), (-1, -2))  # (G, *K, c, o)
    out = devices.empty((len(x), groups, outputs, *size), x.dtype, like=x)
    where = (kernel, size, stride, padding, dilation)
    if channels == 1 < groups:
        p, k = _labels(len(size))
        weight = np.moveaxis(weight[..., 0, :], 0, -2).copy()  # (*K, G, o)
        for samples, rows, windows in _windows(x, *where, groups=1):
            product = np.einsum(windows[0], [0, *p, *k, 1], weight, [*k, 1, 2], [0, *p, 1, 2])
            out[samples, :, :, rows] = np.moveaxis(product, (-2, -1), (1, 2))
    else:
        weight = weight.reshape(groups, math.prod(kernel) * channels, outputs)
        for samples, rows, columns in _columns(x, *where, groups):
            there = np.moveaxis(out[samples, :, :, rows], (1, 2), (0, -1))  # (G, b, *P, o)
            there[...] = (columns @ weight).reshape(there.shape)
    return out.reshape(len(x), groups * outputs, *size)


def _columns(x, kernel, size, stride, padding, dilation, groups):
    """Piece by piece of the batch: which samples, which rows, and their windows as matrices (G, b · P, K · c)."""
    taps = (*kernel, x.shape[1] // groups)
    buffer = None
    for samples, rows, windows in _windows(x, kernel, size, stride, padding, dilation, groups):
        if buffer is None:
            buffer = devices.empty(windows.shape, x.dtype, like=x)
            if taps[-1] < FEW:
                buffer = devices.empty((groups, *taps, *windows.shape[1 : -len(taps)]), x.dtype, like=x)
                buffer = np.moveaxis(buffer, range(1, len(taps) + 1), range(-len(taps), 0))
        columns = buffer[:, : windows.shape[1], : windows.shape[2]]
        columns[...] = windows
        yield samples, rows, columns.reshape(groups, math.prod(columns.shape[1 : 2 + len(kernel)]), math.prod(taps))


def _windows(x, kernel, size, stride, padding, dilation, groups):
    """Piece by piece of the batch: which samples, which rows, and a view of their windows (G, b, *P, *K, c).

    Channels come last in memory, so that the taps of a row of the kernel lie side by side and are copied in one go;
    where they are few, a row of positions is the longer one, and it is they that lie side by side.
    """
    count, channels, n = len(x), x.shape[1] // groups, x.shape[2:]
    row = max(1, math.prod(size[1:]) * math.prod(kernel) * x.shape[1])
    piece = PIECE.get(type(x), LARGE_PIECE)
    rows = min(size[0], max(1, piece // row))
    batch = max(1, min(count, piece // (row * size[0])))

    extent = [(m - 1) * s + (k - 1) * d + 1 for m, k, s, d in zip(size, kernel, stride, dilation, strict=True)]
    spans = [(max(p, 0), max(p, 0, min(m + p, e))) for m, p, e in zip(n, padding, extent, strict=True)]
    inside = [slice(start, stop) for start, stop in spans]
    here = [slice(start - p, stop - p) for (start, stop), p in zip(spans, padding, strict=True)]
    x = np.moveaxis(x.reshape(count, groups, channels, *n), (1, 2), (0, -1))[(..., *here, slice(None))]

    padded = devices.zeros((groups, batch, *extent, channels), x.dtype, like=x)
    if channels < FEW:
        padded = np.moveaxis(devices.zeros((groups, batch, channels, *extent), x.dtype, like=x), 2, -1)
    strides = padded.strides
    by_window = [step * s for step, s in zip(strides[2:-1], stride, strict=True)]
    by_tap = [step * d for step, d in zip(strides[2:-1], dilation, strict=True)]
    shape = (groups, batch, *size, *kernel, channels)
    windows = devices.as_strided(padded, shape, (*strides[:2], *by_window, *by_tap, strides[-1]))
    for first in range(0, count, batch):
        samples = slice(first, min(first + batch, count))
        padded[(slice(None), slice(samples.stop - first), *inside)] = x[:, samples]
        for top in range(0, size[0], rows):
            lines = slice(top, min(top + rows, size[0]))
            yield samples, lines, windows[:, : samples.stop - first, lines]


def _labels(dims):
    """Labels of positions and of taps in sums over both."""
    return range(10, 10 + dims), range(20, 20 + dims)


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

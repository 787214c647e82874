"""Resampling: images taken apart and put together, made larger and smaller, read at any place."""

from __future__ import annotations

import functools
import math

import numpy as np

from .. import devices
from ..op import op
from .windows import meetings

# --- channels and pixels ---------------------------------------------------------------------------------------------


@op
def _channel_shuffle(x, groups):
    """The channels of all groups in turn: the first of each, then the second of each."""
    return x.reshape(len(x), groups, -1, *x.shape[2:]).swapaxes(1, 2).copy("C").reshape(x.shape)


@op
def _pixel_shuffle(x, factor):
    """Channels laid out as pixels: (..., C·r², H, W) becomes (..., C, H·r, W·r)."""
    *lead, channels, height, width = x.shape
    x = x.reshape(*lead, channels // factor**2, factor, factor, height, width)
    x = np.moveaxis(x, (-4, -3), (-3, -1))  # (..., C, H, r, W, r)
    return x.copy("C").reshape(*lead, channels // factor**2, height * factor, width * factor)


@op
def _pixel_unshuffle(x, factor):
    """Pixels laid out as channels: (..., C, H·r, W·r) becomes (..., C·r², H, W)."""
    *lead, channels, height, width = x.shape
    x = x.reshape(*lead, channels, height // factor, factor, width // factor, factor)
    x = np.moveaxis(x, (-3, -1), (-4, -3))  # (..., C, r, r, H, W)
    return x.copy("C").reshape(*lead, channels * factor**2, height // factor, width // factor)


_channel_shuffle.grad(x=lambda g, x_shape, groups: _channel_shuffle(g, x_shape[1] // groups))
_pixel_shuffle.grad(x=lambda g, factor: _pixel_unshuffle(g, factor))
_pixel_unshuffle.grad(x=lambda g, factor: _pixel_shuffle(g, factor))

# --- windows as columns ----------------------------------------------------------------------------------------------


@op
def _im2col(x, size, kernel, stride, padding, dilation):
    """Every window as a column: (N, C, *n) becomes (N, C · taps, windows)."""
    out = devices.zeros((*x.shape[:2], math.prod(kernel), *size), x.dtype, like=x)
    for k, (there, here) in enumerate(meetings(x.shape[2:], size, kernel, stride, padding, dilation)):
        out[:, :, k][there] = x[here]
    return out.reshape(len(x), x.shape[1] * math.prod(kernel), math.prod(size))


@op
def _col2im(x, n, size, kernel, stride, padding, dilation):
    """Every column added up where its window lies: (N, C · taps, windows) becomes (N, C, *n)."""
    channels = x.shape[1] // math.prod(kernel)
    x = x.reshape(len(x), channels, math.prod(kernel), *size)
    out = devices.zeros((len(x), channels, *n), x.dtype, like=x)
    for k, (there, here) in enumerate(meetings(n, size, kernel, stride, padding, dilation)):
        out[here] += x[:, :, k][there]
    return out


_im2col.grad(
    x=lambda g, x_shape, size, kernel, stride, padding, dilation: _col2im(
        g, tuple(x_shape[2:]), size, kernel, stride, padding, dilation
    )
)
_col2im.grad(x=lambda g, size, kernel, stride, padding, dilation: _im2col(g, size, kernel, stride, padding, dilation))

# --- other sizes -----------------------------------------------------------------------------------------------------


class Weights:
    """How the elements of one dimension are mixed into those of another length: a sparse matrix (new, old)."""

    def __init__(self, matrix: np.ndarray) -> None:
        self.matrix = matrix
        used = [np.flatnonzero(row) for row in matrix]
        self.first = np.array([row[0] if len(row) else 0 for row in used], np.int64)  # of each row: where it begins
        self.taps = max((row[-1] - row[0] + 1 for row in used if len(row)), default=0)
        self.plain = self.taps == 1 and bool((matrix.sum(1) == 1).all())  # elements are chosen, not mixed

    @functools.cached_property
    def transposed(self) -> Weights:
        """The gradient's way: the weights of the new elements in each of the old ones."""
        return Weights(self.matrix.T)


@op
def _resample(x, weights, dim):
    """Every element along `dim` a weighted sum of the old ones: out[i] = Σⱼ weights[i, j] · x[j]."""
    if not 1 <= weights.taps <= 4:
        return _mixed(x, weights.matrix, dim)
    out = None
    for k in range(weights.taps):  # a few neighbours: an infinite one does not reach beyond them
        index = np.minimum(weights.first + k, weights.matrix.shape[1] - 1)
        part = np.take(x, devices.asarray(index, like=x), dim)
        if not weights.plain:
            share = weights.matrix[np.arange(len(index)), index] * (weights.first + k == index)
            part *= devices.asarray(share.astype(x.dtype), like=x).reshape(-1, *[1] * (-1 - dim))
        out = part if out is None else np.add(out, part, out=out)
    return out


def _mixed(x, matrix, dim):
    """Many neighbours: matrix products, a band of rows at a time, so that the zeros beside the band cost nothing."""
    x = x.swapaxes(dim, -1)
    out = devices.empty((*x.shape[:-1], len(matrix)), x.dtype, like=x)
    for top in range(0, len(matrix), 64):
        band = matrix[top : top + 64]
        used = np.flatnonzero(band.any(0))
        columns = slice(used[0], used[-1] + 1) if len(used) else slice(0)
        block = devices.asarray(band[:, columns].T.astype(x.dtype), like=x)
        out[..., top : top + 64] = x[..., columns] @ block
    return out.swapaxes(dim, -1)


_resample.grad(x=lambda g, weights, dim: _resample(g, weights.transposed, dim))


@functools.lru_cache(maxsize=256)
def nearest_weights(n: int, m: int, scale: float, exact: bool) -> Weights:
    """Each new element the old one below its position, or nearest to its centre; positions in float32, as PyTorch's."""
    position = np.arange(m, dtype=np.float32) + np.float32(0.5 if exact else 0)
    old = np.minimum(np.floor(position * np.float32(scale)).astype(np.int64), n - 1)
    return _weights(n, m, [(old, 1.0)])


@functools.lru_cache(maxsize=256)
def linear_weights(n: int, m: int, scale: float, align_corners: bool) -> Weights:
    """Each new element between its two neighbours, by distance."""
    position = np.maximum(_positions(m, scale, align_corners), 0)
    low = np.minimum(np.floor(position).astype(np.int64), n - 1)
    share = position - low
    return _weights(n, m, [(low, 1 - share), (np.minimum(low + 1, n - 1), share)])


@functools.lru_cache(maxsize=256)
def cubic_weights(n: int, m: int, scale: float, align_corners: bool) -> Weights:
    """Each new element by the cubic convolution kernel over its four neighbours; the border is repeated."""
    position = _positions(m, scale, align_corners)
    low = np.floor(position).astype(np.int64)
    taps = [(np.clip(low + k, 0, n - 1), cubic(position - (low + k), -0.75)) for k in (-1, 0, 1, 2)]
    return _weights(n, m, taps)


@functools.lru_cache(maxsize=256)
def smooth_weights(n: int, m: int, scale: float, kind: str) -> Weights:
    """A kernel stretched over all the old elements that a new one stands for: 'bilinear', 'bicubic' or 'lanczos'."""
    reach, kernel = SMOOTH[kind]
    centre, stretch = scale * (np.arange(m)[:, None] + 0.5), max(scale, 1.0)
    old = np.arange(n)
    first = (centre - reach * stretch + 0.5).astype(np.int64)
    last = (centre + reach * stretch + 0.5).astype(np.int64)
    share = np.where((old >= first) & (old < last), kernel((old - centre + 0.5) / stretch), 0)
    return Weights(share / share.sum(1, keepdims=True))


@functools.lru_cache(maxsize=256)
def area_weights(n: int, m: int) -> Weights:
    """Each new element the mean of the old ones in its share: from ⌊i·n/m⌋ up to ⌈(i + 1)·n/m⌉."""
    first = np.arange(m) * n // max(m, 1)
    last = -(-np.arange(1, m + 1) * n // max(m, 1))
    inside = (np.arange(n) >= first[:, None]) & (np.arange(n) < last[:, None])
    return Weights(inside / np.maximum(last - first, 1)[:, None])


def cubic(distance, a):
    """The cubic convolution kernel at some distances, 0 from 2 on."""
    d = np.abs(distance)
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))


SMOOTH = {
    "bilinear": (1, lambda d: np.maximum(1 - np.abs(d), 0)),
    "bicubic": (2, lambda d: cubic(d, -0.5)),
    "lanczos": (3, lambda d: np.where(np.abs(d) < 3, np.sinc(d) * np.sinc(d / 3), 0)),
}


def _positions(m: int, scale: float, align_corners: bool) -> np.ndarray:
    """Where the new elements lie among the old ones: by corners, or by centres."""
    new = np.arange(m)
    return new * scale if align_corners else (new + 0.5) * scale - 0.5


def _weights(n: int, m: int, taps: list) -> Weights:
    matrix = np.zeros((m, n))
    for old, share in taps:
        matrix[np.arange(m), old] += share
    return Weights(matrix)


# --- any place -------------------------------------------------------------------------------------------------------


@op
def _points_take(x, index):
    """The elements of a plane at some places, the same for all channels: (N, C, P) at (N, Q) gives (N, C, Q)."""
    samples = devices.arange(len(x), like=x)[:, None]
    return x.swapaxes(1, 2)[samples, index].swapaxes(1, 2)


@op
def _points_add(x, index, length):
    """Elements added at their places in a plane, the same for all channels: (N, C, Q) at (N, Q) gives (N, C, P)."""
    out = devices.zeros((len(x), length, x.shape[1]), x.dtype, like=x)
    samples = devices.arange(len(x), like=x)[:, None]
    devices.scatter_add(out, (samples, index), x.swapaxes(1, 2))
    return out.swapaxes(1, 2)


_points_take.grad(x=lambda g, index, x_shape: _points_add(g, index, x_shape[2]))
_points_add.grad(x=lambda g, index: _points_take(g, index))

import numpy as np

from tinygrad_edu.ops.resampling import (
    Weights,
    area_weights,
    cubic_weights,
    linear_weights,
    nearest_weights,
    smooth_weights,
)

from . import call, entry
from .pooling import _windows


def _channel_shuffle(x, groups):
    order = [g * (x.shape[1] // groups) + i for i in range(x.shape[1] // groups) for g in range(groups)]
    return x[:, order]


def _pixel_shuffle(x, r):
    *lead, channels, height, width = x.shape
    out = np.zeros((*lead, channels // r**2, height * r, width * r))
    for c, i, j in np.ndindex(*out.shape[-3:]):
        out[..., c, i, j] = x[..., c * r * r + i % r * r + j % r, i // r, j // r]
    return out


def _pixel_unshuffle(x, r):
    *lead, channels, height, width = x.shape
    out = np.zeros((*lead, channels * r**2, height // r, width // r))
    for c, i, j in np.ndindex(*x.shape[-3:]):
        out[..., c * r * r + i % r * r + j % r, i // r, j // r] = x[..., c, i, j]
    return out


entry("channel_shuffle", lambda r: call(r(2, 6, 3), 2), lambda r: call(r(2, 6, 2, 2), 3), expect=_channel_shuffle)
entry(
    "pixel_shuffle",
    lambda r: call(r(2, 8, 3, 2), 2),
    lambda r: call(r(9, 2, 2), 3),
    lambda r: call(r(0, 4, 2, 2), 2),
    expect=_pixel_shuffle,
)
entry(
    "pixel_unshuffle",
    lambda r: call(r(2, 2, 6, 4), 2),
    lambda r: call(r(1, 6, 3), 3),
    expect=_pixel_unshuffle,
)


def _im2col(x, size, kernel, *where):
    out = np.zeros((*x.shape[:2], *kernel, *size))
    for p, met in _windows(x, size, kernel, *where):
        for k, q in met:
            out[(..., *k, *p)] = x[(..., *q)]
    return out.reshape(len(x), x.shape[1] * np.prod(kernel), np.prod(size))


def _col2im(x, n, size, kernel, *where):
    x = x.reshape(len(x), -1, *kernel, *size)
    out = np.zeros((*x.shape[:2], *n))
    for p, met in _windows(out, size, kernel, *where):
        for k, q in met:
            out[(..., *q)] += x[(..., *k, *p)]
    return out


# of the plane: its size and the number of windows; kernel, stride, padding, dilation
PATCHES = [
    ((4, 5), (3, 3), (2, 3), (1, 1), (0, 0), (1, 1)),
    ((5, 4), (3, 3), (3, 2), (2, 1), (1, 0), (1, 1)),
    ((6, 5), (3, 4), (2, 2), (2, 2), (1, 2), (2, 1)),
]
entry("im2col", *[lambda r, n=n, where=where: call(r(2, 3, *n), *where) for n, *where in PATCHES], expect=_im2col)
entry(
    "col2im",
    *[lambda r, p=p: call(r(2, 3 * np.prod(p[2]), np.prod(p[1])), *p) for p in PATCHES],
    expect=_col2im,
)

WEIGHTS = [
    nearest_weights(4, 9, 4 / 9, False),
    nearest_weights(9, 4, 9 / 4, True),
    linear_weights(4, 7, 4 / 7, False),
    linear_weights(7, 3, 3.0, True),
    cubic_weights(5, 8, 5 / 8, False),
    smooth_weights(9, 4, 9 / 4, "bicubic"),
    area_weights(7, 3),
    area_weights(150, 130),  # more rows than one band
    Weights(np.zeros((0, 3))),
]
entry(
    "resample",
    *[lambda r, w=w: call(r(2, w.matrix.shape[1]), w, -1) for w in WEIGHTS],
    lambda r: call(r(2, 4, 3), WEIGHTS[2], -2),
    lambda r: call(r(9, 2, 2), WEIGHTS[5], -3),
    expect=lambda x, weights, dim: np.moveaxis(np.moveaxis(x, dim, -1) @ weights.matrix.T, -1, dim),
)


def _points_add(x, index, length):
    out = np.zeros((*x.shape[:2], length))
    for n, q in np.ndindex(*index.shape):
        out[n, :, index[n, q]] += x[n, :, q]
    return out


entry(
    "points_take",
    lambda r: call(r(2, 3, 7), r.ints(0, 7, 2, 5)),
    lambda r: call(r(0, 3, 7), r.ints(0, 7, 0, 5)),
    expect=lambda x, index: (
        np.stack([plane[:, i] for plane, i in zip(x, index, strict=True)]) if len(x) else np.zeros((0, 3, 5))
    ),
)
entry("points_add", lambda r: call(r(2, 3, 5), r.ints(0, 7, 2, 5), 7), expect=_points_add)

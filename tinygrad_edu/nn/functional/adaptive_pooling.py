"""Pooling to a given size: windows that divide the input, or that grow by random fractions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import devices
from ...errors import message
from ...ops.arguments import need_tensor
from ...ops.pooling import _max_among, _window_sum
from ...ops.resampling import _resample, area_weights
from ...ops.windows import Each, together
from ...random import rand
from ...tensor import Tensor
from .pooling import _maxima, _plane

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool1d_with_indices",
    "adaptive_max_pool2d",
    "adaptive_max_pool2d_with_indices",
    "adaptive_max_pool3d",
    "adaptive_max_pool3d_with_indices",
    "fractional_max_pool2d",
    "fractional_max_pool2d_with_indices",
    "fractional_max_pool3d",
    "fractional_max_pool3d_with_indices",
]

# --- windows that divide the input -----------------------------------------------------------------------------------


def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Tensor:
    """The means of windows that divide a dimension into `output_size` parts: (..., C, L)."""
    return _adaptive_avg_pool(1, input, output_size)


def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """The means of windows that divide a plane into `output_size` parts: (..., C, H, W)."""
    return _adaptive_avg_pool(2, input, output_size)


def adaptive_avg_pool3d(input: Tensor, output_size: Any) -> Tensor:
    """The means of windows that divide a space into `output_size` parts: (..., C, D, H, W)."""
    return _adaptive_avg_pool(3, input, output_size)


def _adaptive_avg_pool(dims, input, output_size):
    n, size = _adaptive_size(f"adaptive_avg_pool{dims}d", dims, input, output_size, empty=True)
    if all(m and k % m == 0 for k, m in zip(n, size, strict=True)):
        kernel = tuple(k // m for k, m in zip(n, size, strict=True))
        return _window_sum(input, size, kernel, kernel, (0,) * dims) / math.prod(kernel)
    for d in range(dims):
        input = _resample(input, area_weights(n[d], size[d]), d - dims)
    return input


def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The maxima of windows that divide the input into `output_size` parts: (..., C, L)."""
    return _adaptive_max_pool(1, input, output_size, return_indices)


def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The maxima of windows that divide the input into `output_size` parts: (..., C, H, W)."""
    return _adaptive_max_pool(2, input, output_size, return_indices)


def adaptive_max_pool3d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The maxima of windows that divide the input into `output_size` parts: (..., C, D, H, W)."""
    return _adaptive_max_pool(3, input, output_size, return_indices)


def adaptive_max_pool1d_with_indices(
    input: Tensor, output_size: Any, return_indices: bool = False
) -> tuple[Tensor, Tensor]:
    """`adaptive_max_pool1d` with the places of the maxima."""
    return _adaptive_max_pool(1, input, output_size, True)


def adaptive_max_pool2d_with_indices(
    input: Tensor, output_size: Any, return_indices: bool = False
) -> tuple[Tensor, Tensor]:
    """`adaptive_max_pool2d` with the places of the maxima."""
    return _adaptive_max_pool(2, input, output_size, True)


def adaptive_max_pool3d_with_indices(
    input: Tensor, output_size: Any, return_indices: bool = False
) -> tuple[Tensor, Tensor]:
    """`adaptive_max_pool3d` with the places of the maxima."""
    return _adaptive_max_pool(3, input, output_size, True)


def _adaptive_max_pool(dims, input, output_size, return_indices):
    n, size = _adaptive_size(f"adaptive_max_pool{dims}d", dims, input, output_size, empty=False)
    if all(m and k % m == 0 for k, m in zip(n, size, strict=True)):
        kernel = tuple(k // m for k, m in zip(n, size, strict=True))
        return _maxima(input, n, size, kernel, kernel, (0,) * dims, (1,) * dims, return_indices)
    windows = []
    for k, m in zip(n, size, strict=True):
        first = np.arange(m) * k // max(m, 1)
        last = -(-np.arange(1, m + 1) * k // max(m, 1))
        taps = np.arange((last - first).max(initial=1))
        # a shorter window repeats its last element
        windows.append(np.minimum(first[:, None] + taps, last[:, None] - 1))
    return _maxima_among(input, windows, n, size, return_indices)


def _adaptive_size(what, dims, input, output_size, empty):
    """The input's last dimensions and those of the result; None keeps a length."""
    if dims > 1 and isinstance(output_size, (tuple, list)) and len(need_tensor(input, what).shape) <= len(output_size):
        raise ValueError(message(what, f"Input dimension should be at least {len(output_size) + 1}, not {input.ndim}"))
    n = _plane(what, dims, input, empty)
    if dims > 1 and isinstance(output_size, (tuple, list)):
        if len(output_size) != dims:
            raise RuntimeError(message(what, f"output_size must be {dims}, not {output_size}"))
        output_size = [k if m is None else m for k, m in zip(n, output_size, strict=True)]
    size = together(output_size, dims, what, "output_size")
    if min(size) < 0:
        wrong = f"elements of output_size must be greater than or equal to 0, but got {size}"
        raise RuntimeError(message(what, wrong))
    if input.dtype.numpy.kind != "f":
        raise NotImplementedError(message(what, f"not implemented for {input.dtype}", instead="x.float()"))
    return n, size


# --- windows that grow by random fractions --------------------------------------------------------------------------


def fractional_max_pool2d(
    input: Tensor,
    kernel_size: Each,
    output_size: Each | None = None,
    output_ratio: float | Sequence[float] | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """The maxima of windows at random places that grow by a fraction: (..., C, H, W)."""
    return _fractional(2, input, kernel_size, output_size, output_ratio, return_indices, _random_samples)


def fractional_max_pool3d(
    input: Tensor,
    kernel_size: Each,
    output_size: Each | None = None,
    output_ratio: float | Sequence[float] | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """The maxima of windows at random places that grow by a fraction: (..., C, D, H, W)."""
    return _fractional(3, input, kernel_size, output_size, output_ratio, return_indices, _random_samples)


def fractional_max_pool2d_with_indices(
    input: Tensor,
    kernel_size: Each,
    output_size: Each | None = None,
    output_ratio: float | Sequence[float] | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """`fractional_max_pool2d` with the places of the maxima."""
    return _fractional(2, input, kernel_size, output_size, output_ratio, True, _random_samples)


def fractional_max_pool3d_with_indices(
    input: Tensor,
    kernel_size: Each,
    output_size: Each | None = None,
    output_ratio: float | Sequence[float] | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """`fractional_max_pool3d` with the places of the maxima."""
    return _fractional(3, input, kernel_size, output_size, output_ratio, True, _random_samples)


def _fractional(dims, input, kernel_size, output_size, output_ratio, return_indices, samples):
    what = f"fractional_max_pool{dims}d"
    n = _plane(what, dims, input, empty=False)
    kernel = together(kernel_size, dims, what, "kernel_size")
    if output_size is None and output_ratio is None:
        raise ValueError(message(what, "it requires specifying either an output_size or an output_ratio"))
    if output_size is None:
        ratios = output_ratio if isinstance(output_ratio, (tuple, list)) else (output_ratio,) * dims
        if len(ratios) > dims:
            raise ValueError(message(what, f"output_ratio must be a number or {dims} numbers, not {output_ratio}"))
        output_size = tuple(int(m * ratio) for m, ratio in zip(n, ratios, strict=True))
    size = together(output_size, dims, what, "output_size")
    if any(k < 1 or m < 1 or m + k - 1 > length for k, m, length in zip(kernel, size, n, strict=True)):
        wrong = f"windows of {kernel} for an output of {size} do not fit into {n}"
        raise RuntimeError(message(what, f"pooling window too large relative to input: {wrong}"))
    batch = input.shape[0] if input.ndim == dims + 2 else 1
    channels = input.shape[-dims - 1]
    samples = rand(batch, channels, dims) if samples is None else samples
    if samples.ndim != 3 or samples.shape[0] < batch or samples.shape[1] < channels or samples.shape[2] != dims:
        wrong = f"expected _random_samples of shape {[batch, channels, dims]}, but got {list(samples.shape)}"
        raise RuntimeError(message(what, wrong))
    samples = samples.detach().numpy(force=True)[:batch, :channels].reshape(*input.shape[:-dims], dims)
    windows = []
    for d in range(dims):
        sample = samples[..., d if dims == 3 else 1 - d, None]  # in a plane the width comes first
        step = (n[d] - kernel[d]) / max(size[d] - 1, 1)
        first = ((np.arange(size[d]) + sample) * step).astype(np.int64) - (sample * step).astype(np.int64)
        first[..., -1] = n[d] - kernel[d]
        windows.append(first[..., None] + np.arange(kernel[d]))
    return _maxima_among(input, windows, n, size, return_indices)


def _maxima_among(input, windows, n, size, return_indices):
    """The maxima of windows given by their elements along each dimension: (..., size, taps)."""
    place, dims = 0, len(n)
    for d, (window, length) in enumerate(zip(windows, n, strict=True)):
        lead, (m, k) = window.shape[:-2], window.shape[-2:]
        ones = [1] * dims
        shape = (*lead, *ones[:d], m, *ones[d + 1 :], *ones[:d], k, *ones[d + 1 :])
        place = place * length + window.reshape(shape)
    place = place.reshape(*place.shape[:-dims], math.prod(place.shape[-dims:]))
    values, indices = _max_among(input, devices.asarray(place, input.array), size)
    return (values, indices) if return_indices else values

"""Pooling over windows that slide in one, two or three dimensions, and back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import devices
from ...errors import describe, message
from ...ops import div, relu, sign
from ...ops.arguments import need_tensor
from ...ops.pooling import (
    _max_pool,
    _plane_put,
    _tap_index,
    _window_sum,
)
from ...ops.windows import Each, together
from ...tensor import Tensor, wrap

__all__ = [
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "max_pool1d",
    "max_pool1d_with_indices",
    "max_pool2d",
    "max_pool2d_with_indices",
    "max_pool3d",
    "max_pool3d_with_indices",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
]

# --- means -----------------------------------------------------------------------------------------------------------


def avg_pool1d(
    input: Tensor,
    kernel_size: Each,
    stride: Each | None = None,
    padding: Each = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window along one dimension: (..., C, L)."""
    return _avg_pool(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


def avg_pool2d(
    input: Tensor,
    kernel_size: Each,
    stride: Each | None = None,
    padding: Each = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """The mean of each window of a plane: (..., C, H, W)."""
    return _avg_pool(2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, out)


def avg_pool3d(
    input: Tensor,
    kernel_size: Each,
    stride: Each | None = None,
    padding: Each = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """The mean of each window of a space: (..., C, D, H, W)."""
    return _avg_pool(3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, out)


def _avg_pool(dims, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor, out=None):
    what = f"avg_pool{dims}d"
    if divisor == 0:
        raise RuntimeError(message(what, "divisor must be not zero"))
    n, size, kernel, stride, padding, _ = _windows(what, dims, input, kernel_size, stride, padding, 1, ceil_mode)
    if input.dtype.numpy.kind not in "fi":
        raise NotImplementedError(message(what, f"not implemented for {input.dtype}", instead="x.float()"))
    total = _window_sum(input, size, kernel, stride, padding)
    if divisor is None:
        sizes = zip(n, size, kernel, stride, padding, strict=True)
        counts = [_counts(*dim, count_include_pad) for dim in sizes]  # the elements of a window are a product of these
        if all(c.min(initial=k) == k for c, k in zip(counts, kernel, strict=True)):
            divisor = math.prod(kernel)
        else:
            counts = math.prod(np.ix_(*counts))
            divisor = wrap(devices.asarray(counts.astype(input.dtype.numpy), total.array))
    return div(total, divisor, rounding_mode="trunc" if input.dtype.numpy.kind == "i" else None, out=out)


def _counts(n, size, k, s, p, count_include_pad):
    """How many elements each window along one dimension has, with or without those of the padding."""
    first = np.arange(size) * s - p
    last = np.minimum(first + k, n + p)
    return last - first if count_include_pad else np.minimum(last, n) - np.maximum(first, 0)


def lp_pool1d(
    input: Tensor, norm_type: float, kernel_size: Each, stride: Each | None = None, ceil_mode: bool = False
) -> Tensor:
    """The p-norm of each window along one dimension: (..., C, L)."""
    return _lp_pool(avg_pool1d, 1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(
    input: Tensor, norm_type: float, kernel_size: Each, stride: Each | None = None, ceil_mode: bool = False
) -> Tensor:
    """The p-norm of each window of a plane: (..., C, H, W)."""
    return _lp_pool(avg_pool2d, 2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(
    input: Tensor, norm_type: float, kernel_size: Each, stride: Each | None = None, ceil_mode: bool = False
) -> Tensor:
    """The p-norm of each window of a space: (..., C, D, H, W)."""
    return _lp_pool(avg_pool3d, 3, input, norm_type, kernel_size, stride, ceil_mode)


def _lp_pool(mean, dims, input, p, kernel_size, stride, ceil_mode):
    """(Σ xᵖ)^(1/p), where a negative sum, of an odd power, counts as 0."""
    taps = math.prod(together(kernel_size, dims, mean.__name__, "kernel_size"))
    powers = mean(input**p, kernel_size, stride, 0, ceil_mode)
    return (sign(powers) * relu(abs(powers)) * taps) ** (1 / p)


# --- maxima ----------------------------------------------------------------------------------------------------------


def max_pool1d(
    input: Tensor,
    kernel_size: Each,
    stride: Each | None = None,
    padding: Each = 0,
    dilation: Each = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest element of each window along one dimension, and where it lies: (..., C, L)."""
    return _max_pool_of(1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool2d(
    input: Tensor,
    kernel_size: Each,
    stride: Each | None = None,
    padding: Each = 0,
    dilation: Each = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest element of each window of a plane, and where it lies: (..., C, H, W)."""
    return _max_pool_of(2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool3d(
    input: Tensor,
    kernel_size: Each,
    stride: Each | None = None,
    padding: Each = 0,
    dilation: Each = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest element of each window of a space, and where it lies: (..., C, D, H, W)."""
    return _max_pool_of(3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool1d_with_indices(
    input: Tensor,
    kernel_size: Each,
    stride: Each | None = None,
    padding: Each = 0,
    dilation: Each = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[Tensor, Tensor]:
    """`max_pool1d` with the places of the maxima."""
    return _max_pool_of(1, input, kernel_size, stride, padding, dilation, ceil_mode, True)


def max_pool2d_with_indices(
    input: Tensor,
    kernel_size: Each,
    stride: Each | None = None,
    padding: Each = 0,
    dilation: Each = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[Tensor, Tensor]:
    """`max_pool2d` with the places of the maxima."""
    return _max_pool_of(2, input, kernel_size, stride, padding, dilation, ceil_mode, True)


def max_pool3d_with_indices(
    input: Tensor,
    kernel_size: Each,
    stride: Each | None = None,
    padding: Each = 0,
    dilation: Each = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[Tensor, Tensor]:
    """`max_pool3d` with the places of the maxima."""
    return _max_pool_of(3, input, kernel_size, stride, padding, dilation, ceil_mode, True)


def _max_pool_of(dims, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices):
    what = f"max_pool{dims}d"
    windows = _windows(what, dims, input, kernel_size, stride, padding, dilation, ceil_mode)
    if input.dtype.numpy.kind in "bc":
        raise NotImplementedError(message(what, f"not implemented for {input.dtype}"))
    return _maxima(input, *windows, return_indices)


def _maxima(input, n, size, kernel, stride, padding, dilation, return_indices):
    values, taps = _max_pool(input, size, kernel, stride, padding, dilation)
    return (values, _tap_index(taps, n, kernel, stride, padding, dilation)) if return_indices else values


# --- back to the places of the maxima --------------------------------------------------------------------------------


def max_unpool1d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Each,
    stride: Each | None = None,
    padding: Each = 0,
    output_size: Each | None = None,
) -> Tensor:
    """The maxima put back where `max_pool1d` found them, 0 elsewhere: (..., C, L)."""
    return _max_unpool(1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Each,
    stride: Each | None = None,
    padding: Each = 0,
    output_size: Each | None = None,
) -> Tensor:
    """The maxima put back where `max_pool2d` found them, 0 elsewhere: (..., C, H, W)."""
    return _max_unpool(2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Each,
    stride: Each | None = None,
    padding: Each = 0,
    output_size: Each | None = None,
) -> Tensor:
    """The maxima put back where `max_pool3d` found them, 0 elsewhere: (..., C, D, H, W)."""
    return _max_unpool(3, input, indices, kernel_size, stride, padding, output_size)


def _max_unpool(dims, input, indices, kernel_size, stride, padding, output_size):
    what = f"max_unpool{dims}d"
    need_tensor(indices, what, "indices")
    n = _plane(what, dims, input, empty=True)
    kernel = together(kernel_size, dims, what, "kernel_size")
    stride = kernel if stride is None or stride == [] else together(stride, dims, what, "stride")
    padding = together(padding, dims, what, "padding")
    usual = tuple((m - 1) * s + k - 2 * p for m, s, k, p in zip(n, stride, kernel, padding, strict=True))
    size = usual if output_size is None else tuple(output_size)
    size = size[2:] if len(size) == dims + 2 else size
    if len(size) != dims:
        raise ValueError(message(what, f"output_size should have {dims} or {dims + 2} elements, not {len(size)}"))
    if output_size is not None and any(abs(m - u) >= s for m, u, s in zip(size, usual, stride, strict=True)):
        raise ValueError(message(what, f"invalid output_size {size}: each must be less than {stride} from {usual}"))
    if min(size) < 0:
        raise ValueError(message(what, f"output_size must contain non-negative dimensions, but got {size}"))
    if indices.dtype.numpy != np.int64:
        raise RuntimeError(message(what, f"elements in indices should be type int64 but got: {indices.dtype}"))
    if indices.shape != input.shape:
        wrong = f"Expected indices of the input's shape {list(input.shape)}, but got {list(indices.shape)}"
        raise RuntimeError(message(what, wrong))
    found = indices.array
    if found.size and (found.min() < 0 or found.max() >= math.prod(size)):
        wrong = f"Found an invalid max index among {found.min()} to {found.max()} for an output of size {size}"
        raise RuntimeError(message(what, wrong))
    return _plane_put(input, indices, size)


# --- what fits together ----------------------------------------------------------------------------------------------


def _plane(what, dims, input, empty):
    """The input's last dimensions, which must not be empty; channels may be where `empty`."""
    need_tensor(input, what)
    full = input.shape[-dims:] if empty else input.shape[-dims - 1 :]
    if input.ndim not in (dims + 1, dims + 2) or 0 in full:
        wrong = f"Expected {dims + 1}D or {dims + 2}D (batch mode) tensor with optional 0 dim batch size for input"
        raise RuntimeError(message(what, f"{wrong}, but got:{list(input.shape)}"))
    return tuple(input.shape[-dims:])


def _windows(what, dims, input, kernel_size, stride, padding, dilation, ceil_mode):
    """The input's last dimensions, how many windows there are, and the options, each for every dimension."""
    n = _plane(what, dims, input, empty=False)
    kernel = together(kernel_size, dims, what, "kernel_size")
    given = stride is not None and not (isinstance(stride, (tuple, list)) and not len(stride))
    stride = together(stride, dims, what, "stride") if given else kernel
    padding = together(padding, dims, what, "padding")
    dilation = together(dilation, dims, what, "dilation")
    wrong = None
    if min(kernel) < 1:
        wrong = f"kernel size should be greater than zero, but got {kernel}"
    elif min(stride) < 1:
        wrong = f"stride should not be zero or negative, but got {stride}"
    elif min(dilation) < 1:
        wrong = f"dilation should be greater than zero, but got {dilation}"
    elif min(padding) < 0:
        wrong = f"pad must be non-negative, but got {padding}"
    elif any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
        wrong = f"pad should be at most half of kernel size, whatever its dilation, but got {padding=} and {kernel=}"
    if wrong:
        raise RuntimeError(message(what, wrong))
    size = []
    for m, k, s, p, d in zip(n, kernel, stride, padding, dilation, strict=True):
        room = m + 2 * p - d * (k - 1) - 1
        count = -(-room // s) + 1 if ceil_mode else room // s + 1
        size.append(count - 1 if ceil_mode and (count - 1) * s >= m + p else count)  # none begins in the padding
    if min(size) < 1:
        wrong = f"Calculated output size: {tuple(size)}. Output size is too small"
        instead = "a smaller kernel_size, or ceil_mode=True"
        raise RuntimeError(message(f"{what}({describe(input)}) with {kernel=}", wrong, instead=instead))
    return n, tuple(size), kernel, stride, padding, dilation

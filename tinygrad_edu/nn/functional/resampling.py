"""Images taken apart and put together, made larger and smaller, read at any place."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import devices
from ...errors import message
from ...ops import pad
from ...ops.arguments import need_tensor
from ...ops.resampling import (
    _channel_shuffle,
    _col2im,
    _im2col,
    _pixel_shuffle,
    _pixel_unshuffle,
    _points_take,
    _resample,
    area_weights,
    cubic_weights,
    linear_weights,
    nearest_weights,
    smooth_weights,
)
from ...ops.shape import reshape
from ...ops.windows import Each, output_size, together
from ...tensor import Tensor, wrap

__all__ = [
    "affine_grid",
    "affine_grid_generator",
    "channel_shuffle",
    "fold",
    "grid_sample",
    "grid_sampler",
    "grid_sampler_2d",
    "grid_sampler_3d",
    "interpolate",
    "native_channel_shuffle",
    "pad",
    "pixel_shuffle",
    "pixel_unshuffle",
    "unfold",
    "upsample",
    "upsample_bilinear",
    "upsample_nearest",
]

# --- channels and pixels ---------------------------------------------------------------------------------------------


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """The channels of all groups in turn: the first of each, then the second of each."""
    need_tensor(input, "channel_shuffle")
    if input.ndim < 3:
        wrong = f"expects input with > 2 dims, but got input with sizes {list(input.shape)}"
        raise RuntimeError(message("channel_shuffle", wrong))
    if groups < 1 or input.shape[1] % groups:
        wrong = f"Number of channels must be divisible by groups. Got {input.shape[1]} channels and {groups} groups."
        raise RuntimeError(message("channel_shuffle", wrong))
    return _channel_shuffle(input, groups)


native_channel_shuffle = channel_shuffle


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Channels laid out as pixels: (..., C·r², H, W) becomes (..., C, H·r, W·r)."""
    _need_image(input, "pixel_shuffle", upscale_factor, "an upscale_factor")
    if input.shape[-3] % upscale_factor**2:
        wrong = f"its channels ({input.shape[-3]}) must be divisible by the square of upscale_factor ({upscale_factor})"
        raise RuntimeError(message("pixel_shuffle", wrong))
    return _pixel_shuffle(input, upscale_factor)


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """Pixels laid out as channels: (..., C, H·r, W·r) becomes (..., C·r², H, W)."""
    _need_image(input, "pixel_unshuffle", downscale_factor, "a downscale_factor")
    if input.shape[-2] % downscale_factor or input.shape[-1] % downscale_factor:
        wrong = f"height and width {list(input.shape[-2:])} must be divisible by downscale_factor ({downscale_factor})"
        raise RuntimeError(message("pixel_unshuffle", wrong))
    return _pixel_unshuffle(input, downscale_factor)


def _need_image(input, what, factor, name):
    need_tensor(input, what)
    if input.ndim < 3:
        wrong = f"expects input to have at least 3 dimensions, but got input with {input.ndim} dimension(s)"
        raise RuntimeError(message(what, wrong))
    if factor < 1:
        raise RuntimeError(message(what, f"expects {name} of at least 1, but got {factor}"))


# --- windows as columns ----------------------------------------------------------------------------------------------


def unfold(input: Tensor, kernel_size: Each, dilation: Each = 1, padding: Each = 0, stride: Each = 1) -> Tensor:
    """Every window of an image as a column: (N, C, H, W) becomes (N, C · taps, windows)."""
    need_tensor(input, "unfold")
    options = _window_options("unfold", kernel_size, stride, padding, dilation)
    if input.ndim not in (3, 4) or 0 in input.shape[-3:]:
        wrong = "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions, "
        raise RuntimeError(message("unfold", f"{wrong}but got: {list(input.shape)}"))
    x = input if input.ndim == 4 else reshape(input, (1, *input.shape))
    size = output_size(tuple(x.shape[2:]), *options)
    if min(size) < 1:
        wrong = f"the array of sliding blocks would have the shape {size}, but its components must be at least one"
        raise RuntimeError(message(f"unfold of {list(input.shape)} with kernel_size={kernel_size}", wrong))
    out = _im2col(x, size, *options)
    return out if x is input else reshape(out, out.shape[1:])


def fold(
    input: Tensor, output_size: Each, kernel_size: Each, dilation: Each = 1, padding: Each = 0, stride: Each = 1
) -> Tensor:
    """Every column added up where its window lies: (N, C · taps, windows) becomes (N, C, H, W)."""
    need_tensor(input, "fold")
    n = together(output_size, 2, "fold", "output_size")
    options = _window_options("fold", kernel_size, stride, padding, dilation)
    if min(n) < 1:
        raise RuntimeError(message("fold", f"output_size must be positive, but got {n}"))
    if input.ndim not in (2, 3) or 0 in input.shape[-2:]:
        wrong = "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero dimensions"
        raise RuntimeError(message("fold", f"{wrong}, but got: {list(input.shape)}"))
    columns, windows = input.shape[-2:]
    size = _windows_in(n, *options)
    if columns % math.prod(options[0]):
        wrong = f"dimension 1 of the input ({columns}) must be divisible by the product of kernel_size {options[0]}"
        raise RuntimeError(message("fold", wrong))
    if min(size) < 1 or windows != math.prod(size):
        wrong = f"output_size={n} has {size} windows, {math.prod(size)} in all, but the input has {windows}"
        raise RuntimeError(message("fold", wrong))
    x = input if input.ndim == 3 else reshape(input, (1, *input.shape))
    out = _col2im(x, n, size, *options)
    return out if x is input else reshape(out, out.shape[1:])


_windows_in = output_size  # `fold` has an argument of that name


def _window_options(what, kernel_size, stride, padding, dilation):
    names = {"kernel_size": kernel_size, "stride": stride, "padding": padding, "dilation": dilation}
    options = {name: together(value, 2, what, name) for name, value in names.items()}
    for name, value in options.items():
        if min(value) < (name != "padding"):
            raise RuntimeError(message(what, f"{name} should be greater than zero, but got {value}"))
    return tuple(options.values())


# --- other sizes -----------------------------------------------------------------------------------------------------

WEIGHTED = {"linear": 1, "bilinear": 2, "trilinear": 3, "bicubic": 2, "lanczos": 2}  # for so many dimensions
MODES = ("nearest", "nearest-exact", "area", *WEIGHTED)


def interpolate(
    input: Tensor,
    size: Each | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """The input in another size, one dimension after the other: (N, C, ...)."""
    need_tensor(input, "interpolate")
    if mode in MODES and mode not in WEIGHTED and align_corners is not None:
        wrong = "align_corners option can only be set with linear | bilinear | bicubic | trilinear"
        raise ValueError(message("interpolate", f"{wrong}, not mode={mode!r}"))
    dims, n = input.ndim - 2, tuple(input.shape[2:])
    lengths, steps = _new_size(n, size, scale_factor, recompute_scale_factor or (mode == "area" and size is None))
    if antialias and not (mode in ("bilinear", "bicubic", "lanczos") and dims == 2):
        wrong = f"antialias is for bilinear, bicubic and lanczos of 4-D tensors, not mode={mode!r} and {dims + 2}-D"
        raise ValueError(message("interpolate", wrong))
    if mode == "lanczos" and (align_corners or not antialias):
        raise ValueError(message("interpolate", "lanczos mode requires antialias=True and align_corners=False"))
    if mode not in MODES or not 1 <= dims <= 3 or WEIGHTED.get(mode, dims) != dims:
        wrong = f"mode {mode!r} is not there for a {dims + 2}-D input"
        instead = "nearest, nearest-exact or area; linear for 3-D, bilinear or bicubic for 4-D, trilinear for 5-D"
        raise NotImplementedError(message("interpolate", wrong, instead=instead))
    _check_sizes(input, lengths)
    kind = input.dtype.numpy.kind
    if kind in "bic" or (kind == "u" and mode in ("area", "linear", "trilinear")):
        raise NotImplementedError(message("interpolate", f"mode {mode!r} is not implemented for {input.dtype}"))
    x = input
    for d in reversed(range(dims)):
        weights = _weights_of(mode, n[d], lengths[d], steps[d], align_corners, antialias)
        if kind == "u" and mode in WEIGHTED:  # bytes: mixed in float32, and bytes again after each dimension
            x = _resample(x.float(), weights, d - dims).round().clamp(0, 255).to(input.dtype)
        else:
            x = _resample(x, weights, d - dims)
    return x


def _weights_of(mode, n, m, scale, align_corners, antialias):
    """The matrix that brings a dimension from length n to m; `scale` is how far to go in the old for a step in the new."""
    if mode == "area":
        return area_weights(n, m)
    if mode.startswith("nearest"):
        return nearest_weights(n, m, scale, mode == "nearest-exact")
    if align_corners:
        scale = (n - 1) / (m - 1) if m > 1 else 0.0
    if antialias:
        return smooth_weights(n, m, scale, mode)
    return (cubic_weights if mode == "bicubic" else linear_weights)(n, m, scale, bool(align_corners))


def _new_size(n, size, scale_factor, recompute):
    """The new lengths, and the steps that they mean in the old ones."""
    what, dims = "interpolate", len(n)
    if (size is None) == (scale_factor is None):
        raise ValueError(
            message(
                what, "exactly one of size and scale_factor should be defined", instead="scale_factor=2, or size=(H, W)"
            )
        )
    given = size if scale_factor is None else scale_factor
    given = tuple(given) if isinstance(given, (tuple, list)) else (given,) * dims
    if len(given) != dims:
        wrong = f"the input has the spatial dimensions {list(n)}, but size or scale_factor is {given}"
        raise ValueError(message(what, f"Input and output must have the same number of spatial dimensions: {wrong}"))
    if scale_factor is None:
        if recompute:
            raise ValueError(message(what, "recompute_scale_factor is not meaningful with an explicit size"))
        if not all(hasattr(m, "__index__") for m in given):
            raise TypeError(message(what, f"expected size to be one or {dims} integers, but got {size!r}"))
        size, scales = tuple(int(m) for m in given), (None,) * dims
    else:
        size, scales = tuple(int(m * float(f)) for m, f in zip(n, given, strict=True)), given
    steps = []
    for old, new, scale in zip(n, size, scales, strict=True):
        known = scale is not None and not recompute and scale > 0
        steps.append(1 / float(scale) if known else old / new if new > 0 else 0.0)
    return size, steps


def _check_sizes(input, size):
    if 0 in input.shape[1:] or min(size) < 1:
        wrong = f"Input and output sizes should be greater than 0, but got {list(input.shape)} and {size}"
        raise RuntimeError(message("interpolate", wrong))


def upsample(
    input: Tensor,
    size: Each | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """`interpolate` by its older name."""
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(
    input: Tensor, size: Each | None = None, scale_factor: float | Sequence[float] | None = None
) -> Tensor:
    """`interpolate` to the nearest element."""
    return interpolate(input, size, scale_factor, "nearest")


def upsample_bilinear(
    input: Tensor, size: Each | None = None, scale_factor: float | Sequence[float] | None = None
) -> Tensor:
    """`interpolate` between four neighbours, the corners kept."""
    return interpolate(input, size, scale_factor, "bilinear", align_corners=True)


# --- any place -------------------------------------------------------------------------------------------------------


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """The places, for `grid_sample`, at which an affine map of each sample puts the elements of an output of `size`."""
    need_tensor(theta, "affine_grid", "theta")
    dims = len(size) - 2
    if theta.dtype.numpy.kind != "f":
        wrong = f"Expected theta to have floating point type, but got {theta.dtype}"
        raise ValueError(message("affine_grid", wrong))
    if dims not in (2, 3):
        wrong = f"affine_grid only supports 4D and 5D sizes, for 2D and 3D transforms, but got size {tuple(size)}"
        raise NotImplementedError(message("affine_grid", wrong))
    if tuple(theta.shape[1:]) != (dims, dims + 1):
        wrong = f"Expected a batch of {dims}D affine matrices of shape Nx{dims}x{dims + 1}, got {list(theta.shape)}"
        raise ValueError(message("affine_grid", wrong))
    if min(size) <= 0:
        raise ValueError(message("affine_grid", f"Expected non-zero, positive output size. Got {tuple(size)}"))
    lines = [np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in size[2:]]
    if not align_corners:
        lines = [line * (n - 1) / n for line, n in zip(lines, size[2:], strict=True)]
    planes = np.meshgrid(*lines, indexing="ij")[::-1]  # the last dimension comes first in a place
    places = np.stack([*planes, np.ones_like(planes[0])], -1).reshape(1, -1, dims + 1)
    base = wrap(devices.asarray(places, theta.array, theta.array.dtype))
    return reshape(base @ theta.mT, (theta.shape[0], *size[2:], dims))


def grid_sample(
    input: Tensor, grid: Tensor, mode: str = "bilinear", padding_mode: str = "zeros", align_corners: bool | None = None
) -> Tensor:
    """The input read at places between its elements: (N, C, ...) at (N, ..., dims), from -1 to 1 in each dimension."""
    _check_grid(input, grid, mode, padding_mode)
    n, lead = tuple(input.shape[2:]), tuple(input.shape[:2])
    plane = reshape(input, (*lead, math.prod(n)))
    places = [reshape(c, (lead[0], -1)) for c in reversed(grid.unbind(-1))]  # the last dimension comes first in a place
    places = [
        (c + 1) * ((m - 1) / 2) if align_corners else ((c + 1) * m - 1) / 2 for c, m in zip(places, n, strict=True)
    ]
    if mode != "bicubic":
        places = [_inside(c, m, padding_mode, align_corners) for c, m in zip(places, n, strict=True)]
    around = [NEIGHBOURS[mode](c) for c in places]  # along each dimension: which elements, and their shares
    out: Any = None
    for corner in itertools.product(*around):
        index: Any = 0
        share: Any = 1
        for (i, s), m in zip(corner, n, strict=True):
            if mode == "bicubic":
                i = _inside(wrap(i), m, padding_mode, align_corners).array
            valid = (i >= 0) & (i < m)
            index = index * m + np.where(valid, i, 0).astype(np.int64)
            share = s * wrap(valid) * share
        part = _points_take(plane, index) * reshape(share, (lead[0], 1, -1))
        out = part if out is None else out + part
    return reshape(out, (*lead, *grid.shape[1:-1]))


def grid_sampler(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool | None
) -> Tensor:
    """`grid_sample` with its modes by number."""
    mode, padding = list(NEIGHBOURS)[interpolation_mode], ("zeros", "border", "reflection")[padding_mode]
    return grid_sample(input, grid, mode, padding, align_corners)


grid_sampler_2d = grid_sampler_3d = grid_sampler
affine_grid_generator = affine_grid


def _inside(c, n, padding_mode, align_corners):
    """Places brought into a dimension of length n, where `padding_mode` asks for it."""
    if padding_mode == "zeros":
        return c
    at, slope = c.array, 1
    inner = at
    if padding_mode == "reflection":
        low, high = (0, n - 1) if align_corners else (-0.5, n - 0.5)
        span = max(high - low, 1e-30)
        flips = np.floor(np.abs(at - low) / span)
        rest = np.abs(at - low) - flips * span
        inner = np.where(flips % 2 == 0, low + rest, high - rest)
        slope = np.where((at < low) == (flips % 2 == 1), 1, -1)
    slope = slope * ((inner > 0) & (inner < n - 1))
    slope = slope.astype(at.dtype)
    return c * wrap(slope) + wrap(np.clip(inner, 0, n - 1).astype(at.dtype) - slope * at)


def _nearest(c):
    return [(np.rint(c.array), (c - c.detach()) * 0 + 1)]  # the gradient for the places is 0


def _linear(c):
    low = np.floor(c.array)
    t = c - wrap(low)
    return [(low, 1 - t), (low + 1, t)]


def _cubic(c, a=-0.75):
    """The cubic convolution kernel at the distances to the four neighbours."""
    low = np.floor(c.array)
    t = c - wrap(low)

    def near(d):
        return ((a + 2) * d - (a + 3)) * d * d + 1

    def far(d):
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

    return [(low - 1, far(t + 1)), (low, near(t)), (low + 1, near(1 - t)), (low + 2, far(2 - t))]


NEIGHBOURS = {"bilinear": _linear, "nearest": _nearest, "bicubic": _cubic}


def _check_grid(input, grid, mode, padding_mode):
    what = "grid_sample"
    need_tensor(input, what)
    need_tensor(grid, what, "grid")
    dims = input.ndim - 2
    if mode not in NEIGHBOURS:
        raise ValueError(message(what, f"expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: {mode!r}"))
    if padding_mode not in ("zeros", "border", "reflection"):
        wrong = f"expected padding_mode to be 'zeros', 'border', or 'reflection', but got: {padding_mode!r}"
        raise ValueError(message(what, wrong))
    wrong = None
    if dims not in (2, 3) or grid.ndim != input.ndim:
        wrong = f"expected 4D or 5D input and grid with same number of dimensions, got {list(input.shape)}"
    elif grid.shape[-1] != dims:
        wrong = f"expected grid to have size {dims} in last dimension"
    elif grid.shape[0] != input.shape[0]:
        wrong = "expected grid and input to have same batch size"
    elif 0 in input.shape[2:]:
        wrong = f"expected input to have non-empty spatial dimensions, but input has sizes {list(input.shape)}"
    elif mode == "bicubic" and dims != 2:
        wrong = f"bicubic interpolation only supports 4D input, got {list(input.shape)}"
    elif input.dtype is not grid.dtype:
        wrong = f"expected input and grid to have the same dtype, but got {input.dtype} and {grid.dtype}"
    if wrong:
        raise RuntimeError(message(what, f"{wrong}, grid is {list(grid.shape)}"))

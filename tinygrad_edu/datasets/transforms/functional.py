"""What transforms do, as functions of a picture.

A picture is an array (H, W) or (H, W, C), a tensor (..., C, H, W), or one of Pillow's, which becomes an array. The result
is of the kind that came in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

import numpy as np

from ...dtypes import dtype as Dtype
from ...dtypes import float32
from ...ops import as_tensor
from ...tensor import Tensor, wrap

Size = int | Sequence[int]


class InterpolationMode(Enum):
    """How values between pixels are found."""

    NEAREST = "nearest"
    BILINEAR = "bilinear"


def as_array(image: Any) -> np.ndarray:
    """A picture as an array (H, W) or (H, W, C)."""
    array = np.asarray(image)
    if array.ndim not in (2, 3) or array.dtype.kind not in "biuf":
        raise TypeError(f"pic should be PIL Image or ndarray of 2 or 3 dimensions. Got {type(image)}")
    return array


def _planes(image: Any) -> tuple[np.ndarray, Callable[[np.ndarray], Any]]:
    """A picture as an array (..., H, W), and what makes a picture of its kind of such an array."""
    if isinstance(image, Tensor):
        if image.ndim < 2:
            raise TypeError(f"a picture has at least two dimensions, but this tensor has {image.ndim}")
        return image.array, lambda planes: wrap(np.ascontiguousarray(planes))
    array = as_array(image)
    if array.ndim == 2:
        return array, np.ascontiguousarray
    return np.moveaxis(array, -1, 0), lambda planes: np.ascontiguousarray(np.moveaxis(planes, 0, -1))


def pair(size: Size) -> tuple[int, int]:
    """A height and a width: one number stands for both."""
    if isinstance(size, int):
        return size, size
    height, width = size if len(size) == 2 else (size[0], size[0])
    return height, width


def get_image_size(image: Any) -> tuple[int, int]:
    """The width and the height of a picture."""
    height, width = _planes(image)[0].shape[-2:]
    return width, height


# --- from pictures to tensors and back ----------------------------------------------------------------------------------------


def pil_to_tensor(pic: Any) -> Tensor:
    """A picture as a tensor (C, H, W), values as they are."""
    array = as_array(pic)
    return as_tensor(np.ascontiguousarray(array[None] if array.ndim == 2 else array.transpose(2, 0, 1)))


def to_tensor(pic: Any) -> Tensor:
    """A picture as a tensor (C, H, W): values from 0 to 255 become 0 to 1."""
    if isinstance(pic, Tensor):
        raise TypeError("pic should be PIL Image or ndarray. Got a Tensor; write transforms.ConvertImageDtype instead")
    planes = pil_to_tensor(pic)
    return wrap(unit(planes.array)) if planes.array.dtype in (np.uint8, np.bool_) else planes


def unit(array: np.ndarray) -> np.ndarray:
    """Bytes as numbers from 0 to 1."""
    return array.astype(np.float32) if array.dtype == np.bool_ else np.divide(array, np.float32(255), dtype=np.float32)


def convert_image_dtype(image: Tensor, dtype: Dtype = float32) -> Tensor:
    """A tensor in another dtype: 255 of a byte is 1 of a float."""
    array, wanted = image.array, dtype.numpy
    if array.dtype == wanted:
        return image
    if array.dtype.kind == "f" and wanted.kind in "iu":
        return wrap((array * (np.iinfo(wanted).max + 1.0 - 1e-3)).astype(wanted))
    if array.dtype.kind in "iu" and wanted.kind == "f":
        return wrap((array / np.iinfo(array.dtype).max).astype(wanted))
    if array.dtype.kind == wanted.kind == "f":
        return wrap(array.astype(wanted))
    raise RuntimeError(f"convert_image_dtype: from {image.dtype} to {dtype} there is no exact way; use floats between")


def to_pil_image(pic: Any, mode: str | None = None) -> Any:
    """A picture of Pillow's."""
    try:
        from PIL import Image
    except ImportError:
        raise ImportError("ToPILImage needs Pillow; write: pip install pillow") from None
    if isinstance(pic, Tensor):
        planes = pic.array[None] if pic.ndim == 2 else pic.array
        array = planes.transpose(1, 2, 0)
        array = (array * 255).astype(np.uint8) if array.dtype.kind == "f" else array
    else:
        array = as_array(pic)
    return Image.fromarray(array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array, mode)


def normalize(tensor: Tensor, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> Tensor:
    """(tensor - mean) / std, channel by channel."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(tensor)}; put ToTensor() before Normalize(...)")
    if tensor.array.dtype.kind != "f":
        raise TypeError(f"Input tensor should be a float tensor. Got {tensor.dtype}.")
    if tensor.ndim < 3:
        raise ValueError(f"Expected tensor to be a tensor image of size (..., C, H, W). Got size {tuple(tensor.shape)}")
    array = tensor.array if inplace else tensor.array.copy()
    return wrap(standard(array, mean, std))


def standard(array: np.ndarray, mean: Sequence[float], std: Sequence[float]) -> np.ndarray:
    """The same of an array, in place."""
    centre, scale = (np.array(v, array.dtype).reshape(-1, 1, 1) for v in (mean, std))
    if not scale.all():
        raise ValueError(f"std evaluated to zero after conversion to {array.dtype}, leading to division by zero.")
    array -= centre
    array /= scale
    return array


# --- geometry --------------------------------------------------------------------------------------------------------------------


def hflip(img: Any) -> Any:
    """Left becomes right."""
    planes, back = _planes(img)
    return back(planes[..., ::-1])


def vflip(img: Any) -> Any:
    """Top becomes bottom."""
    planes, back = _planes(img)
    return back(planes[..., ::-1, :])


def pad(img: Any, padding: Size, fill: float = 0, padding_mode: str = "constant") -> Any:
    """A border: one number for all sides, (left and right, top and bottom), or (left, top, right, bottom)."""
    modes = {"constant": "constant", "edge": "edge", "reflect": "reflect", "symmetric": "symmetric"}
    if padding_mode not in modes:
        raise ValueError("Padding mode should be either constant, edge, reflect or symmetric")
    sides = [padding] if isinstance(padding, int) else list(padding)
    if len(sides) not in (1, 2, 4):
        raise ValueError(f"Padding must be an int or a 1, 2, or 4 element tuple, not a {len(sides)} element tuple")
    left, top, right, bottom = (sides * 4)[:4]
    planes, back = _planes(img)
    widths = [(0, 0)] * (planes.ndim - 2) + [(top, bottom), (left, right)]
    options: dict[str, Any] = {"constant_values": fill} if padding_mode == "constant" else {}
    return back(np.pad(planes, widths, modes[padding_mode], **options))  # type: ignore[call-overload]


def crop(img: Any, top: int, left: int, height: int, width: int) -> Any:
    """A part; black where it reaches past the picture."""
    w, h = get_image_size(img)
    past = [max(-left, 0), max(-top, 0), max(left + width - w, 0), max(top + height - h, 0)]
    if any(past):
        img, top, left = pad(img, past), top + past[1], left + past[0]
    planes, back = _planes(img)
    return back(planes[..., top : top + height, left : left + width])


def center_crop(img: Any, output_size: Size) -> Any:
    """The middle part."""
    height, width = pair(output_size)
    w, h = get_image_size(img)
    # both numbers are rounded as Pillow's crop has them: halves to even
    return crop(img, round((h - height) / 2), round((w - width) / 2), height, width)


def resize(
    img: Any,
    size: Size,
    interpolation: InterpolationMode = InterpolationMode.BILINEAR,
    max_size: int | None = None,
    antialias: bool | None = True,
) -> Any:
    """Another size: one number is the length of the shorter side."""
    planes, back = _planes(img)
    h, w = planes.shape[-2:]
    height, width = _wanted(h, w, size, max_size)
    if (height, width) == (h, w):
        return img
    if interpolation is InterpolationMode.NEAREST:
        return back(planes[..., _nearest(h, height)[:, None], _nearest(w, width)])
    smooth = antialias is not False or not isinstance(img, Tensor)
    values = _weights(h, height, smooth) @ planes.astype(np.float64) @ _weights(w, width, smooth).T
    return back((np.rint(values) if planes.dtype.kind in "iu" else values).astype(planes.dtype))


def _wanted(h: int, w: int, size: Size, max_size: int | None) -> tuple[int, int]:
    if not isinstance(size, int) and len(size) == 2:
        return size[0], size[1]
    short, long = min(h, w), max(h, w)
    new_short = size if isinstance(size, int) else size[0]
    new_long = int(new_short * long / short)
    if max_size is not None and new_long > max_size:
        new_short, new_long = int(max_size * new_short / new_long), max_size
    return (new_short, new_long) if h <= w else (new_long, new_short)


def _nearest(n: int, wanted: int) -> np.ndarray:
    return np.arange(wanted) * n // wanted


def _weights(n: int, wanted: int, smooth: bool) -> np.ndarray:
    """What each of n old pixels gives to each new one: a triangle, as wide as a new pixel when the picture shrinks."""
    scale = n / wanted
    reach = max(scale, 1.0) if smooth else 1.0
    centres = (np.arange(wanted) + 0.5) * scale - 0.5
    if not smooth:
        centres = centres.clip(0, n - 1)
    triangle = np.clip(1 - np.abs(np.arange(n) - centres[:, None]) / reach, 0, None)
    return triangle / triangle.sum(1, keepdims=True)


def rotate(
    img: Any, angle: float, interpolation: InterpolationMode = InterpolationMode.NEAREST, fill: float = 0
) -> Any:
    """Turned counterclockwise by degrees around the middle; the size stays."""
    planes, back = _planes(img)
    h, w = planes.shape[-2:]
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    y, x = np.mgrid[:h, :w] - np.array([(h - 1) / 2, (w - 1) / 2])[:, None, None]
    rows, columns = (h - 1) / 2 + cos * y + sin * x, (w - 1) / 2 - sin * y + cos * x  # where each pixel comes from
    if interpolation is InterpolationMode.NEAREST:
        return back(_taken(planes, np.rint(rows).astype(int), np.rint(columns).astype(int), fill).astype(planes.dtype))
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    v, u = rows - top, columns - left
    values = (
        (1 - v) * ((1 - u) * _taken(planes, top, left, fill) + u * _taken(planes, top, left + 1, fill))
        + v * ((1 - u) * _taken(planes, top + 1, left, fill) + u * _taken(planes, top + 1, left + 1, fill))
    )  # fmt: skip
    return back((np.rint(values) if planes.dtype.kind in "iu" else values).astype(planes.dtype))


def _taken(planes: np.ndarray, rows: np.ndarray, columns: np.ndarray, fill: float) -> np.ndarray:
    """Pixels by their places, `fill` outside."""
    h, w = planes.shape[-2:]
    inside = (rows >= 0) & (rows < h) & (columns >= 0) & (columns < w)
    return np.where(inside, planes[..., rows.clip(0, h - 1), columns.clip(0, w - 1)], fill)


# --- colours ---------------------------------------------------------------------------------------------------------------------


def rgb_to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """The brightness, in as many equal channels as wanted."""
    if num_output_channels not in (1, 3):
        raise ValueError("num_output_channels should be either 1 or 3")
    planes, back = _planes(img)
    if planes.ndim == 2:
        planes = planes[None]
    grey = planes[..., :1, :, :]
    if planes.shape[-3] == 3:
        red, green, blue = (planes[..., i : i + 1, :, :].astype(np.float64) for i in range(3))
        grey = (0.299 * red + 0.587 * green + 0.114 * blue).astype(planes.dtype)
    grey = np.repeat(grey, num_output_channels, -3)
    if not isinstance(img, Tensor):
        return np.ascontiguousarray(grey[0] if num_output_channels == 1 else grey.transpose(1, 2, 0))
    return back(grey)


def erase(img: Tensor, i: int, j: int, h: int, w: int, v: Any, inplace: bool = False) -> Tensor:
    """A rectangle replaced by `v`."""
    array = img.array if inplace else img.array.copy()
    array[..., i : i + h, j : j + w] = v.array if isinstance(v, Tensor) else v
    return wrap(array)

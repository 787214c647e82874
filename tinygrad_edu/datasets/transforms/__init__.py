"""The transforms that programs for torchvision use most, on arrays and tensors.

Random ones draw from the default generator, so that `manual_seed` repeats them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...dtypes import dtype as Dtype
from ...dtypes import float32
from ...ops.misuse import explain_all as _explain_all
from ...random import rand as _rand
from ...random import randint, randn, randperm
from ...tensor import Tensor
from . import functional as F
from .functional import InterpolationMode, Size


class _Transform:
    """A callable whose representation shows its settings."""

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value}" for name, value in vars(self).items())
        return f"{type(self).__name__}({settings})"


class Compose:
    """One transform after the other."""

    def __init__(self, transforms: Sequence[Callable]) -> None:
        self.transforms = transforms

    def __call__(self, img: Any) -> Any:
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self) -> str:
        lines = [f"    {line}" for transform in self.transforms for line in repr(transform).splitlines()]
        return "\n".join(["Compose(", *lines, ")"])


class ToTensor(_Transform):
    """A picture as a tensor (C, H, W) of numbers from 0 to 1."""

    def __call__(self, pic: Any) -> Tensor:
        return F.to_tensor(pic)


class PILToTensor(_Transform):
    """A picture as a tensor (C, H, W), values as they are."""

    def __call__(self, pic: Any) -> Tensor:
        return F.pil_to_tensor(pic)


class ToPILImage(_Transform):
    """A picture of Pillow's."""

    def __init__(self, mode: str | None = None) -> None:
        self.mode = mode

    def __call__(self, pic: Any) -> Any:
        return F.to_pil_image(pic, self.mode)


class ConvertImageDtype(_Transform):
    """A tensor in another dtype, scaled to its range."""

    def __init__(self, dtype: Dtype = float32) -> None:
        self.dtype = dtype

    def __call__(self, image: Tensor) -> Tensor:
        return F.convert_image_dtype(image, self.dtype)


class Normalize(_Transform):
    """(tensor - mean) / std, channel by channel."""

    def __init__(self, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> None:
        self.mean, self.std, self.inplace = mean, std, inplace

    def __call__(self, tensor: Tensor) -> Tensor:
        return F.normalize(tensor, self.mean, self.std, self.inplace)

    def __repr__(self) -> str:
        return f"Normalize(mean={self.mean}, std={self.std})"


class Lambda(_Transform):
    """A function of yours."""

    def __init__(self, lambd: Callable) -> None:
        if not callable(lambd):
            raise TypeError(f"Argument lambd should be callable, got {type(lambd).__name__!r}")
        self.lambd = lambd

    def __call__(self, img: Any) -> Any:
        return self.lambd(img)

    def __repr__(self) -> str:
        return "Lambda()"


# --- size and place --------------------------------------------------------------------------------------------------------------


class Resize(_Transform):
    """Another size: one number is the length of the shorter side."""

    def __init__(
        self,
        size: Size,
        interpolation: InterpolationMode = InterpolationMode.BILINEAR,
        max_size: int | None = None,
        antialias: bool | None = True,
    ) -> None:
        self.size, self.interpolation, self.max_size, self.antialias = size, interpolation, max_size, antialias

    def __call__(self, img: Any) -> Any:
        return F.resize(img, self.size, self.interpolation, self.max_size, self.antialias)


class CenterCrop(_Transform):
    """The middle part."""

    def __init__(self, size: Size) -> None:
        self.size = F.pair(size)

    def __call__(self, img: Any) -> Any:
        return F.center_crop(img, self.size)


class Pad(_Transform):
    """A border."""

    def __init__(self, padding: Size, fill: float = 0, padding_mode: str = "constant") -> None:
        self.padding, self.fill, self.padding_mode = padding, fill, padding_mode

    def __call__(self, img: Any) -> Any:
        return F.pad(img, self.padding, self.fill, self.padding_mode)


class RandomCrop(_Transform):
    """A part at a random place, after a border."""

    def __init__(
        self,
        size: Size,
        padding: Size | None = None,
        pad_if_needed: bool = False,
        fill: float = 0,
        padding_mode: str = "constant",
    ) -> None:
        self.size, self.padding, self.pad_if_needed = F.pair(size), padding, pad_if_needed
        self.fill, self.padding_mode = fill, padding_mode

    def __call__(self, img: Any) -> Any:
        if self.padding is not None:
            img = F.pad(img, self.padding, self.fill, self.padding_mode)
        height, width = self.size
        w, h = F.get_image_size(img)
        if self.pad_if_needed and (w < width or h < height):
            img = F.pad(img, (max(width - w, 0), max(height - h, 0)), self.fill, self.padding_mode)
            w, h = F.get_image_size(img)
        if h < height or w < width:
            raise ValueError(f"Required crop size {self.size} is larger than input image size {(h, w)}")
        return F.crop(img, _below(h - height + 1), _below(w - width + 1), height, width)


class RandomResizedCrop(_Transform):
    """A part of random area and proportions, brought to one size."""

    def __init__(
        self,
        size: Size,
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3 / 4, 4 / 3),
        interpolation: InterpolationMode = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        self.size, self.scale, self.ratio = F.pair(size), scale, ratio
        self.interpolation, self.antialias = interpolation, antialias

    def __call__(self, img: Any) -> Any:
        part = F.crop(img, *self._part(*F.get_image_size(img)))
        return F.resize(part, self.size, self.interpolation, antialias=self.antialias)

    def _part(self, w: int, h: int) -> tuple[int, int, int, int]:
        """Top, left, height and width."""
        for _ in range(10):
            area = w * h * _between(*self.scale)
            ratio = math.exp(_between(*map(math.log, self.ratio)))
            width, height = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if 0 < width <= w and 0 < height <= h:
                return _below(h - height + 1), _below(w - width + 1), height, width
        low, high = self.ratio  # nothing fits: as much of the middle as the proportions allow
        width, height = min(w, round(h * high)), min(h, round(w / low))
        return (h - height) // 2, (w - width) // 2, height, width


class RandomHorizontalFlip(_Transform):
    """Left becomes right, with probability p."""

    def __init__(self, p: float = 0.5) -> None:
        self.p = p

    def __call__(self, img: Any) -> Any:
        return F.hflip(img) if _happens(self.p) else img


class RandomVerticalFlip(_Transform):
    """Top becomes bottom, with probability p."""

    def __init__(self, p: float = 0.5) -> None:
        self.p = p

    def __call__(self, img: Any) -> Any:
        return F.vflip(img) if _happens(self.p) else img


class RandomRotation(_Transform):
    """Turned by a random angle: one number stands for both directions."""

    def __init__(
        self,
        degrees: float | Sequence[float],
        interpolation: InterpolationMode = InterpolationMode.NEAREST,
        fill: float = 0,
    ) -> None:
        self.degrees = (-degrees, degrees) if isinstance(degrees, (int, float)) else tuple(degrees)
        self.interpolation, self.fill = interpolation, fill

    def __call__(self, img: Any) -> Any:
        return F.rotate(img, _between(*self.degrees), self.interpolation, self.fill)


# --- values ----------------------------------------------------------------------------------------------------------------------


class Grayscale(_Transform):
    """The brightness."""

    def __init__(self, num_output_channels: int = 1) -> None:
        self.num_output_channels = num_output_channels

    def __call__(self, img: Any) -> Any:
        return F.rgb_to_grayscale(img, self.num_output_channels)


class RandomErasing(_Transform):
    """A random rectangle of a tensor replaced by a number, or by noise (`value="random"`)."""

    def __init__(
        self,
        p: float = 0.5,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: Any = 0,
        inplace: bool = False,
    ) -> None:
        self.p, self.scale, self.ratio, self.value, self.inplace = p, scale, ratio, value, inplace

    def __call__(self, img: Tensor) -> Tensor:
        if not _happens(self.p):
            return img
        channels, h, w = img.shape[-3:]
        for _ in range(10):
            area = h * w * _between(*self.scale)
            ratio = math.exp(_between(*map(math.log, self.ratio)))
            height, width = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if height < h and width < w:
                top, left = _below(h - height + 1), _below(w - width + 1)
                value = randn(channels, height, width, dtype=img.dtype) if self.value == "random" else self.value
                return F.erase(img, top, left, height, width, value, self.inplace)
        return img


class RandomApply(_Transform):
    """Some transforms, with probability p, or none of them."""

    def __init__(self, transforms: Sequence[Callable], p: float = 0.5) -> None:
        self.transforms, self.p = transforms, p

    def __call__(self, img: Any) -> Any:
        return Compose(self.transforms)(img) if _happens(self.p) else img


class RandomChoice(_Transform):
    """One of some transforms."""

    def __init__(self, transforms: Sequence[Callable]) -> None:
        self.transforms = transforms

    def __call__(self, img: Any) -> Any:
        return self.transforms[_below(len(self.transforms))](img)


class RandomOrder(_Transform):
    """Some transforms in random order."""

    def __init__(self, transforms: Sequence[Callable]) -> None:
        self.transforms = transforms

    def __call__(self, img: Any) -> Any:
        return Compose([self.transforms[i] for i in randperm(len(self.transforms)).tolist()])(img)


def _happens(p: float) -> bool:
    return bool(_rand(()).item() < p)


def _between(low: float, high: float) -> float:
    return low + (high - low) * _rand(()).item()


def _below(n: int) -> int:
    return int(randint(n, ()).item())


# --- whole batches ---------------------------------------------------------------------------------------------------------------


def whole_batches(transform: Any) -> Callable[[np.ndarray], np.ndarray] | None:
    """What a transform does to each picture, as one function of a batch of them; None where that is not known.

    The batch is a fresh array (B, H, W) or (B, H, W, C). Only the transforms of this file are known, not classes made of them.
    """
    steps: list[Any] = list(transform.transforms) if type(transform) is Compose else [transform]
    if not steps or type(steps[0]) not in (ToTensor, PILToTensor):
        return (lambda images: images) if steps == [None] else None
    if any(type(step) is not Normalize for step in steps[1:]) or (type(steps[0]) is PILToTensor and steps[1:]):
        return None

    def together(images: np.ndarray) -> np.ndarray:
        batch = images[:, None] if images.ndim == 3 else np.ascontiguousarray(images.transpose(0, 3, 1, 2))
        if type(steps[0]) is ToTensor and batch.dtype in (np.uint8, np.bool_):
            batch = F.unit(batch)
        for step in steps[1:]:
            batch = F.standard(batch, step.mean, step.std)
        return batch

    return together


__all__ = [
    "CenterCrop",
    "Compose",
    "ConvertImageDtype",
    "Grayscale",
    "InterpolationMode",
    "Lambda",
    "Normalize",
    "PILToTensor",
    "Pad",
    "RandomApply",
    "RandomChoice",
    "RandomCrop",
    "RandomErasing",
    "RandomHorizontalFlip",
    "RandomOrder",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomVerticalFlip",
    "Resize",
    "ToPILImage",
    "ToTensor",
]

_explain_all(globals(), "__call__")

"""Pictures side by side in one, and pictures in files: what torchvision has as `torchvision.utils`."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np

from ..ops import stack
from ..tensor import Tensor, wrap


def make_grid(
    tensor: Tensor | Sequence[Tensor],
    nrow: int = 8,
    padding: int = 2,
    normalize: bool = False,
    value_range: tuple[float, float] | None = None,
    scale_each: bool = False,
    pad_value: float = 0.0,
) -> Tensor:
    """Pictures (B, C, H, W) as one (3, H', W'), `nrow` in a row; `normalize` stretches the values to 0 to 1."""
    batch = (tensor if isinstance(tensor, Tensor) else stack(list(tensor))).detach().array
    batch = batch.reshape((1,) * (4 - batch.ndim) + batch.shape) if batch.ndim < 3 else batch
    batch = batch[None] if batch.ndim == 3 else batch  # (B, C, H, W)
    if batch.shape[1] == 1:
        batch = np.repeat(batch, 3, 1)
    if normalize:
        axes = (1, 2, 3) if scale_each else None
        low, high = value_range or (batch.min(axes, keepdims=True), batch.max(axes, keepdims=True))
        batch = (batch.clip(low, high) - low) / np.maximum(np.subtract(high, low), 1e-5)
    if len(batch) == 1:
        return wrap(batch[0])
    count, channels, height, width = batch.shape
    columns = min(nrow, count)
    rows = -(-count // columns)
    h, w = height + padding, width + padding
    grid = np.full((channels, h * rows + padding, w * columns + padding), pad_value, batch.dtype)
    for i, image in enumerate(batch):
        top, left = i // columns * h + padding, i % columns * w + padding
        grid[:, top : top + height, left : left + width] = image
    return wrap(grid)


def save_image(
    tensor: Tensor | Sequence[Tensor], fp: str | os.PathLike | BinaryIO, format: str | None = None, **options: Any
) -> None:
    """Write pictures with values from 0 to 1 as one PNG file; `options` are those of `make_grid`."""
    name = format or (os.path.splitext(os.fspath(fp))[1] if isinstance(fp, (str, os.PathLike)) else "png")
    if name.lstrip(".").lower() != "png":
        raise ValueError(f"save_image writes PNG, not {name!r}; for other formats give transforms.ToPILImage()(...)")
    grid = make_grid(tensor, **options).array
    pixels = np.clip(grid * 255 + 0.5, 0, 255).astype(np.uint8).transpose(1, 2, 0)
    if isinstance(fp, (str, os.PathLike)):
        with open(fp, "wb") as file:
            file.write(png(pixels))
    else:
        fp.write(png(pixels))


def png(pixels: np.ndarray) -> bytes:
    """Colours (H, W, 3) as a PNG file's content."""
    height, width, _ = pixels.shape
    rows = np.concatenate(
        [np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], 1
    )  # each begins with its filter

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # eight bits a colour, three colours
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows.tobytes())) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


__all__ = ["make_grid", "save_image"]

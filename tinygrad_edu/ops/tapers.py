"""Window functions: weights that taper a signal towards its ends."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..tensor import Tensor
from .making import Options, made

if TYPE_CHECKING:
    from typing_extensions import Unpack


def _window(what: str, length: int, periodic: bool, shape: Callable, options: Any) -> Tensor:
    """`shape(t)` for t from 0 to 1; a periodic window leaves out the last point, where it begins again."""
    kind = options.get("dtype")
    if kind is not None and not kind.is_floating_point:
        raise RuntimeError(f"{what} expects floating point dtypes, got: {kind}")
    if length < 0:
        raise RuntimeError(f"{what} requires non-negative window_length, got window_length={length}")

    def make(xp: Any, dtype: np.dtype) -> Any:
        if length <= 1:
            return xp.ones(length, dtype)
        return shape(xp, xp.arange(length, dtype="float64") / (length - (not periodic))).astype(dtype)

    return made(what, make, **options)


def bartlett_window(window_length: int, periodic: bool = True, **options: Unpack[Options]) -> Tensor:
    """A triangle, `1 - |2t - 1|`."""
    return _window("bartlett_window", window_length, periodic, lambda xp, t: 1 - abs(2 * t - 1), options)


def hamming_window(
    window_length: int, periodic: bool = True, alpha: float = 0.54, beta: float = 0.46, **options: Unpack[Options]
) -> Tensor:
    """A raised cosine, `alpha - beta cos(2 pi t)`."""
    wave = lambda xp, t: alpha - beta * xp.cos(2 * math.pi * t)  # noqa: E731
    return _window("hamming_window", window_length, periodic, wave, options)


def hann_window(window_length: int, periodic: bool = True, **options: Unpack[Options]) -> Tensor:
    """A raised cosine that touches 0, `(1 - cos(2 pi t)) / 2`."""
    wave = lambda xp, t: 0.5 - 0.5 * xp.cos(2 * math.pi * t)  # noqa: E731
    return _window("hann_window", window_length, periodic, wave, options)


def blackman_window(window_length: int, periodic: bool = True, **options: Unpack[Options]) -> Tensor:
    """Two cosines, `0.42 - 0.5 cos(2 pi t) + 0.08 cos(4 pi t)`."""
    waves = lambda xp, t: 0.42 - 0.5 * xp.cos(2 * math.pi * t) + 0.08 * xp.cos(4 * math.pi * t)  # noqa: E731
    return _window("blackman_window", window_length, periodic, waves, options)


def kaiser_window(window_length: int, periodic: bool = True, beta: float = 12.0, **options: Unpack[Options]) -> Tensor:
    """`I0(beta sqrt(1 - (2t - 1)^2)) / I0(beta)`, with the Bessel function I0."""
    bell = lambda xp, t: xp.i0(beta * xp.sqrt(1 - (2 * t - 1) ** 2)) / float(np.i0(beta))  # noqa: E731
    return _window("kaiser_window", window_length, periodic, bell, options)

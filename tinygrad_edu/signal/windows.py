"""`torch.signal.windows`: weights that taper a signal towards its ends.

A window has `M` points. A symmetric one ends where it began; with `sym=False` the last point is left out, as for a
signal that repeats.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import dtypes
from ..ops.bessel import i0
from ..ops.making import made, strided
from ..ops.misuse import explain_all
from ..tensor import Tensor

__all__ = [
    "bartlett", "blackman", "cosine", "exponential", "gaussian", "general_cosine", "general_hamming", "hamming",
    "hann", "kaiser", "nuttall",
]  # fmt: skip


def _window(what: str, M: int, sym: bool, shape: Callable, options: dict[str, Any]) -> Tensor:
    """`shape(n, N)` of the points n = 0, 1, ..., where the last of a whole period is N."""
    kind, form = options.get("dtype"), options.pop("layout", strided)
    if not isinstance(M, (int, np.integer)):
        raise TypeError(f"{what}: the window length must be int, not {type(M).__name__}")
    if M < 0:
        raise ValueError(f"{what} requires non-negative window length, got M={M}")
    if form is not strided:
        raise ValueError(f"{what} is implemented for strided tensors only, got: {form}")
    if (kind or dtypes.get_default_dtype()) not in (dtypes.float32, dtypes.float64):
        raise ValueError(f"{what} expects float32 or float64 dtypes, got: {kind}")

    def make(xp: Any, dtype: np.dtype) -> Any:
        n = xp.arange(M, dtype="float64")
        return (shape(n, M - 1 if sym or M == 1 else M) if M else n).astype(dtype)

    return made(what, make, **options)


def bartlett(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """A triangle: `1 - |2n / N - 1|`."""
    return _window("bartlett_window", M, sym, lambda n, N: 1 - abs(2 * n / N - 1) if N else n + 1, options)


def cosine(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """Half a wave: `sin(pi (n + 1/2) / (N + 1))`."""
    return _window("cosine_window", M, sym, lambda n, N: np.sin(math.pi * (n + 0.5) / (N + 1)), options)


def exponential(M: int, *, center: float | None = None, tau: float = 1.0, sym: bool = True, **options: Any) -> Tensor:
    """Falling on both sides of the centre: `exp(-|n - center| / tau)`."""
    if tau <= 0:
        raise ValueError(f"Tau must be positive, got: {tau} instead.")
    if sym and center is not None:
        raise ValueError("Center must be None for symmetric windows")

    def shape(n, N):
        return np.exp(-abs(n - (N / 2 if center is None else center)) / tau)

    return _window("exponential_window", M, sym, shape, options)


def gaussian(M: int, *, std: float = 1.0, sym: bool = True, **options: Any) -> Tensor:
    """A bell: `exp(-(n - N / 2)² / (2 std²))`."""
    if std <= 0:
        raise ValueError(f"Standard deviation must be positive, got: {std} instead.")
    return _window("gaussian_window", M, sym, lambda n, N: np.exp(-(((n - N / 2) / std) ** 2) / 2), options)


def kaiser(M: int, *, beta: float = 12.0, sym: bool = True, **options: Any) -> Tensor:
    """`I0(beta sqrt(1 - (2n / N - 1)²)) / I0(beta)`, with the Bessel function I0."""
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")

    def shape(n, N):
        arch = np.sqrt(np.maximum(1 - (2 * n / N - 1) ** 2, 0)) if N else n + 1
        return i0(beta * arch) / i0(n[:1] * 0 + beta)

    return _window("kaiser_window", M, sym, shape, options)


def general_cosine(M: int, *, a: Sequence[float], sym: bool = True, **options: Any) -> Tensor:
    """A sum of waves of alternating sign: `Σ (-1)^k a[k] cos(2 pi k n / N)`."""
    if not isinstance(a, Sequence):
        raise TypeError("Coefficients must be a list/tuple")
    if not a:
        raise ValueError("Coefficients cannot be empty")

    def shape(n, N):
        if not N:
            return n + 1
        return sum((-1) ** k * c * np.cos(2 * math.pi * k / N * n) for k, c in enumerate(a))

    return _window("general_cosine_window", M, sym, shape, options)


def general_hamming(M: int, *, alpha: float = 0.54, sym: bool = True, **options: Any) -> Tensor:
    """A raised wave: `alpha - (1 - alpha) cos(2 pi n / N)`."""
    return general_cosine(M, a=(alpha, 1 - alpha), sym=sym, **options)


def hamming(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """A raised wave that does not touch 0: `0.54 - 0.46 cos(2 pi n / N)`."""
    return general_hamming(M, sym=sym, **options)


def hann(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """A raised wave that touches 0: `(1 - cos(2 pi n / N)) / 2`."""
    return general_hamming(M, alpha=0.5, sym=sym, **options)


def blackman(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """Two waves: `0.42 - 0.5 cos(2 pi n / N) + 0.08 cos(4 pi n / N)`."""
    return general_cosine(M, a=(0.42, 0.5, 0.08), sym=sym, **options)


def nuttall(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """Three waves whose sum falls off fastest: the coefficients are Nuttall's."""
    return general_cosine(M, a=(0.3635819, 0.4891775, 0.1365995, 0.0106411), sym=sym, **options)


explain_all(globals(), strict=True)

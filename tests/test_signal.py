"""Windows, beside NumPy's where it has them, and by their formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu.signal import windows

NUMPYS = {
    "bartlett": np.bartlett,
    "blackman": np.blackman,
    "hamming": np.hamming,
    "hann": np.hanning,
    "kaiser": lambda M: np.kaiser(M, 12.0),
}


@pytest.mark.parametrize("name", NUMPYS)
@pytest.mark.parametrize("M", [0, 1, 2, 7, 10])
def test_as_numpys(name: str, M: int) -> None:
    window = getattr(windows, name)
    np.testing.assert_allclose(window(M, dtype=tg.float64).array, NUMPYS[name](M), atol=1e-14)
    periodic = window(M, sym=False, dtype=tg.float64).array
    np.testing.assert_allclose(periodic, NUMPYS[name](M + 1)[:M] if M > 1 else np.ones(M), atol=1e-14)


def test_by_their_formulas() -> None:
    n = np.arange(6)
    np.testing.assert_allclose(windows.cosine(6).array, np.sin(math.pi * (n + 0.5) / 6), rtol=1e-6)
    np.testing.assert_allclose(windows.gaussian(6, std=2.0).array, np.exp(-(((n - 2.5) / 2) ** 2) / 2), rtol=1e-6)
    np.testing.assert_allclose(windows.exponential(6, tau=3.0).array, np.exp(-abs(n - 2.5) / 3), rtol=1e-6)
    decay = windows.exponential(6, center=0, sym=False)
    np.testing.assert_allclose(decay.array, np.exp(-n), rtol=1e-6)
    z = 2 * math.pi * n / 5
    waves = windows.general_cosine(6, a=[0.5, 0.3, 0.2])
    np.testing.assert_allclose(waves.array, 0.5 - 0.3 * np.cos(z) + 0.2 * np.cos(2 * z), atol=1e-6)
    assert abs(windows.nuttall(7).array.max() - 1) < 1e-6


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="got M=-1"):
        windows.hann(-1)
    with pytest.raises(ValueError, match="expects float32 or float64"):
        windows.hann(3, dtype=tg.int64)
    with pytest.raises(ValueError, match="Tau must be positive"):
        windows.exponential(3, tau=0)
    with pytest.raises(ValueError, match="Center must be None"):
        windows.exponential(3, center=1)
    with pytest.raises(TypeError, match="list/tuple"):
        windows.general_cosine(3, a=None)
    with pytest.raises(ValueError, match="empty"):
        windows.general_cosine(3, a=[])

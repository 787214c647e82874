"""The Laplace distribution."""

from __future__ import annotations

from typing import Any

from ..dtypes import finfo
from ..tensor import Tensor
from .parameters import OfLocationAndScale
from .utils import standard_uniform


class Laplace(OfLocationAndScale):
    """Density `exp(-|x - loc| / scale) / (2 scale)`."""

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return 2 * self.scale**2

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        least = finfo(self.loc.dtype).eps
        u = (2 * standard_uniform(self._extended_shape(sample_shape), self.loc) - 1).clamp(min=least - 1)
        return self.loc - self.scale * u.sign() * (-u.abs()).log1p()

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        return -(2 * self.scale).log() - (value - self.loc).abs() / self.scale

    def cdf(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        off = value - self.loc
        return 0.5 - 0.5 * off.sign() * (-off.abs() / self.scale).expm1()

    def icdf(self, value: Tensor) -> Tensor:
        term = value - 0.5
        return self.loc - self.scale * term.sign() * (-2 * term.abs()).log1p()

    def entropy(self) -> Tensor:
        return 1 + (2 * self.scale).log()


__all__ = ["Laplace"]

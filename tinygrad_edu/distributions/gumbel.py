"""The Gumbel distribution."""

from __future__ import annotations

import math
from typing import Any

from ..dtypes import finfo
from ..tensor import Tensor
from .parameters import OfLocationAndScale
from .utils import euler_constant, standard_uniform


class Gumbel(OfLocationAndScale):
    """`loc - scale log(-log u)` for u uniform: how the largest of many numbers is distributed."""

    @property
    def mean(self) -> Tensor:
        return self.loc + self.scale * euler_constant

    @property
    def stddev(self) -> Tensor:
        return math.pi / math.sqrt(6) * self.scale

    @property
    def variance(self) -> Tensor:
        return self.stddev**2

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        limits = finfo(self.loc.dtype)
        u = standard_uniform(self._extended_shape(sample_shape), self.loc, limits.tiny).clamp(max=1 - limits.eps / 2)
        return self.icdf(u)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        y = (self.loc - value) / self.scale
        return y - y.exp() - self.scale.log()

    def cdf(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        return (-((self.loc - value) / self.scale).exp()).exp()

    def icdf(self, value: Tensor) -> Tensor:
        return self.loc - self.scale * (-value.log()).log()

    def entropy(self) -> Tensor:
        return self.scale.log() + (1 + euler_constant)


__all__ = ["Gumbel"]

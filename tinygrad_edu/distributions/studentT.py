"""Student's distribution."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ..ops import where
from ..tensor import Tensor
from . import constraints
from .chi2 import Chi2
from .distribution import Distribution
from .utils import broadcast_all, standard_normal


class StudentT(Distribution):
    """A normal number over the root of the mean of `df` squared ones, scaled and moved."""

    arg_constraints: ClassVar[dict[str, Any]] = {
        "df": constraints.positive,
        "loc": constraints.real,
        "scale": constraints.positive,
    }
    support = constraints.real
    has_rsample = True

    def __init__(self, df: Any, loc: Any = 0.0, scale: Any = 1.0, validate_args: bool | None = None) -> None:
        self.df, self.loc, self.scale = broadcast_all(df, loc, scale)
        self._chi2 = Chi2(self.df)
        super().__init__(self.df.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return where(self.df > 1, self.loc, math.nan)

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        finite = self.df > 2
        spread = self.scale**2 * self.df / where(finite, self.df - 2, 1)
        return where(finite, spread, where(self.df > 1, math.inf, self.df * 0 + math.nan))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        normal = standard_normal(self._extended_shape(sample_shape), self.df)
        return self.loc + self.scale * (normal * (self._chi2.rsample(sample_shape) / self.df).rsqrt())

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        return -0.5 * (self.df + 1) * (((value - self.loc) / self.scale) ** 2 / self.df).log1p() - self._log_whole()

    def _log_whole(self) -> Tensor:
        """The logarithm of the density's integral before it is normalised."""
        beta = (0.5 * self.df).lgamma() - (0.5 * (self.df + 1)).lgamma()
        return self.scale.log() + 0.5 * self.df.log() + 0.5 * math.log(math.pi) + beta

    def entropy(self) -> Tensor:
        half = 0.5 * (self.df + 1)
        return half * (half.digamma() - (0.5 * self.df).digamma()) + self._log_whole()


__all__ = ["StudentT"]

"""The negative binomial distribution."""

from __future__ import annotations

from typing import Any, ClassVar

from ..autograd.modes import no_grad
from ..random import poisson
from ..tensor import Tensor
from . import constraints
from .gamma import Gamma
from .parameters import OfCountedOdds
from .utils import softplus


class NegativeBinomial(OfCountedOdds):
    """How many successes of probability `probs` come before `total_count` failures."""

    arg_constraints: ClassVar[dict[str, Any]] = {
        "total_count": constraints.greater_than_eq(0),
        "probs": constraints.half_open_interval(0.0, 1.0),
        "logits": constraints.real,
    }
    support = constraints.nonnegative_integer

    @property
    def mean(self) -> Tensor:
        return self.total_count * self.logits.exp()

    @property
    def mode(self) -> Tensor:
        return ((self.total_count - 1) * self.logits.exp()).floor().clamp(min=0.0)

    @property
    def variance(self) -> Tensor:
        return self.mean / (-self.logits).sigmoid()

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with no_grad():
            rate = Gamma(self.total_count, (-self.logits).exp(), validate_args=False).sample(sample_shape)
            return poisson(rate)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        n, logits = self.total_count, self.logits
        likely = -n * softplus(logits) - value * softplus(-logits)
        ways = (n + value).lgamma() - (value + 1).lgamma() - n.lgamma()
        return likely + ways.masked_fill(n + value == 0, 0.0)


__all__ = ["NegativeBinomial"]

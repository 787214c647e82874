"""Bernoulli draws made differentiable."""

from __future__ import annotations

from typing import Any, ClassVar

from ..dtypes import finfo
from ..tensor import Tensor
from . import constraints
from .parameters import OfOdds
from .transformed_distribution import TransformedDistribution
from .transforms import SigmoidTransform
from .utils import broadcast_all, softplus, standard_uniform


class LogitRelaxedBernoulli(OfOdds):
    """The log-odds of a relaxed Bernoulli number: those of `probs` and logistic noise, over a temperature."""

    support = constraints.real
    has_rsample = True

    def __init__(
        self, temperature: Tensor, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        self.temperature = temperature
        super().__init__(probs, logits, validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = super().expand(batch_shape)
        new.temperature = self.temperature
        return new

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        eps = finfo(self.logits.dtype).eps
        u = standard_uniform(self._extended_shape(sample_shape), self.logits).clamp(min=eps, max=1 - eps)
        return (u.log() - (-u).log1p() + self.logits) / self.temperature

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        off = logits - value * self.temperature
        # the log of exp(off) / (1 + exp(off))**2
        return self.temperature.log() - softplus(off) - softplus(-off)


class Relaxed(TransformedDistribution):
    """What its base distribution draws, brought into its support; the parameters are those of the base."""

    @property
    def temperature(self) -> Tensor:
        """How far from what they stand for the draws may stay."""
        return self.base_dist.temperature

    @property
    def logits(self) -> Tensor:
        """The logarithms of the odds, or of the probabilities."""
        return self.base_dist.logits

    @property
    def probs(self) -> Tensor:
        """The probabilities."""
        return self.base_dist.probs


class RelaxedBernoulli(Relaxed):
    """Numbers between 0 and 1 that come near to Bernoulli's as the temperature falls."""

    arg_constraints: ClassVar[dict[str, Any]] = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval

    def __init__(
        self, temperature: Tensor, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        base = LogitRelaxedBernoulli(temperature, probs, logits)
        super().__init__(base, SigmoidTransform(), validate_args=validate_args)


__all__ = ["LogitRelaxedBernoulli", "RelaxedBernoulli"]

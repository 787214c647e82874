"""The continuous Bernoulli distribution, of numbers between 0 and 1."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ..ops import where
from ..tensor import Tensor
from . import constraints
from .distribution import ExponentialFamily
from .utils import (
    broadcast_all,
    clamp_probs,
    either,
    lazy_property,
    log_odds_loss,
    logits_to_probs,
    probs_to_logits,
    standard_uniform,
)  # fmt: skip


class ContinuousBernoulli(ExponentialFamily):
    """Density proportional to `probs**x (1 - probs)**(1 - x)`; `logits` are the log-odds of `probs`.

    Its formulas are 0 / 0 where `probs` is a half: between the two `lims` they give way to the first terms of a series.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval
    has_rsample = True

    def __init__(
        self, probs: Any = None, logits: Any = None, lims: tuple[float, float] = (0.499, 0.501), validate_args: bool | None = None
    ) -> None:  # fmt: skip
        name, given = either(probs=probs, logits=logits)
        (value,) = broadcast_all(given)
        setattr(self, name, value)
        super().__init__(value.shape, validate_args=validate_args)
        if name == "probs":
            self.probs = clamp_probs(value)
        self._lims = lims

    @lazy_property
    def logits(self) -> Tensor:
        """The log-odds."""
        return probs_to_logits(self.probs, is_binary=True)

    @lazy_property
    def probs(self) -> Tensor:
        """The parameter between 0 and 1, which is not the mean."""
        return clamp_probs(logits_to_probs(self.logits, is_binary=True))

    @property
    def param_shape(self) -> Any:
        """The shape of the parameter."""
        return self._batch_shape

    def _away(self) -> tuple[Tensor, Tensor]:
        """Where the formulas can be used, and the parameter, replaced by one that does no harm where they cannot."""
        low, high = self._lims
        away = (self.probs <= low) | (self.probs > high)
        return away, where(away, self.probs, low)

    def _log_norm(self) -> Tensor:
        """The logarithm of `2 artanh(1 - 2 p) / (1 - 2 p)`, by which the density integrates to 1."""
        away, p = self._away()
        exact = ((-p).log1p() - p.log()).abs().log() - (1 - 2 * p).abs().log()
        square = (self.probs - 0.5) ** 2
        return where(away, exact, math.log(2) + (4 / 3 + 104 / 45 * square) * square)

    @property
    def mean(self) -> Tensor:
        away, p = self._away()
        off = self.probs - 0.5
        series = 0.5 + (1 / 3 + 16 / 45 * off**2) * off
        return where(away, p / (2 * p - 1) + 1 / ((-p).log1p() - p.log()), series)

    @property
    def variance(self) -> Tensor:
        away, p = self._away()
        square = (self.probs - 0.5) ** 2
        series = 1 / 12 - (1 / 15 - 128 / 945 * square) * square
        return where(away, p * (p - 1) / (1 - 2 * p) ** 2 + 1 / ((-p).log1p() - p.log()) ** 2, series)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.icdf(standard_uniform(self._extended_shape(sample_shape), self.probs))

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        return self._log_norm() - log_odds_loss(*broadcast_all(self.logits, value))

    def cdf(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        away, p = self._away()
        inside = (p**value * (1 - p) ** (1 - value) + p - 1) / (2 * p - 1)
        return where(value <= 0, 0.0, where(value >= 1, 1.0, where(away, inside, value)))

    def icdf(self, value: Tensor) -> Tensor:
        away, p = self._away()
        inside = ((-p + value * (2 * p - 1)).log1p() - (-p).log1p()) / (p.log() - (-p).log1p())
        return where(away, inside, value)

    def entropy(self) -> Tensor:
        none, one = (-self.probs).log1p(), self.probs.log()
        return self.mean * (none - one) - self._log_norm() - none


__all__ = ["ContinuousBernoulli"]

"""The Bernoulli distribution."""

from __future__ import annotations

import math
from typing import Any

from ..autograd.modes import no_grad
from ..ops import arange, where
from ..random import bernoulli
from ..tensor import Tensor
from . import constraints
from .distribution import ExponentialFamily
from .parameters import OfOdds
from .utils import broadcast_all, log_odds_loss


class Bernoulli(OfOdds, ExponentialFamily):
    """1 with probability `probs`, else 0; `logits` are the log-odds."""

    support = constraints.boolean
    has_enumerate_support = True

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def mode(self) -> Tensor:
        likely = (self.probs >= 0.5).type_as(self.probs)
        return where(self.probs == 0.5, math.nan, likely)

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with no_grad():
            return bernoulli(self.probs.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        return -log_odds_loss(*broadcast_all(self.logits, value))

    def entropy(self) -> Tensor:
        return log_odds_loss(self.logits, self.probs)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        values = arange(2, dtype=self.probs.dtype, device=self.probs.device)
        return self._enumerated(values, expand)


__all__ = ["Bernoulli"]

"""The multinomial distribution."""

from __future__ import annotations

from typing import Any

from ..autograd.modes import no_grad
from ..holder import Size
from ..ops import arange, zeros
from ..tensor import Tensor
from . import constraints
from .binomial import Binomial
from .categorical import OfCategories
from .utils import broadcast_all


class Multinomial(OfCategories):
    """How often each category comes up in `total_count` draws."""

    def __init__(
        self,
        total_count: int = 1,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(total_count, int):
            raise NotImplementedError("inhomogeneous total_count is not supported")
        self.total_count = total_count
        super().__init__(probs, logits, validate_args)
        self._binomial = Binomial(total_count, self.probs)

    @constraints.dependent_property(is_discrete=True, event_dim=1)
    def support(self) -> Any:
        """Counts whose sum is at most `total_count`."""
        return constraints.multinomial(self.total_count)

    @property
    def mean(self) -> Tensor:
        return self.probs * self.total_count

    @property
    def variance(self) -> Tensor:
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        sample_shape = Size(sample_shape)
        with no_grad():
            shape = self._extended_shape(sample_shape)
            counts = zeros(shape, dtype=self.probs.dtype, device=self.probs.device)
            if not self.total_count:
                return counts
            drawn = self._categorical.sample(Size((self.total_count,)) + sample_shape).movedim(0, -1)
            return counts.scatter_add(-1, drawn, (drawn >= 0).type_as(counts))

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        logits = logits.masked_fill((value == 0) & (logits == -float("inf")), 0)
        return (value.sum(-1) + 1).lgamma() - (value + 1).lgamma().sum(-1) + (logits * value).sum(-1)

    def entropy(self) -> Tensor:
        """By the entropy of the draws' order, less what the order does not tell."""
        n, binomial = self.total_count, self._binomial
        counts = binomial.enumerate_support(False)[1:]
        weights = binomial.log_prob(counts).exp()
        unordered = (weights * (counts + 1).lgamma()).sum([0, -1])
        whole = arange(n, n + 1, dtype=self.probs.dtype, device=self.probs.device)[0]
        return n * self._categorical.entropy() - (whole + 1).lgamma() + unordered


__all__ = ["Multinomial"]

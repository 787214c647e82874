"""Categorical draws made differentiable."""

from __future__ import annotations

from typing import Any, ClassVar

from ..dtypes import finfo
from ..tensor import Tensor
from . import constraints
from .categorical import OfCategories
from .relaxed_bernoulli import Relaxed
from .transforms import ExpTransform
from .utils import broadcast_all, standard_uniform


class ExpRelaxedCategorical(OfCategories):
    """The logarithms of a relaxed one-hot vector: the logits and Gumbel noise over a temperature, normalised."""

    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self,
        temperature: Tensor,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
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
        return ((self.logits - (-u.log()).log()) / self.temperature).log_softmax(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        n = self._event_shape[0]
        logits, value = broadcast_all(self.logits, value)
        constant = (self.temperature * 0 + float(n)).lgamma() + (n - 1) * self.temperature.log()
        return (logits - value * self.temperature).log_softmax(-1).sum(-1) + constant


class RelaxedOneHotCategorical(Relaxed):
    """Vectors of probabilities that come near to one-hot ones as the temperature falls."""

    arg_constraints: ClassVar[dict[str, Any]] = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.simplex

    def __init__(
        self,
        temperature: Tensor,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        base = ExpRelaxedCategorical(temperature, probs, logits, validate_args=validate_args)
        super().__init__(base, ExpTransform(), validate_args=validate_args)


__all__ = ["ExpRelaxedCategorical", "RelaxedOneHotCategorical"]

"""The Dirichlet distribution."""

from __future__ import annotations

from typing import Any, ClassVar

from ..ops import where
from ..tensor import Tensor
from . import constraints
from ._gamma_draws import log_standard_gamma
from .distribution import ExponentialFamily


class Dirichlet(ExponentialFamily):
    """Vectors of probabilities, of density proportional to the product of `x_i**(a_i - 1)`."""

    arg_constraints: ClassVar[dict[str, Any]] = {"concentration": constraints.independent(constraints.positive, 1)}
    support = constraints.simplex
    has_rsample = True

    def __init__(self, concentration: Tensor, validate_args: bool | None = None) -> None:
        if concentration.dim() < 1:
            raise ValueError("`concentration` parameter must be at least one-dimensional.")
        self.concentration = concentration
        super().__init__(concentration.shape[:-1], concentration.shape[-1:], validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.concentration / self.concentration.sum(-1, True)

    @property
    def mode(self) -> Tensor:
        a = self.concentration
        rest = (a - 1).clamp(min=0.0)
        mode = rest / rest.sum(-1, True)
        corner = (a == a.max(-1, True)[0]).type_as(a)  # all below 1: the mode is a corner
        first = (corner.cumsum(-1) == 1).type_as(a) * corner
        return where((a < 1).all(-1, True), first, mode)

    @property
    def variance(self) -> Tensor:
        whole = self.concentration.sum(-1, True)
        return self.concentration * (whole - self.concentration) / (whole**2 * (whole + 1))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Gamma draws over their sum."""
        return log_standard_gamma(self.concentration.expand(self._extended_shape(sample_shape))).softmax(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        a = self.concentration
        return (a - 1).xlogy(value).sum(-1) + a.sum(-1).lgamma() - a.lgamma().sum(-1)

    def entropy(self) -> Tensor:
        a = self.concentration
        whole, n = a.sum(-1), a.shape[-1]
        return a.lgamma().sum(-1) - whole.lgamma() - (n - whole) * whole.digamma() - ((a - 1) * a.digamma()).sum(-1)


__all__ = ["Dirichlet"]

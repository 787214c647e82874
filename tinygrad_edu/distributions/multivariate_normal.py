"""The normal distribution of vectors."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ..holder import Size
from ..linalg import solve_triangular
from ..ops import broadcast_shapes
from ..tensor import Tensor
from . import constraints
from .parameters import OfCovariance
from .utils import standard_normal


class MultivariateNormal(OfCovariance):
    """Density `exp(-(x - loc)' S^-1 (x - loc) / 2) / sqrt(det(2 pi S))`: S is given itself, inverted, or as `L L'`."""

    arg_constraints: ClassVar[dict[str, Any]] = {
        "loc": constraints.real_vector,
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self,
        loc: Tensor,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        name, matrix = self._given(
            covariance_matrix=covariance_matrix, precision_matrix=precision_matrix, scale_tril=scale_tril
        )
        batch = Size(broadcast_shapes(matrix.shape[:-2], loc.shape[:-1]))
        matrix = matrix.expand(batch + matrix.shape[-2:])
        setattr(self, name, matrix)
        self.loc = loc.expand(batch + loc.shape[-1:])
        super().__init__(batch, loc.shape[-1:], validate_args=validate_args)
        self._unbroadcasted_scale_tril = self._factor(name)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return (self._unbroadcasted_scale_tril**2).sum(-1)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        noise = standard_normal(self._extended_shape(sample_shape), self.loc)
        return self.loc + (self._unbroadcasted_scale_tril @ noise.unsqueeze(-1)).squeeze(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        distance = squared_distance(self._unbroadcasted_scale_tril, value - self.loc)
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + distance) - log_det(
            self._unbroadcasted_scale_tril
        )

    def entropy(self) -> Tensor:
        n = self._event_shape[0]
        return 0.5 * n * (1 + math.log(2 * math.pi)) + log_det(self._unbroadcasted_scale_tril)


def log_det(lower: Tensor) -> Tensor:
    """The logarithm of a triangular matrix's determinant."""
    return lower.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def squared_distance(lower: Tensor, x: Tensor) -> Tensor:
    """`x' (L L')^-1 x`."""
    batch = broadcast_shapes(tuple(lower.shape[:-2]), tuple(x.shape[:-1]))
    lower, x = lower.expand(*batch, *lower.shape[-2:]), x.expand(*batch, x.shape[-1])
    return (solve_triangular(lower, x.unsqueeze(-1), upper=False) ** 2).sum([-2, -1])


__all__ = ["MultivariateNormal"]

"""The Wishart distribution of positive definite matrices."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ..holder import Size
from ..linalg import cholesky, solve_triangular
from ..ops import arange, broadcast_shapes, diag_embed, where
from ..ops import digamma as _digamma
from ..tensor import Tensor
from . import constraints
from .chi2 import Chi2
from .distribution import ExponentialFamily
from .multivariate_normal import log_det
from .parameters import OfCovariance
from .utils import broadcast_all, standard_normal


class Wishart(OfCovariance, ExponentialFamily):
    """The sum of `df` products `x x'` of normal vectors: S, their covariance, is given itself, inverted, or as `L L'`."""

    arg_constraints: ClassVar[dict[str, Any]] = {
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
        "df": constraints.greater_than(0),
    }
    support = constraints.positive_definite
    has_rsample = True

    def __init__(
        self,
        df: Any,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        name, matrix = self._given(
            covariance_matrix=covariance_matrix, precision_matrix=precision_matrix, scale_tril=scale_tril
        )
        df = df if isinstance(df, Tensor) else broadcast_all(df, matrix.reshape(-1)[0])[0]
        batch = Size(broadcast_shapes(df.shape, matrix.shape[:-2]))
        matrix = matrix.expand(batch + matrix.shape[-2:])
        self.df = df.expand(batch)
        n = matrix.shape[-1]
        if bool((self.df <= n - 1).any()):
            raise ValueError(f"Value of df={df} expected to be greater than ndim - 1 = {n - 1}.")
        setattr(self, name, matrix)
        super().__init__(batch, matrix.shape[-2:], validate_args=validate_args)
        self._unbroadcasted_scale_tril = self._factor(name)
        self._chi2 = Chi2(self.df.unsqueeze(-1) - arange(n, dtype=self.df.dtype, device=self.df.device))

    @property
    def _degrees(self) -> Tensor:
        return self.df.unsqueeze(-1).unsqueeze(-1)

    @property
    def mean(self) -> Tensor:
        return self._degrees * self.covariance_matrix

    @property
    def mode(self) -> Tensor:
        factor = self._degrees - self._event_shape[-1] - 1
        return where(factor > 0, factor, math.nan) * self.covariance_matrix

    @property
    def variance(self) -> Tensor:
        diagonal = self.covariance_matrix.diagonal(dim1=-2, dim2=-1)
        return self._degrees * (self.covariance_matrix**2 + diagonal.unsqueeze(-1) * diagonal.unsqueeze(-2))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """By Bartlett: the product `(L A) (L A)'`, of A the elements are independent."""
        noise = standard_normal(self._extended_shape(sample_shape), self._unbroadcasted_scale_tril).tril(-1)
        factor = self._unbroadcasted_scale_tril @ (noise + diag_embed(self._chi2.rsample(sample_shape).sqrt()))
        return factor @ factor.mT

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        n, lower = self._event_shape[-1], self._unbroadcasted_scale_tril
        factor = cholesky(value)
        batch = broadcast_shapes(tuple(factor.shape), tuple(lower.shape))
        distance = (solve_triangular(lower.expand(batch), factor.expand(batch), upper=False) ** 2).sum([-2, -1])
        norm = self.df * (n / 2 * math.log(2) + log_det(lower)) + (self.df / 2).mvlgamma(n)
        return (self.df - n - 1) * log_det(factor) - distance / 2 - norm

    def entropy(self) -> Tensor:
        n = self._event_shape[-1]
        k = arange(n, dtype=self.df.dtype, device=self.df.device)
        digammas = _digamma((self.df.unsqueeze(-1) - k) / 2).sum(-1)
        scale = (n + 1) * (log_det(self._unbroadcasted_scale_tril) + n / 2 * math.log(2))
        return scale + (self.df / 2).mvlgamma(n) - (self.df - n - 1) / 2 * digammas + self.df * n / 2


__all__ = ["Wishart"]

"""The normal distribution of vectors whose covariance is a diagonal and a few products."""

from __future__ import annotations

from typing import Any, ClassVar

from ..holder import Size
from ..ops import broadcast_shapes, diag_embed
from ..tensor import Tensor
from . import constraints
from .distribution import Distribution
from .multivariate_normal import MultivariateNormal
from .utils import standard_normal


class LowRankMultivariateNormal(Distribution):
    """Covariance `W W' + D`, W of few columns and D diagonal. Densities here use the whole matrix's factor."""

    arg_constraints: ClassVar[dict[str, Any]] = {
        "loc": constraints.real_vector,
        "cov_factor": constraints.independent(constraints.real, 2),
        "cov_diag": constraints.independent(constraints.positive, 1),
    }
    support = constraints.real_vector
    has_rsample = True

    def __init__(self, loc: Tensor, cov_factor: Tensor, cov_diag: Tensor, validate_args: bool | None = None) -> None:
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        n = loc.shape[-1]
        if cov_factor.dim() < 2 or cov_factor.shape[-2] != n:
            raise ValueError(f"cov_factor must be a batch of matrices with shape {n} x m, not {list(cov_factor.shape)}")
        if cov_diag.shape[-1:] != (n,):
            raise ValueError(f"cov_diag must be a batch of vectors with shape {(n,)}, not {list(cov_diag.shape)}")
        batch = Size(broadcast_shapes(loc.shape[:-1], cov_factor.shape[:-2], cov_diag.shape[:-1]))
        self.loc, self.cov_diag = loc.expand(*batch, n), cov_diag.expand(*batch, n)
        self.cov_factor = cov_factor.expand(batch + cov_factor.shape[-2:])
        covariance = self.cov_factor @ self.cov_factor.mT + diag_embed(self.cov_diag)
        self._whole = MultivariateNormal(self.loc, covariance, validate_args=False)
        super().__init__(batch, (n,), validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return (self.cov_factor**2).sum(-1) + self.cov_diag

    @property
    def scale_tril(self) -> Tensor:
        """The lower triangular matrix L with `L L'` the covariance."""
        return self._whole.scale_tril

    @property
    def covariance_matrix(self) -> Tensor:
        """The covariances of the elements."""
        return self._whole.covariance_matrix

    @property
    def precision_matrix(self) -> Tensor:
        """The covariance's inverse."""
        return self._whole.precision_matrix

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        few = standard_normal(shape[:-1] + self.cov_factor.shape[-1:], self.loc)
        own = standard_normal(shape, self.loc)
        return self.loc + (self.cov_factor @ few.unsqueeze(-1)).squeeze(-1) + self.cov_diag.sqrt() * own

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        return self._whole.log_prob(value)

    def entropy(self) -> Tensor:
        return self._whole.entropy()


__all__ = ["LowRankMultivariateNormal"]

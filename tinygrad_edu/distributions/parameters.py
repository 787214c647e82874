"""Parameters by which several distributions are stated."""

from __future__ import annotations

from typing import Any, ClassVar

from ..holder import Size
from ..linalg import cholesky, solve_triangular
from ..ops import cholesky_inverse, eye
from ..tensor import Tensor
from . import constraints
from .distribution import Distribution
from .utils import broadcast_all, either, lazy_property, logits_to_probs, probs_to_logits


class OfOdds(Distribution):
    """Stated by `probs`, chances between 0 and 1, or by their log-odds, `logits`."""

    arg_constraints: ClassVar[dict[str, Any]] = {"probs": constraints.unit_interval, "logits": constraints.real}

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        name, given = either(probs=probs, logits=logits)
        (value,) = broadcast_all(given)
        setattr(self, name, value)
        super().__init__(value.shape, validate_args=validate_args)

    @lazy_property
    def logits(self) -> Tensor:
        """The log-odds."""
        return probs_to_logits(self.probs, is_binary=True)

    @lazy_property
    def probs(self) -> Tensor:
        """The chances."""
        return logits_to_probs(self.logits, is_binary=True)

    @property
    def param_shape(self) -> Size:
        """The shape of the parameter."""
        return self._batch_shape


class OfCountedOdds(OfOdds):
    """Stated by `total_count` besides, a number of tries."""

    def __init__(
        self, total_count: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        name, given = either(probs=probs, logits=logits)
        self.total_count, value = broadcast_all(total_count, given)
        self.total_count = self.total_count.type_as(value)
        super().__init__(**{name: value}, validate_args=validate_args)


class OfLocationAndScale(Distribution):
    """Stated by where its peak lies, `loc`, and by how wide it is, `scale`."""

    arg_constraints: ClassVar[dict[str, Any]] = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @property
    def mode(self) -> Tensor:
        return self.loc


class OfCovariance(Distribution):
    """Stated by a covariance S: by itself, by its inverse, or by the lower triangular L with `L L' = S`."""

    _unbroadcasted_scale_tril: Tensor

    @staticmethod
    def _given(**matrices: Tensor | None) -> tuple[str, Tensor]:
        """The one matrix that was given, by name."""
        given = {name: m for name, m in matrices.items() if m is not None}
        if len(given) != 1:
            raise ValueError("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
        ((name, matrix),) = given.items()
        if matrix.dim() < 2:
            raise ValueError(f"{name} must be at least two-dimensional, with optional leading batch dimensions")
        return name, matrix

    def _factor(self, name: str) -> Tensor:
        """L, from the matrix that was given."""
        matrix = getattr(self, name)
        if name == "covariance_matrix":
            return cholesky(matrix)
        return scale_of_precision(matrix) if name == "precision_matrix" else matrix

    @lazy_property
    def scale_tril(self) -> Tensor:
        """The lower triangular matrix L with `L L'` the covariance."""
        return self._unbroadcasted_scale_tril

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        """The covariances of the elements."""
        return self._unbroadcasted_scale_tril @ self._unbroadcasted_scale_tril.mT

    @lazy_property
    def precision_matrix(self) -> Tensor:
        """The covariance's inverse."""
        return cholesky_inverse(self._unbroadcasted_scale_tril)


def scale_of_precision(precision: Tensor) -> Tensor:
    """The L with `L L' = P^-1`: P turned by half a circle has the factor that, turned back, is the upper one of P."""
    upper = cholesky(precision.flip([-2, -1])).flip([-2, -1]).mT
    n = precision.shape[-1]
    unit = eye(n, dtype=precision.dtype, device=precision.device).expand(precision.shape)
    return solve_triangular(upper, unit, upper=False)


__all__ = ["OfCountedOdds", "OfCovariance", "OfLocationAndScale", "OfOdds"]

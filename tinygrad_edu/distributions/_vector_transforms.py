"""Transforms of whole vectors and matrices; `transforms` shows them together with the others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..dtypes import finfo
from ..holder import Size
from ..ops import arange, diag_embed, ones_like
from ..ops import cat as joined
from ..tensor import Tensor
from . import constraints
from ._transform import Transform
from .utils import softplus, tril_matrix_to_vec, vec_to_tril_matrix


class SoftmaxTransform(Transform):
    """`y = softmax(x)`: not invertible; `inv` gives one of the vectors that lead to y."""

    domain, codomain = constraints.real_vector, constraints.simplex

    def _call(self, x: Tensor) -> Tensor:
        return x.softmax(-1)

    def _inverse(self, y: Tensor) -> Tensor:
        return y.log()


class StickBreakingTransform(Transform):
    """A vector of n numbers as n + 1 probabilities: each takes its part of what those before it have left."""

    domain, codomain, bijective = constraints.real_vector, constraints.simplex, True

    def _call(self, x: Tensor) -> Tensor:
        part = (x - _left(x.shape[-1], x).log()).sigmoid()
        rest = (1 - part).cumprod(-1)
        one = ones_like(part[..., :1])
        return joined([part, one], -1) * joined([one, rest], -1)

    def _inverse(self, y: Tensor) -> Tensor:
        taken = y[..., :-1]
        rest = (1 - taken.cumsum(-1)).clamp(min=finfo(y.dtype).tiny)
        return taken.log() - rest.log() + _left(taken.shape[-1], y).log()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        x = x - _left(x.shape[-1], x).log()
        log_part = -softplus(-x)
        return (-x + log_part + y[..., :-1].log()).sum(-1)

    def forward_shape(self, shape: Sequence[int]) -> Any:
        return Size((*shape[:-1], shape[-1] + 1))

    def inverse_shape(self, shape: Sequence[int]) -> Any:
        return Size((*shape[:-1], shape[-1] - 1))


def _left(n: int, like: Tensor) -> Tensor:
    """How many parts are still to come: n, n - 1 ... 1."""
    return arange(n, 0, -1, dtype=like.dtype, device=like.device)


class LowerCholeskyTransform(Transform):
    """Any matrix as a lower triangular one with a positive diagonal."""

    domain, codomain = constraints.independent(constraints.real, 2), constraints.lower_cholesky

    def _call(self, x: Tensor) -> Tensor:
        return x.tril(-1) + diag_embed(x.diagonal(dim1=-2, dim2=-1).exp())

    def _inverse(self, y: Tensor) -> Tensor:
        return y.tril(-1) + diag_embed(y.diagonal(dim1=-2, dim2=-1).log())


class PositiveDefiniteTransform(Transform):
    """Any matrix as a positive definite one, `L L'` of its lower triangle."""

    domain, codomain = constraints.independent(constraints.real, 2), constraints.positive_definite

    def _call(self, x: Tensor) -> Tensor:
        lower = LowerCholeskyTransform()(x)
        return lower @ lower.mT

    def _inverse(self, y: Tensor) -> Tensor:
        return LowerCholeskyTransform().inv(y.cholesky())


class CorrCholeskyTransform(Transform):
    """A vector as the Cholesky factor of a correlation matrix: each row takes parts of a length of 1, as a stick breaks."""

    domain, codomain, bijective = constraints.real_vector, constraints.corr_cholesky, True

    def _call(self, x: Tensor) -> Tensor:
        eps = finfo(x.dtype).eps
        parts = vec_to_tril_matrix(x.tanh().clamp(min=-1 + eps, max=1 - eps), -1)
        rest = (1 - parts**2).sqrt().cumprod(-1)
        one = ones_like(rest[..., :1])
        unit = diag_embed(ones_like(parts[..., 0]))
        return (parts + unit) * joined([one, rest[..., :-1]], -1)

    def _inverse(self, y: Tensor) -> Tensor:
        rest = 1 - (y**2).cumsum(-1)
        before = joined([ones_like(rest[..., :1]), rest[..., :-1]], -1)
        return (tril_matrix_to_vec(y, -1) / tril_matrix_to_vec(before, -1).sqrt()).atanh()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        rest = tril_matrix_to_vec(1 - (y**2).cumsum(-1), -2).log().sum(-1) / 2 if y.shape[-1] > 2 else 0.0
        return rest - 2 * (softplus(2 * x) - x - math.log(2)).sum(-1)

    def forward_shape(self, shape: Sequence[int]) -> Any:
        n = round((0.25 + 2 * shape[-1]) ** 0.5 + 0.5)
        if not shape or n * (n - 1) // 2 != shape[-1]:
            raise ValueError("Input is not a flattened lower-diagonal number")
        return Size((*shape[:-1], n, n))

    def inverse_shape(self, shape: Sequence[int]) -> Any:
        if len(shape) < 2 or shape[-1] != shape[-2]:
            raise ValueError("Input is not square" if len(shape) > 1 else "Too few dimensions on input")
        return Size((*shape[:-2], shape[-1] * (shape[-1] - 1) // 2))


__all__ = [
    "CorrCholeskyTransform",
    "LowerCholeskyTransform",
    "PositiveDefiniteTransform",
    "SoftmaxTransform",
    "StickBreakingTransform",
]

"""The norms of a weight's slices, and a weight with given ones."""

from __future__ import annotations

from ...linalg import vector_norm
from ...tensor import Tensor

__all__ = ["norm_except_dim", "weight_of_norm"]


def norm_except_dim(v: Tensor, pow: float = 2, dim: int = 0) -> Tensor:
    """The norm of each slice of a dimension, with all dimensions kept; of the whole where dim is -1."""
    if dim == -1:
        return vector_norm(v, pow)
    rows = v.movedim(dim, 0)
    norms = vector_norm(rows.reshape(rows.shape[0], -1), pow, 1)
    return norms.reshape([-1 if d == dim else 1 for d in range(v.dim())])


def weight_of_norm(v: Tensor, g: Tensor, dim: int = 0) -> Tensor:
    """g v / ‖v‖"""
    return v * (g / norm_except_dim(v, 2, dim))

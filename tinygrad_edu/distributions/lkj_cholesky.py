"""The distribution of correlation matrices by Lewandowski, Kurowicka and Joe."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ..autograd.modes import no_grad
from ..dtypes import finfo
from ..holder import Size
from ..ops import arange, diag_embed
from ..tensor import Tensor
from . import constraints
from .beta import Beta
from .distribution import Distribution
from .utils import broadcast_all, standard_normal


class LKJCholesky(Distribution):
    """Lower Cholesky factors of correlation matrices, whose density is proportional to `det ** (concentration - 1)`."""

    arg_constraints: ClassVar[dict[str, Any]] = {"concentration": constraints.positive}
    support = constraints.corr_cholesky

    def __init__(self, dim: int, concentration: Any = 1.0, validate_args: bool | None = None) -> None:
        if dim < 2:
            raise ValueError(f"Expected dim to be an integer greater than or equal to 2. Found dim={dim}.")
        self.dim = dim
        (self.concentration,) = broadcast_all(concentration)
        super().__init__(self.concentration.shape, Size((dim, dim)), validate_args=validate_args)
        row = arange(1, dim, dtype=self.concentration.dtype, device=self.concentration.device)
        # of each row but the first: the squared length of what stands left of the diagonal
        self._lengths = Beta(row / 2, self.concentration.unsqueeze(-1) + (dim - 1 - row) / 2)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Row by row: a direction of any angle, of a random length, and a diagonal that makes the row's length 1."""
        with no_grad():
            squares = self._lengths.sample(sample_shape).unsqueeze(-1)  # (..., n - 1, 1)
            ways = standard_normal((*self._extended_shape(sample_shape)[:-2], self.dim - 1, self.dim), squares).tril(0)
            rows = squares.sqrt() * ways / ways.norm(dim=-1, keepdim=True)
            below = rows.new_zeros((*rows.shape[:-2], self.dim, self.dim))
            below[..., 1:, :] = rows.tril(0)
            rest = (1 - (below**2).sum(-1)).clamp(min=finfo(below.dtype).tiny).sqrt()
            return below + diag_embed(rest)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        n = self.dim
        diagonal = value.diagonal(dim1=-1, dim2=-2)[..., 1:]
        row = arange(2, n + 1, dtype=self.concentration.dtype, device=self.concentration.device)
        powers = 2 * (self.concentration - 1).unsqueeze(-1) + n - row
        half = self.concentration + (n - 1) / 2
        volume = (n - 1) / 2 * math.log(math.pi) + (half - 0.5).mvlgamma(n - 1) - (n - 1) * half.lgamma()
        return (powers * diagonal.log()).sum(-1) - volume


__all__ = ["LKJCholesky"]

"""The distribution of the size of a Cauchy distributed number."""

from __future__ import annotations

import math
from typing import Any

from ..tensor import Tensor
from .cauchy import Cauchy
from .half_normal import Half
from .transforms import AbsTransform


class HalfCauchy(Half):
    """`|x|` for x Cauchy distributed around 0."""

    def __init__(self, scale: Any, validate_args: bool | None = None) -> None:
        super().__init__(Cauchy(0, scale, validate_args=False), AbsTransform(), validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.scale.detach() * 0 + math.inf

    @property
    def variance(self) -> Tensor:
        return self.mean


__all__ = ["HalfCauchy"]

"""Rprop: steps whose length follows the signs of the gradient alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor
from .formula import Array, FormulaOptimizer, not_negative
from .optimizer import ParamsT


class Rprop(FormulaOptimizer):
    """`p -= size sign(g)`; the size grows while the sign stays, and shrinks, without a step, where it has turned."""

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        not_negative(lr=lr)
        if not 0 < etas[0] < 1 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        flags = {"foreach": foreach, "maximize": maximize, "differentiable": differentiable, "capturable": capturable}
        super().__init__(params, {"lr": lr, "etas": etas, "step_sizes": step_sizes, **flags})

    def arrays(self, group: dict[str, Any]) -> dict[str, float]:
        return {"prev": 0, "step_size": group["lr"]}

    @staticmethod
    def update(p: Array, g: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        (shrink, grow), (smallest, largest) = group["etas"], group["step_sizes"]
        previous, size = state["prev"], state["step_size"]
        same = np.sign(g * previous)
        size *= np.where(same > 0, grow, np.where(same < 0, shrink, 1.0))
        np.clip(size, smallest, largest, out=size)
        previous[...] = np.where(same < 0, 0.0, g)
        p -= np.sign(previous) * size


__all__ = ["Rprop"]

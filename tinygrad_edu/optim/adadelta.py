"""Adadelta: steps in the units of the parameter, from the means of squared gradients and squared steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor
from .formula import Array, FormulaOptimizer, not_negative
from .optimizer import ParamsT


class Adadelta(FormulaOptimizer):
    """`p -= lr d` with `d = g sqrt(u + eps) / sqrt(v + eps)`, v the running mean of g² and u that of d²."""

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        not_negative(lr=lr)
        if not 0 <= rho <= 1:
            raise ValueError(f"Invalid rho value: {rho}")
        not_negative(eps=eps, weight_decay=weight_decay)
        options = {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        flags = {"capturable": capturable, "foreach": foreach, "differentiable": differentiable}
        super().__init__(params, {**options, **flags})

    def arrays(self, group: dict[str, Any]) -> dict[str, float]:
        return {"square_avg": 0, "acc_delta": 0}

    @staticmethod
    def update(p: Array, g: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        lr, rho, eps = group["lr"], group["rho"], group["eps"]
        v, u = state["square_avg"], state["acc_delta"]
        v *= rho
        v += (1 - rho) * g * g
        d = np.sqrt(u + eps)
        d /= np.sqrt(v + eps)
        d *= g
        u *= rho
        u += (1 - rho) * d * d
        p -= lr * d


__all__ = ["Adadelta"]

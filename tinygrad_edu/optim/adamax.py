"""Adamax: Adam with the largest gradient in the place of the mean square."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor
from .formula import Array, FormulaOptimizer, below_one, not_negative
from .optimizer import ParamsT


class Adamax(FormulaOptimizer):
    """`p -= lr m / u`, with the running mean m of g and the slowly forgotten maximum u of |g|."""

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        not_negative(lr=lr, eps=eps)
        below_one(betas)
        not_negative(weight_decay=weight_decay)
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        flags = {"foreach": foreach, "differentiable": differentiable, "capturable": capturable}
        super().__init__(params, {**options, "maximize": maximize, **flags})

    def arrays(self, group: dict[str, Any]) -> dict[str, float]:
        return {"exp_avg": 0, "exp_inf": 0}

    @staticmethod
    def update(p: Array, g: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        lr, (beta1, beta2), t = group["lr"], group["betas"], state["step"]
        m, u = state["exp_avg"], state["exp_inf"]
        m += (1 - beta1) * (g - m)
        u *= beta2
        np.maximum(u, np.abs(g) + group["eps"], out=u)
        p -= lr / (1 - beta1**t) * m / u


__all__ = ["Adamax"]

"""RAdam: Adam that goes without the mean square until enough gradients were seen to trust it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor
from .formula import Array, FormulaOptimizer, below_one, not_negative
from .optimizer import ParamsT


class RAdam(FormulaOptimizer):
    """Adam's step times a factor for the variance of v, and plain momentum while that is unknown (rho <= 5)."""

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        not_negative(lr=lr, eps=eps)
        below_one(betas)
        not_negative(weight_decay=weight_decay)
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        flags = {"foreach": foreach, "capturable": capturable, "differentiable": differentiable}
        super().__init__(params, {**options, **flags, "decoupled_weight_decay": decoupled_weight_decay})

    def arrays(self, group: dict[str, Any]) -> dict[str, float]:
        return {"exp_avg": 0, "exp_avg_sq": 0}

    @staticmethod
    def update(p: Array, g: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        lr, (beta1, beta2), t = group["lr"], group["betas"], state["step"]
        m, v = state["exp_avg"], state["exp_avg_sq"]
        m += (1 - beta1) * (g - m)
        v *= beta2
        v += (1 - beta2) * g * g
        full = 2 / (1 - beta2) - 1  # how many gradients v averages over in the end, and so far
        rho = full - 2 * t * beta2**t / (1 - beta2**t)
        step = lr / (1 - beta1**t) * m
        if rho > 5:
            trust = ((rho - 4) * (rho - 2) * full / ((full - 4) * (full - 2) * rho)) ** 0.5
            scale = np.sqrt(v)
            scale += group["eps"]
            step *= trust * (1 - beta2**t) ** 0.5
            step /= scale
        p -= step


__all__ = ["RAdam"]

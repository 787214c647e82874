"""Adam: steps of about the same length for every element, by the mean and the mean square of its gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor
from .formula import Array, FormulaOptimizer, below_one, not_negative
from .optimizer import ParamsT


class Adam(FormulaOptimizer):
    """`p -= lr m / (sqrt(v) + eps)`, with the running means m of g and v of g², freed of their start at 0."""

    kernel = "adam"

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        not_negative(lr=lr, eps=eps)
        below_one(betas)
        not_negative(weight_decay=weight_decay)
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad}
        flags = {"foreach": foreach, "capturable": capturable, "differentiable": differentiable, "fused": fused}
        decoupled = {"decoupled_weight_decay": decoupled_weight_decay}
        super().__init__(params, {**options, "maximize": maximize, **flags, **decoupled})

    def arrays(self, group: dict[str, Any]) -> dict[str, float]:
        return {"exp_avg": 0, "exp_avg_sq": 0, **({"max_exp_avg_sq": 0} if group["amsgrad"] else {})}

    @staticmethod
    def update(p: Array, g: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        lr, (beta1, beta2), t = group["lr"], group["betas"], state["step"]
        m, v = state["exp_avg"], state["exp_avg_sq"]
        m += (1 - beta1) * (g - m)
        v *= beta2
        v += (1 - beta2) * g * g
        if group["amsgrad"]:
            v = np.maximum(state["max_exp_avg_sq"], v, out=state["max_exp_avg_sq"])
        grown = (1 - beta2**t) ** 0.5  # as far as sqrt(v) has come from 0
        scale = np.sqrt(v)
        scale += group["eps"] * grown
        p -= lr * grown / (1 - beta1**t) * m / scale


__all__ = ["Adam"]

"""RMSprop: the gradient in units of its own recent size."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor
from .formula import Array, FormulaOptimizer, not_negative
from .optimizer import ParamsT


class RMSprop(FormulaOptimizer):
    """`p -= lr g / (sqrt(v) + eps)`, v the running mean of g² (centered: its variance), optionally with momentum."""

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        not_negative(lr=lr, eps=eps, momentum=momentum, weight_decay=weight_decay, alpha=alpha)
        options = {"lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered}
        flags = {"capturable": capturable, "foreach": foreach, "maximize": maximize, "differentiable": differentiable}
        super().__init__(params, {**options, "weight_decay": weight_decay, **flags})

    def arrays(self, group: dict[str, Any]) -> dict[str, float]:
        names = {"square_avg": True, "momentum_buffer": group["momentum"] > 0, "grad_avg": group["centered"]}
        return {name: 0 for name, wanted in names.items() if wanted}

    @staticmethod
    def update(p: Array, g: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        lr, alpha, v = group["lr"], group["alpha"], state["square_avg"]
        v *= alpha
        v += (1 - alpha) * g * g
        if group["centered"]:
            m = state["grad_avg"]
            m += (1 - alpha) * (g - m)
            v = v - m * m
        scale = np.sqrt(v)
        scale += group["eps"]
        if group["momentum"] > 0:
            b = state["momentum_buffer"]
            b *= group["momentum"]
            b += g / scale
            p -= lr * b
        else:
            p -= lr * g / scale


__all__ = ["RMSprop"]

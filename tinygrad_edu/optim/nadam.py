"""NAdam: Adam with Nesterov's look ahead."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor
from .formula import Array, FormulaOptimizer, below_one, not_negative
from .optimizer import ParamsT


class NAdam(FormulaOptimizer):
    """Adam's step by a mixture of g and its running mean m; their weights grow with the momentum mu of each step."""

    counters = frozenset({"step", "mu_product"})

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        not_negative(lr=lr, eps=eps)
        below_one(betas)
        not_negative(weight_decay=weight_decay, momentum_decay=momentum_decay)
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "momentum_decay": momentum_decay}
        flags = {"foreach": foreach, "capturable": capturable, "differentiable": differentiable}
        decoupled = {"decoupled_weight_decay": decoupled_weight_decay}
        super().__init__(params, {**options, **decoupled, "maximize": maximize, **flags})

    def scalars(self, group: dict[str, Any]) -> dict[str, float]:
        return {"step": 0, "mu_product": 1}

    def arrays(self, group: dict[str, Any]) -> dict[str, float]:
        return {"exp_avg": 0, "exp_avg_sq": 0}

    def count(self, scalars: dict[str, Array], group: dict[str, Any]) -> dict[str, float]:
        beta1, decay = group["betas"][0], group["momentum_decay"]
        scalars["step"] += 1
        t = scalars["step"].item()
        mu, ahead = (beta1 * (1 - 0.5 * 0.96 ** (k * decay)) for k in (t, t + 1))
        scalars["mu_product"] *= mu
        return {"step": t, "mu": mu, "ahead": ahead, "product": scalars["mu_product"].item()}

    @staticmethod
    def update(p: Array, g: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        lr, (beta1, beta2) = group["lr"], group["betas"]
        t, mu, ahead, product = state["step"], state["mu"], state["ahead"], state["product"]
        m, v = state["exp_avg"], state["exp_avg_sq"]
        m += (1 - beta1) * (g - m)
        v *= beta2
        v += (1 - beta2) * g * g
        scale = np.sqrt(v / (1 - beta2**t))
        scale += group["eps"]
        p -= lr * (1 - mu) / (1 - product) * g / scale
        p -= lr * ahead / (1 - product * ahead) * m / scale


__all__ = ["NAdam"]

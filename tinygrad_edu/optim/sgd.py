"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from typing import Any

from ..tensor import Tensor
from .formula import Array, FormulaOptimizer, not_negative
from .optimizer import ParamsT


class SGD(FormulaOptimizer):
    """A step against the gradient, or against its running sum: `b = momentum b + (1 - dampening) g; p -= lr b`."""

    kernel = "sgd"
    by_parts = False

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float | Tensor = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        not_negative(lr=lr, momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        options = {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay}
        flags = {"maximize": maximize, "foreach": foreach, "differentiable": differentiable, "fused": fused}
        super().__init__(params, {**options, "nesterov": nesterov, **flags})

    def scalars(self, group: dict[str, Any]) -> dict[str, float]:
        return {}

    def arrays(self, group: dict[str, Any]) -> dict[str, float]:
        return {"momentum_buffer": 0} if group["momentum"] else {}

    def count(self, scalars: dict[str, Array], group: dict[str, Any]) -> dict[str, float]:
        return {}

    @staticmethod
    def update(p: Array, g: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        lr, momentum, dampening = group["lr"], group["momentum"], group["dampening"]
        if momentum:
            b = state["momentum_buffer"]
            if state["first"]:
                b[...] = g  # not dampened
            else:
                b *= momentum
                b += (1 - dampening) * g if dampening else g
            g = g + momentum * b if group["nesterov"] else b
        p -= lr * g


__all__ = ["SGD"]

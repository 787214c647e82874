"""Adagrad: the more an element has moved, the shorter its steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor
from .formula import Array, FormulaOptimizer, not_negative, plain_options
from .optimizer import ParamsT


class Adagrad(FormulaOptimizer):
    """`p -= lr g / (sqrt(sum of all g²) + eps)`, with lr / (1 + (t - 1) lr_decay) in the place of lr."""

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        not_negative(lr=lr, lr_decay=lr_decay, weight_decay=weight_decay)
        not_negative(initial_accumulator_value=initial_accumulator_value, eps=eps)
        options = {"lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay}
        start = {"initial_accumulator_value": initial_accumulator_value}
        flags = {"foreach": foreach, "maximize": maximize, "differentiable": differentiable, "fused": fused}
        super().__init__(params, {**options, **start, **flags})
        for group in self.param_groups:  # the state is there before the first step, as programs expect that share it
            for p in group["params"]:
                self._begin(p, plain_options(group))

    def share_memory(self) -> None:
        """Nothing: processes of their own do not share this memory."""

    def arrays(self, group: dict[str, Any]) -> dict[str, float]:
        return {"sum": self.defaults["initial_accumulator_value"]}

    @staticmethod
    def update(p: Array, g: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        lr, t, total = group["lr"], state["step"], state["sum"]
        total += g * g
        scale = np.sqrt(total)
        scale += group["eps"]
        p -= lr / (1 + (t - 1) * group["lr_decay"]) * g / scale


__all__ = ["Adagrad"]

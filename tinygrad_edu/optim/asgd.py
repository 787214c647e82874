"""ASGD: gradient descent that also keeps the average of where it has been."""

from __future__ import annotations

from typing import Any

from ..tensor import Tensor
from .formula import Array, FormulaOptimizer, not_negative
from .optimizer import ParamsT


class ASGD(FormulaOptimizer):
    """`p -= eta (g + lambd p)`, eta falling as (1 + lambd lr t)^-alpha; `ax` averages p from step t0 on."""

    counters = frozenset({"step", "eta", "mu"})

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        not_negative(lr=lr, weight_decay=weight_decay)
        options = {"lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay}
        flags = {"foreach": foreach, "maximize": maximize, "differentiable": differentiable, "capturable": capturable}
        super().__init__(params, {**options, **flags})

    def scalars(self, group: dict[str, Any]) -> dict[str, float]:
        return {"step": 0, "eta": group["lr"], "mu": 1}

    def arrays(self, group: dict[str, Any]) -> dict[str, float]:
        return {"ax": 0}

    def count(self, scalars: dict[str, Array], group: dict[str, Any]) -> dict[str, float]:
        lr, lambd = group["lr"], group["lambd"]
        now = {"eta": scalars["eta"].item(), "mu": scalars["mu"].item()}
        scalars["step"] += 1
        t = scalars["step"].item()
        scalars["eta"][...] = lr / (1 + lambd * lr * t) ** group["alpha"]
        scalars["mu"][...] = 1 / max(1, t - group["t0"])
        return now

    @staticmethod
    def update(p: Array, g: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        eta, mu, average = state["eta"], state["mu"], state["ax"]
        p *= 1 - group["lambd"] * eta
        p -= eta * g
        if mu == 1:
            average[...] = p
        else:
            average += (p - average) * mu


__all__ = ["ASGD"]

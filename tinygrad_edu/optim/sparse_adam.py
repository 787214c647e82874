"""SparseAdam: Adam for tables of which each batch reads a few rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor
from .formula import Array, FormulaOptimizer, below_one, not_negative
from .optimizer import ParamsT


class SparseAdam(FormulaOptimizer):
    """Adam for those rows alone whose gradient is not 0: the means of the others do not fade meanwhile.

    Gradients may be dense, as an embedding's are here; PyTorch takes sparse ones only.
    """

    elementwise = False

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        not_negative(lr=lr, eps=eps)
        below_one(betas)
        for name, value in {"learning rate": lr, "epsilon value": eps}.items():
            if not value:
                raise ValueError(f"Invalid {name}: {value}")
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})
        at = [
            (i, k) for i, group in enumerate(self.param_groups) for k, p in enumerate(group["params"]) if p.is_complex()
        ]
        if at:
            raise ValueError(
                f"Complex params at indices {at}: SparseAdam does not support complex parameters; write Adam"
            )

    def arrays(self, group: dict[str, Any]) -> dict[str, float]:
        return {"exp_avg": 0, "exp_avg_sq": 0}

    @staticmethod
    def update(p: Array, g: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        lr, (beta1, beta2), t = group["lr"], group["betas"], state["step"]
        rows = np.flatnonzero(g.reshape(len(g), -1).any(axis=1))
        g, m, v = g[rows], state["exp_avg"][rows], state["exp_avg_sq"][rows]
        m += (1 - beta1) * (g - m)
        v += (1 - beta2) * (g * g - v)
        state["exp_avg"][rows], state["exp_avg_sq"][rows] = m, v
        p[rows] -= lr * (1 - beta2**t) ** 0.5 / (1 - beta1**t) * m / (np.sqrt(v) + group["eps"])


__all__ = ["SparseAdam"]

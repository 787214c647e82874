"""Muon: momentum for matrices, with every direction of the step made equally long."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor
from .formula import Array, FormulaOptimizer
from .optimizer import ParamsT


class Muon(FormulaOptimizer):
    """`p -= lr U V^T`, where the momentum is U S V^T; a few products of matrices bring S close to 1."""

    elementwise = False

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        for name, value in {"Learning rate": lr, "momentum": momentum, "weight decay": weight_decay}.items():
            if not value >= 0:
                raise ValueError(f"{name} should be >= 0 but is: {value}")
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        if ns_steps >= 100:
            raise ValueError("Number of steps must be less than 100 for computational efficiency")
        if len(ns_coefficients) != 3:
            raise ValueError("Coefficients must be a tuple of exactly 3 values")
        options = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, "nesterov": nesterov, "eps": eps}
        newton = {"ns_coefficients": ns_coefficients, "ns_steps": ns_steps, "adjust_lr_fn": adjust_lr_fn}
        super().__init__(params, {**options, **newton})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Optimize more matrices, with options of their own where the group gives them."""
        super().add_param_group(param_group)
        for p in self.param_groups[-1]["params"]:
            if p.ndim != 2 or p.is_complex():
                self.param_groups.pop()
                wrong = "Muon only supports 2D parameters whereas we found a parameter with size"
                raise ValueError(f"{wrong}: {list(p.shape)}, {p.dtype}; give vectors and tables to another optimizer")

    def _advance(self, x: Array, g: Array, own: dict[str, Any], group: dict[str, Any]) -> None:
        super()._advance(x, g, own, {**group, "decoupled_weight_decay": True})

    def scalars(self, group: dict[str, Any]) -> dict[str, float]:
        return {}

    def arrays(self, group: dict[str, Any]) -> dict[str, float]:
        return {"momentum_buffer": 0}

    def count(self, scalars: dict[str, Array], group: dict[str, Any]) -> dict[str, float]:
        return {}

    @staticmethod
    def update(p: Array, g: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        momentum, b = group["momentum"], state["momentum_buffer"]
        b += (1 - momentum) * (g - b)
        step = g + momentum * (b - g) if group["nesterov"] else b
        rows, columns = p.shape
        if group["adjust_lr_fn"] == "match_rms_adamw":
            rate = 0.2 * max(rows, columns) ** 0.5
        else:
            rate = max(1, rows / columns) ** 0.5
        p -= group["lr"] * rate * orthogonal(step, group["ns_coefficients"], group["ns_steps"], group["eps"])


def orthogonal(x: Array, coefficients: tuple[float, float, float], steps: int, eps: float) -> Array:
    """The matrix with its singular values brought near 1 by `x <- a x + (b x x^T + c (x x^T)^2) x`."""
    a, b, c = coefficients
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / np.maximum(np.sqrt((x * x).sum()), eps)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.T if tall else x


__all__ = ["Muon"]

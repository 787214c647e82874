"""Adafactor: Adam's mean square of a matrix kept as one number a row and one a column."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor, wrap
from .formula import Array, FormulaOptimizer
from .optimizer import ParamsT


class Adafactor(FormulaOptimizer):
    """`p -= rate g / sqrt(v)`, v ~ rows columns / mean(rows); rates in units of p's size, steps no longer than d."""

    elementwise = False

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        if not isinstance(eps, (tuple, list)) or len(eps) != 2:
            raise TypeError(f"eps should be two numbers, the first of which may be None, but is: {eps}")
        at_least = {"Learning rate": (lr, 0), "epsilon1": (eps[0] or 0, 0), "epsilon2": (eps[1], 0)}
        at_least |= {"Clipping threshold d": (d, 1), "weight_decay": (weight_decay, 0)}
        if not beta2_decay <= 0:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        for name, (value, bound) in at_least.items():
            if not value >= bound:
                raise ValueError(f"{name} should be >= {bound} but is: {value}")
        options = {"lr": lr, "beta2_decay": beta2_decay, "eps": eps, "d": d, "weight_decay": weight_decay}
        super().__init__(params, {**options, "foreach": foreach, "maximize": maximize})

    def _ready(self, p: Tensor, *options: Any) -> tuple[Array, Array, dict[str, Any]]:
        if p.is_complex():
            raise RuntimeError("Adafactor does not support complex parameters")
        return super()._ready(p, *options)

    @staticmethod
    def decay(p: Array, g: Array, group: dict[str, Any]) -> Array:
        return -g if group["maximize"] else g  # the weights decay below, after their size was measured

    def _begin(self, p: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        state = super()._begin(p, group)
        if p.ndim > 1:
            state.setdefault("row_var", wrap(np.zeros_like(p.array[..., :1])))
            state.setdefault("col_var", wrap(np.zeros_like(p.array[..., :1, :])))
        else:
            state.setdefault("variance", wrap(np.zeros_like(p.array)))
        return state

    @staticmethod
    def update(p: Array, g: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        if not p.size:
            return
        (floor, least), t = group["eps"], state["step"]
        floor = float(np.finfo(p.dtype).eps) if floor is None else floor
        forget = t ** group["beta2_decay"]
        if "variance" in state:
            v = state["variance"]
            v += forget * (g * g - v)
        else:
            rows, columns = state["row_var"], state["col_var"]
            rows += forget * ((g * g).mean(-1, keepdims=True) - rows)
            columns += forget * ((g * g).mean(-2, keepdims=True) - columns)
            v = rows @ columns
            v /= np.maximum(rows.mean(-2, keepdims=True), floor)
        step = g / np.sqrt(np.maximum(v, floor * floor))
        rate = min(group["lr"], t**-0.5) * np.maximum(_size(p), least)
        p *= 1 - group["lr"] * group["weight_decay"]
        p -= rate / np.maximum(_size(step) / group["d"], 1) * step


def _size(a: Array) -> Array:
    """The root of the mean square."""
    return np.sqrt((a * a).mean())


__all__ = ["Adafactor"]

"""AdamW: Adam whose weights decay beside the step, not through the gradient's means."""

from __future__ import annotations

from typing import Any

from ..tensor import Tensor
from .adam import Adam
from .optimizer import ParamsT


class AdamW(Adam):
    """Adam after `p *= 1 - lr weight_decay`."""

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        flags: dict[str, Any] = {"foreach": foreach, "capturable": capturable, "differentiable": differentiable}
        options: dict[str, Any] = {"maximize": maximize, "fused": fused, "decoupled_weight_decay": True}
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, **flags, **options)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:  # also where Adam's state is loaded
            group["decoupled_weight_decay"] = True


__all__ = ["AdamW"]

"""Functions of a user's own, in the manner of public programs."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_edu.autograd import Function
from tinygrad_edu.tensor import Tensor, wrap


def leaf(*values: float) -> Tensor:
    return wrap(np.array(values, float)).requires_grad_()


def constant(*values: float) -> Tensor:
    return wrap(np.array(values, float))


class Square(Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        (x,) = ctx.saved_tensors
        return 2 * x * g


class Exp(Function):
    """Saves its result."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        out = x.exp()
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        (out,) = ctx.saved_tensors
        return out * g


class SumAndProduct(Function):
    """Two results."""

    @staticmethod
    def forward(ctx: Any, x: Any, y: Any) -> Any:
        ctx.save_for_backward(x, y)
        return x + y, x * y

    @staticmethod
    def backward(ctx: Any, g: Any, h: Any) -> Any:
        x, y = ctx.saved_tensors
        return g + h * y, g + h * x

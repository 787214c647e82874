"""The gradients of convolutions by themselves, where a program wants one without a graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..autograd import grad
from ..autograd.modes import enable_grad
from ..ops.windows import Each
from ..tensor import Tensor
from . import functional as F

__all__ = ["conv1d_input", "conv1d_weight", "conv2d_input", "conv2d_weight", "conv3d_input", "conv3d_weight"]


def _for_input(conv: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def gradient(
        input_size: Sequence[int],
        weight: Tensor,
        grad_output: Tensor,
        stride: Each = 1,
        padding: Each = 0,
        dilation: Each = 1,
        groups: int = 1,
    ) -> Tensor:
        x = weight.new_zeros(tuple(input_size))  # a convolution is linear: its gradient is the same everywhere
        return _gradient(lambda x: conv(x, weight.detach(), None, stride, padding, dilation, groups), x, grad_output)

    gradient.__name__ = gradient.__qualname__ = f"{conv.__name__}_input"
    gradient.__doc__ = f"The gradient of `{conv.__name__}` for its input, which is of `input_size`."
    return gradient


def _for_weight(conv: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def gradient(
        input: Tensor,
        weight_size: Sequence[int],
        grad_output: Tensor,
        stride: Each = 1,
        padding: Each = 0,
        dilation: Each = 1,
        groups: int = 1,
    ) -> Tensor:
        w = input.new_zeros(tuple(weight_size))
        return _gradient(lambda w: conv(input.detach(), w, None, stride, padding, dilation, groups), w, grad_output)

    gradient.__name__ = gradient.__qualname__ = f"{conv.__name__}_weight"
    gradient.__doc__ = f"The gradient of `{conv.__name__}` for its weight, which is of `weight_size`."
    return gradient


def _gradient(function: Callable[[Tensor], Tensor], at: Tensor, g: Tensor) -> Tensor:
    with enable_grad():
        found: Any = grad(function(at.requires_grad_()), at, g)
    return found[0]


conv1d_input, conv2d_input, conv3d_input = map(_for_input, (F.conv1d, F.conv2d, F.conv3d))
conv1d_weight, conv2d_weight, conv3d_weight = map(_for_weight, (F.conv1d, F.conv2d, F.conv3d))

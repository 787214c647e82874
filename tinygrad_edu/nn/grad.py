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


def conv1d_input(
    input_size: Sequence[int],
    weight: Tensor,
    grad_output: Tensor,
    stride: Each = 1,
    padding: Each = 0,
    dilation: Each = 1,
    groups: int = 1,
) -> Tensor:
    """The gradient of `conv1d` for its input, which is of `input_size`."""
    return _of_input(F.conv1d, input_size, weight, grad_output, stride, padding, dilation, groups)


def conv1d_weight(
    input: Tensor,
    weight_size: Sequence[int],
    grad_output: Tensor,
    stride: Each = 1,
    padding: Each = 0,
    dilation: Each = 1,
    groups: int = 1,
) -> Tensor:
    """The gradient of `conv1d` for its weight, which is of `weight_size`."""
    return _of_weight(F.conv1d, input, weight_size, grad_output, stride, padding, dilation, groups)


def conv2d_input(
    input_size: Sequence[int],
    weight: Tensor,
    grad_output: Tensor,
    stride: Each = 1,
    padding: Each = 0,
    dilation: Each = 1,
    groups: int = 1,
) -> Tensor:
    """The gradient of `conv2d` for its input, which is of `input_size`."""
    return _of_input(F.conv2d, input_size, weight, grad_output, stride, padding, dilation, groups)


def conv2d_weight(
    input: Tensor,
    weight_size: Sequence[int],
    grad_output: Tensor,
    stride: Each = 1,
    padding: Each = 0,
    dilation: Each = 1,
    groups: int = 1,
) -> Tensor:
    """The gradient of `conv2d` for its weight, which is of `weight_size`."""
    return _of_weight(F.conv2d, input, weight_size, grad_output, stride, padding, dilation, groups)


def conv3d_input(
    input_size: Sequence[int],
    weight: Tensor,
    grad_output: Tensor,
    stride: Each = 1,
    padding: Each = 0,
    dilation: Each = 1,
    groups: int = 1,
) -> Tensor:
    """The gradient of `conv3d` for its input, which is of `input_size`."""
    return _of_input(F.conv3d, input_size, weight, grad_output, stride, padding, dilation, groups)


def conv3d_weight(
    input: Tensor,
    weight_size: Sequence[int],
    grad_output: Tensor,
    stride: Each = 1,
    padding: Each = 0,
    dilation: Each = 1,
    groups: int = 1,
) -> Tensor:
    """The gradient of `conv3d` for its weight, which is of `weight_size`."""
    return _of_weight(F.conv3d, input, weight_size, grad_output, stride, padding, dilation, groups)


def _of_input(conv: Callable[..., Tensor], size: Sequence[int], weight: Tensor, g: Tensor, *options: Any) -> Tensor:
    x = weight.new_zeros(tuple(size))  # a convolution is linear: its gradient is the same everywhere
    return _gradient(lambda x: conv(x, weight.detach(), None, *options), x, g)


def _of_weight(conv: Callable[..., Tensor], x: Tensor, size: Sequence[int], g: Tensor, *options: Any) -> Tensor:
    return _gradient(lambda weight: conv(x.detach(), weight, None, *options), x.new_zeros(tuple(size)), g)


def _gradient(function: Callable[[Tensor], Tensor], at: Tensor, g: Tensor) -> Tensor:
    with enable_grad():
        found: Any = grad(function(at.requires_grad_()), at, g)
    return found[0]

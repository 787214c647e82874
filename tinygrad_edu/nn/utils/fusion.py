"""A layer and the batch norm behind it as one layer, for evaluation."""

from __future__ import annotations

import copy
from typing import TypeVar

from ...errors import describe, message
from ...ops import ones_like, zeros_like
from ...tensor import Tensor
from ..modules.module import Module
from ..parameter import Parameter

__all__ = ["fuse_conv_bn_eval", "fuse_conv_bn_weights", "fuse_linear_bn_eval", "fuse_linear_bn_weights"]

M = TypeVar("M", bound=Module)


def fuse_conv_bn_eval(conv: M, bn: Module, transpose: bool = False) -> M:
    """A convolution that does what `conv` and then `bn` do, both in evaluation mode."""
    _check(conv, bn)
    fused = copy.deepcopy(conv)
    fused.weight, fused.bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias, transpose
    )
    return fused


def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> tuple[Parameter, Parameter]:
    """The weight times γ/√(var + eps) for each output channel, and the bias to it."""
    place = 1 if transpose else 0
    return _fused(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, place)


def fuse_linear_bn_eval(linear: M, bn: Module) -> M:
    """A linear layer that does what `linear` and then `bn` do, both in evaluation mode."""
    _check(linear, bn)
    if bn.num_features not in (1, linear.out_features):
        wrong = f"linear.out_features={linear.out_features} is neither bn.num_features={bn.num_features}, nor is that 1"
        raise AssertionError(message("fuse_linear_bn_eval", wrong))
    fused = copy.deepcopy(linear)
    fused.weight, fused.bias = fuse_linear_bn_weights(
        linear.weight, linear.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
    )
    return fused


def fuse_linear_bn_weights(
    linear_w: Tensor,
    linear_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
) -> tuple[Parameter, Parameter]:
    """The weight times γ/√(var + eps) for each output, and the bias to it."""
    return _fused(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, 0)


def _check(layer: Module, bn: Module) -> None:
    for each in (layer, bn):
        if not isinstance(each, Module):
            raise TypeError(message("fuse", f"a layer and its batch norm are modules, not {describe(each)}"))
    if layer.training or bn.training:
        raise AssertionError("Fusion only for eval! Call .eval() on both modules first.")
    if bn.running_mean is None or bn.running_var is None:
        raise AssertionError("bn.running_mean and bn.running_var must not be None")


def _fused(
    w: Tensor,
    b: Tensor | None,
    mean: Tensor,
    var: Tensor,
    eps: float,
    gamma: Tensor | None,
    beta: Tensor | None,
    place: int,
) -> tuple[Parameter, Parameter]:
    """(w x + b - mean) γ/√(var + eps) + β as a weight and a bias; `place` is the weight's dimension of outputs."""
    old, kind = (zeros_like(mean) if b is None else b), (w if b is None else b).dtype
    scale = (ones_like(mean) if gamma is None else gamma) * (var + eps).rsqrt()
    shift = zeros_like(mean) if beta is None else beta
    shape = [-1 if d == place else 1 for d in range(w.dim())]
    weight, bias = (w * scale.reshape(shape)).to(w.dtype), ((old - mean) * scale + shift).to(kind)
    return Parameter(weight.detach(), w.requires_grad), Parameter(bias.detach(), old.requires_grad)

"""Normalization. Running statistics are kept here, outside the operations."""

from __future__ import annotations

import math
from typing import Any

from ...autograd.modes import no_grad, observer
from ...errors import message
from ...ops import cosine_similarity, group_norm, layer_norm, pairwise_distance, rms_norm
from ...ops import normalization as ops
from ...ops.operands import refuse
from ...tensor import Tensor

__all__ = [
    "batch_norm", "cosine_similarity", "group_norm", "instance_norm", "layer_norm", "local_response_norm",
    "normalize", "pairwise_distance", "rms_norm",
]  # fmt: skip


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) for each channel over all samples (or by the running statistics), scaled and shifted."""
    if input.ndim < 2:
        if input.numel():
            raise RuntimeError(message("batch_norm", f"Expected at least 2 dimensions, but got {list(input.shape)}"))
        return input.clone()
    c = input.array.shape[1]
    ops._need_channels("batch_norm", c, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    ops._need_one_dtype("batch_norm", input, running_mean, running_var, weight, bias)
    if not training:
        if running_mean is None or running_var is None:
            raise RuntimeError("batch_norm: Expected running_mean and running_var to be defined when training=False")
        return ops._fixed_norm(input, weight, bias, running_mean, running_var, eps).to(input.dtype)
    if eps <= 0:
        raise ValueError(f"batch_norm eps must be positive during training, but got {eps}")
    ops._need_several(input.shape)
    n = input.numel() // max(c, 1)
    if not n:  # an empty batch has no statistics
        return ops._fixed_norm(input, weight, bias, input.new_zeros(c), input.new_ones(c), eps)
    out, mean, var = ops._batch_norm(input, weight, bias, eps=eps)
    _update(running_mean, mean, momentum)
    _update(running_var, var, momentum, n / max(n - 1, 1))
    return out.to(input.dtype)  # float16 whose statistics are float32 stays float16


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) for each channel of each sample (or by the running statistics), scaled and shifted."""
    if input.ndim < 2:
        raise ValueError(f"Expected more than 1 spatial element when training, got input size {input.shape}")
    refuse("biu", "instance_norm", input.array)
    c = input.shape[1]
    ops._need_channels("instance_norm", c, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    ops._need_one_dtype("instance_norm", input, running_mean, running_var, weight, bias)
    if not use_input_stats:
        if running_mean is None or running_var is None:
            wrong = "Expected running_mean and running_var to be defined when use_input_stats is false"
            raise RuntimeError(message("instance_norm", wrong))
        return ops._fixed_norm(input, weight, bias, running_mean, running_var, eps)
    n = math.prod(input.shape[2:])
    if n == 1:
        raise ValueError(f"Expected more than 1 spatial element when training, got input size {input.shape}")
    if running_mean is not None or running_var is not None:
        with no_grad():
            rows = input.detach().reshape(input.shape[0], c, n)
            _update(running_mean, rows.mean(2).mean(0), momentum)
            _update(running_var, rows.var(2).mean(0), momentum)
    return ops._group_norm(input, weight, bias, groups=c, eps=eps)


def _update(running, value, momentum, factor=1.0):
    """Move a running statistic towards this batch's value."""
    if running is not None:
        running.array[...] = ops._moved(running, value, momentum, factor).array
        running.version().write()
        if observer.get() is not None:
            observer.get().written(running, "running statistic")


def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """x / (k + alpha * mean of x² over `size` neighbouring channels) ** beta"""
    if input.ndim < 3:
        raise ValueError(f"Expected 3D or higher dimensionality input (got {input.ndim} dimensions)")
    return ops._local_response_norm(input, size, alpha, beta, k) if input.numel() else input


def normalize(input: Tensor, p: Any = 2.0, dim: Any = 1, eps: float = 1e-12, out: Tensor | None = None) -> Tensor:
    """x / max(‖x‖, eps) along `dim`."""
    answer = ops._normalize(input, p, dim, eps)
    return answer if out is None else out.copy_(answer)

"""Linear layers, and distances between the rows of one input."""

from __future__ import annotations

from typing import Any

from ...errors import message
from ...ops import bilinear, linear, pdist
from ...tensor import Tensor
from .losses import cross_entropy

__all__ = ["bilinear", "linear", "linear_cross_entropy", "pdist"]


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
) -> Tensor:
    """Cross-entropy of a linear layer's results; `options`, PyTorch's wishes about memory, change no number."""
    name, classes = "linear_cross_entropy", linear_weight.shape[:-1]  # (C, d_1, ..., d_K)
    if input.ndim not in (1, 2):
        raise RuntimeError(message(name, f"expected input with dimensionality 1 or 2, got {input.ndim}"))
    if linear_weight.ndim < 2:
        wrong = f"expected linear_weight with dimensionality at least 2, got {linear_weight.ndim}"
        raise RuntimeError(message(name, wrong))
    if input.shape[-1] != linear_weight.shape[-1]:
        wrong = "expected equal input and linear_weight last dimensions (in_features), got "
        raise RuntimeError(message(name, f"{wrong}{input.shape[-1]} and {linear_weight.shape[-1]}"))
    if linear_bias is not None and tuple(linear_bias.shape) != tuple(classes):
        wrong = f"expected linear_bias shape {list(classes)}, got {list(linear_bias.shape)}"
        raise RuntimeError(message(name, wrong))
    if len(classes) > 1 and input.ndim == 1:
        wrong = f"linear_weight of shape {list(linear_weight.shape)} requires batched input, got {list(input.shape)}"
        raise RuntimeError(message(name, wrong))
    shape = (*input.shape[:-1], *classes)
    if ignore_index is not None and tuple(target.shape) == shape:
        raise RuntimeError(message(name, "ignore_index cannot be specified when target contains probabilities"))
    bias = None if linear_bias is None else linear_bias.reshape(-1)
    logits = linear(input, linear_weight.reshape(-1, input.shape[-1]), bias).reshape(shape)
    return cross_entropy(
        logits,
        target,
        weight,
        ignore_index=-100 if ignore_index is None else ignore_index,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )

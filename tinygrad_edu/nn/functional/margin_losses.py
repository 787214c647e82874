"""Losses by margins: nothing is lost once an answer is right by enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import dtypes
from ...errors import message
from ...ops import losses as ops
from ...ops import pairwise_distance as _distance
from ...ops.operands import refuse
from ...tensor import Tensor
from . import traps
from .losses import _reduction

__all__ = [
    "cosine_embedding_loss", "hinge_embedding_loss", "margin_ranking_loss", "multi_margin_loss",
    "multilabel_margin_loss", "multilabel_soft_margin_loss", "soft_margin_loss", "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]  # fmt: skip

# --- margins ---------------------------------------------------------------------------------------------------------


def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """x where y is 1, max(0, margin - x) where it is -1"""
    traps.no_pairs("hinge_embedding_loss", input, target)
    reduction = _reduction(reduction, size_average, reduce)
    if reduction == "mean":  # of whole numbers it would not be one
        refuse("biu", "hinge_embedding_loss", input.array)
    return ops._hinge_embedding_loss(input, target, margin, reduction)


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, margin - y (x1 - x2))"""
    if input1.ndim != input2.ndim or input1.ndim != target.ndim:
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {list(input1.shape)}, input2: {list(input2.shape)}, target: {list(target.shape)}"
        )
    return ops._margin_ranking_loss(input1, input2, target, margin, _reduction(reduction, size_average, reduce))


def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """log(1 + exp(-y x))"""
    traps.no_pairs("soft_margin_loss", input, target)
    refuse("biu", "soft_margin_loss", input.array)
    return ops._soft_margin_loss(input, target, _reduction(reduction, size_average, reduce))


def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The binary cross-entropy of each class's logit, averaged over the classes."""
    traps.no_pairs("multilabel_soft_margin_loss", input, target)
    if not input.ndim:
        raise IndexError(message("multilabel_soft_margin_loss", "the input has no dimension for the classes"))
    traps.no_probabilities("multilabel_soft_margin_loss", input, "sigmoid", "logits are wanted, x before it")
    return ops._multilabel_soft_margin_loss(input, target, weight, _reduction(reduction, size_average, reduce))


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: float = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Σ max(0, margin - x[t] + x[i])ᵖ over the classes i other than the target t, over the number of classes."""
    reduction = _reduction(reduction, size_average, reduce)
    if p not in (1, 2):
        raise ValueError(f"only p == 1 and p == 2 supported, not {p}")
    if weight is not None and weight.ndim != 1:
        raise ValueError(f"weight must be one-dimensional, not {list(weight.shape)}")
    if input.ndim > 2 or 0 in input.shape[-1:]:
        wrong = f"Expected non-empty vector or matrix with optional 0-dim batch size, but got: {list(input.shape)}"
        raise RuntimeError(message("multi_margin_loss", wrong))
    if target.ndim > 1 or target.numel() != (input.shape[0] if input.ndim == 2 else 1):
        raise RuntimeError(message("multi_margin_loss", f"inconsistent target size, got: {list(target.shape)}"))
    if target.dtype is not dtypes.int64:
        wrong = f"expected scalar type Long but found {target.dtype}"
        raise RuntimeError(message("multi_margin_loss: target", wrong, instead="target.long()"))
    return ops._multi_margin_loss(input, target, p, margin, weight, reduction)


def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Σ max(0, 1 - x[t] + x[i]) over the target classes t and all others i; targets end at the first -1."""
    if input.ndim > 2 or input.shape != target.shape:
        wrong = f"inconsistent target size: {list(target.shape)} for an input of {list(input.shape)}"
        raise RuntimeError(message("multilabel_margin_loss", wrong))
    traps.no_flags("multilabel_margin_loss", target)
    return ops._multilabel_margin_loss(input, target, _reduction(reduction, size_average, reduce))


# --- pairs and triples of vectors --------------------------------------------------------------------------------------


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """1 - cos(x1, x2) where y is 1, max(0, cos(x1, x2) - margin) where it is -1"""
    if target.ndim > 1:
        raise RuntimeError(f"0D or 1D target tensor expected, multi-target not supported, got {list(target.shape)}")
    if not input1.ndim == input2.ndim == target.ndim + 1:
        raise RuntimeError(
            f"{target.ndim}D target tensor expects {target.ndim + 1}D input tensors, "
            f"but found inputs with sizes {list(input1.shape)} and {list(input2.shape)}."
        )
    return ops._cosine_embedding_loss(input1, input2, target, margin, _reduction(reduction, size_average, reduce))


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, ‖anchor - positive‖ - ‖anchor - negative‖ + margin)"""
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, "
            f"but got: anchor {anchor.ndim}D, positive {positive.ndim}D, and negative {negative.ndim}D inputs"
        )
    reduction = _reduction(reduction, size_average, reduce)
    return ops._triplet_margin_loss(
        anchor, positive, negative, lambda a, b: _distance(a, b, p, eps), margin, swap, reduction
    )


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: Any = False,
    reduction: str = "mean",
) -> Tensor:
    """The triplet loss with a distance of one's own."""
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    distance = _distance if distance_function is None else distance_function
    return ops._triplet_margin_loss(anchor, positive, negative, distance, margin, swap, _reduction(reduction))

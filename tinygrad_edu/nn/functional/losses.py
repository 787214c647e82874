"""Losses."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import devices, dtypes
from ...errors import describe, message
from ...ops import losses as ops
from ...ops import where
from ...ops.arguments import need_tensor
from ...promotion import same_place
from ...tensor import Tensor
from . import traps

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "ctc_loss",
    "gaussian_nll_loss", "huber_loss", "kl_div", "l1_loss", "mse_loss", "nll_loss", "poisson_nll_loss",
    "smooth_l1_loss",
]  # fmt: skip


def _reduction(reduction: str, size_average: bool | None = None, reduce: bool | None = None) -> str:
    """How the losses are reduced; also from the two flags that PyTorch had before it had names."""
    if size_average is not None or reduce is not None:
        size_average, reduce = (
            bool(True if size_average is None else size_average),
            bool(True if reduce is None else reduce),
        )
        old = "none" if reduce is False else "sum" if size_average is False else "mean"
        text = f"size_average and reduce args will be deprecated, please use reduction='{old}' instead."
        warnings.warn(text, UserWarning, stacklevel=4)
        return old
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction; write 'none', 'mean' or 'sum'")
    return reduction


# --- distances between numbers ---------------------------------------------------------------------------------------


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """(x - y)²"""
    traps.same_size("mse_loss", input, target)
    reduction = _reduction(reduction, size_average, reduce)
    if weight is None:
        return ops._mse_loss(input, target, reduction)
    return _weighted(ops._mse_loss(input, target, "none"), weight, reduction)


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """|x - y|"""
    traps.same_size("l1_loss", input, target)
    reduction = _reduction(reduction, size_average, reduce)
    if weight is None:
        return ops._l1_loss(input, target, reduction)
    return _weighted(ops._l1_loss(input, target, "none"), weight, reduction)


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """½ d² / beta where d = |x - y| is below beta, d - ½ beta above."""
    traps.same_size("smooth_l1_loss", input, target)
    if beta < 0:
        raise RuntimeError(f"smooth_l1_loss does not support negative values for beta, but got {beta}")
    return ops._smooth_l1_loss(input, target, _reduction(reduction, size_average, reduce), beta)


def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """½ d² where d = |x - y| is below delta, the line delta (d - ½ delta) that continues it above."""
    traps.same_size("huber_loss", input, target)
    if delta <= 0:
        raise RuntimeError(f"huber_loss does not support non-positive values for delta, but got {delta}")
    reduction = _reduction(reduction)
    if weight is None:
        return ops._huber_loss(input, target, reduction, delta)
    return _weighted(ops._huber_loss(input, target, "none", delta), weight, reduction)


def _weighted(losses: Tensor, weight: Tensor, reduction: str) -> Tensor:
    """The losses times their weights; the mean is over the weights."""
    if weight.shape != losses.shape:
        raise ValueError(
            f"Inputs and weights must have the same size, not {list(losses.shape)} and {list(weight.shape)}"
        )
    losses = losses * weight
    if reduction == "none":
        return losses
    return losses.sum() if reduction == "sum" else losses.sum() / weight.sum()


# --- two classes -----------------------------------------------------------------------------------------------------


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """-(y log x + (1 - y) log(1 - x)), for probabilities x."""
    reduction = _reduction(reduction, size_average, reduce)
    if need_tensor(input, "binary_cross_entropy").shape != need_tensor(target, "binary_cross_entropy", "target").shape:
        raise ValueError(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}) is deprecated. "
            "Please ensure they have the same size; write target.view_as(input)."
        )
    if input.dtype != target.dtype:
        wrong = f"Found dtype {target.dtype} but expected {input.dtype}"
        raise RuntimeError(message("binary_cross_entropy: target", wrong, instead=f"target.to({input.dtype})"))
    x = input.array
    if type(x) is np.ndarray and x.size and not (x.min() >= 0 and x.max() <= 1):
        wrong = f"all elements of input should be between 0 and 1, but they lie between {x.min():g} and {x.max():g}"
        raise RuntimeError(message("binary_cross_entropy", wrong, instead="binary_cross_entropy_with_logits"))
    return ops._binary_cross_entropy(input, target, weight, reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """The binary cross-entropy of sigmoid(x), in one stable step; `pos_weight` multiplies what the 1s count."""
    reduction = _reduction(reduction, size_average, reduce)
    name = "binary_cross_entropy_with_logits"
    if need_tensor(input, name).shape != need_tensor(target, name, "target").shape:
        wrong = f"Target size ({target.shape}) must be the same as input size ({input.shape})"
        fits = target.numel() == input.numel()
        instead = "target.view_as(input)" if fits else "a probability for each logit: one_hot(target, classes).float()"
        raise ValueError(message(name, wrong, instead=instead))
    traps.no_probabilities(name, input, "sigmoid", "logits are wanted, x before it")
    return ops._binary_cross_entropy_with_logits(input, target, weight, pos_weight, reduction)


# --- many classes ----------------------------------------------------------------------------------------------------


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """-log softmax(x) at the target class, or weighted by the target's probabilities. Classes lie along dimension 1."""
    reduction = _reduction(reduction, size_average, reduce)
    if not 0 <= label_smoothing <= 1:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    traps.no_probabilities("cross_entropy", input, "softmax", "logits are wanted: the loss takes the softmax itself")
    if input.array.shape == need_tensor(target, "cross_entropy", "target").array.shape:
        return _soft_cross_entropy(input, target, weight, ignore_index, reduction, label_smoothing)
    _check_classes("cross_entropy", input, target, weight)
    return ops._cross_entropy(input, target, weight, ignore_index, reduction, label_smoothing)


def _soft_cross_entropy(input, target, weight, ignore_index, reduction, label_smoothing):
    if not target.is_floating_point():
        wrong = f"Expected floating point type for target with class probabilities, got {target.dtype}"
        raise RuntimeError(
            message(
                "cross_entropy", wrong, instead="target.argmax(1) for one-hot classes, target.float() for probabilities"
            )
        )
    if ignore_index >= 0:
        raise RuntimeError(f"ignore_index is not supported for floating point target, but got {ignore_index}")
    _check_weight("cross_entropy", input, weight)
    return ops._soft_cross_entropy(input, target, weight, reduction, label_smoothing)


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """-x at the target class, for log-probabilities x. Classes lie along dimension 1."""
    reduction = _reduction(reduction, size_average, reduce)
    traps.no_probabilities("nll_loss", input, "softmax", "log-probabilities are wanted: write log_softmax")
    _check_classes("nll_loss", input, target, weight)
    same_place("nll_loss", input, target)
    return ops._nll_loss(input, target, weight, ignore_index, reduction)


def _check_classes(name, input, target, weight):
    """Raise unless there is one class number for each row; whether it is a class the operation itself finds out."""
    shape, t = input.array.shape, need_tensor(target, name, "target").array
    if not shape:
        raise ValueError(f"{name}: Expected 1 or more dimensions (got 0)")
    if t.shape != shape[:1] * (len(shape) > 1) + shape[2:]:
        batch = t.shape[0] if t.ndim else 0
        if len(shape) > 1 and batch != shape[0]:
            wrong = f"Expected input batch_size ({shape[0]}) to match target batch_size ({batch})."
            raise ValueError(
                message(
                    f"{name}({describe(input)}, {describe(target)})",
                    wrong,
                    instead="an input of (samples, classes) and one class for each sample: x.flatten(0, -2), target.flatten()",
                )
            )
        wrong = f"Expected a target of shape {[*shape[:1], *shape[2:]] if len(shape) > 1 else []}, got {list(t.shape)}"
        raise RuntimeError(
            message(f"{name} of {list(shape)}", wrong, instead="class numbers without the dimension of classes")
        )
    if t.dtype != np.int64 and t.dtype != np.uint8:
        wrong = f"expected scalar type Long but found {target.dtype}"
        raise RuntimeError(message(f"{name}: target", wrong, instead="target.long()"))
    _check_weight(name, input, weight)
    if len(shape) > 2 and t.size and (type(t) is np.ndarray or devices.blocking):  # a GPU would have to wait
        traps.no_one_hot(name, target, shape[1])


def _check_weight(name, input, weight):
    classes = input.shape[min(input.ndim, 2) - 1] if input.ndim else 1
    if weight is not None and weight.shape != (classes,):
        wrong = f"weight tensor should be defined either for all {classes} classes or no classes but got {list(weight.shape)}"
        raise RuntimeError(message(name, wrong))
    if weight is not None and weight.dtype != input.dtype:
        raise RuntimeError(message(name, f"expected scalar type {input.dtype} but found {weight.dtype} for weight"))


# --- distributions ---------------------------------------------------------------------------------------------------


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """y (log y - x), for log-probabilities x; "batchmean" is the divergence itself, a sample's mean."""
    traps.no_pairs("kl_div", input, target)
    traps.no_probabilities("kl_div", input, "softmax", "log-probabilities are wanted: write log_softmax")
    if size_average is None and reduce is None:
        if reduction == "batchmean":
            total = ops._kl_div(input, target, "sum", log_target)
            return total / input.size(0) if input.ndim else total
        if reduction == "mean":
            text = (
                "reduction: 'mean' divides the total loss by both the batch size and the support size. "
                "'batchmean' divides only by the batch size, and aligns with the KL div math definition."
            )
            warnings.warn(text, UserWarning, stacklevel=3)
    return ops._kl_div(input, target, _reduction(reduction, size_average, reduce), log_target)


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """λ - y log λ, for x = log λ or x = λ."""
    traps.no_pairs("poisson_nll_loss", input, target)
    return ops._poisson_nll_loss(input, target, log_input, full, eps, _reduction(reduction, size_average, reduce))


def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor | float,
    full: Any = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """½ (log var + (x - y)² / var)"""
    if not isinstance(var, Tensor):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = input.new_full(input.shape, var)
    elif (var < 0).any():
        raise ValueError("var has negative entry/entries")
    if var.shape != input.shape:
        if input.shape[:-1] == var.shape:
            var = var.unsqueeze(-1)
        elif not (var.ndim == input.ndim and input.shape[:-1] == var.shape[:-1] and var.shape[-1] == 1):
            fits = var.ndim <= input.ndim and all(
                a in (1, b) for a, b in zip(reversed(var.shape), reversed(input.shape), strict=False)
            )
            if not fits:
                raise ValueError(f"var is of incorrect size: {list(var.shape)} for an input of {list(input.shape)}")
    traps.no_pairs("gaussian_nll_loss", input, target)
    return ops._gaussian_nll_loss(input, target, var, full, eps, _reduction(reduction))


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor | Sequence[int],
    target_lengths: Tensor | Sequence[int],
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """-log of the probability of all ways to spell the targets, with blanks and repetitions, along the input."""
    reduction = _reduction(reduction)
    if not log_probs.is_floating_point():
        raise RuntimeError(message("ctc_loss", f"log_probs must be floating-point, not {log_probs.dtype}"))
    if targets.dtype.rank != 1:
        raise RuntimeError(
            message("ctc_loss", f"targets must be integers, not {targets.dtype}", instead="targets.long()")
        )
    batched = log_probs.ndim == 3
    x = log_probs if batched else log_probs.unsqueeze(1)  # (T, N, C)
    steps, count, classes = x.shape
    inputs, lengths = _lengths(input_lengths), _lengths(target_lengths)
    if not 0 <= blank < classes:
        raise RuntimeError(f"ctc_loss: blank must be in label range: {blank} is not within 0 to {classes - 1}")
    for name, numbers in (("input_lengths", inputs), ("target_lengths", lengths)):
        if len(numbers) != count:
            raise RuntimeError(f"ctc_loss: {name} must be of size batch_size: {len(numbers)} for {count} sequences")
    if any(not 0 <= n <= steps for n in inputs):
        raise RuntimeError(f"ctc_loss: Expected input_lengths to have value at most {steps}, but got {max(inputs)}")
    room = targets.numel() if targets.ndim == 1 else targets.shape[-1]
    if any(n < 0 for n in lengths) or (sum(lengths) if targets.ndim == 1 else max([*lengths, 0])) > room:
        raise RuntimeError(
            f"ctc_loss: Expected tensor to have size at least {max(lengths)} at dimension 1, but got {room}"
        )
    states, skips, first, last = ops._ctc_states(targets.array, lengths, blank)
    ends = x.new_tensor(inputs, dtype=dtypes.int64).unsqueeze(1)
    losses = ops._ctc_loss(x, states, skips, ends, first, last)
    if zero_infinity:
        losses = where(losses == math.inf, 0.0, losses)
    if reduction == "mean":
        return (losses / x.new_tensor([max(n, 1) for n in lengths])).mean()
    return losses.sum() if reduction == "sum" else losses if batched else losses.squeeze(0)


def _lengths(lengths: Tensor | Sequence[int]) -> list[int]:
    """Lengths as Python numbers."""
    if isinstance(lengths, Tensor):
        if lengths.dtype.rank != 1:
            raise RuntimeError(message("ctc_loss", f"lengths must be integral, not {lengths.dtype}"))
        return lengths.reshape(-1).tolist()
    return [int(n) for n in lengths]

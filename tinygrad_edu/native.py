"""Layers as functions at the top: `torch.batch_norm`, `torch.embedding`, `torch.lstm`.

They are those of `nn.functional` with the arguments in another order, all of them given, and reductions as numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .nn import functional as F
from .ops.recurrent import _gru, _lstm, _rnn, _stacked
from .tensor import Tensor

REDUCTIONS = ("none", "mean", "sum")


def _named(reduction: int) -> str:
    if reduction not in (0, 1, 2):
        raise ValueError(f"{reduction} is not a valid value for reduction; it is 0 for none, 1 for mean, 2 for sum")
    return REDUCTIONS[reduction]


def batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Tensor:
    """`nn.functional.batch_norm`."""
    return F.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


def instance_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Tensor:
    """`nn.functional.instance_norm`."""
    return F.instance_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)


def embedding(
    weight: Tensor, indices: Tensor, padding_idx: int = -1, scale_grad_by_freq: bool = False, sparse: bool = False
) -> Tensor:
    """`nn.functional.embedding`, the table first; a `padding_idx` of -1 is none."""
    padding = None if padding_idx == -1 else padding_idx
    return F.embedding(indices, weight, padding, scale_grad_by_freq=scale_grad_by_freq, sparse=sparse)


# --- losses: the reduction is 0 for none, 1 for the mean, 2 for the sum --------------------------------------------------


def kl_div(input: Tensor, target: Tensor, reduction: int = 1, *, log_target: bool = False) -> Tensor:
    """`nn.functional.kl_div`."""
    return F.kl_div(input, target, reduction=_named(reduction), log_target=log_target)


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: int = 1,
    zero_infinity: bool = False,
) -> Tensor:
    """`nn.functional.ctc_loss`."""
    kind = _named(reduction)
    return F.ctc_loss(log_probs, targets, input_lengths, target_lengths, blank, kind, zero_infinity)


def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Tensor | None = None, pos_weight: Tensor | None = None, reduction: int = 1
) -> Tensor:
    """`nn.functional.binary_cross_entropy_with_logits`."""
    kind = _named(reduction)
    return F.binary_cross_entropy_with_logits(input, target, weight, pos_weight=pos_weight, reduction=kind)


def poisson_nll_loss(input: Tensor, target: Tensor, log_input: bool, full: bool, eps: float, reduction: int) -> Tensor:
    """`nn.functional.poisson_nll_loss`."""
    return F.poisson_nll_loss(input, target, log_input, full, eps=eps, reduction=_named(reduction))


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: int = 1,
) -> Tensor:
    """`nn.functional.triplet_margin_loss`."""
    kind = _named(reduction)
    return F.triplet_margin_loss(anchor, positive, negative, margin, p, eps, swap, reduction=kind)


def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, reduction: int = 1
) -> Tensor:
    """`nn.functional.margin_ranking_loss`."""
    return F.margin_ranking_loss(input1, input2, target, margin, reduction=_named(reduction))


def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, reduction: int = 1
) -> Tensor:
    """`nn.functional.cosine_embedding_loss`."""
    return F.cosine_embedding_loss(input1, input2, target, margin, reduction=_named(reduction))


def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0, reduction: int = 1) -> Tensor:
    """`nn.functional.hinge_embedding_loss`."""
    return F.hinge_embedding_loss(input, target, margin, reduction=_named(reduction))


# --- recurrence ----------------------------------------------------------------------------------------------------------


def _through(
    layer: Callable,
    input: Tensor,
    states: Sequence[Tensor],
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[Tensor, ...]:
    """All layers, one upon the other: the outputs and the final states."""
    each = 4 if has_biases else 2  # weights of one direction of one layer
    needed = each * num_layers * (1 + bidirectional)
    if len(params) != needed:
        raise RuntimeError(
            f"{num_layers} layers{' in both directions' * bidirectional} need {needed} weights, {each} for each; "
            f"{len(params)} were given"
        )
    weights = [tuple(params[i : i + each]) + (None, None) * (each == 2) for i in range(0, needed, each)]
    between = (lambda x: F.dropout(x, dropout)) if train and dropout else None
    x = input.transpose(0, 1) if batch_first else input
    out, finals = _stacked(layer, x, states, weights, 1 + bidirectional, between)
    return out.transpose(0, 1) if batch_first else out, *finals


def lstm(
    input: Tensor,
    hx: Sequence[Tensor],
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[Tensor, ...]:
    """An LSTM: the outputs, the final state, the final cell."""
    return _through(_lstm, input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)


def _of_one_state(layer: Callable, name: str, doc: str) -> Callable[..., tuple[Tensor, ...]]:
    def recurrence(
        input: Tensor,
        hx: Tensor,
        params: Sequence[Tensor],
        has_biases: bool,
        num_layers: int,
        dropout: float,
        train: bool,
        bidirectional: bool,
        batch_first: bool,
    ) -> tuple[Tensor, ...]:
        return _through(layer, input, [hx], params, has_biases, num_layers, dropout, train, bidirectional, batch_first)

    recurrence.__name__, recurrence.__qualname__, recurrence.__doc__ = name, name, doc
    return recurrence


gru = _of_one_state(_gru, "gru", "A GRU: the outputs and the final state.")
rnn_tanh = _of_one_state(_rnn, "rnn_tanh", "A recurrence of tanh: the outputs and the final state.")
rnn_relu = _of_one_state(
    lambda *args: _rnn(*args, relu_=True), "rnn_relu", "A recurrence of relu: the outputs and the final state."
)

__all__ = """
batch_norm binary_cross_entropy_with_logits cosine_embedding_loss ctc_loss embedding gru hinge_embedding_loss
instance_norm kl_div lstm margin_ranking_loss poisson_nll_loss rnn_relu rnn_tanh triplet_margin_loss
""".split()

"""Losses: one number for how far a network's answer is from the target.

`reduction` says what becomes of the elements' losses: "none", "sum" or "mean". Hot losses are one operation with a
short way back; the others are compositions, and read like their formulas.
"""

from __future__ import annotations

import math

import numpy as np

from .. import devices
from ..errors import message
from ..op import expand, op
from ..sums import starts
from ..tensor import wrap
from .activations import _logsigmoid
from .complexes import abs
from .creation import full_like
from .joining import cat, stack, unbind
from .operands import refuse
from .pointwise import _where, exp, log, log1p, sigmoid, sqrt, xlogy
from .reductions import logsumexp
from .rounding import _clamp, clamp, minimum
from .scattering import gather
from .shape import _reshape, unsqueeze
from .softmax import _log_softmax, _row_max, _row_sum


def _reduced(losses, reduction):
    """The elements' losses as they are, their sum, or their mean."""
    if reduction == "none":
        return losses
    return losses.sum() / math.prod(losses.shape) if reduction == "mean" else losses.sum()


def _share(g, shape, reduction):
    """What of the gradient each of the losses gets."""
    return g / max(math.prod(shape), 1) if reduction == "mean" else g


# --- distances between numbers ---------------------------------------------------------------------------------------


@op
def _mse_loss(x, y, reduction="mean"):
    """(x - y)²"""
    refuse("biu", "mse_loss", x)
    d = x - y
    d *= d
    return _reduced(d, reduction)


def _mse_grad(g, x, y, reduction):
    d = x - y
    return d * _share(2 * g, d.shape, reduction)


@op
def _huber_loss(x, y, reduction="mean", delta=1.0):
    """½ d² where d = |x - y| is below delta, the line delta (d - ½ delta) that continues it above."""
    refuse("biu", "huber_loss", x)
    d = np.abs(x - y)
    inner = np.minimum(d, delta)
    return _reduced(inner * (d - 0.5 * inner), reduction)


def _huber_grad(g, x, y, reduction, delta):
    d = x - y
    return _clamp(d, -delta, delta) * _share(g, d.shape, reduction)


_mse_loss.grad(
    x=_mse_grad,
    y=lambda g, x, y, reduction: _mse_grad(g, y, x, reduction),
)
_huber_loss.grad(
    x=_huber_grad,
    y=lambda g, x, y, reduction, delta: _huber_grad(g, y, x, reduction, delta),
)


def _l1_loss(x, y, reduction="mean"):
    """|x - y|"""
    return _reduced(abs(x - y), reduction)


def _smooth_l1_loss(x, y, reduction="mean", beta=1.0):
    """½ d² / beta where d = |x - y| is below beta, d - ½ beta above."""
    return _huber_loss(x, y, reduction, beta) / beta if beta else _l1_loss(x, y, reduction)


# --- two classes -----------------------------------------------------------------------------------------------------


@op
def _binary_cross_entropy(x, y, weight=None, reduction="mean"):
    """-weight (y log x + (1 - y) log(1 - x)), where no logarithm is below -100."""
    losses = (y - 1) * np.maximum(np.log1p(-x), -100) - y * np.maximum(np.log(x), -100)
    return _reduced(losses if weight is None else losses * weight, reduction)


def _bce_grad(g, x, y, weight, reduction):
    slope = (x - y) / _clamp(x * (1 - x), 1e-12, None)
    slope = slope if weight is None else slope * weight
    return slope * _share(g, slope.shape, reduction)


def _bce_target_grad(g, x, weight, reduction):
    slope = _clamp(log1p(-x), -100, None) - _clamp(log(x), -100, None)
    slope = slope if weight is None else slope * weight
    return slope * _share(g, slope.shape, reduction)


@op
def _binary_cross_entropy_with_logits(x, y, weight=None, pos_weight=None, reduction="mean"):
    """The binary cross-entropy of sigmoid(x), without ever computing its logarithm."""
    losses = np.log1p(np.exp(-np.abs(x)))  # log(1 + exp(-x)) for x above 0; below, -x is to be added
    if pos_weight is None:
        losses = losses + np.maximum(x, 0) - x * y
    else:
        losses = (losses - np.minimum(x, 0)) * (1 + (pos_weight - 1) * y) + (1 - y) * x
    return _reduced(losses if weight is None else losses * weight, reduction)


def _logits_grad(g, x, y, weight, pos_weight, reduction):
    s = sigmoid(x)
    slope = s - y if pos_weight is None else (1 - y) * s - pos_weight * y * (1 - s)
    slope = slope if weight is None else slope * weight
    return slope * _share(g, slope.shape, reduction)


def _logits_target_grad(g, x, weight, pos_weight, reduction):
    slope = -x if pos_weight is None else _logsigmoid(x) * (1 - pos_weight) - x
    slope = slope if weight is None else slope * weight
    return slope * _share(g, slope.shape, reduction)


_binary_cross_entropy.grad(x=_bce_grad, y=_bce_target_grad)
_binary_cross_entropy_with_logits.grad(x=_logits_grad, y=_logits_target_grad)

# --- many classes ----------------------------------------------------------------------------------------------------
# Classes lie along dimension 1, or 0 where it is the only one. Inside they are brought to rows (R, C). Targets are
# class numbers; those equal to `ignore_index` count for nothing. Whether there are any is found out in the operation, so
# that a recorded step finds it out again at each replay.


def _rows(x):
    if x.ndim == 2:
        return x
    return x.reshape(1, -1) if x.ndim == 1 else np.moveaxis(x, 1, -1).reshape(-1, x.shape[1])


def _unrows(rows, shape):
    """Rows in their old arrangement."""
    if len(shape) <= 2:
        return rows.reshape(shape)
    return np.moveaxis(rows.reshape(shape[0], *shape[2:], shape[1]), -1, 1)


def _targets(target, classes, weight, ignore_index, dtype):
    """Each row's class, and what the row weighs: None where all weigh 1."""
    t, w = target.reshape(-1), None
    if ignore_index is not None and not _all_count(t, classes, ignore_index):
        counted = t != ignore_index
        t, w = t * counted, counted.astype(dtype)
    if weight is not None:
        w = weight[t] if w is None else weight[t] * w
    return t, w


def _all_count(t, classes, ignore_index):
    """Whether no target is to be ignored; raises for one that is no class. A GPU is not asked: it would have to wait."""
    if not t.size or not (type(t) is np.ndarray or devices.blocking):
        return False
    # seen as unsigned numbers the negative ones are huge: one pass finds all that are out of range
    if (t.view(np.uint64) if t.dtype == np.int64 else t).max() < classes and not 0 <= ignore_index < classes:
        return True
    wrong = t[((t < 0) | (t >= classes)) & (t != ignore_index)]
    if wrong.size:
        out = f"Target {int(wrong[0])} is out of bounds."
        raise IndexError(message(f"a loss over {classes} classes", out, instead=f"classes 0 to {classes - 1}"))
    return False


def _weight_of_all(w):
    """What the rows weigh together; 1 where all are ignored, so that their gradients are 0, though the loss is 0 / 0."""
    return (total := w.sum()) + (total == 0)


def _share_of_rows(w, t, reduction, dtype):
    """What of the gradient each row gets, with its weight; one number where all rows get the same."""
    if w is None:
        return dtype.type(1 / max(t.size, 1) if reduction == "mean" else 1)
    return w / _weight_of_all(w) if reduction == "mean" else w


def _reduced_rows(losses, w, reduction, shape):
    """The rows' losses reduced; their mean is weighted."""
    if reduction == "none":
        return losses.reshape(shape)
    total = losses.sum()
    return total if reduction == "sum" else total / (losses.size if w is None else w.sum())


@op(differentiable=False)
def _target_weights(target, *, weight, ignore_index, reduction, shape, dtype):
    """What each log-probability weighs in the loss: minus the row's weight at its target, 0 elsewhere."""
    t, w = _targets(target, shape[min(len(shape), 2) - 1], weight, ignore_index, dtype.numpy)
    rows = devices.zeros((t.size, shape[min(len(shape), 2) - 1]), dtype.numpy, like=target)
    rows[devices.arange(t.size, like=t), t] = -_share_of_rows(w, t, reduction, dtype.numpy)
    return _unrows(rows, shape)


@op(tied=True)
def _nll_loss(x, target, weight=None, ignore_index=None, reduction="mean"):
    """-weight[t] x[t] at each row's target class t, for log-probabilities x."""
    rows = _rows(x)
    t, w = _targets(target, rows.shape[1], weight, ignore_index, x.dtype)
    losses = -rows[devices.arange(t.size, like=x), t]
    return _reduced_rows(losses if w is None else losses * w, w, reduction, target.shape)


def _nll_grad(g, target, weight, ignore_index, reduction, x_shape, x_dtype):
    if reduction == "none" and len(x_shape) > 1:
        g = _reshape(g, (x_shape[0], 1, *x_shape[2:]))
    options = {"weight": weight, "ignore_index": ignore_index, "reduction": reduction}
    return g * _target_weights(target, **options, shape=x_shape, dtype=x_dtype)


_nll_loss.grad(x=_nll_grad)


def _cross_entropy_plain(x, target, weight=None, ignore_index=None, reduction="mean", label_smoothing=0.0):
    dim = min(x.ndim, 2) - 1
    logp = _log_softmax(x, dim)
    losses = _nll_loss(logp, target, weight, ignore_index, "none")
    if label_smoothing:
        everywhere = logp if weight is None else logp * _reshape(weight, (-1, *[1] * (x.ndim - 1 - dim)))
        everywhere = everywhere.sum(dim)
        if ignore_index is not None:
            everywhere = everywhere * (target != ignore_index)
        losses = losses * (1 - label_smoothing) - everywhere * (label_smoothing / x.shape[dim])
    if reduction != "mean":
        return _reduced(losses, reduction)
    ones = _nll_loss(logp.detach() * 0 - 1, target, weight, ignore_index, "sum")
    return losses.sum() / ones


@op(plain=_cross_entropy_plain, keeps="e s t share")
def _cross_entropy(x, target, weight=None, ignore_index=None, reduction="mean", label_smoothing=0.0):
    """-log softmax(x)[t] at each row's target class t, from logits x."""
    rows = _rows(x)  # (R, C)
    t, w = _targets(target, rows.shape[1], weight, ignore_index, x.dtype)
    losses, e, s = _softmax_losses(rows, t)
    if w is not None:
        losses *= w
    if label_smoothing:
        losses *= 1 - label_smoothing
        losses += _smooth_part(np.log(s) + _row_max(rows) - rows, target, weight, ignore_index, label_smoothing)
    return _reduced_rows(losses, w, reduction, target.shape), e, s, t, _share_of_rows(w, t, reduction, x.dtype)


@devices.fused
def _softmax_losses(rows, t):
    """-log softmax(rows)[t] for each row, and the softmax as numerators and denominators."""
    rows = rows if rows.flags.c_contiguous else rows.copy("C")
    z = rows - _row_max(rows)
    e = np.exp(z)
    s = _row_sum(e)
    return np.log(s)[:, 0] - z.reshape(-1)[_places(z, t)], e, s


@devices.fused
def _softmax_losses_grad(e, s, total, at_target, t):
    """total e / s, less `at_target` at each row's class t."""
    rows = e * ((total[:, None] if total.ndim else total) / s)
    rows.reshape(-1)[_places(e, t)] -= at_target
    return rows


def _places(rows, t):
    """Where each row's class lies among all the numbers of all rows: one index is half the work of two."""
    first = starts(*rows.shape) if type(rows) is np.ndarray else devices.arange(len(rows), like=rows) * rows.shape[1]
    return first + t


def _smooth_part(losses, target, weight, ignore_index, label_smoothing):
    """The part of each row's loss that label smoothing spreads evenly over all classes."""
    spread = losses.sum(1) if weight is None else losses @ weight
    spread *= label_smoothing / losses.shape[1]
    return spread if ignore_index is None else spread * (target.reshape(-1) != ignore_index)


def _cross_entropy_grad(g, e, s, t, share, target, weight, ignore_index, reduction, label_smoothing, x_shape):
    # each row: its share times (softmax - one at the target); with smoothing, part of the target lies on every class
    g = g.reshape(-1) if reduction == "none" else g
    at_target = g * share
    if not label_smoothing:
        return _unrows(_softmax_losses_grad(e, s, at_target, at_target, t), x_shape)
    classes = e.shape[1]
    if reduction == "mean":
        w = _targets(target, classes, weight, ignore_index, e.dtype)[1]
        g = g / (t.size if w is None else _weight_of_all(w))
    every = g * (label_smoothing / classes) * (1 if ignore_index is None else target.reshape(-1) != ignore_index)
    at_target = at_target * (1 - label_smoothing)
    total = at_target + every * (classes if weight is None else weight.sum())
    rows = _softmax_losses_grad(e, s, total, at_target, t)
    every = every[:, None] if every.ndim else every
    rows -= every if weight is None else every * weight
    return _unrows(rows, x_shape)


_cross_entropy.grad(x=_cross_entropy_grad)


def _soft_cross_entropy(x, target, weight=None, reduction="mean", label_smoothing=0.0):
    """-Σ target log softmax(x) over the classes, for targets that are probabilities."""
    dim = min(x.ndim, 2) - 1
    logp = _log_softmax(x, dim)
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / x.shape[dim]
    if weight is not None:
        target = target * _reshape(weight, (-1, *[1] * (x.ndim - 1 - dim)))
    return _reduced(-(logp * target).sum(dim), reduction)


# --- distributions ---------------------------------------------------------------------------------------------------


def _kl_div(x, target, reduction="mean", log_target=False):
    """target (log target - x), for log-probabilities x."""
    losses = exp(target) * (target - x) if log_target else xlogy(target, target) - target * x
    return _reduced(losses, reduction)


def _poisson_nll_loss(x, target, log_input=True, full=False, eps=1e-8, reduction="mean"):
    """λ - target log λ, for x = log λ or x = λ; `full` adds Stirling's approximation of log target!"""
    losses = exp(x) - target * x if log_input else x - target * log(x + eps)
    if full:
        stirling = xlogy(target, target) - target + log(target * (2 * math.pi)) * 0.5
        losses = losses + _where(target > 1, stirling, 0.0)
    return _reduced(losses, reduction)


def _gaussian_nll_loss(x, target, var, full=False, eps=1e-6, reduction="mean"):
    """½ (log var + (x - target)² / var); a variance below eps counts as eps."""
    var = var + (clamp(var, eps) - var).detach()  # the gradient goes through as if nothing had been cut off
    losses = (log(var) + (x - target) ** 2 / var) * 0.5
    return _reduced(losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction)


# --- margins: nothing is lost once an answer is right by enough --------------------------------------------------------


def _hinge_embedding_loss(x, target, margin=1.0, reduction="mean"):
    """x where the target is 1, max(0, margin - x) where it is -1"""
    losses = _where(target != 1, clamp(margin - x, 0), 0.0) + _where(target != -1, x, 0.0)
    return _reduced(losses, reduction)


def _margin_ranking_loss(x1, x2, target, margin=0.0, reduction="mean"):
    """max(0, margin - target (x1 - x2))"""
    return _reduced(clamp(margin - target * (x1 - x2), 0), reduction)


def _soft_margin_loss(x, target, reduction="mean"):
    """log(1 + exp(-target x))"""
    return _reduced(-_logsigmoid(target * x), reduction)


def _multilabel_soft_margin_loss(x, target, weight=None, reduction="mean"):
    """The binary cross-entropy of each class's logit, averaged over the classes."""
    losses = -(target * _logsigmoid(x) + (1 - target) * _logsigmoid(-x))
    return _reduced((losses if weight is None else losses * weight).mean(-1), reduction)


def _multi_margin_loss(x, target, p=1, margin=1.0, weight=None, reduction="mean"):
    """Σ max(0, margin - x[t] + x[i])ᵖ weight[t] over the classes i other than t, over the number of classes."""
    rows, t = _reshape(x, (-1, x.shape[-1] if x.ndim else 1)), _reshape(target, (-1,))  # (R, C), (R)
    at_target = unsqueeze(_nll_loss(rows, t, reduction="none"), 1)  # -x[t]
    losses = clamp(rows + at_target + margin, 0) ** p * ~_is_class(t, rows.shape[1])
    losses = losses.sum(1) / rows.shape[1]
    losses = losses if weight is None else losses * weight[t]
    return _reduced(_reshape(losses, tuple(target.shape)), reduction)


def _multilabel_margin_loss(x, target, reduction="mean"):
    """Σ max(0, 1 - x[t] + x[i]) over the target classes t and all others i; targets end at the first -1."""
    classes = x.shape[-1] if x.ndim else 1
    rows, t = _reshape(x, (-1, classes)), _reshape(target, (-1, classes))  # (R, C), (R, T)
    listed = unsqueeze((t < 0).cumsum(1) == 0, 2)
    is_target = _is_class(t, classes) & listed  # (R, T, C)
    others = listed & ~unsqueeze(is_target.any(1), 1)
    at_target = (unsqueeze(rows, 1) * is_target).sum(2, keepdim=True)
    losses = clamp(1 - at_target + unsqueeze(rows, 1), 0) * others
    return _reduced(_reshape(losses.sum((1, 2)) / classes, tuple(x.shape[:-1])), reduction)


@op(differentiable=False)
def _is_class(t, classes):
    """Whether each class is the target."""
    return t[..., None] == devices.arange(classes, like=t)


# --- pairs and triples of vectors --------------------------------------------------------------------------------------


def _cosine_embedding_loss(x1, x2, target, margin=0.0, reduction="mean"):
    """1 - cos(x1, x2) where the target is 1, max(0, cos(x1, x2) - margin) where it is -1"""
    tiny = 1e-12
    lengths = sqrt(((x1 * x1).sum(-1) + tiny) * ((x2 * x2).sum(-1) + tiny))
    cos = (x1 * x2).sum(-1) / lengths
    losses = _where(target == 1, 1 - cos, 0.0) + _where(target == -1, clamp(cos - margin, 0), 0.0)
    return _reduced(losses, reduction)


def _triplet_margin_loss(anchor, positive, negative, distance, margin=1.0, swap=False, reduction="mean"):
    """max(0, distance(anchor, positive) - distance(anchor, negative) + margin)"""
    far = distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    return _reduced(clamp(distance(anchor, positive) - far + margin, 0), reduction)


# --- sequences: all ways to spell the target -----------------------------------------------------------------------------
# A path says one class at each step; it spells its classes with repetitions and blanks taken out. With the target's
# classes between blanks as states (L = 2 S + 1), it stays, moves on by one, or skips a blank between different classes.


def _ctc_plain(x, states, skips, lengths, first, last):
    impossible = -1e30
    steps = unbind(gather(x, 2, expand(states, (x.shape[0], *states.shape))), 0)  # T of (N, L)
    before = full_like(steps[0][:, :2], impossible)
    alpha = _where(first, steps[0], impossible)
    for t, step in enumerate(steps[1:], 1):
        one, two = cat([before[:, :1], alpha[:, :-1]], 1), cat([before, alpha], 1)[:, : alpha.shape[1]]
        reached = logsumexp(stack([alpha, one, _where(skips, two, impossible)]), 0)
        alpha = _where(lengths > t, reached + step, alpha)
    losses = -logsumexp(_where(last, alpha, impossible), 1)
    return _where(losses > -0.1 * impossible, math.inf, losses)


@op(plain=_ctc_plain, keeps="alphas")
def _ctc_loss(x, states, skips, lengths, first, last):
    """-log Σ exp(Σ x along a path), over all paths through the states."""
    said = np.take_along_axis(x, states[None], 2)  # (T, N, L)
    alphas = devices.full(said.shape, -math.inf, x.dtype, like=x)  # of all paths up to here that end in this state
    alphas[0] = np.where(first, said[0], -math.inf)
    for t in range(1, len(x)):
        alpha, reached = alphas[t - 1], alphas[t - 1].copy()
        reached[:, 1:] = np.logaddexp(reached[:, 1:], alpha[:, :-1])
        reached[:, 2:] = np.logaddexp(reached[:, 2:], np.where(skips[:, 2:], alpha[:, :-2], -math.inf))
        alphas[t] = np.where(lengths > t, reached + said[t], alpha)
    ends = np.where(last, alphas[-1], -math.inf)
    greatest = np.maximum(ends.max(1, keepdims=True), np.finfo(x.dtype).min)
    return -greatest[:, 0] - np.log(np.exp(ends - greatest).sum(1)), alphas


def _ctc_grad(g, out, alphas, x, states, skips, lengths, last):
    said = np.take_along_axis(x, states[None], 2)
    beta = np.where(last, 0.0, -math.inf).astype(x.dtype)  # of all ways from here, this step not counted, to the end
    chances = devices.zeros(said.shape, x.dtype, like=x)  # that a path is in a state at a time
    finite = np.isfinite(out)[:, None]
    total = np.where(finite, out[:, None], 0)
    for t in range(len(x) - 1, -1, -1):
        chances[t] = np.where((lengths > t) & finite, np.exp(alphas[t] + beta + total), 0)
        onward = beta + said[t]
        reached = onward.copy()
        reached[:, :-1] = np.logaddexp(reached[:, :-1], onward[:, 1:])
        reached[:, :-2] = np.logaddexp(reached[:, :-2], np.where(skips[:, 2:], onward[:, 2:], -math.inf))
        beta = np.where(lengths > t, reached, beta)
    gx = devices.zeros(x.size, x.dtype, like=x)
    rows = devices.arange(len(x) * len(g), like=states).reshape(len(x), len(g), 1)  # of x as a matrix (T * N, C)
    devices.scatter_add(gx, (rows * x.shape[2] + states).reshape(-1), (chances * -g[:, None]).reshape(-1))
    return gx.reshape(x.shape)


_ctc_loss.grad(x=_ctc_grad)


def _ctc_states(targets, lengths, blank):
    """The states of each target (N, L), which of them may be reached past a blank, where paths begin, and where they end.

    Targets are rows (N, S), or all in one row, one behind the other.
    """
    count, longest = len(lengths), max([*lengths, 0])
    states = devices.full((count, 2 * longest + 1), blank, np.int64, like=targets)
    at = 0
    for row, n in zip(range(count), lengths, strict=True):
        states[row, 1 : 2 * n : 2] = targets[row, :n] if targets.ndim > 1 else targets[at : at + n]
        at += n
    skips = devices.zeros(states.shape, bool, like=targets)
    skips[:, 2:] = (states[:, 2:] != blank) & (states[:, 2:] != states[:, :-2])
    place = devices.arange(states.shape[1], like=states)
    end = devices.asarray(lengths, states, np.int64)[:, None] * 2
    return [wrap(a) for a in (states, skips, (place <= 1) & (place <= end), (place == end) | (place == end - 1))]

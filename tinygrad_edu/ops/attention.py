"""Attention: every query takes a mixture of the values, weighted by how well it fits each key."""

from __future__ import annotations

import math

import numpy as np

from .. import devices, dtypes
from ..op import op
from ..tensor import wrap
from .pointwise import _where
from .reductions import amax
from .shape import mT
from .softmax import _softmax


def _attention_plain(query, key, value, bias, dropped=None, scale=1.0):
    scores = (query * scale) @ mT(key)  # (..., T, S)
    if bias is None:
        weights = _softmax(scores, -1)
    else:
        scores = scores + bias
        blind = amax(scores.detach(), -1, True) == -math.inf  # no key to look at: no weights, rather than 0 / 0
        weights = _where(blind, 0.0, _softmax(_where(blind, 0.0, scores), -1))
    return (weights if dropped is None else weights * dropped) @ value


@op(plain=_attention_plain, keeps="exps sums")
def _attention(query, key, value, bias, *, dropped=None, scale=1.0):
    """softmax(scale * query keyᵀ + bias) value; a bias of -inf hides a key, `dropped` multiplies the weights.

    A query's scores lie in a column: NumPy finds the maxima of columns four times as fast as those of rows. The sums
    divide the result, which is smaller than the weights.
    """
    exps = key @ (query * scale).swapaxes(-1, -2)  # (..., S, T)
    if bias is None:
        exps -= _column_max(exps)
    else:
        exps = _plus(exps, bias.swapaxes(-1, -2))
        limits = np.finfo(exps.dtype)  # these leave a query that sees no key with zeros, rather than 0 / 0
        exps -= np.maximum(_column_max(exps), limits.min)
    np.exp(exps, out=exps)
    sums = np.einsum("...st->...t", exps)[..., None]  # (..., T, 1)
    if bias is not None:
        np.maximum(sums, limits.tiny, out=sums)
    out = _dropped(exps, dropped).swapaxes(-1, -2) @ value
    out /= sums
    return out, exps, sums


def _column_max(scores):
    """The greatest of each column, which stays as a row."""
    return scores.max(-2, keepdims=True) if scores.size else 0


def _plus(scores, bias):
    """The sum, where it has the scores' shape in their memory."""
    shape = np.broadcast_shapes(scores.shape, bias.shape)
    return np.add(scores, bias, out=scores) if shape == scores.shape else scores + bias


def _dropped(exps, dropped):
    return exps if dropped is None else exps * dropped.swapaxes(-1, -2)


def _attention_grad(g, out, exps, sums, query, key, value, bias, dropped, scale, needs):
    gq = gk = gv = scores = None
    g = g / sums
    if needs & 4:
        gv = _dropped(exps, dropped) @ g
    if needs & 11:  # softmax backwards: the sum over the keys of g_weights * weights is that of g * out
        scores = value @ g.swapaxes(-1, -2)  # (..., S, T)
        if dropped is not None:
            scores *= dropped.swapaxes(-1, -2)
        scores -= np.einsum("...v,...v->...", g, out)[..., None, :]
        scores *= exps
    if needs & 1:
        gq = scores.swapaxes(-1, -2) @ key
        gq *= scale
    if needs & 2:
        gk = scores @ (query * scale)
    return gq, gk, gv, None if scores is None else scores.swapaxes(-1, -2)


_attention.grad(together=_attention_grad)


def _as_bias(mask, query):
    """A mask as what is added to the scores: where False, -inf."""
    if mask.dtype is not dtypes.bool_:
        return mask.to(query.dtype)
    return wrap(np.where(mask.array, 0, -math.inf).astype(query.array.dtype))


def _causal_bias(query, key):
    """-inf for every key that comes after the query."""
    like = query.array
    queries, keys = (devices.arange(t.shape[-2], like=like) for t in (query, key))
    return wrap(np.where(queries[:, None] >= keys, 0, -math.inf).astype(like.dtype))

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
from .softmax import _row_max, _row_sum, _softmax


def _attention_plain(query, key, value, bias, dropped=None, scale=1.0):
    scores = (query * scale) @ mT(key)  # (..., T, S)
    if bias is None:
        weights = _softmax(scores, -1)
    else:
        scores = scores + bias
        blind = amax(scores.detach(), -1, True) == -math.inf  # no key to look at: no weights, rather than 0 / 0
        weights = _where(blind, 0.0, _softmax(_where(blind, 0.0, scores), -1))
    return (weights if dropped is None else weights * dropped) @ value


@op(plain=_attention_plain, keeps="weights")
def _attention(query, key, value, bias, *, dropped=None, scale=1.0):
    """softmax(scale * query keyᵀ + bias) value; a bias of -inf hides a key, `dropped` multiplies the weights."""
    weights = (query * scale) @ key.swapaxes(-1, -2)  # (..., T, S)
    if bias is None:
        weights -= _row_max(weights) if weights.size else 0
        np.exp(weights, out=weights)
        weights /= _row_sum(weights)
    else:
        weights = weights + bias
        limits = np.finfo(weights.dtype)  # these leave a query that sees no key with zeros, rather than 0 / 0
        weights -= np.maximum(_row_max(weights), limits.min) if weights.size else 0
        np.exp(weights, out=weights)
        weights /= np.maximum(_row_sum(weights), limits.tiny)
    return (weights if dropped is None else weights * dropped) @ value, weights


def _attention_grad(g, out, weights, query, key, value, bias, dropped, scale, needs):
    gq = gk = gv = scores = None
    if needs & 4:
        gv = (weights if dropped is None else weights * dropped).swapaxes(-1, -2) @ g
    if needs & 11:  # softmax backwards: the sum over the keys of g_weights * weights is that of g * out
        scores = g @ value.swapaxes(-1, -2)  # (..., T, S)
        if dropped is not None:
            scores *= dropped
        scores -= np.einsum("...v,...v->...", g, out)[..., None]
        scores *= weights
    if needs & 1:
        gq = scores @ key
        gq *= scale
    if needs & 2:
        gk = scores.swapaxes(-1, -2) @ (query * scale)
    return gq, gk, gv, scores


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

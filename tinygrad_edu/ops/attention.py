"""Attention: every query takes a mixture of the values, weighted by how well it fits each key."""

from __future__ import annotations

import functools
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


@op(plain=_attention_plain, keeps="weights")
def _attention(query, key, value, bias, *, dropped=None, scale=1.0):
    """softmax(scale * query keyᵀ + bias) value; a bias of -inf hides a key, `dropped` multiplies the weights.

    A query's scores lie in a column: NumPy finds the maxima of columns four times as fast as those of rows.
    """
    scores = key @ (query * scale).swapaxes(-1, -2)  # (..., S, T)
    if bias is not None:
        scores = _plus(scores, bias.swapaxes(-1, -2))
    weights, sums = _column_powers(scores, bias is not None)
    weights *= np.reciprocal(sums)[..., None, :]
    return _product(_dropped(weights, dropped).swapaxes(-1, -2), value, query), weights


def _product(x, y, like):
    """The matrix product, in memory as `like` is: so heads that are views of a projection go back without a copy."""
    shape = (*np.broadcast_shapes(x.shape[:-2], y.shape[:-2]), x.shape[-2], y.shape[-1])
    return np.matmul(x, y, out=np.empty_like(like, shape=shape)) if len(shape) == like.ndim else x @ y


@devices.fused
def _column_powers(scores, hidden):
    """e to the scores, less the greatest of their column, in their memory; and the sum of each column.

    A query that sees no key, where keys can be hidden, is left with zeros and a small sum, rather than 0 / 0.
    """
    limits = np.finfo(scores.dtype) if hidden else None
    scores -= np.maximum(_column_max(scores), limits.min) if hidden else _column_max(scores)
    np.exp(scores, out=scores)
    sums = np.einsum("...st->...t", scores)
    return scores, np.maximum(sums, limits.tiny, out=sums) if hidden else sums


def _column_max(scores):
    """The greatest of each column, which stays as a row."""
    return scores.max(-2, keepdims=True) if scores.size else 0


def _plus(scores, bias):
    """The sum, where it has the scores' shape in their memory."""
    shape = np.broadcast_shapes(scores.shape, bias.shape)
    return np.add(scores, bias, out=scores) if shape == scores.shape else scores + bias


def _dropped(weights, dropped):
    return weights if dropped is None else weights * dropped.swapaxes(-1, -2)


def _attention_grad(g, out, weights, query, key, value, bias, dropped, scale, needs):
    gq = gk = gv = scores = None
    if needs & 4:
        gv = _product(_dropped(weights, dropped), g, value)
    if needs & 11:  # softmax backwards: the sum over the keys of g_weights * weights is that of g * out
        scores = value @ g.swapaxes(-1, -2)  # (..., S, T)
        if dropped is not None:
            scores *= dropped.swapaxes(-1, -2)
        scores -= np.einsum("...v,...v->...", g, out)[..., None, :]
        scores *= weights
    if needs & 1:
        gq = _product(scores.swapaxes(-1, -2), key, query)
        gq *= scale
    if needs & 2:
        gk = _product(scores, query * scale, key)
    return gq, gk, gv, None if scores is None else scores.swapaxes(-1, -2)


_attention.grad(together=_attention_grad)


def _as_bias(mask, query):
    """A mask as what is added to the scores: where False, -inf."""
    if mask.dtype is not dtypes.bool_:
        return mask.to(query.dtype)
    return wrap(np.where(mask.array, 0, -math.inf).astype(query.array.dtype))


def _causal_bias(query, key):
    """-inf for every key that comes after the query."""
    like, size = query.array, (query.shape[-2], key.shape[-2])
    return wrap(_causal(*size, like.dtype) if type(like) is np.ndarray else _later(*size, like))


@functools.lru_cache(16)
def _causal(queries, keys, dtype):
    """The same for each step of a training loop; to be read only. A query's lies in a column, as its scores do."""
    return np.asfortranarray(_later(queries, keys, np.empty(0, dtype)))


def _later(queries, keys, like):
    first, second = devices.arange(queries, like=like), devices.arange(keys, like=like)
    return np.where(first[:, None] >= second, 0, -math.inf).astype(like.dtype)

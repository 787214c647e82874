"""Attention."""

from __future__ import annotations

import math
from typing import Any

from ... import dtypes
from ...errors import describe, message
from ...ops import attention as ops
from ...ops import cat, linear, zeros
from ...tensor import Tensor
from .sparse import dropout, dropout_mask

__all__ = ["multi_head_attention_forward", "scaled_dot_product_attention"]


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(query keyᵀ / √E + mask) value: (..., T, E), (..., S, E), (..., S, Ev) to (..., T, Ev)."""
    what = "scaled_dot_product_attention"
    for name, t in (("query", query), ("key", key), ("value", value)):
        if t.ndim < 2:
            wrong = f"Expected query, key, and value to all be at least 2 dimensional, but {name} is {list(t.shape)}"
            raise RuntimeError(message(what, wrong))
    if not query.dtype == key.dtype == value.dtype:
        wrong = (
            f"Expected query, key, and value to have the same dtype, but got {query.dtype}, {key.dtype}, {value.dtype}"
        )
        raise RuntimeError(message(what, wrong))
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        wrong = f"query {list(query.shape)}, key {list(key.shape)} and value {list(value.shape)} do not fit together"
        instead = "a query (..., T, E), a key (..., S, E) and a value (..., S, Ev)"
        raise RuntimeError(message(what, wrong, instead=instead))
    if attn_mask is not None and is_causal:
        raise RuntimeError(message(what, "Explicit attn_mask should not be set when is_causal=True"))
    if attn_mask is not None and attn_mask.dtype not in (query.dtype, dtypes.bool_, dtypes.float32):
        got = f"{attn_mask.dtype} and {query.dtype}"
        wrong = f"Expected attn_mask dtype to be bool or float32 or to match query dtype, but got {got}"
        raise RuntimeError(message(what, wrong))
    if not 0 <= dropout_p < 1:
        raise RuntimeError(message(what, f"dropout probability has to be between 0 and 1, but got {dropout_p}"))
    scale = 1 / math.sqrt(max(query.shape[-1], 1)) if scale is None else scale
    bias = None if attn_mask is None else ops._as_bias(attn_mask, query)
    if is_causal:
        bias = ops._causal_bias(query, key)
    shape = None
    if enable_gqa and query.shape[-3] != key.shape[-3]:
        shape = query.shape
        query, key, value, bias = _grouped(query, key, value, bias)
    dropped = None
    if dropout_p:
        dropped = dropout_mask((*query.shape[:-1], key.shape[-2]), dropout_p, query)
    out = ops._attention(query, key, value, bias, dropped=dropped, scale=scale)
    return out if shape is None else out.reshape(*shape[:-1], out.shape[-1])


def _grouped(query, key, value, bias):
    """Several query heads to one key head, as a dimension of its own, so that nothing is repeated."""
    heads, groups = query.shape[-3], key.shape[-3]
    if not groups or heads % groups:
        wrong = (
            f"Number of heads in key and value must divide the number of heads in query, but {groups} does not {heads}"
        )
        raise RuntimeError(message("scaled_dot_product_attention", wrong))
    query = query.reshape(*query.shape[:-3], groups, heads // groups, *query.shape[-2:])  # (B, G, H / G, T, E)
    if bias is not None and bias.ndim > 2:
        split = (groups, heads // groups) if bias.shape[-3] == heads else (1, 1)
        bias = bias.reshape(*bias.shape[:-3], *split, *bias.shape[-2:])
    return query, key.unsqueeze(-3), value.unsqueeze(-3), bias


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: Any = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: Any = False,
) -> tuple[Tensor, Tensor | None]:
    """Attention in `num_heads` subspaces side by side: (T, B, E), (S, B, E) to (T, B, E), and the weights (B, T, S)."""
    what = "multi_head_attention_forward"
    batched = _check_heads(query, key, value, key_padding_mask, attn_mask, num_heads)
    if is_causal and attn_mask is None:
        raise RuntimeError("Need attn_mask if specifying the is_causal hint.")
    if not batched:
        query, key, value = (t.unsqueeze(1) for t in (query, key, value))
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    length, batch, width = query.shape
    if width != embed_dim_to_check:
        wrong = f"was expecting embedding dimension of {embed_dim_to_check}, but got {width}"
        instead = f"a query of shape (length, batch, {embed_dim_to_check}), or a layer with embed_dim={width}"
        raise AssertionError(message(f"{what} of a query {describe(query)}", wrong, instead=instead))
    size = width // num_heads
    if size * num_heads != width:
        raise AssertionError(f"embed_dim {width} not divisible by num_heads {num_heads}")
    as_many = "a key and a value of equal length and batch: they are what is looked through, in pairs"
    if use_separate_proj_weight:
        if key.shape[:2] != value.shape[:2]:
            wrong = f"key's sequence and batch dims {list(key.shape[:2])} do not match value's {list(value.shape[:2])}"
            raise AssertionError(message(what, wrong, instead=as_many))
        weights = (q_proj_weight, k_proj_weight, v_proj_weight)
        if any(w is None for w in weights):
            raise AssertionError(
                "use_separate_proj_weight is True but q_proj_weight, k_proj_weight or v_proj_weight is None"
            )
    else:
        if key.shape != value.shape:
            wrong = f"key shape {list(key.shape)} does not match value shape {list(value.shape)}"
            raise AssertionError(message(what, wrong, instead=as_many))
        if in_proj_weight is None:
            raise AssertionError("use_separate_proj_weight is False but in_proj_weight is None")
        weights = in_proj_weight.chunk(3)
    q, k, v = _projected(query, key, value, weights, in_proj_weight, in_proj_bias, use_separate_proj_weight)

    if key_padding_mask is not None and key_padding_mask.shape != (batch, key.shape[0]):
        wrong = f"Expected key_padding_mask of shape (N, S) = {(batch, key.shape[0])}, but got"
        turned = key_padding_mask.shape[::-1] == (batch, key.shape[0])
        instead = "key_padding_mask.T" if turned else "True where a key is padding, a row for each sequence"
        raise AssertionError(message(what, f"{wrong} {tuple(key_padding_mask.shape)}", instead=instead))
    bias, padding = _hiding(attn_mask, q), _hiding(key_padding_mask, q)
    if bias is not None:
        expected = ((length, key.shape[0]), (batch * num_heads, length, key.shape[0]))[bias.ndim - 2]
        if bias.shape != expected:
            wrong = f"The shape of the {bias.ndim}D attn_mask is {list(bias.shape)}, but should be {list(expected)}."
            raise RuntimeError(message(what, wrong, instead="a mask of (length of the query, length of the key)"))
    if bias_k is not None and bias_v is not None:
        k = cat([k, bias_k.expand(1, batch, width)])
        v = cat([v, bias_v.expand(1, batch, width)])
        bias, padding = _one_more(bias), _one_more(padding)

    q = _heads(q, batch, num_heads, size)
    k = _heads(k, batch, num_heads, size) if static_k is None else static_k.reshape(batch, num_heads, -1, size)
    v = _heads(v, batch, num_heads, size) if static_v is None else static_v.reshape(batch, num_heads, -1, size)
    if add_zero_attn:
        k, v = (cat([t, zeros(batch, num_heads, 1, size, dtype=t.dtype, device=t.device)], dim=2) for t in (k, v))
        bias, padding = _one_more(bias), _one_more(padding)
    if bias is not None and bias.ndim == 3:
        bias = bias.reshape(batch, num_heads, *bias.shape[1:])
    if padding is not None:
        padding = padding.reshape(batch, 1, 1, k.shape[2])
        bias = padding if bias is None else bias + padding

    dropout_p = dropout_p if training else 0.0
    shares: Tensor | None = None
    if need_weights:
        scores = (q * (1 / math.sqrt(size))) @ k.mT  # (B, H, T, S)
        shares = dropout((scores if bias is None else scores + bias).softmax(-1), dropout_p)
        out = shares @ v
        shares = shares.mean(1) if average_attn_weights else shares
        shares = shares if batched else shares.squeeze(0)
    else:
        out = scaled_dot_product_attention(q, k, v, bias, dropout_p)
    out = out.permute(2, 0, 1, 3).reshape(length, batch, width)
    out = linear(out, out_proj_weight, out_proj_bias)
    return (out if batched else out.squeeze(1)), shares


def _check_heads(query, key, value, key_padding_mask, attn_mask, num_heads):
    """Raise for numbers of dimensions that do not fit each other; the answer says whether there is a batch."""
    if query.ndim not in (2, 3):
        raise AssertionError(
            f"query should be unbatched 2D or batched 3D tensor but received {query.ndim}-D query tensor"
        )
    batched = query.ndim == 3
    if not key.ndim == value.ndim == query.ndim:
        wrong = f"but found {key.ndim}-D and {value.ndim}-D tensors respectively"
        raise AssertionError(f"For a {query.ndim}-D query, expected key and value to be {query.ndim}-D, {wrong}")
    if key_padding_mask is not None and key_padding_mask.ndim != query.ndim - 1:
        wrong = f"expected key_padding_mask to be {query.ndim - 1}-D but found {key_padding_mask.ndim}-D"
        raise AssertionError(f"For a {query.ndim}-D query, {wrong}")
    if attn_mask is not None and attn_mask.ndim not in (2, 3):
        raise AssertionError(f"expected attn_mask to be None, 2-D or 3-D but found {attn_mask.ndim}-D tensor instead")
    if attn_mask is not None and not batched and attn_mask.ndim == 3:
        expected = (num_heads, query.shape[0], key.shape[0])
        if attn_mask.shape != expected:
            raise AssertionError(f"Expected attn_mask shape to be {expected} but got {tuple(attn_mask.shape)}")
    return batched


def _projected(query, key, value, weights, in_proj_weight, in_proj_bias, separate):
    """Queries, keys and values: one product where all three come from the same tensor."""
    if not separate and query is key and key is value:
        return linear(query, in_proj_weight, in_proj_bias).chunk(3, -1)
    biases = (None, None, None) if in_proj_bias is None else in_proj_bias.chunk(3)
    return [linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases, strict=True)]


def _heads(x, batch, num_heads, size):
    """(S, B, E) as (B, H, S, E / H)."""
    return x.reshape(x.shape[0], batch, num_heads, size).permute(1, 2, 0, 3)


def _hiding(mask, query):
    """A mask as what is added to the scores. Here True hides a key, where for the attention itself it shows it."""
    if mask is None:
        return None
    return ops._as_bias(~mask if mask.dtype is dtypes.bool_ else mask, query)


def _one_more(bias):
    """A mask for one key more, which all may see."""
    if bias is None:
        return None
    return cat([bias, zeros(*bias.shape[:-1], 1, dtype=bias.dtype, device=bias.device)], dim=-1)

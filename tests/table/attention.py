import math

import numpy as np

from . import call, entry


def _attention(query, key, value, bias, hidden=None, dropped=None, scale=1.0):
    scores = scale * np.einsum("...te,...se->...ts", query, key) + (0 if bias is None else bias)
    weights = np.exp(scores) * (1 if hidden is None else 1 - hidden)
    weights = weights / np.maximum(weights.sum(-1, keepdims=True), 1e-300)
    return np.einsum("...ts,...sv->...tv", weights * (1 if dropped is None else 2 * dropped), value)


def _masked(op, query, key, value, bias, hidden=None, dropped=None, **options):
    """With keys hidden by a bias of -inf, and weights dropped: whole numbers, since neither has a gradient."""
    if hidden is not None:
        hiding = hidden.to(query.dtype).new_tensor(np.where(hidden.array, -math.inf, 0.0), dtype=query.dtype)
        bias = hiding if bias is None else bias + hiding
    return op(query, key, value, bias, dropped=None if dropped is None else dropped.to(query.dtype) * 2, **options)


_half = np.array([[0, 1, 1, 0, 1], [1, 1, 1, 1, 1], [0, 0, 0, 0, 1]])  # the second query sees nothing

entry(
    "attention",
    lambda r: call(r(3, 4), r(5, 4), r(5, 2), None),
    lambda r: call(r(2, 3, 4), r(2, 5, 4), r(2, 5, 2), r(3, 5), scale=0.5),
    lambda r: call(r(2, 2, 3, 4), r(2, 1, 5, 4), r(2, 1, 5, 3), r(2, 1, 3, 5), scale=2.0),
    lambda r: call(r(2, 3, 4), r(2, 5, 4), r(2, 5, 2), None, _half),
    lambda r: call(r(2, 3, 4), r(2, 5, 4), r(2, 5, 2), r(2, 1, 5), _half, r.ints(0, 2, 2, 3, 5)),
    lambda r: call(r(2, 3, 4), r(2, 5, 4), r(2, 5, 2), None, None, r.ints(0, 2, 2, 3, 5)),
    lambda r: call(r(2, 0, 4), r(2, 5, 4), r(2, 5, 2), None),
    expect=_attention,
    through=_masked,
)

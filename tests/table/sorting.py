from collections import Counter

import numpy as np

from . import call, entry
from .reductions import _found


def _sorted(x, dim, descending):
    if not x.ndim:
        return x, np.int64(0)
    rows = np.moveaxis(x, dim, -1)
    values, index = np.zeros(rows.shape), np.zeros(rows.shape, np.int64)
    for where in np.ndindex(rows.shape[:-1]):
        index[where] = sorted(range(rows.shape[-1]), key=rows[where].__getitem__, reverse=descending)
        values[where] = rows[where][index[where]]
    return np.moveaxis(values, -1, dim), np.moveaxis(index, -1, dim)


entry(
    "sort",
    lambda r: call(r.distinct(7), 0, False),
    lambda r: call(r.distinct(3, 4), 0, True),
    lambda r: call(r.distinct(2, 3, 4), -2, False),
    lambda r: call(r.distinct(), 0, False),
    lambda r: call(r(0, 3), 0, True),
    expect=_sorted,
)


def _top(x, k, dim=-1, largest=True, sorted=True):
    values, index = _sorted(x, dim, largest)
    return [np.take(v, range(k), dim) if x.ndim else v for v in (values, index)]


entry(
    "topk",
    lambda r: call(r.distinct(7), 3),
    lambda r: call(r.distinct(3, 5), 2, 0),
    lambda r: call(r.distinct(2, 5, 3), 4, 1, False),
    lambda r: call(r.distinct(4), 4),
    lambda r: call(r.distinct(4), 0),
    lambda r: call(r.distinct(), 1),
    expect=_top,
)


def _kth(x, k, dim=-1, keepdim=False):
    return _found(lambda row: row.index(sorted(row)[k - 1]))(x, dim, keepdim)


entry(
    "kthvalue",
    lambda r: call(r.distinct(7), 3),
    lambda r: call(r.distinct(3, 5), 2, 0, True),
    lambda r: call(r.distinct(2, 5, 3), 5, 1),
    lambda r: call(r.distinct(), 1),
    expect=_kth,
)


def _mode(x, dim=-1, keepdim=False):
    def place(row):
        counts = Counter(row)
        best = min(v for v in row if counts[v] == max(counts.values()))
        return len(row) - 1 - row[::-1].index(best)

    return _found(place)(x, dim, keepdim)


# repeats, which differences would tear apart, are in tests/test_sorting.py
entry(
    "mode",
    lambda r: call(r.distinct(5)),
    lambda r: call(r.distinct(3, 4), 0, True),
    expect=_mode,
)
entry(
    "searchsorted",
    lambda r: call(np.sort(r(9)), r(3, 4), False),
    lambda r: call(np.arange(5.0), np.array([-1.0, 0, 2, 2.5, 4, 7]), True),
    lambda r: call(np.sort(r(3, 9)), r(3, 4), False),
    lambda r: call(np.zeros(0), r(3), False),
    gradient=False,
    expect=lambda sequence, x, right: np.sum(
        sequence[..., None, :] <= x[..., None] if right else sequence[..., None, :] < x[..., None], axis=-1
    ),
)
entry(
    "isin",
    lambda r: call(r.ints(0, 9, 3, 4), r.ints(0, 9, 5), False, False),
    lambda r: call(r.ints(0, 9, 3, 4), r.ints(0, 9, 5), False, True),
    gradient=False,
    expect=lambda x, y, assume_unique, invert: np.any(x[..., None] == y.ravel(), -1) != invert,
)

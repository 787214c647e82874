import numpy as np

from . import call, entry

# --- by integer arrays ---------------------------------------------------------------------------------------------------


def _indexed(x, indices):
    """One element of the answer after the other."""
    dims = [d for d, index in enumerate(indices) if index is not None]
    arrays = np.broadcast_arrays(*[indices[d] for d in dims])
    together = dims[-1] - dims[0] == len(dims) - 1
    whole = [slice(None)] * x.ndim
    picked = []
    for at in np.ndindex(*arrays[0].shape):
        for d, array in zip(dims, arrays, strict=True):
            whole[d] = array[at]
        picked.append(x[tuple(whole)])
    rest = [n for d, n in enumerate(x.shape) if d not in dims]
    out = np.array(picked).reshape(*arrays[0].shape, *rest)
    first = dims[0] if together else 0
    count = arrays[0].ndim
    return np.moveaxis(out, range(count), range(first, first + count))


def _put(x, values, indices, accumulate):
    out = x.copy()
    places = _indexed(np.arange(x.size).reshape(x.shape), indices)
    for place, value in zip(places.ravel(), np.broadcast_to(values, places.shape).ravel(), strict=True):
        out.reshape(-1)[place] = value + (out.reshape(-1)[place] if accumulate else 0)
    return out


def _raw(indices):
    """Index tensors as the arrays that the operations take."""
    return [None if index is None else index.array for index in indices]


ROWS = np.array([2, 0, 2, 1])
GRID = np.array([[0, 1], [-1, 0]])
entry(
    "index",
    lambda r: call(r(3, 4), ROWS),
    lambda r: call(r(3, 4), None, GRID),
    lambda r: call(r(3, 2, 4), ROWS, np.array(1), np.array([[3], [-4]])),
    lambda r: call(r(3, 5, 2), GRID, None, GRID),
    lambda r: call(r(3), np.array([], int)),
    expect=lambda x, *indices: _indexed(x, indices),
    through=lambda index, x, *indices: index(x, _raw(indices)),
)
entry(
    "index_put",
    lambda r: call(r(3, 4), r(3, 4), False, np.array([2, 0, 1])),
    lambda r: call(r(3, 4), r(4), True, ROWS),
    lambda r: call(r(3, 2), r(4), True, ROWS, np.array([0, 1, 0, 1])),
    lambda r: call(r(3, 5, 2), r(5), False, np.array([0, 1]), None, np.array([1, 0])),
    lambda r: call(r(4), r(), False, np.array([1, 3])),
    expect=lambda x, values, accumulate, *indices: _put(x, values, indices, accumulate),
    through=lambda put, x, values, accumulate, *indices: put(x, values, _raw(indices), accumulate),
)
entry(
    "index_back",
    lambda r: call(r(4, 2), (3, 2), ROWS),
    lambda r: call(r(3, 2, 2), (3, 2), None, GRID),
    lambda r: call(r(2, 2, 5), (3, 5, 2), GRID, None, GRID),
    lambda r: call(r(4), (3,), ROWS),
    expect=lambda x, shape, *indices: _put(np.zeros(shape), x, indices, True),
    through=lambda back, x, shape, *indices: back(x, shape, _raw(indices)),
)

# --- by masks ------------------------------------------------------------------------------------------------------------

entry(
    "masked_fill",
    lambda r: call(r(3, 4), r.flags(3, 4), r()),
    lambda r: call(r(3, 4), r.flags(4), 2.0),
    lambda r: call(r(4), r.flags(3, 1), r()),
    lambda r: call(r(), r.flags(), r()),
    expect=lambda x, mask, value: x * ~mask + value * mask,
)

# --- along one dimension, each element at a place of its own ----------------------------------------------------------------


def _spots(index, dim):
    for at in np.ndindex(*index.shape):
        yield at, (*at[:dim], index[at], *at[dim + 1 :])


def _gathered(x, dim, index):
    out = np.zeros(index.shape)
    for at, spot in _spots(index, dim):
        out[at] = x[spot]
    return out


def _scattered(x, dim, index, src, join=lambda old, new: new):
    out = x.copy()
    for at, spot in _spots(index, dim):
        out[spot] = join(out[spot], src[at] if np.ndim(src) else src)
    return out


REDUCE = {"sum": np.sum, "prod": np.prod, "mean": np.mean, "amax": np.max, "amin": np.min}


def _reduced(x, dim, index, src, reduce, include_self):
    out, sent = x.copy(), {}
    for at, spot in _spots(index, dim):
        sent.setdefault(spot, [x[spot]] if include_self else []).append(src[at])
    for spot, values in sent.items():
        out[spot] = REDUCE[reduce](values)
    return out


entry(
    "gather",
    lambda r: call(r(3, 4), 0, r.ints(0, 3, 2, 3)),
    lambda r: call(r(3, 4), 1, r.ints(0, 4, 3, 6)),
    lambda r: call(r(5), 0, r.ints(0, 5, 3)),
    expect=_gathered,
)
entry(
    "scatter",
    lambda r: call(r(3, 4), 0, np.array([[0, 1, 2], [2, 0, 1]]), r(2, 3)),
    lambda r: call(r(2, 3), 1, np.array([[2, 0]]), r(1, 2)),
    expect=_scattered,
)
entry(
    "scatter_add",
    lambda r: call(r(3, 4), 0, r.ints(0, 3, 5, 4), r(5, 4)),
    lambda r: call(r(2, 3), 1, r.ints(0, 3, 1, 7), r(1, 7)),
    lambda r: call(r(3), 0, r.ints(0, 3, 4), r(4)),
    expect=lambda x, dim, index, src: _scattered(x, dim, index, src, np.add),
)


def _sample(reduce, include_self):
    def draw(r):
        numbers = r.distinct(9, 4) + 0.03  # no two equal, none 0
        return call(numbers[:4].copy(), 0, r.ints(0, 3, 5, 4), numbers[4:].copy(), reduce, include_self)

    return draw


entry(
    "scatter_reduce",
    *[_sample(reduce, include_self) for reduce in REDUCE for include_self in (True, False)],
    expect=_reduced,
)

# --- padding ---------------------------------------------------------------------------------------------------------------


def _padded(x, widths, value):
    for dim, (before, behind) in enumerate(widths):
        n = x.shape[dim]
        x = np.take(x, range(max(-before, 0), n - max(-behind, 0)), dim)
        shape = list(x.shape)
        ends = [np.full([*shape[:dim], max(w, 0), *shape[dim + 1 :]], value) for w in (before, behind)]
        x = np.concatenate([ends[0], x, ends[1]], dim)
    return x


entry(
    "pad",
    lambda r: call(r(3, 4), ((1, 2), (0, 3)), 0),
    lambda r: call(r(3, 4), ((-1, 2), (1, -2)), 1.5),
    lambda r: call(r(), (), 0),
    lambda r: call(r(2, 0), ((0, 1), (2, 0)), -1.0),
    expect=_padded,
)

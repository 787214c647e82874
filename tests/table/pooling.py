import numpy as np

from . import call, entry


def _windows(x, size, kernel, stride, padding, dilation=None):
    """Every window with its elements that are inside, by their indices."""
    n, dilation = x.shape[-len(size) :], dilation or (1,) * len(size)
    for p in np.ndindex(*size):
        taps = [(k, tuple(np.array(p) * stride + np.array(k) * dilation - padding)) for k in np.ndindex(*kernel)]
        yield p, [(k, q) for k, q in taps if all(0 <= i < m for i, m in zip(q, n, strict=True))]


def _window_sum(x, size, kernel, stride, padding):
    out = np.zeros((*x.shape[: -len(size)], *size))
    for p, met in _windows(x, size, kernel, stride, padding):
        for _, q in met:
            out[(..., *p)] += x[(..., *q)]
    return out


def _window_spread(x, size, kernel, stride, padding):
    out = np.zeros((*x.shape[: -len(size)], *size))
    for p, met in _windows(out, x.shape[-len(size) :], kernel, stride, padding):
        for _, q in met:
            out[(..., *q)] += x[(..., *p)]
    return out


def _max_pool(x, size, kernel, stride, padding, dilation):
    lead = x.shape[: -len(size)]
    values, taps = np.zeros((*lead, *size)), np.zeros((*lead, *size), int)
    for p, met in _windows(x, size, kernel, stride, padding, dilation):
        for i in np.ndindex(*lead):
            best = max(met, key=lambda kq: x[(*i, *kq[1])])  # the first of equal ones
            values[(*i, *p)], taps[(*i, *p)] = x[(*i, *best[1])], np.ravel_multi_index(best[0], kernel)
    return values, taps


def _tap_places(taps, n, kernel, stride, padding, dilation):
    for i in np.ndindex(*taps.shape):
        p, k = i[-len(n) :], np.unravel_index(taps[i], kernel)
        yield i, tuple(a * s + b * d - c for a, b, s, d, c in zip(p, k, stride, dilation, padding, strict=True))


def _tap_spread(x, taps, size, *where):
    out = np.zeros((*x.shape[: -len(size)], *size))
    for i, q in _tap_places(taps, size, *where):
        out[(*i[: -len(size)], *q)] += x[i]
    return out


def _tap_take(x, taps, kernel, *where):
    out = np.zeros(taps.shape)
    n = x.shape[-len(kernel) :]
    for i, q in _tap_places(taps, n, kernel, *where):
        out[i] = x[(*i[: -len(n)], *q)]
    return out


def _tap_index(taps, n, *where):
    out = np.zeros(taps.shape, np.int64)
    for i, q in _tap_places(taps, n, *where):
        out[i] = np.ravel_multi_index(q, n)
    return out


# of the plane: its size and the number of windows; kernel, stride, padding, dilation
WINDOWS = [
    ((6,), (3,), (2,), (2,), (0,), (1,)),
    ((7,), (4,), (3,), (2,), (1,), (1,)),
    ((4, 6), (2, 3), (2, 2), (2, 2), (0, 0), (1, 1)),
    ((5, 6), (3, 4), (3, 2), (2, 2), (1, 1), (1, 1)),  # the last window of each row hangs over the edge
    ((6, 5), (2, 3), (3, 2), (1, 1), (0, 0), (2, 2)),
    ((3, 4, 3), (2, 2, 2), (2, 2, 2), (1, 2, 1), (0, 0, 0), (1, 1, 1)),
]
SUMS = [w[:-1] for w in WINDOWS if max(w[-1]) == 1]


def _taps(r, n, size, kernel, stride, padding, dilation, lead=(2, 3)):
    """Taps that meet an element."""
    x = r.distinct(*lead, *n)
    return _max_pool(x, size, kernel, stride, padding, dilation)[1]


entry(
    "window_sum",
    *[lambda r, n=n, where=where: call(r(2, 3, *n), *where) for n, *where in SUMS],
    lambda r: call(r(0, 2, 4), (2,), (2,), (2,), (0,)),
    expect=_window_sum,
)
entry(
    "window_spread",
    *[lambda r, n=n, m=m, where=where: call(r(2, 3, *m), n, *where) for n, m, *where in SUMS],
    expect=_window_spread,
)
entry(
    "max_pool",
    *[lambda r, n=n, where=where: call(r.distinct(2, 3, *n), *where) for n, *where in WINDOWS],
    lambda r: call(r(0, 2, 4), (2,), (2,), (2,), (0,), (1,)),
    expect=_max_pool,
)
entry(
    "tap_spread",
    *[lambda r, w=w: call(r(2, 3, *w[1]), _taps(r, *w), w[0], *w[2:]) for w in WINDOWS],
    expect=_tap_spread,
)
entry(
    "tap_take",
    *[lambda r, w=w: call(r(2, 3, *w[0]), _taps(r, *w), *w[2:]) for w in WINDOWS],
    expect=_tap_take,
)
entry(
    "tap_index", *[lambda r, w=w: call(_taps(r, *w), w[0], *w[2:]) for w in WINDOWS], expect=_tap_index, gradient=False
)


def _max_among(x, places, size):
    lead = x.shape[: x.ndim - len(size)]
    places = np.broadcast_to(places, (*lead, *size, places.shape[-1]))
    values, indices = np.zeros((*lead, *size)), np.zeros((*lead, *size), int)
    for i in np.ndindex(*lead):
        for p in np.ndindex(*size):
            candidates = places[(*i, *p)]
            best = candidates[np.argmax(x[i].ravel()[candidates])]
            values[(*i, *p)], indices[(*i, *p)] = x[i].ravel()[best], best
    return values, indices


def _plane_take(x, indices, dims):
    out = np.zeros(indices.shape)
    for i in np.ndindex(*indices.shape):
        out[i] = x[i[:-dims]].ravel()[indices[i]]
    return out


def _plane_write(add):
    def write(x, indices, size):
        out = np.zeros((*x.shape[: -len(size)], *size))
        for i in np.ndindex(*indices.shape):
            q = (*i[: -len(size)], *np.unravel_index(indices[i], size))
            out[q] = x[i] + (out[q] if add else 0)
        return out

    return write


def _distinct_places(r, lead, count, length):
    return np.array([r.rng.permutation(length)[:count] for _ in range(lead)])


entry(
    "max_among",
    lambda r: call(r.distinct(2, 3, 7), r.ints(0, 7, 3, 4), (3,)),
    lambda r: call(r.distinct(2, 3, 4, 5), r.ints(0, 20, 2, 3, 2, 2, 5), (2, 2)),
    lambda r: call(r.distinct(0, 2, 4), r.ints(0, 4, 3, 2), (3,)),
    expect=_max_among,
)
entry(
    "plane_take",
    lambda r: call(r(2, 3, 7), r.ints(0, 7, 2, 3, 4), 1),
    lambda r: call(r(2, 4, 5), r.ints(0, 20, 2, 3, 3), 2),
    expect=_plane_take,
)
entry(
    "plane_add",
    lambda r: call(r(2, 3, 4), r.ints(0, 7, 2, 3, 4), (7,)),
    lambda r: call(r(2, 3, 3), r.ints(0, 20, 2, 3, 3), (4, 5)),
    lambda r: call(r(0, 3), r.ints(0, 4, 0, 3), (4,)),
    expect=_plane_write(add=True),
)
entry(
    "plane_put",  # no place twice: which of two stays is nobody's business, and has no derivative
    lambda r: call(r(6, 4), _distinct_places(r, 6, 4, 7), (7,)),
    lambda r: call(r(2, 3, 3), _distinct_places(r, 2, 9, 20).reshape(2, 3, 3), (4, 5)),
    expect=_plane_write(add=False),
)

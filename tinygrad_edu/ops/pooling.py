"""Pooling: the largest element, the sum or the mean of each window of a sliding kernel.

The windows slide over the last dimensions; what comes before them, samples and channels, may be anything.
"""

from __future__ import annotations

import math

import numpy as np

from .. import devices
from ..op import op
from .windows import meetings, meetings_along

# --- sums ------------------------------------------------------------------------------------------------------------


@op(tied=True)
def _window_sum(x, size, kernel, stride, padding):
    """The sum of each of `size` windows."""
    return _window_sums(x, size, kernel, stride, padding)


@devices.fused
def _window_sums(x, size, kernel, stride, padding):
    """What `_window_sum` says, one dimension after the other."""
    dims = zip(range(-len(size), 0), size, kernel, stride, padding, strict=True)
    for dim, m, k, s, p in dims:
        out = devices.zeros((*x.shape[:dim], m, *x.shape[dim:][1:]), x.dtype, like=x)
        for there, here in meetings_along(x.shape[dim], m, k, s, p, 1):
            out[_at(dim, there)] += x[_at(dim, here)]
        x = out
    return x


@op
def _window_spread(x, size, kernel, stride, padding):
    """What each window holds, added to every element of it in a plane of `size`: the gradient of `window_sum`."""
    return _window_shares(x, size, kernel, stride, padding)


@devices.fused
def _window_shares(x, size, kernel, stride, padding):
    """What `_window_spread` says, one dimension after the other."""
    dims = zip(range(-len(size), 0), size, kernel, stride, padding, strict=True)
    for dim, n, k, s, p in reversed(list(dims)):
        out = devices.zeros((*x.shape[:dim], n, *x.shape[dim:][1:]), x.dtype, like=x)
        for here, there in meetings_along(n, x.shape[dim], k, s, p, 1):
            out[_at(dim, there)] += x[_at(dim, here)]
        x = out
    return x


def _at(dim, part):
    """The index of a part of one of the last dimensions."""
    return (..., part, *[slice(None)] * (-dim - 1))


_window_sum.grad(
    x=lambda g, x_shape, size, kernel, stride, padding: _window_spread(
        g, tuple(x_shape[-len(size) :]), kernel, stride, padding
    )
)
_window_spread.grad(
    x=lambda g, x_shape, size, kernel, stride, padding: _window_sum(
        g, tuple(x_shape[-len(size) :]), kernel, stride, padding
    )
)

# --- maxima of a sliding window --------------------------------------------------------------------------------------


@op(returns="values taps", tied=True)
def _max_pool(x, size, kernel, stride, padding, dilation):
    """The largest element of each of `size` windows, and which tap of the kernel meets it: the first of equal ones.

    One dimension after the other, the last one first: so the first of equal ones is found first. Of several nan the
    last counts.
    """
    return _maxima(x, size, kernel, stride, padding, dilation)


@devices.fused
def _maxima(x, size, kernel, stride, padding, dilation):
    """What `_max_pool` says: as if all were above some lowest number and none nan, then with care if that is not so."""
    lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    ends = [(m - 1) * s + (k - 1) * d for m, k, s, d in zip(size, kernel, stride, dilation, strict=True)]
    inside = not any(padding) and all(end < n for end, n in zip(ends, x.shape[-len(size) :], strict=True))
    if inside and type(x) is np.ndarray:
        values, taps = _maxima_inside(x, size, kernel, stride, dilation)
        if (values > lowest).all():
            return values, taps
    return _maxima_with_care(x, lowest, size, kernel, stride, padding, dilation)


def _maxima_inside(x, size, kernel, stride, dilation):
    """Dimension by dimension, three passes for each tap where care takes nine."""
    kind, taps, below = np.min_scalar_type(math.prod(kernel)), None, 1
    for dim in range(-1, -len(size) - 1, -1):
        step, span = dilation[dim], (size[dim] - 1) * stride[dim] + 1
        parts = [_at(dim, slice(k * step, k * step + span, stride[dim])) for k in range(kernel[dim])]
        values = x[parts[0]].copy()
        found = np.zeros(values.shape, kind) if taps is None else taps[parts[0]].copy()
        for k, part in enumerate(parts[1:], 1):
            other = x[part].copy()  # read twice, and with a stride each time takes longer than this
            better = other > values
            np.maximum(values, other, out=values)
            tap = kind.type(k * below) if taps is None else taps[part] + kind.type(k * below)
            found += (tap - found) * better  # `where` stumbles over random masks
        x, taps, below = values, found, below * kernel[dim]
    return x, taps


def _maxima_with_care(x, lowest, size, kernel, stride, padding, dilation):
    """The same for windows with nan, or with nothing but the lowest number, which never counts as found outside."""
    kind = np.min_scalar_type(math.prod(kernel))
    taps, below = None, 1  # the best ones so far, and how many there are in the dimensions behind
    for dim in range(-1, -len(size) - 1, -1):
        places = meetings_along(x.shape[dim], size[dim], *[each[dim] for each in (kernel, stride, padding, dilation)])
        shape = (*x.shape[:dim], size[dim], *x.shape[dim:][1:])
        values, found = devices.full(shape, lowest, x.dtype, like=x), devices.zeros(shape, kind, like=x)
        for k, (there, here) in enumerate(places):
            there, here = _at(dim, there), _at(dim, here)
            part, best, old = x[here].copy(), values[there], found[there]  # a copy, since it is read three times
            tap = kind.type(k * below) if taps is None else taps[here] + kind.type(k * below)
            if k:
                better = (part > best) | (part != part)
                old *= ~better
                old += tap * better
                np.maximum(best, part, out=best)
            else:
                best[...], old[...] = part, tap
        x, taps, below = values, found, below * kernel[dim]
    return x, taps


@op
def _tap_spread(x, taps, size, kernel, stride, padding, dilation):
    """What each window holds, added to the element that its tap meets in a plane of `size`."""
    return _tap_sums(x, taps, size, kernel, stride, padding, dilation)


@devices.fused
def _tap_sums(x, taps, size, kernel, stride, padding, dilation):
    """What `_tap_spread` says, tap by tap."""
    out = devices.zeros((*x.shape[: -len(size)], *size), x.dtype, like=x)
    apart = all((k - 1) * d < s for k, s, d in zip(kernel, stride, dilation, strict=True))  # no windows overlap
    places = meetings(size, x.shape[-len(size) :], kernel, stride, padding, dilation)
    for k, (there, here) in enumerate(places):
        if apart:
            _only(taps[there] == k, x[there], out[here])
        else:
            out[here] += _only(taps[there] == k, x[there])
    return out


@op
def _tap_take(x, taps, kernel, stride, padding, dilation):
    """The element that each window's tap meets."""
    dims = len(kernel)
    out = devices.zeros(taps.shape, x.dtype, like=x)
    places = meetings(x.shape[-dims:], taps.shape[-dims:], kernel, stride, padding, dilation)
    for k, (there, here) in enumerate(places):
        out[there] += _only(taps[there] == k, x[here])
    return out


def _only(mask, x, out=None):
    """`x` where the mask is set, 0 elsewhere: by its bits, exact also for inf and nan, and 10 times as quick as `where`."""
    bits = f"u{x.itemsize}"
    return np.multiply(x.view(bits), mask, out=None if out is None else out.view(bits)).view(x.dtype)


@op(differentiable=False, promote=False)
def _tap_index(taps, n, kernel, stride, padding, dilation):
    """The place of the element that each window's tap meets, counted through a plane of `n`."""
    place = 0
    rest, size = taps.astype(np.int64), taps.shape[-len(n) :]
    for d, (length, s, p, step) in enumerate(zip(n, stride, padding, dilation, strict=True)):
        below = math.prod(kernel[d + 1 :])
        first = devices.arange(size[d], like=taps) * s - p
        place = place * length + first.reshape(-1, *[1] * (len(n) - d - 1)) + rest // below * step
        rest = rest % below
    return place


_max_pool.grad(
    x=lambda g_values, taps, x_shape, kernel, stride, padding, dilation: _tap_spread(
        g_values, taps, tuple(x_shape[-len(kernel) :]), kernel, stride, padding, dilation
    )
)
_tap_spread.grad(
    x=lambda g, taps, kernel, stride, padding, dilation: _tap_take(g, taps, kernel, stride, padding, dilation)
)
_tap_take.grad(
    x=lambda g, taps, x_shape, kernel, stride, padding, dilation: _tap_spread(
        g, taps, tuple(x_shape[-len(kernel) :]), kernel, stride, padding, dilation
    )
)

# --- maxima of any windows -------------------------------------------------------------------------------------------


@op(returns="values indices", tied=True)
def _max_among(x, places, size):
    """The largest element of each window, and its place in the plane; `places` lists each window's elements."""
    plane, windows = _flat(x, len(size)), _flat(places, len(size) + 1)
    chosen = np.take_along_axis(plane, np.broadcast_to(windows, (*plane.shape[:-1], windows.shape[-1])), -1)
    chosen = chosen.reshape(*plane.shape[:-1], *size, places.shape[-1])
    best = chosen.argmax(-1)[..., None]
    indices = np.take_along_axis(np.broadcast_to(places, chosen.shape), best, -1)[..., 0]
    return np.take_along_axis(chosen, best, -1)[..., 0], indices


@op
def _plane_take(x, indices, dims):
    """The elements at places counted through the last `dims` dimensions."""
    return np.take_along_axis(_flat(x, dims), _flat(indices, dims), -1).reshape(indices.shape)


@op
def _plane_add(x, indices, size):
    """Each element added at its place in a plane of `size`."""
    out, target, values = _into_plane(x, indices, size)
    devices.scatter_add(out, target, values)
    return out.reshape(*x.shape[: -len(size)], *size)


@op(tied=True)
def _plane_put(x, indices, size):
    """Each element written at its place in a plane of `size`, which is 0 elsewhere; of several the last stays."""
    out, target, values = _into_plane(x, indices, size)
    out[target] = values
    return out.reshape(*x.shape[: -len(size)], *size)


def _into_plane(x, indices, size):
    """A plane of zeros for each of the leading dimensions in one row, and which elements of it are met."""
    planes, length = math.prod(x.shape[: -len(size)]), math.prod(size)
    out = devices.zeros(planes * length, x.dtype, like=x)
    first = devices.arange(planes, like=x)[:, None] * length
    return out, (first + indices.reshape(planes, math.prod(x.shape[-len(size) :]))).reshape(-1), x.reshape(-1)


def _flat(x, dims):
    """The last dimensions as one."""
    return x.reshape(*x.shape[:-dims], math.prod(x.shape[-dims:]))


_max_among.grad(
    x=lambda g_values, indices, x_shape, size: _plane_add(g_values, indices, tuple(x_shape[-len(size) :])),
)
_plane_take.grad(x=lambda g, indices, x_shape, dims: _plane_add(g, indices, tuple(x_shape[-dims:])))
_plane_add.grad(x=lambda g, indices, size: _plane_take(g, indices, len(size)))
_plane_put.grad(x=lambda g, indices, size: _plane_take(g, indices, len(size)))

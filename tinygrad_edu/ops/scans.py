"""Scans: running sums, products and extremes along a dimension."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .. import devices
from ..errors import message
from ..op import cast, op
from ..tensor import Tensor
from .arguments import need_tensor, wrapped
from .faces import takes_out
from .joining import _cat, cat
from .movement import _flip
from .pointwise import exp, log1p, logaddexp, mul, where
from .reducing import _place_along, need_order, typed
from .reductions import sum


def _at_each(function, x, dim):
    """`function` along a dimension; a number counts as having one."""
    return function(x, dim) if x.ndim else function(x.reshape(1), dim).reshape(())


def _doubled(combine, x, dim):
    """Each element combined with all before it: with 1, then 2, 4, 8 ... of them at a time."""
    if not x.ndim:
        return x * 1
    x, step = x.swapaxes(dim, -1), 1
    while step < x.shape[-1]:
        x = _cat([x[..., :step], combine(x[..., :-step], x[..., step:])], x.ndim - 1)
        step *= 2
    return x.swapaxes(dim, -1)


# --- sums and products -----------------------------------------------------------------------------------------------

# what a running sum is added up in: one by one, single precision would lose a digit in every few hundred elements
_WIDE = {"bui": np.int64, "f": np.float64, "c": np.complex128}


def _wide(x):
    return next(wide for kinds, wide in _WIDE.items() if x.dtype.kind in kinds)


def _accumulated(function, x, dim, dtype):
    x = typed(x, dtype)
    wide = _wide(x)
    out = _at_each(lambda x, dim: function(x, axis=dim, dtype=wide), x, dim)
    return out if x.dtype.kind in "bui" and dtype is None else out.astype(x.dtype, copy=False)


@op
def cumsum(x, dim, *, dtype=None):
    """The running sum: yₖ = x₁ + ... + xₖ."""
    return _accumulated(np.cumsum, x, dim, dtype)


def _from_behind(x, dim):
    """The running sum from the last element to the first."""
    return _flip(cumsum(_flip(x, dim), dim), dim) if x.ndim else x


def _cumsum_grad(g, x_dtype, dim, dtype):
    return _from_behind(g if dtype is None else cast(g, x_dtype), dim) * 1


cumsum.grad(x=_cumsum_grad)


@op(plain=lambda x, dim, dtype: _doubled(mul, typed(x, dtype), dim))
def cumprod(x, dim, *, dtype=None):
    """The running product: yₖ = x₁ ⋯ xₖ."""
    return _accumulated(np.cumprod, x, dim, dtype)


def _cumprod_grad(g, x, out, x_dtype, dim, dtype):
    """Σₖ gₖ yₖ / xᵢ before the first zero; at it, the same with the zero left out; behind it, 0."""
    g, out = (v if dtype is None else cast(v, x_dtype) for v in (g, out))
    zeros = _at_each(np.cumsum, x == 0, dim)
    first = (x == 0) & (zeros == 1)
    others = np.where(first, 1, x)
    before = _from_behind(g * out, dim) / np.where(zeros == 0, x, 1)
    at = _from_behind(g * cumprod(others, dim), dim)
    return np.where(zeros == 0, before, np.where(first, at, 0)).astype(x.dtype, copy=False)


cumprod.grad(x=_cumprod_grad)


def _log_add_exp(x, y):
    """log(eˣ + eʸ), of complex numbers too."""
    if not np.iscomplexobj(x.array if isinstance(x, Tensor) else x):
        return logaddexp(x, y)
    swap = x.real < y.real
    high, low = where(swap, y, x), where(swap, x, y)
    return high + log1p(exp(low - where(high.real == -math.inf, 0.0, high)))


@op(plain=lambda x, dim: _doubled(_log_add_exp, x, dim))
def logcumsumexp(x, dim):
    """The running log Σ exp(x), without overflow."""
    if x.dtype.kind != "c":
        return _doubled(_log_add_exp, x if x.dtype.kind == "f" else x * 1.0, dim)
    out = x.copy()
    rows = np.moveaxis(out, dim, 0) if x.ndim else ()
    for k in range(1, len(rows)):  # one by one: the branch of a complex logarithm depends on the order
        rows[k] = _log_add_exp(rows[k - 1], rows[k])
    return out


def _logcumsumexp_grad(g, x, out, dim):
    """Σ gₖ exp(xᵢ - yₖ) over k ≥ i, with tᵢ = gᵢ + exp(yᵢ - yᵢ₊₁) tᵢ₊₁: no exponent is positive, nothing overflows."""
    if not x.ndim:
        return g * 1
    y = np.where(out.real == -np.inf, 0, out).swapaxes(dim, -1)
    fade = np.exp(np.where(out.real == -np.inf, -np.inf, out).swapaxes(dim, -1)[..., :-1] - y[..., 1:])
    t, step = g.swapaxes(dim, -1).copy(), 1
    while step < t.shape[-1]:
        t[..., :-step] += fade * t[..., step:]
        fade = fade[..., :-step] * fade[..., step:]
        step *= 2
    return t.swapaxes(dim, -1) * np.exp(x - y.swapaxes(dim, -1))


logcumsumexp.grad(x=_logcumsumexp_grad)

# --- extremes --------------------------------------------------------------------------------------------------------


def _running(name, extreme, x, dim):
    """The running extreme and where it was last reached; NaN, once met, stays."""
    need_order(name, x)
    if not x.ndim:
        return x.copy(), devices.zeros((), np.int64, like=x)
    values = _doubled(extreme, x, dim)
    lie = [1] * x.ndim
    lie[dim] = -1
    position = devices.arange(x.shape[dim], like=x).reshape(lie)
    hit = (x == values) | (x != x)
    return values, _doubled(np.maximum, np.where(hit, position, 0), dim)


@op(returns="values indices")
def cummax(x, dim):
    """The running maximum, and where it was reached."""
    return _running("cummax", np.maximum, x, dim)


@op(returns="values indices")
def cummin(x, dim):
    """The running minimum, and where it was reached."""
    return _running("cummin", np.minimum, x, dim)


def _running_grad(g_values, indices, x_shape, dim):
    return _place_along(g_values, indices, x_shape, dim) if x_shape else g_values * 1


cummax.grad(x=_running_grad)
cummin.grad(x=_running_grad)

# --- differences and integrals ---------------------------------------------------------------------------------------


def _part(x, dim, start, stop):
    """Positions start ... stop - 1 of a dimension; from the end, where they are negative."""
    index = [slice(None)] * x.ndim
    index[dim] = slice(start, stop)
    return x[tuple(index)]


@takes_out
def diff(input, n: int = 1, dim=-1, prepend=None, append=None):
    """The differences of neighbours along a dimension, n times over."""
    if not need_tensor(input, "diff").ndim:
        raise RuntimeError(message("diff()", "expects input to be at least one-dimensional"))
    if n < 0:
        raise RuntimeError(message("diff()", f"order must be non-negative but got {n}"))
    dim = wrapped(dim, input.ndim)
    if not n:
        return input.clone()
    around = [x for x in (prepend, input, append) if x is not None]
    x = cat(around, dim) if len(around) > 1 else input
    for _ in range(min(n, x.shape[dim])):
        behind, before = _part(x, dim, 1, None), _part(x, dim, 0, -1)
        x = behind != before if x.dtype.rank == 0 else behind - before
    return x


def _widths(name, y, x, dim):
    """The distances between the points at which `y` was taken, so that they broadcast along its dimension."""
    if x.ndim == 1:
        if x.shape[0] != y.shape[dim]:
            wrong = f"there must be one `x` value for each sample point, got {x.shape[0]} for {y.shape[dim]}"
            raise RuntimeError(message(f"{name}()", wrong))
        return diff(x).reshape([-1 if d == dim else 1 for d in range(y.ndim)])
    return diff(x, dim=dim - y.ndim)


def _areas(name, y, x, dx, dim):
    """The areas between neighbouring points."""
    dim = wrapped(dim, need_tensor(y, name, "y").ndim)
    if not y.ndim:
        raise IndexError(f"{name}: Dimension specified as {dim} but tensor has no dimensions")
    if not y.shape[dim]:
        return sum(y, dim, True), dim
    middle = (_part(y, dim, 1, None) + _part(y, dim, 0, -1)) / 2
    return middle * (dx if x is None else _widths(name, y, x, dim)), dim


def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: complex | None = None, dim=-1):
    """The integral by the trapezoidal rule: Σ (xᵢ₊₁ - xᵢ)(yᵢ₊₁ + yᵢ) / 2, for points at distance dx without `x`."""
    areas, dim = _areas("trapezoid", y, x, 1 if dx is None else dx, dim)
    return sum(areas, dim - y.ndim)


def cumulative_trapezoid(y: Tensor, x: Tensor | None = None, *, dx: complex | None = None, dim=-1):
    """The running integral by the trapezoidal rule."""
    areas, dim = _areas("cumulative_trapezoid", y, x, 1 if dx is None else dx, dim)
    return cumsum(areas, dim - y.ndim)


trapz = trapezoid


def gradient(input, *, spacing=None, dim=None, edge_order=1):
    """The slopes along dimensions, by central differences inside and one-sided ones at the ends; a list."""
    if edge_order not in (1, 2):
        raise RuntimeError(message("gradient()", f"only supports edge_order=1 and edge_order=2, but got {edge_order}"))
    dims = range(input.ndim) if dim is None else [dim] if isinstance(dim, (int, np.integer)) else dim
    dims = [wrapped(d, input.ndim) for d in dims]
    if len(set(dims)) < len(dims):
        raise RuntimeError(message("gradient()", f"a dimension appears multiple times in {dims}"))
    spacing = 1 if spacing is None else spacing
    spacings = list(spacing) if isinstance(spacing, Sequence) else [spacing] * len(dims)
    if len(spacings) != len(dims):
        wrong = f"expected spacing to be one number or one for each of {len(dims)} dimensions, got {len(spacings)}"
        raise RuntimeError(message("gradient()", wrong))
    for d in dims:
        if input.shape[d] <= edge_order:
            wrong = f"expected each dimension size to be at least edge_order+1, got {input.shape[d]} in dimension {d}"
            raise RuntimeError(message("gradient()", wrong))
    return [_slopes(input, h, d, edge_order) for h, d in zip(spacings, dims, strict=True)]


def _slopes(y, h, dim, edge_order):
    """Slopes along one dimension, at distances `h`: a number, or the points themselves."""
    n = y.shape[dim]
    if isinstance(h, Tensor) and h.ndim:
        h = diff(h).reshape([-1 if d == dim else 1 for d in range(y.ndim)])
    else:
        h = y.new_ones([n - 1 if d == dim else 1 for d in range(y.ndim)]) * h
    rise = diff(y, dim=dim) / h
    left, right = (_part(rise, dim, *ends) for ends in ((0, -1), (1, None)))
    before, behind = (_part(h, dim, *ends) for ends in ((0, -1), (1, None)))
    inside = (left * behind + right * before) / (before + behind)
    first, last = _part(rise, dim, 0, 1), _part(rise, dim, -1, None)
    if edge_order == 2:
        bend = (right - left) / (before + behind)
        first = first - _part(bend, dim, 0, 1) * _part(h, dim, 0, 1)
        last = last + _part(bend, dim, -1, None) * _part(h, dim, -1, None)
    return cat([first, inside, last], dim)


METHODS = "cummax cummin cumprod cumsum diff logcumsumexp"
INPLACE = "cumprod cumsum"

"""Statistics: medians and quantiles, variance and covariance, histograms."""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import devices, dtypes
from ..call import store_one
from ..errors import describe, message
from ..op import op
from ..return_types import named
from ..sums import total
from ..tensor import Tensor, wrap
from .arguments import need_tensor, wrapped
from .faces import takes_out
from .pointwise import lerp, where
from .reducing import chosen, chosen_grad, count, need_elements, reduced, share, unreduced, widened
from .reductions import mean, sum
from .sorting import sort

# --- spread around the mean ------------------------------------------------------------------------------------------


def _variance(name, x, dim, correction, keepdim):
    if x.dtype.kind not in "fc":
        raise RuntimeError(message(f"{name}()", "std and var only support floating point and complex dtypes"))
    axis, dtype = reduced(x, dim), x.real.dtype
    x = widened(x)
    mean = total(x, axis, True)
    from_mean = x - mean * share(x.shape, mean.shape)
    squares = from_mean.real**2 + from_mean.imag**2 if x.dtype.kind == "c" else from_mean * from_mean
    variance = total(squares, axis, keepdim) * _weight(count(x.shape, axis), correction)
    return (np.sqrt(variance) if name == "std" else variance).astype(dtype, copy=False)


def _weight(n, correction):
    """What each squared distance counts: 1 / (n - correction), NaN where there is nothing to estimate from."""
    return 1 / (n - correction) if n > correction else math.inf


@op
def _var(x, dim=None, correction=1, keepdim=False):
    """The variance: the mean squared distance from the mean, with n - correction for n."""
    return _variance("var", x, dim, correction, keepdim)


@op
def _std(x, dim=None, correction=1, keepdim=False):
    """The standard deviation: the root of the variance."""
    return _variance("std", x, dim, correction, keepdim)


def _var_grad(g, x, dim, correction, keepdim):
    from_mean = (x - mean(x, dim, dim is not None)).conj()
    weight = 2 * _weight(count(x.shape, dim), correction)
    return from_mean * (unreduced(g, x.shape, dim, keepdim) * weight)


def _std_grad(g, x, out, dim, correction, keepdim):
    flat = out == 0  # all equal: the slope has no limit, PyTorch's is 0
    return _var_grad(g * (flat == 0) / (2 * (out + flat)), x, dim, correction, keepdim)


_var.grad(x=_var_grad)
_std.grad(x=_std_grad)


def _spread_arguments(dim, unbiased, correction):
    """PyTorch's overloads in one: `var(x, False)`, `var(x, 0, False)`, `var(x, dim=0, correction=2)`."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if unbiased is not None and correction is not None:
        raise TypeError("got both 'unbiased' and 'correction'; write correction alone")
    return dim, (1 if unbiased is None else int(unbiased)) if correction is None else correction


def var(input, dim: Any = None, unbiased: bool | None = None, keepdim=False, *, correction=None, out=None):
    """The variance: Σ (x - mean)² / (n - correction)."""
    dim, correction = _spread_arguments(dim, unbiased, correction)
    return _var(input, dim, correction, keepdim, out=out)


def std(input, dim: Any = None, unbiased: bool | None = None, keepdim=False, *, correction=None, out=None):
    """The standard deviation: the root of the variance."""
    dim, correction = _spread_arguments(dim, unbiased, correction)
    return _std(input, dim, correction, keepdim, out=out)


def var_mean(input, dim: Any = None, unbiased: bool | None = None, keepdim=False, *, correction=None):
    """Variance and mean."""
    dim, correction = _spread_arguments(dim, unbiased, correction)
    return _var(input, dim, correction, keepdim), mean(input, dim, keepdim)


def std_mean(input, dim: Any = None, unbiased: bool | None = None, keepdim=False, *, correction=None):
    """Standard deviation and mean."""
    dim, correction = _spread_arguments(dim, unbiased, correction)
    return _std(input, dim, correction, keepdim), mean(input, dim, keepdim)


# --- medians ---------------------------------------------------------------------------------------------------------


@op(returns="values indices")
def _median(x, dim, keepdim=False):
    """The element in the middle, the lower of two; NaN if one is among them."""
    return _middle("median", x, dim, keepdim, False)


@op(returns="values indices")
def _nanmedian(x, dim, keepdim=False):
    """The element in the middle of those that are numbers, the lower of two."""
    return _middle("nanmedian", x, dim, keepdim, True)


def _middle(name, x, dim, keepdim, skip_nan):
    if x.dtype.kind in "bc":
        raise NotImplementedError(message(f"{name}()", f"not implemented for {x.dtype}"))
    need_elements(name, x, dim)

    def choose(rows):
        order = np.argsort(rows, axis=dim, kind="stable")  # NaN last
        numbers = np.sum(rows == rows, axis=dim, keepdims=True)
        n = rows.shape[dim]
        middle = np.maximum((numbers - 1) // 2, 0)
        place = middle if skip_nan else np.where(numbers < n, np.minimum(numbers, n - 1), middle)
        return np.take_along_axis(order, place, dim).squeeze(dim)

    return chosen(x, dim, keepdim, choose)


_median.grad(x=chosen_grad)
_nanmedian.grad(x=chosen_grad)


def median(input, dim=None, keepdim=False, *, out=None):
    """The element in the middle, the lower of two; with `dim`, (values, indices) along it."""
    return _median_of(_median, input, dim, keepdim, out)


def nanmedian(input, dim=None, keepdim=False, *, out=None):
    """The element in the middle of those that are numbers; with `dim`, (values, indices) along it."""
    return _median_of(_nanmedian, input, dim, keepdim, out)


def _median_of(function, input, dim, keepdim, out):
    if dim is not None:
        if not isinstance(dim, (int, np.integer)):
            raise TypeError(f"{function.op.name}(): argument 'dim' must be int, not {type(dim).__name__}")
        return function(input, dim, keepdim, out=out)
    if not need_tensor(input, function.op.name).numel():
        return sum(input) * math.nan if input.is_floating_point() else sum(input, dtype=input.dtype)
    return function(input.reshape(-1), 0).values


# --- quantiles -------------------------------------------------------------------------------------------------------


def _quantile(name, input, q, dim, keepdim, interpolation, skip_nan):
    if need_tensor(input, name).dtype not in (dtypes.float32, dtypes.float64):
        raise RuntimeError(
            message(f"{name}()", f"input tensor must be either float or double dtype, not {input.dtype}")
        )
    q = q if isinstance(q, Tensor) else input.new_tensor(q)
    if q.dtype != input.dtype:
        raise RuntimeError(
            message(f"{name}()", f"q must be same dtype as the input tensor, {input.dtype}, not {q.dtype}")
        )
    if q.ndim > 1:
        raise RuntimeError(message(f"{name}()", f"q must be a number or have one dimension, not {q.ndim}"))
    if interpolation not in ("linear", "lower", "higher", "midpoint", "nearest"):
        wrong = f"interpolation must be one of linear, lower, higher, midpoint or nearest, but got {interpolation}"
        raise RuntimeError(message(f"{name}()", wrong))
    if not input.numel():
        raise RuntimeError(message(f"{name}()", "input tensor must be non-empty"))
    if ((q < 0) | (q > 1)).any():
        raise RuntimeError(message(f"{name}()", f"q values must be in the range [0, 1], but got {q.tolist()}"))
    at = 0 if dim is None else wrapped(dim, input.ndim)
    x = input.reshape(-1) if dim is None or not input.ndim else input
    x = sort(x.movedim(at, -1)).values
    numbers = (x == x).sum(-1, keepdim=True)
    last = x.shape[-1] - 1
    rank = q.reshape(-1) * ((numbers - 1).clamp(min=0) if skip_nan else last)
    if not skip_nan:
        rank = where(numbers <= last, float(last), rank)  # a NaN, which is sorted to the end, is everybody's result
    if interpolation == "nearest":
        rank = rank.round()
    below, above = rank.floor().long(), rank.ceil().long()
    low, high = x.take_along_dim(below, -1), x.take_along_dim(above, -1)
    weight = {"lower": 0.0, "higher": 1.0, "midpoint": 0.5}.get(interpolation)
    out = lerp(low, high, rank - below if weight is None else weight)
    if keepdim:
        out = (
            out.unsqueeze(-2).movedim(-2, at)
            if dim is not None and input.ndim
            else out.reshape([1] * input.ndim + [-1])
        )
    out = out.movedim(-1, 0)
    return out if q.ndim else out.squeeze(0)


@takes_out
def quantile(input, q, dim=None, keepdim=False, *, interpolation="linear"):
    """The values below which a share q of the elements lies, interpolated between neighbours in the order."""
    return _quantile("quantile", input, q, dim, keepdim, interpolation, False)


@takes_out
def nanquantile(input, q, dim=None, keepdim=False, *, interpolation="linear"):
    """The quantiles of the elements that are numbers."""
    return _quantile("nanquantile", input, q, dim, keepdim, interpolation, True)


# --- covariance ------------------------------------------------------------------------------------------------------


def cov(input, *, correction: int = 1, fweights=None, aweights=None):
    """The covariance of variables in rows: (x - mean)(x - mean)ᴴ / (n - correction); columns may count by weights."""
    if input.ndim > 2:
        raise RuntimeError(message("cov()", f"expected input to have two or fewer dimensions but got {input.ndim}"))
    if input.dtype.rank == 0:
        raise RuntimeError(message("cov()", "bool dtype is not supported for input"))
    x = input.reshape(1, input.numel()) if input.ndim < 2 else input
    x = x if x.dtype.rank > 1 else x * 1.0
    _check_weights("fweights", fweights, x.shape[1], 1)
    _check_weights("aweights", aweights, x.shape[1], 2)
    if fweights is None and aweights is None:
        from_mean = weighted = x - mean(x, 1, True)
        degrees = builtins.max(x.shape[1] - correction, 0)
    else:
        weights = aweights if fweights is None else fweights if aweights is None else fweights * aweights
        amount = sum(weights)
        from_mean = x - sum(x * weights, 1, True) / amount
        weighted = from_mean * weights
        lost = correction if aweights is None else correction * sum(weights * aweights) / amount
        degrees = (amount - lost).clamp(min=0)
    return (weighted @ from_mean.mT.conj() / degrees).squeeze()


def _check_weights(name, weights, columns, rank):
    """Weights are one number for each column: counts (integers) or importances (floats), none negative."""
    if weights is None:
        return
    if weights.ndim > 1 or weights.numel() != columns:
        wrong = f"expected {name} to have one number for each of {columns} columns but got {list(weights.shape)}"
        raise RuntimeError(message("cov()", wrong))
    if weights.dtype.rank != rank:
        kind = "integral" if rank == 1 else "floating point"
        raise RuntimeError(message("cov()", f"expected {name} to have {kind} dtype but got {weights.dtype}"))
    if (weights < 0).any():
        raise RuntimeError(message("cov()", f"{name} cannot be negative"))


def corrcoef(input):
    """The correlation of variables in rows: their covariance, each divided by its standard deviation."""
    c = cov(input)
    if not c.ndim:
        return c / c
    spread_of = c.diagonal().real.sqrt() if c.is_complex() else c.diagonal().sqrt()
    c = c / spread_of.unsqueeze(1) / spread_of
    return c if c.is_complex() else c.clamp(-1, 1)


# --- how many of each ------------------------------------------------------------------------------------------------


@op(differentiable=False)
def _bincount(x, weights=None, minlength=0):
    """How often each of the numbers 0, 1, 2 ... comes, or the sum of its weights."""
    if x.dtype.kind not in "ui":
        raise NotImplementedError(
            message(f"bincount({describe(x)})", "not implemented for this dtype", instead="x.long()")
        )
    if x.ndim != 1 or (x.size and x.min() < 0):
        raise RuntimeError(message(f"bincount({describe(x)})", "only supports 1-d non-negative integral inputs."))
    if minlength < 0:
        raise RuntimeError(message("bincount()", f"minlength should be >= 0, not {minlength}"))
    if weights is None:
        return np.bincount(x, minlength=minlength)
    if weights.shape != x.shape:
        raise RuntimeError(
            message(f"bincount({describe(x)})", f"weights must have the same length, not {weights.shape}")
        )
    counts = np.bincount(x, weights, minlength)
    return counts.astype(weights.dtype) if weights.dtype == np.float32 else counts


def bincount(input, weights=None, minlength=0):
    """How often each of the numbers 0, 1, 2 ... comes, or the sum of its weights."""
    if weights is not None and weights.dtype is not dtypes.float32:
        weights = weights.to(dtypes.float64)
    return _bincount(input, weights, minlength)


def _limits(name, x, low, high, margin):
    """The range of a histogram: as given, else that of the elements, with a margin where it is a point."""
    if low == high:
        low, high = (float(x.min()), float(x.max())) if x.size else (0.0, 1.0)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise RuntimeError(message(f"{name}()", f"range of [{low}, {high}] is not finite"))
    if low > high:
        raise RuntimeError(message(f"{name}()", f"max must be larger than min, not [{low}, {high}]"))
    return (low - margin, high + margin) if low == high else (low, high)


def _need_real(name, x):
    if need_tensor(x, name).array.dtype.kind != "f":
        raise NotImplementedError(
            message(f"{name}()", f"not implemented for {x.dtype}", instead=f"{name}(x.float(), ...)")
        )


@takes_out
def histc(input, bins=100, min=0, max=0):
    """How many elements fall into each of equal intervals between min and max; the last one includes its end."""
    _need_real("histc", input)
    if bins <= 0:
        raise RuntimeError(message("histc()", f"bins must be > 0, but got {bins}"))
    x = input.array.reshape(-1)
    low, high = map(x.dtype.type, _limits("histc", x, float(min), float(max), 1.0))
    x = x[(x >= low) & (x <= high)]
    place = np.minimum(((x - low) * bins / (high - low)).astype(np.int64), bins - 1)
    return wrap(np.bincount(place, minlength=bins).astype(x.dtype))


_Histogram = named("histogram", "hist bin_edges")
_HistogramDD = named("histogramdd", "hist bin_edges")


def histogram(input, bins: int | Tensor | Sequence[int], *, range=None, weight=None, density=False, out=None):
    """How many elements, or how much weight, fall between the edges; `bins` is a number or the edges themselves."""
    _need_real("histogram", input)
    if weight is not None and weight.shape != input.shape:
        wrong = f"weight {list(weight.shape)} must have the shape of the input {list(input.shape)}"
        raise RuntimeError(message("histogram()", wrong))
    hist, edges = histogramdd(
        input.reshape(-1, 1),
        [bins],
        range=range,
        weight=None if weight is None else weight.reshape(-1),
        density=density,
    )
    if out is None:
        return _Histogram(hist, edges[0].clone())
    return _Histogram(*[store_one("histogram", a, t) for a, t in zip((hist, edges[0]), out, strict=True)])


def histogramdd(input, bins, *, range=None, weight=None, density=False):
    """How many points, in rows of coordinates, fall into each cell of a grid, whose edges come as a list."""
    if isinstance(bins, Tensor):
        raise TypeError("histogramdd(): argument 'bins' (position 2) must be int or tuple of Tensors, not Tensor")
    _need_real("histogramdd", input)
    if not input.ndim:
        raise RuntimeError(message("histogramdd()", "points are rows of coordinates, but the tensor has no dimensions"))
    points = input.array.reshape(-1, input.shape[-1])
    ndim = points.shape[-1]
    bins = [bins] * ndim if isinstance(bins, int) else list(bins)
    if len(bins) != ndim:
        wrong = f"expected {ndim} sequences of bin edges or numbers of bins, one for each dimension, got {len(bins)}"
        raise RuntimeError(message("histogramdd()", wrong))
    edges = [
        _edges(x, b, None if range is None else range[2 * d : 2 * d + 2])
        for d, (x, b) in enumerate(zip(points.T, bins, strict=True))
    ]
    inside = np.ones_like(points[:, 0], dtype=bool) if ndim else True
    cell, shape = 0, [len(e) - 1 for e in edges]
    for x, e, n in zip(points.T, edges, shape, strict=True):
        inside = inside & (x >= e[0]) & (x <= e[-1])
        cell = cell * n + np.clip(np.searchsorted(e, x, side="right") - 1, 0, n - 1)
    amount = np.ones_like(points[:, 0]) if weight is None else weight.array.reshape(-1)
    hist = np.bincount(cell[inside], amount[inside], math.prod(shape)).reshape(shape)
    if density:
        hist = hist / hist.sum()
        for d, e in enumerate(edges):
            hist = hist / np.diff(e).reshape([-1 if d == i else 1 for i in builtins.range(ndim)])
    return _HistogramDD(wrap(hist.astype(points.dtype)), [wrap(e) for e in edges])


def _edges(x, bins, limits):
    """The edges of a dimension's bins."""
    if isinstance(bins, Tensor):
        if bins.ndim != 1 or not bins.numel():
            raise RuntimeError(
                message("histogram()", f"bins tensor should have one dimension, but got {describe(bins)}")
            )
        return bins.array
    if bins <= 0:
        raise RuntimeError(message("histogram()", f"bins must be > 0, but got {bins}"))
    low, high = map(x.dtype.type, _limits("histogram", x, *(limits or (0.0, 0.0)), 0.5))
    # from the nearer end, in the type of the elements: what lies on an edge falls on the same side as in PyTorch
    k, step = devices.arange(bins + 1, like=x).astype(x.dtype), (high - low) / x.dtype.type(bins)
    return np.where(k < (bins + 1) // 2, low + step * k, high - step * (bins - k))


METHODS = "bincount corrcoef cov histc histogram median nanmedian nanquantile quantile std var"

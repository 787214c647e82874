"""Reductions: many elements to one, along dimensions or over all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import message
from ..op import cast, op
from ..return_types import named
from ..sums import total
from ..tensor import Tensor
from .arguments import need_tensor, sizes, wrapped
from .faces import takes_out
from .making import stored
from .pointwise import div, exp, where
from .reducing import (
    chosen,
    chosen_grad,
    need_elements,
    need_float,
    need_order,
    reduced,
    share,
    spread,
    typed,
    unreduced,
    widened,
)
from .shape import _view

# --- sums -----------------------------------------------------------------------------------------------------------


@op
def sum(x, dim=None, keepdim=False, *, dtype=None):
    """The sum."""
    x = typed(x, dtype)
    return total(x, reduced(x, dim), keepdim)


@op
def nansum(x, dim=None, keepdim=False, *, dtype=None):
    """The sum of all that are numbers: NaN counts as 0."""
    if x.dtype.kind == "c":
        raise RuntimeError(message("nansum()", f"does not support {x.dtype} input"))
    x = typed(np.where(x == x, x, 0), dtype)
    return total(x, reduced(x, dim), keepdim)


@op
def mean(x, dim=None, keepdim=False, *, dtype=None):
    """The arithmetic mean: the sum divided by the count."""
    x = typed(x, dtype)
    need_float("mean", x)
    out = total(widened(x), reduced(x, dim), keepdim)
    return (out * share(x.shape, out.shape)).astype(x.dtype, copy=False)


def _sum_grad(g, x_shape, x_dtype, dim, keepdim, dtype):
    return spread(g if dtype is None else cast(g, x_dtype), x_shape, dim, keepdim)


def _nansum_grad(g, x, x_dtype, dim, keepdim, dtype):
    return (x == x) * unreduced(g if dtype is None else cast(g, x_dtype), x.shape, dim, keepdim)


def _mean_grad(g, x_shape, x_dtype, dim, keepdim, dtype):
    return _sum_grad(g * share(x_shape, g.shape), x_shape, x_dtype, dim, keepdim, dtype)


sum.grad(x=_sum_grad)
nansum.grad(x=_nansum_grad)
mean.grad(x=_mean_grad)


@takes_out
def nanmean(input, dim=None, keepdim=False, *, dtype=None):
    """The arithmetic mean of all that are numbers."""
    input = typed(need_tensor(input, "nanmean"), dtype)
    need_float("nanmean", input.array)
    return div(nansum(input, dim, keepdim), sum(input == input, dim, keepdim))


# --- yes or no, how many ---------------------------------------------------------------------------------------------


def _truth(function, x, dim, keepdim):
    axis = reduced(x, dim)
    if axis is None and dim is not None:
        axis = ()  # here an empty list means no dimension
    out = function(x, axis=axis, keepdims=keepdim)
    return out.astype(x.dtype) if x.dtype == np.uint8 else out


@op(differentiable=False)
def all(x, dim=None, keepdim=False):
    """Whether every element is true."""
    return _truth(np.all, x, dim, keepdim)


@op(differentiable=False)
def any(x, dim=None, keepdim=False):
    """Whether some element is true."""
    return _truth(np.any, x, dim, keepdim)


@op(differentiable=False)
def count_nonzero(x, dim=None):
    """How many elements are not 0."""
    return total(x != 0, reduced(x, dim))


# --- extremes --------------------------------------------------------------------------------------------------------


def _shared_grad(g, x, out, x_dtype, dim, keepdim):
    """Equal shares for all elements that reach the extreme."""
    hit = x == unreduced(out, x.shape, dim, keepdim)
    return hit * (unreduced(g, x.shape, dim, keepdim) / sum(hit, dim, dim is not None, dtype=x_dtype))


@op
def amax(x, dim=(), keepdim=False):
    """The largest element; where several are, they share the gradient."""
    need_order("amax", x)
    axis = reduced(x, dim)
    need_elements("max" if dim is None else "amax", x, axis, RuntimeError)
    return np.max(x, axis=axis, keepdims=keepdim)


@op
def amin(x, dim=(), keepdim=False):
    """The smallest element; where several are, they share the gradient."""
    need_order("amin", x)
    axis = reduced(x, dim)
    need_elements("min" if dim is None else "amin", x, axis, RuntimeError)
    return np.min(x, axis=axis, keepdims=keepdim)


@op(returns="values indices")
def _max(x, dim, keepdim=False):
    """The largest element along a dimension and its place, the first of several."""
    need_order("max", x)
    need_elements("max", x, dim)
    return chosen(x, dim, keepdim, lambda rows: np.argmax(rows, axis=dim))


@op(returns="values indices")
def _min(x, dim, keepdim=False):
    """The smallest element along a dimension and its place, the first of several."""
    need_order("min", x)
    need_elements("min", x, dim)
    return chosen(x, dim, keepdim, lambda rows: np.argmin(rows, axis=dim))


def _place_of(name, function, x, dim, keepdim):
    if x.dtype.kind in "bc":
        raise RuntimeError(message(f"{name}()", f"does not support {x.dtype} input"))
    need_elements(name, x, dim)
    if x.ndim or dim is None:
        return function(x, axis=dim, keepdims=keepdim)
    return function(x.reshape(1), axis=dim)


@op(differentiable=False)
def argmax(x, dim: int | None = None, keepdim=False):
    """The place of the largest element, the first of several."""
    return _place_of("argmax", np.argmax, x, dim, keepdim)


@op(differentiable=False)
def argmin(x, dim: int | None = None, keepdim=False):
    """The place of the smallest element, the first of several."""
    return _place_of("argmin", np.argmin, x, dim, keepdim)


amax.grad(x=_shared_grad)
amin.grad(x=_shared_grad)
_max.grad(x=chosen_grad)
_min.grad(x=chosen_grad)


def max(input, dim: Any = None, keepdim=False, *, other=None, out=None):
    """The largest of all; with `dim`, (values, indices) along it; with another tensor, the larger of each pair."""
    return _extreme(input, dim, keepdim, other, out, amax, _max, "maximum")


def min(input, dim: Any = None, keepdim=False, *, other=None, out=None):
    """The smallest of all; with `dim`, (values, indices) along it; with another tensor, the smaller of each pair."""
    return _extreme(input, dim, keepdim, other, out, amin, _min, "minimum")


def _extreme(input, dim, keepdim, other, out, of_all, along, of_pairs):
    if other is not None and dim is not None:
        raise TypeError(f"{of_pairs}(): takes a dim or another tensor, not both")
    other = dim if isinstance(dim, Tensor) else other
    need_tensor(input, of_pairs)
    if other is not None:
        return getattr(input, of_pairs)(other) if out is None else getattr(input, of_pairs)(other, out=out)
    if dim is None:
        return of_all(input, None, out=out)
    if not isinstance(dim, (int, np.integer)):
        raise TypeError(f"{along.op.name}(): argument 'dim' must be int, not {type(dim).__name__}")
    return along(input, dim, keepdim, out=out)


_AMinMax = named("aminmax", "min max")


def aminmax(input, *, dim=None, keepdim=False, out=None):
    """The smallest and the largest element."""
    dims = () if dim is None else dim
    low, high = out or (None, None)
    found = stored("aminmax", amin(input, dims, keepdim), low, exact=True)
    return _AMinMax(found, stored("aminmax", amax(input, dims, keepdim), high, exact=True))


# --- products --------------------------------------------------------------------------------------------------------


def _product_tree(x, dim, keepdim, dtype):
    """The halves multiplied with each other, again and again, until one element is left."""
    x = typed(x, dtype)
    if dim is None:
        x, dim = x.reshape(-1), 0
    n = x.shape[dim] if x.ndim else 1
    rest = 1
    while n > 1:
        half = n // 2
        rest = x.narrow(dim, n - 1, 1) * rest if n % 2 else rest
        x = x.narrow(dim, 0, half) * x.narrow(dim, half, half)
        n = half
    return sum(x * rest, dim, keepdim) + (0 if n else 1)


@op(plain=_product_tree)
def prod(x, dim: int | None = None, keepdim=False, *, dtype=None):
    """The product."""
    if dim is not None and not isinstance(dim, (int, np.integer)):
        raise TypeError(f"prod(): argument 'dim' must be int, not {type(dim).__name__}")
    x = typed(x, dtype)
    kind = np.dtype(np.int64) if dtype is None and x.dtype.kind in "bui" else x.dtype
    return np.prod(x, axis=reduced(x, dim), keepdims=keepdim, dtype=kind)


def _prod_grad(g, x, x_dtype, dim, keepdim, dtype):
    """The product of all before times the product of all behind: no division, so that zeros do no harm."""
    rows = x.reshape(1, -1) if dim is None or not x.ndim else np.moveaxis(x, dim, -1)
    before, behind = np.ones_like(rows), np.ones_like(rows)
    before[..., 1:] = np.cumprod(rows[..., :-1], axis=-1)
    behind[..., :-1] = np.cumprod(rows[..., :0:-1], axis=-1)[..., ::-1]
    others = before * behind
    others = others.reshape(x.shape) if dim is None or not x.ndim else np.moveaxis(others, -1, dim)
    return others * unreduced(g if dtype is None else cast(g, x_dtype), x.shape, dim, keepdim)


prod.grad(x=_prod_grad)


# --- log of a sum of exponentials ------------------------------------------------------------------------------------


@op
def logsumexp(x, dim: int | Sequence[int], keepdim=False):
    """log Σ exp(x), with the largest taken out first, so that nothing overflows."""
    x = x if x.dtype.kind in "fc" else x * 1.0
    axis = reduced(x, dim)
    if not x.size:
        return np.log(total(np.exp(x), axis, keepdim))
    top = np.max(x.real, axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    out = np.log(total(np.exp(x - top), axis, True)) + top
    return out if keepdim else out.squeeze(tuple(range(x.ndim)) if axis is None else axis)


def _logsumexp_grad(g, x, out, dim, keepdim):
    none = out == -math.inf  # nothing but zeros was added up
    return unreduced(g, x.shape, dim, keepdim) * exp(x - unreduced(where(none, 0.0, out), x.shape, dim, keepdim))


logsumexp.grad(x=_logsumexp_grad)

# --- norms -----------------------------------------------------------------------------------------------------------


@op
def _norm(x, p, dim=None, keepdim=False):
    """The p-norm (Σ |x|ᵖ)^(1/p); its limits for p = ±∞, and the number of non-zeros for p = 0."""
    if x.dtype.kind not in "fc":
        wrong = f"Expected a floating point or complex tensor as input. Got {x.dtype}"
        raise RuntimeError(message("norm()", wrong, instead="x.float() first"))
    axis = reduced(x, dim)
    size = np.abs(widened(x))
    if p == 2:
        out = np.sqrt(total(size * size, axis, keepdim))
    elif p == 1:
        out = total(size, axis, keepdim)
    elif p == 0:
        out = total(size != 0, axis, keepdim)
    elif math.isinf(p):
        need_elements("norm", x, axis, RuntimeError)
        out = (np.max if p > 0 else np.min)(size, axis=axis, keepdims=keepdim)
    else:
        out = total(size**p, axis, keepdim) ** (1 / p)
    return out.astype(x.real.dtype, copy=False)


def _norm_grad(g, x, out, x_dtype, p, dim, keepdim):
    """The gradient of |x|, weighted by the share of |x| in the norm. Where the norm is 0 it is 0, as in PyTorch."""
    g, out = (unreduced(v, x.shape, dim, keepdim) for v in (g, out))
    size, along = abs(x), x.conj()
    if p == 2:
        return along * (g * (out != 0) / (out + (out == 0)))
    zero = size == 0
    sign = along / (size + zero)
    if p == 1:
        return sign * g
    if p == 0:
        return along * 0
    if math.isinf(p):
        hit = size == out
        return sign * hit * (g / sum(hit, dim, dim is not None, dtype=x_dtype.to_real()))
    scale = g * (out != 0) * (out + (out == 0)) ** (1 - p)
    return along * size ** (p - 2) * scale if p > 2 else sign * (size + zero) ** (p - 1) * scale


_norm.grad(x=_norm_grad)


def norm(input, p="fro", dim=None, keepdim=False, out=None, dtype=None):
    """The p-norm of all elements or along dimensions; "fro" is 2, "nuc" the sum of a matrix's singular values."""
    input = typed(need_tensor(input, "norm"), dtype)
    if p == "nuc":
        return _nuclear_norm(input, dim, keepdim, out=out)
    if isinstance(p, str) and p != "fro":
        raise RuntimeError(message("norm()", f"unknown order '{p}'", instead="'fro', 'nuc' or a number"))
    return _norm(input, 2 if p in ("fro", None) else p, dim, keepdim, out=out)


@takes_out
def _nuclear_norm(input: Tensor, dim: Sequence[int] | None, keepdim: bool):
    """The sum of a matrix's singular values."""
    rows, columns = range(input.ndim) if dim is None else dim
    values = input.movedim((rows, columns), (-2, -1)).svd()[1].sum(-1)
    return values.unsqueeze(rows).unsqueeze(columns) if keepdim else values


def dist(input: Tensor, other: Tensor, p: float = 2):
    """The p-norm of the difference."""
    return _norm(input - other, p)


@takes_out
def renorm(input, p, dim, maxnorm):
    """Each part along `dim`, scaled down to the p-norm `maxnorm` where its own is greater."""
    name = "renorm()"
    if input.ndim < 2:
        raise RuntimeError(message(name, f"input needs at least 2 dimensions, got {input.ndim} dimensions"))
    if p <= 0:
        raise RuntimeError(message(name, f"non-positive-norm not supported, got p={p}"))
    if maxnorm < 0:
        raise RuntimeError(message(name, f"expected maxnorm to be >= 0 but got {maxnorm}"))
    dim = wrapped(dim, input.ndim)
    norms = _norm(input, p, tuple(d for d in range(input.ndim) if d != dim), True)
    return input * where(norms > maxnorm, maxnorm / (norms + 1e-7), 1.0)


def _sum_to_size(self, *size):
    """The sum over the dimensions that broadcasting from `size` to the tensor's shape would add or lengthen."""
    shape = sizes(size)
    lead = self.ndim - len(shape)
    if lead < 0 or [n for n, m in zip(shape, self.shape[lead:], strict=True) if n not in (1, m)]:
        wrong = f"size {list(shape)} is not expandable to size {list(self.shape)}"
        raise RuntimeError(message("sum_to_size()", wrong))
    if not shape:
        return sum(self)
    dims = tuple(d for d, m in enumerate(self.shape) if d < lead or shape[d - lead] != m)
    return _view(sum(self, dims, True), shape) if dims else self


METHODS = """
    all amax amin aminmax any argmax argmin count_nonzero dist logsumexp max mean min nanmean nansum norm prod renorm sum
"""
INPLACE = "renorm"
OPERATORS = {"sum_to_size": _sum_to_size}

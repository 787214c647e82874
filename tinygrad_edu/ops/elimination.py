"""Gaussian elimination, A = P L U, and the determinants that follow from it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..op import op
from ..return_types import named
from ..tensor import Tensor
from . import lapack
from .blocks import below, beside, columns, diagonal_from, diagonal_of, each, identity, mH, rows, written
from .complexes import conj, imag
from .decompositions import _svd
from .linear_algebra import _inv, _solve_triangular
from .movement import _tril, _triu
from .pointwise import _where, log
from .reductions import prod, sum
from .shape import mT, unsqueeze

Factors = named("lu_factor_ex", "LU pivots info")
Unpacked = named("lu_unpack", "P L U")

# --- LU --------------------------------------------------------------------------------------------------------------


@op(returns="LU pivots")
def _lu_factor(x):
    """L without its diagonal of ones and U in one matrix, and the row (from 1) exchanged with each row in turn."""
    lapack.check_matrices("lu_factor", x)
    return lapack.eliminate(x)


@op(differentiable=False)
def _singular_at(x):
    """For each matrix 0, or the first step of the elimination that finds no pivot."""
    return lapack.singular_at(x)


@op(differentiable=False)
def _permutation(pivots, rows):
    """The order of the rows that the exchanges lead to."""
    return lapack.permutation(pivots, rows)


@op
def _reordered(x, order):
    """The rows in another order."""
    batch = np.broadcast_shapes(x.shape[:-2], order.shape[:-1])
    x = np.broadcast_to(x, batch + x.shape[-2:])
    return np.take_along_axis(x, np.broadcast_to(order, batch + order.shape[-1:])[..., None], -2)


@op(differentiable=False)
def _undone(order):
    """The order that leads back."""
    return np.argsort(order, -1)


def _lu_factor_grad(g_LU, LU, pivots):
    """L⁻¹ Pᵀ dA U⁻¹ = L⁻¹ dL + dU U⁻¹: a strictly lower plus an upper triangle; the rest of a long matrix is solved for."""
    m, n = LU.shape[-2:]
    k = min(m, n)
    square, g = rows(columns(LU, 0, k), 0, k), rows(columns(g_LU, 0, k), 0, k)
    L, U = _tril(square, -1) + identity(square), _triu(square, 0)
    lower, upper = mT(L) @ _tril(g, -1), _triu(g, 0) @ mT(U)
    if n > k:
        U2, g_U2 = columns(LU, k, n), columns(g_LU, k, n)
        lower = lower - g_U2 @ mT(U2)
    if m > k:
        L2, g_L2 = rows(LU, k, m), rows(g_LU, k, m)
        upper = upper - mT(L2) @ g_L2
    inner = _tril(lower, -1) + _triu(upper, 0)
    gx = _solve_triangular(mT(L), mT(_solve_triangular(U, mT(inner), True)), True, True)
    if n > k:
        gx = beside(gx, _solve_triangular(mT(L), g_U2, True, True))
    if m > k:
        gx = below(gx, mT(_solve_triangular(U, mT(g_L2), True)))
    return _reordered(gx, _undone(_permutation(pivots, m)))


_reordered.grad(x=lambda g, order: _reordered(g, _undone(order)))
_lu_factor.grad(x=_lu_factor_grad)


def lu(input: Tensor, pivot: bool = True, get_infos: bool = False, *, out: Any = None) -> Any:
    """L and U in one matrix, and the exchanges of rows; with `get_infos` also where the elimination found no pivot."""
    if not pivot:
        raise RuntimeError("lu: LU without pivoting is not implemented; leave out pivot=False")
    if get_infos:
        LU, pivots = _lu_factor(input)
        return written(_lu_factor, Factors(LU, pivots, _singular_at(input)), out)
    return _lu_factor(input, out=out)


def lu_unpack(
    LU_data: Tensor, LU_pivots: Tensor, unpack_data: bool = True, unpack_pivots: bool = True, *, out: Any = None
) -> Any:
    """P, L and U from what `lu_factor` returns."""
    m, n = LU_data.shape[-2:]
    k = min(m, n)
    empty = LU_data.new_empty(0)
    P, L, U = empty, empty, empty
    if unpack_pivots:
        P = _reordered(identity(LU_data.new_empty(*LU_data.shape[:-1], m)), _undone(_permutation(LU_pivots, m)))
    if unpack_data:
        L = _tril(columns(LU_data, 0, k), -1)
        L, U = L + identity(L), _triu(rows(LU_data, 0, k), 0)
    return written(_lu_factor, Unpacked(P, L, U), out)


def lu_solve(b: Tensor, LU_data: Tensor, LU_pivots: Tensor, *, out: Any = None) -> Tensor:
    """The solution of A X = b, given the LU factors of A."""
    lapack.check_square("lu_solve", LU_data)
    b = _reordered(b, _permutation(LU_pivots, LU_data.shape[-1]))
    half = _solve_triangular(LU_data, b, False, True)
    return written(_solve_triangular, _solve_triangular(LU_data, half, True), out)


# --- determinants ----------------------------------------------------------------------------------------------------


@op
def det(x):
    """The determinant."""
    lapack.check_square("det", x)
    return np.linalg.det(x)


@op
def _cofactors(x):
    """The signed determinants of all minors: det(x) times the transposed inverse, also where there is no inverse."""
    u, s, vh = np.linalg.svd(x)
    one = np.ones_like(s[..., :1])
    before = np.cumprod(np.concatenate([one, s[..., :-1]], -1), -1)
    after = np.cumprod(np.concatenate([one, s[..., :0:-1]], -1), -1)[..., ::-1]
    direction = (np.linalg.det(u) * np.linalg.det(vh))[..., None, None]
    return direction * np.conjugate((u * (before * after)[..., None, :]) @ vh)


@op(returns="sign logabsdet")
def slogdet(x):
    """The determinant as its direction, of absolute value 1 or 0, and the logarithm of its absolute value."""
    lapack.check_square("slogdet", x)
    return tuple(np.linalg.slogdet(x))


def _cofactors_grad(g, x):
    """In the bases of the singular vectors a minor is a product of singular values, and changes by those without two."""
    u, s, vh = _svd(x)
    direction = each(det(u) * det(vh))
    inner = direction * (mH(u) @ g @ mH(vh))
    without = _products_without_two(s)
    inner = diagonal_from(sum(without * unsqueeze(diagonal_of(inner), -2), -1)) - mT(without * inner)
    return conj(u) @ inner @ conj(vh)


def _products_without_two(s):
    """At [i, j] the product of all s[k] but the i-th and the j-th; 0 where these are one."""
    one = identity(unsqueeze(s, -1) * unsqueeze(s, -2))
    left_out = unsqueeze(one, -2) + unsqueeze(one, -3)  # [i, j, k]: whether k is i or j
    return prod(_where(left_out > 0, 1, unsqueeze(unsqueeze(s, -2), -2)), -1) * (1 - one)


def _slogdet_grad(g_sign, g_logabsdet, x, x_dtype, sign):
    if x_dtype.is_complex:
        g_logabsdet = g_logabsdet + imag(g_sign * sign) * 1j
    return each(g_logabsdet) * mT(_inv(x))


det.grad(x=lambda g, x: each(g) * _cofactors(x))
_cofactors.grad(x=_cofactors_grad)
slogdet.grad(x=_slogdet_grad)


def logdet(input: Tensor) -> Tensor:
    """The logarithm of the determinant: nan where that is negative, -inf where it is 0."""
    sign, logabsdet = slogdet(input)
    return logabsdet + log(sign)


METHODS = "det logdet lu lu_solve slogdet"

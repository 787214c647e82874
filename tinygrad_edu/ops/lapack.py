"""Algorithms on arrays of matrices: LAPACK through NumPy with our errors, and what NumPy has no name for.

A matrix is the last two dimensions of an array; those before are a batch. No calculus here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import devices
from ..errors import describe, message

BLOCK = 32  # rows that are eliminated one by one before the rest follows in one matrix product


class LinAlgError(RuntimeError):
    """A matrix has no such inverse or factorization, or the algorithm did not converge."""


# --- what may be given -----------------------------------------------------------------------------------------------


def check_matrices(name: str, x: Any) -> None:
    """Raise unless `x` holds matrices of floating-point numbers that LAPACK takes; `x` is an array or a tensor."""
    x = getattr(x, "array", x)
    if x.ndim < 2:
        raise RuntimeError(
            message(
                f"linalg.{name}({describe(x)})",
                f"The input tensor A must have at least 2 dimensions, but it has {x.ndim}",
                instead="x.unsqueeze(-1) for a column",
            )
        )
    if x.dtype.kind not in "fc" or x.dtype.itemsize < 4:
        wrong = "Expected a floating point or complex tensor as input" if x.dtype.kind not in "fc" else "Low precision"
        raise RuntimeError(message(f"linalg.{name}({describe(x)})", f"{wrong}. Got {x.dtype}", instead="x.float()"))


def check_square(name: str, x: Any) -> None:
    """Raise unless `x` holds square matrices of floating-point numbers."""
    check_matrices(name, x)
    rows, columns = x.shape[-2:]
    if rows != columns:
        raise RuntimeError(
            message(
                f"linalg.{name}({describe(x)})",
                f"A must be batches of square matrices, but they are {rows} by {columns} matrices",
                instead="linalg.pinv or linalg.lstsq for matrices that are not square",
            )
        )


def checked(name: str, why: tuple[str, str], function: Callable, x: Any, *options: Any) -> Any:
    """`function(x, *options)`, and where LAPACK gives up, a `LinAlgError` that says which matrix, why, and what to do."""
    try:
        return function(x, *options)
    except np.linalg.LinAlgError as error:
        wrong, instead = why
        wrong = f"{_first_failing(function, x, options)}{wrong}"
        raise LinAlgError(message(f"linalg.{name}({describe(x)})", wrong, instead=instead)) from error


def _first_failing(function: Callable, x: Any, options: tuple) -> str:
    for i in np.ndindex(x.shape[:-2]):
        single = [o[i] if getattr(o, "ndim", 0) == x.ndim else o for o in options]
        if i and not _succeeds(function, x[i], *single):
            return f"(Batch element {', '.join(map(str, i))}): "
    return ""


def _succeeds(function: Callable, x: Any, *options: Any) -> bool:
    try:
        function(x, *options)
    except np.linalg.LinAlgError:
        return False
    return True


# --- triangles -------------------------------------------------------------------------------------------------------


def substitute(a: Any, b: Any, upper: bool, unitriangular: bool) -> Any:
    """Solve AX = B for triangular A, whose other triangle is not looked at. A zero on the diagonal gives inf."""
    if upper:  # read backwards, it is a lower triangle
        return substitute(a[..., ::-1, ::-1], b[..., ::-1, :], False, unitriangular)[..., ::-1, :]
    n = a.shape[-1]
    x = devices.empty(np.broadcast_shapes(a.shape[:-2], b.shape[:-2]) + b.shape[-2:], b.dtype, like=b)
    for start in range(0, n, BLOCK):
        rows = slice(start, start + BLOCK)
        x[..., rows, :] = b[..., rows, :] - a[..., rows, :start] @ x[..., :start, :]
        for i in range(start, min(start + BLOCK, n)):
            row = x[..., i, :] - (a[..., i, None, start:i] @ x[..., start:i, :])[..., 0, :]
            x[..., i, :] = row if unitriangular else row / a[..., i, i, None]
    return x


def eliminate(a: Any) -> tuple[Any, Any]:
    """LU with partial pivoting: L below the diagonal and U above in one array, and the row swapped with row k."""
    a = a.copy()
    rows, columns = a.shape[-2:]
    steps = min(rows, columns)
    pivots = devices.empty((*a.shape[:-2], steps), np.int32, like=a)
    for start in range(0, steps, BLOCK):
        stop = min(start + BLOCK, steps)
        for k in range(start, stop):
            column = a[..., k:, k]
            size = abs(column.real) + abs(column.imag) if a.dtype.kind == "c" else abs(column)  # as LAPACK measures
            p = size.argmax(-1) + k
            pivots[..., k] = p + 1  # LAPACK counts from 1
            swapped = np.take_along_axis(a, p[..., None, None], -2)[..., 0, :]
            np.put_along_axis(a, p[..., None, None], a[..., k, None, :].copy(), -2)
            a[..., k, :] = swapped
            pivot = a[..., k, None, k]
            a[..., k + 1 :, k] /= np.where(pivot == 0, 1, pivot).astype(a.dtype)
            a[..., k + 1 :, k + 1 : stop] -= a[..., k + 1 :, k, None] * a[..., k, None, k + 1 : stop]
        block, rest = slice(start, stop), slice(stop, None)
        if stop < columns:
            a[..., block, rest] = substitute(a[..., block, block], a[..., block, rest], False, True)
            a[..., rest, rest] -= a[..., rest, block] @ a[..., block, rest]
    return a, pivots


def permutation(pivots: Any, rows: int) -> Any:
    """The order of rows that swapping row k with row pivots[k], for each k in turn, leads to."""
    order = np.broadcast_to(devices.arange(rows, like=pivots), (*pivots.shape[:-1], rows)).copy()
    for k in range(pivots.shape[-1]):
        p = pivots[..., k, None].astype(np.int64) - 1
        swapped = np.take_along_axis(order, p, -1)
        np.put_along_axis(order, p, order[..., k, None].copy(), -1)
        order[..., k, None] = swapped
    return order


def threshold(shape: Any, values: Any, atol: Any, rtol: Any) -> Any:
    """Up to which size singular values count as 0: max(atol, rtol * largest), by default a rounding error's size."""
    atol = 0.0 if atol is None else atol
    if rtol is None:
        rtol = max(shape[-2:]) * float(np.finfo(values.dtype).eps) * (atol <= 0)
    largest = values.max(-1) if values.shape[-1] else values.sum(-1)
    return np.maximum(atol, rtol * largest)[..., None]


# --- where single matrices of a batch may fail ---------------------------------------------------------------------------


def singular_at(x: Any) -> Any:
    """For each matrix 0, or the first step of the elimination, from 1, that meets a zero pivot."""
    zero = np.diagonal(eliminate(x)[0], 0, -2, -1) == 0
    if not zero.shape[-1]:
        return devices.zeros(x.shape[:-2], np.int32, like=x)
    return np.where(zero.any(-1), zero.argmax(-1) + 1, 0).astype(np.int32)


def indefinite_at(x: Any) -> Any:
    """For each matrix 0, or the order of the first leading minor that is not positive."""
    orders = devices.zeros(x.shape[:-2], np.int32, like=x)
    if not _succeeds(np.linalg.cholesky, x):
        for i in np.ndindex(orders.shape):
            minors = (k for k in range(1, x.shape[-1] + 1) if not _succeeds(np.linalg.cholesky, x[i][:k, :k]))
            orders[i] = next(minors, 0)
    return orders


# --- the exponential -------------------------------------------------------------------------------------------------

# the [13/13] Padé approximant of exp, exact to rounding in float64 for matrices of 1-norm below RADIUS (Higham 2005)
PADE = (64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000, 10559470521600,
        670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1)  # fmt: skip
RADIUS = 5.37


def exponential(x: Any) -> Any:
    """The matrix exponential: halve until small, take the Padé approximant, square back."""
    if not x.size:
        return x.copy()
    halvings = np.clip(np.frexp(abs(x).sum(-2).max(-1) / RADIUS)[1], 0, 1024)
    x = x * (0.5**halvings).astype(x.real.dtype)[..., None, None]
    one = np.broadcast_to(devices.module_of(x).eye(x.shape[-1], dtype=x.dtype), x.shape)
    c = [float(value) / PADE[0] for value in PADE]  # scaled to 1, so that float32 does not overflow
    x2 = x @ x
    x4 = x2 @ x2
    x6 = x2 @ x4
    odd = x @ (x6 @ (c[13] * x6 + c[11] * x4 + c[9] * x2) + c[7] * x6 + c[5] * x4 + c[3] * x2 + c[1] * one)
    even = x6 @ (c[12] * x6 + c[10] * x4 + c[8] * x2) + c[6] * x6 + c[4] * x4 + c[2] * x2 + c[0] * one
    out = np.linalg.solve(even - odd, even + odd)
    for k in range(int(halvings.max())):
        out = np.where((k < halvings)[..., None, None], out @ out, out)
    return out

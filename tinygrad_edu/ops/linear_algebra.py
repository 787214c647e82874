"""Linear systems, inverses, powers and exponentials of matrices.

A matrix is the last two dimensions of a tensor; those before are a batch. The rules are matrix calculus read off from
dL = Re Σ g dX: whoever stands beside dX comes out transposed. Nothing is conjugated, except where the function itself
conjugates.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import describe, message
from ..op import op
from ..return_types import named
from ..tensor import Tensor
from . import lapack
from .blocks import below, beside, columns, diagonal_of, identity, rows, written
from .movement import _tril, _triu
from .reductions import sum
from .shape import mT

TriangularSolution = named("triangular_solve", "solution cloned_coefficient")
SINGULAR = (
    "The solver failed because the input matrix is singular",
    "linalg.pinv(x) or linalg.lstsq(x, y), which singular matrices have too, or x + 1e-6 * eye(n)",
)


# --- systems ---------------------------------------------------------------------------------------------------------


@op
def _inv(x):
    """The inverse."""
    lapack.check_square("inv", x)
    return lapack.checked("inv", SINGULAR, np.linalg.inv, x)


@op
def _solve(x, y):
    """The solution of x @ out = y."""
    lapack.check_square("solve", x)
    return lapack.checked("solve", SINGULAR, np.linalg.solve, x, y)


@op
def _solve_triangular(x, y, upper=False, unitriangular=False):
    """The solution of x @ out = y, where of x only one triangle counts, or that without its diagonal of ones."""
    return lapack.substitute(x, y, upper, unitriangular)


def _solve_grad(g, x, out, needs):
    gy = _solve(mT(x), g)
    return (-gy @ mT(out) if needs & 1 else None), gy


def _solve_triangular_grad(g, x, upper, unitriangular, out, needs):
    gy = _solve_triangular(mT(x), g, not upper, unitriangular)
    return (_triangle(-gy @ mT(out), upper, unitriangular) if needs & 1 else None), gy


def _triangle(x, upper, strict):
    return _triu(x, int(strict)) if upper else _tril(x, -int(strict))


_inv.grad(x=lambda g, out: -mT(out) @ g @ mT(out))
_solve.grad(together=_solve_grad)
_solve_triangular.grad(together=_solve_triangular_grad)


def triangular_solve(
    b: Tensor,
    A: Tensor,
    upper: bool = True,
    transpose: bool = False,
    unitriangular: bool = False,
    *,
    out: Any = None,
) -> Any:
    """The solution of A X = b for a triangular A, or its transpose, and A."""
    lapack.check_square("triangular_solve", A)
    if b.ndim < 2 or b.shape[-2] != A.shape[-1]:
        wrong = f"b must have {A.shape[-1]} rows, as many as A, but has shape {list(b.shape)}"
        raise RuntimeError(message(f"triangular_solve({describe(b)}, {describe(A)})", wrong))
    X = _solve_triangular(mT(A) if transpose else A, b, upper != transpose, unitriangular)
    return written(_solve_triangular, TriangularSolution(X, A.clone()), out)


def inverse(input: Tensor, *, out: Any = None) -> Tensor:
    """The inverse of each matrix."""
    return _inv(input, out=out)


# --- powers and exponentials -----------------------------------------------------------------------------------------


@op
def matrix_exp(x):
    """The exponential Σ xᵏ / k!."""
    lapack.check_square("matrix_exp", x)
    return lapack.exponential(x)


def _matrix_exp_grad(g, x):
    """exp [[xᵀ, g], [0, xᵀ]] carries the derivative in the direction g in its upper right corner."""
    n, a = g.shape[-1], mT(x)
    block = matrix_exp(below(beside(a, g), beside(a * 0, a)))
    return columns(rows(block, 0, n), n, 2 * n)


matrix_exp.grad(x=_matrix_exp_grad)


def matrix_power(input: Tensor, n: int, *, out: Any = None) -> Tensor:
    """The product of n equal matrices, by repeated squaring; of inverses for negative n."""
    lapack.check_square("matrix_power", input)
    if not isinstance(n, (int, np.integer)):
        raise TypeError(f"matrix_power(): argument 'n' must be int, not {type(n).__name__}")
    square: Any = _inv(input) if n < 0 else input
    power: Any = None if n else identity(input)
    n = abs(n)
    while n:
        if n % 2:
            power = square if power is None else power @ square
        n //= 2
        square = square @ square if n else square
    return written(_inv, power.clone() if power is input else power, out)


def trace(input: Tensor) -> Tensor:
    """The sum of the diagonal."""
    if input.ndim != 2:
        raise RuntimeError(
            f"trace: expected a matrix, but got tensor with dim {input.ndim}; write linalg.diagonal(x).sum(-1)"
        )
    return sum(diagonal_of(input))


METHODS = "inverse matrix_exp matrix_power trace triangular_solve"

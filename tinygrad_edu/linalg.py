"""`torch.linalg`: linear algebra by PyTorch's names and signatures, composed of `ops.linear_algebra` and its neighbours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import dtypes
from .errors import describe, message
from .ops import lapack, matrix
from .ops.blocks import columns, each, identity, mH, written
from .ops.complexes import abs, conj
from .ops.decompositions import (
    _cholesky,
    _eig,
    _eigh,
    _eigvals,
    _eigvalsh,
    _indefinite_at,
    _pinv,
    _qr,
    _svd,
    _svdvals,
    orgqr,
)
from .ops.elimination import Factors, _lu_factor, _permutation, _reordered, _singular_at, _undone, lu_unpack
from .ops.elimination import det as _det
from .ops.elimination import slogdet as _slogdet
from .ops.lapack import LinAlgError
from .ops.linear_algebra import _inv, _solve, _solve_triangular
from .ops.linear_algebra import matrix_exp as _matrix_exp
from .ops.linear_algebra import matrix_power as _matrix_power
from .ops.misuse import explain_all
from .ops.parts import diagonal as _diagonal
from .ops.pointwise import where
from .ops.reducing import typed
from .ops.reductions import _norm, amax, amin, sum
from .ops.shape import mT
from .return_types import named
from .tensor import Tensor

Inverse = named("inv_ex", "inverse info")
Factor = named("cholesky_ex", "L info")
Solution = named("solve_ex", "result info")
LeastSquares = named("lstsq", "solution residuals rank singular_values")

# --- systems and inverses ------------------------------------------------------------------------------------------------


def inv(A: Tensor, *, out: Any = None) -> Tensor:
    """The inverse."""
    return _inv(A, out=out)


def solve(A: Tensor, B: Tensor, *, left: bool = True, out: Any = None) -> Tensor:
    """The solution of A X = B, or of X A = B for `left=False`; B may hold vectors."""
    lapack.check_square("solve", A)
    vector = B.ndim == 1 or (B.ndim == A.ndim - 1 and B.shape == A.shape[:-1])
    if vector:
        B = B.unsqueeze(-1 if left else -2)
    _check_sides("solve", A, B, left)
    X = _solve(A, B) if left else mT(_solve(mT(A), mT(B)))
    return written(_solve, X.squeeze(-1 if left else -2) if vector else X, out)


def solve_triangular(
    A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False, out: Any = None
) -> Tensor:
    """The solution of A X = B, or X A = B, by substitution: one triangle of A is read."""
    lapack.check_square("solve_triangular", A)
    lapack.check_matrices("solve_triangular", B)
    _check_sides("solve_triangular", A, B, left)
    if left:
        return _solve_triangular(A, B, upper, unitriangular, out=out)
    return written(_solve_triangular, mT(_solve_triangular(mT(A), mT(B), not upper, unitriangular)), out)


def pinv(
    A: Tensor, rcond: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None, out: Any = None
) -> Tensor:
    """The Moore-Penrose pseudo-inverse, without singular values up to max(atol, rtol * largest)."""
    return _pinv(A, atol, rcond if rtol is None else rtol, hermitian, out=out)


def lstsq(A: Tensor, B: Tensor, rcond: Any = None, *, driver: str | None = None, out: Any = None) -> tuple[Tensor, ...]:
    """The X that makes |A X - B| least, and of these the shortest."""
    lapack.check_matrices("lstsq", A)
    drivers = (None, "gels", "gelsy", "gelsd", "gelss")
    if driver not in drivers:
        raise RuntimeError(f"torch.linalg.lstsq: parameter `driver` should be one of {drivers[1:]}, not {driver!r}")
    vector = B.ndim == 1 or (B.ndim == A.ndim - 1 and B.shape == A.shape[:-1])
    B = B.unsqueeze(-1) if vector else B
    if B.ndim < 2 or B.shape[-2] != A.shape[-2]:
        wrong = f"input.size(-2) should match other.size(-2), {A.shape[-2]} and {B.shape[-2] if B.ndim > 1 else 1}"
        raise RuntimeError(message(f"linalg.lstsq({describe(A)}, {describe(B)})", wrong))
    m, n = A.shape[-2:]
    X = _pinv(A, None, rcond) @ B
    values = _svdvals(A.detach())
    rank = _rank(A.shape, values, None, rcond)
    residuals = sum(abs(A @ X - B) ** 2, -2)
    if m <= n or driver == "gelsy" or bool((rank < n).any().item()):
        residuals = columns(residuals.reshape(-1), 0, 0)
    wanted = values if driver in ("gelsd", "gelss") else values.new_empty(0)
    found = X.squeeze(-1) if vector else X, residuals, rank.new_empty(0) if driver == "gels" else rank, wanted
    return written(_pinv, LeastSquares(*found), out)


def tensorinv(A: Tensor, ind: int = 2, *, out: Any = None) -> Tensor:
    """The inverse of the map from the dimensions after the first `ind` to those first ones."""
    if ind <= 0:
        raise RuntimeError(f"Expected a strictly positive integer for 'ind', not {ind}")
    front, back = A.shape[:ind], A.shape[ind:]
    if math.prod(front) != math.prod(back):
        wrong = f"Expected self to satisfy the requirement prod(self.shape[ind:]) == prod(self.shape[:ind]), not {list(A.shape)}"
        raise RuntimeError(f"tensorinv: {wrong} with ind={ind}")
    return written(_inv, _inv(A.reshape(math.prod(front), math.prod(back))).reshape(*back, *front), out)


def tensorsolve(A: Tensor, B: Tensor, dims: Any = None, *, out: Any = None) -> Tensor:
    """The X with tensordot(A, X, X.ndim) = B."""
    if dims is not None:
        A = A.movedim(tuple(dims), tuple(range(A.ndim - len(dims), A.ndim)))
    rest = A.shape[B.ndim :]
    if math.prod(rest) != B.numel():
        wrong = (
            "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == prod(self.shape[:other.ndim])"
        )
        raise RuntimeError(message(f"tensorsolve({describe(A)}, {describe(B)})", wrong))
    return written(_solve, _solve(A.reshape(B.numel(), -1), B.reshape(-1, 1)).reshape(rest), out)


# --- decompositions ------------------------------------------------------------------------------------------------------


def cholesky(A: Tensor, *, upper: bool = False, out: Any = None) -> Tensor:
    """The triangle L of A = L Lᴴ, or U of A = Uᴴ U."""
    return _cholesky(A, upper, out=out)


def qr(A: Tensor, mode: str = "reduced", *, out: Any = None) -> Any:
    """Orthonormal columns Q and an upper triangle R with A = Q R."""
    return _qr(A, mode, out=out)


def householder_product(A: Tensor, tau: Tensor, *, out: Any = None) -> Tensor:
    """The first columns of the product of the reflections (1 - tau v vᴴ), whose vectors lie below the diagonal."""
    return written(_inv, orgqr(A, tau), out)


def eigh(A: Tensor, UPLO: str = "L", *, out: Any = None) -> Any:
    """Real eigenvalues in ascending order and orthonormal eigenvectors of Hermitian matrices."""
    return _eigh(A, UPLO, out=out)


def eigvalsh(A: Tensor, UPLO: str = "L", *, out: Any = None) -> Tensor:
    """The eigenvalues of Hermitian matrices, in ascending order."""
    return _eigvalsh(A, UPLO, out=out)


def eig(A: Tensor, *, out: Any = None) -> Any:
    """Complex eigenvalues and eigenvectors of length 1."""
    return _eig(A, out=out)


def eigvals(A: Tensor, *, out: Any = None) -> Tensor:
    """The complex eigenvalues."""
    return _eigvals(A, out=out)


def svd(A: Tensor, full_matrices: bool = True, *, driver: str | None = None, out: Any = None) -> Any:
    """U, S and Vᴴ with A = U diag(S) Vᴴ."""
    _no_driver("svd", driver)
    return _svd(A, full_matrices, out=out)


def svdvals(A: Tensor, *, driver: str | None = None, out: Any = None) -> Tensor:
    """The singular values, in descending order."""
    _no_driver("svdvals", driver)
    return _svdvals(A, out=out)


def lu(A: Tensor, *, pivot: bool = True, out: Any = None) -> Any:
    """P, L and U with A = P L U."""
    return lu_unpack(*lu_factor(A, pivot=pivot), out=out)


def lu_factor(A: Tensor, *, pivot: bool = True, out: Any = None) -> Any:
    """L and U in one matrix, and the exchanges of rows."""
    if not pivot:
        raise RuntimeError("linalg.lu_factor: LU without pivoting is not implemented; leave out pivot=False")
    return _lu_factor(A, out=out)


def lu_solve(
    LU: Tensor, pivots: Tensor, B: Tensor, *, left: bool = True, adjoint: bool = False, out: Any = None
) -> Tensor:
    """The solution of A X = B, or X A = B, or with Aᴴ for `adjoint`, given the LU factors of A."""
    lapack.check_square("lu_solve", LU)
    _check_sides("lu_solve", LU, B, left)
    if not left:
        return written(_solve, mH(lu_solve(LU, pivots, mH(B), adjoint=not adjoint)), out)
    order = _permutation(pivots, LU.shape[-1])
    if adjoint:
        half = _solve_triangular(mH(LU), B, False)
        X = _reordered(_solve_triangular(mH(LU), half, True, True), _undone(order))
    else:
        X = _solve_triangular(LU, _solve_triangular(LU, _reordered(B, order), False, True), True)
    return written(_solve, X, out)


# --- the same where single matrices of a batch may fail --------------------------------------------------------------------


def inv_ex(A: Tensor, *, check_errors: bool = False, out: Any = None) -> tuple[Tensor, ...]:
    """The inverse, nan where there is none, and 0 or at which step it failed."""
    lapack.check_square("inv_ex", A)
    return written(_inv, Inverse(*_tried(_inv, A, _singular_at(A), check_errors)), out)


def solve_ex(
    A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False, out: Any = None
) -> tuple[Tensor, ...]:
    """The solution of A X = B, nan where there is none, and 0 or at which step it failed."""
    lapack.check_square("solve_ex", A)
    solution = _tried(lambda a: solve(a, B, left=left), A, _singular_at(A), check_errors)
    return written(_solve, Solution(*solution), out)


def cholesky_ex(A: Tensor, *, upper: bool = False, check_errors: bool = False, out: Any = None) -> tuple[Tensor, ...]:
    """The Cholesky factor, nan where there is none, and 0 or the order of the first minor that is not positive."""
    lapack.check_square("cholesky_ex", A)
    info = _indefinite_at(mH(A) if upper else A)
    factor = _tried(lambda a: _cholesky(a, upper), A, info, check_errors)
    return written(_cholesky, Factor(*factor), out)


def lu_factor_ex(A: Tensor, *, pivot: bool = True, check_errors: bool = False, out: Any = None) -> tuple[Tensor, ...]:
    """The LU factors, and 0 or the first step that found no pivot."""
    LU, pivots = lu_factor(A, pivot=pivot)
    info = _singular_at(A)
    if check_errors and bool(info.any().item()):
        raise LinAlgError(f"linalg.lu_factor_ex({describe(A)}): U has a zero on its diagonal")
    return written(_lu_factor, Factors(LU, pivots, info), out)


def _tried(function: Any, A: Tensor, info: Tensor, check_errors: bool) -> tuple[Tensor, Tensor]:
    if check_errors or not bool(info.any().item()):
        return function(A), info
    failed = info > 0
    result = function(where(each(failed), identity(A), A))
    return where(failed.reshape(*failed.shape, *[1] * (result.ndim - failed.ndim)), math.nan, result), info


# --- numbers that describe a matrix ----------------------------------------------------------------------------------------


def det(A: Tensor, *, out: Any = None) -> Tensor:
    """The determinant."""
    return _det(A, out=out)


def slogdet(A: Tensor, *, out: Any = None) -> Any:
    """The determinant as its direction and the logarithm of its absolute value."""
    return _slogdet(A, out=out)


def matrix_rank(
    A: Tensor,
    tol: float | Tensor | None = None,
    hermitian: bool = False,
    *,
    atol: Any = None,
    rtol: Any = None,
    out: Any = None,
) -> Tensor:
    """How many singular values are larger than max(atol, rtol * largest)."""
    lapack.check_matrices("matrix_rank", A)
    values = abs(_eigvalsh(A.detach())) if hermitian else _svdvals(A.detach())
    if tol is not None:
        atol, rtol = tol, 0.0
    return written(_inv, _rank(A.shape, values, atol, rtol), out)


def _rank(shape: Any, values: Tensor, atol: Any, rtol: Any) -> Tensor:
    atol, rtol = (v.array if isinstance(v, Tensor) else v for v in (atol, rtol))
    return sum(values > lapack.threshold(shape, values.array, atol, rtol), -1)


def cond(A: Tensor, p: Any = None, *, out: Any = None) -> Tensor:
    """How much relative errors may grow: |A| |A⁻¹| in a matrix norm, by default the 2-norm; inf where A is singular."""
    lapack.check_matrices("cond", A)
    if p in (None, 2, -2):
        s = _svdvals(A)
        if not s.shape[-1]:
            return written(_inv, s.new_zeros(s.shape[:-1]), out)
        high, low = columns(s, 0, 1).squeeze(-1), s[..., -1]
        return written(_inv, low / high if p == -2 else high / low, out)
    lapack.check_square("cond", A)
    if not A.numel():
        return written(_inv, A.new_zeros(A.shape[:-2], dtype=A.dtype.to_real()), out)
    inverse, info = inv_ex(A)
    value = matrix_norm(A, p) * matrix_norm(inverse, p)
    return written(_inv, where(info > 0, math.inf, value) if bool(info.any().item()) else value, out)


# --- norms -----------------------------------------------------------------------------------------------------------------


def vector_norm(
    x: Tensor, ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, out: Any = None
) -> Tensor:
    """The p-norm (Σ |x|ᵖ)^(1/p) of all elements, or along dimensions."""
    if isinstance(ord, str):
        raise TypeError(f"linalg.vector_norm: ord must be a number, not {ord!r}; write linalg.matrix_norm")
    return _norm(typed(x, _norm_dtype("vector_norm", x, dtype)), ord, dim, keepdim, out=out)


def matrix_norm(
    A: Tensor, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None, out: Any = None
) -> Tensor:
    """A norm of matrices: Frobenius, nuclear (the sum of singular values), ±2, or ±1 and ±inf (sums of columns, rows)."""
    lapack.check_matrices("matrix_norm", A)
    A = typed(A, _norm_dtype("matrix_norm", A, dtype))
    dim = tuple(dim) if not isinstance(dim, (int, np.integer)) else (dim,)
    if len(dim) != 2:
        raise RuntimeError(f"linalg.matrix_norm: dim must be a 2-tuple. Got {dim}")
    first, second = (d if -A.ndim <= d < A.ndim else A.size(d) for d in dim)
    first, second = first % A.ndim, second % A.ndim
    if first == second:
        raise RuntimeError(f"linalg.matrix_norm: dims must be different. Got ({dim[0]}, {dim[1]})")
    if ord == "fro":
        return _norm(A, 2, (first, second), keepdim, out=out)
    if ord == "nuc" or (not isinstance(ord, str) and math.fabs(ord) == 2):
        s = _svdvals(A.movedim((first, second), (-2, -1)))
        value = sum(s, -1) if ord == "nuc" else _extreme(s, ord, -1)
    elif not isinstance(ord, str) and (math.fabs(ord) == 1 or math.isinf(ord)):
        added, compared = (first, second) if math.fabs(ord) == 1 else (second, first)
        value = _extreme(sum(abs(A), added, True), ord, compared, True).squeeze((first, second))
    else:
        raise RuntimeError(
            f"linalg.matrix_norm: Order {ord} not supported; write 'fro', 'nuc', inf, -inf, 1, -1, 2 or -2"
        )
    if keepdim:
        for d in sorted((first, second)):
            value = value.unsqueeze(d)
    return written(_norm, value, out)


def _extreme(x: Tensor, ord: float, dim: int, keepdim: bool = False) -> Tensor:
    """The largest, or for negative orders the smallest; 0 is the largest of no norms."""
    if ord > 0:
        return amax(x, dim, keepdim) if x.shape[dim] else sum(x, dim, keepdim)
    return amin(x, dim, keepdim)


def norm(
    input: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, out: Any = None, dtype: Any = None
) -> Tensor:
    """A vector's norm for one dimension (or all, without `ord`), a matrix norm for two."""
    dim = (dim,) if isinstance(dim, (int, np.integer)) else dim
    if ord is not None and dim is None:
        if input.ndim not in (1, 2):
            wrong = f"when dim is not specified but ord is, the input must be 1D or 2D. Got {input.ndim}D."
            raise RuntimeError(f"linalg.norm: {wrong}")
        dim = tuple(range(input.ndim))
    if ord is not None and len(dim) == 2:
        return matrix_norm(input, ord, dim, keepdim, dtype=dtype, out=out)
    if isinstance(ord, str) or (dim is not None and ord is not None and len(dim) > 2):
        raise RuntimeError(f"linalg.norm: order {ord!r} needs a matrix, but dim is {dim}")
    return vector_norm(input, 2 if ord is None else ord, dim, keepdim, dtype=dtype, out=out)


def _norm_dtype(name: str, x: Tensor, dtype: Any) -> Any:
    """`dtype`, which must keep complex numbers complex and may not narrow."""
    if dtype is None:
        return None
    if x.is_complex() != dtype.is_complex or dtype.rank < 2 or dtypes.promote_types(x.dtype, dtype) is not dtype:
        wrong = f"the dtype of the input ({x.dtype}) should be convertible without narrowing to the specified dtype ({dtype})"
        raise RuntimeError(f"linalg.{name}: {wrong}")
    return dtype


# --- products --------------------------------------------------------------------------------------------------------------


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1, out: Any = None) -> Tensor:
    """The inner product Σ conj(x) y along a dimension."""
    if x.dtype is not y.dtype:
        raise RuntimeError(f"linalg.vecdot: Expected vectors of same dtype, got {x.dtype} and {y.dtype}")
    return written(_inv, sum(conj(x) * y, dim, dtype=x.dtype), out)


def cross(input: Tensor, other: Tensor, *, dim: int = -1, out: Any = None) -> Tensor:
    """The vector product along a dimension of length 3."""
    return matrix.cross(input, other, dim, out=out)


def matmul(input: Tensor, other: Tensor, *, out: Any = None) -> Tensor:
    """The matrix product."""
    return matrix.matmul(input, other, out=out)


def multi_dot(tensors: Sequence[Tensor], *, out: Any = None) -> Tensor:
    """The product of several matrices, in the order with the fewest multiplications."""
    return written(matrix.matmul, matrix.multi_dot(tensors), out)


def matrix_power(A: Tensor, n: int, *, out: Any = None) -> Tensor:
    """The product of n equal matrices."""
    return _matrix_power(A, n, out=out)


def matrix_exp(A: Tensor) -> Tensor:
    """The exponential Σ Aᵏ / k!."""
    return _matrix_exp(A)


def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The diagonals, a view."""
    return _diagonal(A, offset, dim1, dim2)


def vander(x: Tensor, N: int | None = None) -> Tensor:
    """The powers 0 to N - 1 of each element, in a new last dimension."""
    if N is not None and N <= 1:
        raise RuntimeError(f"N must be greater than 1, not {N}")
    x = x if x.ndim else x.unsqueeze(0)
    return x.unsqueeze(-1) ** x.new_tensor(range(x.shape[-1] if N is None else N))


# --- checks ----------------------------------------------------------------------------------------------------------------


def _check_sides(name: str, A: Tensor, B: Tensor, left: bool) -> None:
    if A.dtype is not B.dtype:
        wrong = (
            f"Expected A and B to have the same dtype, but found A of type {A.dtype} and B of type {B.dtype} instead"
        )
        raise RuntimeError(f"linalg.{name}: {wrong}")
    if B.ndim < 2 or B.shape[-2 if left else -1] != A.shape[-1]:
        wrong = f"Incompatible shapes of A and B for the equation {'AX = B' if left else 'XA = B'}"
        raise RuntimeError(
            message(f"linalg.{name}({describe(A)}, {describe(B)})", wrong, instead="B.mT, or left=False")
        )


def _no_driver(name: str, driver: str | None) -> None:
    if driver is not None:
        raise RuntimeError(
            f"torch.linalg.{name}: keyword argument `driver=` is only supported on CUDA inputs with cuSOLVER"
        )


explain_all(globals(), strict=True)

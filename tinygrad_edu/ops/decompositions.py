"""Matrix decompositions: Cholesky, QR, eigenvalues, singular values, and the pseudo-inverse.

Each rule is the differential of the defining equation, solved for the factors and read backwards from
dL = Re Σ g dX: ⟨g, A dX B⟩ = ⟨Aᵀ g Bᵀ, dX⟩ and ⟨g, dXᴴ⟩ = ⟨gᴴ, dX⟩. Complex vectors are defined up to a phase, and
real ones up to a sign; a loss must not depend on it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import devices
from ..errors import describe, message
from ..op import op
from ..return_types import named
from ..tensor import Tensor
from . import lapack
from .blocks import beside, columns, diagonal_from, diagonal_of, identity, mH, written
from .complexes import conj, imag, real
from .linear_algebra import _inv, _solve_triangular
from .movement import _tril, _triu
from .shape import mT, unsqueeze

Svd = named("svd", "U S V")
INDEFINITE = (
    "The factorization could not be completed because the input is not positive-definite",
    "x + 1e-6 * eye(n) where rounding has made it so, or linalg.ldl_factor(x)",
)
DIVERGED = "The algorithm failed to converge: the input has too many repeated values, or is not finite"


@op
def _ratio(x, y):
    """x / y, and 0 where x is 0: what is not asked for has a derivative also where values coincide."""
    return np.where(x == 0, 0, x / np.where(x == 0, 1, y)).astype(x.dtype)


_ratio.grad(x=lambda g, y: _ratio(g, y), y=lambda g, y, out: -_ratio(g * out, y))


def _off_diagonal(x):
    """The matrix without its diagonal."""
    return x * (1 - identity(x))


def _over_gaps(x, values):
    """x[i, j] / (values[j] - values[i]), and 0 on the diagonal."""
    x = _off_diagonal(x)
    return _ratio(x, unsqueeze(values, -2) - unsqueeze(values, -1) + identity(x))


# --- Cholesky: A = L Lᴴ ----------------------------------------------------------------------------------------------


@op
def _cholesky(x, upper=False):
    """The triangle L of A = L Lᴴ with a positive diagonal, or Lᴴ; only that triangle of A is read."""
    lapack.check_square("cholesky", x)
    if upper:
        return np.conjugate(np.swapaxes(_cholesky(np.conjugate(np.swapaxes(x, -1, -2))), -1, -2))
    return lapack.checked("cholesky", INDEFINITE, np.linalg.cholesky, x)


def _cholesky_grad(g, out, upper):
    """L⁻¹ dA L⁻ᴴ = M + Mᴴ with M = L⁻¹ dL lower triangular, so dL = L Φ(L⁻¹ dA L⁻ᴴ), where Φ halves the diagonal."""
    if upper:
        g, out = mH(g), mH(out)
    inner = _tril(mT(out) @ g, 0)
    inner = (inner + mH(_tril(inner, -1))) / 2  # dA is Hermitian
    half = _solve_triangular(mT(out), inner, True)
    return mT(_solve_triangular(mH(out), mT(half), True))


_cholesky.grad(x=_cholesky_grad)


@op(differentiable=False)
def _indefinite_at(x):
    """For each matrix 0, or the order of the first leading minor that is not positive."""
    return lapack.indefinite_at(x)


def cholesky(input: Tensor, upper: bool = False, *, out: Any = None) -> Tensor:
    """The triangle L of A = L Lᴴ, or Lᴴ."""
    return _cholesky(input, upper, out=out)


def cholesky_solve(B: Tensor, L: Tensor, upper: bool = False, *, out: Any = None) -> Tensor:
    """The solution of A X = B, given the Cholesky factor of A."""
    lower, higher = (mH(L), L) if upper else (L, mH(L))
    return written(_solve_triangular, _solve_triangular(higher, _solve_triangular(lower, B, False), True), out)


def cholesky_inverse(L: Tensor, upper: bool = False, *, out: Any = None) -> Tensor:
    """The inverse of A, given its Cholesky factor."""
    lapack.check_square("cholesky_inverse", L)
    return cholesky_solve(identity(L), L, upper, out=out)


# --- QR: A = Q R -----------------------------------------------------------------------------------------------------


@op(returns="Q R")
def _qr(x, mode="reduced"):
    """Orthonormal columns Q and an upper triangle R with A = Q R; an empty Q for mode "r"."""
    lapack.check_matrices("qr", x)
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or 'complete'"
        )
    answer = np.linalg.qr(x, mode)
    return (devices.empty((0,), x.dtype, like=x), answer) if mode == "r" else tuple(answer)


def _qr_grad(g_Q, g_R, Q, R, mode):
    """dA R⁻¹ = dQ + Q dR R⁻¹, where Qᴴ dQ is skew and dR R⁻¹ triangular: the symmetric part decides dR."""
    if mode == "r":
        raise RuntimeError(
            "linalg.qr: the derivative depends on Q, which mode='r' does not compute; write mode='reduced'"
        )
    (m, k), n = Q.shape[-2:], R.shape[-1]
    if mode == "complete" and m > n:
        raise RuntimeError(
            "linalg.qr: the last columns of Q for mode='complete' are not differentiable; write mode='reduced'"
        )
    if n > k:  # A = [X Y], X = Q R1, Y = Q R2 with R2 = Qᴴ Y
        R1, R2, g_R1, g_R2 = columns(R, 0, k), columns(R, k, n), columns(g_R, 0, k), columns(g_R, k, n)
        g_X = _qr_grad(g_Q + conj(Q @ R2 @ mT(g_R2)), g_R1, Q, R1, mode)
        return beside(g_X, conj(Q) @ g_R2)
    inner = _triu(g_R @ mT(R) - mT(Q) @ g_Q, 0)
    inner = inner + mH(inner) - diagonal_from(real(diagonal_of(inner)))
    return mT(_solve_triangular(R, mT(g_Q + conj(Q) @ inner), True))


_qr.grad(x=_qr_grad)


def qr(input: Tensor, some: bool = True, *, out: Any = None) -> Any:
    """Orthonormal columns Q and an upper triangle R with A = Q R."""
    return _qr(input, "reduced" if some else "complete", out=out)


# --- products of reflections: what LAPACK makes Q of -----------------------------------------------------------------


@op(returns="a tau", differentiable=False)
def geqrf(input):
    """R, below it the vectors of the reflections 1 - tau v vᴴ whose product is Q, and their tau."""
    lapack.check_matrices("geqrf", input)
    h, tau = np.linalg.qr(input, "raw")
    return np.swapaxes(h, -1, -2), tau


def _reflections(vectors, tau):
    """Each reflection's vector as a column, 1 in its own place and 0 above, and its tau."""
    k = tau.shape[-1]
    below = _tril(columns(vectors, 0, k), -1)
    v = below + identity(below)
    return [(columns(v, i, i + 1), unsqueeze(columns(tau, i, i + 1), -1)) for i in range(k)]


def orgqr(input: Tensor, tau: Tensor) -> Tensor:
    """The first columns of the product of the reflections (1 - tau v vᴴ), whose vectors lie below the diagonal."""
    _check_reflections("householder_product", input, tau)
    if input.shape[-2] < input.shape[-1]:
        wrong = "input.shape[-2] must be greater than or equal to input.shape[-1]"
        raise RuntimeError(message(f"householder_product({describe(input)})", wrong))
    out = identity(input)
    for v, t in reversed(_reflections(input, tau)):
        out = out - t * v @ (mH(v) @ out)
    return out


def ormqr(
    input: Tensor, tau: Tensor, other: Tensor, left: bool = True, transpose: bool = False, *, out: Any = None
) -> Tensor:
    """Q @ other for the whole Q of the reflections: from the left or the right, Q or Qᴴ."""
    _check_reflections("ormqr", input, tau)
    reflections = _reflections(input, tau)
    x = other
    for v, t in reflections if left == transpose else reversed(reflections):
        t = conj(t) if transpose else t
        x = x - t * v @ (mH(v) @ x) if left else x - t * (x @ v) @ mH(v)
    return written(_svdvals, x, out)


def _check_reflections(name, vectors, tau):
    lapack.check_matrices(name, vectors)
    if not tau.ndim or tau.shape[:-1] != vectors.shape[:-2] or tau.shape[-1] > min(vectors.shape[-2:]):
        wrong = f"the numbers tau, {list(tau.shape)}, do not fit the vectors in input, {list(vectors.shape)}"
        raise RuntimeError(message(name, f"{wrong}: one is needed for each reflection, at most one a row or column"))


# --- Hermitian eigenvalues: A V = V diag(w) ----------------------------------------------------------------------------


@op(returns="eigenvalues eigenvectors")
def _eigh(x, UPLO="L"):
    """Real eigenvalues in ascending order, orthonormal eigenvectors; one triangle of A is read."""
    return tuple(_hermitian("eigh", np.linalg.eigh, x, UPLO))


@op
def _eigvalsh(x, UPLO="L"):
    """The eigenvalues of a symmetric or Hermitian matrix, in ascending order."""
    return _hermitian("eigvalsh", np.linalg.eigvalsh, x, UPLO)


def _hermitian(name, function, x, UPLO):
    lapack.check_square(name, x)
    if UPLO.upper() not in ("L", "U"):
        raise RuntimeError(f"linalg.{name}: Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    return lapack.checked(name, DIVERGED, function, x, UPLO.upper())


def _eigh_grad(g_eigenvalues, g_eigenvectors, eigenvalues, eigenvectors):
    """With M = Vᴴ dA V: dw = diag(M), and dV = V K with K[i, j] = M[i, j] / (w[j] - w[i])."""
    turn = mT(eigenvectors) @ g_eigenvectors
    inner = _over_gaps((turn - mH(turn)) / 2, eigenvalues) + diagonal_from(g_eigenvalues)  # dA is Hermitian
    return conj(eigenvectors) @ inner @ mT(eigenvectors)


def _eigvalsh_grad(g, x, UPLO):
    v = _eigh(x, UPLO)[1]
    return (conj(v) * unsqueeze(g, -2)) @ mT(v)


_eigh.grad(x=_eigh_grad)
_eigvalsh.grad(x=_eigvalsh_grad)

# --- eigenvalues: A V = V diag(w) --------------------------------------------------------------------------------------


@op(returns="eigenvalues eigenvectors")
def _eig(x):
    """Complex eigenvalues, and eigenvectors of length 1."""
    lapack.check_square("eig", x)
    kind = np.result_type(x.dtype, np.complex64)
    w, v = lapack.checked("eig", DIVERGED, np.linalg.eig, x)
    return w.astype(kind), v.astype(kind)


@op
def _eigvals(x):
    """The complex eigenvalues."""
    lapack.check_square("eigvals", x)
    return lapack.checked("eigvals", DIVERGED, np.linalg.eigvals, x).astype(np.result_type(x.dtype, np.complex64))


def _eig_grad(g_eigenvalues, g_eigenvectors, x_dtype, eigenvalues, eigenvectors):
    """With M = V⁻¹ dA V: dw = diag(M), and dV = V K with K[i, j] = M[i, j] / (w[j] - w[i]), kept at length 1."""
    v = eigenvectors
    inner = mT(v) @ g_eigenvectors
    inner = inner - mT(v) @ conj(v) * real(unsqueeze(diagonal_of(inner), -2))
    inner = _over_gaps(inner, eigenvalues) + diagonal_from(g_eigenvalues)
    gx = mT(_inv(v)) @ inner @ mT(v)
    return gx if x_dtype.is_complex else real(gx)


def _eigvals_grad(g, x, x_dtype):
    v = _eig(x)[1]
    gx = mT(_inv(v)) * unsqueeze(g, -2) @ mT(v)
    return gx if x_dtype.is_complex else real(gx)


_eig.grad(x=_eig_grad)
_eigvals.grad(x=_eigvals_grad)

# --- singular values: A = U diag(S) Vᴴ ---------------------------------------------------------------------------------


@op(returns="U S Vh")
def _svd(x, full_matrices=True):
    """Orthonormal columns U and V, and real S in descending order, with A = U diag(S) Vᴴ."""
    lapack.check_matrices("svd", x)
    return tuple(lapack.checked("svd", DIVERGED, np.linalg.svd, x, full_matrices))


@op
def _svdvals(x):
    """The singular values, in descending order."""
    lapack.check_matrices("svdvals", x)
    return lapack.checked("svdvals", DIVERGED, np.linalg.svd, x, False, False)


def _svd_grad(g_U, g_S, g_Vh, U, S, Vh, x_dtype):
    """With M = Uᴴ dA V: dS = diag(M), and off the diagonal the parts of M that turn U and V, over s[j]² - s[i]²."""
    k, m, n = S.shape[-1], U.shape[-2], Vh.shape[-1]
    U, V, g_U, g_V = columns(U, 0, k), columns(mH(Vh), 0, k), columns(g_U, 0, k), columns(mH(g_Vh), 0, k)
    s = unsqueeze(S, -2)
    turn_U, turn_V = mT(U) @ g_U, mT(V) @ g_V
    on_U, on_V = _over_gaps(turn_U - mH(turn_U), S * S), _over_gaps(turn_V - mH(turn_V), S * S)
    inner = on_U * s + mT(s) * on_V + diagonal_from(g_S)
    if x_dtype.is_complex:
        inner = inner + diagonal_from(_ratio(imag(diagonal_of(turn_U)), S) * 1j)
    gx = conj(U) @ inner @ mT(V)
    if m > k:  # U also leaves the space of its columns
        gx = gx + _ratio(g_U - conj(U) @ turn_U, s) @ mT(V)
    if n > k:
        gx = gx + conj(U) @ mH(_ratio(g_V - conj(V) @ turn_V, s))
    return gx


def _svdvals_grad(g, x):
    u, _, vh = _svd(x, False)
    return (conj(u) * unsqueeze(g, -2)) @ conj(vh)


_svd.grad(x=_svd_grad)
_svdvals.grad(x=_svdvals_grad)


def svd(input: Tensor, some: bool = True, compute_uv: bool = True, *, out: Any = None) -> Any:
    """U, S and V, not its transpose, with A = U diag(S) Vᴴ; zeros for U and V if they are not wanted."""
    if not compute_uv:
        S, (m, n) = _svdvals(input), input.shape[-2:]
        U, V = input.new_zeros(*input.shape[:-1], m), input.new_zeros(*input.shape[:-2], n, n)
        return written(_svd, Svd(U, S, V), out)
    U, S, Vh = _svd(input, not some)
    return written(_svd, Svd(U, S, mH(Vh)), out)


# --- the pseudo-inverse --------------------------------------------------------------------------------------------------


@op
def _pinv(x, atol=None, rtol=None, hermitian=False):
    """V diag(1/S) Uᴴ, without the singular values that are at most max(atol, rtol S[0])."""
    lapack.check_matrices("pinv", x)
    if not x.size:
        return np.swapaxes(x, -1, -2).copy()
    if hermitian:
        s, u = lapack.checked("pinv", DIVERGED, np.linalg.eigh, x)
        vh = np.conjugate(np.swapaxes(u, -1, -2))
    else:
        u, s, vh = lapack.checked("pinv", DIVERGED, np.linalg.svd, x, False)
    keep = abs(s) > lapack.threshold(x.shape, abs(s), atol, rtol)
    inverted = np.where(keep, 1 / np.where(keep, s, 1), 0).astype(s.dtype)
    return np.conjugate(np.swapaxes((u * inverted[..., None, :]) @ vh, -1, -2))


def _pinv_grad(g, x, out):
    """dA⁺ = -A⁺ dA A⁺ + A⁺ A⁺ᴴ dAᴴ (1 - A A⁺) + (1 - A⁺ A) dAᴴ A⁺ᴴ A⁺."""
    gt, p, ph = mT(g), out, mH(out)
    leaving = (gt - x @ p @ gt) @ p @ ph + ph @ p @ (gt - gt @ p @ x)
    return conj(leaving) - mT(p) @ g @ mT(p)


_pinv.grad(x=_pinv_grad)


def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """The Moore-Penrose pseudo-inverse, without singular values below `rcond` times the largest."""
    return _pinv(input, None, rcond)


METHODS = "cholesky cholesky_inverse cholesky_solve geqrf orgqr ormqr pinverse qr svd"

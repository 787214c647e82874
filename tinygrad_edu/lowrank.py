"""Approximate singular values of large matrices, by a random sample of their columns' space."""

from __future__ import annotations

from typing import Any

from .linalg import qr, svd
from .ops.misuse import explain_all
from .random import randn
from .tensor import Tensor


def _basis(A: Tensor, q: int, niter: int) -> Tensor:
    """Orthogonal columns that nearly span those of `A`; each iteration brings the larger singular values out."""
    noise = randn(A.shape[-1], q, dtype=A.dtype, device=A.device)
    Q = qr(A @ noise).Q
    for _ in range(niter):
        Q = qr(A @ qr(A.mH @ Q).Q).Q
    return Q


def svd_lowrank(
    A: Tensor, q: int | None = 6, niter: int | None = 2, M: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """The `q` largest singular values of `A`, or of `A - M`, and their vectors: `A ≈ U diag(S) Vᴴ`."""
    A = A if M is None else A - M
    wide = A.shape[-2] < A.shape[-1]
    A = A.mH if wide else A
    Q = _basis(A, 6 if q is None else q, niter or 0)
    U, S, Vh = svd(Q.mH @ A, full_matrices=False)
    U, V = Q @ U, Vh.mH
    return (V, S, U) if wide else (U, S, V)


def pca_lowrank(A: Tensor, q: int | None = None, center: Any = True, niter: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """The principal directions of the rows of `A`, in the columns of V; `center` takes the mean row away first."""
    m, n = A.shape[-2:]
    q = min(6, m, n) if q is None else q
    if not 0 <= q <= min(m, n):
        raise ValueError(f"q(={q}) must be non-negative integer and not greater than min(m, n)={min(m, n)}")
    if niter < 0:
        raise ValueError(f"niter(={niter}) must be non-negative integer")
    return svd_lowrank(A - A.mean(-2, keepdim=True) if center else A, q, niter)


explain_all(globals(), strict=True)

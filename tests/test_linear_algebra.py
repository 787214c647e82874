"""Linear algebra beyond the table: matrices that are singular, degenerate or indefinite, and what is composed."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import linalg

SINGULAR = tg.tensor([[[2.0, 0.0], [0.0, 4.0]], [[1.0, 2.0], [2.0, 4.0]]])
INDEFINITE = tg.tensor([[4.0, 0.0], [0.0, -1.0]])


@pytest.mark.parametrize(
    "function",
    [linalg.inv, tg.inverse, lambda a: linalg.solve(a, a), lambda a: linalg.inv_ex(a, check_errors=True)],
)
def test_no_inverse(function) -> None:
    with pytest.raises(linalg.LinAlgError, match=r"Batch element 1.*singular"):
        function(SINGULAR)


def test_not_positive_definite() -> None:
    with pytest.raises(linalg.LinAlgError, match="not positive-definite"):
        linalg.cholesky(INDEFINITE)
    assert issubclass(linalg.LinAlgError, RuntimeError)


def test_failures_are_told_apart_in_a_batch() -> None:
    inverse, info = linalg.inv_ex(SINGULAR)
    assert info.tolist() == [0, 2]
    assert inverse[0].tolist() == [[0.5, 0], [0, 0.25]]
    assert inverse[1].isnan().all()
    factor, info = linalg.cholesky_ex(tg.stack([INDEFINITE, tg.eye(2)]))
    assert info.tolist() == [2, 0]
    assert factor[1].tolist() == [[1, 0], [0, 1]]
    assert linalg.cond(SINGULAR, 1).tolist() == [2, float("inf")]


@pytest.mark.parametrize("function", [linalg.inv, linalg.det, linalg.eigh, linalg.cholesky, linalg.svd])
def test_what_is_no_matrix_is_refused(function) -> None:
    with pytest.raises(RuntimeError, match="at least 2 dimensions"):
        function(tg.ones(3))
    with pytest.raises(RuntimeError, match="floating point"):
        function(tg.ones(3, 3, dtype=tg.int64))
    if function is not linalg.svd:
        with pytest.raises(RuntimeError, match="3 by 4 matrices"):
            function(tg.ones(3, 4))


def test_values_that_coincide_have_gradients_if_no_vectors_are_asked_for() -> None:
    for values in (lambda a: linalg.eigh(a)[0], linalg.eigvalsh, lambda a: linalg.svd(a)[1], linalg.svdvals):
        a = tg.eye(3).requires_grad_()
        values(a).sum().backward()
        np.testing.assert_allclose(a.grad.numpy(), np.eye(3), atol=1e-6)


def test_determinants_of_singular_matrices_have_gradients() -> None:
    a = tg.tensor([[1.0, 2.0], [2.0, 4.0]], requires_grad=True)
    linalg.det(a).backward()
    np.testing.assert_allclose(a.grad.numpy(), [[4, -2], [-2, 1]], atol=1e-6)
    b = tg.zeros(2, 2, requires_grad=True)
    (g,) = tg.autograd.grad(linalg.det(b), b, create_graph=True)
    (g * tg.tensor([[1.0, 0.0], [0.0, 0.0]])).sum().backward()
    np.testing.assert_allclose(b.grad.numpy(), [[0, 0], [0, 1]], atol=1e-6)


def test_parts_of_qr_that_have_no_derivative() -> None:
    a = tg.randn(4, 2, requires_grad=True)
    Q, R = linalg.qr(a, "complete")
    assert (Q.shape, R.shape) == ((4, 4), (4, 2))
    with pytest.raises(RuntimeError, match="mode='reduced'"):
        Q.sum().backward()
    Q, R = linalg.qr(a, "r")
    assert (Q.shape, R.shape) == ((0,), (2, 2))
    with pytest.raises(RuntimeError, match="mode='reduced'"):
        R.sum().backward()


@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("adjoint", [True, False])
def test_lu_solves(left: bool, adjoint: bool) -> None:
    rng = np.random.default_rng(0)
    a = rng.standard_normal((2, 4, 4)) + 1j * rng.standard_normal((2, 4, 4))
    b = rng.standard_normal((2, 4, 4)) + 0j
    x = linalg.lu_solve(*linalg.lu_factor(tg.tensor(a)), tg.tensor(b), left=left, adjoint=adjoint).numpy()
    a = a.conj().swapaxes(-1, -2) if adjoint else a
    np.testing.assert_allclose(a @ x if left else x @ a, b, atol=1e-12)
    P, L, U = linalg.lu(tg.tensor(a))
    np.testing.assert_allclose((P @ L @ U).numpy(), a, atol=1e-12)


def test_large_matrices_go_through_the_blocks() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((100, 100)), rng.standard_normal((100, 3))
    LU, pivots = linalg.lu_factor(tg.tensor(a))
    np.testing.assert_allclose(a @ linalg.lu_solve(LU, pivots, tg.tensor(b)).numpy(), b, atol=1e-10)


def test_least_squares() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((6, 3)), rng.standard_normal((6, 2))
    found = linalg.lstsq(tg.tensor(a), tg.tensor(b), driver="gelsd")
    for ours, theirs in zip(found, np.linalg.lstsq(a, b), strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-12)

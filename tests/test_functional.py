"""`autograd.functional`: products with Jacobians and Hessians, against the formulas and against PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tinygrad_edu import autograd
from tinygrad_edu.autograd.functional import hessian, hvp, jacobian, jvp, vhp, vjp
from tinygrad_edu.tensor import Tensor, wrap

RNG = np.random.default_rng(0)
A, B = RNG.standard_normal((3, 3)), RNG.standard_normal((3, 3))


def tensor(values: Any) -> Tensor:
    return wrap(np.asarray(values, np.float64))


def quadratic(x: Any) -> Any:
    """x A x, whose gradient is (A + A') x and whose Hessian is A + A'."""
    return (x @ tensor(A) * x).sum()


X, V = tensor([1.0, -2.0, 0.5]), tensor([0.3, 0.7, -1.0])
SYMMETRIC = A + A.T


class TestProducts:
    def test_vjp(self) -> None:
        out, found = vjp(lambda x: x @ tensor(A), X, V)
        np.testing.assert_allclose(out.array, X.array @ A)
        np.testing.assert_allclose(found.array, A @ V.array)

    def test_jvp(self) -> None:
        out, found = jvp(lambda x: (x @ tensor(A)).exp(), X, V)
        np.testing.assert_allclose(out.array, np.exp(X.array @ A))
        np.testing.assert_allclose(found.array, np.exp(X.array @ A) * (V.array @ A))

    def test_hvp_and_vhp(self) -> None:
        for product in (hvp, vhp):
            out, found = product(quadratic, X, V)
            np.testing.assert_allclose(out.array, quadratic(X).array)
            np.testing.assert_allclose(found.array, SYMMETRIC @ V.array)

    def test_v_may_be_left_out_where_there_is_one_number(self) -> None:
        assert vjp(lambda x: x.sum(), X)[1].array.tolist() == [1, 1, 1]
        assert jvp(lambda x: x * tensor([1, 2]), tensor(3))[1].array.tolist() == [1, 2]
        assert hvp(lambda x: x * x * x, tensor(2))[1].item() == vhp(lambda x: x * x * x, tensor(2))[1].item() == 12

    def test_linear_and_constant_functions(self) -> None:
        assert hvp(lambda x: x.sum(), X, V)[1].array.tolist() == [0, 0, 0]
        assert jvp(lambda x: tensor([1, 2]), X, V)[1].array.tolist() == [0, 0]


class TestMatrices:
    def test_jacobian(self) -> None:
        found = jacobian(lambda x: (x @ tensor(A)).exp(), X)
        np.testing.assert_allclose(found.array, np.exp(X.array @ A)[:, None] * A.T)

    def test_shapes(self) -> None:
        x, y = tensor(RNG.standard_normal((2, 3))), tensor(RNG.standard_normal((3, 4)))
        found = jacobian(lambda x, y: (x @ y, x.sum()), (x, y))
        assert [[t.shape for t in row] for row in found] == [[(2, 4, 2, 3), (2, 4, 3, 4)], [(2, 3), (3, 4)]]
        assert np.all(found[1][0].array == 1) and np.all(found[1][1].array == 0)
        assert jacobian(lambda x: x[:0] * 1, X).shape == (0, 3)

    def test_hessian(self) -> None:
        np.testing.assert_allclose(hessian(quadratic, X).array, SYMMETRIC)
        (xx, xy), (yx, yy) = hessian(lambda x, y: (x * x * y).sum(), (X, V))
        np.testing.assert_allclose(xx.array, np.diag(2 * V.array))
        np.testing.assert_allclose(xy.array, np.diag(2 * X.array))
        np.testing.assert_allclose(yx.array, xy.array.T)
        assert not yy.array.any()

    def test_of_a_tuple_with_one_tensor(self) -> None:
        assert isinstance(jacobian(lambda x: x * 2, (X,)), tuple)
        assert isinstance(hessian(quadratic, (X,))[0], tuple)


class TestGraph:
    def test_results_are_outside_of_the_graph(self) -> None:
        x = tensor([1.0, 2.0]).requires_grad_()
        for found in (
            jacobian(lambda x: x * x, x),
            vjp(lambda x: (x * x).sum(), x)[1],
            hessian(lambda x: (x * x).sum(), x),
        ):
            assert not found.requires_grad
        assert x.grad is None

    def test_create_graph(self) -> None:
        x = tensor([1.0, 2.0]).requires_grad_()
        found = jacobian(lambda x: x * x * x, x, create_graph=True)
        found.sum().backward()
        np.testing.assert_allclose(x.grad.array, 6 * x.array)
        x.grad = None
        hvp(lambda x: (x * x * x).sum(), x, tensor([1.0, 1.0]), create_graph=True)[1].sum().backward()
        np.testing.assert_allclose(x.grad.array, [6, 6])
        (g,) = autograd.grad(jvp(lambda x: x.exp(), x, tensor([1.0, 1.0]), create_graph=True)[1].sum(), x)
        np.testing.assert_allclose(g.array, np.exp(x.array))

    def test_works_inside_no_grad(self) -> None:
        with autograd.no_grad():
            np.testing.assert_allclose(hessian(quadratic, X).array, SYMMETRIC)


class TestErrors:
    def test_strict(self) -> None:
        with pytest.raises(RuntimeError, match="does not require gradients"):
            jacobian(lambda x: tensor([1.0]), X, strict=True)
        with pytest.raises(RuntimeError, match="independent of input 1"):
            vjp(lambda x, y: x.sum(), (X, V), strict=True)
        with pytest.raises(RuntimeError, match="strict mode"):
            hessian(lambda x: x.sum(), X, strict=True)

    def test_v(self) -> None:
        with pytest.raises(RuntimeError, match="v can only be None"):
            vjp(lambda x: x * 2, X)
        with pytest.raises(RuntimeError, match=r"should be \[3\] as the inputs, but got \[2\]"):
            jvp(lambda x: x * 2, X, tensor([1.0, 2.0]))
        with pytest.raises(RuntimeError, match="invalid length: should be 1 but got 2"):
            hvp(quadratic, X, (X, X))

    def test_what_is_no_tensor(self) -> None:
        with pytest.raises(TypeError, match="inputs of jacobian"):
            jacobian(lambda x: x, (X, 3))
        with pytest.raises(TypeError, match="outputs of the user-provided function"):
            jacobian(lambda x: 3, X)

    def test_hessian_of_many_numbers(self) -> None:
        with pytest.raises(RuntimeError, match="single element"):
            hessian(lambda x: x * 2, X)


FUNCTIONS: list[tuple[Callable, int]] = [
    (lambda x: x.exp() * x, 1),
    (lambda x: (x * x).sum(), 1),
    (lambda x, y: (x @ y, (x * x).mean(0)), 2),
    (lambda x, y: ((x * y).tanh().sum(), x.exp()), 2),
]


@pytest.mark.parametrize("k", range(len(FUNCTIONS)))
def test_agrees_with_pytorch(k: int) -> None:
    torch = pytest.importorskip("torch")
    function, count = FUNCTIONS[k]
    arrays = [RNG.standard_normal((3, 3)) for _ in range(count)]
    ours, theirs = tuple(map(tensor, arrays)), tuple(map(torch.tensor, arrays))

    def flat(found: Any) -> list[np.ndarray]:
        if isinstance(found, tuple):
            return [t for each in found for t in flat(each)]
        return [np.asarray(found)]

    def same(found: Any, expected: Any) -> None:
        for a, b in zip(flat(found), flat(expected), strict=True):
            assert a.shape == b.shape
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)

    other = torch.autograd.functional
    same(jacobian(function, ours), other.jacobian(function, theirs))
    same(jvp(function, ours, ours), other.jvp(function, theirs, theirs))
    outs, expected = function(*ours), function(*theirs)
    v = tuple(o * 2 for o in outs) if isinstance(outs, tuple) else outs * 2
    w = tuple(o * 2 for o in expected) if isinstance(expected, tuple) else expected * 2
    same(vjp(function, ours, v), other.vjp(function, theirs, w))

    def number(*xs: Any) -> Any:
        out = function(*xs)
        return sum(o.sum() for o in out) if isinstance(out, tuple) else out.sum()

    same(hessian(number, ours), other.hessian(number, theirs))
    same(hvp(number, ours, ours), other.hvp(number, theirs, theirs))
    same(vhp(number, ours, ours), other.vhp(number, theirs, theirs))

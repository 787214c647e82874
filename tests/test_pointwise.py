"""What the table of operations cannot hold: whole numbers, infinities, ties, operators, writes in place, errors."""

from __future__ import annotations

import math
import operator

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu.tensor import Tensor

INF, NAN = math.inf, math.nan


def tensor(values, dtype=None):
    return tg.tensor(values, dtype=dtype)


def same(t: Tensor, values, dtype) -> None:
    assert t.dtype is dtype
    np.testing.assert_array_equal(t.numpy(), values)


def gradient(function, *values) -> list:
    """The gradients of the sum of `function` at numbers."""
    leaves = [tensor(v, tg.float64).requires_grad_() for v in values]
    function(*leaves).sum().backward()
    return [t.grad.tolist() for t in leaves]


def test_quotients_of_whole_numbers() -> None:
    x, y = tensor([7, -7, 7, -7]), tensor([2, 2, -2, -2])
    same(x / y, [3.5, -3.5, -3.5, 3.5], tg.float32)
    same(x // y, [3, -4, -4, 3], tg.int64)
    same(tg.div(x, y, rounding_mode="trunc"), [3, -3, -3, 3], tg.int64)
    same(x % y, [1, 1, -1, -1], tg.int64)
    same(tg.fmod(x, y), [1, -1, 1, -1], tg.int64)
    same(-7 // y, [-4, -4, 3, 3], tg.int64)
    same(x % 4.0, [3.0, 1.0, 3.0, 1.0], tg.float32)


@pytest.mark.parametrize("divide", [tg.floor_divide, tg.remainder, tg.fmod])
def test_division_of_whole_numbers_by_zero(divide) -> None:
    for zero in (0, tensor([0]), tensor([1, 0])):
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            divide(tensor([1]), zero)


def test_powers_of_whole_numbers() -> None:
    x = tensor([2, 1, -1, -1, 0])
    same(x ** tensor([-1, -5, -2, -3, -1]), [0, 1, 1, -1, 0], tg.int64)
    same(x**2, [4, 1, 1, 1, 0], tg.int64)
    same(2 ** tensor([0, 5]), [1, 32], tg.int64)
    same(tensor([4, 9]) ** 0.5, [2.0, 3.0], tg.float32)
    with pytest.raises(RuntimeError, match="negative integer powers"):
        x**-1


def test_powers_at_zero_have_gradients() -> None:
    assert gradient(lambda x: x**0, [0.0, 2.0]) == [[0.0, 0.0]]
    assert gradient(lambda x, y: x**y, [0.0, 0.0], [0.0, 2.0]) == [[0.0, 0.0], [0.0, 0.0]]


def test_extremes_share_the_gradient_of_a_tie() -> None:
    assert gradient(tg.maximum, [1.0, 2.0, 3.0], [1.0, 3.0, 2.0]) == [[0.5, 0.0, 1.0], [0.5, 1.0, 0.0]]
    assert gradient(tg.minimum, [1.0, 2.0, 3.0], [1.0, 3.0, 2.0]) == [[0.5, 1.0, 0.0], [0.5, 0.0, 1.0]]
    assert gradient(tg.fmax, [1.0, NAN, 3.0], [1.0, 3.0, NAN]) == [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    assert gradient(lambda x: x.clamp(-1, 1), [-2.0, -1.0, 0.0, 1.0, 2.0]) == [[0.0, 1.0, 1.0, 1.0, 0.0]]
    assert gradient(abs, [-2.0, 0.0, 2.0]) == [[-1.0, 0.0, 1.0]]


def test_what_is_no_number() -> None:
    x, y = tensor([NAN, 1.0]), tensor([1.0, NAN])
    same(tg.maximum(x, y), [NAN, NAN], tg.float32)
    same(tg.fmin(x, y), [1.0, 1.0], tg.float32)
    same(tg.sign(x), [0.0, 1.0], tg.float32)
    same(tensor([NAN, INF, -INF]).nan_to_num(1.0, 2.0, 3.0), [1.0, 2.0, 3.0], tg.float32)
    same(tg.xlogy(tensor([0.0, 0.0]), tensor([0.5, NAN])), [0.0, NAN], tg.float32)


def test_bool_and_types() -> None:
    flags = tensor([True, False])
    same(~flags, [False, True], tg.bool)
    same(flags & tensor([True, True]), [True, False], tg.bool)
    same(flags + 1, [2, 1], tg.int64)
    same(tensor([1, 2]) * 2.5, [2.5, 5.0], tg.float32)
    same(tensor([1.0], tg.float32) + tensor(1.0, tg.float64), [2.0], tg.float32)
    same(tensor([6, 5]) << 1 >> 2, [3, 2], tg.int64)
    for wrong in (lambda: -flags, lambda: flags - flags, lambda: ~tensor([1.0])):
        with pytest.raises((RuntimeError, TypeError)):
            wrong()


def test_operators_leave_foreign_objects_to_themselves() -> None:
    class Foreign:
        def __radd__(self, other):
            return "added"

    x = tensor([1.0])
    assert x + Foreign() == "added"
    assert (x == None) is False  # noqa: E711
    assert (x != "text") is True
    for wrong in (operator.add, operator.mul, operator.lt, operator.pow):
        with pytest.raises(TypeError):
            wrong(x, [1, 2])


@pytest.mark.parametrize("name", ["iadd", "isub", "imul", "itruediv", "ifloordiv", "imod", "ipow"])
def test_operators_in_place(name: str) -> None:
    start = [5.0, -3.0]
    leaf = tensor(start, tg.float64).requires_grad_()
    x = leaf * 1
    memory = x.data_ptr()
    x = getattr(operator, name)(x, 2.0)
    assert x.data_ptr() == memory
    np.testing.assert_allclose(x.tolist(), getattr(operator, name)(np.array(start), 2.0))
    x.sum().backward()
    other = tensor(start, tg.float64).requires_grad_()
    getattr(operator, name[1:])(other, 2.0).sum().backward()
    assert leaf.grad.tolist() == other.grad.tolist()


def test_in_place_keeps_the_type() -> None:
    with pytest.raises(RuntimeError, match="can't be cast"):
        tensor([1, 2]).add_(0.5)
    with pytest.raises(RuntimeError, match="alpha"):
        tg.add(tensor([1]), tensor([1]), alpha=0.5)


def test_parts_of_complex_numbers_are_views() -> None:
    z = tensor([1 + 2j, 3 - 4j])
    z.real = tensor([5.0, 6.0])
    z.imag.mul_(10)
    same(z, [5 + 20j, 6 - 40j], tg.complex64)
    same(tg.view_as_real(z)[:, 1], [20.0, -40.0], tg.float32)
    same(abs(tensor([3 + 4j])), [5.0], tg.float32)
    for wrong in (lambda: z < z, lambda: tg.maximum(z, z), lambda: tg.sign(z), lambda: tg.imag(tensor([1.0]))):
        with pytest.raises(RuntimeError):
            wrong()


def test_comparison_of_whole_tensors() -> None:
    x = tensor([1.0, NAN, INF])
    assert tg.allclose(x, x + 1e-9, equal_nan=True)
    assert not tg.allclose(x, x)
    assert tg.equal(tensor([1, 2]), tensor([1, 2]))
    assert not tg.equal(tensor([1, 2]), tensor([1]))
    with pytest.raises(RuntimeError, match="did not match"):
        tg.isclose(tensor([1.0]), tensor([1]))


def test_error_function_far_out() -> None:
    """Tails keep their relative accuracy, in both precisions."""
    x = np.array([-6.0, -1e-300, 0.0, 0.49, 0.51, 3.0, 5.9, 26.0])
    np.testing.assert_allclose(tg.erf(tensor(x)).numpy(), [math.erf(v) for v in x], rtol=5e-16, atol=0)
    np.testing.assert_allclose(tg.erfc(tensor(x)).numpy(), [math.erfc(v) for v in x], rtol=5e-14, atol=0)
    single = x.astype(np.float32)
    np.testing.assert_allclose(tg.erf(tensor(single)).numpy(), [math.erf(v) for v in single], rtol=3e-7, atol=0)
    assert tg.erfinv(tensor([-1.0, 0.0, 1.0])).tolist() == [-INF, 0.0, INF]


def test_gamma_functions_on_the_left() -> None:
    x = np.array([-0.5, -2.7546777777777756, -19.5, 1.5, 1e-300, 170.5])
    np.testing.assert_allclose(tg.lgamma(tensor(x)).numpy(), [math.lgamma(v) for v in x], rtol=1e-14, atol=1e-14)
    x = np.array([1 - 2.0**-24, 1 + 2.0**-24])  # beside the zero at 1, by its series
    series = -0.57721566490153286 * (x - 1) + math.pi**2 / 12 * (x - 1) ** 2
    np.testing.assert_allclose(tg.lgamma(tensor(x)).numpy(), series, rtol=1e-13)
    assert tg.lgamma(tensor([0.0, -1.0])).tolist() == [INF, INF]
    x = np.array([-0.5, -1.25, -7.3])
    for n in (1, 2, 3):  # the step over 0 by the recurrence, one term at a time
        right = tg.polygamma(n, tensor(x + 8)).numpy()
        steps = (-1) ** n * math.factorial(n) * sum((x + k) ** (-n - 1) for k in range(8))
        np.testing.assert_allclose(tg.polygamma(n, tensor(x)).numpy(), right - steps, rtol=1e-11)


def test_gelu_of_huge_negative_numbers_is_zero() -> None:
    x = tg.tensor([-1e38, -1e10, -50.0])
    assert tg.nn.functional.gelu(x).tolist() == [0.0, 0.0, 0.0]
    assert tg.erf(x).tolist() == [-1.0, -1.0, -1.0]

"""The public gradient check: right gradients pass, and every kind of mistake is found and named."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu.autograd import Function, gradcheck, gradgradcheck
from tinygrad_edu.autograd.diagnosis import GradcheckError
from tinygrad_edu.autograd.gradcheck import Problem, numerical
from tinygrad_edu.tensor import Tensor, wrap


def leaf(*shape: int, seed: int = 0, dtype: Any = np.float64, low: float = 0.5, high: float = 2.0) -> Tensor:
    rng = np.random.default_rng(seed)
    values = rng.uniform(low, high, shape)
    if np.dtype(dtype).kind == "c":
        values = values + 1j * rng.uniform(low, high, shape)
    return wrap(np.asarray(values, dtype)).requires_grad_()


def function(forward: Callable, backward: Callable) -> Callable:
    """A function of tensors with a backward of its own, on arrays: `backward(g, *inputs)`."""

    class Planted(Function):
        @staticmethod
        def forward(ctx: Any, *xs: Any) -> Any:
            ctx.save_for_backward(*xs)
            return forward(*xs)

        @staticmethod
        def backward(ctx: Any, *gs: Any) -> Any:
            answer = backward(*[g.array for g in gs], *[x.array for x in ctx.saved_tensors])
            answers = answer if isinstance(answer, tuple) else (answer,)
            return tuple(None if a is None else wrap(np.asarray(a)) for a in answers)

    return Planted.apply


def diagnosis(func: Callable, *inputs: Any, **options: Any) -> GradcheckError:
    """The error that a planted bug leads to."""
    with pytest.raises(GradcheckError) as caught:
        gradcheck(func, inputs, **options)
    assert gradcheck(func, inputs, raise_exception=False, **options) is False
    return caught.value


class Layer:
    """What the check knows of a module: it can be called, and it names its parameters."""

    def __init__(self, *shape: int) -> None:
        self.weight, self.bias, self.frozen = leaf(*shape, seed=3), leaf(shape[-1], seed=4), wrap(np.ones(2))

    def named_parameters(self) -> list[tuple[str, Tensor]]:
        return [("weight", self.weight), ("bias", self.bias), ("frozen", self.frozen)]

    def __call__(self, x: Tensor) -> Tensor:
        return (x @ self.weight + self.bias).tanh()


class TestRight:
    def test_functions(self) -> None:
        assert gradcheck(lambda x, y: (x * y).tanh() / y, (leaf(2, 3), leaf(3, seed=1)))
        assert gradcheck(lambda x: x.exp().sum(), leaf(2, 3))
        assert gradcheck(lambda x, k, y: x * k + y, (leaf(2), 3, wrap(np.ones(2))))

    def test_shapes(self) -> None:
        assert gradcheck(lambda x: x * x, leaf())
        assert gradcheck(lambda x: x * x, leaf(0, 3))
        assert gradcheck(lambda x: x.mT.exp(), wrap(np.random.rand(3, 4)[:, ::2]).requires_grad_())

    def test_modules(self) -> None:
        assert gradcheck(Layer(3, 2), leaf(4, 3))
        assert gradgradcheck(Layer(3, 2), leaf(2, 3))
        assert gradcheck(Layer(3, 2), wrap(np.ones((2, 3)))), "parameters alone are enough"

    def test_several_results(self) -> None:
        assert gradcheck(lambda x, y: (x * y, x.exp(), wrap(np.arange(3))), (leaf(2), leaf(2, seed=1)))

    def test_complex_numbers(self) -> None:
        z = leaf(3, dtype=np.complex128)
        assert gradcheck(lambda z, w: z * w + z.exp(), (z, leaf(3, seed=1)))
        assert gradgradcheck(lambda z: z * z * z, z)

    def test_second_derivatives(self) -> None:
        assert gradgradcheck(lambda x, y: (x * y).tanh(), (leaf(2, 3), leaf(3, seed=1)))
        assert gradgradcheck(lambda x: x * 3, leaf(2)), "a linear function"
        assert gradgradcheck(lambda x: x.exp(), leaf(3), wrap(np.array([1.0, 2.0, 3.0])).requires_grad_())
        assert gradgradcheck(lambda x: x.exp(), leaf(2, 3), gen_non_contig_grad_outputs=True)

    def test_fast_mode(self) -> None:
        assert gradcheck(lambda x, y: (x * y).tanh(), (leaf(20, 30), leaf(30, seed=1)), fast_mode=True)
        assert gradgradcheck(lambda x, y: (x * y).tanh(), (leaf(5, 3), leaf(3, seed=1)), fast_mode=True)
        wrong = function(lambda x: x.exp(), lambda g, x: g * np.exp(x) * 1.01)
        assert "factor" in diagnosis(wrong, leaf(4), fast_mode=True).cause

    def test_scale_sets_the_step(self) -> None:
        """A fixed step of 1e-6 would leave the logarithm's domain, and say nothing about large numbers."""
        assert gradcheck(lambda x: x.log(), wrap(np.array([1e-9, 3e-8])).requires_grad_())
        assert gradcheck(lambda x: (x * 1e-7) * x, wrap(np.array([1e9, 3e10])).requires_grad_())

    def test_nothing_is_left_changed(self) -> None:
        x = leaf(2, 2)
        before, array = x.array.copy(), x.array
        gradcheck(lambda x: x.exp(), x)
        assert x.array is array and (array == before).all() and x.grad is None

    def test_results_without_gradient(self) -> None:
        assert gradcheck(lambda x: x.detach() * 0, leaf(2))


class TestNumbers:
    def test_complex_step_is_exact(self) -> None:
        x = leaf(3)
        problem = Problem(lambda x: x.exp() * x, (x,), [], None)
        (found,), method = numerical(problem, problem.points[0], [[np.ones(3)]], True)
        assert method == "complex step"
        np.testing.assert_allclose(found, np.exp(x.array) * (1 + x.array), rtol=1e-15)

    @pytest.mark.parametrize("kept", [np.real, np.abs])
    def test_complex_step_is_not_believed_blindly(self, kept: Callable) -> None:
        """A function that goes on with the real part alone would seem to have no slope."""
        x = leaf(3)
        problem = Problem(lambda x: x * wrap(np.asarray(kept(x.array))), (x,), [], None)
        (found,), method = numerical(problem, problem.points[0], [[np.ones(3)]], True)
        assert method == "central differences"
        np.testing.assert_allclose(found, 2 * x.array, rtol=1e-8)

    def test_steep_functions(self) -> None:
        """Differences are off by more than the tolerance here; the complex step is not."""
        assert gradcheck(
            lambda x: (x * 2000).exp() / np.exp(2000.0 * 0.01).item(), wrap(np.array([0.01, 1.0 / 90])).requires_grad_()
        )

    def test_central_differences_by_dtype(self) -> None:
        x = leaf(3, dtype=np.float32)
        problem = Problem(lambda x: x.exp(), (x,), [], None)
        (found,), _ = numerical(problem, problem.points[0], [[np.ones(3, np.float32)]], True)
        np.testing.assert_allclose(found, np.exp(x.array), rtol=1e-3)


class TestPlantedMistakes:
    """Each wrong rule is one that people write; the diagnosis must name it."""

    def test_constant_factor(self) -> None:
        error = diagnosis(function(lambda x: x * x * x, lambda g, x: g * x * x), leaf(2, 3))
        assert "a constant factor: analytic = 0.3333 * numeric" in error.cause
        assert "Jacobian mismatch for output 0 with respect to input 0: 6 of 6" in str(error)
        assert "# # #" in str(error)

    def test_forgotten_two(self) -> None:
        error = diagnosis(function(lambda x: x * x, lambda g, x: g * x), leaf(2, 3))
        assert "0.5 * numeric" in error.cause and "forgotten 2" in error.cause

    def test_mean_for_sum(self) -> None:
        error = diagnosis(function(lambda x, b: x + b, lambda g, x, b: (g, g.mean(0))), leaf(5, 3), leaf(3, seed=1))
        assert "0.2 * numeric" in error.cause and "a mean where a sum belongs" in error.cause
        assert "input 1" in str(error)

    def test_sign(self) -> None:
        error = diagnosis(function(lambda x, y: x - y, lambda g, x, y: (g, g)), leaf(2, 3), leaf(2, 3, seed=1))
        assert error.cause.startswith("the sign") and "- - -" in str(error) and "input 1" in str(error)

    @pytest.mark.parametrize(
        "rule",
        [
            lambda g, x, y: (g @ y, x.T @ g),
            lambda g, x, y: (y.T @ g, x.T @ g),
            lambda g, x, y: ((g @ y.T).T, x.T @ g),
        ],
    )
    def test_transpose(self, rule: Callable) -> None:
        error = diagnosis(function(lambda x, y: x @ y, rule), leaf(3, 3), leaf(3, 3, seed=1))
        assert error.cause.startswith("a transpose") and "input 0" in str(error)

    @pytest.mark.parametrize("axis", [0, 1])
    def test_missing_sum_over_a_broadcast_axis(self, axis: int) -> None:
        shape = [4, 3]
        shape[axis] = 1
        rule = function(lambda x, b: x * b, lambda g, x, b: (g * b, np.take(g * x, [0], axis)))
        error = diagnosis(rule, leaf(4, 3), leaf(*shape, seed=1))
        assert f"a missing sum over the broadcast axis {axis}" in error.cause and f".sum({axis})" in error.cause

    def test_missing_accumulation_of_a_repeated_index(self) -> None:
        index = np.array([0, 2, 0, 1])

        def backward(g: Any, x: Any) -> Any:
            gx = np.zeros_like(x)
            gx[index] = g
            return gx

        error = diagnosis(function(lambda x: wrap(x.array[index]), backward), leaf(3))
        assert "missing accumulation: only 3 of the 4 contributions" in error.cause

    def test_a_mask_that_the_function_has_not(self) -> None:
        x = tg.tensor([1.5, -0.5, 0.25, -2.0], dtype=tg.float64, requires_grad=True)
        wrong = function(lambda x: tg.where(x > 0, x, 0.01 * x), lambda g, x: g * (x > 0))
        error = diagnosis(wrong, x)
        assert "no gradient where there is one: of 2 of the 4 elements nothing arrives" in error.cause

    def test_missing_accumulation_of_results(self) -> None:
        def backward(g: Any, h: Any, x: Any) -> Any:
            return g * 2 * x if g.any() else h * 3

        error = diagnosis(function(lambda x: (x * x, x * 3), backward), leaf(3))
        assert "each result's gradient is right when it comes alone" in error.cause

    def test_no_gradient(self) -> None:
        assert "no gradient arrives" in diagnosis(lambda x, y: x * y.detach(), leaf(3), leaf(3, seed=1)).cause
        assert "the graph is cut" in diagnosis(lambda x: x.detach() * 2, leaf(3)).cause

    def test_forgotten_mask(self) -> None:
        x = wrap(np.array([-1.0, 2.0, -3.0, 4.0])).requires_grad_()
        error = diagnosis(function(lambda x: wrap(np.maximum(x.array, 0)), lambda g, x: g), x)
        assert error.cause.startswith("a gradient where there is none: at 2 places")
        assert "# . # ." in str(error)

    def test_wrong_saved_value(self) -> None:
        error = diagnosis(function(lambda x: x.exp(), lambda g, x: g * x), leaf(2, 3))
        assert error.cause.startswith("no simple pattern") and "worst at" in str(error)

    def test_a_softmax_whose_gradient_is_zero(self) -> None:
        """With cotangents of ones the right gradient is zero too: a check with these would find nothing."""

        def forward(x: Any) -> Any:
            e = np.exp(x.array)
            return wrap(e / e.sum(-1, keepdims=True))

        error = diagnosis(function(forward, lambda g, x: g * 0), leaf(2, 3))
        assert "no gradient arrives" in error.cause

    def test_only_one_of_several_results(self) -> None:
        """Right where all results are used, wrong where one is: undefined gradients are tried too."""

        def backward(g: Any, h: Any, x: Any) -> Any:
            return g * 2 * x + h * (3 if g.any() else 0)

        rule = function(lambda x: (x * x, x * 3), backward)
        assert "output 1" in str(diagnosis(rule, leaf(3)))
        assert gradcheck(rule, leaf(3), check_undefined_grad=False)

    def test_parameters_are_named(self) -> None:
        class Wrong(Layer):
            def __call__(self, x: Tensor) -> Tensor:
                return function(lambda x, w, b: x @ w + b, lambda g, x, w, b: (g @ w.T, -x.T @ g, g.sum(0)))(
                    x, self.weight, self.bias
                )

        error = diagnosis(Wrong(3, 2), leaf(4, 3))
        assert "parameter 'weight'" in str(error) and error.cause.startswith("the sign")

    def test_second_derivative(self) -> None:
        class Cube(Function):
            @staticmethod
            def forward(ctx: Any, x: Any) -> Any:
                ctx.save_for_backward(x)
                return x * x * x

            @staticmethod
            def backward(ctx: Any, g: Any) -> Any:
                (x,) = ctx.saved_tensors
                return g * 3 * x * x.detach()

        assert gradcheck(Cube.apply, leaf(3))
        with pytest.raises(GradcheckError, match="of the gradient itself") as caught:
            gradgradcheck(Cube.apply, leaf(3))
        assert "0.5 * numeric" in caught.value.cause


class TestNotTheRule:
    """Failures whose cause lies in the sample or in the function."""

    @pytest.mark.parametrize("at", [0.0, 1e-9])
    def test_kink(self, at: float) -> None:
        relu = function(lambda x: wrap(np.maximum(x.array, 0) * 3), lambda g, x: g * 3 * (x > 0))
        error = diagnosis(relu, wrap(np.array([1.0, at, -1.0])).requires_grad_())
        assert error.cause.startswith("a kink nearby") and "worst at [1]" in str(error)

    def test_forward_is_not_deterministic(self) -> None:
        rng = np.random.default_rng(0)
        error = diagnosis(lambda x: x * wrap((rng.random(3) > 0.5) + 0.5), leaf(3))
        assert "Forward is not reentrant" in str(error) and "dropout" in str(error)

    def test_backward_is_not_deterministic(self) -> None:
        rng = np.random.default_rng(0)
        rule = function(lambda x: x * x, lambda g, x: g * 2 * x * (1 + 1e-7 * rng.random(x.shape)))
        assert "Backward is not reentrant" in str(diagnosis(rule, leaf(3)))
        assert gradcheck(rule, leaf(3), nondet_tol=1e-5)

    def test_steps_are_in_double_precision_unless_the_function_wants_single(self) -> None:
        assert gradcheck(lambda x: (x * x).sum(), leaf(30, dtype=np.float32))
        weight = leaf(4, 3, seed=1, dtype=np.float32)
        assert gradcheck(lambda x: x @ weight, leaf(2, 4, dtype=np.float32), rtol=1e-2)
        with pytest.raises(RuntimeError, match="same dtype"):
            gradcheck(lambda x: x @ weight.double(), leaf(2, 4, dtype=np.float32))

    def test_float32_noise(self) -> None:
        error = diagnosis(lambda x: x.exp() * 50 - 50, leaf(3, dtype=np.float32), atol=1e-7, rtol=1e-7)
        assert error.cause.startswith("float32 noise") and ".double()" in error.cause

    def test_low_precision_inside(self) -> None:
        def backward(g: Any, x: Any) -> Any:
            return g * np.exp(x)

        rule = function(lambda x: wrap(np.exp(x.array.real.astype(np.float32)).astype(np.float64)), backward)
        assert diagnosis(rule, leaf(3)).cause.startswith("a step in lower precision")

    def test_infinite_gradients(self) -> None:
        error = diagnosis(lambda x: 1 / (x * 0), leaf(3))
        assert "a pole, an overflow" in error.cause

    def test_dtype_of_the_gradient(self) -> None:
        assert gradcheck(lambda x: x.exp(), leaf(3), check_grad_dtypes=True)

    def test_nothing_to_check(self) -> None:
        with pytest.raises(ValueError, match="at least one input tensor to require gradient"):
            gradcheck(lambda x: x, wrap(np.ones(3)))


def test_large_errors_are_shown_in_part() -> None:
    error = diagnosis(function(lambda x: x * x, lambda g, x: g * x), leaf(30, 60))
    rows = str(error).split("\n")
    assert sum("# #" in row for row in rows) == 12
    assert rows[-1] == "    ..." and rows[-2].endswith("...")


def test_ops_agree_with_the_check() -> None:
    with tg.enable_grad():
        assert gradcheck(tg.matmul, (leaf(2, 3), leaf(3, 4, seed=1)))


def test_the_module_can_be_called_like_the_function() -> None:
    """An import of the module alone puts it where PyTorch has the function."""
    assert sys.modules["tinygrad_edu.autograd.gradcheck"](lambda x: x * x, leaf(2))  # type: ignore[operator]
    assert tg.autograd.gradcheck(lambda x: x * x, leaf(2))

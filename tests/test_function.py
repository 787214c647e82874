"""`autograd.Function`: operations of the user's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from own_functions import Exp, Square, SumAndProduct, constant, leaf

import tinygrad_edu as tg
from tinygrad_edu import autograd
from tinygrad_edu.autograd import Function, gradcheck, gradgradcheck
from tinygrad_edu.autograd.function import once_differentiable
from tinygrad_edu.tensor import wrap


class Power(Function):
    """The newer form: `forward` without `ctx`, and what to save said apart."""

    @staticmethod
    def forward(x: Any, n: int = 3) -> Any:
        out = x
        for _ in range(n - 1):
            out = out * x
        return out

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Any) -> None:
        x, ctx.n = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        (x,) = ctx.saved_tensors
        return g * ctx.n * (Power.apply(x, ctx.n - 1) if ctx.n > 1 else 1), None


def test_value_gradient_and_name() -> None:
    x = leaf(1, 2)
    y = Square.apply(x)
    assert type(y.grad_fn).__name__ == y.grad_fn.name() == "SquareBackward"
    assert not y.is_leaf and y.grad_fn.next_functions[0][0].name() == "AccumulateGrad"
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.array, [2, 4])


@pytest.mark.parametrize("function", [Square.apply, Exp.apply, Power.apply, lambda x: Power.apply(x, n=4)])
def test_first_and_second_derivatives(function: Any) -> None:
    x = leaf(0.5, 1.5)
    assert gradcheck(function, x)
    assert gradgradcheck(function, x)


def test_several_results() -> None:
    assert gradcheck(SumAndProduct.apply, (leaf(1, 2), leaf(3, 4)))
    assert gradgradcheck(SumAndProduct.apply, (leaf(1, 2), leaf(3, 4)))
    x, y = leaf(1, 2), leaf(3, 4)
    s, p = SumAndProduct.apply(x, y)
    assert (s.output_nr, p.output_nr) == (0, 1) and s.grad_fn is p.grad_fn
    p.sum().backward()
    np.testing.assert_array_equal(x.grad.array, y.array)


def test_one_input_twice() -> None:
    x = leaf(2, 3)
    SumAndProduct.apply(x, x)[1].sum().backward()
    np.testing.assert_array_equal(x.grad.array, 2 * x.array)


def test_saved_result_has_its_place_in_the_graph() -> None:
    """In the second derivative a saved result is a function of the input, not a constant."""

    class Both(Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            a, b = x * 2, x.exp()
            ctx.save_for_backward(b)
            return a, b

        @staticmethod
        def backward(ctx: Any, g: Any, h: Any) -> Any:
            return g * 2 + h * ctx.saved_tensors[0]

    assert gradgradcheck(Both.apply, leaf(0.5, 1.0))
    x = leaf(0.5, 1.0)
    b = Both.apply(x)[1]
    (g,) = autograd.grad(b.sum(), x, create_graph=True)
    (found,) = autograd.grad(g.sum(), b)
    np.testing.assert_array_equal(found.array, [1, 1])


def test_context_attributes_are_free() -> None:
    class Free(Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.shape, ctx.name, ctx.version, ctx.edges, ctx.number = x.shape, "n", 1, 2, 3
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            assert (ctx.name, ctx.version, ctx.edges, ctx.number) == ("n", 1, 2, 3)
            assert g.shape == ctx.shape
            return g * 2

    x = leaf(1, 2)
    Free.apply(x).sum().backward()
    np.testing.assert_array_equal(x.grad.array, [2, 2])


def test_attributes_are_read_from_the_node() -> None:
    y = Power.apply(leaf(1, 2), 3)
    assert y.grad_fn.n == 3 and len(y.grad_fn.saved_tensors) == 1
    with pytest.raises(AttributeError):
        _ = y.grad_fn.missing


def test_needs_input_grad() -> None:
    seen = []

    class Look(Function):
        @staticmethod
        def forward(ctx: Any, x: Any, k: float, y: Any) -> Any:
            seen.append(ctx.needs_input_grad)
            return x * k + y

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            seen.append(ctx.needs_input_grad)
            return g * 2, None, g

    Look.apply(leaf(1), 2, constant(3)).backward()
    assert seen == [(True, False, False)] * 2


def test_nothing_is_recorded_inside_forward() -> None:
    class Inside(Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            assert not tg.is_grad_enabled() and not (x * 2).requires_grad
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            assert not tg.is_grad_enabled() and not g.requires_grad
            return g * 2

    Inside.apply(leaf(1)).backward()
    assert not Inside.apply(constant(1)).requires_grad
    with tg.no_grad():
        assert not Inside.apply(leaf(1)).requires_grad


class TestGradientsGivenToBackward:
    def make(self, materialize: bool) -> tuple[type[Function], list]:
        seen: list = []

        class Two(Function):
            @staticmethod
            def forward(ctx: Any, x: Any) -> Any:
                ctx.set_materialize_grads(materialize)
                return x * 2, x * 3, "not a tensor"

            @staticmethod
            def backward(ctx: Any, *gs: Any) -> Any:
                seen.extend(gs)
                return sum(g * k for g, k in zip(gs, (2, 3), strict=False) if g is not None)

        return Two, seen

    def test_zeros_where_nothing_arrives(self) -> None:
        two, seen = self.make(True)
        x = leaf(1, 2)
        _, b, text = two.apply(x)
        assert text == "not a tensor"
        b.sum().backward()
        np.testing.assert_array_equal(seen[0].array, [0, 0])
        assert seen[2] is None
        np.testing.assert_array_equal(x.grad.array, [3, 3])

    def test_none_if_asked_for(self) -> None:
        two, seen = self.make(False)
        two.apply(leaf(1, 2))[1].sum().backward()
        assert seen[0] is None and seen[2] is None

    def test_results_without_gradient(self) -> None:
        class Sorted(Function):
            @staticmethod
            def forward(ctx: Any, x: Any) -> Any:
                values, order, marked = x * 1, wrap(np.argsort(x.array)), x * 5
                ctx.mark_non_differentiable(marked)
                return values, order, marked

            @staticmethod
            def backward(ctx: Any, g: Any, order: Any, marked: Any) -> Any:
                assert marked.array.tolist() == [0, 0]
                return g

        values, order, marked = Sorted.apply(leaf(2, 1))
        assert values.requires_grad and not order.requires_grad and not marked.requires_grad
        values.sum().backward()


class TestAnswersOfBackward:
    def function(self, answer: Any) -> Any:
        class Answer(Function):
            @staticmethod
            def forward(ctx: Any, x: Any, k: Any) -> Any:
                return x * 2

            @staticmethod
            def backward(ctx: Any, g: Any) -> Any:
                return answer(g)

        return Answer.apply

    def test_too_few(self) -> None:
        with pytest.raises(RuntimeError, match=r"returned an incorrect number of gradients \(expected 2, got 1\)"):
            self.function(lambda g: g)(leaf(1), 3).backward()

    def test_too_many(self) -> None:
        with pytest.raises(RuntimeError, match=r"returned an incorrect number of gradients \(expected 2, got 3\)"):
            self.function(lambda g: (g, None, g))(leaf(1), 3).backward()
        self.function(lambda g: (g, None, None))(leaf(1), 3).backward()

    def test_for_what_is_no_tensor(self) -> None:
        with pytest.raises(RuntimeError, match="gradient different than None at position 1"):
            self.function(lambda g: (g, g))(leaf(1), 3).backward()

    def test_not_a_tensor(self) -> None:
        with pytest.raises(TypeError, match="expected a Tensor or None at 0, got float"):
            self.function(lambda g: (1.0, None))(leaf(1), 3).backward()

    def test_wrong_shape(self) -> None:
        with pytest.raises(RuntimeError, match=r"invalid gradient at index 0 - got \[3\] but expected .* \[2\]"):
            self.function(lambda g: (constant(1, 2, 3), None))(leaf(1, 2), 3).sum().backward()

    def test_broadcasting_is_undone(self) -> None:
        x = leaf(1, 2)
        self.function(lambda g: (wrap(np.ones((3, 2))), None))(x, 3).sum().backward()
        np.testing.assert_array_equal(x.grad.array, [3, 3])

    def test_dtype_is_the_inputs(self) -> None:
        x = leaf(1, 2)
        self.function(lambda g: (wrap(np.ones(2, np.float32)), None))(x, 3).sum().backward()
        assert x.grad.array.dtype == np.float64
        x = leaf(1, 2)
        self.function(lambda g: (wrap(np.array([1 + 2j, 3j])), None))(x, 3).sum().backward()
        np.testing.assert_array_equal(x.grad.array, [1, 0])

    def test_none_is_no_gradient(self) -> None:
        x = leaf(1, 2)
        self.function(lambda g: (None, None))(x, 3).sum().backward()
        assert x.grad is None


class TestOnceDifferentiable:
    def function(self) -> Any:
        class Once(Function):
            @staticmethod
            def forward(ctx: Any, x: Any) -> Any:
                ctx.save_for_backward(x)
                return x * x

            @staticmethod
            @once_differentiable
            def backward(ctx: Any, g: Any) -> Any:
                assert not tg.is_grad_enabled()
                return wrap(2 * ctx.saved_tensors[0].array * g.array)

        return Once.apply

    def test_once(self) -> None:
        assert gradcheck(self.function(), leaf(1, 2))

    def test_twice(self) -> None:
        x = leaf(1, 2)
        (g,) = autograd.grad(self.function()(x).sum(), x, create_graph=True)
        np.testing.assert_array_equal(g.array, [2, 4])
        with pytest.raises(RuntimeError, match="marked with @once_differentiable"):
            g.sum().backward()


class TestMisuse:
    def test_calling_an_instance(self) -> None:
        with pytest.raises(RuntimeError, match=r"write Square\.apply"):
            Square()(leaf(1))

    def test_no_backward(self) -> None:
        class Forward(Function):
            @staticmethod
            def forward(ctx: Any, x: Any) -> Any:
                return x * 2

        with pytest.raises(NotImplementedError, match="must implement either the backward or vjp"):
            Forward.apply(leaf(1)).backward()

    def test_vjp_is_another_name(self) -> None:
        class Named(Function):
            @staticmethod
            def forward(ctx: Any, x: Any) -> Any:
                return x * 2

            @staticmethod
            def vjp(ctx: Any, g: Any) -> Any:
                return g * 2

        assert gradcheck(Named.apply, leaf(1, 2))

    def test_saving_what_is_no_tensor(self) -> None:
        class Save(Function):
            @staticmethod
            def forward(ctx: Any, x: Any) -> Any:
                ctx.save_for_backward(x, None, 3)

        with pytest.raises(TypeError, match="argument 2 is of type int"):
            Save.apply(leaf(1))

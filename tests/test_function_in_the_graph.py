"""`autograd.Function` in the graph: whose memory a gradient is, writes in place, views, hooks, and what is freed."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from own_functions import Exp, Square, SumAndProduct, constant, leaf

from tinygrad_edu import autograd
from tinygrad_edu.autograd import Function, gradcheck, gradgradcheck
from tinygrad_edu.tensor import Tensor, wrap


class TestMemoryOfGradients:
    """What a leaf keeps as its gradient belongs to it alone."""

    def test_saved_tensor_as_gradient(self) -> None:
        class Linear(Function):
            @staticmethod
            def forward(ctx: Any, x: Any, w: Any) -> Any:
                ctx.save_for_backward(w)
                return (x * w).sum()

            @staticmethod
            def backward(ctx: Any, g: Any) -> Any:
                return ctx.saved_tensors[0], None

        x, w = leaf(1, 2), constant(3, 4)
        for _ in range(3):
            Linear.apply(x, w).backward()
        np.testing.assert_array_equal(w.array, [3, 4])
        np.testing.assert_array_equal(x.grad.array, [9, 12])

    def test_one_gradient_for_two_inputs(self) -> None:
        class Add(Function):
            @staticmethod
            def forward(ctx: Any, x: Any, y: Any) -> Any:
                return x + y

            @staticmethod
            def backward(ctx: Any, g: Any) -> Any:
                twice = g * 1
                return twice, twice

        x, y = leaf(1, 2), leaf(3, 4)
        Add.apply(x, y).sum().backward()
        x.grad.array[:] = 7
        np.testing.assert_array_equal(y.grad.array, [1, 1])

    def test_the_users_gradient_as_gradient(self) -> None:
        class Same(Function):
            @staticmethod
            def forward(ctx: Any, x: Any) -> Any:
                return x * 1

            @staticmethod
            def backward(ctx: Any, g: Any) -> Any:
                return g

        x, g = leaf(1, 2), constant(5, 6)
        for _ in range(2):
            Same.apply(x).backward(g)
        np.testing.assert_array_equal(g.array, [5, 6])
        np.testing.assert_array_equal(x.grad.array, [10, 12])


class TestInPlace:
    def test_saved_input_changed(self) -> None:
        x = leaf(1, 2)
        y = x * 2
        z = Square.apply(y)
        y.add_(1)
        with pytest.raises(RuntimeError, match="modified by an inplace operation") as caught:
            z.sum().backward()
        assert "'SquareBackward' had saved its input or constant, float64[2]" in str(caught.value)
        assert "is at version 1; expected version 0" in str(caught.value)

    def test_saved_result_changed(self) -> None:
        y = Exp.apply(leaf(1, 2))
        y.mul_(2)
        with pytest.raises(RuntimeError, match="had saved its result 0"):
            y.sum().backward()

    def test_saved_constant_changed(self) -> None:
        x, w = leaf(1, 2), constant(3, 4)
        p = SumAndProduct.apply(x, w)[1]
        w.mul_(2)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            p.sum().backward()

    def test_both_lines_in_anomaly_mode(self) -> None:
        with autograd.detect_anomaly():
            y = Exp.apply(leaf(1, 2))  # saved here
            y.mul_(2)  # changed here
            with pytest.raises(RuntimeError) as caught:
                y.sum().backward()
        text = str(caught.value)
        assert text.index("# saved here") < text.index("# changed here") and "test_function_in_the_graph.py:" in text

    def test_mark_dirty(self) -> None:
        class Double(Function):
            @staticmethod
            def forward(ctx: Any, x: Any) -> Any:
                ctx.mark_dirty(x)
                x.mul_(2)
                return x

            @staticmethod
            def backward(ctx: Any, g: Any) -> Any:
                return g * 2

        x = leaf(1, 2)
        y = x * 3
        z = Double.apply(y)
        assert z is y and y.grad_fn.name() == "DoubleBackward"
        (z * z).sum().backward()
        np.testing.assert_array_equal(x.grad.array, 2 * 36 * x.array)
        with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
            Double.apply(leaf(1, 2))

    def test_mark_dirty_and_save(self) -> None:
        class ExpInPlace(Function):
            @staticmethod
            def forward(ctx: Any, x: Any) -> Any:
                x.exp_()
                ctx.mark_dirty(x)
                ctx.save_for_backward(x)
                return x

            @staticmethod
            def backward(ctx: Any, g: Any) -> Any:
                return g * ctx.saved_tensors[0]

        assert gradcheck(lambda x: ExpInPlace.apply(x * 1), leaf(0.5, 1.0))
        assert gradgradcheck(lambda x: ExpInPlace.apply(x * 1), leaf(0.5, 1.0))

    def test_mark_dirty_of_a_view(self) -> None:
        class Double(Function):
            @staticmethod
            def forward(ctx: Any, x: Any) -> Any:
                ctx.mark_dirty(x)
                return x.mul_(2)

            @staticmethod
            def backward(ctx: Any, g: Any) -> Any:
                return g * 2

        def f(x: Tensor) -> Tensor:
            y = x * x
            Double.apply(y.reshape(2, 2).mT)
            return y * x

        assert gradcheck(f, leaf(1, 2, 3, 4))

    def test_dirty_must_be_returned(self) -> None:
        class Lost(Function):
            @staticmethod
            def forward(ctx: Any, x: Any) -> Any:
                ctx.mark_dirty(x)
                return x * 2

        with pytest.raises(RuntimeError, match="marked as dirty"):
            Lost.apply(leaf(1) * 1)


class TestResultsThatAreInputs:
    """An input that is returned, or a view of it, is a tensor of its own."""

    def reverse(self, view: bool) -> Any:
        class Reverse(Function):
            @staticmethod
            def forward(ctx: Any, x: Any) -> Any:
                return x.reshape(-1) if view else x

            @staticmethod
            def backward(ctx: Any, g: Any) -> Any:
                return -g

        return Reverse.apply

    @pytest.mark.parametrize("view", [False, True])
    def test_gradient_is_the_functions(self, view: bool) -> None:
        x = leaf(1, 2)
        y = self.reverse(view)(x)
        assert y is not x and y.grad_fn.name() == "ReverseBackward"
        (y * constant(1, 2)).sum().backward()
        np.testing.assert_array_equal(x.grad.array, [-1, -2])

    @pytest.mark.parametrize("view", [False, True])
    def test_writes_do_not_cross(self, view: bool) -> None:
        x = leaf(1, 2)
        y = x * 1
        z = self.reverse(view)(y)
        z.mul_(10)
        (z + y).sum().backward()
        np.testing.assert_array_equal(x.grad.array, [-9, -9])

    def test_without_graph(self) -> None:
        x = constant(1, 2)
        y = self.reverse(False)(x)
        assert y is not x
        y.requires_grad_()
        assert not x.requires_grad


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


class TestGraph:
    def test_second_backward(self) -> None:
        x = leaf(1, 2)
        y = Square.apply(x).sum()
        y.backward(retain_graph=True)
        y.backward()
        np.testing.assert_array_equal(x.grad.array, [4, 8])
        with pytest.raises(RuntimeError, match="second time"):
            y.backward()

    def test_second_backward_where_nothing_was_saved(self) -> None:
        class Double(Function):
            @staticmethod
            def forward(ctx: Any, x: Any) -> Any:
                return x * 2

            @staticmethod
            def backward(ctx: Any, g: Any) -> Any:
                return g * 2

        x = leaf(1)
        y = Double.apply(x)
        y.backward()
        y.backward()
        assert x.grad.item() == 4

    def test_hooks(self) -> None:
        calls = []
        x = leaf(1, 2)
        y = Square.apply(x)
        y.register_hook(lambda g: calls.append("tensor"))
        y.grad_fn.register_prehook(lambda gs: calls.append(("before", len(gs))))
        y.grad_fn.register_hook(lambda gi, go: calls.append(("after", gi[0].array.tolist(), go[0].array.tolist())))
        y.sum().backward()
        assert calls == ["tensor", ("before", 1), ("after", [2, 4], [1, 1])]

    def test_complex_numbers_follow_pytorchs_convention(self) -> None:
        class Product(Function):
            @staticmethod
            def forward(ctx: Any, x: Any, y: Any) -> Any:
                ctx.save_for_backward(x, y)
                return x * y

            @staticmethod
            def backward(ctx: Any, g: Any) -> Any:
                x, y = ctx.saved_tensors
                return g * wrap(y.array.conj()), g * wrap(x.array.conj())

        z = wrap(np.array([1 + 2j, 3 - 1j])).requires_grad_()
        w = wrap(np.array([2 - 1j, 1 + 1j])).requires_grad_()
        assert gradcheck(Product.apply, (z, w))

    def test_nothing_survives_by_a_cycle(self, no_collector: None) -> None:
        refs = []
        for function in (Square.apply, Exp.apply, lambda x: SumAndProduct.apply(x, x)[0]):
            x = leaf(1, 2)
            y = function(x)
            refs += [weakref.ref(y), weakref.ref(y.grad_fn), weakref.ref(y.grad_fn.ctx)]
            y.sum().backward()
            del y
        del x
        assert [r() for r in refs] == [None] * len(refs)

    def test_saved_tensors_are_freed_by_backward(self, no_collector: None) -> None:
        x = leaf(1, 2)
        y = x * 2
        ref = weakref.ref(y)
        z = Square.apply(y).sum()
        del y
        assert ref() is not None
        z.backward()
        assert ref() is None

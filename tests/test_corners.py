"""Corners of the engine that ordinary programs seldom reach: `out=`, decorators of modes, questions to a tensor, refusals."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import standin

import tinygrad_edu as torch
from tinygrad_edu.autograd.graph import Node
from tinygrad_edu.autograd.modes import set_grad_enabled
from tinygrad_edu.op import OPS, op
from tinygrad_edu.tensor import wrap


def leaf(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, requires_grad=True)


@pytest.fixture
def made() -> Iterator[Callable]:
    """`@op` for one test alone."""
    names: list[str] = []

    def make(forward: Callable, **traits: object) -> Callable:
        names.append(forward.__name__.strip("_"))
        return op(forward, **traits)

    yield make
    for name in names:
        del OPS[name]


# --- out= --------------------------------------------------------------------------------------------------------------------------


class TestOut:
    def test_one_result_goes_into_the_tensor_that_is_given(self) -> None:
        x, y, into = torch.randn(3), torch.randn(3), torch.empty(3)
        memory = into.data_ptr()
        assert torch.add(x, y, out=into) is into and into.data_ptr() == memory
        np.testing.assert_array_equal(into.numpy(), x.numpy() + y.numpy())

    def test_it_takes_the_results_shape_and_keeps_its_own_dtype(self) -> None:
        into = torch.empty(0, dtype=torch.float64)
        torch.mul(torch.full((2, 2), 3.0), 2.0, out=into)
        assert into.dtype is torch.float64 and into.tolist() == [[6.0, 6.0], [6.0, 6.0]]

    def test_several_results(self) -> None:
        x = torch.tensor([3.0, 1.0, 2.0])
        values, indices = torch.empty(3), torch.empty(3, dtype=torch.int64)
        answer = torch.sort(x, out=(values, indices))
        assert answer.values is values and answer.indices is indices
        assert values.tolist() == [1.0, 2.0, 3.0] and indices.tolist() == [1, 2, 0]

    def test_a_write_through_out_is_noticed_by_who_needed_the_old_values(self) -> None:
        x, y = leaf(3), torch.ones(3)
        z = (x * y).sum()
        torch.add(torch.ones(3), 1.0, out=y)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            z.backward()

    @pytest.mark.parametrize("who", ["argument", "out"])
    def test_gradients_do_not_go_through_it(self, who: str) -> None:
        x, into = torch.ones(2, requires_grad=who == "argument"), torch.empty(2, requires_grad=who == "out")
        with pytest.raises(RuntimeError, match="don't support automatic differentiation"):
            torch.exp(x, out=into)
        with torch.no_grad():
            assert torch.exp(x, out=into) is into

    def test_results_that_do_not_fit_its_dtype_are_refused(self) -> None:
        into = torch.zeros(2, dtype=torch.int64)
        with pytest.raises(RuntimeError, match=r"result type torch.float32 can't be cast to .* torch.int64"):
            torch.add(torch.ones(2), 0.5, out=into)
        assert into.tolist() == [0, 0]

    def test_memory_that_overlaps_is_refused(self) -> None:
        x = torch.arange(4.0)
        with pytest.raises(RuntimeError, match="more than one element of the written-to tensor"):
            torch.add(x, 1.0, out=torch.zeros(1).expand(4))
        square = torch.rand(3, 3)
        parts = [(x[:3], x[1:]), (x[1:], x[:3]), (x[:1], x), (square[:2], square[1:]), (square.t(), square)]
        for source, into in parts:
            with pytest.raises(RuntimeError, match="some elements of the input tensor and the written-to tensor"):
                torch.add(source, 1.0, out=into)
        assert x.tolist() == [0.0, 1.0, 2.0, 3.0]

    def test_memory_that_does_not_overlap_or_only_where_there_are_gaps_is_written(self) -> None:
        x, rows = torch.arange(4.0), torch.arange(8.0).view(2, 4)
        assert torch.add(x[:2], 1.0, out=x[2:]).tolist() == [1.0, 2.0]
        assert torch.add(x[:2], 1.0, out=x[::2]).tolist() == [1.0, 2.0]
        assert torch.add(x, 1.0, out=x).tolist() == [2.0, 2.0, 3.0, 3.0]  # the very same places are no overlap
        assert torch.add(rows[:, :3], 1.0, out=rows[:, 1:]).tolist() == [[1.0, 2.0, 3.0], [5.0, 6.0, 7.0]]


# --- how a call is written -------------------------------------------------------------------------------------------------------------


def test_wrong_calls_name_the_operation() -> None:
    with pytest.raises(TypeError, match=r"tanh\(\) takes .* 1 positional arguments but 2 were given"):
        torch.tanh(torch.ones(1), 3)
    with pytest.raises(TypeError, match=r"missing required argument 'y'"):
        torch.mul(torch.ones(1))
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'wrong'"):
        torch.mul(torch.ones(1), 2, wrong=1)
    with pytest.raises(TypeError, match="None"):
        torch.mul(torch.ones(1), None)


def test_several_results_are_asked_for_with_too_much() -> None:
    with pytest.raises(TypeError, match="takes 3 positional arguments but 5 were given"):
        OPS["sort"].call(torch.ones(2), 0, False, False, 1)


def test_a_view_by_keywords_is_a_view() -> None:
    x = torch.zeros(2, 3)
    torch.transpose(input=x, dim0=0, dim1=1)[2, 0] = 5.0
    assert x[0, 2].item() == 5.0


def test_an_integer_wraps_around_as_in_pytorch() -> None:
    assert (torch.zeros(2, dtype=torch.uint8) + 300).tolist() == [44, 44]
    assert (torch.zeros(2, dtype=torch.int8) - 200).tolist() == [56, 56]


def test_bytes_are_computed_in_the_default_dtype() -> None:
    for dtype in (torch.uint8, torch.int8, torch.bool):
        found = torch.exp(torch.ones(3, dtype=dtype))
        assert found.dtype is torch.float32
        np.testing.assert_allclose(found.numpy(), np.full(3, np.exp(np.float32(1))), rtol=1e-6)


def test_a_rule_that_is_not_there_is_named(made: Callable) -> None:
    def half_known(x, y):
        return x * y

    half = made(half_known)
    half.grad(x=lambda g, y: g * y)
    with pytest.raises(NotImplementedError, match="the derivative for 'y' of 'half_known' is not implemented"):
        OPS["half_known"].plan(0b11)


def test_a_rule_that_asks_for_what_there_is_not_is_told(made: Callable) -> None:
    def asks_too_much(x):
        return x

    asks = made(asks_too_much)
    asks.grad(x=lambda g, nothing: g)
    with pytest.raises(TypeError, match="a rule of 'asks_too_much' asks for 'nothing'"):
        asks(leaf(2))


def test_a_list_of_tensors_one_of_which_was_overwritten(made: Callable) -> None:
    def product_of(xs):
        return xs[0] * xs[1]

    product = made(product_of, sequence=True)
    product.grad(xs=lambda g, xs: [g * xs[1], g * xs[0]])
    a, b = leaf(3), leaf(3)
    first, second = product([a, b]).sum(), a.detach().numpy() * 2
    first.backward()
    np.testing.assert_array_equal(a.grad.numpy(), b.detach().numpy())
    c, other = a * 2, torch.zeros(3)
    out = product([c, b]).sum()
    other += 1  # a write elsewhere troubles nobody
    out.backward(retain_graph=True)
    c += 1
    with pytest.raises(RuntimeError, match="'product_of' had saved float32"):
        out.backward()
    again = product([a * 2, b]).sum()
    (once,) = torch.autograd.grad(again, b, create_graph=True)
    np.testing.assert_allclose(once.detach().numpy(), second, rtol=1e-6)
    (twice,) = torch.autograd.grad(once.sum(), a)
    assert twice.tolist() == [2.0, 2.0, 2.0]


# --- modes ---------------------------------------------------------------------------------------------------------------------------


class TestModes:
    def test_a_generator_is_in_the_mode_at_each_of_its_steps_and_nobody_else_is(self) -> None:
        seen = []

        @torch.no_grad()
        def steps() -> Iterator[int]:
            try:
                while True:
                    try:
                        seen.append(torch.is_grad_enabled())
                        yield len(seen)
                    except ValueError:
                        seen.append(torch.is_grad_enabled())
            finally:
                seen.append(torch.is_grad_enabled())

        walking = steps()
        assert next(walking) == 1 and torch.is_grad_enabled()
        assert walking.send(None) == 2 and walking.throw(ValueError()) == 4 and torch.is_grad_enabled()
        walking.close()
        assert seen == [False] * 5 and torch.is_grad_enabled()

    def test_a_generators_last_word(self) -> None:
        @torch.no_grad()
        def steps() -> Iterator[int]:
            yield 1
            return "end"

        walking = steps()
        next(walking)
        with pytest.raises(StopIteration) as end:
            next(walking)
        assert end.value.value == "end"

    def test_set_grad_enabled_as_a_decorator_speaks_of_the_function_alone(self) -> None:
        @set_grad_enabled(False)
        def inside() -> bool:
            return torch.is_grad_enabled()

        assert torch.is_grad_enabled() and inside() is False and torch.is_grad_enabled()

    @pytest.mark.parametrize("bare", [True, False])
    def test_inference_mode_as_a_decorator(self, bare: bool) -> None:
        def inside() -> tuple:
            return torch.is_inference_mode_enabled(), torch.is_grad_enabled()

        wrapped = torch.inference_mode(inside) if bare else torch.inference_mode()(inside)
        assert wrapped() == (True, False)
        assert torch.inference_mode(False)(inside)() == (False, True)
        assert inside() == (False, True)

    def test_what_is_no_flag_is_refused(self) -> None:
        with pytest.raises(TypeError, match="must be bool, not int"):
            set_grad_enabled(1)


# --- the graph -------------------------------------------------------------------------------------------------------------------------


def test_a_root_given_twice_counts_twice() -> None:
    x = leaf(2)
    y = x * 3
    (found,) = torch.autograd.grad([y, y], [x], [torch.ones(2), torch.full((2,), 10.0)])
    assert found.tolist() == [33.0, 33.0]


def test_a_node_says_what_it_is() -> None:
    assert repr((leaf(2) + 1).grad_fn).startswith("<AddBackward0 object at 0x")
    with pytest.raises(NotImplementedError):
        Node().back(None, False)


def test_gradients_that_are_summed_under_create_graph_stay_in_the_graph() -> None:
    x = torch.tensor(2.0, requires_grad=True)
    for _ in range(2):
        (x**3).backward(create_graph=True)
    assert x.grad.item() == 24.0
    (second,) = torch.autograd.grad(x.grad, x)
    assert second.item() == 24.0  # of both sums of 3x²


def test_hooks_before_a_node_with_several_results() -> None:
    x = leaf(4)
    a, b = torch.split(x, 2)
    seen = []

    def before(gradients: tuple) -> tuple:
        seen.append([g if g is None else g.tolist() for g in gradients])
        return tuple(None if g is None else g * 10 for g in gradients)

    a.grad_fn.register_prehook(before)
    b.sum().backward()
    assert seen == [[None, [1.0, 1.0]]] and x.grad.tolist() == [0.0, 0.0, 10.0, 10.0]


def test_a_hook_must_answer_a_tensor() -> None:
    x = leaf(2)
    x.register_hook(lambda g: 3)
    with pytest.raises(TypeError, match="hook returned int, expected a Tensor or None"):
        x.sum().backward()


def test_a_kept_gradient_of_a_tensor_that_is_gone_is_nobodys() -> None:
    x = leaf(2)
    y = x * 2
    y.retain_grad()
    z = y.sum()
    del y
    z.backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_a_hook_after_accumulation_of_a_tensor_that_is_gone_is_not_called() -> None:
    called = []
    x = leaf(2)
    x.register_post_accumulate_grad_hook(called.append)
    z = (x * 2).sum()
    z.backward()
    assert called == [x]
    z, called[:] = (x * 2).sum(), []
    del x
    z.backward()
    assert not called


def test_roots_are_checked() -> None:
    x = torch.ones(2, dtype=torch.complex64, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"only for real scalar outputs but got torch.complex64"):
        x.sum().backward()
    with pytest.raises(RuntimeError, match="a complex gradient was given for a real tensor"):
        leaf(2).backward(torch.ones(2, dtype=torch.complex64))
    y = leaf(2)
    (y * 2).backward(torch.ones(2, dtype=torch.float64))
    assert y.grad.dtype is torch.float32 and y.grad.tolist() == [2.0, 2.0]


# --- questions to a tensor, and refusals -----------------------------------------------------------------------------------------------


def test_where_a_tensor_lies() -> None:
    x = torch.arange(6.0).reshape(2, 3)
    assert x.is_cpu and x.get_device() == -1 and not x.is_cuda and not x.is_pinned() and not x.is_shared()
    assert not x.is_inference() and x.element_size() == x.itemsize == 4 and x.nbytes == 24
    assert (x.storage_offset(), x[1].storage_offset(), x[1, 2:].storage_offset()) == (0, 3, 5)
    assert x[1].data_ptr() == x.data_ptr() + 12
    assert x.size(-1) == 3
    with pytest.raises(IndexError, match="Dimension out of range"):
        x.size(2)
    with pytest.raises(IndexError):
        torch.tensor(1.0).size(0)


def test_numbers_out_of_a_tensor() -> None:
    assert complex(torch.tensor(2.0)) == 2 + 0j and 2.0 in torch.arange(3.0) and 7.0 not in torch.arange(3.0)
    for wrong, words in (
        (lambda: len(torch.tensor(1.0)), "len\\(\\) of a 0-d tensor"),
        (lambda: iter(torch.tensor(1.0)), "iteration over a 0-d tensor"),
    ):
        with pytest.raises(TypeError, match=words):
            wrong()
    with pytest.raises(RuntimeError, match=r"more than one value is ambiguous; write .any\(\) or .all\(\)"):
        bool(torch.ones(2))
    with pytest.raises(RuntimeError, match="no values is ambiguous"):
        bool(torch.ones(0))
    with pytest.raises(RuntimeError, match="__contains__ only supports Tensor or scalar"):
        "a" in torch.ones(2)  # noqa: B015


def test_a_tensor_with_a_gradient_is_not_exported_by_dlpack() -> None:
    with pytest.raises(BufferError, match="Can't export"):
        np.from_dlpack(leaf(2))
    assert np.from_dlpack(torch.arange(3)).tolist() == [0, 1, 2]


def test_legacy_constructors() -> None:
    x = torch.ones(2)
    assert torch.Tensor(x).tolist() == [1.0, 1.0] and torch.Tensor([1, 2]).dtype is torch.float32
    assert torch.Tensor(2, 3).shape == (2, 3)
    with pytest.raises(TypeError, match="data must be a sequence"):
        torch.Tensor(1.5)
    with pytest.raises(TypeError, match="invalid data type 'str'"):
        torch.Tensor("abc")


def test_leaves_and_their_data() -> None:
    x = leaf(2)
    with pytest.raises(TypeError, match="has to be a tensor, but got list"):
        x.data = [1.0]
    with pytest.raises(RuntimeError, match="Can't detach views in-place"):
        torch.ones(4)[1:].detach_()
    with pytest.raises(RuntimeError, match="only change requires_grad flags of leaf variables"):
        (x * 2).requires_grad_(False)
    y = x * 2
    assert y.requires_grad_() is y and y.grad_fn is not None  # it asks for what is so already
    assert x.detach_() is x and not x.requires_grad


def test_only_leaves_are_copied_deeply() -> None:
    x = leaf(2)
    assert torch.equal(copy.deepcopy(x), x) and copy.deepcopy(x) is not x
    with pytest.raises(RuntimeError, match=r"graph leaves\) support the deepcopy protocol"):
        copy.deepcopy(x * 2)


def test_a_subclass_by_pytorchs_own_way() -> None:
    class Marked(torch.Tensor):
        pass

    data = torch.ones(2)
    t = torch.Tensor._make_subclass(Marked, data, True)
    assert type(t) is Marked and t.requires_grad and t.is_leaf
    with torch.no_grad():
        t += 1
    assert data.tolist() == [2.0, 2.0]


def test_writes_into_views_that_no_grad_has_made() -> None:
    x = leaf(3)
    with torch.no_grad():
        view = x[1:]
    with pytest.raises(RuntimeError, match="a view made in no_grad mode"):
        view += 1
    y = x * 2
    with torch.no_grad():
        view = y[1:]
    with pytest.raises(RuntimeError, match="a view made in no_grad mode"):
        view += 1


def test_a_write_brings_the_result_to_the_tensors_dtype() -> None:
    x = torch.ones(2, dtype=torch.float32)
    y = leaf(2).double()
    x.add_(y)
    assert x.dtype is torch.float32 and x.requires_grad


# --- beside NumPy, and on a device -----------------------------------------------------------------------------------------------------


def test_numpys_functions_of_tensors_answer_tensors() -> None:
    x = torch.tensor([0.0, 1.0])
    for found in (np.exp(x), np.add(x, 1), np.mean(x)):
        assert isinstance(found, torch.Tensor) and found.dtype is torch.float32
    np.testing.assert_allclose(np.exp(x).numpy(), np.exp(np.array([0.0, 1.0])), rtol=1e-6)


def test_a_tensor_on_a_device_gives_its_address_but_not_its_memory() -> None:
    with standin.device():
        array = standin.Array(np.arange(3.0))
        t = wrap(array)
        assert t.data_ptr() == array.data.ptr and t.is_cuda and t.get_device() == 0
        with pytest.raises(TypeError, match=r"can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu\(\)"):
            t.numpy()
        assert t.cpu().tolist() == [0.0, 1.0, 2.0]


def test_an_operation_of_no_tensor_at_all_is_refused() -> None:
    with pytest.raises(TypeError, match=r"mul\(\): argument 'input' .* must be Tensor, not str; write tensor\('a'\)"):
        torch.mul("a", 2)
    with pytest.raises(TypeError, match="must be Tensor, not int"):
        OPS["sort"].call(3, 0, False)


def test_an_operation_says_how_it_is_called() -> None:
    assert repr(torch.mul.op) == "<op mul(x, y)>"

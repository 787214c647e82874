"""Corners of the walk back: companions of a walk, functions of one's own, numerical gradients, refusals."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
import standin

import tinygrad_edu as torch
from tinygrad_edu.autograd import alongside, diagnosis, functional, gradcheck, gradgradcheck
from tinygrad_edu.autograd.function import Function
from tinygrad_edu.autograd.graph import Node
from tinygrad_edu.autograd.modes import observer, recording, set_recording
from tinygrad_edu.autograd.places import Line
from tinygrad_edu.autograd.profiler import profile
from tinygrad_edu.op import OPS, op
from tinygrad_edu.promotion import chosen
from tinygrad_edu.tensor import wrap


def leaf(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def _halved(x):
    return x / 2


# --- the walk ------------------------------------------------------------------------------------------------------------


class Companion:
    """Notes when a walk begins and ends."""

    def __init__(self, notes: list[str], name: str) -> None:
        self.notes, self.name = notes, name

    @contextlib.contextmanager
    def along(self, roots: Sequence[Node]) -> Iterator[None]:
        self.notes.append(f"{self.name} {len(roots)}")
        yield
        self.notes.append(f"{self.name} end")


def test_companions_go_along_for_as_long_as_they_live() -> None:
    notes: list[str] = []
    first, second = Companion(notes, "first"), Companion(notes, "second")
    alongside.accompany(first)
    alongside.accompany(second)
    (leaf(1.0) * 2).backward()
    assert notes == ["first 1", "second 1", "second end", "first end"]
    del first, second
    (leaf(1.0) * 2).backward()
    assert len(notes) == 4


def test_a_hook_is_taken_away_at_the_end_of_a_block() -> None:
    x, seen = leaf(1.0, 2.0), []
    with x.register_hook(seen.append):
        x.sum().backward()
    x.sum().backward()
    assert len(seen) == 1 and x.grad.tolist() == [2.0, 2.0]


def test_refusals_of_grad_and_backward() -> None:
    x = leaf(1.0, 2.0)
    y = x * 2
    with pytest.raises(ValueError, match="only_inputs=False is no longer supported"):
        torch.autograd.grad(y, x, only_inputs=False)
    with pytest.raises(ValueError, match="allow_unused to be True"):
        torch.autograd.grad(y, x, allow_unused=False, materialize_grads=True)
    with pytest.raises(RuntimeError, match="'grad_variables' is the old name"):
        torch.autograd.backward(y, torch.ones(2), grad_variables=torch.ones(2))


def test_several_roots_and_no_way_to_an_input() -> None:
    x, far = leaf(1.0, 2.0), leaf(5.0)
    torch.autograd.backward([x * 2, x * 3], [torch.ones(2, dtype=torch.float64)] * 2)
    assert x.grad.tolist() == [5.0, 5.0]
    (x * 2).sum().backward(inputs=[x, far])
    assert x.grad.tolist() == [7.0, 7.0] and far.grad is None
    there, zero = torch.autograd.grad((x * 2).sum(), [x, far], materialize_grads=True)
    assert there.tolist() == [2.0, 2.0] and zero.tolist() == [0.0]
    with pytest.raises(NotImplementedError, match="is_grads_batched"):
        torch.autograd.grad(x.sum(), x, is_grads_batched=True)


def test_a_gradient_is_summed_over_what_was_broadcast_in_two_ways() -> None:
    row = torch.ones(1, 4, dtype=torch.float64, requires_grad=True)
    (torch.ones(2, 3, 4) * row).sum().backward()
    assert row.grad.tolist() == [[6.0] * 4]


def test_a_gradient_of_a_weight_alone_that_is_differentiated() -> None:
    weight = leaf(0.5)
    y = torch.prelu(torch.tensor([-2.0, 3.0], dtype=torch.float64), weight).square().sum()
    (g,) = torch.autograd.grad(y, weight, create_graph=True)
    assert g.item() == 2 * 0.5 * 4 and torch.autograd.grad(g, weight)[0].item() == 8


def test_memory_that_is_full_on_the_way_back() -> None:
    def full(g):
        raise MemoryError("Unable to allocate 8 TiB")

    halved = op(_halved)
    halved.grad(x=full)
    try:
        with pytest.raises(torch.OutOfMemoryError, match=r"Halved.*out of memory: Unable to allocate 8 TiB"):
            halved(leaf(1.0)).sum().backward()
    finally:
        del OPS["halved"]


def test_recording_by_a_flag() -> None:
    x = leaf(1.0)
    with torch.set_grad_enabled(False):
        assert not (x * 2).requires_grad
    with torch.no_grad(), torch.set_grad_enabled(True):
        assert (x * 2).requires_grad
    with pytest.raises(TypeError, match="must be bool, not int"):
        torch.set_grad_enabled(1)


def test_hooks_on_several_tensors_are_for_all_or_any() -> None:
    with pytest.raises(ValueError, match=r"one of \('all', 'any'\) but got some"):
        torch.autograd.graph.register_multi_grad_hook([leaf(1.0)], print, mode="some")


def test_one_of_several_results_differentiated_twice() -> None:
    x = leaf(3.0, 1.0, 2.0)
    values, _ = (x * x).sort()
    (g,) = torch.autograd.grad(values[2] * values[0], x, create_graph=True)
    g.sum().backward()
    assert x.grad.tolist() == [2 * 1 + 4 * 3, 2 * 9 + 4 * 3, 0.0]


def test_an_operation_on_numpys_numbers_is_not_done_on_a_list() -> None:
    with pytest.raises(TypeError, match="complex"):
        OPS["complex"].call(np.float32(1), [1])


class Watch:
    """Sees what every observer is told."""

    outer = None

    def __init__(self) -> None:
        self.seen: list[str] = []

    def recorded(self, node: Node, inputs: object, outputs: object) -> None:
        self.seen.append("recorded")

    def written(self, tensor: torch.Tensor, what: str) -> None:
        self.seen.append("written")

    def walked(self, node: Node, g: object, results: object) -> None:
        self.seen.append("walked")


@pytest.mark.parametrize(
    "inner",
    [
        lambda: torch.autograd.detect_anomaly(),
        lambda: torch.autograd.detect_anomaly(check_nan=False),
        lambda: torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t),
    ],
)
def test_who_observed_before_goes_on_to_be_told(inner: Callable) -> None:
    watch = Watch()
    before = observer.set(watch)
    mode = set_recording(True)
    try:
        with inner():
            y = leaf(1.0) * 2
            y.add_(1)
            y.sum().backward()
    finally:
        recording.reset(mode)
        observer.reset(before)
    assert {"recorded", "written", "walked"} == set(watch.seen)


def test_packing_inside_packing_and_of_lists() -> None:
    hooks = torch.autograd.graph.saved_tensors_hooks
    x, log = leaf(1.0, 2.0), []
    with (
        hooks(lambda t: (log.append("outer"), t)[1], lambda t: t),
        hooks(lambda t: (log.append("inner"), t)[1], lambda t: t),
    ):
        y = torch.einsum("i,i->", x, x)
        z = torch.linalg.multi_dot([x, torch.outer(x, x), x])
        (x * 2).add_(1).sum().backward()
    (y + z).backward()
    assert set(log) == {"inner"} and np.isfinite(x.grad.numpy()).all()
    with torch.autograd.graph.disable_saved_tensors_hooks("not here"), pytest.raises(RuntimeError, match="not here"):
        hooks(lambda t: t, lambda t: t).__enter__()


def test_packing_what_an_operation_keeps_of_a_list() -> None:
    made = op(_product_of, sequence=True)
    made.grad(xs=lambda g, xs: [g * xs[1], g * xs[0]])
    x, y = leaf(2.0), leaf(5.0)
    try:
        with torch.autograd.graph.saved_tensors_hooks(lambda t: t.numpy(force=True), torch.from_numpy):
            out = made([x, y])
        out.backward()
    finally:
        del OPS["product_of"]
    assert x.grad.item() == 5 and y.grad.item() == 2


def _product_of(xs):
    return xs[0] * xs[1]


@pytest.mark.parametrize(("shape", "name"), [((2, 3), "AddmmBackward0"), ((2, 2, 3), "LinearBackward0")])
def test_a_layer_is_called_after_its_dimensions(shape: tuple[int, ...], name: str) -> None:
    weight, bias = torch.ones(4, 3, requires_grad=True), torch.ones(4, requires_grad=True)
    assert torch.nn.functional.linear(torch.ones(*shape), weight, bias).grad_fn.name() == name


def test_a_long_way_is_shown_in_short_and_inputs_of_a_list_by_number() -> None:
    x = leaf(-1.0)
    with torch.autograd.detect_anomaly(), pytest.raises(RuntimeError) as raised:
        y = torch.cat([x.sqrt(), x])
        for _ in range(12):
            y = y * 1.5
        y.sum().backward()
    assert " more\n" in str(raised.value) and "sqrt" in str(raised.value)
    inherited = torch.tensor([np.nan], dtype=torch.float64)
    with torch.autograd.detect_anomaly(), pytest.raises(RuntimeError, match=r"input 1, .* is nan at"):
        torch.cat([x, inherited]).sum().backward()


def test_a_profile_that_is_off_sees_nothing() -> None:
    with profile(enabled=False) as off:
        torch.ones(2).exp()
    with profile() as on:
        torch.ones(2).exp()
    assert "exp" in on.key_averages().table() and "exp" not in off.key_averages().table()
    with torch.autograd.profiler.emit_nvtx():
        torch.ones(2).exp()


def test_lines_are_compared_by_file_and_number() -> None:
    here, there = Line("a.py", 1), Line("a.py", 1)
    assert here == there and hash(here) == hash(there) and here != Line("a.py", 2) and here != "a.py:1"


# --- functions of one's own ------------------------------------------------------------------------------------------------


def test_what_a_function_must_have() -> None:
    class Nothing(Function):
        pass

    class NoForward(Function):
        @staticmethod
        def setup_context(ctx, inputs, output):
            pass

    class NoSetup(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

    class Both(NoSetup):
        @staticmethod
        def backward(ctx, g):
            return g

        vjp = backward

    x = leaf(1.0)
    with pytest.raises(RuntimeError, match=r"write Nothing\.apply"):
        Nothing()(x)
    with pytest.raises(NotImplementedError, match="must implement the forward"):
        Nothing.apply(x)
    with pytest.raises(NotImplementedError, match="setup_context is not implemented"):
        Function.setup_context(None, (), None)
    with pytest.raises(NotImplementedError, match="either the backward or vjp"):
        NoSetup.apply(x).backward()
    with pytest.raises(RuntimeError, match="both 'backward' and 'vjp'"):
        Both.apply(x).backward()
    with pytest.raises(TypeError, match="takes no keyword arguments"):
        NoSetup.apply(x=x)


def test_results_that_are_no_tensors_or_the_input_itself() -> None:
    class Several(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(None, x)
            same = x.view_as(x)
            return x * 2, "a word", same, torch.arange(2)

        @staticmethod
        def backward(ctx, g, word, same, numbers):
            nothing, x = ctx.saved_tensors
            assert nothing is None and word is None and not numbers.any() and x.shape == (2,)
            return 2 * g + same

    x = leaf(1.0, 2.0)
    double, word, same, numbers = Several.apply(x)
    assert word == "a word" and not numbers.requires_grad and same.data_ptr() != x.data_ptr()
    (double + same).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_a_result_that_belongs_to_somebody_else() -> None:
    weight = leaf(3.0, 4.0)

    class Constant(Function):
        @staticmethod
        def forward(ctx, x):
            return weight

        @staticmethod
        def backward(ctx, g):
            return 10 * g

    x = leaf(1.0, 2.0)
    Constant.apply(x).sum().backward()
    assert x.grad.tolist() == [10.0, 10.0] and weight.grad is None
    with pytest.raises(AttributeError):
        _ = Constant.apply(x).grad_fn.__nothing__


# --- derivatives as functions, and numerical ones ----------------------------------------------------------------------------


def test_derivatives_of_what_has_no_elements_or_more_than_one() -> None:
    x = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match=r"should contain a single element, not \[2\]; write \.sum\(\)"):
        functional.hessian(lambda x: x * x, x)
    with pytest.raises(TypeError, match="must be a Tensor"):
        functional.hessian(lambda x: 3.0, x)
    with pytest.raises(RuntimeError, match=r"Output 0 .* does not require gradients"):
        functional.vjp(lambda x: x.detach(), x, torch.ones(2, dtype=torch.float64), strict=True)
    _, product = functional.vjp(lambda x: x * x, x, torch.ones(2, dtype=torch.float64), strict=True)
    assert product.tolist() == [2.0, 4.0]
    assert functional.jacobian(lambda x: x[:0], x).shape == (0, 2)
    _, product = functional.vjp(lambda x: x.detach(), x, torch.ones(2, dtype=torch.float64))
    assert product.tolist() == [0.0, 0.0]


def test_a_step_may_be_given() -> None:
    assert gradcheck(lambda x: x.sin(), leaf(0.3, 0.8), eps=1e-6)


def test_an_error_of_the_function_itself_is_its_own() -> None:
    def fails_elsewhere(x: torch.Tensor) -> torch.Tensor:
        if x.tolist() != [0.25]:
            raise RuntimeError("the function's own")
        return x * x

    with pytest.raises(RuntimeError, match="the function's own"):
        gradcheck(fails_elsewhere, leaf(0.25))


def test_a_gradient_of_another_dtype() -> None:
    halved = op(_halved)
    halved.grad(x=lambda g: (g / 2).astype(np.float32))
    try:
        with pytest.raises(RuntimeError, match=r"the gradient of input 0 is float32, not torch\.float64"):
            gradcheck(halved, leaf(1.0), check_grad_dtypes=True)
    finally:
        del OPS["halved"]


def test_of_two_wrong_results_the_worse_is_shown() -> None:
    class Wrong(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, g, h):
            return 7 * g + 4 * h

    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        gradcheck(Wrong.apply, leaf(0.3, 0.8))


def test_causes_of_wrong_gradients_that_are_not_found() -> None:
    class Steep(Function):
        @staticmethod
        def forward(ctx, x):
            return x.abs()

        @staticmethod
        def backward(ctx, g):
            return 50 * g

    with pytest.raises(RuntimeError) as raised:  # a kink would explain a slope between both sides' only
        gradcheck(Steep.apply, leaf(0.0))
    assert "a kink" not in str(raised.value)
    many = np.random.default_rng(0).normal(size=(2,) * 7)
    assert diagnosis._transposed(many, many * 2, 3) == ""
    # two dimensions were broadcast, and the gradient arrives from one place of the second
    numeric, analytic = np.ones((2, 3, 1)), np.zeros((2, 3, 1))
    analytic[:, 1] = 1
    assert "broadcast axis 1" in diagnosis._incomplete(analytic, numeric, 2)


def test_second_gradients_that_are_wrong_or_not_there() -> None:
    class Square(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 2 * x.detach()

    assert not gradgradcheck(Square.apply, leaf(0.3), raise_exception=False)
    with pytest.raises(RuntimeError, match="of the gradient itself"):
        gradgradcheck(Square.apply, leaf(0.3))
    assert gradgradcheck(lambda x: torch.arange(3), leaf(0.3))  # nothing to differentiate, nothing wrong
    assert gradgradcheck(lambda x: x**3, leaf(0.3), torch.ones(1, dtype=torch.float64, requires_grad=True))


def test_a_direction_of_nothing() -> None:
    assert gradcheck(lambda x: x.sin(), torch.zeros(0, 2, dtype=torch.float64, requires_grad=True), fast_mode=True)


# --- autocast of a GPU ---------------------------------------------------------------------------------------------------------


def test_products_in_half_precision_and_the_rest_in_single() -> None:
    with standin.device(), torch.autocast("cuda", dtype=torch.float16):
        assert chosen.get()["cuda"] is torch.float16
        x, small = wrap(standin.Array(np.ones((2, 2), np.float32))), wrap(standin.Array(np.ones(2, np.float16)))
        assert (x @ x).dtype is torch.float16 and torch.einsum("ij,jk->ik", x, x).dtype is torch.float16
        assert x.sum([0, 1]).dtype is torch.float32 and x.half().sum([0, 1]).dtype is torch.float32
        assert small.exp().dtype is torch.float32 and small.add(1).dtype is torch.float16
    assert chosen.get() == {}

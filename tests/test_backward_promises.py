"""The walk back: what this engine promises of gradients, memory, hooks, anomaly mode and second derivatives."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import autograd
from tinygrad_edu.nn import functional as F
from tinygrad_edu.tensor import Tensor, wrap


def leaf(*values: float) -> Tensor:
    return wrap(np.array(values, float)).requires_grad_()


def numbers(t: Any) -> Any:
    return None if t is None else np.asarray(t.detach().numpy()).tolist()


def test_gradients_do_not_share_memory() -> None:
    a, b = leaf(1, 2), leaf(3, 4)
    given = wrap(np.array([5.0, 6.0]))
    (a + b).backward(given)
    a.grad.zero_()
    assert (numbers(b.grad), numbers(given)) == ([5, 6], [5, 6])
    a.grad = b.grad = None
    (a + b).sum().backward(create_graph=True)
    with tg.no_grad():
        a.grad.zero_()
    assert numbers(b.grad) == [1, 1]
    x, y = a * 1, b * 1
    for g in autograd.grad(x + y, [x, y], given):
        g.mul_(2)
    assert numbers(given) == [5, 6]


def test_the_gradient_of_a_view_owns_its_memory() -> None:
    x = leaf(1, 2, 3, 4)
    given = wrap(np.ones((2, 2)))
    x.reshape(2, 2).mT.backward(given)
    x.grad.mul_(7)
    assert numbers(given) == [[1, 1], [1, 1]]


def test_unneeded_gradients_are_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the ways to the inputs are walked."""
    x, w = leaf(1, 2), leaf(3, 4)
    loss = (x.exp() * w.tanh()).sum()
    ran = []
    loss.grad_fn.next_functions[0][0].next_functions[0][0].register_hook(lambda *_: ran.append("exp"))
    loss.grad_fn.next_functions[0][0].next_functions[1][0].register_hook(lambda *_: ran.append("tanh"))
    autograd.grad(loss, w)
    assert ran == ["tanh"]


def test_backward_from_inside_a_hook() -> None:
    """A walk may start another."""
    x, w = leaf(1, 2), leaf(3, 4)
    loss = (w * w).sum()
    x.register_hook(lambda g: loss.backward())
    (x * 2).sum().backward()
    assert (numbers(x.grad), numbers(w.grad)) == ([2, 2], [6, 8])


def test_an_error_in_a_hook_leaves_the_mode_as_it_was() -> None:
    x = leaf(1, 2)

    def fail(g: Any) -> None:
        raise KeyError("mine")

    x.register_hook(fail)
    with pytest.raises(KeyError, match="mine"):
        (x * 2).sum().backward()
    assert tg.is_grad_enabled()


def test_a_generator_under_no_grad() -> None:
    x = leaf(1)

    @tg.no_grad()
    def steps() -> Any:
        for _ in range(2):
            yield (x * 2).requires_grad

    for inside in steps():
        assert not inside and (x * 2).requires_grad


def test_graph_can_be_read() -> None:
    x = leaf(1, 2)
    y = (x * x).sum()
    assert y.grad_fn.name() == "SumBackward0"
    ((mul, which),) = y.grad_fn.next_functions
    assert (mul.name(), which) == ("MulBackward0", 0)
    assert [n.name() for n, _ in mul.next_functions] == ["AccumulateGrad"] * 2
    assert mul.next_functions[0][0].variable is x


class TestAnomalyMode:
    def test_nan_names_the_line_of_the_forward(self) -> None:
        x = leaf(0)
        with autograd.detect_anomaly(), np.errstate(all="ignore"):
            y = x.sqrt() * 0  # here
            with pytest.raises(RuntimeError, match=r"'SqrtBackward0' returned nan values in its 0th output") as caught:
                y.sum().backward()
        assert "# here" in str(caught.value) and "test_backward_promises.py:" in str(caught.value)

    def test_check_nan_can_be_off(self) -> None:
        x = leaf(0)
        with autograd.detect_anomaly(check_nan=False), np.errstate(all="ignore"):
            (x.log() * 0).sum().backward()
        assert np.isnan(numbers(x.grad)).all()

    def test_both_lines_of_a_write(self) -> None:
        with autograd.set_detect_anomaly(True):
            y = leaf(1, 2) * 1
            z = y.exp() * y  # saved here
            y.add_(1)  # changed here
            with pytest.raises(RuntimeError) as caught:
                z.sum().backward()
        text = str(caught.value)
        assert text.index("# saved here") < text.index("# changed here")

    def test_a_write_without_grad_mode_is_seen_too(self) -> None:
        w = leaf(1, 2)
        with autograd.set_detect_anomaly(True):
            z = w * w
            with tg.no_grad():
                w.add_(1)  # changed here
            with pytest.raises(RuntimeError, match="# changed here"):
                z.sum().backward()

    def test_switching(self) -> None:
        assert not autograd.is_anomaly_enabled()
        with autograd.detect_anomaly(check_nan=False):
            assert autograd.is_anomaly_enabled() and not autograd.is_anomaly_check_nan_enabled()
            with autograd.set_detect_anomaly(False):
                assert not autograd.is_anomaly_enabled()
            assert autograd.is_anomaly_enabled()
        autograd.set_detect_anomaly(True)
        assert autograd.is_anomaly_enabled() and autograd.is_anomaly_check_nan_enabled()
        autograd.set_detect_anomaly(False)
        assert not autograd.is_anomaly_enabled() and tg.is_grad_enabled()

    def test_no_lines_are_kept_otherwise(self) -> None:
        assert (leaf(1) * 2).grad_fn.trace is None


def test_hooks_hear_once_of_a_gradient_through_a_plain_definition() -> None:
    """A fused operation is walked back by its plain definition when the walk is recorded; hooks behind it belong to one walk."""
    calls: list[Any] = []
    x = wrap(np.random.default_rng(0).standard_normal((2, 3))).requires_grad_()
    y = x * 1
    y.register_hook(calls.append)
    tg.nn.functional.layer_norm(y, (3,)).exp().sum().backward(create_graph=True)
    assert len(calls) == 1


def test_a_leaf_owns_its_gradient_also_when_a_hook_has_seen_or_given_it() -> None:
    seen: list[Tensor] = []
    given = wrap(np.full(3, 5.0))
    x, y = leaf(1.0, 2.0, 3.0), leaf(4.0, 5.0, 6.0)
    x.register_hook(seen.append)
    y.register_hook(lambda g: given)
    (x * 2 + y * 3).backward(wrap(np.ones(3)))
    x.grad.zero_()
    y.grad.zero_()
    np.testing.assert_array_equal(seen[0].array, np.full(3, 2.0))
    np.testing.assert_array_equal(given.array, np.full(3, 5.0))


def test_leaves_of_one_operation_do_not_share_a_gradient() -> None:
    """The two biases of a recurrent layer have equal gradients: each owns its array, and accumulates alone."""
    lstm = tg.nn.LSTM(2, 3)
    x = tg.ones(4, 1, 2)
    lstm(x)[0].sum().backward()
    once = {name: p.grad.array.copy() for name, p in lstm.named_parameters()}
    lstm(x)[0].sum().backward()
    for name, p in lstm.named_parameters():
        np.testing.assert_allclose(p.grad.array, 2 * once[name], rtol=1e-5)


def test_what_a_node_s_hook_has_seen_is_not_accumulated_into() -> None:
    seen: list[Tensor] = []
    x = leaf(1.0, 2.0)
    y = x * 2
    y.grad_fn.register_hook(lambda inputs, outputs: seen.extend(g for g in inputs if g is not None))
    y.sum().backward()
    (x * 2).sum().backward()
    np.testing.assert_array_equal(seen[0].array, [2.0, 2.0])


@pytest.mark.parametrize(
    ("error", "answer"), [(TypeError, 3), (RuntimeError, (None,) * 5), (TypeError, "a tensor for two inputs")]
)
def test_wrong_answers_of_a_node_s_hook(error: type[Exception], answer: Any) -> None:
    x = leaf(1.0, 2.0)
    y = x * leaf(3.0, 4.0)
    y.grad_fn.register_hook(lambda inputs, outputs: inputs[0] if isinstance(answer, str) else answer)
    with pytest.raises(error):
        y.sum().backward()


def test_a_hook_must_not_change_the_type_of_a_gradient() -> None:
    x = leaf(1.0, 2.0)
    y = x * 2
    y.register_hook(lambda g: g.float())
    with pytest.raises(RuntimeError, match="type"):
        y.sum().backward()
    assert x.grad is None


def test_setting_grad_and_data() -> None:
    x = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match="its own grad"):
        x.grad = x
    with pytest.raises(RuntimeError, match="floating point"):
        x.data = tg.tensor([1, 2])
    assert x.dtype is tg.float64 and x.grad is None
    x.grad = tg.ones(2, dtype=tg.float64)
    del x.grad
    assert x.grad is None
    with pytest.raises(RuntimeError, match="cannot be empty"):
        autograd.grad(x.sum(), [])
    with pytest.raises(TypeError, match="bool"):
        tg.set_grad_enabled("yes")


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "hardtanh", "relu6", "hardshrink", "softshrink", "hardsigmoid"])
def test_the_second_derivative_of_what_is_linear_in_pieces_is_zero(name: str) -> None:
    """Not missing: programs ask for it without `allow_unused`."""
    x = tg.tensor([-1.0, 2.0], requires_grad=True)
    (slope,) = tg.autograd.grad(getattr(F, name)(x * 3).sum(), x, create_graph=True)
    (bend,) = tg.autograd.grad(slope.sum(), x)
    assert bend.tolist() == [0, 0]


PIECEWISE = {
    "prelu": lambda x: F.prelu(x, tg.tensor([0.25])),
    "threshold": lambda x: F.threshold(x, 0.1, 0.0),
    "max_pool1d": lambda x: F.max_pool1d(x[None], 2),
    "max_pool2d": lambda x: F.max_pool2d(x.reshape(1, 2, 2), 2),
    "adaptive_max_pool1d": lambda x: F.adaptive_max_pool1d(x[None], 3),
    "max_unpool1d": lambda x: F.max_unpool1d(*F.max_pool1d(x[None], 2, return_indices=True), 2),
    "avg_pool1d": lambda x: F.avg_pool1d(x[None], 2),
    "nll_loss": lambda x: F.nll_loss(x[None], tg.tensor([1])),
}


@pytest.mark.parametrize("name", PIECEWISE)
def test_also_where_the_first_gradient_holds_nothing_of_the_input(name) -> None:
    x = tg.tensor([-1.0, 0.5, 3.0, 2.0], requires_grad=True)
    (slope,) = tg.autograd.grad(PIECEWISE[name](x).sum(), x, create_graph=True)
    assert slope.requires_grad
    (bend,) = tg.autograd.grad(slope.sum(), x)
    assert bend.tolist() == [0, 0, 0, 0]


def test_what_links_a_pool_to_its_input_keeps_no_values() -> None:
    x = tg.rand(4, 8, requires_grad=True)
    inside = x * 2
    pooled = F.max_pool1d(inside, 2)
    array = weakref.ref(inside.array)
    del inside
    (slope,) = tg.autograd.grad(pooled.sum(), x, create_graph=True)
    assert array() is None and slope.requires_grad


def test_variables_of_long_ago() -> None:
    x = tg.ones(2)
    for requires_grad in (False, True):
        v = tg.autograd.Variable(x, requires_grad)
        assert v.requires_grad is requires_grad and isinstance(v, tg.autograd.Variable) and v.array is x.array
    with pytest.warns(UserWarning, match="volatile was removed"):
        assert not tg.autograd.Variable(x, volatile=True).requires_grad
    with pytest.raises(TypeError, match="Variable data has to be a tensor, but got float"):
        tg.autograd.Variable(3.0)


def test_the_version_is_a_number() -> None:
    x = tg.zeros(3)
    assert x._version == 0
    x[1:].add_(1)
    assert x._version == x.detach()._version == 1


def test_a_plain_backward_after_one_with_create_graph_adds_in_place():
    x = tg.tensor(2.0, requires_grad=True)
    (x**3).sum().backward(create_graph=True)
    g = x.grad
    (x**2).sum().backward()
    assert x.grad is g and g.requires_grad and g.item() == 16


def test_the_gradient_of_what_is_no_leaf_warns():
    x = tg.ones(2, requires_grad=True)
    y = x * 2
    y.sum().backward()
    with pytest.warns(UserWarning, match="not a leaf Tensor is being accessed"):
        assert y.grad is None
    assert x.grad is not None

"""The walk back: accumulation, retained graphs, hooks, leaf rules, `grad`, grad modes, and their errors.

Where a rule is PyTorch's, the same program runs on both (when PyTorch is installed) and must leave the same record.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import autograd
from tinygrad_edu.nn import functional as F
from tinygrad_edu.tensor import Tensor, wrap


class Here:
    """The names that a program needs, here."""

    autograd = autograd
    no_grad, enable_grad = staticmethod(tg.no_grad), staticmethod(tg.enable_grad)
    matmul = staticmethod(tg.matmul)

    @staticmethod
    def leaf(*values: float) -> Any:
        return wrap(np.array(values, float)).requires_grad_()


class There:
    """The same names in PyTorch."""

    def __init__(self, torch: Any) -> None:
        self.autograd, self.no_grad, self.enable_grad, self.matmul = (
            torch.autograd,
            torch.no_grad,
            torch.enable_grad,
            torch.matmul,
        )
        self.leaf = lambda *values: torch.tensor(values, dtype=torch.float64, requires_grad=True)


def leaf(*values: float) -> Tensor:
    return Here.leaf(*values)


def numbers(t: Any) -> Any:
    return None if t is None else np.asarray(t.detach().numpy()).tolist()


# --- the same program on both ------------------------------------------------------------------------------------------


def accumulation(T: Any, log: Callable) -> None:
    x = T.leaf(1, 2)
    (x * x).sum().backward()
    log(x.grad)
    first = x.grad
    (x * 3).sum().backward()
    log(x.grad, x.grad is first)
    x.grad = None
    (x + x + x * x).sum().backward()
    log(x.grad)


def retained_graphs(T: Any, log: Callable) -> None:
    x = T.leaf(1, 2)
    y = x * x
    z, w = (y * y).sum(), y.exp().sum()
    z.backward(retain_graph=True)
    log(x.grad)
    z.backward(retain_graph=True)
    w.backward()
    log(x.grad)


def tensor_hooks(T: Any, log: Callable) -> None:
    x = T.leaf(1, 2)
    y = x * 3
    z = y * y
    y.register_hook(lambda g: log("y first", g))
    y.register_hook(lambda g: g * 2)
    handle = y.register_hook(lambda g: log("never", g))
    y.register_hook(lambda g: log("y last", g))
    x.register_hook(lambda g: log("x", g))
    handle.remove()
    y.retain_grad()
    y.retain_grad()
    z.sum().backward()
    log(y.grad, x.grad)


def node_hooks(T: Any, log: Callable) -> None:
    x, w = T.leaf(1, 2), T.leaf(3, 4)
    y = x * w
    y.grad_fn.register_prehook(lambda go: log("before", *go))
    y.grad_fn.register_prehook(lambda go: (go[0] * 10,))
    y.grad_fn.register_hook(lambda gi, go: log("after", *gi, *go))
    y.grad_fn.register_hook(lambda gi, go: (gi[0] + 1, gi[1]))
    y.register_hook(lambda g: log("tensor", g))
    y.retain_grad()
    y.sum().backward()
    log(y.grad, x.grad, w.grad)


def hooks_after_accumulation(T: Any, log: Callable) -> None:
    x = T.leaf(1, 2)
    x.register_post_accumulate_grad_hook(lambda t: log("after", t.grad))
    x.register_hook(lambda g: log("before", x.grad, g))
    (x * 2).sum().backward()
    (x * x).sum().backward()
    (x * x).sum().backward(inputs=[x])


def a_hook_that_steps(T: Any, log: Callable) -> None:
    x = T.leaf(1, 2)

    def step(t: Any) -> None:
        with T.no_grad():
            t.sub_(t.grad, alpha=0.1)
        t.grad = None

    x.register_post_accumulate_grad_hook(step)
    for _ in range(2):
        (x * x).sum().backward()
        log(x, x.grad)


def hook_on_a_node_reached_twice(T: Any, log: Callable) -> None:
    """A hook sees the whole gradient, once."""
    x = T.leaf(1, 2)
    y = x * x
    y.register_hook(lambda g: log("y", g))
    (y * 2 + y * y).sum().backward()
    log(x.grad)


def order_of_hooks_along_the_graph(T: Any, log: Callable) -> None:
    x = T.leaf(2)
    a = x * 2
    b = a * 3
    c = a * 5
    d = b * c
    for name, t in (("x", x), ("a", a), ("b", b), ("c", c), ("d", d)):
        t.register_hook(lambda g, name=name: log(name, g))
    d.backward()


def chosen_inputs(T: Any, log: Callable) -> None:
    x, y = T.leaf(1, 2), T.leaf(3, 4)
    z = x * y
    w = (z * z).sum()
    w.backward(inputs=[x, z], retain_graph=True)
    log(x.grad, y.grad, z.grad)
    w.backward(inputs=y)
    log(x.grad, y.grad, z.grad)


def asked_gradients(T: Any, log: Callable) -> None:
    x, y, z = T.leaf(1, 2), T.leaf(3, 4), T.leaf(5, 6)
    a = x * y
    b = a.exp()
    log(*T.autograd.grad(b.sum(), [x, a], retain_graph=True))
    log(*T.autograd.grad(a, [y], a.detach(), retain_graph=True))
    log(*T.autograd.grad(b.sum(), [x, z], allow_unused=True, retain_graph=True))
    log(*T.autograd.grad(b.sum(), [x, z], materialize_grads=True, retain_graph=True))
    log(*T.autograd.grad(b.sum(), b))
    log(x.grad, y.grad)


def several_roots(T: Any, log: Callable) -> None:
    x = T.leaf(1, 2)
    y = x * x
    z = y * 3
    T.autograd.backward([y, z], [T.leaf(1, 1).detach(), T.leaf(1, 10).detach()])
    log(x.grad)
    log(*T.autograd.grad([(x * 2).sum(), (x * x).sum()], x))


def second_derivatives(T: Any, log: Callable) -> None:
    x, y = T.leaf(1, 2), T.leaf(3, 4)
    z = (x * x * y.exp()).sum()
    gx, gy = T.autograd.grad(z, [x, y], create_graph=True)
    log(gx, gy, gx.requires_grad)
    (gx * gy).sum().backward()
    log(x.grad, y.grad)
    x.grad = None
    (x * x * x).sum().backward(create_graph=True)
    log(x.grad, x.grad.requires_grad)


def third_derivatives(T: Any, log: Callable) -> None:
    x = T.leaf(1, 2)
    y = (x * x * x * x).sum()
    for _ in range(3):
        (g,) = T.autograd.grad(y, x, create_graph=True)
        log(g)
        y = g.sum()


def penalty(T: Any, log: Callable) -> None:
    """A gradient inside the loss."""
    x, w = T.leaf(1, 2), T.leaf(0.5, -1)
    out = (x * w).tanh().sum()
    (g,) = T.autograd.grad(out, x, create_graph=True)
    (out + (g * g).sum()).backward()
    log(x.grad, w.grad)


def modes(T: Any, log: Callable) -> None:
    x = T.leaf(1, 2)
    with T.no_grad():
        y = x * 2
        with T.enable_grad():
            z = x * 2
        log(y.requires_grad, z.requires_grad, (x * 2).requires_grad)
    log((x * 2).requires_grad)
    decorated = T.no_grad()(lambda: (x * 2).requires_grad)
    log(decorated(), T.autograd.set_grad_enabled(False) and None, (x * 2).requires_grad)
    T.autograd.set_grad_enabled(True)
    with T.autograd.set_grad_enabled(False):
        log((x * 2).requires_grad)
    with T.autograd.inference_mode():
        log((x * 2).requires_grad)
    log((x * 2).requires_grad)


def leaves(T: Any, log: Callable) -> None:
    x = T.leaf(1, 2)
    y = x * 2
    log(x.is_leaf, y.is_leaf, y.detach().is_leaf, x.grad_fn is None, y.grad_fn is None)
    log(y.requires_grad, y.detach().requires_grad, y.grad_fn.next_functions[1])
    log(x.requires_grad_(False).requires_grad, (x * 2).is_leaf)
    log(x.requires_grad_().retains_grad, y.retains_grad)
    y.retain_grad()
    log(y.retains_grad)
    x.data.mul_(5)
    log(x)


def assigned_gradients(T: Any, log: Callable) -> None:
    x = T.leaf(1, 2)
    x.grad = T.leaf(10, 20).detach()
    (x * 2).sum().backward()
    log(x.grad)


def writes_by_hand(T: Any, log: Callable) -> None:
    """Plain gradient descent."""
    x = T.leaf(1, 2)
    for _ in range(3):
        (x * x).sum().backward()
        with T.no_grad():
            x -= x.grad * 0.25
            x.grad.zero_()
        log(x, x.grad, x.is_leaf, x.requires_grad)


PROGRAMS = [
    accumulation, retained_graphs, tensor_hooks, node_hooks, hooks_after_accumulation, a_hook_that_steps,
    hook_on_a_node_reached_twice, order_of_hooks_along_the_graph, chosen_inputs, asked_gradients, several_roots,
    second_derivatives, third_derivatives, penalty, modes, leaves, assigned_gradients, writes_by_hand,
]  # fmt: skip


def record(program: Callable, names: Any) -> list:
    """What a program logs, tensors as lists of numbers."""
    found: list = []

    def plain(v: Any) -> Any:
        if isinstance(v, tuple):
            return tuple(map(plain, v))
        return [round(n, 10) for n in np.ravel(numbers(v))] if hasattr(v, "detach") else v

    def log(*values: Any) -> None:
        found.append(tuple(map(plain, values)))

    program(names, log)
    return found


@pytest.mark.filterwarnings("ignore:Using backward")  # PyTorch's warning of a reference cycle
@pytest.mark.parametrize("program", PROGRAMS)
def test_same_record_as_pytorch(program: Callable) -> None:
    torch = pytest.importorskip("torch")
    assert record(program, Here) == record(program, There(torch))


RECORDS: dict[Callable, list] = {
    accumulation: [([2, 4],), ([5, 7], True), ([4, 6],)],
    retained_graphs: [([4, 32],), ([8 + 2 * np.exp(1), 64 + 4 * np.exp(4)],)],
    node_hooks: [
        ("tensor", [1, 1]), ("before", [1, 1]), ("after", [30, 40], [10, 20], [10, 10]),
        ([1, 1], [31, 41], [10, 20]),
    ],
    hooks_after_accumulation: [
        ("before", None, [2, 2]), ("after", [2, 2]), ("before", [2, 2], [2, 4]), ("after", [4, 6]),
        ("before", [4, 6], [2, 4]), ("after", [6, 10]),
    ],
    order_of_hooks_along_the_graph: [("d", [1]), ("c", [12]), ("b", [20]), ("a", [120]), ("x", [240])],
    third_derivatives: [([4, 32],), ([12, 48],), ([24, 48],)],
}  # fmt: skip


@pytest.mark.parametrize("program", RECORDS)
def test_record_as_written_down(program: Callable) -> None:
    """Some of the records by hand: the rules hold also where PyTorch is not installed."""
    for found, expected in zip(record(program, Here), RECORDS[program], strict=True):
        for a, b in zip(found, expected, strict=True):
            assert a == (pytest.approx(b) if isinstance(b, list) else b)


# --- errors ------------------------------------------------------------------------------------------------------------


def second_time(T: Any) -> None:
    y = T.leaf(1, 2).exp().sum()
    y.backward()
    y.backward()


def no_graph(T: Any) -> None:
    T.leaf(1).detach().backward()


def not_a_scalar(T: Any) -> None:
    (T.leaf(1, 2) * 2).backward()


def wrong_shape_of_the_gradient(T: Any) -> None:
    (T.leaf(1, 2) * 2).backward(T.leaf(1, 2, 3))


def no_inputs(T: Any) -> None:
    T.leaf(1).backward(inputs=[])


def unused(T: Any) -> None:
    T.autograd.grad(T.leaf(1) * 2, T.leaf(2))


def input_without_gradient(T: Any) -> None:
    T.autograd.grad(T.leaf(1) * 2, T.leaf(2).detach())


def materialize_but_not_unused(T: Any) -> None:
    T.autograd.grad(T.leaf(1) * 2, T.leaf(2), materialize_grads=True, allow_unused=False)


def number_of_gradients(T: Any) -> None:
    T.autograd.backward([T.leaf(1), T.leaf(2)], [T.leaf(1)])


def gradient_that_is_no_tensor(T: Any) -> None:
    (T.leaf(1, 2) * 2).backward(3.0)


def retain_grad_without_graph(T: Any) -> None:
    T.leaf(1).detach().retain_grad()


def hook_without_graph(T: Any) -> None:
    T.leaf(1).detach().register_hook(print)


def requires_grad_of_a_result(T: Any) -> None:
    (T.leaf(1) * 2).requires_grad_(False)


def integers(T: Any) -> None:
    T.leaf(1).detach().long().requires_grad_()


def post_hook_on_a_result(T: Any) -> None:
    (T.leaf(1) * 2).register_post_accumulate_grad_hook(print)


def grad_of_another_shape(T: Any) -> None:
    T.leaf(1, 2).grad = T.leaf(1, 2, 3)


def grad_of_another_kind(T: Any) -> None:
    T.leaf(1, 2).grad = 3


def hook_that_changes_the_shape(T: Any) -> None:
    x = T.leaf(1, 2)
    x.register_hook(lambda g: g.sum())
    (x * 2).sum().backward()


def in_place_on_a_leaf(T: Any) -> None:
    T.leaf(1).add_(1)


def in_place_on_a_view_of_a_leaf(T: Any) -> None:
    T.leaf(1, 2).reshape(2, 1).add_(1)


def numpy_of_a_graph(T: Any) -> None:
    T.leaf(1).numpy()


MISTAKES = {
    second_time: "a second time", no_graph: "does not require grad and does not have a grad_fn",
    not_a_scalar: "only for scalar outputs", wrong_shape_of_the_gradient: "(?i)mismatch in shape",
    no_inputs: "cannot be empty", unused: "appears to not have been used in the graph",
    input_without_gradient: "does not require grad", materialize_but_not_unused: "Expected allow_unused to be True",
    number_of_gradients: "got 2 tensors and 1 gradients", gradient_that_is_no_tensor: "can be either Tensors or None",
    retain_grad_without_graph: "can't retain_grad", hook_without_graph: "doesn't require gradient",
    requires_grad_of_a_result: "of leaf variables", integers: "(?i)only tensors of floating point",
    post_hook_on_a_result: "non-leaf", grad_of_another_shape: "different size",
    grad_of_another_kind: "expected to be a Tensor or None", hook_that_changes_the_shape: "hook",
    in_place_on_a_leaf: "leaf Variable that requires grad",
    in_place_on_a_view_of_a_leaf: "view of a leaf Variable that requires grad",
    numpy_of_a_graph: r"tensor\.detach\(\)\.numpy\(\)",
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_errors(mistake: Callable) -> None:
    with pytest.raises((RuntimeError, ValueError, TypeError), match=MISTAKES[mistake]) as ours:
        mistake(Here)
    torch = pytest.importorskip("torch")
    with pytest.raises((RuntimeError, ValueError, TypeError)) as theirs:
        mistake(There(torch))
    assert ours.type is theirs.type


# --- what only this engine promises --------------------------------------------------------------------------------------


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
        assert "# here" in str(caught.value) and "test_backward.py:" in str(caught.value)

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

"""The walk back: accumulation, retained graphs, hooks, leaf rules, `grad`, grad modes, and their errors.

Where a rule is PyTorch's, the same program runs on both (when PyTorch is installed) and must leave the same record.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import autograd
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

"""Writing in place, on tensors and through views: right gradients, or an error that says what happened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu.autograd import gradcheck, gradgradcheck
from tinygrad_edu.tensor import Tensor, wrap


def leaf(*shape: int) -> Tensor:
    return wrap(np.random.default_rng(0).uniform(0.5, 1.5, shape)).requires_grad_()


# --- programs that are right -------------------------------------------------------------------------------------------
# Each takes a matrix (4, 4) that is no leaf, and returns a tensor. They run here and in PyTorch.


def write(y: Any) -> Any:
    y.mul_(2)
    return y


def write_twice(y: Any) -> Any:
    y.mul_(3)
    y.add_(y, alpha=2)
    return y * y


def operators(y: Any) -> Any:
    z = y * 1
    z += y
    z *= 3
    z -= 1
    z /= y
    return z


def value_used_before(y: Any) -> Any:
    """A sum keeps nothing, so the write is allowed; both values count."""
    before = y + 1
    y.mul_(3)
    return before * y


def through_a_row(y: Any) -> Any:
    y[1].mul_(5)
    return y * y


def through_a_transpose(y: Any) -> Any:
    y.mT[0].add_(y[0] * 2)
    return y * y


def a_view_made_before_the_write(y: Any) -> Any:
    row = y[1]
    y.mul_(3)
    return row * row


def a_view_written_then_its_base_used(y: Any) -> Any:
    row, column = y[1], y[:, 2]
    row.mul_(3)
    return column * row


def views_of_views(y: Any) -> Any:
    part = y.reshape(2, 8).permute(1, 0)[2:6]
    part.mul_(3)
    corner = y[1:3, 1:3].diagonal()
    corner.add_(10)
    return y * y + part.sum() * corner.sum()


def write_between_views(y: Any) -> Any:
    a = y[:2]
    a.mul_(2)
    b = y[1:3]
    b.add_(1)
    a.mul_(3)
    return (b * b).sum() + (a * a).sum() + y.sum()


def all_of_a_view(y: Any) -> Any:
    y.view(16).mul_(2)
    return y * y


def overwritten_parts_have_no_gradient(y: Any) -> Any:
    y[0].fill_(3)
    y[:, 1].zero_()
    return y * y


def assigned_parts(y: Any) -> Any:
    y[0] = y[1].clone() * y[2].clone()
    y[2, 1:3] = 7.0
    y[:, 3] += y[:, 0]
    return y * y


def assigned_by_index(y: Any) -> Any:
    y[[0, 2]] = y[[1, 3]] * 2
    y[y > 1] = 0.5
    return y * y


def into_a_constant(y: Any) -> Any:
    """A buffer without gradient takes over the history of what is written into it."""
    buffer = (y * 0).detach()
    buffer[1] = y[2] * y[3]
    buffer.add_(y)
    return buffer * buffer


def into_a_view_of_a_constant(y: Any) -> Any:
    buffer = (y * 0).detach()
    row = buffer[1]
    other = buffer[:, 1]
    row.copy_(y[2] * y[2])
    return buffer * 2 + other


def copied(y: Any) -> Any:
    z = y.clone()
    z.copy_(y[0].clone() * y[1].clone())
    y.mT.copy_(z)
    return y * z


def masked(y: Any) -> Any:
    y.masked_fill_(y > 1, 2.0)
    y.clamp_(min=0.6)
    return y * y


def unary(y: Any) -> Any:
    y.neg_()
    y[:2].add_(1)
    return y.exp_()


def squeezed_and_expanded(y: Any) -> Any:
    y.unsqueeze(0).squeeze(0).mul_(2)
    return y[0].expand(4, 4) * y.transpose(0, 1)


def narrowed(y: Any) -> Any:
    y.narrow(1, 1, 2).mul_(3)
    y.select(0, 2).add_(1)
    for row in (y[0], y[1]):
        row.mul_(2)
    return y.exp()


def chain_of_history(y: Any) -> Any:
    """Each write starts from the value of the one before."""
    rows = [y[i] for i in range(4)]
    for i in range(1, 4):
        rows[i].add_(rows[i - 1] * 2)
    return y * 2


def untouched_view(y: Any) -> Any:
    """A view of another part is computed again, with the same history."""
    other = y[2:]
    y[:2].mul_(2)
    return other * other


RIGHT = [
    write, write_twice, operators, value_used_before, through_a_row, through_a_transpose, a_view_made_before_the_write,
    a_view_written_then_its_base_used, views_of_views, write_between_views, all_of_a_view,
    overwritten_parts_have_no_gradient, assigned_parts, assigned_by_index, into_a_constant, into_a_view_of_a_constant,
    copied, masked, unary, squeezed_and_expanded, narrowed, chain_of_history, untouched_view,
]  # fmt: skip


@pytest.mark.parametrize("program", RIGHT)
def test_gradients(program: Callable) -> None:
    assert gradcheck(lambda x: program(x * 1), leaf(4, 4))
    assert gradgradcheck(lambda x: program(x * 1), leaf(4, 4), fast_mode=True)


@pytest.mark.parametrize("program", RIGHT)
def test_same_as_pytorch(program: Callable) -> None:
    torch = pytest.importorskip("torch")
    x = leaf(4, 4)
    other = torch.tensor(x.array, requires_grad=True)
    found, expected = program(x * 1), program(other * 1)
    np.testing.assert_allclose(found.array, expected.detach().numpy(), rtol=1e-12)
    weights = np.random.default_rng(1).standard_normal(found.shape)
    (found * wrap(weights)).sum().backward()
    (expected * torch.tensor(weights)).sum().backward()
    np.testing.assert_allclose(x.grad.array, other.grad.numpy(), rtol=1e-12)


# --- programs that are wrong -------------------------------------------------------------------------------------------


def product_changed(y: Any) -> Any:
    z = y * y
    y.add_(1)
    return z


def result_changed(y: Any) -> Any:
    z = y.exp()
    z.add_(1)
    return z


def changed_through_a_view(y: Any) -> Any:
    z = y * y
    y[0].add_(1)
    return z


def view_kept_and_base_changed(y: Any) -> Any:
    row = y[0]
    z = row * row
    y.mul_(2)
    return z


def view_kept_and_other_view_changed(y: Any) -> Any:
    """The two do not overlap, but they are one piece of memory to the counter, as in PyTorch."""
    z = y[0] * y[0]
    y[1].mul_(2)
    return z


def constant_changed(y: Any) -> Any:
    c = (y * 2).detach()
    z = y * c
    c.add_(1)
    return z


def changed_through_detach(y: Any) -> Any:
    z = y * y
    y.detach().add_(1)
    return z


def changed_through_data_of_the_result(y: Any) -> Any:
    z = y.tanh()
    z.detach()[0].zero_()
    return z


def assigned(y: Any) -> Any:
    z = y.exp() * y
    y[0, 0] = 3.0
    return z


def a_row_from_the_row_before(y: Any) -> Any:
    y[1].add_(y[0] * y[0])
    return y


def kept_by_matmul(y: Any) -> Any:
    z = y @ y
    y.mul_(2)
    return z


WRONG = [
    product_changed, result_changed, changed_through_a_view, view_kept_and_base_changed,
    view_kept_and_other_view_changed, constant_changed, changed_through_detach, changed_through_data_of_the_result,
    assigned, a_row_from_the_row_before, kept_by_matmul,
]  # fmt: skip


@pytest.mark.parametrize("program", WRONG)
def test_changed_values_are_noticed(program: Callable) -> None:
    pattern = "one of the variables needed for gradient computation has been modified by an inplace operation"
    with pytest.raises(RuntimeError, match=pattern) as ours:
        program(leaf(4, 4) * 1).sum().backward()
    assert "write instead" in str(ours.value) and "expected version" in str(ours.value)
    torch = pytest.importorskip("torch")
    with pytest.raises(RuntimeError, match=pattern):
        program(torch.ones(4, 4, requires_grad=True) * 1).sum().backward()


@pytest.mark.parametrize("write", [lambda y: y.mul_(y), lambda y: y.tanh_().exp_().neg_(), lambda y: y.exp_().mul_(y)])
def test_a_write_keeps_its_own_values_apart(write: Callable) -> None:
    """PyTorch refuses these at backward; here what an operation in place keeps is out of the way of later writes."""
    assert gradcheck(lambda x: write(x * 1), leaf(2, 2))
    assert gradgradcheck(lambda x: write(x * 1), leaf(2, 2))


def test_the_error_names_operation_shape_and_versions() -> None:
    y = leaf(2, 3) * 1
    y.add_(1)
    z = y.exp()
    z.mul_(2)
    z.mul_(2)
    with pytest.raises(RuntimeError) as caught:
        z.sum().backward()
    text = str(caught.value)
    assert "'exp' had saved its result float64[2, 3], which is at version 2; expected version 0 instead" in text


def test_versions_are_counted_from_when_the_value_was_kept() -> None:
    y = leaf(2, 3) * 1
    y.add_(1)
    y.add_(1)
    z = y * y
    y.add_(1)
    with pytest.raises(RuntimeError, match="is at version 3; expected version 2"):
        z.sum().backward()
    assert y._version == 3


def test_writes_are_refused_before_anything_is_changed() -> None:
    x = leaf(2, 2)
    before = x.array.copy()
    for attempt in (lambda: x.add_(1), lambda: x[0].mul_(2), lambda: x.mT.zero_(), lambda: x.view(4).fill_(3)):
        with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
            attempt()
    with pytest.raises(RuntimeError, match="doesn't match the broadcast shape"):
        (x[0] * 1).add_(x)
    with pytest.raises(RuntimeError, match="can't be cast"):
        wrap(np.arange(2)).add_(wrap(np.ones(2)))
    np.testing.assert_array_equal(x.array, before)


def test_a_view_made_in_no_grad_mode_is_not_written_with_history() -> None:
    y = leaf(2, 2) * 1
    with tg.no_grad():
        row = y[0]
    with pytest.raises(RuntimeError, match="view made in no_grad mode"):
        row.mul_(2)


def test_expanded_memory_is_not_written() -> None:
    wide = (leaf(1, 3) * 1).expand(2, 3)
    with pytest.raises(RuntimeError, match="single memory location"):
        wide.add_(1)


def test_leaves_are_written_without_recording() -> None:
    x = leaf(2, 2)
    version = x.version().count
    with tg.no_grad():
        x[0].zero_()
        x.mul_(2)
    assert x.is_leaf and x.requires_grad and x.version().count == version + 2
    (x * x).sum().backward()
    np.testing.assert_allclose(x.grad.array, 2 * x.array)


def test_identity() -> None:
    y = leaf(2, 2) * 1
    z = y
    y += 1
    assert y is z and y.mul_(2) is y


def test_views_share_memory_and_version() -> None:
    y = leaf(4, 4) * 1
    views = [y[0], y.mT, y.reshape(16), y.view(2, 8), y.unsqueeze(0), y[1:3, ::2], y.diagonal(), y.detach()]
    y.mul_(2)
    for v in views:
        assert np.shares_memory(v.array, y.array) and v.version() is y.version()
    for v in views[:-1]:
        assert v._is_view() and v._base is y
    assert not (y * 1)._is_view() and not y.reshape(16).clone()._is_view()


def test_hooks_and_retained_gradients_of_a_written_tensor() -> None:
    """A hook belongs to the value that the tensor had when it was registered."""
    torch = pytest.importorskip("torch")

    def run(x: Any) -> list:
        seen: list = []
        y = x * 2
        y.register_hook(lambda g: seen.append(("before", g.sum().item())))
        y.mul_(3)
        y.register_hook(lambda g: seen.append(("after", g.sum().item())))
        y.sum().backward()
        return [*seen, x.grad.sum().item()]

    assert run(wrap(np.ones(2)).requires_grad_()) == run(torch.ones(2, dtype=torch.float64, requires_grad=True))


def test_retained_gradients_follow_a_write() -> None:
    x = leaf(4)
    y = x * 2
    v = y[:2]
    y.retain_grad()
    v.retain_grad()
    v.mul_(3)
    (y * y).sum().backward()
    np.testing.assert_allclose(y.grad.array, 2 * y.array)
    assert v.grad is None  # as in PyTorch: the sum was not computed from the view that there is now


def test_a_write_of_a_composed_function_without_a_graph_leaves_no_graph() -> None:
    x, w = wrap(np.zeros(3)), leaf(3)
    x.masked_scatter_(wrap(np.array([True, False, True])), wrap(np.array([8.0, 9.0])))
    assert not x.requires_grad and x.grad_fn is None
    (x * w).sum().backward()
    np.testing.assert_array_equal(w.grad.array, x.array)


def test_a_view_does_not_follow_a_base_that_was_turned_in_place() -> None:
    y = leaf(2, 2) * 1
    v = y[0]
    y.t_()
    y.mul_(wrap(np.array([[1.0, 2.0], [3.0, 4.0]])))
    with pytest.raises(RuntimeError, match="transposed"):
        v.sum().backward()


@pytest.mark.parametrize(
    "function",
    [
        lambda y: tg.nn.functional.pixel_shuffle(y, 1),
        lambda y: tg.nn.functional.pixel_unshuffle(y, 1),
        lambda y: tg.nn.functional.channel_shuffle(y, 1),
        lambda y: tg.linalg.matrix_power(y, 1),
    ],
)
def test_what_is_no_view_does_not_share_memory(function: Callable) -> None:
    y = wrap(np.ones((1, 2, 3, 3)))
    function(y).zero_()
    assert y.array.all()


def test_data_has_a_counter_of_its_own():
    """As in PyTorch: who writes through `.data` goes past the checks, on purpose."""
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    y = (x * x).sum()
    x.data[0] = 5
    assert x._version == 0 and x.tolist() == [5, 2]
    y.backward()
    assert x.grad.tolist() == [10, 4]

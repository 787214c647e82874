"""`explain_grad`: planted mistakes, each with its sentence and its line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.tensor import Tensor
from tinygrad_edu.viz import explain_grad

HERE = Path(__file__).read_text().splitlines()


@pytest.fixture
def w() -> Tensor:
    tg.manual_seed(0)
    return tg.randn(3, 3, requires_grad=True)


X = tg.ones(5, 3)
OTHER = tg.ones(3, requires_grad=True)


def hidden(w: Tensor) -> Tensor:
    return tg.tanh(X @ w)


def detached(w: Tensor) -> Tensor:
    return (hidden(w).detach() * OTHER).sum()  # detach()


def data(w: Tensor) -> Tensor:
    return (hidden(w).data * OTHER).sum()  # .data


def without_grad(w: Tensor) -> Tensor:
    with tg.no_grad():  # no_grad()
        y = hidden(w)
    return (y * OTHER).sum()


def through_numpy(w: Tensor) -> Tensor:
    y = hidden(w).detach()
    return (tg.tensor(y.numpy()) * OTHER).sum()  # .numpy()


def as_number(w: Tensor) -> Tensor:
    return (hidden(w).sum().item() * OTHER).sum()  # .item()


def whole(w: Tensor) -> Tensor:
    return (hidden(w).long() * OTHER).sum()  # .long()


def decided(w: Tensor) -> Tensor:
    return (hidden(w).argmax(1).float().sum() * OTHER).sum()  # .argmax()


def rebuilt(w: Tensor) -> Tensor:
    return nn.Parameter(hidden(w)).sum()  # Parameter(...)


def copied(w: Tensor) -> Tensor:
    return (tg.tensor(hidden(w).tolist()) * OTHER).sum()  # .tolist()


@pytest.mark.parametrize(
    "program", [detached, data, without_grad, through_numpy, as_number, whole, decided, rebuilt, copied]
)
def test_where_the_path_is_cut(program: Callable, w: Tensor) -> None:
    program(w).backward()
    assert w.grad is None
    found = explain_grad(w, lambda: program(w))
    what = found.cause.removeprefix("cut by ")
    assert found.line is not None and found.line.text.endswith(f"# {what}"), found
    assert f"cut off from the loss by {what}" in found and str(found.line) in found


def test_looking_for_a_cut_leaves_no_trace(w: Tensor) -> None:
    layer = nn.BatchNorm1d(3)
    tg.manual_seed(5)
    expected = tg.rand(3).tolist()
    tg.manual_seed(5)
    explain_grad(w, lambda: (layer(hidden(w)).detach() * OTHER).sum())
    assert tg.rand(3).tolist() == expected
    assert not layer.running_mean.requires_grad and not w.detach().requires_grad and not w.data.requires_grad
    with tg.no_grad():
        assert not (w * 2).requires_grad
    assert isinstance((w * 2).sum().item(), float)


def test_without_a_function_the_memory_tells(w: Tensor) -> None:
    found = explain_grad(w, (w.detach() * tg.ones(3, requires_grad=True)).sum())
    assert found.cause == "cut by detach()" and "comes into mul without its history" in found
    found = explain_grad(w, (hidden(w).detach() * OTHER).sum())
    assert found.cause == "not used" and "explain_grad(w, lambda:" in found
    assert explain_grad(w, X.sum()).cause == "loss without a graph"


def test_not_a_leaf_asks_for_none_and_integers(w: Tensor) -> None:
    y = hidden(w)
    found = explain_grad(y, y.sum())
    assert found.cause == "not a leaf" and "result of tanh" in found and "retain_grad()" in found
    assert explain_grad(X, hidden(w).sum()).cause == "requires_grad is False"
    assert explain_grad(tg.arange(3), hidden(w).sum()).cause == "integer"


def test_a_parameter_that_was_made_anew() -> None:
    net = nn.Linear(3, 3)
    old = net.weight
    net.weight = nn.Parameter(tg.randn(3, 3))
    found = explain_grad(old, lambda: net(X).sum())
    assert found.cause == "rebuilt" and "another parameter of the same shape" in found


ZEROS: dict[str, Callable[[Tensor], Tensor]] = {
    "dead relu": lambda w: tg.relu(hidden(w) - 5),
    "saturated": lambda w: tg.sigmoid(hidden(w) * 1e6 + 1e7),
    "multiplied by zero": lambda w: hidden(w) * 0,
    "clamped": lambda w: hidden(w).clamp(5, 6),
    "steps": lambda w: hidden(w).round(),
    "softmax of a sum": lambda w: tg.softmax(hidden(w), 1),
    "cancelled": lambda w: w - w,
    "not chosen": lambda w: hidden(w).masked_fill(tg.ones(5, 3) == 1, 0.0),
}


@pytest.mark.parametrize("cause", ZEROS)
def test_why_it_is_zero(cause: str, w: Tensor) -> None:
    found = explain_grad(w, ZEROS[cause](w).sum())
    assert found.cause == f"zero: {cause}", found
    with_line = explain_grad(w, lambda: ZEROS[cause](w).sum())
    assert with_line.cause == found.cause
    assert cause == "cancelled" or "lambda w:" in str(with_line.line)


def test_a_dead_relu_of_many_layers(w: Tensor) -> None:
    net = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))
    with tg.no_grad():
        net[0].bias.fill_(-100)
    assert explain_grad(net[0].weight, lambda: net(X).sum()).cause == "zero: dead relu"
    assert explain_grad(net[2].bias, lambda: net(X).sum()).cause == "no backward"


def test_doubled_accumulated_and_fine(w: Tensor) -> None:
    def loss() -> Tensor:
        return hidden(w).sum()

    assert explain_grad(w, loss).cause == "no backward"
    before = None
    for times, cause in ((1, "fine"), (2, "doubled"), (3, "doubled")):
        loss().backward()
        before = np.array(w.grad.numpy())
        found = explain_grad(w, loss)
        assert found.cause == cause and (times == 1 or f"is {times} times" in found)
    assert np.array_equal(w.grad.numpy(), before)
    (loss() * loss()).backward()
    found = explain_grad(w, loss)
    assert found.cause == "accumulated" and "optimizer.zero_grad()" in found


def test_after_the_walk_has_freed_the_graph(w: Tensor) -> None:
    loss = hidden(w).sum()
    loss.backward()
    assert explain_grad(w, loss).cause == "unknown"
    w.grad = None
    assert explain_grad(w, loss).cause == "forgotten"


@pytest.mark.parametrize("bad", [(1, OTHER), (OTHER, 3), (OTHER, lambda: 3)])
def test_what_is_no_tensor(bad: tuple[Any, Any]) -> None:
    with pytest.raises(TypeError, match="explain_grad"):
        explain_grad(*bad)


def test_equal_shapes_and_ones_are_no_sign_of_a_rebuilt_layer() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = nn.Linear(3, 3), nn.Linear(3, 3)

    net = Two()
    assert explain_grad(net.unused.weight, net.used(X).sum()).cause == "not used"
    ones, others = tg.ones(3, requires_grad=True), tg.ones(3, requires_grad=True)
    assert explain_grad(ones, (others * 2).sum()).cause == "not used"

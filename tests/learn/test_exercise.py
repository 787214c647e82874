"""Exercises: right answers are right, and each common mistake is called by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_edu as torch
from tinygrad_edu.autograd import Function
from tinygrad_edu.learn import check, check_function, check_gradient


@pytest.fixture
def x() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(3, 4)


def said(capsys: Any) -> str:
    """What was printed, in one line."""
    return " ".join(capsys.readouterr().out.split())


# --- check -------------------------------------------------------------------------------------------------------------


def test_no_answer_yet_is_neither_right_nor_wrong(capsys: Any) -> None:
    assert not check("bytes", None, 12)
    assert said(capsys).startswith("… bytes: not answered yet. Put your answer in place of None")
    assert not check("shapes", {"W": (2, 3), "b": None}, {"W": (2, 3), "b": (3,)})
    assert said(capsys).startswith("… shapes: not answered yet")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (12, 12),
        (12.0, 12),
        (torch.tensor(12), 12),
        (np.float32(0.1), torch.tensor(0.1)),
        ([0.1, 0.2], torch.tensor([0.1, 0.2])),
        ((2, 3), torch.zeros(2, 3).shape),
        (torch.zeros(2, 3).shape, (2, 3)),
        (torch.tensor([2, 3]), (2, 3)),
        ("relu", "relu"),
        (torch.float32, torch.float32),
        (True, True),
        (None, None),
        ({"w": torch.ones(2), "b": 0}, {"w": torch.ones(2), "b": 0.0}),
    ],
)
def test_right_answers_in_other_clothes(answer: Any, expected: Any, capsys: Any) -> None:
    assert check("it", answer, expected, because="For a reason.")
    assert said(capsys) == "✓ it: right. For a reason."


@pytest.mark.parametrize(
    ("answer", "expected", "text"),
    [
        (7, 5, "7 is too large"),
        (-5, 5, "wrong sign"),
        (400, 100, "400 is exactly 4 times too large"),
        (25, 100, "25 is exactly 4 times too small"),
        (407_080, 101_770, "407,080 is exactly 4 times too large"),
        (float("nan"), 5, "division by zero"),
        ("five", 5, "a number is wanted"),
        (torch.ones(3), 5, "its shape is (3,), and () is wanted"),
        ((3, 2), (2, 3), "opposite order"),
        ((2, 3, 1), (2, 3), "2 values are wanted, and this has 3"),
        ((2, 4), (2, 3), "value 1: 4 is too large"),
        (5, (5,), "1 value is wanted, in a tuple, and this is 5"),
        ("tanh", "relu", "'tanh' is not it"),
        (False, True, "False is not it"),
        (torch.ones(2), True, "is not it"),
        ({"w": 1}, {"w": 1, "b": 2}, "the key 'b' is missing"),
        ({"w": 1, "b": 2}, {"w": 1}, "the key 'b' is one too many"),
        ({"w": 2}, {"w": 1}, "at 'w': 2 is exactly 2 times too large"),
        ([[1, 2], [3]], torch.ones(2, 2), "a tensor is wanted"),
    ],
)
def test_wrong_answers_are_told_why(answer: Any, expected: Any, text: str, capsys: Any) -> None:
    assert not check("it", answer, expected)
    heard = said(capsys)
    assert heard.startswith("✗ it: ") and text in heard


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda x: x.T, "it is transposed"),
        (lambda x: x.reshape(12), "a reshape is missing"),
        (lambda x: x.sum(0), "it is summed over dimension 0"),
        (lambda x: x.mean(1), "it is averaged over dimension 1"),
        (lambda x: x.expand(2, 3, 4) / 2, "the sum over dimension 0 is missing"),
        (lambda x: x.expand(2, 3, 4), "the mean over dimension 0 is missing"),
        (lambda x: x[:2], "its shape is (2, 4), and (3, 4) is wanted."),
        (lambda x: -x, "the wrong sign"),
        (lambda x: 0 * x, "all its entries are zero"),
        (lambda x: x * 0.1, "every entry is 0.1 times"),
        (lambda x: x * 3, "3 is the length of dimension 0: a sum where a mean belongs?"),
        (lambda x: x / 4, "4 is the length of dimension 1: a mean where a sum belongs?"),
        (lambda x: x / 12, "the number of entries: a sum belongs here"),
        (lambda x: x + 1, "every entry is 1 too large"),
        (lambda x: torch.where(torch.arange(3)[:, None] == 1, 0.0, x), "only at 1 of dimension 0"),
        (lambda x: x.abs(), "these have the wrong sign"),
        (lambda x: x / (torch.arange(12).reshape(3, 4) != 5), "1 of 12 entries are not finite, the first at (1, 1)"),
    ],
)
def test_wrong_tensors_are_told_why(change: Callable, text: str, x: torch.Tensor, capsys: Any) -> None:
    assert not check("it", change(x), x)
    assert text in said(capsys)


def test_a_square_tensor_that_is_transposed_is_seen(capsys: Any) -> None:
    x = torch.arange(9.0).reshape(3, 3)
    assert not check("it", x.T, x)
    assert "it is transposed, write .T" in said(capsys)


def test_hints_come_before_guesses(x: torch.Tensor, capsys: Any) -> None:
    assert not check("count", 101_632, 101_770, hints={101_632: "The biases are parameters too."})
    assert said(capsys) == "✗ count: not this. The biases are parameters too."
    assert not check("it", -x, x, hints=[(-x, "Minus belongs to the loss, not to its gradient.")])
    assert "Minus belongs to the loss" in said(capsys)


def test_closeness_can_be_chosen() -> None:
    assert not check("it", 3.14, torch.pi)
    assert check("it", 3.14, torch.pi, atol=0.01)


# --- check_function ----------------------------------------------------------------------------------------------------


def test_functions_are_called_with_every_sample(x: torch.Tensor, capsys: Any) -> None:
    assert check_function("square", lambda t: t * t, lambda t: t**2, x, x[0])
    assert "right for 2 samples" in said(capsys)
    assert not check_function("product", lambda a, b: a * b.abs(), lambda a, b: a * b, (x, x.abs()), (x, x))
    assert "for float32[3, 4], float32[3, 4]: " in said(capsys)


def _unwritten(t: torch.Tensor) -> torch.Tensor:
    raise NotImplementedError


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (None, "… it: not answered yet"),
        (_unwritten, "… it: not answered yet"),
        (lambda t: None, "… it: the function returns nothing yet"),
        (lambda t: t @ t, "✗ it: for float32[3, 4]: it raises RuntimeError"),
        (lambda t: t.mul_(t), "it writes into its argument"),
        (lambda t: t * t.T.T.T, "raises RuntimeError"),
    ],
)
def test_functions_that_are_wrong(function: Any, text: str, x: torch.Tensor, capsys: Any) -> None:
    before = x.clone()
    assert not check_function("it", function, lambda t: t**2, x)
    assert text in said(capsys)
    assert torch.equal(x, before)


def test_a_function_that_was_expected_to_be_wrong(x: torch.Tensor, capsys: Any) -> None:
    hints = [(torch.exp, "The logarithm is missing."), (torch.sin, "no")]
    assert not check_function("f", torch.exp, lambda x: x, x, hints=hints)
    assert said(capsys) == "✗ f: for float32[3, 4]: not this. The logarithm is missing."
    assert not check_function("f", torch.cos, lambda x: x, x, hints=hints)
    assert "entries differ" in said(capsys)


# --- check_gradient ----------------------------------------------------------------------------------------------------


def affine(x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return x @ w + b


def affine_rule(g: Any, x: Any, w: Any, b: Any) -> tuple:
    return g @ w.T, x.T @ g, g.sum(0)


@pytest.fixture
def inputs() -> list[torch.Tensor]:
    torch.manual_seed(0)
    return [torch.randn(5, 3), torch.randn(3, 4), torch.randn(4)]


def test_a_right_rule(inputs: list[torch.Tensor], capsys: Any) -> None:
    assert check_gradient("affine", affine, inputs, affine_rule)
    assert "agrees with the numerical one" in said(capsys)
    assert all(t.dtype == torch.float32 and not t.requires_grad for t in inputs)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (lambda g, x, w, b: None, "… affine: the rule returns nothing yet"),
        (lambda g, x, w, b: (g @ w.T, x.T @ g), "returns 2 gradients, and there are 3 inputs"),
        (lambda g, x, w, b: (g @ w.T, g.T @ x, g.sum(0)), "has the shape (4, 3), the input has (3, 4): a transpose"),
        (lambda g, x, w, b: (g @ w.T, x.T @ g, g), "broadcast over 1 leading dimension; sum over it"),
        (lambda g, x, w, b: (g @ w.T, x.T @ g, g.mean(0)), "5 is the length of a dimension"),
        (lambda g, x, w, b: (-g @ w.T, x.T @ g, g.sum(0)), "Likely cause: the sign"),
        (lambda g, x, w, b: (2 * g @ w.T, x.T @ g, g.sum(0)), "a constant factor: analytic = 2 * numeric"),
        (lambda g, x, w, b: (g @ w.T, 0, g.sum(0)), "the gradient of input 1 is of type int, and a tensor is wanted"),
        (lambda g, x, w, b: (g @ w, x.T @ g, g.sum(0)), "it raises RuntimeError"),
        (lambda g, x, w, b: (g @ w.T, x.T @ (g * 0 + 1), g.sum(0)), "of input 1 is the same whatever `g` is"),
    ],
)
def test_wrong_rules(rule: Callable, text: str, inputs: list[torch.Tensor], capsys: Any) -> None:
    assert not check_gradient("affine", affine, inputs, rule)
    assert text in said(capsys)


def test_rules_that_were_expected_to_be_wrong(inputs: list[torch.Tensor], capsys: Any) -> None:
    def without_bias(g: Any, x: Any, w: Any, b: Any) -> tuple:
        return g @ w.T, x.T @ g, b * 0

    assert not check_gradient(
        "affine", affine, inputs, without_bias, hints=[(affine_rule, "no"), (without_bias, "The bias counts.")]
    )
    assert "✗ affine: the gradient is wrong. The bias counts. input 2" in said(capsys)


def test_inputs_that_have_no_gradient(capsys: Any) -> None:
    def picked(scores: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return scores.gather(1, y[:, None]).sum()

    def rule(g: Any, scores: Any, y: Any) -> tuple:
        return g * torch.nn.functional.one_hot(y, 3).double(), None

    assert check_gradient("picked", picked, [torch.randn(2, 3), torch.tensor([2, 0])], rule)


def test_a_function_of_ones_own(x: torch.Tensor, capsys: Any) -> None:
    class Cube(Function):
        @staticmethod
        def forward(ctx: Any, t: Any) -> Any:
            ctx.save_for_backward(t)
            return t**3

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            (t,) = ctx.saved_tensors
            return g * 2 * t**2

    assert not check_gradient("cube", Cube, [x])
    assert "a constant factor: analytic = 0.6667 * numeric" in said(capsys)
    assert not check_gradient("cube", None, [x])
    assert check_gradient("tanh", torch.tanh, [x])

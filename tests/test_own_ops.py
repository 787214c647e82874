"""An operation of a program's own: what is written wrong in it is named, and it may be written anew."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu.op import op
from tinygrad_edu.plan import OPS


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    before = dict(OPS)
    yield
    OPS.clear()
    OPS.update(before)


def made(rule: Any, **more: Any) -> Any:
    """An operation with a rule, which may be wrong."""

    @op
    def doubled(x):
        return x * 2

    doubled.grad(x=rule, **more)
    return doubled


def test_it_may_be_written_anew_and_be_called_as_one_of_the_engine_s() -> None:
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    made(lambda g: g * 3)(x).sum().backward()
    assert x.grad is not None and x.grad.tolist() == [3, 3]
    x.grad = None
    made(lambda g: g * 2)(x).sum().backward()
    assert x.grad.tolist() == [2, 2]

    @op
    def mul(x, y):
        return x * y + 1

    mul.grad(x=lambda g, y: g * y, y=lambda g, x: g * x)
    assert mul(x, x).tolist() == [2, 5] and (x * x).tolist() == [1, 4]
    mul(x, x).sum().backward()
    assert x.grad.tolist() == [4, 6]


@pytest.mark.parametrize(
    ("rule", "parts"),
    [
        (lambda g: None, ["doubled", "its rule for 'x' gave None", "write instead"]),
        (lambda g: g[0, :2], ["its rule for 'x' gave float32[2]", "shape is [3, 4]"]),
        (lambda g: g.sum(), ["shape is [3, 4]"]),
        (lambda g: np.ones((5, 4), np.float32), ["float32[5, 4]"]),
    ],
)
def test_a_rule_that_gives_no_gradient_of_the_argument(rule: Any, parts: list[str]) -> None:
    x = tg.ones(3, 4, requires_grad=True)
    with pytest.raises(RuntimeError) as raised:
        made(rule)(x).backward(tg.randn(3, 4))
    assert all(part in str(raised.value) for part in parts), raised.value
    with pytest.raises(RuntimeError, match="its rule for 'x'"):
        made(lambda g: g[0])(x).backward(tg.randn(3, 4), create_graph=True)


def test_a_rule_that_is_none() -> None:
    with pytest.raises(TypeError, match=r"no argument 'y'.*\n.*one of x"):
        made(lambda g: g, y=lambda g: g)
    with pytest.raises(TypeError, match=r"not ufunc\n.*x=lambda g, x"):
        made(np.cos)


@pytest.mark.parametrize("answer", [None, [1.0], 2.0])
def test_a_forward_that_gives_no_array(answer: Any) -> None:
    @op
    def forgetful(x):
        return answer

    with pytest.raises(TypeError, match=f"forgetful: its forward gave {type(answer).__name__}"):
        forgetful(tg.ones(2, requires_grad=True))

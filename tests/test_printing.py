"""How tensors print: the cases that PyTorch's users know by sight."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import tinygrad_edu as tg

INF, NAN = float("inf"), float("nan")


@pytest.fixture(autouse=True)
def options() -> Iterator[None]:
    yield
    tg.set_printoptions(profile="default")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (1.5, "tensor(1.5000)"),
        (3, "tensor(3)"),
        ([True, False], "tensor([ True, False])"),
        ([1.0, 2.0], "tensor([1., 2.])"),
        ([1.0, -2.5], "tensor([ 1.0000, -2.5000])"),
        ([1, -20], "tensor([  1, -20])"),
        ([1e-5, 1.0], "tensor([1.0000e-05, 1.0000e+00])"),
        ([1e9, 1.0], "tensor([1.0000e+09, 1.0000e+00])"),
        ([1000.5, 1.5], "tensor([1000.5000,    1.5000])"),
        ([NAN, 1.5, -INF], "tensor([   nan, 1.5000,   -inf])"),
        ([NAN, 0.0], "tensor([nan, 0.])"),
        ([0.0, -0.0], "tensor([0., -0.])"),
        ([[1, 2], [3, 4]], "tensor([[1, 2],\n        [3, 4]])"),
        ([[[1.0]], [[2.0]]], "tensor([[[1.]],\n\n        [[2.]]])"),
        ([1 + 2j, -0.5j], "tensor([1.+2.0000j, -0.-0.5000j])"),
        ([], "tensor([])"),
        ([[], []], "tensor([], size=(2, 0))"),
    ],
)
def test_numbers(data: object, text: str) -> None:
    assert repr(tg.tensor(data)) == text


def test_what_is_not_obvious_stands_at_the_end() -> None:
    x = tg.tensor([1.0, 2.0], dtype=tg.float64, requires_grad=True)
    assert repr(x) == "tensor([1., 2.], dtype=torch.float64, requires_grad=True)"
    assert repr(x * 2) == "tensor([2., 4.], dtype=torch.float64, grad_fn=<MulBackward0>)"
    assert repr(tg.zeros(0, dtype=tg.int64)) == "tensor([], dtype=torch.int64)"
    assert repr(tg.zeros(2, dtype=tg.int32)) == "tensor([0, 0], dtype=torch.int32)"


def test_long_tensors_are_shortened() -> None:
    assert repr(tg.arange(1001)) == "tensor([   0,    1,    2,  ...,  998,  999, 1000])"
    rows = repr(tg.arange(2000).reshape(50, 40)).split("\n")
    assert len(rows) == 7
    assert rows[3].strip() == "...,"
    assert repr(tg.arange(1000)).count("\n") > 10


def test_lines_are_broken() -> None:
    assert all(len(line) <= 80 for line in repr(tg.arange(100)).split("\n"))
    tg.set_printoptions(linewidth=30)
    assert repr(tg.arange(12)) == "tensor([ 0,  1,  2,  3,  4,\n         5,  6,  7,  8,  9,\n        10, 11])"


def test_options() -> None:
    x = tg.tensor([1.23456789])
    tg.set_printoptions(precision=2)
    assert repr(x) == "tensor([1.23])"
    tg.set_printoptions(sci_mode=True)
    assert repr(x) == "tensor([1.23e+00])"
    tg.set_printoptions(threshold=4, edgeitems=1)
    assert repr(tg.arange(5)) == "tensor([0,  ..., 4])"


def test_like_pytorch() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    for k in range(200):
        shape = tuple(rng.integers(0, 8, rng.integers(0, 4)))
        array = np.asarray(rng.standard_normal(shape) * 10.0 ** rng.integers(-6, 7, () if k % 2 else shape))
        kinds = [np.float32, np.float64, np.int64, np.complex64, np.bool_, np.float16]
        with np.errstate(all="ignore"):
            array = array.astype(kinds[k % 6])
        assert repr(tg.from_numpy(array)) == repr(torch.from_numpy(array))

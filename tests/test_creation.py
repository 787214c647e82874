"""New tensors, conversions and copies."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (1, tg.int64),
        (1.0, tg.float32),
        (True, tg.bool),
        (1j, tg.complex64),
        ([1, 2.5, True], tg.float32),
        ([[True], [2]], tg.int64),
        ([], tg.float32),
        (np.zeros(2), tg.float64),
        ([np.float32(1)], tg.float32),
        (np.arange(2, dtype=np.int16), tg.int16),
        (range(3), tg.int64),
    ],
)
def test_the_dtype_of_data(data: Any, dtype: tg.dtype) -> None:
    assert tg.tensor(data).dtype is dtype


def test_the_default_dtype_is_that_of_floats() -> None:
    tg.set_default_dtype(tg.float64)
    try:
        assert tg.tensor(1.0).dtype is tg.zeros(2).dtype is tg.float64
        assert tg.tensor(1j).dtype is tg.complex128
    finally:
        tg.set_default_dtype(tg.float32)


def test_tensors_among_data() -> None:
    assert tg.tensor([tg.tensor(1.0), 2, tg.tensor([3])]).tolist() == [1.0, 2.0, 3.0]
    x = tg.ones(2, requires_grad=True)
    y = tg.tensor(x)
    assert not y.requires_grad
    assert y.data_ptr() != x.data_ptr()


def test_memory_that_is_shared() -> None:
    a = np.zeros(3)
    for share in (tg.from_numpy, tg.as_tensor, tg.asarray, tg.from_dlpack):
        share(a)[0] += 1
    assert a[0] == 4
    t = tg.zeros(2)
    assert tg.as_tensor(t) is t
    assert np.shares_memory(tg.from_dlpack(t).array, t.array)
    assert np.shares_memory(np.from_dlpack(t), t.array)
    assert "dlpack" in tg.utils.__all__  # without an import of its own
    assert not np.shares_memory(tg.asarray(a, copy=True).array, a)
    assert not np.shares_memory(tg.tensor(a).array, a)
    assert tg.frombuffer(bytearray(np.arange(4, dtype=np.int32).tobytes()), dtype=tg.int32, offset=4).tolist() == [
        1,
        2,
        3,
    ]


def test_of_one_value() -> None:
    assert tg.zeros(2, 3).shape == tg.zeros((2, 3)).shape == tg.zeros(size=[2, 3]).shape == (2, 3)
    assert tg.full((2,), True).dtype is tg.bool
    assert tg.full((2,), 3).tolist() == [3, 3]
    assert tg.ones((), dtype=tg.int8).item() == 1
    x = tg.zeros(2, 3, dtype=tg.float64).t()
    assert tg.ones_like(x).stride() == x.stride()
    assert tg.empty_like(x, dtype=tg.int64).dtype is tg.int64
    assert x.new_zeros(3).dtype is tg.float64
    assert x.new_tensor([1, 2]).dtype is tg.float64
    assert x.new_full((2,), 7).tolist() == [7.0, 7.0]
    assert tg.empty_strided((2, 3), (1, 2)).stride() == (1, 2)
    assert tg.scalar_tensor(3).dtype is tg.float32
    out = tg.empty(5)
    assert tg.zeros(2, out=out) is out
    assert out.shape == (2,)


def test_of_numbers_in_order() -> None:
    assert tg.arange(3).tolist() == [0, 1, 2]
    assert tg.arange(3.0).dtype is tg.float32
    assert tg.arange(5, 1, -2).tolist() == [5, 3]
    assert tg.arange(start=1, end=2, step=0.25).tolist() == [1, 1.25, 1.5, 1.75]
    assert tg.linspace(0, 1, 5).tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert tg.linspace(0, 10, 5, dtype=tg.int64).tolist() == [0, 2, 5, 7, 10]
    assert tg.linspace(3, 1, 1).tolist() == [3]
    assert tg.logspace(0, 2, 3).tolist() == [1, 10, 100]
    assert tg.eye(2, 3).tolist() == [[1, 0, 0], [0, 1, 0]]
    assert tg.tril_indices(2, 2).tolist() == [[0, 1, 1], [0, 0, 1]]
    assert tg.triu_indices(2, 3, 1).tolist() == [[0, 0, 1], [1, 2, 2]]


@pytest.mark.parametrize(
    ("make", "numpy"),
    [
        (tg.bartlett_window, np.bartlett),
        (tg.hamming_window, np.hamming),
        (tg.hann_window, np.hanning),
        (tg.blackman_window, np.blackman),
        (tg.kaiser_window, lambda n: np.kaiser(n, 12.0)),
    ],
)
def test_windows(make: Callable, numpy: Callable) -> None:
    assert np.allclose(make(7, periodic=False, dtype=tg.float64).array, numpy(7), atol=1e-12)
    assert np.allclose(make(6, dtype=tg.float64).array, numpy(7)[:-1], atol=1e-12)
    assert make(1).tolist() == [1]
    assert make(0).tolist() == []


def test_to_changes_only_what_it_must() -> None:
    x = tg.ones(2)
    assert x.to(tg.float32) is x.to("cpu") is x.float() is x.cpu() is x
    assert x.to(tg.float32, copy=True) is not x
    assert x.to(tg.zeros(1, dtype=tg.int64)).dtype is tg.int64
    assert x.to("cpu", tg.float64).dtype is x.to(device="cpu", dtype=tg.float64).dtype is tg.float64
    assert x.type() == "torch.FloatTensor"
    assert x.type("torch.DoubleTensor").dtype is x.type(tg.float64).dtype is tg.float64
    assert x.type_as(tg.zeros(1, dtype=tg.bool)).dtype is tg.bool
    names = ["double", "half", "long", "int", "short", "char", "byte", "bool", "cfloat", "cdouble"]
    kinds = ["float64", "float16", "int64", "int32", "int16", "int8", "uint8", "bool", "complex64", "complex128"]
    assert [str(getattr(x, name)().dtype) for name in names] == [f"torch.{kind}" for kind in kinds]


def test_gradients_pass_through_conversions() -> None:
    x = tg.ones(2, 3, requires_grad=True)
    y = x.double().t().contiguous().clone().float()
    (y * tg.arange(6.0).reshape(3, 2)).sum().backward()
    assert x.grad.dtype is tg.float32
    assert x.grad.tolist() == [[0, 2, 4], [1, 3, 5]]
    assert not x.long().requires_grad


def test_memory_formats() -> None:
    x = tg.arange(24).reshape(1, 2, 3, 4)
    last = x.contiguous(memory_format=tg.channels_last)
    assert last.stride() == (24, 1, 8, 2)
    assert last.tolist() == x.tolist()
    assert x.contiguous() is x
    assert x.transpose(0, 3).clone().stride() == x.transpose(0, 3).stride()
    assert x.transpose(0, 3).clone(memory_format=tg.contiguous_format).is_contiguous()


def test_copies_and_fills() -> None:
    x = tg.zeros(2, 3)
    assert x.copy_(tg.arange(3)).tolist() == [[0, 1, 2], [0, 1, 2]]
    assert tg.zeros(2, dtype=tg.int64).copy_(tg.tensor(1.9)).tolist() == [1, 1]
    assert tg.zeros(2, dtype=tg.int64).fill_(1.9).tolist() == [1, 1]
    assert x.zero_() is x
    source, base = tg.ones(3, requires_grad=True), tg.ones(2, 3, requires_grad=True)
    y = base * 1
    y[0].copy_(source * 3)
    (y * tg.arange(6.0).reshape(2, 3)).sum().backward()
    assert source.grad.tolist() == [0, 3, 6]
    assert base.grad.tolist() == [[0, 0, 0], [3, 4, 5]]
    value = tg.tensor(2.0, requires_grad=True)
    (base * 1).fill_(value).sum().backward()
    assert value.grad.item() == 6


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (TypeError, lambda: tg.zeros()),
        (TypeError, lambda: tg.zeros(2.0)),
        (RuntimeError, lambda: tg.zeros(-1)),
        (TypeError, lambda: tg.full(2, 1.0)),
        (TypeError, lambda: tg.tensor("abc")),
        (RuntimeError, lambda: tg.tensor(None)),
        (ValueError, lambda: tg.tensor([[1, 2], [3]])),
        (ValueError, lambda: tg.tensor([2**70])),
        (ValueError, lambda: tg.tensor([tg.ones(2), tg.ones(2)])),
        (RuntimeError, lambda: tg.tensor([300], dtype=tg.uint8)),
        (RuntimeError, lambda: tg.tensor([float("inf")], dtype=tg.int64)),
        (TypeError, lambda: tg.tensor([1j], dtype=tg.float32)),
        (TypeError, lambda: tg.tensor(np.array(["a"]))),
        (RuntimeError, lambda: tg.tensor([1], requires_grad=True)),
        (TypeError, lambda: tg.from_numpy([1])),
        (TypeError, lambda: tg.from_dlpack([1])),
        (RuntimeError, lambda: tg.arange(5, 1)),
        (RuntimeError, lambda: tg.arange(0, 1, 0)),
        (TypeError, lambda: tg.linspace(0, 1)),
        (RuntimeError, lambda: tg.linspace(0, 1, -1)),
        (RuntimeError, lambda: tg.eye(-1)),
        (RuntimeError, lambda: tg.hann_window(4, dtype=tg.int64)),
        (RuntimeError, lambda: tg.zeros(2, dtype=tg.int64, out=tg.empty(2))),
        (ValueError, lambda: tg.frombuffer(bytearray(5), dtype=tg.float32)),
        (ValueError, lambda: tg.zeros(2).type("foo")),
        (RuntimeError, lambda: tg.zeros(2).to("foo")),
        (RuntimeError, lambda: tg.ones(2).copy_(tg.ones(3))),
        (RuntimeError, lambda: tg.ones(2).fill_(tg.ones(2))),
        (RuntimeError, lambda: tg.ones(2).fill_(1j)),
        (ValueError, lambda: tg.asarray([1, 2], copy=False)),
    ],
)
def test_errors(error: type[Exception], call: Callable) -> None:
    with pytest.raises(error):
        call()


def test_numbers_out_of_tensors_keep_their_types() -> None:
    assert tg.tensor([tg.tensor(1), tg.tensor(2.0)]).dtype is tg.float32
    assert tg.tensor([[tg.tensor(1), 2.5]]).dtype is tg.float32
    assert tg.tensor([tg.tensor(1.0, dtype=tg.float64), 2]).dtype is tg.float64
    assert tg.tensor([tg.tensor(1, dtype=tg.int32), tg.tensor(2, dtype=tg.int32)]).dtype is tg.int32


def test_numpy_functions_of_tensors_answer_tensors() -> None:
    array, t = np.array([[1.0, 2.0]]), tg.tensor([[3.0], [4.0]], dtype=tg.float64)
    assert isinstance(np.add(array, t), tg.Tensor) and isinstance(np.exp(t), tg.Tensor)
    assert (array @ t).tolist() == [[11.0]] and (t @ array).shape == (2, 2)
    with pytest.raises(RuntimeError, match="requires grad"):
        np.exp(t.requires_grad_())


def test_a_foreign_object_on_the_right_is_asked() -> None:
    class Foreign:
        def __rmatmul__(self, left: Any) -> str:
            return "matmul"

        def __radd__(self, left: Any) -> str:
            return "add"

    assert tg.ones(2) @ Foreign() == "matmul" and tg.ones(2) + Foreign() == "add"


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (ValueError, lambda: float(tg.ones(2))),
        (ValueError, lambda: int(tg.ones(0))),
        (RuntimeError, lambda: tg.ones(2).item()),
        (RuntimeError, lambda: "a" in tg.ones(2)),
        (RuntimeError, lambda: None in tg.ones(2)),
        (TypeError, lambda: ~tg.ones(2)),
        (TypeError, lambda: tg.Tensor("a")),
        (NotImplementedError, lambda: tg.ones(2, dtype=tg.complex64).relu()),
    ],
)
def test_errors_at_the_borders_to_python(error: type[Exception], call: Callable) -> None:
    with pytest.raises(error):
        call()


def test_a_deep_copy_keeps_the_order_in_memory() -> None:
    assert copy.deepcopy(tg.ones(2, 3).t()).stride() == (1, 3)


def test_tensors_that_share_memory_share_their_deep_copy() -> None:
    rows = tg.arange(6.0).view(2, 3)
    copied, column, transposed, counted = copy.deepcopy([rows, rows[:, 1], rows.t(), tg.arange(3)])
    copied[0, 1] = 9
    assert (
        column.tolist() == [9, 4] and transposed.tolist() == [[0, 3], [9, 4], [2, 5]] and counted.tolist() == [0, 1, 2]
    )
    assert rows[0, 1] == 1 and transposed.stride() == (1, 3)
    x = tg.ones(2, requires_grad=True)
    a, b = copy.deepcopy([shared := tg.ones(2), shared[:]])
    y = x * a
    b.add_(1)
    with pytest.raises(RuntimeError, match="inplace"):  # the copies share the counter of writes too
        y.sum().backward()


@pytest.mark.parametrize(
    ("call", "instead"),
    [
        (lambda: tg.ones(64, 10) + tg.ones(64), r"add\(float32\[64, 10\], float32\[64\]\).*\n.*b\.unsqueeze\(-1\)"),
        (lambda: tg.ones(2, 3) * tg.ones(3, 2), r"b\.mT"),
        (lambda: tg.ones(3) - tg.ones(4), "lengths, counted from the last, are equal or 1"),
        (lambda: tg.ones(2).copy_(tg.ones(3)), r"a value of shape \[2\]"),
        (lambda: tg.ones(2, 3).view(4), "lengths whose product is 6"),
        (lambda: tg.ones(3).expand(2, 4), r"x\.unsqueeze\(dim\)"),
        (lambda: tg.cat([tg.ones(2, 3), tg.ones(2, 4)]), r"write instead: cat\(tensors, dim=1\)"),
        (lambda: tg.stack([tg.ones(2), tg.ones(3)]), "pad_sequence"),
        (lambda: tg.ones(0).max(), r"max\(\): Expected.*\n.*if x\.numel\(\)"),
        (lambda: tg.ones(3).item(), r"tolist\(\)"),
        (lambda: tg.ones(()).backward(), r"no_grad\(\), without detach\(\)"),
    ],
)
def test_errors_say_what_to_write_instead(call: Callable, instead: str) -> None:
    with pytest.raises(RuntimeError, match=instead):
        call()

"""Promotion and the default dtype, in PyTorch's words, and against PyTorch itself where it is installed."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import dtypes

KINDS = {
    (tg.int64, tg.float32): tg.float32,
    (tg.float64, tg.float32): tg.float64,
    (tg.int64, tg.complex64): tg.complex64,
    (tg.float64, tg.complex64): tg.complex128,
    (tg.uint8, tg.int8): tg.int16,
    (tg.bool, tg.uint8): tg.uint8,
    (tg.float16, tg.int64): tg.float16,
}


@pytest.mark.parametrize(("a", "b"), KINDS)
def test_promote_types(a: dtypes.dtype, b: dtypes.dtype) -> None:
    assert tg.promote_types(a, b) is tg.promote_types(b, a) is KINDS[a, b]


def test_a_tensor_with_dimensions_decides_within_its_kind() -> None:
    wide, small = tg.ones(2, dtype=tg.float32), tg.tensor(1.0, dtype=tg.float64)
    assert (wide * small).dtype is tg.float32
    assert (tg.ones(2, dtype=tg.int32) * small).dtype is tg.float64
    assert (tg.ones(2, dtype=tg.int32) * 2.5).dtype is tg.float32
    assert (tg.ones(2, dtype=tg.int32) * 2).dtype is tg.int32
    assert (tg.ones(2, dtype=tg.bool) * 2).dtype is tg.int64
    assert (tg.ones(2) * 2j).dtype is tg.complex64


def test_integers_turn_into_the_default_float() -> None:
    x = tg.tensor([1, 2])
    assert x.exp().dtype is (x / x).dtype is x.float().mean().dtype is tg.float32
    tg.set_default_dtype(tg.float64)
    try:
        assert x.exp().dtype is (x / 2).dtype is tg.tensor(1.0).dtype is tg.float64
        assert tg.tensor(1j).dtype is tg.complex128
    finally:
        tg.set_default_dtype(tg.float32)


def test_a_default_must_be_floating() -> None:
    with pytest.raises(TypeError, match="floating-point"):
        tg.set_default_dtype(tg.int64)


def test_gradients_come_back_in_the_argument_s_own_dtype() -> None:
    x = tg.ones(3, dtype=tg.float32, requires_grad=True)
    y = tg.ones(3, dtype=tg.float64, requires_grad=True)
    (x * y).sum().backward()
    assert x.grad.dtype is tg.float32
    assert y.grad.dtype is tg.float64


def test_dtypes_are_one_object_each_also_after_pickling() -> None:
    for d in dtypes.ALL:
        assert pickle.loads(pickle.dumps(d)) is d
        assert dtypes.as_dtype(d.numpy) is d
        assert repr(d) == f"torch.{d.name}"
    with pytest.raises(TypeError, match="not a dtype"):
        dtypes.as_dtype("strange")


def test_limits() -> None:
    assert tg.finfo(tg.float32).eps == np.finfo(np.float32).eps
    assert tg.iinfo(tg.int8).max == 127
    with pytest.raises(TypeError):
        tg.finfo(tg.int8)
    with pytest.raises(TypeError):
        tg.iinfo(tg.float32)


def same(ours: object, theirs: object) -> bool:
    """NumPy has no complex numbers of two halves: where PyTorch gives these, the next larger ones are right."""
    return repr(ours) == repr(theirs).replace("complex32", "complex64")


def test_everything_as_pytorch_promotes() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: promotion is not compared with it")
    shared = [d for d in dtypes.ALL if not d.name.startswith("uint") or d.name == "uint8"]
    for a, b in itertools.product(shared, shared):
        expected = torch.promote_types(getattr(torch, a.name), getattr(torch, b.name))
        assert same(tg.promote_types(a, b), expected), (a, b)
    values = [True, 2, 2.5, 2j]
    for a, b in itertools.product(shared, shared):
        for shapes in (((2,), ()), ((), (2,)), ((), ())):
            ours = [np.ones(s, d.numpy) for s, d in zip(shapes, (a, b), strict=True)]
            theirs = [torch.ones(s, dtype=getattr(torch, d.name)) for s, d in zip(shapes, (a, b), strict=True)]
            assert same(dtypes.result_type(*ours), torch.result_type(*theirs)), (a, b, shapes)
    for a, number, shape in itertools.product(shared, values, ((2,), ())):
        expected = torch.result_type(torch.ones(shape, dtype=getattr(torch, a.name)), number)
        assert same(dtypes.result_type(np.ones(shape, a.numpy), number), expected), (a, number, shape)
    for a, b in itertools.product(shared, shared):
        assert dtypes.can_cast(a, b) == torch.can_cast(getattr(torch, a.name), getattr(torch, b.name)), (a, b)

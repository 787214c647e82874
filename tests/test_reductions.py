"""Reductions beyond the table: accuracy, ties, zeros, PyTorch's overloads, errors."""

import math
from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu.tensor import wrap


def gradient(function, x):
    """The gradient of a number."""
    t = wrap(np.asarray(x, float)).requires_grad_()
    function(t).backward()
    return t.grad.array


@pytest.mark.parametrize(
    "shape, dim", [((300_000, 3), 0), ((3, 100_001, 2), 1), ((100_000,), 0), ((200, 70, 30), (0, 1))]
)
def test_sums_of_single_precision_are_accurate(shape: tuple, dim: object) -> None:
    x = np.random.default_rng(0).random(shape).astype(np.float32)
    exact = x.sum(axis=dim, dtype=np.float64)
    found = tg.sum(wrap(x), dim).array
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, exact, rtol=1e-6)
    np.testing.assert_allclose(tg.cumsum(wrap(x), 0).array, x.cumsum(0, dtype=np.float64), rtol=1e-6)


def test_half_precision_does_not_stop_at_2048() -> None:
    assert tg.ones(4, 3000).half().sum(1).tolist() == [3000] * 4
    assert tg.ones(3000, 4).half().sum(0).tolist() == [3000] * 4
    x = (tg.arange(3000) % 2).half() * 200
    assert (x.mean().item(), x.std(correction=0).item()) == (100, 100)
    assert x.norm().item() == pytest.approx(200 * 1500**0.5, rel=1e-3)


def test_integers_are_summed_in_64_bits() -> None:
    for dtype in (tg.uint8, tg.int32, tg.bool):
        x = tg.ones(300, dtype=dtype)
        assert (x.sum().dtype, x.sum().item()) == (tg.int64, 300)
        assert x.cumsum(0).dtype is x.prod().dtype is tg.int64


def test_variance_far_from_zero() -> None:
    x = np.random.default_rng(0).standard_normal(1000)
    assert tg.var(wrap(x + 1e8)).item() == pytest.approx(np.var(x, ddof=1), rel=1e-6)


def test_ties() -> None:
    """A reduction over all or over several dimensions shares, one along a dimension picks the first."""
    x = [[1.0, 3.0, 3.0], [3.0, 0.0, 1.0]]
    third = 1 / 3
    shared = [[0, third, third], [third, 0, 0]]
    np.testing.assert_allclose(gradient(lambda t: t.max(), x), shared)
    np.testing.assert_allclose(gradient(lambda t: t.amax(), x), shared)
    np.testing.assert_allclose(gradient(lambda t: t.amax(1).sum(), x), [[0, 0.5, 0.5], [1, 0, 0]])
    np.testing.assert_allclose(gradient(lambda t: t.max(1).values.sum(), x), [[0, 1, 0], [1, 0, 0]])
    np.testing.assert_allclose(gradient(lambda t: t.norm(math.inf), x), shared)


def test_gradients_where_there_is_no_slope() -> None:
    zero = np.zeros((2, 3))
    for p in (2, 1, 3, 1.5, 0.5, math.inf):
        assert not gradient(lambda t, p=p: t.norm(p), zero).any()
    assert not gradient(lambda t: t.std(), zero + 4).any()
    rows = gradient(lambda t: t.norm(dim=1).sum(), [[0, 0, 0], [3, 0, 4]])
    np.testing.assert_allclose(rows, [[0, 0, 0], [0.6, 0, 0.8]])


def test_infinite_terms_of_logsumexp() -> None:
    x = wrap(np.array([[-np.inf, 0.0], [-np.inf, -np.inf]])).requires_grad_()
    out = tg.logsumexp(x, 1)
    assert out.tolist() == [0, -math.inf]
    out[0].backward()
    assert x.grad.tolist() == [[0, 1], [0, 0]]
    assert tg.logsumexp(wrap(np.array([np.inf, 1.0])), 0).item() == math.inf


def test_overloads() -> None:
    x = wrap(np.array([[1.0, 5.0, 2.0], [4.0, 0.0, 3.0]]))
    values, indices = x.max(dim=1, keepdim=True)
    assert (values.tolist(), indices.tolist()) == ([[5], [4]], [[1], [0]])
    assert tg.min(x, axis=0).values.tolist() == [1, 0, 2]
    assert tg.max(x, wrap(np.array(2.5))).tolist() == [[2.5, 5, 2.5], [4, 2.5, 3]]
    assert x.var(False).item() == x.var(unbiased=False).item() == x.var(correction=0).item() == np.var(x.array)
    assert x.std(0, False).tolist() == np.std(x.array, 0).tolist()
    assert x.sum([]).item() == x.sum(dim=()).item() == x.sum(axis=(0, 1)).item() == 15
    assert x.sum(1, dtype=tg.float32).dtype is tg.float32
    assert tg.aminmax(x).max.item() == 5
    assert tg.median(x).item() == 2
    assert tg.nansum(wrap(np.array([1, np.nan, 2]))).item() == 3
    assert tg.nanmean(wrap(np.array([1, np.nan, 2]))).item() == 1.5
    assert math.isnan(tg.median(wrap(np.array([1, np.nan, 2]))).item())
    assert tg.nanmedian(wrap(np.array([1, np.nan, 2]))).item() == 1
    np.testing.assert_allclose(tg.cov(x).array, np.cov(x.array))
    np.testing.assert_allclose(tg.corrcoef(x).array, np.corrcoef(x.array))


def test_a_gradient_has_the_dtype_of_its_tensor() -> None:
    for function in (tg.sum, tg.mean, tg.prod, tg.nansum, lambda x, dtype: tg.cumsum(x, 0, dtype=dtype).sum()):
        x = tg.ones(3, requires_grad=True)
        function(x, dtype=tg.float64).backward()
        assert x.grad.dtype is tg.float32


@pytest.mark.parametrize(
    "wrong, error, text",
    [
        (lambda: tg.arange(3).mean(), RuntimeError, "floating point"),
        (lambda: tg.zeros(0).max(), RuntimeError, "numel"),
        (lambda: tg.zeros(0, 2).max(0), IndexError, "non-zero size"),
        (lambda: tg.zeros(0, 2).argmax(0), IndexError, "non-zero size"),
        (lambda: tg.zeros(2).sum(1), IndexError, "-1, 0"),
        (lambda: tg.zeros(2, 2).sum((0, 0)), RuntimeError, "dup|multiple"),
        (lambda: tg.zeros(2).max((0,)), TypeError, "int"),
        (lambda: tg.arange(3).std(), RuntimeError, "floating"),
        (lambda: tg.arange(3).norm(), RuntimeError, "floating"),
        (lambda: tg.ones(2, dtype=tg.complex64).amax(), NotImplementedError, "abs"),
    ],
)
def test_errors(wrong, error, text) -> None:
    with pytest.raises(error, match=text):
        wrong()


@pytest.mark.parametrize(
    "name, others",
    [
        ("amax", ()), ("argsort", ()), ("cat", ()), ("chunk", (2,)), ("cumsum", ()), ("diff", ()), ("kthvalue", (1,)),
        ("log_softmax", ()), ("max", ()), ("median", ()), ("repeat_interleave", (2,)), ("softmax", ()), ("sort", ()),
        ("squeeze", ()), ("stack", ()), ("sum", ()), ("tensor_split", (2,)), ("topk", (1,)), ("unbind", ()),
    ],
)  # fmt: skip
def test_axis_is_numpy_s_name_of_dim(name: str, others: tuple) -> None:
    x = tg.tensor([[3.0, 1.0, 2.0], [0.5, 4.0, 2.5]])
    given = [x, x] if name in ("cat", "stack") else x
    function, method = getattr(tg, name), getattr(x, name, None)
    expected = flat(function(given, *others, dim=1))
    assert flat(function(given, *others, axis=1)) == expected
    assert method is None or flat(method(*others, axis=1)) == expected
    with pytest.raises(TypeError):
        function(given, *others, axes=1)


def flat(answer: Any) -> list:
    return [flat(a) for a in answer] if isinstance(answer, tuple) else answer.tolist()

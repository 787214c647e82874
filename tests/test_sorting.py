"""Order beyond the table: stability, repeats, NaN, distinct elements, quantiles, histograms, differences."""

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu.tensor import wrap

nan = np.nan


def test_sort_is_stable_and_puts_nan_last() -> None:
    x = wrap(np.array([1.0, nan, 0.0, 1.0, 0.0]))
    assert tg.sort(x).indices.tolist() == [2, 4, 0, 3, 1]
    assert tg.sort(x, descending=True).indices.tolist() == [1, 0, 3, 2, 4]
    assert tg.argsort(x, descending=True, stable=True).tolist() == [1, 0, 3, 2, 4]
    assert tg.sort(x, stable=True, dim=0).values.tolist()[:4] == [0, 0, 1, 1]
    assert tg.topk(x, 2).indices.tolist()[0] == 1
    assert tg.msort(tg.tensor([[3.0, 1.0], [2.0, 5.0]])).tolist() == [[2, 1], [3, 5]]


def test_mode_of_repeats() -> None:
    x = tg.tensor([[3.0, 1.0, 3.0, 1.0, 2.0], [2.0, 2.0, 2.0, 0.0, 0.0]], requires_grad=True)
    values, indices = tg.mode(x)
    assert (values.tolist(), indices.tolist()) == ([1, 2], [3, 2])
    values.sum().backward()
    assert x.grad.tolist() == [[0, 0, 0, 1, 0], [0, 0, 1, 0, 0]]


def test_running_extremes_with_repeats_and_nan() -> None:
    values, indices = tg.cummax(tg.tensor([1.0, 3.0, 3.0, 2.0, nan, 5.0]), 0)
    assert indices.tolist() == [0, 1, 2, 2, 4, 4]
    assert values.tolist()[:4] == [1, 3, 3, 3]
    x = tg.tensor([1.0, 3.0, 2.0, 0.0], requires_grad=True)
    (tg.cummax(x, 0).values * tg.tensor([1.0, 2.0, 4.0, 8.0])).sum().backward()
    assert x.grad.tolist() == [1, 14, 0, 0]


def test_unique() -> None:
    x = tg.tensor([[2, 1, 2], [1, 1, 5]])
    elements, inverse, counts = tg.unique(x, return_inverse=True, return_counts=True)
    assert (elements.tolist(), counts.tolist()) == ([1, 2, 5], [3, 2, 1])
    assert elements[inverse].tolist() == x.tolist()
    rows, inverse = tg.unique(tg.tensor([[2, 1], [0, 3], [2, 1]]), dim=0, return_inverse=True)
    assert (rows.tolist(), inverse.tolist()) == ([[0, 3], [2, 1]], [1, 0, 1])
    elements, inverse, counts = tg.unique_consecutive(tg.tensor([1, 1, 2, 2, 2, 1]), True, True)
    assert (elements.tolist(), inverse.tolist(), counts.tolist()) == ([1, 2, 1], [0, 0, 1, 1, 1, 2], [2, 3, 1])
    assert tg.unique_consecutive(tg.tensor([[1, 1, 2], [0, 0, 2]]), dim=1).tolist() == [[1, 2], [0, 2]]
    assert tg.unique(tg.zeros(0)).shape == tg.unique_consecutive(tg.zeros(0)).shape == (0,)
    with pytest.raises(RuntimeError, match="0 sized"):
        tg.unique(tg.zeros(3, 0), dim=0)


@pytest.mark.parametrize("interpolation", ["linear", "lower", "higher", "midpoint", "nearest"])
@pytest.mark.parametrize("dim, keepdim", [(None, False), (0, False), (1, True), (None, True)])
def test_quantile(interpolation: str, dim: int | None, keepdim: bool) -> None:
    x = np.random.default_rng(0).standard_normal((5, 6))
    for q in (0.3, np.array([0.0, 0.47, 1.0])):
        found = tg.quantile(
            wrap(x), wrap(q) if isinstance(q, np.ndarray) else q, dim, keepdim, interpolation=interpolation
        )
        expected = np.quantile(x, q, axis=dim, keepdims=keepdim, method=interpolation)
        np.testing.assert_allclose(found.array, expected, rtol=1e-12)
        x_nan = np.where(x > 1, nan, x)
        found = tg.nanquantile(wrap(x_nan), 0.4, dim, keepdim, interpolation=interpolation)
        expected = np.nanquantile(x_nan, 0.4, axis=dim, keepdims=keepdim, method=interpolation)
        np.testing.assert_allclose(found.array, expected, rtol=1e-12)
    assert np.isnan(tg.quantile(wrap(np.where(x > 1, nan, x)), 0.5).item())


def test_histograms() -> None:
    x = np.random.default_rng(0).standard_normal(200)
    assert tg.histc(wrap(x), 7, -1, 2).tolist() == np.histogram(x, 7, (-1, 2))[0].tolist()
    assert tg.histc(wrap(x), 7).sum().item() == 200
    hist, edges = tg.histogram(wrap(x), 5, density=True)
    expected = np.histogram(x, 5, density=True)
    np.testing.assert_allclose(hist.array, expected[0])
    np.testing.assert_allclose(edges.array, expected[1])
    points, weight = x.reshape(100, 2), np.arange(100.0)
    hist, edges = tg.histogramdd(wrap(points), [3, 4], weight=wrap(weight))
    np.testing.assert_allclose(hist.array, np.histogramdd(points, (3, 4), weights=weight)[0])
    assert tg.bincount(tg.tensor([1, 1, 3]), tg.tensor([1, 2, 3])).tolist() == [0, 3, 0, 3]


def test_search() -> None:
    edges = tg.tensor([1.0, 3.0, 5.0])
    assert tg.bucketize(tg.tensor([0.0, 1.0, 4.0, 9.0]), edges).tolist() == [0, 0, 2, 3]
    assert tg.searchsorted(edges, 3.0, side="right").item() == 2
    assert tg.searchsorted(edges, 3.0, out_int32=True).dtype is tg.int32
    assert tg.searchsorted(tg.tensor([5.0, 1.0, 3.0]), 4.0, sorter=tg.tensor([1, 2, 0])).item() == 2
    assert tg.isin(tg.tensor([1, 2, 3]), tg.tensor([3, 1])).tolist() == [True, False, True]
    with pytest.raises(RuntimeError, match="opposites"):
        tg.searchsorted(edges, 3.0, right=True, side="left")


def test_differences_and_integrals() -> None:
    x = np.random.default_rng(0).standard_normal((4, 6))
    at = np.sort(np.random.default_rng(1).random(6))
    np.testing.assert_allclose(tg.diff(wrap(x), 2, 0).array, np.diff(x, 2, 0))
    np.testing.assert_allclose(tg.diff(wrap(x), prepend=wrap(x[:, :1])).array, np.diff(x, prepend=x[:, :1]))
    np.testing.assert_allclose(tg.trapezoid(wrap(x), wrap(at)).array, np.trapezoid(x, at))
    np.testing.assert_allclose(tg.trapezoid(wrap(x), dx=2, dim=0).array, np.trapezoid(x, dx=2, axis=0))
    np.testing.assert_allclose(tg.cumulative_trapezoid(wrap(x), wrap(at)).array[:, -1], np.trapezoid(x, at))
    for edge in (1, 2):
        found = tg.gradient(wrap(x), spacing=(2.0, wrap(at)), edge_order=edge)
        for g, expected in zip(found, np.gradient(x, 2.0, at, edge_order=edge), strict=True):
            np.testing.assert_allclose(g.array, expected)


@pytest.mark.parametrize(
    "wrong, error, text",
    [
        (lambda: tg.ones(3).topk(4), RuntimeError, "out of range"),
        (lambda: tg.ones(3).kthvalue(0), RuntimeError, "out of range"),
        (lambda: tg.ones(3).sort(1), IndexError, "-1, 0"),
        (lambda: tg.ones(3).quantile(1.5), RuntimeError, "range"),
        (lambda: tg.bincount(tg.tensor([-1])), RuntimeError, "non-negative"),
        (lambda: tg.diff(tg.tensor(1.0)), RuntimeError, "one-dimensional"),
        (lambda: tg.histc(tg.ones(3), 0), RuntimeError, "bins"),
    ],
)
def test_errors(wrong, error, text) -> None:
    with pytest.raises(error, match=text):
        wrong()

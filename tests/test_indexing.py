"""`x[...]` for reading and writing: against NumPy where the rules agree, by hand where they differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu.tensor import Tensor

A = np.arange(24.0).reshape(2, 3, 4)
BASIC = [
    0, -1, slice(1, None), (0, 1), (0, 1, 2), (..., 0), (slice(None), 1), (None, 0), (0, None), (slice(None, None, 2), ..., 1),
    (), ..., (1, slice(0, 2), slice(3, 1)), (None, ..., None), (slice(-2, None), -1, slice(None, 3)),
]  # fmt: skip
ADVANCED = [
    [0, 1], ([0, 1], [2, 0]), (slice(None), [2, 0, 2]), np.array([[0, 1], [1, 0]]), A > 5, A[..., 0] > 3, (0, A[0] > 5),
    (slice(None), np.array([True, False, True])), ([1, 0], slice(None), [3, 2]), (np.array([[0], [1]]), np.array([0, 2])),
    (..., [0, 1]), (slice(0, 1), [1, 2], None), [], True, False, (True, [0]),
]  # fmt: skip


def translated(key: Any) -> Any:
    """An index with tensors where it has arrays."""
    if isinstance(key, tuple):
        return tuple(translated(k) for k in key)
    return tg.tensor(key) if isinstance(key, np.ndarray) else key


def numpys(key: Any) -> Any:
    """An empty list selects nothing; NumPy wants to be told that it is one of integers."""
    return np.array([], int) if isinstance(key, list) and not key else key


@pytest.mark.parametrize("key", BASIC, ids=str)
def test_basic_indices_give_views(key: Any) -> None:
    x = tg.tensor(A)
    part = x[key]
    assert np.array_equal(part.array, A[key])
    assert part.array.size == 0 or np.shares_memory(part.array, x.array)


@pytest.mark.parametrize("key", ADVANCED, ids=str)
def test_other_indices_give_copies(key: Any) -> None:
    x = tg.tensor(A)
    part = x[translated(key)]
    assert np.array_equal(part.array, A[numpys(key)])
    assert not np.shares_memory(part.array, x.array)


def test_where_the_rules_are_not_numpys() -> None:
    x = tg.tensor(A)
    assert x[0, :, [0, 1]].shape == (3, 2)  # a number is taken first; NumPy counts it among the arrays
    assert x[tg.tensor(1)].shape == (3, 4)
    assert np.shares_memory(x[tg.tensor(1)].array, x.array)
    assert x[tg.tensor([1, 0], dtype=tg.uint8)].shape == (1, 3, 4)  # bytes are a mask
    assert x[[slice(0, 1)]].shape == (1, 3, 4)


@pytest.mark.parametrize("key", BASIC + ADVANCED, ids=str)
@pytest.mark.parametrize("scalar", [True, False])
def test_writing(key: Any, scalar: bool) -> None:
    x, expected, key_of_numpy = tg.tensor(A), A.copy(), numpys(key)
    value = np.asarray(7.5) if scalar else -np.arange(1.0, A[key_of_numpy].size + 1).reshape(A[key_of_numpy].shape)
    x[translated(key)] = 7.5 if scalar else tg.tensor(value)
    expected[key_of_numpy] = value
    assert np.array_equal(x.array, expected)


@pytest.mark.parametrize("key", BASIC + ADVANCED, ids=str)
def test_gradients_of_reading_and_writing(key: Any) -> None:
    weights = np.random.default_rng(0).standard_normal(A.shape)
    shape, index = A[numpys(key)].shape, translated(key)
    x = tg.tensor(A, requires_grad=True)
    value = tg.tensor(np.ones(shape), requires_grad=True)
    y = x * 2
    read = y[index].clone()
    y[index] = value
    (y * tg.tensor(weights)).sum().backward(retain_graph=True)
    untouched = np.ones(A.shape)
    untouched[numpys(key)] = 0
    assert np.allclose(x.grad.array, 2 * weights * untouched)
    assert np.allclose(value.grad.array, weights[numpys(key)])
    x.grad = None
    read.sum().backward()
    counts = np.zeros(A.shape)
    np.add.at(counts, numpys(key), 2.0)
    assert np.allclose(x.grad.array, counts)


def test_a_number_of_a_vector_can_be_written_through() -> None:
    x = tg.zeros(3)
    x[1].fill_(5)
    x[2] += 1
    assert x.tolist() == [0, 5, 1]


def test_an_index_that_is_written_later_does_not_reach_the_gradient() -> None:
    x = tg.ones(3, requires_grad=True)
    for take in (lambda i: x[i], lambda i: x.index_select(0, i), lambda i: x.take(i)):
        x.grad, index = None, tg.tensor([0, 0])
        y = take(index)
        index.add_(1)
        y.sum().backward()
        assert x.grad.tolist() == [2, 0, 0]
    index = tg.tensor([0, 0])
    y = x.gather(0, index)
    index.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_repeated_positions() -> None:
    x, i = tg.zeros(3), tg.tensor([1, 1, 2])
    assert x.index_add(0, i, tg.ones(3)).tolist() == [0, 2, 1]
    assert x.index_put((i,), tg.ones(3), accumulate=True).tolist() == [0, 2, 1]
    assert x.index_put((i,), tg.ones(3)).tolist() == [0, 1, 1]
    assert x.put(i, tg.ones(3), accumulate=True).tolist() == [0, 2, 1]
    assert x.scatter_add(0, i, tg.ones(3)).tolist() == [0, 2, 1]
    assert x.scatter(0, i, 4.0).tolist() == [0, 4, 4]
    assert x.scatter(0, i, tg.ones(3), reduce="add").tolist() == [0, 2, 1]


def test_along_a_dimension() -> None:
    x = tg.arange(6.0).reshape(2, 3)
    assert x.index_select(1, tg.tensor([2, 0])).tolist() == [[2, 0], [5, 3]]
    assert x.index_fill(1, tg.tensor([-1]), 9).tolist() == [[0, 1, 9], [3, 4, 9]]
    assert x.index_copy(0, tg.tensor([1]), tg.zeros(1, 3)).tolist() == [[0, 1, 2], [0, 0, 0]]
    assert x.take(tg.tensor([[0, -1]])).tolist() == [[0, 5]]
    assert tg.take_along_dim(x, tg.tensor([[2], [0]]), 1).tolist() == [[2], [3]]
    assert tg.take_along_dim(x, tg.tensor([4, 1])).tolist() == [4, 1]
    assert x.repeat_interleave(2, 1).tolist() == [[0, 0, 1, 1, 2, 2], [3, 3, 4, 4, 5, 5]]
    assert x.repeat_interleave(tg.tensor([2, 0]), 0).tolist() == [[0, 1, 2], [0, 1, 2]]
    assert tg.repeat_interleave(tg.tensor([1, 0, 2])).tolist() == [0, 2, 2]
    assert tg.combinations(tg.arange(3)).tolist() == [[0, 1], [0, 2], [1, 2]]


def test_masks() -> None:
    x = tg.arange(4.0)
    assert x.masked_fill(x > 1, -1).tolist() == [0, 1, -1, -1]
    assert x.masked_select(x > 1).tolist() == [2, 3]
    assert x.masked_scatter(x > 1, tg.tensor([8.0, 9.0, 10.0])).tolist() == [0, 1, 8, 9]
    assert x.nonzero().tolist() == [[1], [2], [3]]
    assert [i.tolist() for i in x.reshape(2, 2).nonzero(as_tuple=True)] == [[0, 1, 1], [1, 0, 1]]
    assert tg.argwhere(tg.tensor(1)).shape == (1, 0)
    assert tg.nn.functional.one_hot(tg.tensor([0, 2])).tolist() == [[1, 0, 0], [0, 0, 1]]


def test_in_place_forms_write_into_the_tensor() -> None:
    forms: dict[str, Callable[[Tensor], Tensor]] = {
        "masked_fill_": lambda x: x.masked_fill_(x > 1, 0),
        "index_add_": lambda x: x.index_add_(0, tg.tensor([0]), tg.ones(1)),
        "scatter_": lambda x: x.scatter_(0, tg.tensor([1]), 7.0),
        "index_put_": lambda x: x.index_put_((tg.tensor([1]),), tg.ones(1)),
        "put_": lambda x: x.put_(tg.tensor([0]), tg.ones(1)),
    }
    for name, form in forms.items():
        x = tg.arange(3.0)
        expected = form.__call__(x.clone())
        assert form(x) is x, name
        assert x.tolist() == expected.tolist()


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
def test_padding_is_numpys(mode: str) -> None:
    names = {"replicate": "edge", "circular": "wrap"}
    x = tg.tensor(A, requires_grad=True)
    out = tg.nn.functional.pad(x, (2, 1), mode)
    assert np.array_equal(out.array, np.pad(A, ((0, 0), (0, 0), (2, 1)), names.get(mode, mode)))
    out.sum().backward()
    assert x.grad.array.sum() == (24 if mode == "constant" else 42)


X = tg.zeros(2, 3)
I = tg.tensor([0])  # noqa: E741


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (IndexError, lambda: X[2]),
        (IndexError, lambda: X[0, 0, 0]),
        (IndexError, lambda: X[1.5]),
        (IndexError, lambda: X[{}]),
        (TypeError, lambda: X["a"]),
        (ValueError, lambda: X[::-1]),
        (IndexError, lambda: tg.tensor(1.0)[0]),
        (IndexError, lambda: X[tg.tensor([2])]),
        (IndexError, lambda: X[tg.tensor([1.0])]),
        (IndexError, lambda: X[tg.tensor([True])]),
        (IndexError, lambda: X[[0, 1], [0, 1, 2]]),
        (RuntimeError, lambda: X.__setitem__(0, tg.ones(2))),
        (RuntimeError, lambda: X.__setitem__(X == 0, tg.ones(5))),
        (RuntimeError, lambda: X.__setitem__(0, 1j)),
        (TypeError, lambda: X.__setitem__(0, [1, 2, 3])),
        (IndexError, lambda: X.__setitem__(5, 1)),
        (RuntimeError, lambda: X.gather(0, I)),
        (RuntimeError, lambda: X.gather(0, tg.tensor([[5]]))),
        (RuntimeError, lambda: X.gather(0, tg.tensor([[-1]]))),
        (RuntimeError, lambda: X.gather(0, tg.tensor([[1.0]]))),
        (RuntimeError, lambda: X.scatter(0, tg.tensor([[7]]), 1.0)),
        (RuntimeError, lambda: X.scatter(0, tg.tensor([[0, 0]]), tg.ones(1, 1))),
        (RuntimeError, lambda: X.scatter_reduce(0, tg.tensor([[0]]), tg.ones(1, 1), "max")),
        (IndexError, lambda: X.index_select(0, tg.tensor([9]))),
        (IndexError, lambda: X.index_select(0, tg.tensor([-1]))),
        (IndexError, lambda: X.index_select(0, tg.tensor([[0]]))),
        (IndexError, lambda: X.index_select(5, I)),
        (RuntimeError, lambda: X.index_add(0, I, tg.ones(2, 3))),
        (IndexError, lambda: X.index_copy(0, I, tg.ones(2, 3))),
        (IndexError, lambda: X.take(tg.tensor([9]))),
        (IndexError, lambda: X.put(I, tg.ones(2))),
        (RuntimeError, lambda: X.masked_fill(X, 1)),
        (RuntimeError, lambda: X.masked_select(tg.ones(5, dtype=tg.bool))),
        (RuntimeError, lambda: X.masked_scatter(X == 0, tg.ones(1))),
        (RuntimeError, lambda: X.repeat_interleave(-1)),
        (RuntimeError, lambda: tg.nn.functional.one_hot(tg.tensor([3]), 2)),
        (RuntimeError, lambda: tg.nn.functional.pad(X, (1,))),
        (NotImplementedError, lambda: tg.nn.functional.pad(X, (1, 1), "mirror")),
        (RuntimeError, lambda: tg.nn.functional.pad(X, (3, 0), "reflect")),
    ],
)
def test_errors(error: type[Exception], call: Callable) -> None:
    before = X.array.copy()
    with pytest.raises(error):
        call()
    assert np.array_equal(X.array, before)


def test_an_index_out_of_range_says_of_what_and_which_are_in_it() -> None:
    x = tg.zeros(3, 4)
    for read in (lambda: x[7], lambda: x[:, -7], lambda: x[tg.tensor([0, 7])], lambda: x.__setitem__((0, 7), 1.0)):
        with pytest.raises(IndexError, match=r"indexing float32\[3, 4\]: index -?7 is out of bounds for dimension \d"):
            read()
    with pytest.raises(IndexError, match=r"write instead: an index from -4 to 3"):
        x[0, 4]
    with pytest.raises(RuntimeError, match=r"gather\(\): index -1 is.*\n.*an index from 0 to 3"):
        x.gather(1, tg.tensor([[-1]]))
    with pytest.raises(IndexError, match=r"with size 0$"):
        x[:0][0]

"""Sparse matrices against dense ones."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import sparse

ROWS, COLUMNS, COUNT = 5, 4, 12


@pytest.fixture
def parts() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places, some of which come twice, values, and the dense matrix."""
    rng = np.random.default_rng(8)
    places = np.stack([rng.integers(0, ROWS, COUNT), rng.integers(0, COLUMNS, COUNT)])
    values = rng.standard_normal(COUNT)
    dense = np.zeros((ROWS, COLUMNS))
    for i, j, v in zip(*places, values, strict=True):
        dense[i, j] += v
    assert len({*zip(*places.tolist(), strict=True)}) < COUNT
    return places, values, dense


def close(ours: tg.Tensor, expected: np.ndarray) -> None:
    np.testing.assert_allclose(ours.detach().numpy(), expected, rtol=1e-12, atol=1e-14)


def test_parts(parts: tuple) -> None:
    places, values, dense = parts
    s = tg.sparse_coo_tensor(places, values, (ROWS, COLUMNS))
    close(s.to_dense(), dense)
    assert s.is_sparse and isinstance(s, tg.Tensor) and s.layout is tg.ops.making.sparse_coo
    assert s.shape == s.size() == (ROWS, COLUMNS) and s.size(1) == COLUMNS and s.numel() == ROWS * COLUMNS
    assert (s.dtype, s.ndim, s.sparse_dim(), s.dense_dim(), len(s)) == (tg.float64, 2, 2, 0, ROWS)
    assert s._nnz() == COUNT and not s.is_coalesced()
    with pytest.raises(RuntimeError, match="Cannot get indices on an uncoalesced tensor"):
        s.indices()
    whole = s.coalesce()
    i, j = whole.indices().numpy()
    assert list(zip(i, j, strict=True)) == sorted({*zip(*places.tolist(), strict=True)})
    close(whole.values(), dense[i, j])
    assert whole.coalesce() is whole
    assert sparse.sparse_coo_tensor(places, values).shape == tuple(places.max(1) + 1)


def test_a_dense_matrix_becomes_sparse_and_dense_again(parts: tuple) -> None:
    dense = parts[2]
    x = tg.tensor(dense, requires_grad=True)
    assert not x.is_sparse and x.to_dense() is x
    s = x.to_sparse()
    assert s.is_coalesced() and s._nnz() == np.count_nonzero(dense)
    close(s.to_dense(), dense)
    weights = np.random.standard_normal(dense.shape)
    (s.to_dense() * tg.tensor(weights)).sum().backward()
    close(x.grad, weights * (dense != 0))
    assert tg.tensor(3.0).to_sparse().to_dense().item() == 3


def test_products_and_their_gradients(parts: tuple) -> None:
    places, values, dense = parts
    v = tg.tensor(values, requires_grad=True)
    s = tg.sparse_coo_tensor(places, v, (ROWS, COLUMNS))
    d = np.random.standard_normal((COLUMNS, 3))
    x = tg.tensor(d, requires_grad=True)
    w = np.random.standard_normal((ROWS, 3))
    for product in (sparse.mm, tg.spmm, tg.mm, tg.matmul, lambda a, b: a @ b, lambda a, b: a.coalesce().mm(b)):
        v.grad = x.grad = None
        y = product(s, x)
        close(y, dense @ d)
        y.backward(tg.tensor(w))
        close(x.grad, dense.T @ w)
        close(v.grad, (w @ d.T)[tuple(places)])
    close(s @ x[:, 0], dense @ d[:, 0])
    close(tg.tensor(w).T @ s, w.T @ dense)
    close(sparse.addmm(tg.tensor(w), s, x, beta=2, alpha=0.5), 2 * w + 0.5 * dense @ d)
    assert tg.autograd.gradcheck(lambda v, x: tg.spmm(tg.sparse_coo_tensor(places, v, (ROWS, COLUMNS)), x), (v, x))
    assert tg.autograd.gradgradcheck(lambda v, x: tg.spmm(tg.sparse_coo_tensor(places, v, (ROWS, COLUMNS)), x), (v, x))


def test_arithmetic(parts: tuple) -> None:
    places, values, dense = parts
    s = tg.sparse_coo_tensor(places, values, (ROWS, COLUMNS))
    other = np.random.standard_normal((ROWS, COLUMNS)) * (np.random.random((ROWS, COLUMNS)) < 0.4)
    t = tg.tensor(other).to_sparse()
    for found, expected in [
        (s + t, dense + other), (s - t, dense - other), (s + tg.tensor(other), dense + other), (2 * s, 2 * dense),
        (tg.tensor(other) + s, dense + other), (tg.tensor(other) - s, other - dense), (s / 4, dense / 4), (-s, -dense),
        (s * t, dense * other), (s.t(), dense.T), (s.T, dense.T), (s.transpose(0, 1), dense.T), (s.add(t, alpha=3), dense + 3 * other),
    ]:  # fmt: skip
        close(found.to_dense(), expected)
    close(sparse.sum(s), dense.sum())
    close(sparse.sum(s, 1).to_dense(), dense.sum(1))
    close(s.sum([0]).to_dense(), dense.sum(0))
    assert s.float().dtype is tg.float32 and s.to(tg.float32).to_dense().dtype is tg.float32
    close(copy.deepcopy(s).to_dense(), dense)
    close(s.clone().to_dense(), dense)


def test_a_leaf_of_its_own(parts: tuple) -> None:
    places, values, _ = parts
    s = tg.sparse_coo_tensor(places, values, (ROWS, COLUMNS), requires_grad=True)
    assert s.requires_grad and s.is_leaf and s.grad is None
    (s @ tg.ones(COLUMNS, 1, dtype=tg.float64)).sum().backward()
    expected = np.zeros((ROWS, COLUMNS))
    np.add.at(expected, tuple(places), 1)
    close(s.grad.to_dense(), expected)
    assert not s.detach().requires_grad


def test_empty_and_more_dimensions() -> None:
    empty = tg.sparse_coo_tensor(np.zeros((2, 0), int), np.zeros(0), (2, 3))
    close(empty.coalesce().to_dense(), np.zeros((2, 3)))
    close(empty @ tg.ones(3, 2, dtype=tg.float64), np.zeros((2, 2)))
    assert tg.sparse_coo_tensor((2, 3)).to_dense().shape == (2, 3)
    dense = np.zeros((2, 3, 2))
    dense[1, 2, 0] = 5
    close(tg.sparse_coo_tensor([[1], [2], [0]], [5.0], (2, 3, 2)).to_dense(), dense)


def test_what_is_not_there_says_so(parts: tuple) -> None:
    places, values, _ = parts
    s = tg.sparse_coo_tensor(places, values, (ROWS, COLUMNS))
    with pytest.raises(NotImplementedError, match=r"write instead: x\.to_dense\(\)"):
        s.exp()
    with pytest.raises(NotImplementedError, match="not implemented for a sparse tensor"):
        tg.nn.functional.relu(s)
    with pytest.raises(RuntimeError, match=r"cannot be multiplied \(5x4 and 3x2\)"):
        s @ tg.ones(3, 2, dtype=tg.float64)
    with pytest.raises(RuntimeError, match="same dtype"):
        s @ tg.ones(COLUMNS, 2)
    with pytest.raises(RuntimeError, match="for dim 1, size is 2 but found index 3"):
        tg.sparse_coo_tensor([[0], [3]], [1.0], (2, 2))
    with pytest.raises(RuntimeError, match="found negative index -1 for dim 0"):
        tg.sparse_coo_tensor([[-1], [0]], [1.0], (2, 2))
    with pytest.raises(RuntimeError, match="same nnz, but got nnz from indices: 2, nnz from values: 1"):
        tg.sparse_coo_tensor([[0, 1], [0, 1]], [1.0], (2, 2))
    with pytest.raises(RuntimeError, match="number of dimensions must be sparse_dim"):
        tg.sparse_coo_tensor([[0], [0]], [1.0], (2, 2, 2))
    with pytest.raises(NotImplementedError, match="dense dimensions"):
        tg.sparse_coo_tensor([[0], [0]], [[1.0]], (2, 2, 1))


def test_printed_as_pytorch_does(parts: tuple) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is what this test compares with")
    places, values, _ = parts
    with torch.sparse.check_sparse_tensor_invariants():
        theirs = torch.sparse_coo_tensor(places, values, (ROWS, COLUMNS))
        leaf = torch.sparse_coo_tensor(places, values, (ROWS, COLUMNS), requires_grad=True)
    ours = tg.sparse_coo_tensor(places, values, (ROWS, COLUMNS))
    assert repr(ours) == repr(theirs)
    assert repr(ours.coalesce()) == repr(theirs.coalesce())
    assert repr(tg.sparse_coo_tensor(places, values, (ROWS, COLUMNS), requires_grad=True)) == repr(leaf)

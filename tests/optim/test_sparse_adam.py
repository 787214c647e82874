"""Adam for the rows that a batch has read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg


def table(t: Any, **options: Any) -> tuple[np.ndarray, Any]:
    """An embedding trained on batches that read a few of its rows each, and its optimizer."""
    layer = t.nn.Embedding(20, 3, sparse=True).double()
    with t.no_grad():
        layer.weight.copy_(t.from_numpy(np.random.default_rng(0).normal(size=(20, 3))))
    optimizer = t.optim.SparseAdam(list(layer.parameters()), **options)
    rng = np.random.default_rng(1)
    for _ in range(200):
        rows, goal = t.from_numpy(rng.integers(0, 12, (5,))), t.from_numpy(rng.normal(size=(5, 3)))
        optimizer.zero_grad()
        ((layer(rows) - goal) ** 2).sum().backward()
        optimizer.step()
    return layer.weight.detach().numpy(), optimizer


@pytest.mark.parametrize("options", [{"lr": 0.05}, {"lr": 0.01, "betas": (0.5, 0.9), "eps": 1e-3, "maximize": True}])
def test_an_embedding_is_trained_as_by_pytorch(options: dict) -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
    np.testing.assert_allclose(table(tg, **options)[0], table(torch, **options)[0], rtol=1e-10)


def test_rows_that_are_not_read_stay_and_their_means_do_not_fade() -> None:
    weight, optimizer = table(tg, lr=0.05)
    start = np.random.default_rng(0).normal(size=(20, 3))
    assert (weight[12:] == start[12:]).all() and (weight[:12] != start[:12]).all()
    p = optimizer.param_groups[0]["params"][0]
    before = optimizer.state[p]["exp_avg"].clone()
    p.grad = tg.zeros(20, 3).double()
    p.grad[3] = 1.0
    optimizer.step()
    changed = (optimizer.state[p]["exp_avg"] != before).any(1)
    assert changed.nonzero().flatten().tolist() == [3]


def test_one_step_by_hand() -> None:
    p = tg.nn.Parameter(tg.zeros(3, 2).double())
    optimizer = tg.optim.SparseAdam([p], lr=0.1)
    p.grad = tg.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, -3.0]]).double()
    optimizer.step()
    np.testing.assert_allclose(p.detach().numpy(), [[0, 0], [-0.1, 0], [0, 0.1]], atol=1e-7)


def test_what_it_refuses() -> None:
    p = tg.nn.Parameter(tg.ones(2, 2))
    for options in ({"lr": 0}, {"lr": -1.0}, {"eps": 0}, {"betas": (1.0, 0.9)}):
        with pytest.raises(ValueError, match="Invalid"):
            tg.optim.SparseAdam([p], **options)
    with pytest.raises(ValueError, match="does not support complex parameters; write Adam"):
        tg.optim.SparseAdam([tg.nn.Parameter(tg.ones(2, dtype=tg.complex64))])

"""Steps of training to be recorded, and what the tests of recorded steps ask of them."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import tinygrad_edu as torch
from tinygrad_edu import nn
from tinygrad_edu.recorded import compile

rng = np.random.default_rng(5)


def floats(*shape):
    return torch.from_numpy(rng.standard_normal(shape))


def classes(count, *shape):
    return torch.from_numpy(rng.integers(0, count, shape))


@pytest.fixture(autouse=True)
def double_precision():
    """Whoever imports it computes in double precision."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def trainer(model, optimizer, loss=nn.functional.cross_entropy):
    def step(x, y):
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        optimizer.step()
        return value

    return step


def pair(make, optimizer="SGD", **options):
    """Two equal models: one to be trained as it is, one by a recording."""
    model = make()
    twin = copy.deepcopy(model)
    optim = getattr(torch.optim, optimizer)
    options = options or {"lr": 0.1}
    return model, optim(model.parameters(), **options), twin, optim(twin.parameters(), **options)


def same(model, twin):
    for p, q in zip(model.parameters(), twin.parameters(), strict=True):
        assert np.array_equal(p.numpy(force=True), q.numpy(force=True))
        assert (p.grad is None) == (q.grad is None)
        assert p.grad is None or np.array_equal(p.grad.numpy(), q.grad.numpy())
    for a, b in zip(model.buffers(), twin.buffers(), strict=True):
        assert np.array_equal(a.numpy(), b.numpy())


def mlp():
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4), nn.Tanh(), nn.Linear(4, 3))


def replayed(step, *args, times=4):
    """A step that was recorded and is replayed now."""
    recorded = compile(step)
    for _ in range(times):
        recorded(*args)
    assert recorded.programs, recorded.why
    return recorded


def refused(step, *args, why):
    recorded = compile(step)
    for _ in range(4):
        recorded(*args)
    assert not recorded.programs
    assert why in str(recorded)

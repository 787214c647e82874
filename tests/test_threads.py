"""Threads: grad mode and anomaly mode are each thread's own, and walks do not disturb each other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

import tinygrad_edu as tg
from tinygrad_edu import autograd
from tinygrad_edu.tensor import Tensor, wrap


def together(*tasks: Callable[[], Any]) -> list[Any]:
    """The answers of tasks that run at the same time."""
    with ThreadPoolExecutor(len(tasks)) as pool:
        return [future.result(timeout=60) for future in [pool.submit(task) for task in tasks]]


def leaf(*values: float) -> Tensor:
    return wrap(np.array(values, float)).requires_grad_()


def test_a_new_thread_starts_with_recording_on() -> None:
    with tg.no_grad():
        assert together(tg.is_grad_enabled) == [True]
        assert not tg.is_grad_enabled()
    with autograd.detect_anomaly():
        assert together(autograd.is_anomaly_enabled) == [False]


def test_grad_mode_does_not_leak() -> None:
    inside, looked = threading.Event(), threading.Event()
    x = leaf(1, 2)

    def without() -> bool:
        with tg.no_grad():
            inside.set()
            looked.wait(60)
            return (x * 2).requires_grad

    def beside() -> bool:
        inside.wait(60)
        recorded = (x * 2).requires_grad
        looked.set()
        return recorded

    assert together(without, beside) == [False, True]


def test_a_walk_does_not_switch_recording_off_elsewhere() -> None:
    """A walk runs without recording; another thread, in the middle of it, records."""
    inside, looked = threading.Event(), threading.Event()
    x, y = leaf(1, 2), leaf(3, 4)

    def hook(g: Tensor) -> None:
        inside.set()
        looked.wait(60)

    x.register_hook(hook)

    def beside() -> bool:
        inside.wait(60)
        recorded = (y * 2).requires_grad
        looked.set()
        return recorded

    assert together(lambda: (x * x).sum().backward(), beside) == [None, True]
    assert x.grad.array.tolist() == [2, 4]


def train(seed: int) -> list[float]:
    """A small network's losses."""
    rng = np.random.default_rng(seed)
    x, target = wrap(rng.standard_normal((8, 4))), wrap(rng.standard_normal((8, 2)))
    weights = [wrap(rng.standard_normal(s) / 2).requires_grad_() for s in ((4, 16), (16, 2))]
    losses = []
    for _ in range(60):
        error = (x @ weights[0]).tanh() @ weights[1] - target
        loss = (error * error).mean()
        loss.backward()
        losses.append(loss.item())
        with tg.no_grad():
            for w in weights:
                w.sub_(w.grad, alpha=0.1)
                w.grad = None
    return losses


def test_separate_models_train_as_if_alone() -> None:
    alone = [train(seed) for seed in range(4)]
    assert together(*[lambda seed=seed: train(seed) for seed in range(4)]) == alone
    assert all(losses[-1] < losses[0] / 2 for losses in alone)


def test_two_walks_over_one_graph() -> None:
    """Two threads ask for gradients of one retained graph at once."""
    x = leaf(*np.linspace(0, 1, 50))
    y = x
    for _ in range(30):
        y = (y * 1.01).tanh() + x
    loss = y.sum()
    (expected,) = autograd.grad(loss, x, retain_graph=True)

    def ask() -> list[np.ndarray]:
        return [autograd.grad(loss, x, retain_graph=True)[0].array for _ in range(20)]

    for found in together(ask, ask, ask):
        for g in found:
            np.testing.assert_array_equal(g, expected.array)


def test_graph_made_in_one_thread_and_walked_in_another() -> None:
    x = leaf(1, 2)
    (loss,) = together(lambda: (x * x).sum())
    together(loss.backward)
    assert x.grad.array.tolist() == [2, 4]


def test_many_walks_into_separate_leaves() -> None:
    def run(seed: int) -> float:
        x = leaf(*np.random.default_rng(seed).standard_normal(10))
        for _ in range(200):
            (x * x).sum().backward()
        return float(np.abs(x.grad.array - 400 * x.array).max())

    assert max(together(*[lambda seed=seed: run(seed) for seed in range(4)])) < 1e-9

"""Graphs die by reference count alone, and nothing recurses: depth is limited by memory only."""

from __future__ import annotations

import gc
import sys
import tracemalloc
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import autograd
from tinygrad_edu.tensor import Tensor, wrap


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    """What is not freed by its last reference stays."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Numbers(np.ndarray):
    """An array that can be watched dying."""


def leaf(*values: float) -> Tensor:
    return wrap(np.array(values, float)).requires_grad_()


def step(x: Tensor, w: Tensor) -> Tensor:
    """Views, writes, reductions, several uses, hooks."""
    h = (x @ w).tanh() * 1
    h.mul_(h.mT.reshape(*h.shape).detach() * 0.5)
    h.register_hook(lambda g: g * 0.5)
    z = h * 1
    z.mT.add_(1)
    return (z * h).sum() + (h.exp() / h.exp().sum()).sum()


class TestFreed:
    def test_graph_and_arrays_die_with_the_result(self) -> None:
        x = leaf(1, 2)
        kept = wrap(np.ones(2).view(Numbers))
        a = x * kept
        b = a.exp()
        refs = [weakref.ref(t) for t in (kept.array, a, a.grad_fn, b, b.grad_fn, b.array)]
        del kept, a, b
        assert [r() for r in refs] == [None] * len(refs)

    def test_backward_frees_what_was_kept(self) -> None:
        x = leaf(1, 2)
        a = x * 2
        ref = weakref.ref(a.array)
        loss = (a * a).sum()
        del a
        assert ref() is not None
        loss.backward(retain_graph=True)
        assert ref() is not None
        loss.backward()
        assert ref() is None

    def test_only_what_a_rule_asks_for_is_kept(self) -> None:
        """The gradient of a sum needs neither argument; that of tanh its result, not its argument."""
        x = leaf(1, 2)
        a = x * 2
        b = a + 1
        ref = weakref.ref(a.array)
        c = b.tanh()
        refs = [ref, weakref.ref(b.array)]
        del a, b
        assert [r() for r in refs] == [None, None]
        c.sum().backward()

    def test_gradients_of_the_middle_are_not_kept(self) -> None:
        x = leaf(1, 2)
        a = x * 2
        seen = []
        a.register_hook(lambda g: seen.append(weakref.ref(g.array)))
        (a * a).sum().backward()
        assert a._grad is None and [r() for r in seen] == [None]

    def test_views_writes_and_second_derivatives(self) -> None:
        refs = []

        def run() -> None:
            x, w = wrap(np.random.rand(3, 3)), wrap(np.random.rand(3, 3)).requires_grad_()
            loss = step(x, w)
            (g,) = autograd.grad(loss, w, create_graph=True)
            (g * g).sum().backward()
            refs.extend(weakref.ref(t) for t in (w, w.grad, loss, loss.grad_fn, g, g.grad_fn))

        run()
        assert [r() for r in refs] == [None] * len(refs)

    def test_an_error_in_the_walk_leaves_nothing(self) -> None:
        refs = []

        def run() -> None:
            x = leaf(1, 2)
            y = x * 2
            refs.append(weakref.ref(y.grad_fn))
            z = y * y
            y.add_(1)
            try:
                z.sum().backward()
            except RuntimeError:
                return

        run()
        assert [r() for r in refs] == [None]


class TestNoGrowth:
    def test_a_thousand_steps(self) -> None:
        """Once Python's own caches are warm, 1,000 steps of training leave nothing behind."""
        x, w = wrap(np.random.rand(4, 4)), wrap(np.random.rand(4, 4) / 4).requires_grad_()

        def train(steps: int) -> None:
            for _ in range(steps):
                step(x, w).backward()
                with tg.no_grad():
                    w.sub_(w.grad, alpha=1e-3)
                w.grad = None

        train(1000)
        before = sys.getallocatedblocks()
        train(1000)
        assert sys.getallocatedblocks() - before < 100

    def test_a_growing_gradient_is_one_array(self) -> None:
        w = leaf(*np.ones(100))
        (w * w).sum().backward()
        grad, array = w.grad, w.grad.array
        for _ in range(10):
            (w * w).sum().backward()
        assert w.grad is grad and w.grad.array is array

    def test_peak_of_a_chain_without_kept_values(self) -> None:
        """A sum keeps nothing: a chain of 50 needs no more than a few arrays at a time."""
        x = wrap(np.ones(100_000)).requires_grad_()
        tracemalloc.start()
        y = x
        for _ in range(50):
            y = y + 1.0
        y = y.sum()
        y.backward()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 5 * x.array.nbytes


class TestDepth:
    def test_a_chain_of_a_million_nodes(self) -> None:
        x = leaf(1)
        y = x
        for _ in range(1_000_000):
            y = y + 1.0
        y.backward()
        assert y.item() == 1_000_001 and x.grad.item() == 1
        ref = weakref.ref(y.grad_fn)
        del y
        assert ref() is None

    def test_a_ladder_of_diamonds(self) -> None:
        """2 ** 20,000 ways from one end to the other, 20,000 additions."""
        x = leaf(1)
        y = x
        for _ in range(20_000):
            a, b = y * 0.25, y * 0.75
            y = a + b
        y.backward()
        assert x.grad.item() == pytest.approx(1)

    def test_chosen_inputs_and_second_derivatives_of_a_long_chain(self) -> None:
        x = leaf(0.5)
        y = x
        for _ in range(10_000):
            y = y * 1.0001
        (g,) = autograd.grad(y * y, x, create_graph=True)
        (second,) = autograd.grad(g, x)
        assert second.item() == pytest.approx(2 * 1.0001**20_000)

    def test_a_long_row_of_writes(self) -> None:
        x = leaf(1, 2)
        y = x * 1
        view = y.reshape(2, 1)
        for _ in range(2_000):
            y.mul_(1.001)
            view.mul_(1.001)
        y.sum().backward()
        np.testing.assert_allclose(x.grad.array, 1.001**4_000)

    def test_many_uses_of_one_tensor(self) -> None:
        x = leaf(1)
        total: Any = x * 0
        for _ in range(20_000):
            total = total + x
        total.backward()
        assert x.grad.item() == 20_000

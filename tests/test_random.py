"""Random draws: reproducible, of the right distribution, and with PyTorch's errors."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import random

N = 40_000  # means are then right to about 1/200


@pytest.fixture(autouse=True)
def seeded() -> None:
    tg.manual_seed(7)


DRAWS: dict[str, Callable] = {
    "rand": lambda: tg.rand(5),
    "randn": lambda: tg.randn(2, 3),
    "randint": lambda: tg.randint(3, 100, (6,)),
    "randperm": lambda: tg.randperm(20),
    "normal": lambda: tg.normal(tg.zeros(4), 2.0),
    "bernoulli": lambda: tg.bernoulli(tg.full((30,), 0.5)),
    "multinomial": lambda: tg.multinomial(tg.ones(30), 5),
    "poisson": lambda: tg.poisson(tg.full((9,), 30.0)),
    "normal_": lambda: tg.empty(3).normal_(),
    "exponential_": lambda: tg.empty(3).exponential_(),
    "random_": lambda: tg.empty(9).random_(),
}


@pytest.mark.parametrize("name", DRAWS)
def test_a_seed_repeats_the_numbers(name: str) -> None:
    tg.manual_seed(3)
    first, second = DRAWS[name](), DRAWS[name]()
    tg.manual_seed(3)
    assert np.array_equal(first.array, DRAWS[name]().array)
    assert not np.array_equal(first.array, second.array)


def test_generators_have_states_of_their_own() -> None:
    a, b = tg.Generator().manual_seed(1), tg.Generator().manual_seed(1)
    first = tg.rand(3, generator=a)
    tg.rand(3)
    assert np.array_equal(first.array, tg.rand(3, generator=b).array)
    state = a.get_state()
    assert state.dtype is tg.uint8
    following = tg.rand(3, generator=a)
    assert np.array_equal(tg.rand(3, generator=a.set_state(state)).array, following.array)
    assert a.initial_seed() == 1
    assert a.seed() == a.initial_seed() != 1


def test_the_default_state_can_be_kept_and_forked() -> None:
    state = tg.get_rng_state()
    first = tg.randn(3)
    tg.set_rng_state(state)
    with tg.random.fork_rng():
        assert np.array_equal(tg.randn(3).array, first.array)
    assert np.array_equal(tg.randn(3).array, first.array)
    assert tg.initial_seed() == 7


def test_shapes_and_dtypes() -> None:
    assert tg.rand(2, 3).shape == (2, 3)
    assert tg.rand((2, 3)).dtype is tg.float32
    assert tg.randn(2, dtype=tg.float64).dtype is tg.float64
    assert tg.randint(5, (2,)).dtype is tg.int64
    assert tg.randn_like(tg.zeros(3, dtype=tg.float16)).dtype is tg.float16
    assert tg.rand(0, 3).shape == (0, 3)
    assert tg.rand(3, requires_grad=True).requires_grad
    assert tg.randn(4, dtype=tg.complex64).dtype is tg.complex64
    assert tg.randint_like(tg.zeros(4), 3).dtype is tg.float32


MOMENTS = {
    "rand": (lambda: tg.rand(N), 0.5, 1 / 12),
    "half": (lambda: tg.rand(N, dtype=tg.float16), 0.5, 1 / 12),
    "randn": (lambda: tg.randn(N), 0, 1),
    "complex": (lambda: abs(tg.randn(N, dtype=tg.complex128)) ** 2, 1, 1),
    "randint": (lambda: tg.randint(-2, 3, (N,)), 0, 2),
    "normal": (lambda: tg.normal(tg.full((N,), 3.0), tg.full((N,), 2.0)), 3, 4),
    "bernoulli": (lambda: tg.bernoulli(tg.full((N,), 0.3)), 0.3, 0.21),
    "poisson": (lambda: tg.poisson(tg.full((N,), 4.0)), 4, 4),
    "multinomial": (lambda: tg.multinomial(tg.tensor([1.0, 0.0, 3.0]), N, replacement=True), 1.5, 0.75),
    "normal_": (lambda: tg.empty(N).normal_(1, 3), 1, 9),
    "uniform_": (lambda: tg.empty(N).uniform_(-1, 3), 1, 16 / 12),
    "bernoulli_": (lambda: tg.empty(N).bernoulli_(0.2), 0.2, 0.16),
    "exponential_": (lambda: tg.empty(N).exponential_(2), 0.5, 0.25),
    "random_": (lambda: tg.empty(N).random_(2, 5), 3, 2 / 3),
    "geometric_": (lambda: tg.empty(N).geometric_(0.5), 2, 2),
    "log_normal_": (lambda: tg.empty(N).log_normal_(0, 0.5).log(), 0, 0.25),
}


@pytest.mark.parametrize("name", MOMENTS)
def test_mean_and_variance(name: str) -> None:
    draw, mean, variance = MOMENTS[name]
    values = draw().array.astype(np.float64)
    assert abs(values.mean() - mean) < 5 * math.sqrt(variance / N)
    assert abs(values.var() - variance) < 0.06 * variance + 0.01


def test_cauchy_by_its_quartiles() -> None:
    values = tg.empty(N).cauchy_(1, 2).array
    assert np.allclose(np.quantile(values, [0.25, 0.5, 0.75]), [-1, 1, 3], atol=0.1)


def test_permutations_and_draws_without_replacement() -> None:
    assert sorted(tg.randperm(50).tolist()) == list(range(50))
    rows = tg.multinomial(tg.rand(6, 10) + 0.1, 10)
    assert all(sorted(row) == list(range(10)) for row in rows.tolist())
    assert tg.multinomial(tg.tensor([0.0, 1.0, 0.0, 2.0]), 2).array.max() == 3
    first = [tg.multinomial(tg.tensor([1.0, 3.0]), 1).item() for _ in range(2000)]
    assert abs(np.mean(first) - 0.75) < 0.05


def test_normal_numbers_that_require_a_gradient() -> None:
    x = tg.normal(2.0, 0.5, (1000, 1), requires_grad=True)
    assert x.is_leaf and x.requires_grad and abs(x.mean().item() - 2) < 0.1
    assert not tg.normal(2.0, 0.5, (2,)).requires_grad


def test_draws_into_the_graph() -> None:
    x = tg.ones(3, requires_grad=True)
    y = (x * 2).normal_()
    y.sum().backward()
    assert x.grad is not None
    assert not x.grad.array.any()
    with pytest.raises(RuntimeError, match="leaf"):
        x.uniform_()
    with tg.no_grad():
        x.uniform_(5, 6)
    assert (x.array >= 5).all()


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (RuntimeError, lambda: tg.rand(2, dtype=tg.int64)),
        (RuntimeError, lambda: tg.randint(3, 3, (2,))),
        (RuntimeError, lambda: tg.randperm(-1)),
        (RuntimeError, lambda: tg.bernoulli(tg.tensor([1.5]))),
        (RuntimeError, lambda: tg.multinomial(tg.tensor([-1.0, 2.0]), 1)),
        (RuntimeError, lambda: tg.multinomial(tg.tensor([1.0, 2.0]), 3)),
        (RuntimeError, lambda: tg.multinomial(tg.zeros(3), 1)),
        (RuntimeError, lambda: tg.poisson(tg.tensor([-1.0]))),
        (RuntimeError, lambda: tg.normal(0.0, -1.0, (2,))),
        (RuntimeError, lambda: tg.empty(2).uniform_(2, 1)),
        (RuntimeError, lambda: tg.empty(2).exponential_(0)),
        (RuntimeError, lambda: tg.empty(2).geometric_(1.5)),
        (RuntimeError, lambda: tg.empty(2, dtype=tg.int64).normal_()),
        (RuntimeError, lambda: tg.rand(2, generator=_on_gpu())),
        (TypeError, lambda: tg.rand()),
        (TypeError, lambda: tg.Generator().set_state(tg.zeros(3))),
        (RuntimeError, lambda: tg.normal(tg.zeros(2), tg.ones(3))),
        (RuntimeError, lambda: tg.randint(0, 300, (2,), dtype=tg.uint8)),
        (TypeError, lambda: tg.randint(0, 10)),
    ],
)
def test_errors(error: type[Exception], call: Callable) -> None:
    with pytest.raises(error):
        call()


def _on_gpu() -> random.Generator:
    generator = tg.Generator()
    generator.device = tg.device("cuda")
    return generator

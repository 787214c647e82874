"""What CuPy lacks of NumPy: the stand-in for a GPU refuses each of it, and operations that need it go another way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import standin

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu import random as tg_random

F = nn.functional
rng = np.random.default_rng(0)
x = rng.standard_normal((4, 5))
places = np.array([[0, 3, 3, 1, 0]])


def on_device(a: np.ndarray) -> Any:
    return standin.Array(a.copy())


# each gap, a call that the device must refuse, and operations that would like to have it
GAPS: dict[str, tuple[type, Callable[[Any], Any], list[Callable[[Any], Any]]]] = {
    "no where= in ufuncs": (
        TypeError,
        lambda a: np.log(a, where=a > 0),
        [lambda t: tg.xlogy(t, t.abs()), lambda t: tg.where(t > 0, t.abs().log(), 0.0), lambda t: tg.heaviside(t, t)],
    ),
    "no where= in reductions": (
        TypeError,
        lambda a: np.sum(a, where=a > 0),
        [lambda t: t.nansum(1), lambda t: t.nanmean(0), lambda t: t.masked_fill(t > 0, 0.0).sum(0)],
    ),
    "no initial= in reductions": (
        TypeError,
        lambda a: np.max(a, initial=0.0),
        [lambda t: t.amax(1), lambda t: t.clamp(min=0).max(), lambda t: tg.logsumexp(t, 0)],
    ),
    "no correction=": (
        TypeError,
        lambda a: np.var(a, correction=1),
        [lambda t: t.var(0, correction=2), lambda t: t.std(1), lambda t: tg.cov(t), lambda t: tg.var_mean(t)[0]],
    ),
    "no out= in einsum": (
        TypeError,
        lambda a: np.einsum("ij->i", a, out=on_device(np.zeros(4))),
        [lambda t: tg.einsum("ij,kj->ik", t, t), lambda t: F.layer_norm(t, (5,)), lambda t: tg.trace(t @ t.mT)],
    ),
    "add.at for some dtypes only": (
        TypeError,
        lambda a: np.add.at(a.astype(np.complex128), on_device(np.array([0, 0])), 1),
        [
            lambda t: t.to(tg.complex128).index_add(0, where(t), t[:5].to(tg.complex128)).real,
            lambda t: (t * 9).to(tg.int16).index_add(0, where(t)[:2], (t[:2] * 5).to(tg.int16)),
            lambda t: t.scatter_add(0, tg.tensor(places).to(t.device), t),
        ],
    ),
    "no multiply.at": (
        TypeError,
        lambda a: np.multiply.at(a, on_device(np.array([0, 0])), 2),
        [
            lambda t: t.scatter_reduce(0, tg.tensor(places).to(t.device), t[:1] + 2, "prod"),
            lambda t: t.index_reduce(0, where(t)[:3], t[:3], "prod"),
        ],
    ),
    "no repeats of different lengths": (
        ValueError,
        lambda a: np.repeat(a, on_device(np.array([1, 2, 0, 3])), 0),
        [lambda t: t.repeat_interleave(tg.tensor([1, 2, 0, 3]).to(t.device), 0)],
    ),
    "no indices in a tuple for add.at": (
        TypeError,
        lambda a: np.add.at(a, (on_device(np.array([0, 0])), on_device(np.array([1, 1]))), 1.0),
        [
            lambda t: F.grid_sample(t.reshape(1, 1, 4, 5), t.reshape(1, 2, 5, 2)).sum(),
            lambda t: t.index_put((where(t), where(t)), t[:, 0], accumulate=True),
        ],
    ),
    "no whole numbers beyond 64 bits": (
        OverflowError,
        lambda a: a / 2**70,
        [lambda t: tg.digamma(t.abs() + 1), lambda t: tg.polygamma(2, t.abs() + 1)],
    ),
    "no condition of Python's in where": (
        AttributeError,
        lambda a: np.where(True, a, 0.0),
        [lambda t: tg.lerp(t, t * 2, 0.3), lambda t: tg.lerp(t, t * 2, 0.7)],
    ),
    "no dimension 0 of a number": (
        IndexError,
        lambda a: a[0, 0].sum(0),
        [lambda t: t[0, 0].sum(0), lambda t: t[0, 0].softmax(0), lambda t: t[0, 0].amax(-1)],
    ),
    "no numbers as indices": (
        TypeError,
        lambda a: range(a[0, 0].astype(np.int64)),
        [],
    ),
    "parameters of other names, here of clip": (
        TypeError,
        lambda a: np.clip(a, min=0.0, max=1.0),
        [lambda t: t.clamp(0.0, 1.0), lambda t: F.hardtanh(t), lambda t: t.clip(max=0.5)],
    ),
}


def where(t: Any) -> Any:
    return tg.tensor([0, 3, 3, 1]).to(t.device)


@pytest.mark.parametrize("gap", GAPS)
def test_a_gap_is_refused_and_gone_around(gap: str) -> None:
    error, call, operations = GAPS[gap]
    with pytest.raises(error):
        call(on_device(x))
    for k, operation in enumerate(operations):
        expected = operation(tg.tensor(x)).numpy()
        with standin.device():
            found = operation(tg.tensor(x).to("cuda"))
            assert found.is_cuda
            np.testing.assert_allclose(found.cpu().numpy(), expected, rtol=1e-12, atol=1e-12, err_msg=f"{gap}: {k}")


# --- the generator -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def _generators(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(tg_random, "_on_gpu", {})
    with standin.device():
        yield


@pytest.mark.parametrize("name", ["normal", "permutation", "choice", "shuffle"])
def test_the_generator_lacks(name: str) -> None:
    assert name not in standin.CUPY["generator"]
    with pytest.raises(AttributeError):
        getattr(standin._Generator(0), name)


def test_draws_without_them(_generators: None) -> None:
    """Normal numbers, permutations and choices, each on the device and each distributed as it says."""
    tg.manual_seed(3)
    normal = tg.normal(2.0, 3.0, (4000,), device="cuda")
    order = tg.randperm(50, device="cuda")
    chosen = tg.multinomial(tg.tensor([0.0, 1.0, 3.0]).to("cuda"), 4000, replacement=True)
    assert normal.is_cuda and order.is_cuda and chosen.is_cuda
    normal, order, chosen = (t.cpu().numpy() for t in (normal, order, chosen))
    assert abs(normal.mean() - 2) < 0.25 and abs(normal.std() - 3) < 0.25
    assert sorted(order) == list(range(50)) and (order != np.arange(50)).any()
    shares = np.bincount(chosen, minlength=3) / 4000
    assert shares[0] == 0 and abs(shares[1] - 0.25) < 0.04


def test_seeds_begin_the_same_draws_again(_generators: None) -> None:
    first, again = [], []
    for drawn in (first, again):
        tg.cuda.manual_seed(5)
        drawn += [t.cpu().numpy() for t in (tg.randn(6, device="cuda"), tg.rand(3, device="cuda"))]
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)


# --- what the host must not notice --------------------------------------------------------------------------------------------


def test_indices_outside_wrap_in_silence_on_the_device_itself() -> None:
    """That is what the checks of `test_device_determinism.py` are for."""
    a = on_device(np.arange(3.0))
    assert a[on_device(np.array([4]))]._a.tolist() == [1.0]
    assert a.take(on_device(np.array([4])), 0)._a.tolist() == [1.0]


def test_no_cudnn() -> None:
    assert not tg.backends.cudnn.is_available() and tg.backends.cudnn.version() is None

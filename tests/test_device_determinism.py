"""What a GPU leaves open: the order of additions, and indices outside. Both can be asked to be settled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import standin

import tinygrad_edu as tg
from tinygrad_edu import devices, nn

F = nn.functional
rng = np.random.default_rng()


@pytest.fixture
def sorted_sums() -> Iterator[None]:
    tg.use_deterministic_algorithms(True)
    yield
    tg.use_deterministic_algorithms(False)


def rough(*shape: int) -> np.ndarray:
    """Numbers of very different sizes: their sum in float32 depends on the order."""
    return (rng.standard_normal(shape) * 10.0 ** rng.integers(-3, 4, shape)).astype(np.float32)


def there(x: np.ndarray, grad: bool = False) -> Any:
    return tg.tensor(x).to("cuda").requires_grad_(grad)


def scattered(x: np.ndarray, i: np.ndarray) -> Any:
    return there(np.zeros((5, 3), np.float32)).scatter_add(0, there(np.stack([i] * 3, 1)), there(x))


def index_added(x: np.ndarray, i: np.ndarray) -> Any:
    return there(np.zeros((5, 3), np.float32)).index_add(0, there(i), there(x))


def put(x: np.ndarray, i: np.ndarray) -> Any:
    return there(np.zeros((5, 3), np.float32)).index_put((there(i),), there(x), accumulate=True)


def embedded(x: np.ndarray, i: np.ndarray) -> Any:
    table = there(np.zeros((5, 3), np.float32), grad=True)
    F.embedding(there(i), table).backward(there(x))
    return table.grad


def indexed(x: np.ndarray, i: np.ndarray) -> Any:
    table = there(np.zeros((5, 3), np.float32), grad=True)
    table[there(i)].backward(there(x))
    return table.grad


SUMS = [scattered, index_added, put, embedded, indexed]


@pytest.mark.parametrize("sums", SUMS)
def test_sorted_sums_are_the_same_each_time(sums: Callable, sorted_sums: None, on_device: str) -> None:
    x, i = rough(400, 3), rng.integers(0, 4, 400)  # the last row gets nothing
    found = [sums(x, i) for _ in range(5)]
    assert standin.waits == []
    results = [t.cpu().numpy() for t in found]
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])
    exact = np.zeros((5, 3))
    np.add.at(exact, i, x.astype(np.float64))
    np.testing.assert_allclose(results[0], exact, rtol=1e-5, atol=1e-6 * np.abs(x).sum())


@pytest.mark.parametrize("sums", SUMS)
def test_otherwise_the_last_bits_vary(sums: Callable) -> None:
    """So the test above would see it: the stand-in does add in another order each time."""
    x, i = rough(400, 3), rng.integers(0, 4, 400)
    with standin.device():
        results = [sums(x, i).array._a for _ in range(5)]
    assert any((other != results[0]).any() for other in results[1:])


@pytest.mark.parametrize(
    "dtype", ["float16", "float32", "int8", "uint8", "int16", "int32", "int64", "bool", "complex64"]
)
@pytest.mark.parametrize("settled", [False, True])
def test_every_dtype_is_added(dtype: str, settled: bool, monkeypatch: pytest.MonkeyPatch, on_device: str) -> None:
    """CuPy itself adds at places in some dtypes only."""
    monkeypatch.setattr(devices, "deterministic", settled)
    values, target = rng.integers(-3, 4, 50).astype(dtype), rng.integers(0, 2, 6).astype(dtype)
    index = rng.integers(-6, 6, 50)
    expected = target.copy()
    np.add.at(expected, index, values)
    result = there(target)
    devices.scatter_add(result.array, there(index).array, there(values).array)
    np.testing.assert_array_equal(result.cpu().numpy(), expected)


def test_sorted_sums_by_several_indices_and_of_nothing(monkeypatch: pytest.MonkeyPatch, on_device: str) -> None:
    monkeypatch.setattr(devices, "deterministic", True)
    for count in (0, 1, 37):
        values, keys = rng.standard_normal((count, 4)), (rng.integers(0, 2, count), rng.integers(-3, 3, count))
        expected = rng.standard_normal((2, 3, 4))
        result = there(expected)
        np.add.at(expected, keys, values)
        devices.scatter_add(result.array, tuple(there(k).array for k in keys), there(values).array)
        np.testing.assert_allclose(result.cpu().numpy(), expected, rtol=1e-12, atol=1e-12)


def outside() -> dict[str, tuple[type, Callable[[], Any]]]:
    """Calls with an index that is outside, and PyTorch's exceptions."""
    x, far = there(np.ones((3, 3))), there(np.array([0, 5]))
    return {
        "x[i]": (IndexError, lambda: x[far]),
        "x[i] = 0": (IndexError, lambda: x.__setitem__(far, 0.0)),
        "index_select": (IndexError, lambda: x.index_select(0, far)),
        "index_add": (IndexError, lambda: x.index_add(0, far, there(np.ones((2, 3))))),
        "gather": (RuntimeError, lambda: x.gather(0, there(np.array([[0, 5, 0]])))),
        "embedding": (IndexError, lambda: F.embedding(far, x)),
        "cross_entropy": (IndexError, lambda: F.cross_entropy(x[:2], far)),
    }


@pytest.mark.parametrize(
    "name", ["x[i]", "x[i] = 0", "index_select", "index_add", "gather", "embedding", "cross_entropy"]
)
def test_an_index_outside(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """CuPy wraps it, as the host is not to wait; CUDA_LAUNCH_BLOCKING=1 says where it was."""
    with standin.device():
        error, call = outside()[name]
        call()
        assert standin.waits == []
        monkeypatch.setattr(devices, "blocking", True)
        with pytest.raises(error, match=r"\b5\b"):
            call()

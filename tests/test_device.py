"""The whole table on the strict stand-in for a GPU, and against the names and signatures of the real cupy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cupy_manifest
import numpy as np
import pytest
import standin
from table import ENTRIES, Call
from test_table import CASES, cotangents_for, draw, is_float, leaves, project, run

from tinygrad_edu import cuda, devices
from tinygrad_edu.tensor import Tensor, wrap


def to_device(value: Any, grad: bool, put: Callable = standin.Array) -> Any:
    """Arrays as leaves on the stand-in, or where `put` brings them."""
    if isinstance(value, list):
        return [to_device(v, grad, put) for v in value]
    if not isinstance(value, np.ndarray):
        return value
    t = wrap(put(value))
    return t.requires_grad_() if grad and is_float(value) else t


def host(t: Tensor) -> np.ndarray:
    assert type(t.array) is not np.ndarray, "a result has left the device"
    return t.cpu().numpy(force=True)


@pytest.mark.parametrize(("name", "k"), CASES)
def test_same_on_the_device(name: str, k: int) -> None:
    with standin.device():
        same_as_here(name, k, standin.Array)


@pytest.mark.gpu
def test_same_on_a_gpu() -> None:
    """The whole table on a real one, and the names of what differs."""
    if not devices.cuda_is_available():
        pytest.skip(cuda.why_unavailable())
    wrong = {}
    for name, k in CASES:
        try:
            same_as_here(name, k, devices.module(devices.device("cuda")).asarray)
        except Exception as error:
            wrong[f"{name}-{k}"] = f"{type(error).__name__}: {error}"[:200]
    assert not wrong, "\n".join(f"{case}: {text}" for case, text in wrong.items())


def same_as_here(name: str, k: int, put: Callable) -> None:
    """Compare an operation's results and gradients on the CPU and on a device."""
    e, sample = ENTRIES[name], draw(name, k)
    outs = run(name, [leaves(a, e.gradient) for a in sample.args], sample.options)
    args = [to_device(a, e.gradient, put) for a in sample.args]
    others = run(name, args, sample.options)
    for out, other in zip(outs, others, strict=True):
        np.testing.assert_allclose(host(other), out.array, rtol=1e-9 * e.tolerance, atol=1e-9 * e.tolerance)
    if e.gradient:
        cotangents = cotangents_for(outs, 1)
        inputs = [leaves(a, True) for a in sample.args]
        project(run(name, inputs, sample.options), cotangents).backward()
        on_device(others, cotangents, put)
        compare(inputs, args, e.tolerance)


def on_device(outs: list[Tensor], cotangents: list[np.ndarray], put: Callable) -> None:
    """The same projection as on the host, on the device."""
    total = None
    floats = [o for o in outs if o.array.dtype.kind in "fc"]
    for out, c in zip(floats, cotangents, strict=True):
        term = (out * wrap(put(c))).sum()
        term = term.real if term.is_complex() else term
        total = term if total is None else total + term
    assert total is not None
    total.backward()


def compare(inputs: Any, args: Any, tolerance: float) -> None:
    for a, b in zip(inputs, args, strict=True):
        if isinstance(a, list):
            compare(a, b, tolerance)
        elif isinstance(a, Tensor) and a.grad is not None:
            np.testing.assert_allclose(host(b.grad), a.grad.array, rtol=1e-9 * tolerance, atol=1e-9 * tolerance)


def test_the_stand_in_is_strict() -> None:
    a, b = standin.Array(np.ones(3)), np.ones(3)
    with pytest.raises(TypeError):
        a + b
    with pytest.raises(TypeError):
        b + a
    with pytest.raises(TypeError):
        np.concatenate([a, b])
    with pytest.raises(TypeError):
        np.asarray(a)
    with pytest.raises(TypeError):
        np.sum(a, where=a > 0)
    assert type((a + 1).sum()) is standin.Array


def test_the_manifest_is_that_of_cupy() -> None:
    """What the stand-in is held against is what the installed cupy says."""
    pytest.importorskip("cupy", reason="cupy is not installed: its names are not compared")
    now = cupy_manifest.described()
    if any(now[name] != standin.CUPY[name] for name in ("cupy", "numpy")):
        pytest.skip(
            f"the manifest is of cupy {standin.CUPY['cupy']} and NumPy {standin.CUPY['numpy']}: others are here"
        )
    assert now == standin.CUPY, "write python tests/cupy_manifest.py"


def test_mixing_devices_is_an_error() -> None:
    import tinygrad_edu as tg

    with standin.device():
        a, b = wrap(standin.Array(np.ones(3))), wrap(np.ones(3))
        with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device"):
            tg.add(a, b)
        number = wrap(np.asarray(2.0))
        np.testing.assert_array_equal(host(tg.mul(a, number)), 2 * np.ones(3))


def test_no_samples_are_left_out() -> None:
    assert {name for name, _ in CASES} == set(ENTRIES)
    assert all(isinstance(draw(name, k), Call) for name, k in CASES)

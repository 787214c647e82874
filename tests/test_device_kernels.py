"""The fused kernels of a GPU: they compile, and compute what their twins in NumPy do."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kernels_on_host
import numpy as np
import pytest
import standin

from tinygrad_edu import cuda, devices, optim
from tinygrad_edu.cuda import kernels
from tinygrad_edu.optim.formula import FormulaOptimizer
from tinygrad_edu.tensor import wrap

KERNELS = re.findall(r"__global__ void (\w+)\(", kernels.source("fB"))
TWINS = {
    f.__name__.strip("_"): f
    for family in ("activations", "attention", "embedding", "losses", "normalization", "pooling", "softmax")
    for f in vars(importlib.import_module(f"tinygrad_edu.ops.{family}")).values()
    if hasattr(f, "__wrapped__") and f.__name__.strip("_") in KERNELS
}
DTYPES = {"float16": 4e-3, "float32": 2e-5, "float64": 1e-13}  # and how exactly a kernel computes in them
needs_compiler = pytest.mark.skipif(
    kernels_on_host.COMPILER is None, reason="no C++ compiler to run kernels on the host"
)
rng = np.random.default_rng()


def test_every_kernel_has_a_twin() -> None:
    assert {*TWINS, optim.SGD.kernel, optim.Adam.kernel} == set(KERNELS)


@pytest.mark.parametrize("types", ["eB", "fB", "dB", "fH"])
def test_kernels_compile(types: str, tmp_path: Path) -> None:
    """By NVRTC, as on a GPU's machine, and by nvcc; neither needs a GPU."""
    text = kernels.source(types)
    compiled = [code for code in (_by_nvrtc(text), _by_nvcc(text, tmp_path)) if code]
    if not compiled:
        pytest.skip("neither NVRTC (through cupy) nor nvcc is installed: kernels are not compiled")
    for code in compiled:
        assert set(re.findall(r"\.entry (\w+)", code)) == set(KERNELS)


def _by_nvrtc(text: str) -> str:
    try:
        from cupy.cuda import nvrtc

        nvrtc.getVersion()
    except Exception:  # not there, or without the libraries it needs: cupy raises many kinds
        return ""
    folders = [Path(os.environ.get("CUDA_PATH", "/usr/local/cuda"), "include")]
    with contextlib.suppress(ImportError):
        import nvidia.cuda_runtime

        folders += [Path(place, "include") for place in nvidia.cuda_runtime.__path__]
    program = nvrtc.createProgram(text, "kernels.cu", (), ())
    found = tuple(f"-I{folder}" for folder in folders if folder.is_dir())
    nvrtc.compileProgram(program, ("--std=c++17", "--gpu-architecture=compute_80", *found))
    return nvrtc.getPTX(program).decode()


def _by_nvcc(text: str, folder: Path) -> str:
    if shutil.which("nvcc") is None:
        return ""
    (folder / "kernels.cu").write_text(text)
    command = ["nvcc", "-std=c++17", "-arch=compute_80", "-ptx", "kernels.cu", "-o", "kernels.ptx"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return (folder / "kernels.ptx").read_text()


@pytest.fixture
def on_host(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The stand-in, with kernels."""
    monkeypatch.setattr(standin._Module, "RawModule", kernels_on_host.RawModule, raising=False)
    kernels.compiled.cache_clear()
    with standin.device():
        yield
    kernels.compiled.cache_clear()


def windows(dtype: Any) -> tuple:
    """Planes, windows on them, and all that places these: kernel 3 x 2, stride 2, padding 1, dilation 1 and 2."""
    return rng.standard_normal((2, 3, 7, 6)).astype(dtype), (4, 4), (3, 2), (2, 2), (1, 1), (1, 2)


def arguments(name: str, dtype: Any) -> tuple:
    """Random arguments for a twin."""
    draw = lambda *shape: rng.standard_normal(shape).astype(dtype)  # noqa: E731
    classes = rng.integers(0, 7, 5)
    if name in ("gelu_by_erf", "gelu_by_tanh"):
        return (draw(3, 5),)
    if name == "dropped":
        return draw(3, 4, 5), rng.random((3, 4, 1)) > 0.4, 2.5
    if name == "scaled":
        return draw(2, 3, 5), draw(3), draw(3), draw(2, 3, 5)
    if name == "combined":
        return draw(4, 3, 2), draw(4, 3, 2), draw(3), draw(3), draw(3)
    if name in ("standardized", "rms_normal"):
        return draw(5, 11) * 3 + 10, 0.3
    if name in ("standardized_grad", "rms_normal_grad"):
        return draw(5, 11), *TWINS[name.removesuffix("_grad")](draw(5, 11), 1e-5)
    if name in ("softmax_along", "log_softmax_along"):
        return draw(3, 9, 2) * 5, 1
    if name in ("softmax_along_grad", "log_softmax_along_grad"):
        return draw(3, 9, 2), TWINS[name.removesuffix("_grad")](draw(3, 9, 2), 1), -2
    if name == "column_powers":
        return draw(2, 7, 5) * 5, False
    if name == "softmax_losses":
        return draw(5, 7) * 30, classes
    if name == "softmax_losses_grad":
        return *TWINS["softmax_losses"](draw(5, 7), classes)[1:], draw(5), np.asarray(draw(1)[0]), classes
    if name == "add_rows":
        return draw(2, 9, 4), rng.integers(0, 5, (2, 9)), 6
    if name == "maxima":
        return windows(dtype)
    x, size, *where = windows(dtype)
    if name == "window_sums":
        return x, size, *where[:3]
    if name == "window_shares":
        return draw(2, 3, *size), x.shape[-2:], *where[:3]
    values, taps = TWINS["maxima"](x, size, *where)
    return values, taps, x.shape[-2:], *where


@needs_compiler
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", TWINS)
def test_a_kernel_computes_what_its_twin_does(name: str, dtype: str, on_host: None) -> None:
    args = arguments(name, dtype)
    before = kernels_on_host.RawModule.launched.get(name, 0)
    exact = [a.astype(np.float64) if getattr(a, "dtype", None) == np.float16 else a for a in args]
    found = TWINS[name](*[standin.Array(a.copy()) if isinstance(a, np.ndarray) else a for a in args])
    assert kernels_on_host.RawModule.launched[name] == before + 1 and not standin.waits
    expected = TWINS[name].__wrapped__(*[a.copy() if isinstance(a, np.ndarray) else a for a in exact])
    found, expected = (f if isinstance(f, tuple) else (f,) for f in (found, expected))
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == (dtype if b.dtype.kind == "f" else b.dtype) and a.shape == b.shape
        np.testing.assert_allclose(a._a, b, rtol=DTYPES[dtype], atol=DTYPES[dtype])


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", DTYPES)
def test_kernels_on_a_gpu(dtype: str) -> None:
    if not cuda.is_available():
        pytest.skip(cuda.why_unavailable())
    put = devices.module(devices.device("cuda")).asarray
    for name, twin in TWINS.items():
        args = arguments(name, dtype)
        found = twin(*[put(a) if isinstance(a, np.ndarray) else a for a in args])
        exact = [a.astype(np.float64) if getattr(a, "dtype", None) == np.float16 else a for a in args]
        expected = twin.__wrapped__(*[a.copy() if isinstance(a, np.ndarray) else a for a in exact])
        found, expected = (f if isinstance(f, tuple) else (f,) for f in (found, expected))
        for a, b in zip(found, expected, strict=True):
            bound = 5 * DTYPES[dtype]
            np.testing.assert_allclose(a.get(), b, rtol=bound, atol=bound, err_msg=name)


@needs_compiler
def test_maxima_of_equal_and_missing_numbers(on_host: None) -> None:
    """The first of equal ones, the last nan."""
    x, *where = windows("float32")
    x = rng.choice(np.array([1.0, 2.0, np.nan], np.float32), x.shape, p=[0.45, 0.45, 0.1])
    for a, b in zip(TWINS["maxima"](standin.Array(x), *where), TWINS["maxima"](x, *where), strict=True):
        np.testing.assert_array_equal(a._a, b)


@needs_compiler
def test_taps_of_any_integers(on_host: None) -> None:
    values, taps, *where = arguments("tap_sums", "float32")
    found = [TWINS["tap_sums"](standin.Array(values), standin.Array(t), *where) for t in (taps, taps.astype(np.int64))]
    np.testing.assert_array_equal(found[0]._a, found[1]._a)


@needs_compiler
def test_softmax_along_every_dimension(on_host: None) -> None:
    """Of a number alone too, and of rows with nan and inf."""
    x = rng.standard_normal((3, 4, 5))
    x[0, 0, 0], x[1, 1, 1] = np.nan, -np.inf
    for name in ("softmax_along", "log_softmax_along"):
        for a, dim in [(x, 0), (x, 1), (x, 2), (x, -3), (np.asarray(2.0), ())]:
            g = rng.standard_normal(a.shape)
            out = TWINS[name](a, dim)
            np.testing.assert_allclose(TWINS[name](standin.Array(a.copy()), dim)._a, out, rtol=1e-13)
            back = TWINS[f"{name}_grad"](standin.Array(g.copy()), standin.Array(out.copy()), dim)._a
            np.testing.assert_allclose(back, TWINS[f"{name}_grad"](g, out, dim), rtol=1e-12, atol=1e-13)


@needs_compiler
def test_columns_of_scores_that_are_hidden(on_host: None) -> None:
    """A query that may look at nothing, beside one that may look at some keys, and one whose scores are nan."""
    scores = rng.standard_normal((2, 4, 3))
    scores[0, :, 0], scores[1, :3, 1], scores[1, 2, 2] = -np.inf, -np.inf, np.nan
    found = TWINS["column_powers"](standin.Array(scores.copy()), True)
    for a, b in zip(found, TWINS["column_powers"](scores, True), strict=True):
        np.testing.assert_allclose(a._a, b, rtol=1e-13)
    assert (found[0]._a[0, :, 0] == 0).all() and found[1]._a[0, 0] > 0


@needs_compiler
@pytest.mark.parametrize("given", [(True, False), (False, True), (False, False)])
def test_a_norm_without_weight_or_bias(given: tuple[bool, bool], on_host: None) -> None:
    x, out = rng.standard_normal((2, 3, 4)), np.empty((2, 3, 4))
    scale, shift = (rng.standard_normal(3) if one else None for one in given)
    there = [None if a is None else standin.Array(a.copy()) for a in (x, scale, shift, out)]
    found, expected = TWINS["scaled"](*there), TWINS["scaled"](x, scale, shift, out)
    np.testing.assert_allclose(found._a, expected, rtol=1e-13)


@needs_compiler
@pytest.mark.parametrize(
    ("make", "options"),
    [
        (optim.Adam, {}),
        (optim.Adam, {"weight_decay": 0.1, "amsgrad": True, "maximize": True}),
        (optim.AdamW, {"weight_decay": 0.2, "betas": (0.8, 0.99)}),
        (optim.SGD, {}),
        (optim.SGD, {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1, "maximize": True}),
        (optim.SGD, {"momentum": 0.8, "nesterov": True}),
    ],
)
def test_an_optimizer_steps_all_parameters_in_one_launch(
    make: Callable, options: dict[str, Any], on_host: None
) -> None:
    values = [rng.standard_normal(shape).astype(np.float32) for shape in ((3, 4), (5,), (), (2, 1, 3))]
    here = [wrap(v.copy()).requires_grad_() for v in values]
    there = [wrap(standin.Array(v.copy())).requires_grad_() for v in values]
    optimizers = [make(params, lr=0.05, **options) for params in (here, there)]
    kernels_on_host.RawModule.launched.clear()
    for _ in range(4):
        for p, q in zip(here, there, strict=True):
            g = rng.standard_normal(p.shape).astype(np.float32)
            p.grad, q.grad = wrap(g), wrap(standin.Array(g.copy()))
        standin.waits.clear()
        for optimizer in optimizers:
            optimizer.step()
        assert standin.waits == []
    assert kernels_on_host.RawModule.launched == {make.kernel: 4}
    for p, q in zip(here, there, strict=True):
        np.testing.assert_allclose(q.array._a, p.array, rtol=1e-5, atol=1e-6)
        for name, own in optimizers[0].state[p].items():
            other = optimizers[1].state[q][name].array
            np.testing.assert_allclose(getattr(other, "_a", other), own.array, rtol=1e-5, atol=1e-6)


@needs_compiler
def test_parameters_at_different_steps_go_one_by_one(on_host: None) -> None:
    kernels_on_host.RawModule.launched.clear()
    there = [wrap(standin.Array(np.ones(2, np.float32))).requires_grad_() for _ in range(2)]
    optimizer = optim.Adam(there, lr=0.1)
    for present in (there[:1], there):
        for p in present:
            p.grad = wrap(standin.Array(np.ones(2, np.float32)))
        optimizer.step()
    assert kernels_on_host.RawModule.launched == {"adam": 1}
    np.testing.assert_allclose([p.array._a[0] for p in there], [0.8, 0.9], rtol=1e-5)


def test_without_kernels_the_twins_are_taken() -> None:
    with standin.device():
        x = standin.Array(rng.standard_normal((3, 4)))
        assert devices.kernel_for("standardized", x) is None
        np.testing.assert_allclose(TWINS["standardized"](x, 0.0)[0]._a.std(1), 1)


@needs_compiler
def test_sums_in_an_order_take_no_kernel_whose_order_is_open(on_host: None, monkeypatch: pytest.MonkeyPatch) -> None:
    x = standin.Array(np.ones((2, 3)))
    assert devices.kernel_for("add_rows", x) is not None
    monkeypatch.setattr(devices, "deterministic", True)
    assert devices.kernel_for("add_rows", x) is None and devices.kernel_for("standardized", x) is not None


def test_only_formulas_name_a_kernel() -> None:
    named = {c.__name__ for c in FormulaOptimizer.__subclasses__() if c.kernel}
    assert named == {"Adam", "SGD"}

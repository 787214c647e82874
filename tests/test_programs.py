"""Programs written for PyTorch, unchanged, on this engine: and with PyTorch's own numbers, where it is installed."""

from __future__ import annotations

import importlib.util
import pkgutil
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import programs
import pytest

import tinygrad_edu as tg

FOLDER = Path(programs.__file__).parent
NAMES = sorted(module.name for module in pkgutil.iter_modules([str(FOLDER)]))


def load(name: str) -> ModuleType:
    """The program's file as a fresh module, importing whatever answers to `torch` now."""
    spec = importlib.util.spec_from_file_location(f"program_{name}", FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def state_of(model: Any) -> dict[str, np.ndarray]:
    """All parameters and buffers of a model as arrays of their own."""
    tensors = model if isinstance(model, dict) else model.state_dict()
    return {name: np.array(t.detach().cpu().numpy()) for name, t in tensors.items()}


def put(model: Any, state: dict[str, np.ndarray], torch: Any) -> None:
    """Start a model from the state of another."""
    if isinstance(model, dict):
        with torch.no_grad():
            for name, t in model.items():
                t.copy_(torch.tensor(state[name]))
    else:
        model.load_state_dict({name: torch.tensor(a) for name, a in state.items()})


def numbers(value: Any) -> np.ndarray:
    """What a program returns, flat."""
    if isinstance(value, (list, tuple)):
        return np.concatenate([numbers(v) for v in value]) if value else np.zeros(0)
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    return np.asarray(value, np.float64).reshape(-1)


def run_here(name: str, start: dict[str, np.ndarray] | None) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The program on this engine, in double precision: what it returns, and the state it ends in."""
    with tg.install_as_torch():
        tg.set_default_dtype(tg.float64)
        try:
            program = load(name)
            model = program.model()
            if start is not None:
                put(model, start, tg)
            return numbers(program.train(model)), state_of(model)
        finally:
            tg.set_default_dtype(tg.float32)


@pytest.mark.parametrize("name", NAMES)
def test_program_runs(name: str) -> None:
    """It runs to its end, with finite numbers, the same in a second run."""
    found, state = run_here(name, None)
    again, _ = run_here(name, None)
    assert len(found) and np.isfinite(found).all()
    assert all(np.isfinite(a).all() for a in state.values() if a.dtype.kind == "f")
    np.testing.assert_array_equal(found, again)


@pytest.mark.filterwarnings("ignore:enable_nested_tensor:UserWarning", "ignore:Sparse invariant:UserWarning")
@pytest.mark.parametrize("name", NAMES)
def test_program_gives_pytorch_s_numbers(name: str) -> None:
    """From the same initial state: the same losses, predictions and final state, to 1e-8."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: programs are not compared with it")
    torch.set_default_dtype(torch.float64)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch's own, about its speed and its sparse tensors
            program = load(name)
            model = program.model()
            start = state_of(model)
            expected, end = numbers(program.train(model)), state_of(model)
    finally:
        torch.set_default_dtype(torch.float32)
    found, state = run_here(name, start)
    assert state.keys() == end.keys()
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)
    for key in end:
        np.testing.assert_allclose(state[key], end[key], rtol=1e-8, atol=1e-8, err_msg=key)

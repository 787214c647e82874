"""`cuda.why_unavailable()`: which part is missing between the program and a GPU, and what to install."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import metadata
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import cuda, devices


def raising(text: str) -> Callable:
    def call() -> None:
        raise OSError(text)

    return call


def machine(
    monkeypatch: pytest.MonkeyPatch, wheels: tuple[str, ...] = (), count: Any = None, nvrtc: Any = None
) -> None:
    """A machine with these wheels, GPUs and libraries; without a count, cupy cannot be imported."""
    monkeypatch.delitem(devices._modules, "cuda", raising=False)

    def version(name: str) -> str:
        if name not in wheels:
            raise metadata.PackageNotFoundError(name)
        return "14.0"

    monkeypatch.setattr(metadata, "version", version)
    cupy = SimpleNamespace(
        ndarray=np.ndarray,
        cuda=SimpleNamespace(
            runtime=SimpleNamespace(getDeviceCount=count if callable(count) else lambda: count),
            nvrtc=SimpleNamespace(getVersion=nvrtc or (lambda: (12, 9))),
        ),
    )
    monkeypatch.setitem(sys.modules, "cupy", None if count is None else cupy)


CASES: dict[str, tuple[dict[str, Any], str]] = {
    "no cupy": ({}, r"cupy cannot be imported.*tinygrad_edu\[cuda12\].*tinygrad_edu\[cuda13\]"),
    "two wheels": (
        {"wheels": ("cupy-cuda12x", "cupy-cuda13x"), "count": 1},
        "cupy-cuda12x and cupy-cuda13x are installed together.*pip uninstall cupy-cuda12x cupy-cuda13x",
    ),
    "no driver": (
        {"wheels": ("cupy-cuda12x",), "count": raising("cudaErrorInsufficientDriver")},
        "no NVIDIA driver answers",
    ),
    "no device": ({"wheels": ("cupy-cuda12x",), "count": 0}, "the driver finds no GPU"),
    "no toolkit": (
        {"wheels": ("cupy-cuda13x",), "count": 1, "nvrtc": raising("libnvrtc.so.13")},
        r"libraries are not found.*pip install 'cupy-cuda13x\[ctk\]'",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_reason_is_told(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parts, reason = CASES[case]
    machine(monkeypatch, **parts)
    assert cuda.is_available() is False and cuda.device_count() == 0
    with pytest.raises(RuntimeError, match=reason):
        tg.zeros(2, device="cuda")
    assert "\n" not in cuda.why_unavailable()


def test_nothing_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, ("cupy-cuda12x",), count=2)
    assert cuda.is_available() and cuda.why_unavailable() == "" and cuda.device_count() == 2
    devices._modules.pop("cuda")


def test_the_names_are_there() -> None:
    wanted = """is_available device_count current_device device synchronize Stream Event memory_allocated
    max_memory_allocated reset_peak_memory_stats empty_cache mem_get_info manual_seed why_unavailable"""
    assert [name for name in wanted.split() if not callable(getattr(cuda, name, None))] == []


@pytest.mark.parametrize("ask", [tg.zeros, tg.randn, lambda n: tg.ones(10**7, 1) * tg.ones(10**8)])
def test_out_of_memory_is_pytorchs_error_and_the_process_goes_on(ask: Callable) -> None:
    with pytest.raises(cuda.OutOfMemoryError, match="out of memory"):
        ask(10**15)
    assert tg.zeros(2).sum().item() == 0

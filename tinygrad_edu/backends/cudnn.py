"""NVIDIA's library for networks, which is not used here."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

enabled = True
benchmark = False
benchmark_limit = 10
deterministic = False
allow_tf32 = True


def is_available() -> bool:
    """Whether the library is used."""
    return False


def version() -> int | None:
    """The library's version: there is none."""
    return None


def is_acceptable(tensor: Any) -> bool:
    """Whether the library would take a tensor."""
    return False


@contextlib.contextmanager
def flags(
    enabled: bool = False,
    benchmark: bool = False,
    benchmark_limit: int = 10,
    deterministic: bool = False,
    allow_tf32: bool = True,
    fp32_precision: str = "none",
) -> Iterator[None]:
    """Other flags inside a block."""
    inside = {
        "enabled": enabled, "benchmark": benchmark, "benchmark_limit": benchmark_limit,
        "deterministic": deterministic, "allow_tf32": allow_tf32,
    }  # fmt: skip
    names = globals()
    before = {name: names[name] for name in inside}
    names.update(inside)
    try:
        yield
    finally:
        names.update(before)

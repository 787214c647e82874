"""The accelerator, whatever it is: a GPU of NVIDIA's, or none."""

from __future__ import annotations

from typing import Any

from . import cuda, devices
from .cuda import current_device as current_device_index
from .cuda import (
    device_count,
    empty_cache,
    max_memory_allocated,
    max_memory_reserved,
    memory_allocated,
    memory_reserved,
    memory_stats,
    reset_peak_memory_stats,
    synchronize,
)
from .cuda import set_device as set_device_index


def is_available() -> bool:
    """Whether there is one."""
    return cuda.is_available()


def current_accelerator(check_available: bool = False) -> devices.device | None:
    """Its kind, None where there is none."""
    return devices.device("cuda") if cuda.is_available() else None


def current_stream(device: Any = None) -> Any:
    """The stream into which work goes now."""
    return cuda.current_stream(device)


current_device_idx, set_device_idx = current_device_index, set_device_index

__all__ = [
    "current_accelerator",
    "current_device_idx",
    "current_device_index",
    "current_stream",
    "device_count",
    "empty_cache",
    "is_available",
    "max_memory_allocated",
    "max_memory_reserved",
    "memory_allocated",
    "memory_reserved",
    "memory_stats",
    "reset_peak_memory_stats",
    "set_device_idx",
    "set_device_index",
    "synchronize",
]

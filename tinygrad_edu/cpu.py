"""The processor, with the names that devices have."""

from __future__ import annotations

from typing import Any

from . import amp


def is_available() -> bool:
    """Whether there is one."""
    return True


def device_count() -> int:
    """All processors are one device."""
    return 1


def current_device() -> str:
    """Its name."""
    return "cpu"


def synchronize(device: Any = None) -> None:
    """Operations are done when they return."""


__all__ = ["amp", "current_device", "device_count", "is_available", "synchronize"]

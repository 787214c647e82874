"""Memory formats: there is one, so these leave everything as it is."""

from __future__ import annotations

from typing import Any

from ..modules.module import Module

__all__ = ["convert_conv2d_weight_memory_format", "convert_conv3d_weight_memory_format"]


def _module(value: Any) -> Module:
    if not isinstance(value, Module):
        raise TypeError(f"memory formats are those of a Module, not of {type(value).__name__}")
    return value


def convert_conv2d_weight_memory_format(module: Module, memory_format: Any) -> Module:
    """Nothing to do: kept for programs that call it."""
    return _module(module)


def convert_conv3d_weight_memory_format(module: Module, memory_format: Any) -> Module:
    """Nothing to do: kept for programs that call it."""
    return _module(module)

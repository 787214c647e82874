"""`torch.fx`, as far as programs need it that are not traced: the mark on functions that a trace leaves whole."""

from __future__ import annotations

from collections.abc import Callable


def wrap(fn_or_name: str | Callable) -> str | Callable:
    """What is given: nothing is traced here, so that there is nothing to leave whole."""
    if not isinstance(fn_or_name, str) and not callable(fn_or_name):
        raise RuntimeError(f"fx.wrap: expected a function or its name, but got {type(fn_or_name).__name__}")
    return fn_or_name


__all__ = ["wrap"]

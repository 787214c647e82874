"""`torch.compile`, which records steps, and its switches, of which most have nothing to switch here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .recorded import compile as compile


def disable(fn: Callable | None = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """Mark a function that is not to be compiled: it runs as it is."""
    return (lambda f: f) if fn is None else fn


def allow_in_graph(fn: Any) -> Any:
    """The function itself."""
    return fn


def assume_constant_result(fn: Any) -> Any:
    """The function itself."""
    return fn


def is_compiling() -> bool:
    """Whether a compiler reads this: never."""
    return False


def is_exporting() -> bool:
    """Whether the program is being exported: never."""
    return False


def reset() -> None:
    """Forget what was compiled: nothing was."""


def set_stance(stance: str = "default", **further: Any) -> None:
    """Noted: nothing is compiled."""


def cudagraph_mark_step_begin() -> None:
    """Noted: GPU work is not recorded into graphs."""


def list_backends(exclude_tags: Any = ()) -> list[str]:
    """There is no compiler."""
    return []


is_dynamo_compiling = is_compiling

__all__ = """
allow_in_graph assume_constant_result compile cudagraph_mark_step_begin disable is_compiling is_dynamo_compiling
is_exporting list_backends reset set_stance
""".split()

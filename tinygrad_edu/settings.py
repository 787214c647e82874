"""Switches that PyTorch has and programs turn: noted, and told when asked, where there is nothing to switch."""

from __future__ import annotations

from typing import Any

from . import devices

_state: dict[str, Any] = {"precision": "highest", "deterministic": False, "warn_only": False, "warn_always": False}


def set_float32_matmul_precision(precision: str) -> None:
    """Below "highest", a GPU may round float32 to TF32 before it multiplies; a CPU computes in float32 in any case."""
    if precision not in ("highest", "high", "medium"):
        raise RuntimeError(f"set_float32_matmul_precision: {precision!r} is none of 'highest', 'high', 'medium'")
    devices.set_products("DEFAULT" if precision == "highest" else "TF32")
    _state["precision"] = precision


def get_float32_matmul_precision() -> str:
    """What the program has set, here or by `backends.cuda.matmul.allow_tf32`."""
    if devices.products == "DEFAULT":
        return "highest"
    return _state["precision"] if _state["precision"] != "highest" else "high"


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """The same program gives the same numbers: on a CPU in any case, on a GPU by sums that are sorted first."""
    _state.update(deterministic=bool(mode), warn_only=warn_only)
    devices.deterministic = bool(mode)


def are_deterministic_algorithms_enabled() -> bool:
    """What the program has set."""
    return _state["deterministic"]


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """What the program has set."""
    return _state["warn_only"]


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """`use_deterministic_algorithms` by a number or a word."""
    level = {"default": 0, "warn": 1, "error": 2}.get(debug_mode, debug_mode)  # type: ignore[arg-type]
    if level not in (0, 1, 2):
        raise RuntimeError(f"set_deterministic_debug_mode: {debug_mode!r} is none of 'default', 'warn', 'error'")
    use_deterministic_algorithms(level != 0, warn_only=level == 1)


def get_deterministic_debug_mode() -> int:
    """What the program has set, as a number."""
    return 0 if not _state["deterministic"] else 1 if _state["warn_only"] else 2


def set_warn_always(b: bool) -> None:
    """Noted: Python's own `warnings` decides how often."""
    _state["warn_always"] = b


def is_warn_always_enabled() -> bool:
    """What the program has set."""
    return _state["warn_always"]


def set_flush_denormal(mode: bool) -> bool:
    """Whether the smallest numbers can be taken for 0: NumPy computes with them."""
    return not mode


def _assert(condition: Any, message: str) -> None:
    """An `assert` that PyTorch's compiler can read."""
    assert condition, message


__all__ = """
_assert are_deterministic_algorithms_enabled get_deterministic_debug_mode get_float32_matmul_precision
is_deterministic_algorithms_warn_only_enabled is_warn_always_enabled set_deterministic_debug_mode
set_float32_matmul_precision set_flush_denormal set_warn_always use_deterministic_algorithms
""".split()

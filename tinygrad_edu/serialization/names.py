"""What PyTorch's files call things, and what the user has said may be in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .. import dtypes
from ..storage import Storage, in_memory

# PyTorch's classes of typed memory; a file names one for each piece of memory
OF_STORAGE: dict[str, dtypes.dtype] = {
    "BoolStorage": dtypes.bool_,
    "ByteStorage": dtypes.uint8,
    "CharStorage": dtypes.int8,
    "ShortStorage": dtypes.int16,
    "IntStorage": dtypes.int32,
    "LongStorage": dtypes.int64,
    "HalfStorage": dtypes.float16,
    "FloatStorage": dtypes.float32,
    "DoubleStorage": dtypes.float64,
    "ComplexFloatStorage": dtypes.complex64,
    "ComplexDoubleStorage": dtypes.complex128,
}
TO_STORAGE = {dtype: name for name, dtype in OF_STORAGE.items()}


READABLE = {**OF_STORAGE, "BFloat16Storage": dtypes.bfloat16, "UntypedStorage": dtypes.uint8}


# --- what else a file may name --------------------------------------------------------------------------------------

_safe: dict[str, Any] = {}


def full_name(each: Any) -> str:
    """Module and name of a class or function."""
    return f"{each.__module__}.{each.__qualname__}"


def add_safe_globals(safe_globals: Iterable[Any]) -> None:
    """Let `load` make these classes and call these functions; a pair gives the name that files use for one."""
    for each in safe_globals:
        if isinstance(each, tuple):
            _safe[each[1]] = each[0]
        else:
            _safe[full_name(each)] = each


def get_safe_globals() -> list[Any]:
    """What `load` was told to trust."""
    return list(_safe.values())


def clear_safe_globals() -> None:
    """Trust nothing but PyTorch's own types again."""
    _safe.clear()


class safe_globals:
    """Inside the block `load` may make these classes and call these functions."""

    def __init__(self, safe_globals: Iterable[Any]) -> None:
        self.given = list(safe_globals)

    def __enter__(self) -> None:
        self.before = dict(_safe)
        add_safe_globals(self.given)

    def __exit__(self, *error: object) -> None:
        _safe.clear()
        _safe.update(self.before)


def trusted() -> Iterator[tuple[str, Any]]:
    """What the user has added, by name."""
    return iter(_safe.items())


__all__ = [
    "OF_STORAGE",
    "TO_STORAGE",
    "Storage",
    "add_safe_globals",
    "clear_safe_globals",
    "get_safe_globals",
    "in_memory",
    "safe_globals",
]

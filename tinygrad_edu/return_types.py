"""What operations with several results return: tuples with names, which print, unpack and travel as PyTorch's do."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

_made: dict[tuple[str, str], type] = {}
# operations whose results PyTorch calls by the longer name
_LINALG = {"cholesky_ex", "eig", "eigh", "inv_ex", "lstsq", "lu_factor", "lu_factor_ex", "qr", "slogdet", "solve_ex"}


def named(name: str, fields: str) -> Any:
    """The class of an operation's results, one for each name and set of fields."""
    if (name, fields) not in _made:
        full = f"linalg_{name}" if name in _LINALG or fields == "U S Vh" else name
        members = {"__slots__": (), "__repr__": _text, "__reduce__": _reduced, "__module__": "torch.return_types"}
        made: Any = type(full, (namedtuple(full, fields),), members)  # type: ignore[misc]
        made.origin = name, fields
        _made[name, fields] = made
    return _made[name, fields]


def _text(self: Any) -> str:
    lines = ",\n".join(f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
    return f"torch.return_types.{type(self).__name__}(\n{lines})"


def _reduced(self: Any) -> tuple:
    return _rebuilt, (*self.origin, tuple(self))


def _rebuilt(name: str, fields: str, values: tuple) -> Any:
    return named(name, fields)(*values)


def __getattr__(name: str) -> Any:
    found = next((made for made in _made.values() if made.__name__ == name), None)
    if found is None:
        raise AttributeError(f"module 'torch.return_types' has no attribute {name!r}: no operation has returned it yet")
    return found


__all__ = ["named"]

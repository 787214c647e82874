"""Memory handed over between libraries."""

from __future__ import annotations

from typing import Any

from ..ops import from_dlpack
from ..tensor import Tensor


def to_dlpack(tensor: Tensor) -> Any:
    """A capsule that other libraries can read."""
    return tensor.__dlpack__()


__all__ = ["from_dlpack", "to_dlpack"]

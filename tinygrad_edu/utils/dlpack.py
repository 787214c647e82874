"""Memory handed over between libraries, also by capsules, as the protocol's first version has it."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..tensor import Tensor


class _Holder:
    """A capsule of memory on the CPU, in the form in which NumPy asks for it."""

    def __init__(self, capsule: Any) -> None:
        self.capsule = capsule

    def __dlpack__(self, **options: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0


def to_dlpack(tensor: Tensor) -> Any:
    """A capsule that other libraries can read, once."""
    return tensor.__dlpack__()


def from_dlpack(ext_tensor: Any) -> Tensor:
    """A tensor over another library's memory, from its array or from a capsule."""
    return ops.from_dlpack(ext_tensor if hasattr(ext_tensor, "__dlpack__") else _Holder(ext_tensor))


__all__ = ["from_dlpack", "to_dlpack"]

"""Padding: more elements around the input."""

from __future__ import annotations

from typing import ClassVar

from ...errors import message
from ...ops.windows import Each
from ...tensor import Tensor
from .. import functional as F
from .module import Module
from .utils import _ntuple

__all__ = [
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
]


class _PadNd(Module):
    """Widths before and behind each of the last `_dims` dimensions, the last one first."""

    _dims: ClassVar[int]
    _mode: ClassVar[str]

    def __init__(self, padding: Each) -> None:
        super().__init__()
        self.padding = _ntuple(2 * self._dims, "widths")(padding)

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self._mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


# --- one value -------------------------------------------------------------------------------------------------------


class _ConstantPadNd(_PadNd):
    _mode = "constant"

    def __init__(self, padding: Each, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPadNd):
    """One value around the last dimension: (left, right)."""

    _dims = 1


class ConstantPad2d(_ConstantPadNd):
    """One value around a plane: (left, right, top, bottom)."""

    _dims = 2


class ConstantPad3d(_ConstantPadNd):
    """One value around a space: (left, right, top, bottom, front, back)."""

    _dims = 3


class _ZeroPadNd(_ConstantPadNd):
    def __init__(self, padding: Each) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad1d(_ZeroPadNd, ConstantPad1d):
    """Zeros around the last dimension: (left, right)."""


class ZeroPad2d(_ZeroPadNd, ConstantPad2d):
    """Zeros around a plane: (left, right, top, bottom)."""


class ZeroPad3d(_ZeroPadNd, ConstantPad3d):
    """Zeros around a space: (left, right, top, bottom, front, back)."""


# --- the input's own elements ----------------------------------------------------------------------------------------


class _ReflectionPadNd(_PadNd):
    _mode = "reflect"


class ReflectionPad1d(_ReflectionPadNd):
    """The input mirrored at both ends of the last dimension; the end itself is not repeated."""

    _dims = 1


class ReflectionPad2d(_ReflectionPadNd):
    """The input mirrored at the edges of a plane; the edge itself is not repeated."""

    _dims = 2


class ReflectionPad3d(_ReflectionPadNd):
    """The input mirrored at the faces of a space; the face itself is not repeated."""

    _dims = 3


class _ReplicationPadNd(_PadNd):
    _mode = "replicate"


class ReplicationPad1d(_ReplicationPadNd):
    """The first and the last element of the last dimension repeated."""

    _dims = 1


class ReplicationPad2d(_ReplicationPadNd):
    """The edges of a plane repeated."""

    _dims = 2


class ReplicationPad3d(_ReplicationPadNd):
    """The faces of a space repeated."""

    _dims = 3


class _CircularPadNd(_PadNd):
    _mode = "circular"

    def forward(self, input: Tensor) -> Tensor:
        if input.dim() not in (self._dims + 1, self._dims + 2):
            wrong = f"expected {self._dims + 1}D or {self._dims + 2}D input (got {input.dim()}D input)"
            raise ValueError(message(type(self).__name__, wrong))
        return super().forward(input)


class CircularPad1d(_CircularPadNd):
    """The last dimension continued from its other end."""

    _dims = 1


class CircularPad2d(_CircularPadNd):
    """A plane continued from its other edges."""

    _dims = 2


class CircularPad3d(_CircularPadNd):
    """A space continued from its other faces."""

    _dims = 3

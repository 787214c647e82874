"""Names for annotations."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any, TypeAlias, Union

from .devices import device as _device
from .holder import Size
from .tensor import Tensor

Number: TypeAlias = Union[builtins.int, builtins.float, builtins.bool]  # noqa: UP007 - programs ask for its members
Device: TypeAlias = Union[_device, str, builtins.int, None]  # noqa: UP007
_TensorOrTensors: TypeAlias = Union[Tensor, Sequence[Tensor]]  # noqa: UP007
_size: TypeAlias = Union[Size, list[builtins.int], tuple[builtins.int, ...]]  # noqa: UP007
_int, _float, _bool = builtins.int, builtins.float, builtins.bool
Storage: TypeAlias = Any
FileLike: TypeAlias = Any

__all__ = ["Device", "FileLike", "Number", "Size", "Storage", "Tensor"]

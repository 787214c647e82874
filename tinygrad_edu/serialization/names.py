"""What PyTorch's files call things, and the memory that tensors in a file share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from .. import devices, dtypes

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


class Brain:
    """The type bfloat16, which NumPy has not: such memory is read as float32, which holds every value of it."""

    itemsize = 2
    numpy = np.dtype(np.uint16)

    def __repr__(self) -> str:
        return "torch.bfloat16"


BFLOAT16 = Brain()
READABLE: dict[str, Any] = {**OF_STORAGE, "BFloat16Storage": BFLOAT16, "UntypedStorage": dtypes.uint8}


class Storage:
    """A piece of memory that tensors of a file are views of."""

    __slots__ = ("_bytes", "dtype", "location", "typed")

    def __init__(self, memory: Any, dtype: Any, location: str) -> None:
        self._bytes, self.dtype, self.location = memory, dtype, location
        self.typed: dict[Any, Any] = {}  # its memory as arrays of a type, made once so that tensors share them

    def nbytes(self) -> int:
        """Its size in bytes."""
        return self._bytes.size

    def size(self) -> int:
        """Its length in elements."""
        return self._bytes.size // self.dtype.itemsize

    __len__ = size

    @property
    def device(self) -> devices.device:
        """Where it is."""
        return devices.of(self._bytes)

    def to(self, device: Any) -> Storage:
        """The same values on a device."""
        place = devices.as_device(device)
        return Storage(devices.move(self._bytes, place), self.dtype, str(place))

    def cpu(self) -> Storage:
        """The same values in the computer's own memory."""
        return self.to("cpu")

    def cuda(self, device: Any = None) -> Storage:
        """The same values on a GPU."""
        return self.to(devices.device("cuda", device) if device is None or isinstance(device, int) else device)

    def elements(self, dtype: Any) -> Any:
        """All of it as a flat array of a type."""
        if dtype not in self.typed:
            count = self._bytes.size // dtype.itemsize
            flat = self._bytes[: count * dtype.itemsize].view(dtype.numpy)
            if dtype is BFLOAT16:
                # the upper half of a float32's bits
                flat = (flat.astype(np.uint32) << 16).view(np.float32)
            self.typed[dtype] = flat
        return self.typed[dtype]


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
    "safe_globals",
]

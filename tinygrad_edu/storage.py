"""Storage: the piece of memory that a tensor, and every view of it, shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from . import devices, dtypes


def in_memory(dtype: dtypes.dtype) -> np.dtype:
    """How NumPy sees elements of a type as they lie in memory."""
    return np.dtype(np.uint16) if dtype is dtypes.bfloat16 else dtype.numpy


class Storage:
    """A piece of memory that tensors are views of, seen as elements of one type.

    Two tensors share their memory exactly when their storages have the same `data_ptr()`.
    """

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

    def element_size(self) -> int:
        """Bytes an element."""
        return self.dtype.itemsize

    def data_ptr(self) -> int:
        """The address of its first byte."""
        return devices.address(self._bytes)

    @property
    def device(self) -> devices.device:
        """Where it is."""
        return devices.of(self._bytes)

    @property
    def is_cuda(self) -> bool:
        """Whether it is on a GPU."""
        return self.device.type == "cuda"

    def is_shared(self) -> bool:
        """Whether other processes see it: never."""
        return False

    def untyped(self) -> Storage:
        """The same memory as bytes."""
        return Storage(self._bytes, dtypes.uint8, self.location)

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

    def clone(self) -> Storage:
        """A copy."""
        return Storage(self._bytes.copy(), self.dtype, self.location)

    def elements(self, dtype: Any) -> Any:
        """All of it as a flat array of a type."""
        if dtype not in self.typed:
            count = self._bytes.size // dtype.itemsize
            flat = self._bytes[: count * dtype.itemsize].view(in_memory(dtype))
            if dtype is dtypes.bfloat16:
                # NumPy has no such type; float32 holds every value of it: these are the upper half of its bits
                flat = (flat.astype(np.uint32) << 16).view(np.float32)
            self.typed[dtype] = flat
        return self.typed[dtype]

    def tolist(self) -> list[Any]:
        """Its elements as Python numbers."""
        return self.elements(self.dtype).tolist()

    def __getitem__(self, index: Any) -> Any:
        found = self.elements(self.dtype)[index]
        return found.tolist() if found.ndim else found.item()

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist())

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("a storage cannot be saved or sent to another process; write the tensor instead")

    def __repr__(self) -> str:
        what = "" if self.dtype is dtypes.uint8 else f"dtype={self.dtype}, "
        return f"[storage({what}device={self.device}) of size {self.size()}]"


UntypedStorage = TypedStorage = Storage


def owner_of(array: Any) -> Any:
    """The array that holds the memory which this one shows; None if it does not lie there in one piece."""
    owner = array
    while (base := getattr(owner, "base", None)) is not None:
        if not devices.is_array(base) and not hasattr(base, "base"):
            break  # mapped or lent memory
        owner = base
    if not devices.is_array(owner) or not (owner.flags.c_contiguous or owner.flags.f_contiguous):
        return None
    return owner


def storage_of(array: Any, dtype: dtypes.dtype) -> Storage:
    """The memory that an array shows, as elements of a type."""
    owner = owner_of(array)
    if owner is None:
        raise NotImplementedError(
            f"the memory of this tensor, {list(array.shape)}, comes from elsewhere and does not lie in one piece; write "
            "x.clone() first"
        )
    return Storage(owner.ravel("K").view(np.uint8), dtype, str(devices.of(array)))  # in the order of memory: no copy


__all__ = ["Storage", "TypedStorage", "UntypedStorage"]

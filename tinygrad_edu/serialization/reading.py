"""`load`: objects from a file, PyTorch's included, without PyTorch.

A pickle is a program, and a file from somewhere else may hold any. So the names that it may use are on a list; what
stands behind these cannot be changed by it, and every size is held against the file before memory is taken.
"""

from __future__ import annotations

import io
import os
import pickle
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import devices
from .archive import Archive, from_here, is_archive, opened, read_into
from .foreign import refuse_foreign
from .names import READABLE, Storage, in_memory
from .rebuilding import names_for_all, names_on_the_list, said
from .tables import is_table, load_file
from .unpickling import Restricted, Trusting

LEGACY = 0x1950A86A20F9469CFC6C  # PyTorch before 1.6 began its files with this number
ALWAYS_CAREFUL, TRUST_ALL = "TORCH_FORCE_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"


def load(
    f: Any,
    map_location: Any = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:
    """The object in a file that `save` here or `torch.save` has written.

    By default only tensors and plain containers are read and nothing is run. With `mmap=True` tensors show the file
    itself, which is read as they are used; writing to them does not change it.
    """
    if weights_only and pickle_module is not None:
        raise RuntimeError("Can not safely load weights when explicit pickle_module is specified")
    if mmap and not isinstance(f, (str, os.PathLike)):
        raise ValueError("f must be a file path in order to use the mmap argument")
    if is_table(f):
        return load_file(f, map_location if isinstance(map_location, (str, devices.device)) else "cpu")
    careful = _careful(weights_only, pickle_module is None)
    with opened(f) as file:
        here = file.tell()
        head = file.read(512)
        if not head:
            raise EOFError(f"Ran out of input: {f!r} is empty")
        file.seek(here)
        if is_archive(file):
            return _from_archive(Archive(from_here(file), bool(mmap)), map_location, careful, pickle_load_args)
        refuse_foreign(head, repr(f))
        if mmap:
            raise RuntimeError("mmap can only be used with files saved with `torch.save` in its zip format")
        return _from_legacy(from_here(file), map_location, careful, pickle_load_args)


def _careful(asked: bool | None, usual: bool) -> bool:
    """Whether to read by the list: as asked, else as the two variables of PyTorch's for programs of long ago say."""
    on = {name for name in (ALWAYS_CAREFUL, TRUST_ALL) if os.environ.get(name, "").lower() in ("1", "y", "yes", "true")}
    if len(on) == 2:
        raise RuntimeError(f"Only one of `{ALWAYS_CAREFUL}` or `{TRUST_ALL}` should be set, but both were set.")
    if ALWAYS_CAREFUL in on:
        return True
    if asked is not None:
        return asked
    if TRUST_ALL in on:
        text = f"{TRUST_ALL} is set, and load() was not told weights_only: whatever the file says is run"
        warnings.warn(text, UserWarning, stacklevel=3)
        return False
    return usual


def _unpickler(file: Any, size: int, find: Callable, careful: bool, options: Any) -> Any:
    if careful:
        return Restricted(file, size, names_on_the_list(), find)
    return Trusting(file, names_for_all(), find, options)


def _from_archive(archive: Archive, map_location: Any, careful: bool, options: Any) -> Any:
    storages: dict[str, Storage] = {}
    swapped = (archive.text("byteorder") or sys.byteorder) != sys.byteorder

    def find(saved: Any) -> Storage:
        dtype, key, location, count = _described(saved)
        if key not in storages:
            memory = archive.array(f"data/{key}", count * dtype.itemsize)
            if swapped and dtype.itemsize > 1:
                memory = memory.view(in_memory(dtype)).byteswap().view(np.uint8)
            storages[key] = _placed(Storage(memory, dtype, location), map_location)
        return storages[key]

    objects = archive.bytes("data.pkl")
    return _unpickler(io.BytesIO(objects), len(objects), find, careful, options).load()


def _described(saved: Any) -> tuple[Any, str, str, int]:
    """What a file says about a piece of memory: type, key, location, length."""
    if not isinstance(saved, tuple) or len(saved) < 5 or saved[0] != "storage":
        raise pickle.UnpicklingError(f"a persistent id must describe a storage, but is {said(saved)}")
    _, kind, key, location, count = saved[:5]
    dtype = READABLE.get(getattr(kind, "storage", ""))
    if dtype is None:
        raise pickle.UnpicklingError(f"memory of the type {said(kind)} cannot be read: no dtype here stands for it")
    if not isinstance(key, str) or not isinstance(location, str) or type(count) is not int or count < 0:
        raise pickle.UnpicklingError(f"a storage is described by {said((key, location, count))}")
    return dtype, key, location, count


def _from_legacy(file: Any, map_location: Any, careful: bool, options: Any) -> Any:
    """The format of PyTorch before 1.6: five pickles, then the memory, one piece after the other."""
    end = file.seek(0, os.SEEK_END)
    file.seek(0)
    bounded = Bounded(file, end)
    storages: dict[str, Storage] = {}
    taken = 0

    def find(saved: Any) -> Any:
        nonlocal taken
        dtype, key, location, count = _described(saved)
        if len(saved) > 5 and saved[5] is not None:
            raise pickle.UnpicklingError("a view of a storage, which PyTorch wrote before 0.4, cannot be read")
        if key not in storages:
            taken += count * dtype.itemsize
            if taken > end:
                raise RuntimeError(f"the objects ask for {taken} bytes of memory, but the file has only {end}")
            memory = np.zeros(count * dtype.itemsize, np.uint8)
            storages[key] = Storage(memory, dtype, location)
        return storages[key]

    unpickle = lambda: _unpickler(bounded, end, find, careful, options).load()  # noqa: E731
    if unpickle() != LEGACY:
        raise pickle.UnpicklingError(
            "Invalid magic number; corrupt file? It is a pickle that torch.save has not written"
        )
    if unpickle() != 1001:
        raise RuntimeError("Invalid protocol version: the file was written by an unknown version of PyTorch")
    machine = unpickle()
    if not isinstance(machine, dict) or not machine.get("little_endian", True):
        raise RuntimeError("the file was written on a big-endian machine, which its format does not allow for")
    # a tensor is a view of memory that is filled only now, so it is made anew where its values are another array
    begin = file.tell()
    unpickle()
    keys = unpickle()
    for key in keys if isinstance(keys, list) else ():
        storage = storages.get(key) if isinstance(key, str) else None
        if storage is None:
            raise RuntimeError(f"the file has memory {said(key)} that none of its objects names")
        count = int.from_bytes(file.read(8), "little")
        if count * storage.dtype.itemsize != storage.nbytes():
            raise RuntimeError(f"the file has {count} elements for memory {said(key)} of {storage.size()}")
        read_into(file, storage._bytes)
        storage.typed.clear()
        storages[key] = _placed(storage, map_location)
    file.seek(begin)
    return unpickle()


class Bounded:
    """A file that never gives, or makes room for, more than it has."""

    def __init__(self, file: Any, end: int) -> None:
        self.file, self.end = file, end

    def read(self, count: int) -> bytes:
        """As a file's."""
        if count > self.end - self.file.tell():
            raise EOFError("Ran out of input")
        return self.file.read(count)

    def readline(self) -> bytes:
        """As a file's."""
        return self.file.readline()


# --- where memory goes ----------------------------------------------------------------------------------------------


def _placed(storage: Storage, map_location: Any) -> Storage:
    """A piece of memory on the device that the file or `map_location` says."""
    location = storage.location
    if callable(map_location) and not isinstance(map_location, devices.device):
        answer = map_location(storage, location)
        if isinstance(answer, Storage):
            return answer
        where = location if answer is None else answer
    elif isinstance(map_location, dict):
        where = map_location.get(location, location)
    else:
        where = location if map_location is None else map_location
    try:
        place = devices.as_device(where)
        if place.type == "cuda" and not devices.cuda_is_available():
            raise RuntimeError("there is no GPU here")
    except RuntimeError as error:
        raise RuntimeError(
            f"Attempting to deserialize object on device {str(where)!r}, but {error}. "
            "Write load(..., map_location='cpu') to map its tensors to the CPU"
        ) from None
    return storage if place.type == "cpu" else storage.to(place)


__all__ = ["load"]

"""The file: an uncompressed zip archive with one entry for the objects and one for each piece of memory.

Entries are read by position and size, both checked against the file, so that memory can be mapped or read straight
into place.
"""

from __future__ import annotations

import contextlib
import io
import mmap
import os
import struct
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

ALIGNMENT = 64  # where each piece of memory begins, so that a mapped one can be used in place
LOCAL_HEADER = 30  # bytes before an entry's name


def broken(why: str) -> RuntimeError:
    """The error for a damaged archive."""
    return RuntimeError(
        f"PytorchStreamReader failed reading zip archive: {why}; the file is damaged or was cut off: copy or save it again"
    )


class Archive:
    """A zip file that is open for reading."""

    def __init__(self, file: BinaryIO, mapped: bool = False) -> None:
        self.file = file
        self.size = file.seek(0, os.SEEK_END)
        try:
            entries = zipfile.ZipFile(file).infolist()  # type: ignore[arg-type]
        except (zipfile.BadZipFile, ValueError, OSError, struct.error, NotImplementedError, OverflowError) as error:
            raise broken(f"failed finding central directory ({error})") from None
        roots = [e.filename.removesuffix("data.pkl") for e in entries if e.filename.rpartition("/")[2] == "data.pkl"]
        if not roots:
            raise RuntimeError("this zip file holds no data.pkl: it was not made by torch.save")
        root = min(roots, key=len)
        self.entries = {e.filename.removeprefix(root): e for e in entries if e.filename.startswith(root)}
        if "constants.pkl" in self.entries:
            raise RuntimeError(
                "this file is a TorchScript program (torch.jit.save), which has code of its own; "
                "in PyTorch write torch.save(torch.jit.load(f).state_dict(), ...)"
            )
        self.room = self.size  # bytes that may still be read: entries that lie upon each other would give more
        self.memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) if mapped else None

    def text(self, name: str) -> str | None:
        """A short entry, None if there is none."""
        return self.bytes(name, 64).decode("ascii", "replace") if name in self.entries else None

    def bytes(self, name: str, limit: int | None = None) -> bytes:
        """An entry's content."""
        start, size = self._place(name)
        self.file.seek(start)
        return self.file.read(size if limit is None else min(size, limit))

    def array(self, name: str, nbytes: int) -> np.ndarray:
        """An entry's content of this size as an array of bytes: mapped, or read straight into it."""
        start, size = self._place(name)
        if size != nbytes:
            raise broken(f"the objects ask for {nbytes} bytes of {name}, which has {size}")
        self.room -= size
        if self.room < 0:
            raise broken(f"its entries have more bytes than its own {self.size}: some lie upon each other")
        if self.memory is not None:
            return np.frombuffer(self.memory, np.uint8, size, start) if size else np.empty(0, np.uint8)
        self.file.seek(start)
        found = np.empty(size, np.uint8)
        read_into(self.file, found)
        return found

    def _place(self, name: str) -> tuple[int, int]:
        """Where an entry's content begins, and its size."""
        entry = self.entries.get(name)
        if entry is None:
            raise broken(f"there is no entry {name!r}")
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
            raise broken(f"the entry {name!r} is compressed or encrypted, which torch.save never does")
        if entry.header_offset < 0:
            raise broken(f"the entry {name!r} begins before the file")
        self.file.seek(entry.header_offset)
        header = self.file.read(LOCAL_HEADER)
        if len(header) < LOCAL_HEADER or header[:4] != b"PK\x03\x04":
            raise broken(f"the entry {name!r} has no header at {entry.header_offset}")
        start = entry.header_offset + LOCAL_HEADER + sum(struct.unpack("<HH", header[26:30]))
        if start + entry.file_size > self.size:
            raise broken(f"the entry {name!r} of {entry.file_size} bytes ends behind the file's {self.size}")
        return start, entry.file_size


def read_into(file: BinaryIO, array: np.ndarray) -> None:
    """Fill an array of bytes from a file."""
    view = memoryview(array.data)
    while view:
        if hasattr(file, "readinto"):
            count = file.readinto(view)
        else:
            data = file.read(len(view))
            count = len(data)
            view[:count] = data
        if not count:
            raise broken(f"it ends {len(view)} bytes too early")
        view = view[count:]


def write(file: BinaryIO, root: str, entries: Iterator[tuple[str, Any]]) -> None:
    """Write an archive of these names and contents."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, content in entries:
            data = memoryview(content)
            entry = zipfile.ZipInfo(f"{root}/{name}")  # dated 1980: the same objects give the same bytes
            large = data.nbytes > 2**31
            header = (
                LOCAL_HEADER + len(entry.filename) + (20 if large else 0)
            )  # sizes over 4 GB stand in a field of their own
            at = archive.fp.tell() + header + 4  # type: ignore[union-attr]
            padding = -at % ALIGNMENT
            entry.extra = struct.pack("<HH", 0x4246, padding) + b"Z" * padding
            with archive.open(entry, "w", force_zip64=large) as target:
                target.write(data)


class Stream:
    """The part of a file object that only writes: whatever can do that is enough, a compressing one for example."""

    def __init__(self, file: Any) -> None:
        self.write = file.write
        self.flush = getattr(file, "flush", lambda: None)


def opened(f: Any) -> Any:
    """A context with the file to read from: a path is opened, a file object used as it is, from its beginning on."""
    if isinstance(f, (str, os.PathLike)):
        return open(f, "rb")
    for method in ("read", "seek", "tell"):
        if not hasattr(f, method):
            raise AttributeError(
                f"'{type(f).__name__}' object has no attribute '{method}'. You can only torch.load from a file that is "
                "seekable. Please pre-load the data into a buffer like io.BytesIO and try to load from it instead."
            )
    if isinstance(f, io.TextIOBase):
        raise TypeError(f"load() needs the bytes of a file, and {f!r} gives text; write open(path, 'rb')")
    return contextlib.nullcontext(f)


def is_archive(file: BinaryIO) -> bool:
    """Whether a zip file begins here."""
    here = file.tell()
    magic = file.read(4)
    file.seek(here)
    return magic == b"PK\x03\x04"


def from_here(file: BinaryIO) -> BinaryIO:
    """The rest of a file as a file that begins at 0."""
    return file if not file.tell() else io.BytesIO(file.read())


__all__ = ["Archive", "Stream", "write"]

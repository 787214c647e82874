"""A file takes the place of another in one moment, however the process ends; what a killed one has left is removed."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # not a POSIX system
    fcntl = None  # type: ignore[assignment]


@contextlib.contextmanager
def replaced(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """A file to write into, which takes the place of `path` once it is complete and on the disk: at any moment the
    path is the old file or the new one."""
    target = os.path.realpath(os.fspath(path))
    if os.path.exists(target) and not os.path.isfile(target):  # a device or a pipe
        with open(target, "wb") as file:
            yield file
        return
    folder, name = os.path.split(target)
    if not os.path.isdir(folder):
        raise RuntimeError(f"Parent directory {folder} does not exist.")
    _sweep(folder, name)
    part, made, lock = _begun(folder, name, target)
    try:
        with made as file:
            if os.path.exists(target):
                os.chmod(part, os.stat(target).st_mode & 0o7777)
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise
    finally:
        if lock is not None:
            os.close(lock)
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)  # the folder's entry, too
        finally:
            os.close(handle)


def _begun(folder: str, name: str, target: str) -> tuple[str, BinaryIO, int | None]:
    """A new file beside the old one, and what keeps it locked until it is in its place."""
    while True:
        part = os.path.join(folder, f".{name}.{os.getpid()}.{os.urandom(4).hex()}.part")
        try:
            file: BinaryIO = open(part, "xb")  # noqa: SIM115 - closed by the caller
        except OSError as error:
            why = f"{error.strerror}: no file can be made in its folder, where the new one is written beside the old"
            raise type(error)(error.errno, why, target) from None
        if fcntl is None:
            return part, file, None
        lock = os.dup(file.fileno())
        if _locked(lock) is not False and os.fstat(lock).st_nlink:
            return part, file, lock
        file.close()  # another process sweeps it away, which came before the lock
        os.close(lock)


def _locked(file: int) -> bool | None:
    """Lock an open file: False if another process has, None where the file system has no locks."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _sweep(folder: str, name: str) -> None:
    """Remove what processes that were killed while they wrote this file have left: with a process ends its lock, and
    where Python has no locks, an open file cannot be removed."""
    ours = re.compile(rf"\.{re.escape(name)}\.\d+\.[0-9a-f]{{8}}\.part")
    with contextlib.suppress(OSError):
        for left in filter(ours.fullmatch, os.listdir(folder)):
            part = os.path.join(folder, left)
            with contextlib.suppress(OSError):
                if fcntl is None:
                    os.unlink(part)
                    continue
                with open(part, "rb") as file:
                    if _locked(file.fileno()):
                        os.unlink(part)


__all__ = ["replaced"]

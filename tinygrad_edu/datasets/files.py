"""Where data files lie, and how they come there.

A file is looked for in the folder that the program names, then in the data folder: `TINYGRAD_EDU_DATA`, or else a cache
where the platform keeps such things. What lies there is trusted, whoever put it there; what is downloaded is verified
before it gets its name. An unfinished download is kept beside it as `NAME.part`, and the next one goes on from there.
"""

from __future__ import annotations

import hashlib
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from io import FileIO
from pathlib import Path

from .progress import Progress

try:
    import fcntl
except ImportError:  # Windows: two processes that download the same file at once disturb each other there
    fcntl = None  # type: ignore[assignment]

BLOCK = 1 << 16
ATTEMPTS = 3  # with each mirror: a connection that was cut is taken up again
TIMEOUT = 30.0  # seconds without a byte


class DataError(RuntimeError):
    """Data that are not there, or not as they should be."""


@dataclass(frozen=True)
class File:
    """A file that can be downloaded."""

    name: str
    checksum: str  # "md5:..." as its publishers tell, "sha256:..." elsewhere
    mirrors: tuple[str, ...]  # addresses, tried in this order

    def digest(self, content: FileIO) -> str:
        """The checksum of what is in an opened file, in the form of `checksum`."""
        kind = self.checksum.partition(":")[0]
        digest = hashlib.new(kind, usedforsecurity=False)
        content.seek(0)
        while block := content.read(BLOCK):
            digest.update(block)
        return f"{kind}:{digest.hexdigest()}"


def data_folder() -> Path:
    """The folder of all data: `TINYGRAD_EDU_DATA`, or the platform's place for what can be fetched again."""
    if chosen := os.environ.get("TINYGRAD_EDU_DATA"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "tinygrad_edu" / "data"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "tinygrad_edu"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tinygrad_edu"


def fetch(file: File, root: str | os.PathLike | None, folders: Sequence[str], download: bool) -> Path:
    """A file's path: found below `root` or the data folder, in one of `folders`, or downloaded into the first of them."""
    bases = [data_folder()] if root is None else [Path(root).expanduser(), data_folder()]
    plain = file.name.removesuffix(".gz")  # unpacked by somebody
    places = [
        base / folder / name for base in bases for folder in folders for name in dict.fromkeys([file.name, plain])
    ]
    for place in places:
        if place.is_file():
            return place
    if not download:
        looked = dict.fromkeys(str(place.parent) for place in places)
        raise DataError(
            f"Dataset not found: there is no {file.name} in {' or '.join(looked)}. You can use download=True to download "
            "it, or set TINYGRAD_EDU_DATA to a folder that has it"
        )
    target = bases[0] / folders[0] / file.name
    retrieve(file, target)
    return target


def retrieve(file: File, target: Path) -> None:
    """Download a file from the first mirror that has it whole; `target` appears when it is verified."""
    part = target.with_name(target.name + ".part")
    failures, found, kept = [], False, 0
    with _alone(part) as content:
        try:
            if target.is_file():  # another process has brought it meanwhile
                return
            for mirror in file.mirrors:
                reason = _from_mirror(file, mirror, content)
                if found := not reason:
                    break
                failures.append(f"  {mirror}: {_on_one_line(reason)}")
        finally:
            kept = content.seek(0, os.SEEK_END)
            if os.name == "nt":
                content.close()  # there an open file is neither renamed nor removed
            if found:
                os.replace(part, target)
            elif not kept:
                part.unlink()
    if not found:
        raise DataError(
            f"{file.name} could not be downloaded:\n"
            + "\n".join(failures)
            + (f"\n{kept} bytes are kept in {part}; the next attempt goes on from there" if kept else "")
            + f"\nWithout a network: put the file into {target.parent}"
        )


def _from_mirror(file: File, mirror: str, content: FileIO) -> str:
    """Fill `content` from one mirror; why that was not possible, nothing if it was."""
    reason = ""
    for _ in range(ATTEMPTS):
        resumed = content.seek(0, os.SEEK_END)
        try:
            reason = _transfer(mirror, content, file.name)
        except urllib.error.HTTPError as error:
            error.close()  # it is also the answer, and holds the connection
            if error.code != 416:
                return f"the server answers {error.code} {error.reason}"
            reason = ""  # nothing is left to send: what is there is the whole, or something else
        except urllib.error.URLError as error:
            return f"no connection ({error.reason})"
        except (OSError, HTTPException) as error:
            reason = f"the transfer broke off ({error})"
        if reason:
            continue
        found = file.digest(content)
        if found == file.checksum:
            return ""
        reason = f"wrong checksum: expected {file.checksum}, got {found}"
        content.truncate(0)
        if not resumed:
            return reason  # the whole file is another one; if its beginning was old, it may be worth a second look
    return reason


def _transfer(mirror: str, content: FileIO, name: str) -> str:
    """Append what is missing of a file; why it is not whole then, nothing if it is."""
    begun = content.seek(0, os.SEEK_END)
    headers = {"User-Agent": "tinygrad_edu", **({"Range": f"bytes={begun}-"} if begun else {})}
    with urllib.request.urlopen(urllib.request.Request(mirror, headers=headers), timeout=TIMEOUT) as answer:
        if answer.status != 206 or not str(answer.headers.get("Content-Range")).startswith(f"bytes {begun}-"):
            begun = 0  # the server sends all of it
        length = str(answer.headers.get("Content-Length"))
        total = begun + int(length) if length.isdecimal() else None
        if not sys.stderr.isatty():
            print(f"downloading {mirror}", file=sys.stderr)
        with Progress(name, total, "B") as bar:
            content.truncate(begun)
            bar.skip(begun)
            while block := answer.read(BLOCK):
                _append(content, block)
                bar.advance(len(block))
    if total is not None and bar.done < total:
        return f"the connection was cut after {bar.done} of {total} bytes"
    return ""


def _append(content: FileIO, block: bytes) -> None:
    """Write all of a block; where that fails, as on a full disk, no other attempt and no other mirror helps."""
    rest = memoryview(block)
    try:
        while rest:
            rest = rest[content.write(rest) :]
    except OSError as error:
        raise _unwritable(Path(content.name), error) from None


def _alone(part: Path) -> FileIO:
    """The unfinished file, opened; of several processes that want it each waits for the one before."""
    while True:
        try:
            part.parent.mkdir(parents=True, exist_ok=True)
            content = FileIO(str(part), "a+")  # writes at its end, wherever it was read
        except OSError as error:
            raise _unwritable(part, error) from None
        _lock(content)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(content.fileno()), part.stat()):
                return content
        content.close()  # it got its name, or was removed, while this process waited


def _lock(content: FileIO) -> None:
    """Wait until no other process has the file; it is free again when it is closed, or its process ends."""
    if fcntl is None:
        return
    try:
        fcntl.flock(content, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"waiting for another process, which downloads to {content.name}", file=sys.stderr)
        fcntl.flock(content, fcntl.LOCK_EX)
    except OSError:
        pass  # a file system without locks


def _unwritable(part: Path, error: OSError) -> DataError:
    return DataError(
        f"{part} cannot be written ({error.strerror}); choose another folder by root=..., or by the environment "
        "variable TINYGRAD_EDU_DATA"
    )


def _on_one_line(text: str) -> str:
    """What a server said, without what would disturb a terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


__all__ = ["DataError", "File", "data_folder", "fetch", "retrieve"]

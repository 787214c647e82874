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
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO

from .progress import Progress

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

    def digest(self, path: Path) -> str:
        """A file's checksum, in the form of `checksum`."""
        kind = self.checksum.partition(":")[0]
        digest = hashlib.new(kind, usedforsecurity=False)
        with open(path, "rb") as file:
            while block := file.read(BLOCK):
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
    failures = []
    for mirror in file.mirrors:
        reason = _from_mirror(file, mirror, part)
        if not reason:
            os.replace(part, target)
            return
        failures.append(f"  {mirror}: {reason}")
    kept = _size(part)
    raise DataError(
        f"{file.name} could not be downloaded:\n"
        + "\n".join(failures)
        + (f"\n{kept} bytes are kept in {part}; the next attempt goes on from there" if kept else "")
        + f"\nWithout a network: put the file into {target.parent}"
    )


def _from_mirror(file: File, mirror: str, part: Path) -> str:
    """Fill `part` from one mirror; why that was not possible, nothing if it was."""
    reason = ""
    for _ in range(ATTEMPTS):
        resumed = _size(part)
        try:
            reason = _transfer(mirror, part, file.name)
        except urllib.error.HTTPError as error:
            if error.code != 416:
                return f"the server answers {error.code} {error.reason}"
            reason = ""  # nothing is left to send: what is there is the whole, or something else
        except urllib.error.URLError as error:
            return f"no connection ({error.reason})"
        except (OSError, HTTPException) as error:
            reason = f"the transfer broke off ({error})"
        if reason:
            continue
        found = file.digest(part)
        if found == file.checksum:
            return ""
        reason = f"wrong checksum: expected {file.checksum}, got {found}"
        part.unlink()
        if not resumed:
            return reason  # the whole file is another one; if its beginning was old, it may be worth a second look
    return reason


def _transfer(mirror: str, part: Path, name: str) -> str:
    """Append what is missing of a file; why it is not whole then, nothing if it is."""
    begun = _size(part)
    headers = {"User-Agent": "tinygrad_edu", **({"Range": f"bytes={begun}-"} if begun else {})}
    with urllib.request.urlopen(urllib.request.Request(mirror, headers=headers), timeout=TIMEOUT) as answer:
        if answer.status != 206 or not str(answer.headers.get("Content-Range")).startswith(f"bytes {begun}-"):
            begun = 0  # the server sends all of it
        length = answer.headers.get("Content-Length")
        total = begun + int(length) if length is not None else None
        if not sys.stderr.isatty():
            print(f"downloading {mirror}", file=sys.stderr)
        with _opened(part) as file, Progress(name, total, "B") as bar:
            file.truncate(begun)
            file.seek(begun)
            bar.skip(begun)
            while block := answer.read(BLOCK):
                file.write(block)
                bar.advance(len(block))
    if total is not None and bar.done < total:
        return f"the connection was cut after {bar.done} of {total} bytes"
    return ""


def _opened(part: Path) -> BinaryIO:
    """The unfinished file, to write where it ends."""
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        return open(part, "r+b" if part.exists() else "w+b")
    except OSError as error:
        raise DataError(
            f"{part.parent} cannot be written to ({error.strerror}); choose another folder by root=..., or by the "
            "environment variable TINYGRAD_EDU_DATA"
        ) from None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


__all__ = ["DataError", "File", "data_folder", "fetch", "retrieve"]

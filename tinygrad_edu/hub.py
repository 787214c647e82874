"""Models and weights by name: from a folder, or from an address."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import sys
import tempfile
import urllib.request
from types import ModuleType
from typing import Any
from urllib.parse import urlparse

HASH_REGEX = re.compile(r"-([a-f0-9]*)\.")  # the beginning of a file's SHA-256, in its name

_dir: str | None = None


def get_dir() -> str:
    """The folder where downloads are kept."""
    if _dir is not None:
        return _dir
    cache = os.environ.get("XDG_CACHE_HOME", os.path.join(os.path.expanduser("~"), ".cache"))
    return os.path.join(os.environ.get("TORCH_HOME", os.path.join(cache, "torch")), "hub")


def set_dir(d: str | os.PathLike) -> None:
    """Keep downloads in another folder."""
    global _dir
    _dir = os.path.expanduser(os.fspath(d))


def download_url_to_file(url: str, dst: str, hash_prefix: str | None = None, progress: bool = True) -> None:
    """Download a file; it appears under its name when it is whole and has the expected SHA-256."""
    digest = hashlib.sha256()
    folder = os.path.dirname(os.path.abspath(dst))
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as part:
        try:
            with urllib.request.urlopen(url) as answer:
                while block := answer.read(1 << 20):
                    part.write(block)
                    digest.update(block)
            if hash_prefix is not None and not digest.hexdigest().startswith(hash_prefix):
                raise RuntimeError(f'invalid hash value (expected "{hash_prefix}", got "{digest.hexdigest()}")')
            part.close()
            shutil.move(part.name, dst)
        except BaseException:
            part.close()
            os.unlink(part.name)
            raise


def load_state_dict_from_url(
    url: str,
    model_dir: str | None = None,
    map_location: Any = None,
    progress: bool = True,
    check_hash: bool = False,
    file_name: str | None = None,
    weights_only: bool = True,
) -> Any:
    """Download a state dict once, and load it."""
    from .serialization import load as load_file

    folder = model_dir or os.path.join(get_dir(), "checkpoints")
    os.makedirs(folder, exist_ok=True)
    name = file_name or os.path.basename(urlparse(url).path)
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        named = HASH_REGEX.search(name) if check_hash else None
        download_url_to_file(url, path, named.group(1) if named else None, progress)
    return load_file(path, map_location=map_location, weights_only=weights_only)


def _entries(folder: str, source: str) -> ModuleType:
    """A folder's `hubconf.py`."""
    if source != "local":
        raise NotImplementedError(
            f"hub: programs from {source} are not downloaded and run here; clone {folder!r} and write "
            'torch.hub.load(folder, name, source="local")'
        )
    spec: Any = importlib.util.spec_from_file_location("hubconf", os.path.join(folder, "hubconf.py"))
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(folder)
    return module


def load(repo_or_dir: str, model: str, *args: Any, source: str = "github", **kwargs: Any) -> Any:
    """Call an entry of a folder's `hubconf.py`."""
    for option in ("trust_repo", "force_reload", "verbose", "skip_validation"):
        kwargs.pop(option, None)
    return _entry(repo_or_dir, model, source)(*args, **kwargs)


def help(github: str, model: str, *args: Any, source: str = "github", **kwargs: Any) -> str | None:
    """The docstring of an entry."""
    return _entry(github, model, source).__doc__


def list(github: str, *args: Any, source: str = "github", **kwargs: Any) -> Any:
    """The names of a folder's entries."""
    return [n for n, v in vars(_entries(github, source)).items() if callable(v) and not n.startswith("_")]


def _entry(folder: str, name: str, source: str) -> Any:
    found = getattr(_entries(folder, source), name, None)
    if not callable(found):
        raise RuntimeError(f"Cannot find callable {name} in hubconf")
    return found


__all__ = [
    "HASH_REGEX",
    "download_url_to_file",
    "get_dir",
    "help",
    "list",
    "load",
    "load_state_dict_from_url",
    "set_dir",
    "urlparse",
]

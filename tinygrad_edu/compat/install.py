"""The package under PyTorch's name: `torch.nn` is the very module `tinygrad_edu.nn`."""

from __future__ import annotations

import dis
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import multiprocessing.spawn
import os
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from ..version import __version__ as torch_version
from .missing import FOLDER, ROOT, MissingAttribute, MissingImport, MissingModule, place_of
from .torchvision import PLACES

IMPORT_FROM = dis.opmap["IMPORT_FROM"]


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Answers `import torch` and every `import torch.*`."""

    def ours(self, fullname: str) -> str | None:
        """The module of this package that a name of PyTorch's stands for, None for a name that is not PyTorch's."""
        return ROOT + fullname.removeprefix("torch") if _is_torch(fullname) else None

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """How to find what a name of PyTorch's stands for."""
        ours = self.ours(fullname)
        if ours is None:
            return None
        try:
            module = importlib.import_module(ours)
        except ModuleNotFoundError as error:
            if error.name != ours:
                raise
            frame = sys._getframe(1)
            if _only_asks(frame):
                return None
            raise MissingModule(fullname, place_of(frame)) from None
        return importlib.machinery.ModuleSpec(
            fullname, self, origin=getattr(module, "__file__", None), is_package=hasattr(module, "__path__")
        )

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """The module of this package; nothing is loaded twice."""
        module = importlib.import_module(self.ours(spec.name) or "")
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Give the module back its own description: the import machinery has just written PyTorch's into it."""
        module.__spec__ = module.__spec__.loader_state  # type: ignore[union-attr]
        _equip(module)


class VisionFinder(Finder):
    """Answers `import torchvision` where the real one is not installed."""

    def ours(self, fullname: str) -> str | None:
        if fullname.partition(".")[0] != "torchvision":
            return None
        root = sys.modules.get("torchvision")
        if root is None:
            answered = importlib.machinery.PathFinder.find_spec("torchvision") is None
        else:
            answered = root.__name__.startswith(ROOT)
        return f"{ROOT}." + PLACES.get(fullname, f"compat.{fullname}") if answered else None


def _only_asks(frame: Any) -> bool:
    """Whether `importlib.util.find_spec` asks, which wants None for what is not there."""
    while frame is not None and frame.f_code.co_filename.startswith("<frozen importlib"):
        if frame.f_code.co_name == "find_spec" and frame.f_globals["__name__"] == "importlib.util":
            return True
        frame = frame.f_back
    return frame is not None and frame.f_globals.get("__name__") == "importlib.util"


_finder = Finder()
_vision = VisionFinder()
_hidden: dict[str, ModuleType] = {}  # modules of the real torch that were loaded before
_equipped: dict[ModuleType, Callable[[str], Any] | None] = {}  # with the `__getattr__` that they had before
_own_version = ""
_preparation = multiprocessing.spawn.get_preparation_data


def installed() -> bool:
    """Whether `import torch` is answered by this package now."""
    return _finder in sys.meta_path


class Installation:
    """What `install_as_torch` returns: as a context manager it takes the name back at the end of the block."""

    def __init__(self, made: bool) -> None:
        self.made = made

    def __enter__(self) -> ModuleType:
        return sys.modules["torch"]

    def __exit__(self, *exception: object) -> None:
        if self.made:
            uninstall_as_torch()

    def __repr__(self) -> str:
        return "<torch is tinygrad_edu>" if installed() else "<torch is not tinygrad_edu any more>"


def install_as_torch() -> Installation:
    """From now on `import torch` gives this package, in this process and in the processes that it starts.

    A real torch that is loaded already is put aside until `uninstall_as_torch()`, or the end of the `with` block.
    """
    global _own_version
    if installed():
        return Installation(made=False)
    _hidden.update({name: module for name, module in sys.modules.items() if _is_torch(name)})
    for name in _hidden:
        del sys.modules[name]
    sys.meta_path[:0] = [_finder, _vision]
    root = sys.modules[ROOT]
    _own_version, root.__version__ = root.__version__, torch_version  # type: ignore[attr-defined]
    for name, module in list(sys.modules.items()):
        if name == ROOT or name.startswith(ROOT + "."):
            sys.modules["torch" + name.removeprefix(ROOT)] = module
    _equip(root)
    multiprocessing.spawn.get_preparation_data = _prepared  # type: ignore[assignment]
    return Installation(made=True)


def uninstall_as_torch() -> None:
    """Give the name back: `import torch` finds what it found before."""
    if not installed():
        return
    sys.meta_path.remove(_finder)
    sys.meta_path.remove(_vision)
    for name in [name for name in sys.modules if _is_torch(name) or _vision.ours(name)]:
        del sys.modules[name]
    sys.modules.update(_hidden)
    _hidden.clear()
    for module, answer in _equipped.items():
        if answer is None:
            del module.__getattr__
        else:
            module.__getattr__ = answer  # type: ignore[method-assign]
    _equipped.clear()
    sys.modules[ROOT].__version__ = _own_version  # type: ignore[attr-defined]
    multiprocessing.spawn.get_preparation_data = _preparation


def _is_torch(name: str) -> bool:
    return name == "torch" or name.startswith("torch.")


def _equip(module: ModuleType) -> None:
    """Let a module, and the modules that it shows, say where a missing name was asked for and what is nearest."""
    if module in _equipped:
        return
    former = _equipped[module] = module.__dict__.get("__getattr__")
    place = _public(module.__name__)

    def answer(name: str) -> Any:
        if former is not None:
            try:
                found = former(name)
            except AttributeError:
                pass
            else:
                if _ours(found):
                    _equip(found)
                return found
        frame = sys._getframe(1)
        asked = f"{place}.{name}"
        # the interpreter replaces an AttributeError here by a sentence without a line
        if frame.f_code.co_code[frame.f_lasti] == IMPORT_FROM and not name.startswith("__"):
            raise MissingImport(asked, place_of(frame))
        raise MissingAttribute(asked, place_of(frame))

    module.__getattr__ = answer  # type: ignore[method-assign]
    for value in list(module.__dict__.values()):
        if _ours(value):
            _equip(value)


def _public(name: str) -> str:
    """The name that a program knows a module of this package by."""
    inside = name.removeprefix(ROOT + ".")
    return next((seen for seen, place in PLACES.items() if place == inside), "torch" + name.removeprefix(ROOT))


def _ours(value: Any) -> bool:
    return isinstance(value, ModuleType) and value.__name__.startswith(ROOT + ".")


# --- processes -----------------------------------------------------------------------------------------------------------------


class _Start:
    """An object that installs where it is unpickled: in a new process, before the program's own file is read there."""

    def __reduce__(self) -> tuple:
        path = [*sys.path, os.path.dirname(FOLDER)]
        return exec, (f"import sys; sys.path[:] = {path!r}; import {ROOT}; {ROOT}.install_as_torch()",)


def _prepared(name: str) -> dict:
    """What a spawned process is told first."""
    told = {ROOT: _Start(), **_preparation(name)}
    if name == "ignore":  # a fork server asks, which would read the program's file with nothing installed
        told.pop("init_main_from_path", None)
    return told

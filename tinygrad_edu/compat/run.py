"""Running a PyTorch program that knows nothing of this package."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import select
import sys
import types
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import CodeType, TracebackType
from typing import Any

from ..distributed import launch
from .install import install_as_torch
from .missing import FOLDER

HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep
STARTS = {os.path.join(FOLDER, "cli.py"), os.path.join(FOLDER, "__main__.py")}


def run_script(path: str, args: Sequence[str] = (), around: Any = None) -> int:
    """Execute a file as `python path args` does, with `import torch` answered here; the exit code.

    The process is the program's afterwards: `__main__`, `sys.argv` and `torch` stay as they are. `around` is a context
    for the time in which the program runs.
    """
    with open(path, "rb") as file:
        source = file.read()
    _become([path, *args], os.path.dirname(os.path.realpath(path)))
    file_name = os.path.abspath(path)
    return _outcome(lambda: compile(source, file_name, "exec", dont_inherit=True), file_name, None, around)


def run_module(name: str, args: Sequence[str] = (), around: Any = None) -> int:
    """Execute a module as `python -m name args` does, with `import torch` answered here; the exit code."""
    _become([name, *args], os.getcwd())
    try:
        spec = importlib.util.find_spec(name)
    except ImportError:
        raise
    except Exception as error:  # packages are imported on the way
        raise ImportError(f"{type(error).__name__}: {error}", name=name) from error
    if spec is not None and spec.submodule_search_locations is not None:  # a package
        spec = importlib.util.find_spec(f"{name}.__main__")
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"No module named {name}", name=name)
    sys.argv[0] = spec.origin or name
    loader: Any = spec.loader
    return _outcome(lambda: loader.get_code(spec.name), sys.argv[0], spec, around)


def _become(argv: list[str], folder: str) -> None:
    install_as_torch()
    here = launch.place()
    if here.size > 1:
        launch.join_the_others(here)
    sys.argv = argv
    sys.path[0] = folder  # where Python had put the folder of its own start
    if os.path.dirname(FOLDER) not in sys.path:
        sys.path.append(os.path.dirname(FOLDER))


def _outcome(read: Callable[[], CodeType], file: str, spec: ModuleSpec | None, around: Any) -> int:
    """Execute a program as `__main__`, where its classes are looked for when they are unpickled."""
    main: Any = types.ModuleType("__main__")
    main.__file__, main.__spec__, main.__builtins__ = file, spec, __builtins__
    main.__package__, main.__loader__ = (spec.parent, spec.loader) if spec is not None else (None, None)
    try:
        code = read()
        sys.modules["__main__"] = sys.modules["__mp_main__"] = main  # the second is its name in spawned processes
        with around or contextlib.nullcontext():
            exec(code, main.__dict__)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return launch.leave(end.code or 0)
        print(end.code, file=sys.stderr)
        return launch.leave(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BaseException as error:
        if isinstance(error, BrokenPipeError) and _unread():
            raise
        trace = _of_program(error.__traceback__)
        sys.excepthook(type(error), error.with_traceback(trace), trace)
        return 1
    return 0


def _unread() -> bool:
    """Whether nobody reads the output any more, as behind `| head`."""
    if not hasattr(select, "poll"):
        return False
    try:
        output = select.poll()
        output.register(sys.__stdout__.fileno(), 0)  # type: ignore[union-attr]
        return bool(output.poll(0))
    except (AttributeError, ValueError, OSError):  # the program has closed it, or there was none
        return False


def _of_program(trace: TracebackType | None) -> TracebackType | None:
    """A traceback from the program's first line on, without the frames in which this folder says what is missing."""
    while trace is not None and _here(trace):
        trace = trace.tb_next
    last = trace
    while last is not None and last.tb_next is not None:
        if _here(last.tb_next):
            last.tb_next = None
        last = last.tb_next
    return trace


def _here(trace: TracebackType) -> bool:
    return trace.tb_frame.f_code.co_filename.startswith(HERE) or trace.tb_frame.f_code.co_filename in STARTS

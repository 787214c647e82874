"""Running a PyTorch program that knows nothing of this package."""

from __future__ import annotations

import os
import runpy
import sys
import types
from collections.abc import Sequence
from types import TracebackType

from .install import install_as_torch
from .missing import FOLDER


def run_script(path: str, args: Sequence[str] = ()) -> int:
    """Execute a file as `python path args` does, with `import torch` answered here; the exit code.

    The process is the program's afterwards: `__main__`, `sys.argv` and `torch` stay as they are.
    """
    with open(path, "rb") as file:
        source = file.read()
    main = types.ModuleType("__main__")
    main.__file__, main.__builtins__ = path, __builtins__  # type: ignore[attr-defined]
    main.__spec__ = None
    _become([path, *args], os.path.dirname(os.path.realpath(path)))

    def program() -> None:
        code = compile(source, path, "exec", dont_inherit=True)
        sys.modules["__main__"] = main  # so that its classes can be pickled
        exec(code, main.__dict__)

    return _outcome(program)


def run_module(name: str, args: Sequence[str] = ()) -> int:
    """Execute a module as `python -m name args` does, with `import torch` answered here; the exit code."""
    _become([name, *args], os.getcwd())
    return _outcome(lambda: runpy.run_module(name, run_name="__main__", alter_sys=True))


def _become(argv: list[str], folder: str) -> None:
    install_as_torch()
    sys.argv = argv
    sys.path[0] = folder  # where Python had put the folder of its own start
    if os.path.dirname(FOLDER) not in sys.path:
        sys.path.append(os.path.dirname(FOLDER))


def _outcome(program: types.FunctionType | object) -> int:
    try:
        program()  # type: ignore[operator]
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BaseException as error:
        trace = _of_program(error.__traceback__)
        sys.excepthook(type(error), error.with_traceback(trace), trace)
        return 1
    return 0


def _of_program(trace: TracebackType | None) -> TracebackType | None:
    """A traceback that begins in the program's own lines."""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith((FOLDER + os.sep, "<frozen runpy>")):
            return trace
        trace = trace.tb_next
    return None

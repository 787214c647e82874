"""The command line: run a PyTorch program, check one, and say what there is on this machine."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

EXAMPLES = """examples:
  python -m tinygrad_edu run train.py --epochs 3      a PyTorch program, unchanged, on this engine
  python -m tinygrad_edu run -m pytest tests/         a test suite that imports torch
  python -m tinygrad_edu check project/               which names of torch it uses, and which are missing
  python -m tinygrad_edu info                         versions, threads, devices
"""


def parser() -> argparse.ArgumentParser:
    """What the command line understands."""
    top = argparse.ArgumentParser(
        prog="tinygrad-edu",
        description="PyTorch's programs, on an engine that you can read.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    run = commands.add_parser(
        "run",
        help="run a PyTorch program without a change",
        description="Run a program as `python` does, with `import torch` answered by this package.",
        epilog="example:\n  python -m tinygrad_edu run train.py --epochs 3",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.add_argument("-m", dest="as_module", action="store_true", help="TARGET is a module's name, as for `python -m`")
    run.add_argument("target", metavar="TARGET", help="the program's file")
    run.add_argument("args", metavar="ARGS", nargs=argparse.REMAINDER, help="what the program is given")
    run.set_defaults(call=_run)

    check = commands.add_parser(
        "check",
        help="list the names of torch that a program uses, and those that are missing",
        description="Read a program, a notebook or a folder without running it. Exit code 1 if a name is missing.",
        epilog="example:\n  python -m tinygrad_edu check project/ --missing",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    check.add_argument("path", metavar="PATH", help="a .py file, a .ipynb notebook, or a folder of them")
    check.add_argument("--missing", action="store_true", help="show only what is missing")
    check.add_argument("--json", action="store_true", help="print JSON")
    check.set_defaults(call=_check)

    info = commands.add_parser("info", help="versions, linear algebra, threads, devices")
    info.add_argument("--json", action="store_true", help="print JSON")
    info.set_defaults(call=_info)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit code."""
    options = parser().parse_args(argv)
    try:
        return options.call(options)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `... | head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _mistake(sentence: str) -> int:
    """A user's mistake: one sentence, no traceback."""
    print(f"tinygrad-edu: {sentence}", file=sys.stderr)
    return 2


def _unreadable(path: str, folders: bool) -> str:
    """Why a path cannot be read, nothing if it can."""
    if not os.path.exists(path):
        return f"there is no file {path!r}"
    if os.path.isdir(path) and not folders:
        return f"{path!r} is a folder; name the program's file in it"
    return "" if os.access(path, os.R_OK) else f"{path!r} may not be read by this user"


def _run(options: argparse.Namespace) -> int:
    from .compat import run_module, run_script

    if options.as_module:
        try:
            return run_module(options.target, options.args)
        except ModuleNotFoundError as error:
            return _mistake(f"there is no module {error.name!r} that can be run from {os.getcwd()}")
    wrong = _unreadable(options.target, folders=False)
    return _mistake(wrong) if wrong else run_script(options.target, options.args)


def _check(options: argparse.Namespace) -> int:
    from .compat import check

    wrong = _unreadable(options.path, folders=True)
    if wrong:
        return _mistake(wrong)
    report = check(options.path)
    if not report.files:
        return _mistake(f"there is no .py file and no notebook in {options.path!r}")
    print(report.json() if options.json else report.text(options.missing))
    return 0 if report.fine else 1


def _info(options: argparse.Namespace) -> int:
    facts = information()
    if options.json:
        print(json.dumps(facts, indent=2))
    else:
        for name, value in facts.items():
            print(f"{name:<16}{value}")
    return 0


def information() -> dict[str, Any]:
    """What matters about this machine and this installation."""
    import platform
    from importlib import metadata

    import numpy

    from . import cuda, threads, version

    def installed(package: str) -> str:
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            return "not installed"

    blas = numpy.show_config("dicts")["Build Dependencies"]["blas"]  # type: ignore[call-overload, index]
    reason = cuda.why_not()
    return {
        "tinygrad_edu": version.own,
        "answers as": f"torch {version.__version__}",
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "blas": f"{blas.get('name', '?')} {blas.get('version', '')}".strip(),
        "threads": threads.get_num_threads(),
        "processors": os.cpu_count(),
        "devices": "cpu" if reason else "cpu, cuda",
        "no gpu because": reason or "-",
        "safetensors": installed("safetensors"),
        "graphviz": installed("graphviz"),
        "matplotlib": installed("matplotlib"),
        "torch": installed("torch") + ("" if installed("torch") == "not installed" else ", not used"),
    }

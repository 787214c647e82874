"""The command line: what its commands do; `grammar.py` says how they are written."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from . import companions
from .errors import Mistake
from .grammar import FLAGS, LOOKS, doubts, parted, understood

UNREAD = 141  # 128 and the number of SIGPIPE, as of other programs whose output nobody reads any more


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit code."""
    try:
        try:
            options = understood(argv)
            return COMMANDS[options.command](options)
        finally:
            _write_the_rest()
    except Mistake as error:
        return _mistake(str(error))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `... | head` has read enough
        return UNREAD
    except OSError as error:  # a program that is run tells its own
        return _mistake(f"{error.filename}: {error.strerror}" if error.filename else str(error))


def _write_the_rest() -> None:
    """Write what is left of the output now, where an error can still be told; Python would print its own at the end."""
    try:
        # a program may have closed it, or put another in its place
        with contextlib.suppress(AttributeError, ValueError):
            sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        raise Mistake(f"the output cannot be written: {error.strerror}") from error


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

    args = options.args
    if not options.as_module:
        if wrong := _unreadable(options.target, folders=False):
            return _mistake(wrong)
        with open(options.target, encoding="utf-8", errors="replace") as file:
            source = file.read()
        ours, args = parted(options.command, options.args, source)
        FLAGS[options.command]().parse_args(ours, options)
        for doubt in doubts(options.command, options.target, options.args[len(ours) :], source):
            print(f"tinygrad-edu: {doubt}", file=sys.stderr)
    if wrong := _unlookable(options):
        return _mistake(wrong)
    looks = _looks_of(options)
    try:
        code = (run_module if options.as_module else run_script)(options.target, args, looks)
    except ImportError as error:  # of the module itself: a program tells its own
        if isinstance(error, ModuleNotFoundError) and options.target.startswith(error.name or ""):
            return _mistake(f"there is no module {error.name!r} that can be run from {os.getcwd()}")
        return _mistake(f"the module {options.target!r} cannot be imported: {error}")
    return code or int(looks is not None and (looks.wrong or looks.failed))


def _launch(options: argparse.Namespace) -> int:
    from .distributed import launch

    wrong = "" if options.as_module else _unreadable(options.target, folders=False)
    if options.processes < 1:
        wrong = f"-n {options.processes}: at least one process is needed"
    elif options.processes > 1:
        wrong = wrong or launch.missing()
    if wrong:
        return _mistake(wrong)
    if options.debug:
        os.environ["TORCH_DISTRIBUTED_DEBUG"] = "DETAIL"
    program = [*["-m"] * options.as_module, options.target, *options.args]
    if options.processes > 1:
        launch.launch(options.processes, program)
    launch.join_the_others(launch.place())
    return main(["run", *program])


def _unlookable(options: argparse.Namespace) -> str:
    """What is wrong with what is to be looked at, before the program runs for nothing."""
    if options.step < 1:
        return f"--step {options.step}: steps are counted from 1"
    kinds = {"graph": (".svg", ".png", ".pdf", ".dot", ".html"), "play": (".html",)}
    for name, endings in kinds.items():
        path = getattr(options, name)
        option = f"--{'out' if name == options.command else name} {path}"
        if path and not path.lower().endswith(endings):
            return f"{option}: the file's name is to end in {' or '.join(endings)}"
        folder = os.path.dirname(path or "")
        if folder and not os.path.isdir(folder):
            return f"{option}: there is no folder {folder!r}"
        if path and not os.access(folder or ".", os.W_OK):
            return f"{option}: the folder {folder or os.getcwd()!r} cannot be written to"
        if path and path.lower().endswith((".svg", ".png", ".pdf")):
            from .viz.rendering import INSTALL, can_draw

            if not can_draw():
                return f"{option}: {INSTALL[0].lower()}{INSTALL[1:]} A .dot file needs neither"
    return ""


def _looks_of(options: argparse.Namespace) -> Any:
    """What looks at the program, None if nothing does. Of several processes the first is looked at."""
    from .distributed import launch

    chosen = {name: getattr(options, name) for name in LOOKS if getattr(options, name, None)}
    if not chosen or launch.place().rank:
        return None
    from .compat.looks import Looks

    return Looks(**chosen, step=options.step, only=options.command == "graph")


def _train(options: argparse.Namespace) -> int:
    from .datasets.files import DataError
    from .train import Options, train

    chosen = Options(**{name: getattr(options, name) for name in vars(Options())})
    try:
        train(chosen, options.out, options.resume, options.json)
    except DataError as error:
        return _mistake(f"{error}\nThe data of digits, pixels and moons come with the package")
    return 0


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


def _bench(options: argparse.Namespace) -> int:
    return companions.benchmarked(options.args)


def _lessons(options: argparse.Namespace) -> int:
    if options.list:
        found = [{"number": path.name[:2], "title": companions.title(path)} for path in companions.lessons()]
        print(
            json.dumps(found, indent=2) if options.json else "\n".join("{number}  {title}".format(**o) for o in found)
        )
        return 0
    written, kept = companions.copied(Path(options.out), options.numbers, options.force)
    if options.json:
        print(json.dumps({"written": [str(path) for path in written], "kept": [str(path) for path in kept]}, indent=2))
        return 0
    print("\n".join(str(path) for path in written))
    for path in kept:
        print(f"{path} is there already and differs; it is kept (--force replaces it)", file=sys.stderr)
    print(f"\n{companions.HOW_TO_OPEN.format(folder=options.out)}")
    return 0


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
    reason = cuda.why_unavailable()
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


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "run": _run,
    "graph": _run,
    "launch": _launch,
    "train": _train,
    "check": _check,
    "bench": _bench,
    "lessons": _lessons,
    "info": _info,
}

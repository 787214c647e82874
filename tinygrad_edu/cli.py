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
  python -m tinygrad_edu run train.py --graph g.svg   and a picture of its first training step
  python -m tinygrad_edu run -m pytest tests/         a test suite that imports torch
  python -m tinygrad_edu train digits                 train a network by name, and look at everything about it
  python -m tinygrad_edu check project/               which names of torch it uses, and which are missing
  python -m tinygrad_edu info                         versions, threads, devices
"""
RUN_EXAMPLES = """examples:
  python -m tinygrad_edu run train.py --epochs 3
  python -m tinygrad_edu run train.py --graph graph.svg --play step.html --step 10
  python -m tinygrad_edu run --lint --anomaly train.py --epochs 3

What is to be looked at may stand before the program's file, or right behind it. Behind it, a flag that the file itself
mentions is the program's, and from the first argument on that is none of these all are; so is what follows --.
Reports go to standard error, when the program has ended.
"""
TRAIN_EXAMPLES = """examples:
  python -m tinygrad_edu train digits
  python -m tinygrad_edu train digits --model cnn --epochs 40 --out runs/cnn
  python -m tinygrad_edu train digits --epochs 60 --resume

Whatever is not chosen is what suits the task. mnist, names and shakespeare are downloaded, or taken from the folder
that the environment variable TINYGRAD_EDU_DATA names.
"""


def _looks() -> argparse.ArgumentParser:
    """What can be looked at while a program runs."""
    flags = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    group = flags.add_argument_group("to look inside")
    group.add_argument(
        "--graph", metavar="FILE", help="draw the graph of a training step: .svg, .png, .pdf, .dot, .html"
    )
    group.add_argument("--play", metavar="FILE", help="a page that steps forward and back through it: .html")
    group.add_argument("--summary", action="store_true", help="a table of the model's modules")
    group.add_argument(
        "--gradcheck", action="store_true", help="check the step's operations against numerical gradients"
    )
    group.add_argument("--step", type=int, default=1, metavar="N", help="which step; one ends at optimizer.step()")
    group.add_argument("--profile", action="store_true", help="time the whole run by operation and by module")
    group.add_argument("--lint", action="store_true", help="look for mistakes of training in the whole run")
    group.add_argument("--anomaly", action="store_true", help="stop at the first NaN, and tell where it was born")
    return flags


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
        epilog=RUN_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[_looks()],
        allow_abbrev=False,
    )
    run.add_argument("-m", dest="as_module", action="store_true", help="TARGET is a module's name, as for `python -m`")
    run.add_argument("target", metavar="TARGET", help="the program's file")
    run.add_argument("args", metavar="ARGS", nargs="*", help="what the program is given")
    run.set_defaults(call=_run)

    train = commands.add_parser(
        "train",
        help="train a network by name, and leave a folder with everything about it",
        description="Train, print a table, and leave a folder: curves, graph, gradient check, weights, a page to try it.",
        epilog=TRAIN_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    train.add_argument("task", nargs="?", help="digits (if none is named), mnist, pixels, moons, names or shakespeare")
    train.add_argument("--model", help="linear, mlp or cnn; for text bigram, mlp, lstm or gpt")
    train.add_argument("--optimizer", help="sgd, momentum, rmsprop, adagrad, adam, adamw or nadam")
    train.add_argument("--epochs", type=int, metavar="N", help="how often to go through the data")
    train.add_argument("--lr", type=float, help="the learning rate")
    train.add_argument("--batch-size", type=int, metavar="N", help="samples a step")
    train.add_argument("--device", help="cpu or cuda")
    train.add_argument(
        "--seed", type=int, metavar="N", help="where chance begins: the same seed gives the same numbers"
    )
    train.add_argument(
        "--resume", action="store_true", help="go on with the run in the folder, where it was interrupted"
    )
    train.add_argument("--out", metavar="FOLDER", help="where the results go (runs/TASK)")
    train.set_defaults(call=_train)

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
    argv = list(sys.argv[1:] if argv is None else argv)
    end = _end_of_own(argv)
    options = parser().parse_args(argv[:end])
    if end < len(argv):
        options.args = argv[end:]
    try:
        return options.call(options)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `... | head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _end_of_own(argv: Sequence[str]) -> int:
    """Where the arguments end that argparse is to read: behind the program's name, since it would swallow a `--`."""
    if argv[:1] != ["run"]:
        return len(argv)
    takes = _arguments_taken()
    i = 1
    while i < len(argv) and argv[i].startswith("-"):
        i += 1 if "=" in argv[i] else 1 + takes.get(argv[i], 0)
    return i + 1


def _arguments_taken() -> dict[str, int]:
    """How many arguments each of our flags takes."""
    return {name: int(action.nargs != 0) for action in _looks()._actions for name in action.option_strings}


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
        wrong = _unlookable(options)
        if wrong:
            return _mistake(wrong)
        try:
            return run_module(options.target, options.args, _looks_of(options))
        except ModuleNotFoundError as error:
            return _mistake(f"there is no module {error.name!r} that can be run from {os.getcwd()}")
    wrong = _unreadable(options.target, folders=False)
    if not wrong:
        with open(options.target, encoding="utf-8", errors="replace") as file:
            ours, args = _parted(options.args, file.read())
        _looks().parse_args(ours, options)
        wrong = _unlookable(options)
    return _mistake(wrong) if wrong else run_script(options.target, args, _looks_of(options))


def _parted(args: Sequence[str], source: str) -> tuple[list[str], list[str]]:
    """What stands behind a program's file: the flags that are ours, and the program's own arguments."""
    rest, ours = list(args), list[str]()
    takes = _arguments_taken()
    while rest and rest[0].partition("=")[0] in takes:
        name, equals, _ = rest[0].partition("=")
        if f'"{name}"' in source or f"'{name}'" in source:
            return ours, rest
        count = 1 if equals else 1 + takes[name]
        ours += rest[:count]
        del rest[:count]
    return ours, rest[1:] if rest[:1] == ["--"] else rest


def _unlookable(options: argparse.Namespace) -> str:
    """What is wrong with what is to be looked at, before the program runs for nothing."""
    if options.step < 1:
        return f"--step {options.step}: steps are counted from 1"
    kinds = {"graph": (".svg", ".png", ".pdf", ".dot", ".html"), "play": (".html",)}
    for name, endings in kinds.items():
        path = getattr(options, name)
        if path and not path.lower().endswith(endings):
            return f"--{name} {path}: the file's name is to end in {' or '.join(endings)}"
        folder = os.path.dirname(path or "")
        if folder and not os.path.isdir(folder):
            return f"--{name} {path}: there is no folder {folder!r}"
    return ""


def _looks_of(options: argparse.Namespace) -> Any:
    """What looks at the program, None if nothing does."""
    from dataclasses import fields

    if not any(
        (
            options.graph,
            options.play,
            options.summary,
            options.gradcheck,
            options.profile,
            options.lint,
            options.anomaly,
        )
    ):
        return None
    from .compat.looks import Looks

    return Looks(**{field.name: getattr(options, field.name) for field in fields(Looks)})


def _train(options: argparse.Namespace) -> int:
    from .datasets.files import DataError
    from .train import Mistake, Options, train

    chosen = Options(**{name: getattr(options, name) for name in vars(Options())})
    try:
        train(chosen, options.out, options.resume)
    except (Mistake, DataError) as error:
        return _mistake(str(error))
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

"""What the command line understands: commands, options, and the sentences that help."""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator, Sequence
from typing import NoReturn

from . import version
from .errors import alike

EXAMPLES = """examples:
  python -m tinygrad_edu run train.py --epochs 3      a PyTorch program, unchanged, on this engine
  python -m tinygrad_edu run -m pytest tests/         a test suite that imports torch
  python -m tinygrad_edu launch -n 4 train.py         the same in four processes, over MPI
  python -m tinygrad_edu check project/               which names of torch it uses, and which are missing
  python -m tinygrad_edu graph train.py -o graph.svg  the picture of a program's first training step
  python -m tinygrad_edu train digits                 train a network by name, and look at everything about it
  python -m tinygrad_edu lessons                      the notebooks, to work through
  python -m tinygrad_edu info                         versions, threads, devices

exit codes: 0 all is well, 1 what was looked for was not found, 2 a mistake in the call or a file that cannot be read or
written, 130 interrupted, 141 nobody reads the output any more; `run` ends with its program's own, where that is 0 with 1
if --gradcheck finds a wrong gradient or what was asked for could not be made.
"""
RUN_EXAMPLES = """examples:
  python -m tinygrad_edu run train.py --epochs 3
  python -m tinygrad_edu run train.py --graph graph.svg --play step.html --step 10
  python -m tinygrad_edu run --lint --anomaly train.py --epochs 3

What is to be looked at may stand before the program's file, or right behind it. Behind it, a flag that the file itself
mentions is the program's, and from the first argument on that is none of these all are, also a mistyped one; so is
what follows --. Where a flag of this command was perhaps meant, a sentence says that the program has got it.
Reports go to standard error, when the program has ended. The exit code is the program's; where that is 0, it is 1 if
--gradcheck finds a wrong gradient, or if what was asked for could not be made, as of a step that never came.
"""
GRAPH_EXAMPLES = """examples:
  python -m tinygrad_edu graph train.py                     graph.svg, of the first step
  python -m tinygrad_edu graph train.py -o tenth.html --step 10
  python -m tinygrad_edu graph train.py --play step.html --epochs 1

The program runs until the step has been made, and ends there; `run --graph` lets it go on to its own end. Whose an
option is that stands behind the file is told by `run --help`.
"""
LAUNCH_EXAMPLES = """examples:
  python -m tinygrad_edu launch -n 4 train.py --epochs 3
  python -m tinygrad_edu launch -n 2 --debug -m package.train

It is `mpiexec -n 4 python -m tinygrad_edu run train.py`, with one thread for matrix products in each process if
OMP_NUM_THREADS does not say otherwise. On several machines call mpiexec yourself. One process needs no MPI.
"""
TRAIN_EXAMPLES = """examples:
  python -m tinygrad_edu train digits
  python -m tinygrad_edu train digits --model cnn --epochs 40 --out runs/cnn
  python -m tinygrad_edu train digits --epochs 60 --resume
  python -m tinygrad_edu train moons --json | tail -n 1

Whatever is not chosen is what suits the task. mnist, names and shakespeare are downloaded, or taken from the folder
that the environment variable TINYGRAD_EDU_DATA names.
"""
BENCH_EXAMPLES = """examples:
  python -m tinygrad_edu bench --quick
  python -m tinygrad_edu bench --only gpt --threads 1

Every option is that of `python -m benchmarks`, which stands in a clone of the repository.
"""
LESSONS_EXAMPLES = """examples:
  python -m tinygrad_edu lessons                 all of them, into the folder lessons
  python -m tinygrad_edu lessons 05 07 --out mine
  python -m tinygrad_edu lessons --list

A lesson that is there already and differs, perhaps by your answers, is kept; --force replaces it.
"""
LOOKS = "graph play summary gradcheck profile lint anomaly".split()


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, with the nearest that would have been right."""

    def error(self, message: str) -> NoReturn:
        """End with the sentence and exit code 2."""
        name = self.prog.partition(" ")[2]
        self.exit(2, f"tinygrad-edu: {message}; see tinygrad-edu {name}{' ' * bool(name)}--help\n")

    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def, override]
        """What argparse knows; of what it does not know the first is told by the parser whose option it would be."""
        known, rest = super().parse_known_args(args, namespace)
        if rest and not rest[0].startswith("-"):
            self.error(f"{rest[0]!r} is one argument too many")
        if rest:
            options = [name for name in self._option_string_actions if name.startswith("--")]
            self.error(f"there is no option {rest[0]!r}{alike(rest[0].partition('=')[0], options)}")
        return known, rest


def looks() -> argparse.ArgumentParser:
    """What can be looked at while a program runs."""
    flags = Parser(add_help=False, allow_abbrev=False)
    group = flags.add_argument_group("to look inside")
    group.add_argument(
        "--graph", metavar="FILE", help="draw the graph of a training step: .svg, .png, .pdf, .dot, .html"
    )
    _of_a_step(group)
    group.add_argument("--summary", action="store_true", help="a table of the model's modules")
    group.add_argument(
        "--gradcheck",
        action="store_true",
        help="check the step's operations against numerical gradients; exit code 1 if one is wrong",
    )
    group.add_argument("--profile", action="store_true", help="time the whole run by operation and by module")
    group.add_argument("--lint", action="store_true", help="look for mistakes of training in the whole run")
    group.add_argument("--anomaly", action="store_true", help="stop at the first NaN, and tell where it was born")
    return flags


def picture() -> argparse.ArgumentParser:
    """What `graph` draws, and of which step."""
    flags = Parser(add_help=False, allow_abbrev=False)
    flags.add_argument(
        "-o", "--out", dest="graph", metavar="FILE", default="graph.svg", help=".svg, .png, .pdf, .dot or .html (graph.svg)"
    )  # fmt: skip
    _of_a_step(flags)
    return flags


def processes() -> argparse.ArgumentParser:
    """How many processes there are to be."""
    flags = Parser(add_help=False, allow_abbrev=False)
    flags.add_argument("-n", dest="processes", type=int, required=True, metavar="N", help="how many processes")
    flags.add_argument("--debug", action="store_true", help="compare the processes' calls before each of them")
    return flags


def _of_a_step(group: argparse._ActionsContainer) -> None:
    group.add_argument("--play", metavar="FILE", help="a page that steps forward and back through it: .html")
    group.add_argument("--step", type=int, default=1, metavar="N", help="which step; one ends at optimizer.step()")


FLAGS = {
    "run": looks,
    "graph": picture,
    "launch": processes,
}  # of the commands that run a program, which has arguments of its own


def parser() -> argparse.ArgumentParser:
    """What the command line understands."""
    top = Parser(
        prog="tinygrad-edu",
        description="PyTorch's programs, on an engine that you can read.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"tinygrad_edu {version.own}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str, help: str, description: str, epilog: str = "", flags: Sequence = ()) -> Parser:
        return commands.add_parser(
            name,
            help=help,
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            parents=flags,  # type: ignore[arg-type]
            allow_abbrev=False,
        )

    run = command(
        "run",
        "run a PyTorch program without a change",
        "Run a program as `python` does, with `import torch` answered by this package.",
        RUN_EXAMPLES,
        [looks()],
    )
    graph = command(
        "graph",
        "draw a training step of a PyTorch program",
        "Run a program up to a training step, and draw how its loss was computed.",
        GRAPH_EXAMPLES,
        [picture()],
    )
    launch = command(
        "launch",
        "run a PyTorch program in several processes that train together",
        "Start a program several times, over MPI. An error in one of the processes ends all of them.",
        LAUNCH_EXAMPLES,
        [processes()],
    )
    for each in (run, graph, launch):
        each.add_argument(
            "-m", dest="as_module", action="store_true", help="TARGET is a module's name, as for `python -m`"
        )
        each.add_argument("target", metavar="TARGET", help="the program's file")
        each.add_argument("args", metavar="ARGS", nargs="*", default=[], help="what the program is given")

    train = command(
        "train",
        "train a network by name, and leave a folder with everything about it",
        "Train, print a table, and leave a folder: curves, graph, gradient check, weights, a page to try it.",
        TRAIN_EXAMPLES,
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
    train.add_argument("--json", action="store_true", help="print JSON, a line for each epoch and one for the results")

    check = command(
        "check",
        "list the names of torch that a program uses, and those that are missing",
        "Read a program, a notebook or a folder without running it. Exit code 1 if a name is missing.",
        "example:\n  python -m tinygrad_edu check project/ --missing",
    )
    check.add_argument("path", metavar="PATH", help="a .py file, a .ipynb notebook, or a folder of them")
    check.add_argument("--missing", action="store_true", help="show only what is missing")
    check.add_argument("--json", action="store_true", help="print JSON")

    bench = command("bench", "measure this engine beside PyTorch and NumPy", "Run the benchmarks.", BENCH_EXAMPLES)
    bench.add_argument("args", metavar="OPTIONS", nargs="*", help="what `python -m benchmarks` takes")

    lessons = command(
        "lessons",
        "copy the notebooks into a folder",
        "Copy the lessons, which are notebooks, and say how to open them.",
        LESSONS_EXAMPLES,
    )
    lessons.add_argument("numbers", metavar="NN", nargs="*", help="the lessons' numbers; all if none is given")
    lessons.add_argument("--out", metavar="FOLDER", default="lessons", help="where they go (lessons)")
    lessons.add_argument("--list", action="store_true", help="only tell which there are")
    lessons.add_argument("--force", action="store_true", help="replace what is there and differs")
    lessons.add_argument("--json", action="store_true", help="print JSON")

    info = command(
        "info",
        "versions, linear algebra, threads, devices",
        "What matters about this machine, and why there is no GPU if there is none.",
        "example:\n  python -m tinygrad_edu info --json",
    )
    info.add_argument("--json", action="store_true", help="print JSON")
    return top


def understood(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line as options; what belongs to a program that is to be run is left as it is."""
    argv = list(sys.argv[1:] if argv is None else argv)
    made = parser()
    known = next(list(a.choices) for a in made._actions if isinstance(a.choices, dict))
    if argv and not argv[0].startswith("-") and argv[0] not in known:
        made.error(f"there is no command {argv[0]!r}{alike(argv[0], known)}; there are {', '.join(known)}")
    if argv and argv[0].startswith("-") and argv[0] not in made._option_string_actions:
        made.error(f"there is no option {argv[0]!r}{alike(argv[0], made._option_string_actions)} before a command")
    end = _end_of_own(argv)
    options = made.parse_args(argv[:end])
    if end < len(argv):
        options.args = argv[end:]
    return options


def _end_of_own(argv: Sequence[str]) -> int:
    """Where the arguments end that argparse is to read: behind a program's name, since it would swallow a `--`."""
    command = argv[0] if argv else ""
    if command == "bench":
        return 1 if "-h" not in argv and "--help" not in argv else len(argv)
    if command not in FLAGS:
        return len(argv)
    takes = _arguments_taken(command)
    i = 1
    while i < len(argv) and argv[i].startswith("-"):
        i += 1 if "=" in argv[i] else 1 + takes.get(argv[i], 0)
    return i + 1


def _arguments_taken(command: str) -> dict[str, int]:
    """How many arguments each of a command's own flags takes."""
    return {name: int(action.nargs != 0) for action in FLAGS[command]()._actions for name in action.option_strings}


def parted(command: str, args: Sequence[str], source: str) -> tuple[list[str], list[str]]:
    """What stands behind a program's file: the flags that are the command's, and the program's own arguments."""
    rest, ours = list(args), list[str]()
    takes = _arguments_taken(command)
    while rest and rest[0].partition("=")[0] in takes:
        name, equals, _ = rest[0].partition("=")
        if _mentions(source, name):
            return ours, rest
        count = 1 if equals else 1 + takes[name]
        ours += rest[:count]
        del rest[:count]
    return ours, rest[1:] if rest[:1] == ["--"] else rest


def doubts(command: str, target: str, args: Sequence[str], source: str) -> Iterator[str]:
    """What a program is given although the command may have been meant: its flags, or nearly so, that the program's
    file does not mention; behind -- there is no doubt."""
    flags = [name for name in _arguments_taken(command) if name.startswith("--")]
    for arg in itertools.takewhile(lambda arg: arg != "--", args):
        name = arg.partition("=")[0]
        if not name.startswith("--") or _mentions(source, name):
            continue
        if name in flags:
            yield f"{name} stands among the arguments of {target} and is given to it; for {command} write it before {target}"
        elif meant := alike(name, flags):
            yield f"{name} is given to {target}, which does not mention it{meant}"


def _mentions(source: str, name: str) -> bool:
    return f'"{name}"' in source or f"'{name}'" in source

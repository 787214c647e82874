"""The main job: train a network by name, and leave a folder with everything about it.

`tasks` has the data and what is proposed, `models` the networks, `loop` trains and can be interrupted, `results` writes
the folder, `page` makes the page on which the network is tried.
"""

from __future__ import annotations

import json
import math
import os
import pickle
import shlex
import sys
from dataclasses import replace
from pathlib import Path

from ..cuda import why_unavailable
from ..distributed.launch import place
from ..errors import Mistake, alike
from ..serialization import load
from .loop import OPTIMIZERS, Training
from .models import size
from .results import WHAT, write_results
from .tasks import TASKS, Options

CHECKPOINT = "checkpoint.pt"
LINE = (
    "{epoch:>5}  {loss:>8.{digits}}  {accuracy:>8.1%}  {test_loss:>9.{digits}}  {test_accuracy:>13.1%}  {seconds:>7.2f}"
)


def train(
    options: Options, out: str | os.PathLike | None = None, resume: bool = False, as_json: bool = False
) -> Training:
    """Train, print a table or lines of JSON, and write the results into the folder `out`, by itself `runs/TASK`."""
    if place().size > 1:
        if place().rank:
            raise SystemExit(2)  # the first says why
        raise Mistake("train runs in one process; start it without launch, as in: python -m tinygrad_edu train moons")
    name = options.task or "digits"
    if name not in TASKS:
        raise Mistake(f"there is no task {name!r}{alike(name, TASKS)}; there are {', '.join(TASKS)}")
    out = Path("runs", name) if out is None else Path(out)
    path = out / CHECKPOINT
    state = None
    if resume:
        if not path.exists():
            raise Mistake(f"there is nothing to go on with: {path} does not exist; leave out --resume")
        try:
            state = load(path)
            before = Options(**state["options"])
        except (pickle.UnpicklingError, RuntimeError, EOFError, LookupError, TypeError) as error:
            raise Mistake(f"{path} does not hold the state of a training, or is damaged: {error}") from error
        options = _continued(options, before)
        name = options.task or name
    task = TASKS[name]()
    options = replace(options.completed(task.proposed), task=name)
    _check(options, list(task.models))
    training = Training(task, options)
    if state is not None:
        training.go_on(state)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Mistake(f"the folder {out} cannot be made ({error.strerror}); name another by --out") from error
    if not os.access(out, os.W_OK):
        raise Mistake(f"the folder {out} cannot be written to; name another by --out")
    if not as_json:
        _print_head(training)
    try:
        for numbers in training.run(path):
            digits = "4f" if max(numbers["loss"], numbers["test_loss"]) < 1000 else "1e"
            print(json.dumps(numbers) if as_json else LINE.format(**numbers, digits=digits), flush=True)
        results = [(path, ""), *write_results(training, out)]
    except BrokenPipeError:  # it is the output that nobody reads any more
        raise
    except OSError as error:
        raise Mistake(f"the folder {out} cannot be written to: {error.strerror}") from error
    except KeyboardInterrupt:
        if training.kept:
            print(f"\nthe state after epoch {training.kept} is kept in {path}; go on with:", file=sys.stderr)
            print(f"  python -m tinygrad_edu train {task.name} --out {shlex.quote(str(out))} --resume", file=sys.stderr)
        raise
    if as_json:
        print(json.dumps({str(path): why or "written" for path, why in results}))
    else:
        width = max(len(str(path)) for path, _ in results)
        lines = [
            f"  {path!s:<{width}}  {'is not written: ' + why if why else WHAT[path.name]}" for path, why in results
        ]
        print("", *lines, sep="\n")
    return training


def _print_head(training: Training) -> None:
    o, task = training.options, training.task
    print(f"{task.name}: {task.samples()}")
    print(
        f"{o.model}, {size(training.model):,} parameters; {o.optimizer}, lr {o.lr}, batches of {o.batch_size}, seed {o.seed}"
    )
    if training.epoch < o.epochs:  # type: ignore[operator]
        print("\nepoch      loss  accuracy  test loss  test accuracy  seconds", flush=True)
    else:
        print(f"\n{training.epoch} epochs are done already; to go on name more, as in --epochs {2 * training.epoch}")


def _continued(asked: Options, before: Options) -> Options:
    """The settings of a run that goes on: as they were, perhaps with more epochs."""
    for name, value in vars(asked).items():
        was = getattr(before, name)
        if value not in (None, was) and name != "epochs":
            raise Mistake(
                f"this run began with {name.replace('_', '-')} {was} and goes on with it; "
                f"for {value} leave out --resume, or begin another run in another --out"
            )
    return replace(before, epochs=asked.epochs or before.epochs)


def _check(options: Options, models: list[str]) -> None:
    for what, value, known in (("model", options.model, models), ("optimizer", options.optimizer, list(OPTIMIZERS))):
        if value not in known:
            raise Mistake(
                f"{options.task} has no {what} {value!r}{alike(str(value), known)}; it has {', '.join(known)}"
            )
    for what, number in (("epochs", options.epochs), ("lr", options.lr), ("batch-size", options.batch_size)):
        if number is None or not 0 < number < math.inf:
            raise Mistake(f"--{what} must be greater than 0, not {number}")
    if not -(2**63) <= options.seed < 2**64:  # type: ignore[operator]
        raise Mistake(f"--seed must lie between -2**63 and 2**64 - 1, not {options.seed}")
    kind = str(options.device).partition(":")[0]  # "cuda:1" is the second GPU
    if kind not in ("cpu", "cuda"):
        raise Mistake(f"there is no device {options.device!r}; there are cpu and cuda")
    if kind == "cuda" and (reason := why_unavailable()):
        raise Mistake(f"--device {options.device}: {reason}")


__all__ = ["Mistake", "Options", "Training", "train"]

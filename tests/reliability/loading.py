"""Damage files and load them, in a process that may take little memory: `python loading.py FIRST COUNT [KIND]`.

Every case is made from its number alone, so that one that fails can be seen again by `python loading.py NUMBER 1`.
"""

from __future__ import annotations

import collections
import json
import os
import pickle
import resource
import signal
import sys
import tempfile
import traceback
import warnings
from pathlib import Path
from random import Random
from typing import Any

import damage

import tinygrad_edu as tg
from tinygrad_edu.datasets import CIFAR10, MNIST
from tinygrad_edu.datasets.files import DataError
from tinygrad_edu.datasets.vision import Images

ROOM = 256 * 2**20  # bytes of memory beyond what the process has at its beginning
PATIENCE = 10  # seconds for one file
DAMAGED = (RuntimeError, pickle.UnpicklingError, EOFError)

LOADERS: dict[str, tuple[Any, Any]] = {
    "pt": (lambda folder: tg.load(folder / "a.pt"), DAMAGED),
    "old": (lambda folder: tg.load(folder / "old.pt"), DAMAGED),
    "safetensors": (lambda folder: tg.load(folder / "a.safetensors"), RuntimeError),
    "mnist": (lambda folder: MNIST(folder, train=False), DataError),
    "cifar": (lambda folder: CIFAR10(folder, train=False), DataError),
    "archive": (lambda folder: CIFAR10(folder, train=False), DataError),
}


def too_slow(*_: Any) -> None:
    raise BaseException("too slow")


def look(value: Any) -> None:
    """Read every number of what was loaded: memory that is not there would end the process."""
    if isinstance(value, Images):
        look(list(value))
    elif isinstance(value, tg.Tensor):
        if value.numel() < 10**5:
            value.tolist()
    elif isinstance(value, dict):
        for each in value.values():
            look(each)
    elif type(value) in (list, tuple) and len(value) < 100:
        for each in value:
            if not isinstance(each, (list, tuple)):  # they may be deep
                look(each)


def outcome(name: str, folder: Path) -> str:
    """What loading ends in: nothing, or an error of the kinds that are promised."""
    load, promised = LOADERS[name]
    try:
        look(load(folder))
    except promised as error:
        memory = isinstance(error, RecursionError) or "MemoryError" in str(error) or "llocate" in str(error)
        return "bomb" if memory else f"{type(error).__name__}"
    return "loaded"


def damaged(number: int, kinds: dict[str, damage.Kind]) -> tuple[str, dict[str, bytes]]:
    """The kind and the files of a case: one of them damaged once, sometimes twice."""
    rng = Random(number)
    name = rng.choice(list(kinds))
    files = dict(kinds[name].whole)
    chosen = rng.choice(list(files))
    for _ in range(rng.choice((1, 1, 1, 2))):
        change = rng.choice((damage.ANY, kinds[name].own or damage.ANY)[rng.random() < 0.6])
        try:
            files[chosen] = change(rng, files[chosen])
        except Exception:  # what understands the format cannot read it after the first damage
            files[chosen] = rng.choice(damage.ANY)(rng, files[chosen] or b"0")
    return name, files


def main(first: int, count: int, only: str = "") -> None:
    """Load that many files, and write how they ended as JSON; the case at work stands in a file beside, for the parent
    of a process that dies."""
    warnings.simplefilter("ignore")
    kinds = {name: make() for name, make in damage.KINDS.items() if only in ("", name)}
    ended: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    wrong: dict[int, str] = {}
    signal.signal(signal.SIGALRM, too_slow)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + ROOM,) * 2)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as place:
        folder = Path(place)
        os.environ["TINYGRAD_EDU_DATA"] = place
        for number in range(first, first + count):
            print(number, end="\r", file=sys.stderr, flush=True)
            name, files = damaged(number, kinds)
            for path, content in files.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(content)
            signal.alarm(PATIENCE)
            try:
                ended[name][outcome(name, folder)] += 1
            except BaseException as error:
                ended[name]["wrong"] += 1
                wrong[number] = f"{name}: {type(error).__name__}: {str(error)[:200]}\n" + "".join(
                    traceback.format_tb(error.__traceback__)[-3:]
                )
            signal.alarm(0)
            for path in files:
                (folder / path).unlink()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(json.dumps({"ended": ended, "wrong": wrong, "grown": grown * 1024}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:4])

"""A process that saves again and again is killed at any moment: the file is whole, old or new, and nothing piles up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from random import Random

import pytest
from amount import times

import tinygrad_edu as tg

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills processes by a signal")

WRITER = """
import os, sys
import tinygrad_edu as tg
path = sys.argv[1]
number = 0
print("ready", flush=True)
for line in sys.stdin:  # the parent says when to begin: a new process waits each time, and is forked, not started
    if os.fork():
        os.wait()
        print("gone", flush=True)
        continue
    number = tg.load(path)["number"]
    os.write(1, b"%d\\n" % os.getpid())
    while True:
        number += 1
        tg.save({"number": number, "values": tg.full((60_000,), float(number)), "more": [tg.full((9,), number)] * 3}, path)
"""


def see_saves(path: Path, count: int) -> None:
    """Wait until the file was replaced so many times, however busy the machine is."""
    for _ in range(count):
        before = path.stat().st_ino
        while path.stat().st_ino == before:
            time.sleep(0.0005)


@pytest.mark.parametrize("name", ["model.pt", "model.safetensors"])
def test_kill_at_any_moment(name: str, tmp_path: Path) -> None:
    if name.endswith("safetensors"):
        pytest.importorskip("safetensors")
    path, rng = tmp_path / name, Random(0)
    program = WRITER
    if name.endswith("safetensors"):
        program = program.replace('["number"]', '["number"].item()').replace(
            '"number": number', '"number": tg.tensor(number)'
        )
        program = program.replace("[tg.full((9,), number)] * 3", "tg.full((9,), number)")
    first = tg.tensor(0) if name.endswith("safetensors") else 0
    tg.save({"number": first, "values": tg.zeros(60_000)}, path)
    command = [sys.executable, "-c", program, str(path)]
    before, moved, interrupted = 0, 0, 0
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdin is not None and writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        for _ in range(times(20, 300)):
            print("go", file=writer.stdin, flush=True)
            pid = int(writer.stdout.readline())
            see_saves(path, rng.randrange(3))
            time.sleep(rng.random() * 0.01)
            os.kill(pid, signal.SIGKILL)
            assert writer.stdout.readline() == "gone\n"
            found = tg.load(path)
            number = int(found["number"])
            assert number >= before and (found["values"] == number).all()
            others = [each for each in os.listdir(tmp_path) if each != name]
            assert len(others) <= 1, "each kill may leave one part, which the next save removes"
            moved, interrupted, before = moved + (number > before), interrupted + len(others), number
    assert moved and interrupted, "some of the kills must come between saves, some within"
    tg.save({"number": tg.tensor(1)}, path)
    assert os.listdir(tmp_path) == [name]


def test_a_part_that_is_being_written_stays(tmp_path: Path) -> None:
    """What another writer of the same file has begun is not swept away; what nobody holds is, unless it is of another
    file."""
    path = tmp_path / "a.pt"
    for left in (".a.pt.1.0123abcd.part", ".b.pt.1.0123abcd.part", ".a.pt.part"):
        (tmp_path / left).touch()

    class Waits:
        def __reduce__(self) -> tuple:
            begun.set()
            assert done.wait(30)
            return int, ()

    begun, done = threading.Event(), threading.Event()
    slow = threading.Thread(target=tg.save, args=([tg.ones(2), Waits()], path))
    slow.start()
    assert begun.wait(30)
    assert sum(each.startswith(".a.pt.") for each in os.listdir(tmp_path)) == 2
    tg.save(tg.zeros(2), path)
    assert tg.load(path).tolist() == [0, 0]
    done.set()
    slow.join()
    assert tg.load(path, weights_only=False)[0].tolist() == [1, 1]
    assert sorted(os.listdir(tmp_path)) == [".a.pt.part", ".b.pt.1.0123abcd.part", "a.pt"]


def test_many_writers_of_one_file(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    writers = [
        threading.Thread(target=lambda n=n: [tg.save({"n": tg.full((999,), n)}, path) for _ in range(15)])
        for n in range(4)
    ]
    for each in writers:
        each.start()
    while any(each.is_alive() for each in writers):
        if path.exists():
            assert len(set(tg.load(path)["n"].tolist())) == 1
    assert os.listdir(tmp_path) == ["a.pt"]

"""A process that fails, leaves or does something else ends the others, and somebody says why: nothing hangs."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from started import PROGRAMS, Ended, command, mpiexec, needs_mpi, run, succeeds

from tinygrad_edu.distributed import launch

pytestmark = needs_mpi
DEBUG = {"TORCH_DISTRIBUTED_DEBUG": "DETAIL"}


def test_an_error_in_one_process() -> None:
    ended = mpiexec(3, "trouble", "error", 600)
    assert ended.code != 0 and ended.err.count("Traceback") == 1 and ended.err.count("ValueError: this one only") == 1
    assert "rank 1 of 3 ends with an error" in ended.err and "done" not in ended.out


def by_the_command_line(program: str, *args: object) -> Ended:
    """Three processes of a program, under the drop-in runner."""
    return run([sys.executable, "-m", "tinygrad_edu", "launch", "-n", "3", *command(program, *args)[1:]])


WAITS = r"rank [02] of 3: init_process_group \(early\.py:20\) waits in vain: "


def test_an_error_before_the_group_is_made() -> None:
    ended = by_the_command_line("early", "error")
    assert ended.code == 1 and ended.err.count("Traceback") == 1 and "rank 1 of 3 ends with an error" in ended.err
    assert "waits in vain" not in ended.err
    ended = mpiexec(3, "early", "error")
    assert ended.code == 1 and ended.err.count("Traceback") == 1
    assert re.search(WAITS + "rank 1 ended without calling it", ended.err)


def test_an_exit_before_the_group_is_made() -> None:
    ended = by_the_command_line("early", 3)
    assert ended.code == 3 and ended.err.strip() == "rank 1 of 3 ends with exit code 3, and so do the others"
    for start in (by_the_command_line, partial(mpiexec, 3)):
        ended = start("early", 0)
        assert ended.code == 1 and re.search(WAITS + "rank 1 ended without calling it", ended.err), ended.err


@pytest.mark.parametrize("start", [by_the_command_line, partial(mpiexec, 3)])
def test_a_process_that_is_killed_before_the_group_is_made(start: Callable[..., Ended]) -> None:
    assert start("early", "killed").code != 0


def test_a_process_that_never_comes() -> None:
    ended = mpiexec(3, "early", "late")
    assert ended.code == 1 and re.search(WAITS + "not all processes have called it in 2 s", ended.err), ended.err


def test_an_error_in_all_is_shown_once() -> None:
    ended = mpiexec(3, "trouble", "errors", 600)
    assert ended.code != 0 and ended.err.count("ValueError: in every one") == 1
    assert "rank 0 of 3 ends with an error" in ended.err


@pytest.mark.parametrize("how", ["killed", "exit", "less"])
def test_a_process_that_is_gone(how: str) -> None:
    ended = mpiexec(3, "trouble", how, 600)
    assert ended.code != 0 and "done" not in ended.out
    if how != "killed":
        assert ended.err.count("Traceback") == 1 and "has ended its program" in ended.err
        assert "all_reduce(float32[4], SUM): waits in vain" in ended.err


def test_a_process_that_is_gone_in_the_middle_of_what_one_does_for_all() -> None:
    ended = mpiexec(3, "trouble", "root", 600)
    assert ended.code != 0 and "done" not in ended.out
    assert "broadcast(float32[4], src=0): waits in vain: rank 0 has ended its program" in ended.err


def test_who_is_gone_is_named_by_every_kind_of_waiting() -> None:
    ended = mpiexec(2, "ends", "in vain")
    assert ended.code != 0 and ended.out.count("named") == 10, f"{ended.out}\n{ended.err}"


def test_who_has_done_its_part_may_end() -> None:
    succeeds(mpiexec(4, "ends", "well"), 4)


@pytest.mark.parametrize("how", ["killed", "error"])
def test_nothing_is_left_of_processes_that_were_ended(how: str) -> None:
    mark = f"TINYGRAD_EDU_MARK={os.getpid()}"

    def left() -> list[Path]:
        files = set(Path("/dev/shm").glob("mpich_shm_*")) - before
        return [*files, *(p for p in Path("/proc").glob("[0-9]*/environ") if _mentions(p, mark))]

    before = set(Path("/dev/shm").glob("mpich_shm_*"))
    assert mpiexec(2, "trouble", how, 600, TINYGRAD_EDU_MARK=str(os.getpid())).code != 0
    patience = time.monotonic() + 20  # the launcher ends a little earlier than what it ends; other tests begin
    while left() and time.monotonic() < patience:
        time.sleep(0.05)
    assert not left()


def _mentions(path: Path, text: str) -> bool:
    with contextlib.suppress(OSError):
        return text in path.read_bytes().decode(errors="replace")
    return False


def test_patience_has_an_end() -> None:
    ended = mpiexec(2, "trouble", "sleep", 1.5)
    assert ended.code != 0 and "all_reduce(float32[4], SUM): Timed out waiting 1.5 s" in ended.err
    assert "rank 0 of 2 ends with an error" in ended.err


@pytest.mark.parametrize("mode", [{}, DEBUG])
@pytest.mark.parametrize("how", ["other", "turned"])
def test_different_calls_are_named(how: str, mode: dict[str, str]) -> None:
    ended = mpiexec(3, "trouble", how, 600, **mode)
    assert ended.code != 0 and ended.err.count("Traceback") == 1
    assert "the processes do not make the same call" in ended.err
    lines = (PROGRAMS / "trouble.py").read_text().splitlines()
    condition = f'if how == "{how}":'
    place = f"trouble.py:{lines.index(condition) + 2}"
    assert f"all_reduce(float32[4], SUM): rank 0 ({place}), rank 2 ({place})" in ended.err
    assert f"broadcast(float32[4], src=0): rank 1 ({place})" in ended.err


def test_who_is_late_is_named() -> None:
    ended = mpiexec(3, "trouble", "late", 600)
    assert ended.code != 0 and "ranks 1, 2 failed to pass monitoredBarrier in 1 s" in ended.err


@pytest.mark.parametrize("mode", [{}, DEBUG])
def test_different_pieces_are_named(mode: dict[str, str]) -> None:
    ended = mpiexec(2, "trouble", "pieces", 600, **mode)
    assert ended.code != 0 and "rank 1 sends 1 elements, and rank 0 expects 2 of them" in ended.err


def test_different_groups_are_named() -> None:
    ended = mpiexec(2, "trouble", "groups", 600)
    assert ended.code == 1 and "new_group([0]): rank 0" in ended.err and "new_group([1]): rank 1" in ended.err


@pytest.mark.parametrize(
    ("how", "said"), [("short", "12 bytes were sent, and the tensor has 16"), ("long", "more was")]
)
def test_what_was_sent_must_fit(how: str, said: str) -> None:
    ended = mpiexec(2, "trouble", how, 600)
    assert ended.code == 1 and f"DistBackendError: recv: {said}" in ended.err and ended.err.count("Traceback") == 1


@pytest.mark.parametrize("mode", [{}, DEBUG])
def test_different_shapes_are_named(mode: dict[str, str]) -> None:
    ended = mpiexec(2, "trouble", "shape", 600, **mode)
    assert ended.code != 0 and "all_reduce(float32[4], SUM): rank 0" in ended.err
    assert "all_reduce(float32[5], SUM): rank 1" in ended.err


@pytest.mark.parametrize("how", ["sources", "more"])
def test_who_does_not_wait_is_told_later(how: str) -> None:
    """What one process broadcasts goes its way, and it does not wait: that it was wrong is found at its next call, or at
    the end."""
    ended = mpiexec(3, "trouble", how, 600)
    assert ended.code == 1 and ended.err.count("the processes do not make the same call") == 1
    assert "broadcast(float32[4], src=2): rank 2 (trouble.py:" in ended.err, ended.err


def test_an_error_under_the_drop_in_runner() -> None:
    program = command("trouble", "error", 600)[1:]
    words = [str(launch.find_mpiexec()), "-n", "2", sys.executable, "-m", "tinygrad_edu", "run", *program]
    ended = run(words)
    assert ended.code != 0 and ended.err.count("Traceback") == 1 and "rank 1 of 2 ends" in ended.err
    assert "runpy" not in ended.err and "compat" not in ended.err

"""Starting processes: MPI's launcher, our own command, neither; programs that know PyTorch alone; going on with a run."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from started import PROGRAMS, Ended, command, mpiexec, needs_mpi, run, succeeds

from tinygrad_edu import cli
from tinygrad_edu.distributed import launch

BOILERPLATE = str(PROGRAMS / "boilerplate.py")


def tinygrad_edu(*words: object, **environment: str) -> Ended:
    """The command line."""
    return run([sys.executable, "-m", "tinygrad_edu", *map(str, words)], **environment)


def loss(ended: Ended) -> float:
    """What the boilerplate has printed."""
    assert ended.code == 0, ended.err
    return float(ended.out.split("loss ")[1])


@pytest.mark.parametrize("backend", ["gloo", "nccl", "mpi"])
def test_a_program_for_pytorch_as_one_process(backend: str) -> None:
    ended = tinygrad_edu("run", BOILERPLATE, "--backend", backend, "--epochs", 1)
    assert f"backend {backend}, 1 processes" in ended.out and 0 < loss(ended) < 3


@needs_mpi
@pytest.mark.parametrize("count", [2, 3])
def test_a_program_for_pytorch_in_several(count: int) -> None:
    ended = tinygrad_edu("launch", "-n", count, BOILERPLATE, "--backend", "gloo")
    assert f"backend gloo, {count} processes, 1 threads" in ended.out
    alone = tinygrad_edu("launch", "-n", 1, BOILERPLATE, "--backend", "gloo")
    np.testing.assert_allclose(loss(ended), loss(alone), 1e-7)


@needs_mpi
def test_threads_are_as_told() -> None:
    ended = tinygrad_edu("launch", "-n", 2, BOILERPLATE, "--backend", "mpi", "--epochs", 1, OMP_NUM_THREADS="2")
    assert ended.code == 0 and "2 processes, 2 threads" in ended.out


@needs_mpi
def test_a_module_and_the_debug_mode() -> None:
    words = [sys.executable, "-m", "tinygrad_edu", "launch", "-n", "2", "--debug", "-m", "trouble", "shape", "600"]
    ended = run(words, cwd=PROGRAMS)
    assert ended.code != 0 and "the processes do not make the same call" in ended.err


@needs_mpi
def test_one_picture_of_several_processes(tmp_path: Path) -> None:
    picture = tmp_path / "step.dot"
    ended = tinygrad_edu("launch", "-n", 2, BOILERPLATE, "--graph", picture, "--epochs", 1)
    assert ended.code == 0, ended.err
    assert "digraph" in picture.read_text()


@needs_mpi
def test_one_process_trains_by_the_command_line(tmp_path: Path) -> None:
    ended = tinygrad_edu("launch", "-n", 2, "-m", "tinygrad_edu", "train", "moons", "--out", tmp_path / "moons")
    assert ended.code != 0 and ended.err.count("train runs in one process") == 1, ended.err
    assert "Traceback" not in ended.err and not list(tmp_path.iterdir())


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(launch.importlib.util, "find_spec", lambda name: None)
    assert cli.main(["launch", "-n", "2", BOILERPLATE]) == 2
    assert 'mpi4py is not installed; write pip install "tinygrad_edu[mpi]"' in capsys.readouterr().err
    monkeypatch.setattr(launch.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(launch.shutil, "which", lambda name, path=None: None)
    assert cli.main(["launch", "-n", "2", BOILERPLATE]) == 2
    assert "there is no mpiexec beside" in capsys.readouterr().err
    assert cli.main(["launch", "-n", "0", BOILERPLATE]) == 2
    assert "at least one process" in capsys.readouterr().err
    assert cli.main(["launch", "-n", "2", "nowhere.py"]) == 2
    assert "there is no file 'nowhere.py'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        ({}, (0, 1, 0, 1)),
        ({"PMI_RANK": "5", "PMI_SIZE": "8", "MPI_LOCALRANKID": "1", "MPI_LOCALNRANKS": "4"}, (5, 8, 1, 4)),
        ({"PMI_RANK": "1", "PMI_SIZE": "2"}, (1, 2, 1, 2)),
        ({"OMPI_COMM_WORLD_RANK": "3", "OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_LOCAL_RANK": "0"}, (3, 4, 0, 4)),
    ],
)
def test_launchers_are_known(names: dict, wanted: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for names in launch.LAUNCHERS for name in names]:
        monkeypatch.delenv(name, raising=False)
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    assert launch.place() == wanted


def spawned(how: str) -> Ended:
    """A program that starts its processes itself."""
    return tinygrad_edu("run", PROGRAMS / "spawned.py", how)


@needs_mpi
def test_a_program_that_starts_its_processes_itself() -> None:
    ended = spawned("well")
    assert ended.code == 0 and ended.out.splitlines() == ["gradient 2.0", "gradient 2.0", "all have ended"], ended.err


@needs_mpi
def test_what_a_process_of_spawn_raises_is_raised_by_spawn() -> None:
    for how in ("error", "early"):  # after the group is made, and before
        ended = spawned(how)
        assert ended.code == 1 and "process 1 terminated with the following error" in ended.err
        assert ended.err.count("ValueError: this one only") == 1 and "all have ended" not in ended.out
    ended = spawned("killed")
    assert ended.code == 1 and "ProcessExitedException" in ended.err


def test_processes_that_no_launcher_has_started_are_refused() -> None:
    ended = spawned("alone")
    assert ended.code == 1 and "write torch.multiprocessing.spawn(main, nprocs=2)" in ended.err
    assert "launch -n 2" in ended.err


def _samples(ended: Ended) -> list[str]:
    return [line for line in ended.out.splitlines() if line.startswith("samples")]


def _weights(ended: Ended) -> np.ndarray:
    return np.array(ended.out.split("weights")[1].split("done")[0].split(), float)


@needs_mpi
@pytest.mark.parametrize(("before", "after"), [(2, 4), (4, 1)])
def test_going_on_with_another_number_of_processes(before: int, after: int, tmp_path: Path) -> None:
    """13 steps in one go, and 8 (in the middle of the second epoch) and 5: the same samples, the same weights."""
    whole = run(command("resumed", tmp_path / "whole.pt", 13))
    first = mpiexec(before, "resumed", tmp_path / "parts.pt", 8)
    second = mpiexec(after, "resumed", tmp_path / "parts.pt", 5)
    succeeds(first, before)
    succeeds(second, after)
    assert _samples(first) + _samples(second) == _samples(whole) and len(set(_samples(whole))) == 13
    np.testing.assert_allclose(_weights(second), _weights(whole), 1e-8)

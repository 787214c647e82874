"""The lesson on GPUs where there is one: on the strict stand-in it runs to its end, and leaves a table behind."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import standin

from tinygrad_edu import devices

LESSON = Path(__file__).parents[2] / "notebooks" / "11_gpu.py"
TOLD = {"name": b"A stand-in", "major": 1, "minor": 0, "totalGlobalMem": 1, "multiProcessorCount": 1}


class Device:
    """The only GPU; it notes who waits for it."""

    id = 0

    def __init__(self, index: int = 0) -> None:
        assert index == 0

    def __enter__(self) -> None: ...

    def __exit__(self, *error: object) -> None: ...

    def synchronize(self) -> None:
        standin.waits.append("synchronize")


class Gpu(standin._Module):
    """The stand-in with what else is asked of a GPU."""

    cuda = SimpleNamespace(
        Device=Device, runtime=SimpleNamespace(getDeviceCount=lambda: 1, getDeviceProperties=lambda index: TOLD)
    )

    def get_default_memory_pool(self) -> Any:
        return SimpleNamespace(used_bytes=lambda: 0, total_bytes=lambda: 0)


def run() -> None:
    """The lesson, with each measurement as short as can be."""
    source = LESSON.read_text("utf-8")
    for long, short in {"SECONDS = 0.2 ": "SECONDS = 0 ", "[1, 4, 16, 64, 256, 1024, 4096]": "[1, 4]"}.items():
        assert source.count(long) == 1
        source = source.replace(long, short)
    exec(compile(source, str(LESSON), "exec"), {"__name__": "lesson"})


def test_the_table_is_filled_where_there_is_a_gpu_and_read_where_there_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    standin.waits.clear()
    with monkeypatch.context() as here:
        here.setitem(devices._modules, "cuda", Gpu())
        run()
    said = capsys.readouterr().out
    assert "computed on cuda:0" in said and "A stand-in" in said and "not measured" not in said
    table = json.loads((tmp_path / "gpu_table.json").read_text())
    assert table["gpu"] == "A stand-in" and list(table["steps"]["cuda"]) == ["1", "4"]
    assert table["works"]["cuda"].keys() == table["works"]["cpu"].keys()
    measured = len(table["works"]["cuda"]) + len(table["steps"]["cuda"])
    assert standin.waits.count("synchronize") >= 7 * measured  # around each of five runs, and of two before them
    if devices.cuda_is_available():
        pytest.skip("the rest is about machines without a GPU")
    run()
    said = capsys.readouterr().out
    assert "computed on cpu" in said and "A stand-in" in said and "times the speed" in said


def test_without_a_gpu_or_a_record_the_table_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if devices.cuda_is_available():
        pytest.skip("there is a GPU")
    monkeypatch.chdir(tmp_path)
    run()
    assert "GPU: not measured" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())

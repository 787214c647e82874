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


def test_the_table_is_filled_where_there_is_a_gpu(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(devices._modules, "cuda", Gpu())
    standin.waits.clear()
    source = LESSON.read_text("utf-8")
    brief = source.replace("SECONDS = 0.2 ", "SECONDS = 0 ").replace(
        "SIZES = [1, 4, 16, 64, 256, 1024, 4096]", "SIZES = [1, 4]"
    )
    assert brief.count("SECONDS = 0 ") == brief.count("SIZES = [1, 4]\n") == 1
    exec(compile(brief, str(LESSON), "exec"), {"__name__": "lesson"})
    said = capsys.readouterr().out
    assert "computed on cuda:0" in said and "A stand-in" in said and "not measured" not in said
    table = json.loads((tmp_path / "gpu_table.json").read_text())
    assert table["gpu"] == "A stand-in" and list(table["steps"]) == ["1", "4"]
    assert "a step of 784-128-10, batch 128" in table["works"]
    assert standin.waits.count("synchronize") >= 7 * (
        len(table["works"]) + len(table["steps"])
    )  # around each measurement

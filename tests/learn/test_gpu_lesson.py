"""The lesson on GPUs where there is one: on the strict stand-in it runs to its end, and leaves a table behind."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests import standin
from tinygrad_edu import devices

LESSON = Path(__file__).parents[2] / "notebooks" / "11_gpu.py"


class Gpu(standin._Module):
    """The stand-in with what is asked of a GPU by name; it notes who waits for it."""

    def __init__(self) -> None:
        device = SimpleNamespace(id=0, synchronize=lambda: standin.waits.append("synchronize"))
        told = {"name": b"a stand-in", "major": 1, "minor": 0, "totalGlobalMem": 1, "multiProcessorCount": 1}
        self.cuda = SimpleNamespace(
            Device=lambda index=0: contextlib.nullcontext(device) if False else _Entered(device),
            runtime=SimpleNamespace(getDeviceCount=lambda: 1, getDeviceProperties=lambda index: told),
        )

    def get_default_memory_pool(self) -> Any:
        return SimpleNamespace(used_bytes=lambda: 0, total_bytes=lambda: 0)

"""The stubs that editors and type checkers read are those of the code as it is."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "docs" / "stubs.py"
STUBS = runpy.run_path(str(SCRIPT))["stubs"]()


@pytest.mark.parametrize("path", STUBS, ids=lambda p: p.name)
def test_stub_is_current(path: Path) -> None:
    assert path.read_text() == STUBS[path], "run: python docs/stubs.py"

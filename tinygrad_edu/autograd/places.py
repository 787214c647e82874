"""Where in the user's program something happened."""

from __future__ import annotations

import linecache
import os
import sys
from pathlib import Path
from typing import Any

from .graph import walk

PACKAGE = str(Path(__file__).parents[1]) + os.sep


class Line:
    """A line of the user's program; its text is looked up when it is printed."""

    __slots__ = ("file", "number")

    def __init__(self, file: str, number: int) -> None:
        self.file, self.number = file, number

    @property
    def text(self) -> str:
        """What is written there."""
        return linecache.getline(self.file, self.number).strip()

    @property
    def place(self) -> str:
        """The line in short: `train.py:12`, or `cell 7, line 3` in a notebook."""
        cell = _cell(self.file)
        return f"{os.path.basename(self.file)}:{self.number}" if cell is None else f"cell {cell}, line {self.number}"

    def __str__(self) -> str:
        place = f"{self.file}:{self.number}" if _cell(self.file) is None else self.place
        return place + (f" `{self.text}`" if self.text else "")

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Line) and (self.file, self.number) == (other.file, other.number)

    def __hash__(self) -> int:
        return hash((self.file, self.number))


def _cell(file: str) -> int | None:
    """The number of a notebook's cell: the file that it is compiled from has a name that tells a reader nothing."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(getattr(shell, "compile", None), "_filename_map", {}).get(file)


def own_code(file: str) -> bool:
    """Whether a function is the package's."""
    return file.startswith(PACKAGE)


def where() -> Line:
    """The line of the user's program that is being run: the innermost one outside the package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and own_code(frame.f_code.co_filename):
        frame = frame.f_back
    return Line(frame.f_code.co_filename, frame.f_lineno)


def walk_now() -> dict[str, Any]:
    """The variables of the walk back that is being run; none outside of one."""
    frame = sys._getframe(1)
    while frame is not None and own_code(frame.f_code.co_filename):
        if frame.f_code is walk.__code__:
            return frame.f_locals
        frame = frame.f_back  # type: ignore[assignment]
    return {}

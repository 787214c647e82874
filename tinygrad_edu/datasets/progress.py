"""A bar for what takes a while: drawn on a terminal, silent elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from types import TracebackType
from typing import TextIO

WIDTH = 24
SCALES = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


class Progress:
    """One line that shows how far something is, how fast, and how long it will take; it vanishes at the end."""

    def __init__(self, what: str, total: int | None, unit: str = "", stream: TextIO | None = None) -> None:
        self.what, self.total, self.unit = what, total, unit
        self.stream = sys.stderr if stream is None else stream
        self.shown = self.stream.isatty()
        self.counted = "" if unit == "B" else f" {unit}".rstrip()
        self.done = self.skipped = 0
        self.note = ""
        self.began = time.monotonic()
        self.drawn = float("-inf")

    def __enter__(self) -> Progress:
        self.draw()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.shown:
            self.stream.write("\r\x1b[K")
            self.stream.flush()

    def skip(self, count: int) -> None:
        """Count what was done before, which says nothing about the speed."""
        self.skipped += count
        self.advance(count)

    def advance(self, count: int = 1, note: str = "") -> None:
        """That much more is done; drawn at most ten times a second."""
        self.done += count
        self.note = note
        if self.shown and time.monotonic() - self.drawn > 0.1:
            self.draw()

    def draw(self) -> None:
        """Write the line over itself."""
        if self.shown:
            self.drawn = time.monotonic()
            width = shutil.get_terminal_size().columns - 1  # a longer line would wrap, and stay
            self.stream.write(f"\r\x1b[K{self.line()[:width]}")
            self.stream.flush()

    def line(self) -> str:
        """The line as it stands."""
        speed = (self.done - self.skipped) / max(time.monotonic() - self.began, 1e-9)
        parts = [self.what]
        if self.total:
            full = round(WIDTH * min(self.done / self.total, 1))
            parts.append("█" * full + "░" * (WIDTH - full))
            parts.append(f"{self._amount(self.done)} of {self._amount(self.total)}{self.counted}")
        else:
            parts.append(f"{self._amount(self.done)}{self.counted}")
        if speed > 0:
            parts.append(f"{self._amount(speed)}/s")
            if self.total:
                parts.append(f"{_clock((self.total - self.done) / speed)} left")
        return "  ".join([*parts, self.note]).rstrip()

    def _amount(self, count: float) -> str:
        if self.unit != "B":
            return f"{count:.0f}"
        return next((f"{count / scale:.1f} {name}" for scale, name in SCALES if count >= scale), f"{count:.0f} B")


def _clock(seconds: float) -> str:
    return f"{int(max(seconds, 0) // 60)}:{int(max(seconds, 0) % 60):02d}"


__all__ = ["Progress"]

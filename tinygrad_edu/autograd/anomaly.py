"""Anomaly mode: every node remembers the line that made it, every write its line, and NaN in a gradient is an error."""

from __future__ import annotations

import linecache
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from .graph import Node, Several
from .modes import observer, recording, set_recording

PACKAGE = str(Path(__file__).parents[1]) + os.sep


class Line:
    """A line of the user's program; its text is looked up when it is printed."""

    __slots__ = ("file", "number")

    def __init__(self, file: str, number: int) -> None:
        self.file, self.number = file, number

    def __str__(self) -> str:
        text = linecache.getline(self.file, self.number).strip()
        return f"{self.file}:{self.number}" + (f" `{text}`" if text else "")

    __repr__ = __str__


def where() -> Line:
    """The line of the user's program that is being run: the innermost one outside the package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    return Line(frame.f_code.co_filename, frame.f_lineno)


class Anomaly:
    """The observer that notes lines and looks for NaN; whoever observed before goes on to be told."""

    def __init__(self, check_nan: bool, outer: Any) -> None:
        self.check_nan, self.outer = check_nan, outer

    def recorded(self, node: Node, inputs: Any, outputs: Any) -> None:
        """A node was made."""
        node.trace = where()
        if self.outer is not None:
            self.outer.recorded(node, inputs, outputs)

    def written(self, tensor: Any, what: str) -> None:
        """Memory was written."""
        tensor.version().trace = where()
        if self.outer is not None:
            self.outer.written(tensor, what)

    def walked(self, node: Node, g: Any, results: list[tuple[Node, Any]]) -> None:
        """A node has passed its gradient on."""
        if self.outer is not None:
            self.outer.walked(node, g, results)
        if not self.check_nan:
            return
        for edge, gx in results:
            array = getattr(gx, "array", gx)
            if not isinstance(array, Several) and np.isnan(array).any():
                place = node.edges.index(edge)
                raise RuntimeError(
                    f"Function '{node.name()}' returned nan values in its {place}th output. "
                    f"They are {np.isnan(array).sum()} of the {array.size} elements of its gradient.\n"
                    f"  from: {node.trace or 'a line that ran before anomaly mode was switched on'}"
                )


class set_detect_anomaly:
    """Anomaly mode on or off: at once, and until the end of a `with` block."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        current = observer.get()
        outer = current.outer if isinstance(current, Anomaly) else current
        self.observer = observer.set(Anomaly(check_nan, outer) if mode else outer)
        self.recording = set_recording(bool(recording.get()))

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        recording.reset(self.recording)
        observer.reset(self.observer)


class detect_anomaly:
    """Anomaly mode for a `with` block."""

    def __init__(self, check_nan: bool = True) -> None:
        self.check_nan = check_nan

    def __enter__(self) -> None:
        self.mode = set_detect_anomaly(True, self.check_nan)

    def __exit__(self, *error: object) -> None:
        self.mode.__exit__(*error)


def is_anomaly_enabled() -> bool:
    """Whether anomaly mode is on in this thread."""
    return isinstance(observer.get(), Anomaly)


def is_anomaly_check_nan_enabled() -> bool:
    """Whether anomaly mode is on in this thread and looks for NaN."""
    current = observer.get()
    return isinstance(current, Anomaly) and current.check_nan

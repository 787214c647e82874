"""A training curve: it grows while a cell trains, and afterwards the training can be played again."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from ...tensor import Tensor
from ...viz.history import History
from ..widget import Widget

PAUSE = 0.4  # seconds at least between two pictures: one takes about a third of that to draw

HTML = """
<h1>The training, played again</h1>
<div class="row">
  <button id="play">Play</button>
  <label><span id="unit"></span> <input id="step" type="range" min="0" step="1"> <output id="step-text"></output></label>
  <button id="log" aria-pressed="false">logarithmic loss</button>
</div>
<div class="charts" id="charts"></div>
"""


class LiveCurve:
    """Curves that grow while the numbers come.

        with LiveCurve() as curve:
            for epoch in range(1, 11):
                ...
                curve.log(epoch, loss=loss, test_loss=test_loss, accuracy=accuracy)

    `history` keeps the numbers. When the `with` ends, the picture becomes a `training_curve` to play with.
    """

    def __init__(self, unit: str = "epoch") -> None:
        self.history = History(unit)
        self._place: Any = None  # in the notebook
        self._drawn = 0.0

    def log(self, step: float, **numbers: float | Tensor) -> None:
        """Note numbers by name, and show the curves so far."""
        self.history.log(step, **numbers)
        if self._place is not None and time.monotonic() - self._drawn > PAUSE:
            self._place.update(self.history.plot())
            self._drawn = time.monotonic()

    def __enter__(self) -> LiveCurve:
        shell = sys.modules.get("IPython")
        if shell is not None and shell.get_ipython() is not None:
            self._place = shell.display.display(self.history, display_id=True)
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        if self._place is not None and kind is None and self.history.numbers:
            self._place.update(training_curve(self.history))


def training_curve(history: History) -> Widget:
    """The numbers of a history, played from its first step to its last."""
    if not history.numbers:
        raise ValueError(
            "training_curve: nothing was noted yet; write history.log(step, loss=...) in the training loop"
        )
    numbers = {
        name: [[step, float(f"{value:.6g}")] for step, value in series] for name, series in history.numbers.items()
    }
    script = "".join(Path(__file__).with_name(name).read_text("utf-8") for name in ("chart.js", "training_curve.js"))
    style = Path(__file__).with_name("chart.css").read_text("utf-8")
    page = HTML.replace('<span id="unit"></span>', history.unit)
    return Widget(page, style, script, {"unit": history.unit, "numbers": numbers}, title="Training curve", height=420)


__all__ = ["LiveCurve", "training_curve"]

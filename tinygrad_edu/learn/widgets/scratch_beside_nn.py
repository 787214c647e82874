"""The same network trained by hand and by `nn`, the curves on top of each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...viz.history import History
from ..widget import Widget

HTML = """
<h1>Two programs, one training</h1>
<div id="codes"></div>
<div class="row">
  <button id="play">Play</button>
  <label>UNIT <input id="step" type="range" min="0" step="1"> <output id="step-text"></output></label>
  <button id="apart" aria-pressed="false">pull the curves apart</button>
</div>
<div class="charts" id="charts"></div>
<table id="table"></table>
<p id="difference"></p>
"""

CSS = """
#codes { display: flex; flex-wrap: wrap; gap: 4px 16px; margin-bottom: 8px; }
figure { margin: 0; flex: 1 1 320px; min-width: 0; }
figcaption { font-weight: 600; margin-bottom: 2px; }
pre { margin: 0; padding: 8px 10px; background: var(--card); border: 1px solid var(--line); border-radius: 7px;
  overflow: auto; max-height: 260px; font-size: 12px; line-height: 1.4; }
.chart .under { stroke-width: 7; opacity: 0.45; }
th { padding-right: 22px; } th[scope="col"] { text-align: right; padding-right: 0; } td { padding-left: 16px; }
"""


def scratch_beside_nn(
    history: History, codes: Sequence[str], titles: Sequence[str] = ("by hand", "by nn"), limit: float = 1e-6
) -> Widget:
    """Two trainings beside each other.

    history  has, for each epoch, "scratch loss" and "nn loss", perhaps more such pairs, and "difference": the largest
             between two weights
    codes    the two programs
    limit    a line in the picture of the differences
    """
    wanted = {"scratch loss", "nn loss", "difference"}
    if missing := sorted(wanted - set(history.numbers)):
        raise ValueError(f"scratch_beside_nn: the history has no {', '.join(missing)}; it has {list(history.numbers)}")
    shown = [name.removeprefix("nn ") for name in history.numbers if name.startswith("nn ")]
    lowest = 1e-18  # stands for no difference at all, which a logarithmic measure cannot show
    numbers = {
        name: [[step, max(value, lowest) if name == "difference" else value] for step, value in series]
        for name, series in history.numbers.items()
    }
    data = {"unit": history.unit, "numbers": numbers, "shown": shown, "codes": codes, "titles": titles, "limit": limit}
    script = "".join(Path(__file__).with_name(n).read_text("utf-8") for n in ("chart.js", "scratch_beside_nn.js"))
    style = Path(__file__).with_name("chart.css").read_text("utf-8") + CSS
    return Widget(HTML.replace("UNIT", history.unit), style, script, data, title="By hand and by nn", height=760)


__all__ = ["scratch_beside_nn"]

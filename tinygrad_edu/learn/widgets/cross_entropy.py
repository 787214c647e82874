"""The cross-entropy explorer: the scores move, and probabilities, loss and gradient follow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...nn.functional import cross_entropy, softmax
from ...ops import tensor
from ..widget import Widget

CSS = """
table { border-collapse: collapse; width: 100%; max-width: 860px; }
th { font-weight: 600; color: var(--quiet); font-size: 12.5px; text-align: left; padding: 2px 8px; }
td { padding: 3px 8px; white-space: nowrap; }
th:first-child { white-space: nowrap; }
td.value { text-align: right; min-width: 64px; }
td.picture { width: 22%; }
.track { position: relative; height: 15px; background: var(--soft); border-radius: 3px; }
.bar { position: absolute; height: 100%; border-radius: 3px; background: var(--blue); }
tr.right .probability .bar { background: var(--green); }
.gradient .bar.minus { background: var(--green); } .gradient .bar.plus { background: var(--orange); }
.track .zero { position: absolute; left: 50%; width: 1px; height: 100%; background: var(--quiet); }
input[type="range"] { width: 100%; }
#curve .line { fill: none; stroke: var(--blue); stroke-width: 2; }
#curve .axis { stroke: var(--line); }
#curve circle { fill: var(--orange); }
#curve text { font-size: 11px; fill: var(--quiet); }
#curve { flex: none; }
#loss { font-size: 20px; font-weight: 600; }
"""
HTML = """
<h1>Cross-entropy: scores in, loss and gradient out</h1>
<div class="row"><span class="quiet">try</span><span class="row" id="situations"></span></div>
<table style="margin-top:8px">
<thead><tr><th>right class</th><th>score</th><th></th><th>probability</th><th></th><th>gradient of the score</th><th></th></tr></thead>
<tbody id="rows"></tbody></table>
<div class="row" style="margin-top:10px; gap:28px; flex-wrap:nowrap">
  <div id="curve"></div>
  <div style="flex:1"><p>loss = −log(<span id="share"></span>) = <output id="loss"></output></p>
  <p class="quiet" id="saying" role="status" aria-live="polite"></p></div>
</div>
"""
SITUATIONS = {
    "unsure": ([0.0, 0.0, 0.0, 0.0], 0),
    "sure and right": ([6.0, 0.0, -1.0, 0.5], 0),
    "sure and wrong": ([-2.0, 6.0, 0.0, 0.5], 0),
    "a near miss": ([2.0, 2.5, -1.0, -1.0], 0),
}


def cross_entropy_explorer(classes: Sequence[str] = ("cat", "dog", "bird", "fish")) -> Widget:
    """Sliders for the scores of one sample. The page computes as the engine does, and carries the engine's own answers
    for the situations on its buttons, which it shows when they are pressed."""
    situations = {name: _answers(scores, right) for name, (scores, right) in SITUATIONS.items()}
    script = Path(__file__).with_suffix(".js").read_text("utf-8")
    data = {"classes": list(classes), "situations": situations}
    return Widget(HTML, CSS, script, data, title="Cross-entropy explorer", height=400)


def _answers(scores: list[float], right: int) -> dict[str, Any]:
    """The engine's probabilities, loss and gradient."""
    x = tensor(scores, requires_grad=True)
    loss = cross_entropy(x, tensor(right))
    loss.backward()
    return {"scores": scores, "right": right, "probabilities": softmax(x, 0), "loss": loss, "gradient": x.grad}


__all__ = ["cross_entropy_explorer"]

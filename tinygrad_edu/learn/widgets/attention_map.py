"""What each character of a text looks at: the attention weights of a trained network, block by block, head by head."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...errors import message
from ...tensor import Tensor
from ..widget import Widget

MOST = 80  # characters: more are not legible
CSS = """
#text { font: 20px/1.9 ui-monospace, "SF Mono", "DejaVu Sans Mono", monospace; max-width: 44em; margin: 10px 0; }
#text span { border-radius: 4px; cursor: pointer; white-space: pre-wrap; padding: 2px 0; }
#text .later { color: var(--quiet); opacity: 0.55; }
#text .here { outline: 2px solid var(--orange); }
.both { display: flex; flex-wrap: wrap; gap: 16px 28px; align-items: flex-start; }
.weight { fill: var(--blue); stroke: none; }
.mask { fill: var(--soft); stroke: none; }
.frame { fill: none; stroke: var(--orange); stroke-width: 1.5; }
#map { cursor: crosshair; }
table { border-collapse: collapse; } td, th { padding: 1px 12px 1px 0; text-align: left; font-weight: normal; }
th { color: var(--quiet); font-size: 13px; }
.bar { display: inline-block; height: 10px; background: var(--blue); border-radius: 2px; }
.next .bar { background: var(--orange); }
#place { flex: 1; max-width: 420px; }
"""
HTML = """
<h1>What a character looks at</h1>
<div class="row">
  <label>block <select id="block"></select></label>
  <label>head <select id="head"></select></label>
  <label for="place">character</label><input id="place" type="range" min="0">
</div>
<div id="text"></div>
<div class="both">
  <div id="map"></div>
  <div><table id="looks"></table></div>
  <div class="next"><table id="next"></table></div>
</div>
<p id="say" class="quiet" role="status" aria-live="polite"></p>
<p class="quiet">Point at a character, at a row of the map, or move the slider. The bluer, the larger the weight.</p>
"""


def attention_map(
    characters: Sequence[str], weights: Tensor, following: Sequence[Sequence[tuple[str, float]]] = ()
) -> Widget:
    """A text, and how strongly each character attends to each one before it.

    weights    (blocks, heads, T, T), as the network computed them: row t sums to 1, and what lies after t is 0
    following  for each place, characters that may come next and how likely the network holds each
    """
    count = len(characters)
    if weights.ndim != 4 or tuple(weights.shape[2:]) != (count, count) or count > MOST:
        wrong = f"{count} characters and weights of shape {tuple(weights.shape)}"
        raise ValueError(
            message("attention_map", wrong, instead=f"at most {MOST} characters, weights (blocks, heads, T, T)")
        )
    if weights.triu(1).abs().max().item() > 0:
        raise ValueError(message("attention_map", "a weight above the diagonal is not 0", instead="causal attention"))
    rows = [
        [[[round(v, 4) for v in row[: t + 1]] for t, row in enumerate(head)] for head in block]
        for block in weights.tolist()
    ]
    data = {
        "characters": list(characters),
        "weights": rows,
        "following": [[[name, round(float(p), 4)] for name, p in each] for each in following],
    }
    script = Path(__file__).with_suffix(".js").read_text("utf-8")
    return Widget(HTML, CSS, script, data, title="An attention map", height=600)


__all__ = ["attention_map"]

"""A kernel that slides over a picture: at each place nine products, and their sum is one number of the result."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ...errors import message
from ...tensor import Tensor
from ..widget import Widget

MOST = 16  # rows and columns of a picture: more are not legible
CSS = """
.grids { display: flex; flex-wrap: wrap; gap: 18px 26px; align-items: flex-start; }
h2 { font-size: 13px; margin: 0 0 4px; color: var(--quiet); font-weight: 600; }
.cell { stroke: var(--line); stroke-width: 0.5; fill: var(--paper); }
.value { stroke: none; pointer-events: none; }
.ink { fill: var(--ink); } .plus { fill: var(--blue); } .minus { fill: var(--red); }
.frame { fill: none; stroke: var(--orange); stroke-width: 3; pointer-events: none; }
.ring { stroke-dasharray: 2 2; }
#kernel { display: grid; gap: 3px; }
#kernel input {
  width: 54px; padding: 4px 2px; font: inherit; text-align: center; color: var(--ink); background: var(--card);
  border: 1px solid var(--line); border-radius: 5px;
}
#sum { white-space: pre-line; }
#place { flex: 1; max-width: 420px; }
"""
HTML = """
<h1>A kernel slides over a picture</h1>
<div class="row" style="margin-bottom:10px">
  <label>kernel <select id="which"></select></label>
  <label>stride <select id="stride"><option>1<option>2<option>3</select></label>
  <label>padding <select id="padding"><option>0<option>1<option>2</select></label>
</div>
<div class="grids">
  <div><h2 id="size"></h2><div id="picture"></div></div>
  <div><h2>kernel: change its numbers</h2><div id="kernel"></div></div>
  <div><h2 id="result-size"></h2><div id="result"></div></div>
</div>
<div class="row" style="margin-top:10px"><label for="place">place</label><input id="place" type="range" min="0" value="0">
<output id="where" class="code" for="place"></output></div>
<p id="sum" class="code" role="status" aria-live="polite"></p>
<p class="quiet">Move the slider, or point at the result. In the result, blue is positive and red is negative.</p>
"""


def sliding_kernel(picture: Tensor, kernels: Mapping[str, Tensor]) -> Widget:
    """A picture (H, W) and the kernels to choose from, all of one size (K, K); stride and padding can be chosen too."""
    sizes = {tuple(kernel.shape) for kernel in kernels.values()}
    if picture.ndim != 2 or max(picture.shape) > MOST:
        wrong = f"the picture's shape is {tuple(picture.shape)}"
        raise ValueError(
            message("sliding_kernel", wrong, instead=f"a picture (H, W) of at most {MOST} rows and columns")
        )
    if len(sizes) != 1 or len(set(*sizes)) != 1 or len(*sizes) != 2:
        raise ValueError(
            message("sliding_kernel", f"the kernels' shapes are {sorted(sizes)}", instead="one shape (K, K)")
        )
    numbers = [[round(v, 2) for v in row] for row in picture.tolist()]
    data = {"picture": numbers, "kernels": dict(kernels)}
    script = Path(__file__).with_suffix(".js").read_text("utf-8")
    return Widget(HTML, CSS, script, data, title="A kernel slides over a picture", height=520)


__all__ = ["sliding_kernel"]

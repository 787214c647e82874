"""How shapes flow through a network while the batch grows: what moves with it, and what stays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ...autograd.modes import no_grad
from ...tensor import Tensor
from ..widget import Widget

BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
CSS = """
#flow svg { min-width: 700px; } #flow { overflow-x: auto; }
svg text { font-size: 16px; text-anchor: middle; dominant-baseline: central; }
svg .code { font-size: 15px; }
svg .small { font-size: 14px; fill: var(--quiet); }
.batch { fill: var(--orange-soft); stroke: var(--orange); }
.fixed { fill: var(--blue-soft); stroke: var(--blue); }
.arrow { stroke: var(--quiet); stroke-width: 1.5; fill: none; }
.head { fill: var(--quiet); }
#batch { flex: 1; max-width: 420px; }
b.moves { color: var(--orange); } b.stays { color: var(--blue); }
"""
HTML = """
<h1>Shapes while the batch grows</h1>
<div class="row"><label for="batch">batch size</label><input id="batch" type="range" min="0" step="1" value="0">
<output id="size" class="code" for="batch"></output></div>
<div id="flow"></div>
<p id="sums" role="status" aria-live="polite"></p>
<p class="quiet"><b class="moves">Orange</b> grows with the batch, <b class="stays">blue</b> is the same for every batch.
Heights and widths are drawn in logarithmic measure.</p>
"""


def shapes_flow(
    forward: Callable[[int], Mapping[str, Tensor]],
    parameters: Mapping[str, Tensor],
    steps: Sequence[tuple[str, Sequence[str], str]],
    batches: Sequence[int] = BATCHES,
) -> Widget:
    """A chain of operations, run once for each batch size; every shape is that of the tensor that came out.

    forward  takes a batch size and returns the tensors on the way, by name; the first is the input
    steps    of each operation: how it is written, the parameters it uses, the name of its result
    """
    runs = []
    with no_grad():
        for batch in batches:
            tensors = forward(batch)
            runs.append({name: _facts(t) for name, t in tensors.items()})
    data = {
        "batches": list(batches),
        "runs": runs,
        "parameters": {name: _facts(t) for name, t in parameters.items()},
        "steps": [list(step) for step in steps],
    }
    script = Path(__file__).with_suffix(".js").read_text("utf-8")
    return Widget(HTML, CSS, script, data, title="Shapes while the batch grows", height=400)


def _facts(tensor: Tensor) -> dict[str, object]:
    return {"shape": list(tensor.shape), "bytes": tensor.nbytes}


__all__ = ["shapes_flow"]

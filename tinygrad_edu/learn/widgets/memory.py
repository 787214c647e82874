"""Where a tensor's numbers lie in memory, and how its views find them: by an offset and a stride for each dimension."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import message
from ...tensor import Tensor
from ..widget import Widget

MOST = 64  # numbers in one storage: more are not legible
CSS = """
.cell { fill: var(--paper); stroke: var(--line); }
.used .cell { fill: var(--blue-soft); stroke: var(--blue); }
.here .cell { fill: var(--orange-soft); stroke: var(--orange); stroke-width: 2.5; }
svg text { font-size: 12px; text-anchor: middle; dominant-baseline: central; }
svg .small { font-size: 10px; fill: var(--quiet); }
#tensor .cell { cursor: pointer; }
#tensor svg, #storage svg { overflow: visible; }
dl { display: grid; align-items: baseline; grid-template-columns: auto 1fr; gap: 2px 12px; margin: 0; }
dt { color: var(--quiet); } dd { margin: 0; }
#formula { min-height: 1.5em; }
h2 { font-size: 13px; margin: 12px 0 4px; color: var(--quiet); font-weight: 600; }
"""
HTML = """
<h1>Where the numbers lie</h1>
<div class="row" id="views" role="group" aria-label="Tensor"></div>
<div class="row" style="margin-top:12px; align-items:flex-start; gap:26px">
  <div id="tensor" tabindex="0" role="application" aria-label="The tensor's entries: move with the arrow keys"></div>
  <dl id="facts"></dl>
</div>
<h2 id="whose"></h2>
<div id="storage"></div>
<p id="formula" class="code" role="status" aria-live="polite"></p>
<p class="quiet">Point at an entry, or move with the arrow keys. Blue: what this tensor reaches of the storage.</p>
"""


def memory_layout(tensors: Mapping[str, Tensor]) -> Widget:
    """Tensors by the expression that makes each, such as `{"x": x, "x.T": x.T}`; up to three dimensions.

    All that is shown is what the tensors say: shape, strides, offset, and the numbers of their storage.
    """
    storages: dict[int, dict[str, Any]] = {}
    views = []
    for name, tensor in tensors.items():
        memory = tensor.untyped_storage()
        count = memory.nbytes() // tensor.element_size()
        if tensor.ndim > 3 or count > MOST:
            wrong = f"{name} has {tensor.ndim} dimensions and a storage of {count} numbers"
            raise ValueError(message("memory_layout", wrong, instead=f"up to 3 dimensions and {MOST} numbers"))
        flat = tensor.detach().as_strided((count,), (1,), 0)
        owner = storages.setdefault(
            memory.data_ptr(), {"owner": name, "numbers": flat, "itemsize": tensor.element_size()}
        )
        views.append(
            {
                "name": name,
                "shape": list(tensor.shape),
                "strides": list(tensor.stride()),
                "offset": tensor.storage_offset(),
                "contiguous": tensor.is_contiguous(),
                "dtype": str(tensor.dtype).removeprefix("torch."),
                "storage": owner["owner"],
            }
        )
    data = {"views": views, "storages": {s["owner"]: s for s in storages.values()}}
    script = Path(__file__).with_suffix(".js").read_text("utf-8")
    return Widget(HTML, CSS, script, data, title="A tensor's memory layout", height=430)


__all__ = ["memory_layout"]

"""Which letter comes next: trained character models in the page, asked again at each letter that is typed."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import message
from ...nn.modules.linear import Linear
from ...nn.modules.module import Module
from ...nn.modules.rnn import LSTM
from ...nn.modules.sparse import Embedding
from ...tensor import Tensor
from ..widget import Widget

CSS = """
#bars { display: flex; align-items: stretch; gap: 2px; height: 190px; margin: 12px 0 6px; overflow-x: auto; }
#bars button {
  flex: 1 0 17px; display: flex; flex-direction: column; justify-content: flex-end; align-items: center; padding: 2px 0;
  background: none; border: 0; border-radius: 4px;
}
#bars button:hover { background: var(--card); }
.bar { width: 80%; background: var(--blue); border-radius: 2px 2px 0 0; min-height: 1px; }
.share { font-size: 11px; color: var(--quiet); }
#beginning {
  font: 18px ui-monospace, "DejaVu Sans Mono", monospace; width: 12em; padding: 3px 8px; color: var(--ink);
  background: var(--paper); border: 1px solid var(--line); border-radius: 7px;
}
#written { columns: 7em; padding: 0; margin: 8px 0 0; list-style: none; min-height: 3em; }
"""
HTML = """
<h1>Which letter comes next?</h1>
<div class="row" id="models" role="group" aria-label="Model"></div>
<div class="row" style="margin-top:10px">
  <label>beginning <input id="beginning" autocomplete="off" autocapitalize="none" spellcheck="false"></label>
  <button id="clear">clear</button>
  <label for="heat">temperature</label><input id="heat" type="range" min="0.2" max="2" step="0.1" value="1">
  <output id="degree" class="code" for="heat"></output>
</div>
<div id="bars" role="group" aria-label="Next letters: press one to add it"></div>
<p id="say" role="status" aria-live="polite"></p>
<div class="row"><button id="write">write ten names that begin so</button></div>
<ul id="written" class="code"></ul>
<p class="quiet">Type, or press a bar to add its letter. The dot ends the name.</p>
"""

Network = Tensor | Sequence[Module]


def next_letter(letters: Sequence[str], models: Mapping[str, Network]) -> Widget:
    """Models to choose from; letter 0 stands before the first letter of a name and after its last.

    A model is one of
    - a table of scores (letters, letters): row = the last letter;
    - (Embedding, Linear, Linear): embeddings of the last few letters side by side, a hidden layer with tanh, scores;
    - (Embedding, LSTM, Linear): one layer that has read everything so far, scores.
    """
    data = {"letters": list(letters), "models": {name: _exported(name, model) for name, model in models.items()}}
    script = Path(__file__).with_suffix(".js").read_text("utf-8")
    return Widget(HTML, CSS, script, data, title="Which letter comes next?", height=520)


def _exported(name: str, model: Network) -> dict[str, Any]:
    if isinstance(model, Tensor):
        return {"kind": "table", "scores": _packed(model)}
    match model:
        case (Embedding() as embedding, Linear() as hidden, Linear() as scores):
            context = hidden.in_features // embedding.embedding_dim
            return {
                "kind": "window",
                "context": context,
                "embedding": _packed(embedding.weight),
                "hidden": _affine(hidden.weight, hidden.bias),
                "scores": _affine(scores.weight, scores.bias),
            }
        case (Embedding() as embedding, LSTM(num_layers=1, bidirectional=False) as lstm, Linear() as scores):
            return {
                "kind": "lstm",
                "size": lstm.hidden_size,
                "embedding": _packed(embedding.weight),
                "input": _affine(lstm.weight_ih_l0, lstm.bias_ih_l0),
                "state": _affine(lstm.weight_hh_l0, lstm.bias_hh_l0),
                "scores": _affine(scores.weight, scores.bias),
            }
    wrong = f"{name!r} is made of {', '.join(type(part).__name__ for part in model)}"
    instead = "a table of scores, (Embedding, Linear, Linear) or (Embedding, LSTM, Linear)"
    raise ValueError(message("next_letter", wrong, instead=instead))


def _affine(weight: Tensor, bias: Tensor | None) -> dict[str, Any]:
    return {"weight": _packed(weight), "bias": _packed(weight.new_zeros(len(weight)) if bias is None else bias)}


def _packed(tensor: Tensor) -> dict[str, Any]:
    """Shape, and the numbers as float32 in base64: exact, and shorter than digits."""
    array = tensor.detach().cpu().numpy().astype("<f4")
    return {"shape": list(array.shape), "numbers": base64.b64encode(array.tobytes()).decode()}


__all__ = ["next_letter"]

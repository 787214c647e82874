"""Layers opened: beside what `nn` computes, the same by raw tensor operations, line by line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ... import nn
from ...autograd.modes import no_grad
from ...errors import message
from ...nn.modules.module import Module
from ...ops import tensor
from ...random import get_rng_state, manual_seed, randn, set_rng_state
from ...tensor import Tensor
from ..widget import Widget


@dataclass
class Opened:
    """A layer, what goes in, and the lines that compute the same.

    make    makes the layer, as `lambda: nn.Linear(3, 2)`
    text    how that is written
    inputs  by name: the lines find them, the layer's parameters and buffers (a dot in a name becomes `_`), and each other
    lines   `name = expression`, each with a word on it; the last name is the result
    """

    make: Callable[[], Module]
    text: str
    inputs: dict[str, Tensor]
    lines: Sequence[tuple[str, str]]


HTML = """
<h1>Layers, opened</h1>
<div class="row" id="layers"></div>
<p class="code" id="call"></p>
<div id="outside" class="flow"></div>
<div class="row"><button id="open" aria-expanded="false"></button><button id="more">one line more</button></div>
<ol id="lines"></ol>
<p id="verdict" role="status" aria-live="polite"></p>
"""
CSS = """
.flow { display: flex; flex-wrap: wrap; gap: 10px 22px; align-items: center; margin: 8px 0; }
.tensor { margin: 0; } .tensor figcaption { font-size: 12.5px; color: var(--quiet); margin-bottom: 3px; }
.tensor figcaption b { color: var(--ink); font-family: ui-monospace, "DejaVu Sans Mono", monospace; }
.blocks { display: flex; gap: 7px; flex-wrap: wrap; }
table { border-collapse: separate; border-spacing: 2px; }
td { min-width: 40px; padding: 1px 4px; text-align: right; font-size: 12px; border-radius: 4px; background: var(--card); }
td.plus { background: var(--blue-soft); } td.minus { background: var(--orange-soft); }
.layer { border: 2px solid var(--purple); background: var(--purple-soft); border-radius: 9px; padding: 8px 14px; }
#lines { padding-left: 26px; margin: 6px 0; } #lines li { margin: 10px 0; } #lines li::marker { color: var(--quiet); }
#lines .code { font-weight: 600; } #lines p { margin: 1px 0 5px; }
#verdict b { color: var(--green); }
"""


def _examples() -> dict[str, Opened]:
    x = tensor([[1.0, 2.0, -1.0], [0.5, -1.5, 2.0], [3.0, 0.0, 1.0], [-2.0, 1.0, 0.5]])
    picture = tensor([[[[0, 0, 1, 0, 0], [0, 0, 1, 0, 0], [1, 1, 1, 1, 1], [0, 0, 1, 0, 0], [0, 0, 1, 0, 0.0]]]])
    words = randn(3, 4)
    normalized = [
        ("centred = x - x.mean({0})", "the mean away"),
        ("variance = (centred * centred).mean({0})", "the mean square of what is left; the root of it is the spread"),
        ("normal = centred / (variance + 1e-5) ** 0.5", "mean 0, spread 1; 1e-5 guards against dividing by 0"),
        ("out = normal * weight + bias", "a scale and a shift that are learned: 1 and 0 at first"),
    ]
    return {
        "Linear": Opened(
            lambda: nn.Linear(3, 2),
            "nn.Linear(3, 2)",
            {"x": x},
            [
                ("products = x @ weight.T", "each output is a weighted sum of the inputs"),
                ("out = products + bias", "the bias is broadcast over the rows"),
            ],
        ),
        "ReLU": Opened(
            nn.ReLU,
            "nn.ReLU()",
            {"x": x},
            [("positive = x > 0", "a mask of 0 and 1"), ("out = x * positive", "what is negative becomes 0")],
        ),
        "BatchNorm1d": Opened(
            lambda: nn.BatchNorm1d(3),
            "nn.BatchNorm1d(3), in training",
            {"x": x},
            [(line.format("0"), why) for line, why in normalized],
        ),
        "LayerNorm": Opened(
            lambda: nn.LayerNorm(3),
            "nn.LayerNorm(3)",
            {"x": x},
            [(line.format("1, keepdim=True"), why) for line, why in normalized],
        ),
        "Embedding": Opened(
            lambda: nn.Embedding(5, 3),
            "nn.Embedding(5, 3)",
            {"words": tensor([3, 0, 3])},
            [("out = weight[words]", "a table; each number picks its row")],
        ),
        "Conv2d": Opened(
            lambda: nn.Conv2d(1, 2, 3),
            "nn.Conv2d(1, 2, 3)",
            {"x": picture},
            [
                (
                    "windows = x.unfold(2, 3, 1).unfold(3, 3, 1)",
                    "a 3 × 3 window at each of 3 × 3 places: a view, nothing is copied",
                ),
                ("rows = windows.reshape(9, 9)", "one row for each place, the window laid flat"),
                (
                    "products = rows @ weight.reshape(2, 9).T + bias",
                    "a convolution is a Linear that every window goes through",
                ),
                ("out = products.T.reshape(1, 2, 3, 3)", "back to two pictures"),
            ],
        ),
        "MaxPool2d": Opened(
            lambda: nn.MaxPool2d(2),
            "nn.MaxPool2d(2)",
            {"x": randn(1, 1, 4, 4)},
            [
                ("blocks = x.reshape(1, 1, 2, 2, 2, 2)", "rows and columns in pairs"),
                (
                    "together = blocks.permute(0, 1, 2, 4, 3, 5).reshape(1, 1, 2, 2, 4)",
                    "the four numbers of a block side by side",
                ),
                ("out = together.amax(-1)", "the largest of each four"),
            ],
        ),
        "Attention": Opened(
            lambda: nn.MultiheadAttention(4, 1, batch_first=True),
            "nn.MultiheadAttention(4, 1), from the words to themselves",
            {"x": words},
            [
                ("q = x @ in_proj_weight[0:4].T + in_proj_bias[0:4]", "what each word asks for"),
                ("k = x @ in_proj_weight[4:8].T + in_proj_bias[4:8]", "what each word offers"),
                ("v = x @ in_proj_weight[8:12].T + in_proj_bias[8:12]", "what each word says"),
                ("scores = q @ k.T / 4 ** 0.5", "how well question and offer fit; the root keeps the sizes alike"),
                ("shares = scores.softmax(1)", "positive, and 1 in each row"),
                ("mixed = shares @ v", "each word gets a mixture of what all say"),
                ("out = mixed @ out_proj_weight.T + out_proj_bias", "and a last Linear"),
            ],
        ),
        "CrossEntropyLoss": Opened(
            nn.CrossEntropyLoss,
            "nn.CrossEntropyLoss()",
            {"x": x, "target": tensor([1, 2, 0, 1])},
            [
                ("shifted = x - x.amax(1, keepdim=True)", "the largest of each row becomes 0: exp cannot overflow"),
                ("logs = shifted - shifted.exp().sum(1, keepdim=True).log()", "the logarithm of the softmax"),
                ("chosen = logs.gather(1, target[:, None])", "that of the right class"),
                ("out = -chosen.mean()", "far below 0 where the right class seemed unlikely"),
            ],
        ),
    }


def layers_opened(examples: dict[str, Opened] | None = None) -> Widget:
    """A page in which layers are opened line by line; every tensor was computed by the engine."""
    state = get_rng_state()
    try:
        manual_seed(0)
        data = {name: opened(each) for name, each in (examples or _examples()).items()}
    finally:
        set_rng_state(state)
    script = Path(__file__).with_suffix(".js").read_text("utf-8")
    return Widget(HTML, CSS, script, data, title="Layers, opened", height=560)


def opened(example: Opened) -> dict[str, Any]:
    """What the layer computes, what each line computes, and how far the two are apart."""
    layer = example.make()
    names = {key.replace(".", "_"): value for key, value in layer.state_dict().items() if value.ndim}
    parameters = {key: value.clone() for key, value in names.items() if not key.startswith("running")}
    values: dict[str, Any] = {**parameters, **example.inputs}
    with no_grad():
        given = list(example.inputs.values())
        result = layer(*given * (3 if isinstance(layer, nn.MultiheadAttention) else 1))
        result = result[0] if isinstance(result, tuple) else result
        lines = []
        for line, why in example.lines:
            name, _, expression = line.partition(" = ")
            values[name] = eval(expression, {}, values)
            lines.append({"code": line, "why": why, "result": _shown(name, values[name])})
    if result.shape != values[name].shape:
        wrong = f"the layer gives {tuple(result.shape)}, the lines give {tuple(values[name].shape)}"
        raise ValueError(message(f"opened({example.text})", wrong))
    return {
        "text": example.text,
        "inputs": [_shown(key, value) for key, value in example.inputs.items()],
        "parameters": [_shown(key, value) for key, value in parameters.items()],
        "output": _shown("out", result),
        "lines": lines,
        "gap": float((result - values[name]).abs().max()),
    }


def _shown(name: str, value: Tensor) -> dict[str, Any]:
    """A tensor as matrices: the last two dimensions as rows and columns, the others one after the other."""
    rows = value.reshape(1, 1) if not value.ndim else value.reshape(1, -1) if value.ndim == 1 else value
    blocks = rows.reshape(-1, *rows.shape[-2:]).tolist()
    numbers = [
        [[float(f"{v:.4g}") if v is not True and v is not False else int(v) for v in r] for r in b] for b in blocks
    ]
    return {"name": name, "shape": list(value.shape), "blocks": numbers}


__all__ = ["Opened", "layers_opened", "opened"]

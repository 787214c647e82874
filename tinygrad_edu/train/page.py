"""The page on which a trained network is tried: one file, with its weights and the few functions that run it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from importlib import resources
from typing import Any

import numpy as np

from .. import nn
from ..autograd.modes import no_grad
from ..nn.modules.container import Sequential
from ..nn.modules.module import Module
from ..tensor import Tensor
from ..utils.data import DataLoader
from ..viz.pages import in_script
from .models import Block, Positions, Recurrent
from .tasks import Task

EXAMPLES = 12
POINTS = 200


class Exporter:
    """A model's layers as data for JavaScript: numbers in one block of float32, and where each layer's begin."""

    def __init__(self) -> None:
        self.blocks: list[np.ndarray] = []
        self.length = 0

    def put(self, tensor: Tensor) -> dict[str, Any]:
        """A tensor's place in the block."""
        array = tensor.detach().cpu().numpy().astype("<f4")
        place = {"at": self.length, "shape": list(array.shape)}
        self.blocks.append(array.reshape(-1))
        self.length += array.size
        return place

    def affine(self, layer: Any) -> dict[str, Any]:
        """Weight and bias."""
        return {"weight": self.put(layer.weight), "bias": self.put(layer.bias)}

    def layer(self, module: Module) -> dict[str, Any]:
        """One layer: its kind, its settings, its tensors."""
        kinds: dict[type, Callable[[Any], dict[str, Any]]] = {
            nn.Linear: lambda m: {"kind": "linear", **self.affine(m)},
            nn.ReLU: lambda m: {"kind": "relu"},
            nn.Tanh: lambda m: {"kind": "tanh"},
            nn.Flatten: lambda m: {"kind": "flatten"},
            nn.Conv2d: lambda m: {"kind": "conv2d", "padding": m.padding[0], **self.affine(m)},
            nn.MaxPool2d: lambda m: {"kind": "maxpool", "size": m.kernel_size},
            nn.Embedding: lambda m: {"kind": "embedding", "weight": self.put(m.weight)},
            nn.LayerNorm: lambda m: {"kind": "norm", "eps": m.eps, **self.affine(m)},
            Recurrent: lambda m: {
                "kind": "lstm",
                "input": {"weight": self.put(m.weight_ih_l0), "bias": self.put(m.bias_ih_l0)},
                "state": {"weight": self.put(m.weight_hh_l0), "bias": self.put(m.bias_hh_l0)},
            },
            Positions: lambda m: {
                "kind": "positions",
                "token": self.put(m.token.weight),
                "place": self.put(m.place.weight),
            },
            Block: lambda m: {
                "kind": "block",
                "heads": m.heads,
                "eps": m.norm1.eps,
                **{name: self.affine(getattr(m, name)) for name in ("norm1", "qkv", "out", "norm2", "up", "down")},
            },
        }
        return kinds[type(module)](module)


def page_of(task: Task, model: Sequential) -> str:
    """The page as HTML text."""
    exporter = Exporter()
    layers = [exporter.layer(module) for module in model]  # type: ignore[attr-defined]
    network = {
        "layers": layers,
        "numbers": base64.b64encode(np.concatenate(exporter.blocks).tobytes()).decode(),
        "classes": list(task.classes),
        "facts": task.facts,
        "examples": _examples(task, model),
    }
    text = _file("page.html")
    parts = {
        "{{title}}": f"Try the network: {task.name}",
        "{{style}}": _file("page.css"),
        "{{network}}": in_script(json.dumps(network)),
        "{{layers}}": _file("layers.js"),
        "{{controls}}": _file(f"{task.kind}.js"),
    }
    for mark, content in parts.items():
        text = text.replace(mark, content)
    return text


@no_grad()
def _examples(task: Task, model: Module) -> list[dict[str, Any]]:
    """Samples of the data to test, with the scores that the engine gives them."""
    x, y = next(iter(DataLoader(task.test, POINTS if task.kind == "points" else EXAMPLES)))
    scores = model(x)
    if scores.ndim == 3:
        scores, y = scores[:, -1], y[:, -1]
    elif y.ndim == 2:
        y = y[:, -1]
    return [
        {"x": a.flatten().tolist(), "y": int(b), "scores": [round(v, 6) for v in c]}
        for a, b, c in zip(x, y.tolist(), scores.tolist(), strict=True)
    ]


def _file(name: str) -> str:
    return resources.files(__package__).joinpath("pages", name).read_text("utf-8")

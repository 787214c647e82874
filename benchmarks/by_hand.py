"""The small networks written by hand in NumPy, as a careful programmer would: what an engine can hope to come near."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

Layers = list[tuple[np.ndarray, np.ndarray]]
Advance = Callable[[list[np.ndarray]], None]


def layers(sizes: tuple[int, ...]) -> Layers:
    """Weight and bias of each layer: every engine begins with these numbers."""
    rng = np.random.default_rng(0)
    return [
        (rng.standard_normal((i, o), dtype=np.float32) / np.float32(i**0.5), np.zeros(o, np.float32))
        for i, o in pairwise(sizes)
    ]


def mlp(sizes: tuple[int, ...], x: np.ndarray, y: np.ndarray, optimizer: str, **options: Any) -> Callable[[], Any]:
    """A step of training on one batch; it gives the loss."""
    step = training(layers(sizes), len(y), optimizer, **options)
    return lambda: step(x, y)


def training(network: Layers, n: int, optimizer: str, **options: Any) -> Callable[[np.ndarray, np.ndarray], Any]:
    """A step of training on n rows: linear layers with relu between them, cross-entropy, every gradient written out."""
    weights, biases = zip(*network, strict=True)
    advance = update(optimizer, [*weights, *biases], **options)
    rows = np.arange(n)

    def step(x: np.ndarray, y: np.ndarray) -> Any:
        inputs, out = forward(network, x)
        out -= out.max(1, keepdims=True)
        p = np.exp(out)
        total = p.sum(1, keepdims=True)
        loss = (np.log(total[:, 0]) - out[rows, y]).mean()
        p /= total
        p[rows, y] -= 1
        p /= n
        g, dw, db = p, [], []
        for k in range(len(weights) - 1, -1, -1):
            dw.append(inputs[k].T @ g)
            db.append(g.sum(0))
            if k:
                g = g @ weights[k].T
                g *= inputs[k] > 0
        advance([*dw[::-1], *db[::-1]])
        return loss

    return step


def forward(network: Layers, x: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """The input of each layer, and what comes out."""
    inputs, out = [], x
    for k, (w, b) in enumerate(network):
        inputs.append(out)
        out = out @ w
        out += b
        if k < len(network) - 1:
            np.maximum(out, 0, out=out)
    return inputs, out


def update(optimizer: str, parameters: list[np.ndarray], **options: Any) -> Advance:
    """An optimizer by PyTorch's name and options."""
    return {"SGD": momentum if "momentum" in options else sgd, "Adam": adam}[optimizer](parameters, **options)


def sgd(parameters: list[np.ndarray], lr: float) -> Advance:
    """p -= lr g"""

    def advance(gradients: list[np.ndarray]) -> None:
        for p, g in zip(parameters, gradients, strict=True):
            g *= lr
            p -= g

    return advance


def momentum(parameters: list[np.ndarray], lr: float, momentum: float) -> Advance:
    """b = momentum b + g; p -= lr b"""
    buffers = [np.zeros_like(p) for p in parameters]

    def advance(gradients: list[np.ndarray]) -> None:
        for p, g, b in zip(parameters, gradients, buffers, strict=True):
            b *= momentum
            b += g
            p -= lr * b

    return advance


def adam(parameters: list[np.ndarray], lr: float) -> Advance:
    """Adam with its usual constants."""
    means, squares = [np.zeros_like(p) for p in parameters], [np.zeros_like(p) for p in parameters]
    t = 0

    def advance(gradients: list[np.ndarray]) -> None:
        nonlocal t
        t += 1
        size = lr / (1 - 0.9**t)
        correction = (1 - 0.999**t) ** 0.5
        for p, g, m, v in zip(parameters, gradients, means, squares, strict=True):
            m *= 0.9
            m += 0.1 * g
            v *= 0.999
            v += 0.001 * (g * g)
            scale = np.sqrt(v)
            scale /= correction
            scale += 1e-8
            p -= size * m / scale

    return advance

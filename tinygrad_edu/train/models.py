"""The networks that can be trained by name: rows of layers, which the page can run too."""

from __future__ import annotations

import math
from collections.abc import Callable

from .. import nn
from ..nn.modules.container import Sequential
from ..nn.modules.module import Module
from ..nn.modules.rnn import LSTM
from ..ops import arange
from ..tensor import Tensor

Make = Callable[[], Sequential]


def for_pictures(side: int, classes: int, hidden: int) -> dict[str, Make]:
    """Networks for grey pictures (B, 1, side, side)."""
    pixels = side * side
    made: dict[str, Make] = {
        "linear": lambda: nn.Sequential(nn.Flatten(), nn.Linear(pixels, classes)),
        "mlp": lambda: nn.Sequential(
            nn.Flatten(), nn.Linear(pixels, hidden), nn.ReLU(), nn.Linear(hidden, classes)
        ),
        "cnn": lambda: nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(16 * (side // 4) ** 2, classes),
        ),
    }  # fmt: skip
    return made


def for_points(classes: int, hidden: int = 32) -> dict[str, Make]:
    """Networks for points in the plane (B, 2)."""
    return {
        "linear": lambda: nn.Sequential(nn.Linear(2, classes)),
        "mlp": lambda: nn.Sequential(
            nn.Linear(2, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(), nn.Linear(hidden, classes)
        ),
    }


def for_text(characters: int, context: int, width: int) -> dict[str, Make]:
    """Networks that tell the next character from numbers (B, T): for every place, or `mlp` for the last one only."""
    return {
        "bigram": lambda: nn.Sequential(nn.Embedding(characters, characters)),
        "mlp": lambda: nn.Sequential(
            nn.Embedding(characters, 16), nn.Flatten(), nn.Linear(16 * context, 2 * width), nn.Tanh(),
            nn.Linear(2 * width, characters),
        ),
        "lstm": lambda: nn.Sequential(nn.Embedding(characters, 32), Recurrent(32, width), nn.Linear(width, characters)),
        "gpt": lambda: nn.Sequential(
            Positions(characters, context, width), Block(width, 4), Block(width, 4), nn.LayerNorm(width),
            nn.Linear(width, characters),
        ),
    }  # fmt: skip


class Recurrent(LSTM):
    """An LSTM of which only the outputs are wanted: (B, T, inputs) to (B, T, width)."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__(inputs, width, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x)[0]


class Positions(Module):
    """Each character as a vector, plus one for its place."""

    def __init__(self, characters: int, context: int, width: int) -> None:
        super().__init__()
        self.token, self.place = nn.Embedding(characters, width), nn.Embedding(context, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.token(x) + self.place(arange(x.shape[1], device=x.device))  # (B, T, D)


class Block(Module):
    """What a GPT is made of: every place looks at those before it, then thinks for itself."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        q, k, v = (
            part.reshape(batch, length, self.heads, -1).transpose(1, 2)  # (B, H, T, D / H)
            for part in self.qkv(self.norm1(x)).chunk(3, -1)
        )
        looked = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(looked.transpose(1, 2).reshape(batch, length, width))
        return x + self.down(nn.functional.relu(self.up(self.norm2(x))))


def size(model: Module) -> int:
    """How many numbers a model learns."""
    return sum(math.prod(parameter.shape) for parameter in model.parameters())

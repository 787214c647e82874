"""Small graphs of many kinds, for the golden pictures and for the structural checks."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_edu as torch
from tinygrad_edu import nn, viz


def numbers(*shape: int, grad: bool = True) -> torch.Tensor:
    """The same numbers in every run, without the generator."""
    count = int(np.prod(shape))
    return torch.tensor((np.arange(count) % 7 - 3.0).reshape(shape) / 2, requires_grad=grad)


def plain(module: nn.Module) -> nn.Module:
    """The module with parameters that no generator has drawn."""
    for parameter in module.parameters():
        parameter.data = numbers(*parameter.shape, grad=False)
    return module


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(4, 8, dtype=torch.float64), nn.Linear(8, 4, dtype=torch.float64)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.down(self.up(x).tanh())


class Tower(nn.Module):
    def __init__(self, floors: int) -> None:
        super().__init__()
        self.floors = nn.ModuleList(Block() for _ in range(floors))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for floor in self.floors:
            x = floor(x)
        return x.mean()


def neuron(**options: Any) -> viz.Graph:
    a, b = torch.tensor(2.0, requires_grad=True), torch.tensor(-3.0, requires_grad=True)
    c = torch.tensor(10.0, requires_grad=True)
    product = a * b
    L = (product + c).tanh()
    if options.pop("walked", False):
        L.backward()
    return viz.graph(L, **options)


def diamond() -> viz.Graph:
    x = numbers(3)
    left, right = x.exp(), x * 2
    y = left * right + left
    return viz.graph(y, values=True, kept=True)


def square() -> viz.Graph:
    x = numbers(2, 3)
    return viz.graph(x * x)


def infinite() -> viz.Graph:
    w = torch.tensor([1.0, 0.0, -1.0], requires_grad=True)
    return viz.graph(w.log() * w, values=True, rules=False)


def several_results() -> viz.Graph:
    x = numbers(6)
    first, second, _ = x.split(2)
    return viz.graph({"one": first * second, "other": second.exp()}, rules=False)


def hostile() -> viz.Graph:
    x, y = numbers(3), numbers(3)
    names = {"<script>alert(\"x\")</script>\n&amp; 'q' \\N \\l ]]> {a|b} -->": x, "long" * 2500: y}
    return viz.graph({'<b>"\x00': x * y}, names=names)


def module(**options: Any) -> viz.Graph:
    net = plain(nn.Sequential(nn.Linear(4, 3, dtype=torch.float64), nn.Tanh()))
    x = numbers(2, 4, grad=False)
    return viz.graph(lambda: net(x).sum(), rules=False, **options)


def unrecorded() -> viz.Graph:
    net = plain(nn.Sequential(nn.Linear(4, 3, dtype=torch.float64), nn.Tanh(), nn.Linear(3, 1, dtype=torch.float64)))
    return viz.graph(net(numbers(2, 4, grad=False)), rules=False)


def tower(**options: Any) -> viz.Graph:
    net = plain(Tower(12))
    x = numbers(2, 4, grad=False)
    return viz.graph(lambda: net(x), rules=False, **options)


def loop() -> viz.Graph:
    W, h = numbers(4, 4), numbers(1, 4, grad=False)
    for _ in range(200):
        h = (h @ W).tanh()
    return viz.graph(h, rules=False)


GRAPHS: dict[str, Callable[[], viz.Graph]] = {
    "neuron": neuron,
    "neuron_after_backward": lambda: neuron(walked=True),
    "neuron_to_the_right": lambda: neuron(direction="right"),
    "diamond": diamond,
    "square": square,
    "infinite": infinite,
    "several_results": several_results,
    "hostile": hostile,
    "module": module,
    "module_folded": lambda: module(depth=0),
    "unrecorded": unrecorded,
    "tower": tower,
    "tower_folded": lambda: tower(depth=1),
    "around": lambda: neuron(around="product", reach=1),
    "loop": loop,
}


STEPS = (
    torch.add,
    torch.mul,
    torch.sub,
    lambda x, y: x.tanh(),
    lambda x, y: torch.stack([x, y, x]).sum(0),
)


def random_graph(seed: int, count: int, window: int) -> torch.Tensor:
    """A loss behind many random operations, each on some of the last results."""
    draw = random.Random(seed)
    made = [numbers(3) for _ in range(4)]
    for _ in range(count):
        x, y = draw.choice(made[-window:]), draw.choice(made[-window:])
        made.append(draw.choice(STEPS)(x, y))
    return sum(made[-window:]).sum()

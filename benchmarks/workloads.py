"""The programs that are timed: each is written once, with PyTorch's names, and run by every engine that has them.

`make(torch)` prepares a workload in an engine and returns its step. `peer(other)` prepares the same with one of the
other programs, that in NumPy by hand or one in `peers`: all begin with the same numbers, and come to the same loss.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import by_hand

Step = Callable[[], object]


@dataclass(frozen=True)
class Workload:
    """One row of the table; `target` is what the ratio to PyTorch is to stay below."""

    name: str
    target: float
    make: Callable[..., Step]
    peer: Callable[[Callable[..., Step]], Step] | None = None
    quick: bool = False  # whether it is small enough for a first look


def data(inputs: tuple[int, ...], classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Random inputs and labels, the same for every engine."""
    rng = np.random.default_rng(0)
    return rng.standard_normal(inputs, dtype=np.float32), rng.integers(0, classes, inputs[0])


def training(torch: Any, model: Any, optimizer: Any, x: np.ndarray, y: np.ndarray) -> Step:
    """The usual step: forward, cross-entropy, backward, update."""
    inputs, labels = (torch.from_numpy(a).to(torch.get_default_device()) for a in (x, y))
    loss_function = torch.nn.CrossEntropyLoss()

    def step() -> Any:
        optimizer.zero_grad()
        loss = loss_function(model(inputs), labels)
        loss.backward()
        optimizer.step()
        return loss

    return step


def network(torch: Any, sizes: tuple[int, ...]) -> Any:
    """Linear layers with relu between them, which begin with the numbers of `by_hand.layers`."""
    nn = torch.nn
    layers: list[Any] = []
    for weight, bias in by_hand.layers(sizes):
        layer = nn.Linear(*weight.shape)
        layer.load_state_dict({"weight": torch.from_numpy(weight.T), "bias": torch.from_numpy(bias)})
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def mlp(sizes: tuple[int, ...], batch: int, optimizer: str, **options: Any) -> dict[str, Any]:
    """A workload that trains such a network."""

    def make(torch: Any, batch: int = batch) -> Step:
        model = network(torch, sizes)
        advance = getattr(torch.optim, optimizer)(model.parameters(), **options)
        return training(torch, model, advance, *data((batch, sizes[0]), sizes[-1]))

    def peer(other: Callable[..., Step]) -> Step:
        return other(sizes, *data((batch, sizes[0]), sizes[-1]), optimizer, **options)

    return {"make": make, "peer": peer, "quick": batch < 256}


def scalars(torch: Any) -> Step:
    """An expression of 300 operations on single numbers."""
    a, b = torch.tensor(0.5, requires_grad=True), torch.tensor(1.5, requires_grad=True)

    def step() -> None:
        x = a
        for _ in range(75):
            x = (x * b + a).tanh() - b
        x.backward()
        a.grad = b.grad = None

    return step


def small_cnn(torch: Any, batch: int = 64) -> Step:
    """Two convolutions on 28x28 pictures."""
    nn = torch.nn
    torch.manual_seed(0)
    model = nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(32 * 7 * 7, 10)),
    )
    return training(torch, model, torch.optim.SGD(model.parameters(), lr=0.01), *data((batch, 1, 28, 28), 10))


def residual_cnn(torch: Any, batch: int = 16) -> Step:
    """Three residual blocks with batch normalisation on 32x32 pictures."""
    nn = torch.nn
    torch.manual_seed(0)

    class Block(nn.Module):
        def __init__(self, i: int, o: int, stride: int) -> None:
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o)
            self.conv2, self.bn2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
            self.short = nn.Sequential()
            if i != o:
                self.short = nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o))

        def forward(self, x: Any) -> Any:
            out = torch.relu(self.bn1(self.conv1(x)))
            return torch.relu(self.bn2(self.conv2(out)) + self.short(x))

    model = nn.Sequential(
        *(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()),
        *(Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    return training(torch, model, optimizer, *data((batch, 3, 32, 32), 10))


def lstm(torch: Any, batch: int = 16) -> Step:
    """A character model: texts of 32 steps, 64 units."""
    nn = torch.nn
    torch.manual_seed(0)
    letters = 65

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(letters, 64)
            self.lstm = nn.LSTM(64, 64, batch_first=True)
            self.head = nn.Linear(64, letters)

        def forward(self, x: Any) -> Any:
            out, _ = self.lstm(self.embedding(x))
            return self.head(out).flatten(0, 1)

    model = Model()
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, letters, (batch, 32)), rng.integers(0, letters, batch * 32)
    return training(torch, model, torch.optim.Adam(model.parameters(), lr=1e-3), x, y)


def gpt(torch: Any, layers: int = 4, width: int = 128, heads: int = 4, length: int = 64, batch: int = 12) -> Step:
    """A transformer that reads characters."""
    nn = torch.nn
    F = nn.functional
    torch.manual_seed(0)
    letters = 65

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

        def forward(self, x: Any) -> Any:
            b, t, c = x.size()
            q, k, v = (part.view(b, t, heads, c // heads).transpose(1, 2) for part in self.qkv(x).split(c, dim=2))
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            return self.out(y.transpose(1, 2).contiguous().view(b, t, c))

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.attention = Attention()
            self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

        def forward(self, x: Any) -> Any:
            x = x + self.attention(self.ln1(x))
            return x + self.mlp(self.ln2(x))

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token, self.place = nn.Embedding(letters, width), nn.Embedding(length, width)
            self.blocks = nn.Sequential(*[Block() for _ in range(layers)])
            self.ln, self.head = nn.LayerNorm(width), nn.Linear(width, letters, bias=False)

        def forward(self, x: Any) -> Any:
            x = self.token(x) + self.place(torch.arange(x.size(1)))
            return self.head(self.ln(self.blocks(x))).view(-1, letters)

    model = Model()
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, letters, (batch, length)), rng.integers(0, letters, batch * length)
    return training(torch, model, torch.optim.AdamW(model.parameters(), lr=3e-4), x, y)


def gradient_penalty(torch: Any) -> Step:
    """A critic whose gradient by its input is held at length 1: a second derivative in each step."""
    nn = torch.nn
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(32, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    inputs = torch.from_numpy(data((32, 32), 2)[0]).to(torch.get_default_device())

    def step() -> None:
        optimizer.zero_grad()
        x = inputs.clone().requires_grad_(True)
        out = model(x)
        (gradient,) = torch.autograd.grad(out.sum(), x, create_graph=True)
        loss = out.mean() + 10 * ((gradient.norm(2, dim=1) - 1) ** 2).mean()
        loss.backward()
        optimizer.step()

    return step


def loader_epoch(torch: Any) -> Step:
    """A shuffled epoch over 6,000 rows of 784 numbers in batches of 64, nothing computed."""
    x, y = data((6000, 784), 10)
    rows = torch.utils.data.TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
    loader = torch.utils.data.DataLoader(rows, batch_size=64, shuffle=True)

    def step() -> None:
        for _ in loader:
            pass

    return step


WORKLOADS = [
    Workload("36-16-3, batch 1, SGD", 0.27, **mlp((36, 16, 3), 1, "SGD", lr=0.1)),
    Workload("64-128-64-10, batch 32, momentum", 0.40, **mlp((64, 128, 64, 10), 32, "SGD", lr=0.1, momentum=0.9)),
    Workload("784-128-10, batch 64, Adam", 0.65, **mlp((784, 128, 10), 64, "Adam", lr=1e-3)),
    Workload("784-128-64-10, batch 128, SGD", 0.80, **mlp((784, 128, 64, 10), 128, "SGD", lr=0.1)),
    Workload("784-1024-1024-10, batch 256, SGD", 1.05, **mlp((784, 1024, 1024, 10), 256, "SGD", lr=0.1)),
    Workload("scalar graph, 300 nodes", 0.5, scalars),
    Workload("small CNN, batch 64", 1.0, small_cnn),
    Workload("residual CNN, batch 16", 1.3, residual_cnn),
    Workload("LSTM, batch 16, 32 steps", 0.8, lstm),
    Workload("GPT, 4 layers, batch 12", 1.2, gpt),
    Workload("gradient penalty, batch 32", 0.9, gradient_penalty),
    Workload("DataLoader epoch, 6,000 rows", 0.1, loader_epoch),
]

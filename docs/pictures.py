"""Draw the example pictures in docs/pictures: `python docs/pictures.py`, with the extra "viz" installed."""

from pathlib import Path

import numpy as np

import tinygrad_edu as torch
from tinygrad_edu import nn, viz

HERE = Path(__file__).parent / "pictures"


def neuron() -> viz.Graph:
    """A neuron with two inputs, after backward: numbers, rules and gradients."""
    x1, x2 = torch.tensor(2.0, requires_grad=True), torch.tensor(0.0, requires_grad=True)
    w1, w2 = torch.tensor(-3.0, requires_grad=True), torch.tensor(1.0, requires_grad=True)
    b = torch.tensor(6.88, requires_grad=True)
    with viz.Recording(gradients=True):
        o = (x1 * w1 + x2 * w2 + b).tanh()
        o.backward()
    return viz.graph(o, values=True)


class Classifier(nn.Module):
    """Two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.out = nn.Linear(2, 16), nn.Linear(16, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.hidden(x).tanh())


def classifier() -> viz.Graph:
    """A small classifier with its loss: parameters by name, statistics, memory."""
    net, x = Classifier(), torch.randn(64, 2)
    label = (x[:, 0] > 0).long()
    return viz.graph(lambda: nn.functional.cross_entropy(net(x), label), values=True, kept=True, rules=False)


def transformer() -> viz.Graph:
    """Twelve layers, drawn once."""
    layer = nn.TransformerEncoderLayer(64, 4, 128, batch_first=True, dropout=0.0)
    encoder = nn.TransformerEncoder(layer, 12, enable_nested_tensor=False)
    x = torch.randn(2, 10, 64, requires_grad=True)
    return viz.graph(lambda: encoder(x).mean(), fold="MultiheadAttention")


def recurrent() -> viz.Graph:
    """A loop of a hundred steps, drawn once."""
    U, W, b = (torch.randn(*shape, requires_grad=True) for shape in ((8, 3), (8, 8), (8,)))
    steps, h = torch.randn(100, 1, 3), torch.zeros(1, 8)
    for x in steps:
        h = torch.tanh(x @ U.T + h @ W.T + b)
    loss = h.square().sum()
    return viz.graph(loss)


def born() -> viz.Graph:
    """Where a NaN is born."""
    p = torch.tensor([0.5, 0.5, 0.0], requires_grad=True)
    return viz.graph(lambda: -(p * p.log()).sum(), values=True)


def network() -> nn.Module:
    """A small convolutional network."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * 14 * 14, 10),
    )


def shapes() -> viz.Graph:
    """The shapes of a convolutional network, up to the layer that does not fit."""
    net = network()
    return viz.shapes(net, torch.randn(4, 1, 28, 28))


PICTURES = (neuron, classifier, transformer, recurrent, born, shapes)


def main() -> None:
    """Draw all of them."""
    HERE.mkdir(exist_ok=True)
    for make in PICTURES:
        torch.manual_seed(0)
        np.random.seed(0)
        make().save(HERE / f"{make.__name__}.svg")


if __name__ == "__main__":
    main()

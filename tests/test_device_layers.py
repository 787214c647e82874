"""Layers and losses on the strict stand-in for a GPU, or on a GPU: the CPU's results, gradients and statistics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import standin

import tinygrad_edu as tg
from tinygrad_edu import nn

ACTIVATIONS = (
    "CELU ELU GELU Hardshrink Hardsigmoid Hardswish Hardtanh LeakyReLU LogSigmoid Mish PReLU ReLU ReLU6 SELU SiLU Sigmoid "
    "Softplus Softshrink Softsign Tanh Tanhshrink GLU Dropout AlphaDropout Identity Flatten"
)
LAYERS: dict[str, tuple[Callable[[], Any], tuple[int, ...]]] = {
    **{name: (lambda name=name: getattr(nn, name)(), (3, 4, 6)) for name in ACTIVATIONS.split()},
    "Softmax": (lambda: nn.Softmax(1), (3, 4, 6)),
    "LogSoftmax": (lambda: nn.LogSoftmax(-1), (3, 4, 6)),
    "Linear": (lambda: nn.Linear(6, 5), (3, 4, 6)),
    "Conv1d": (lambda: nn.Conv1d(4, 6, 3, padding=1, groups=2), (2, 4, 9)),
    "Conv2d": (lambda: nn.Conv2d(3, 4, (3, 2), stride=2, bias=False), (2, 3, 7, 6)),
    "Conv3d": (lambda: nn.Conv3d(2, 3, 2, dilation=2), (1, 2, 4, 5, 4)),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(3, 2, 3, stride=2, output_padding=1), (2, 3, 4, 4)),
    "MaxPool2d": (lambda: nn.MaxPool2d(3, 2, padding=1), (2, 3, 7, 7)),
    "AvgPool2d": (lambda: nn.AvgPool2d(3, 2, padding=1), (2, 3, 7, 7)),
    "LPPool2d": (lambda: nn.LPPool2d(2, 2), (2, 3, 6, 6)),
    "AdaptiveMaxPool2d": (lambda: nn.AdaptiveMaxPool2d((3, 2)), (2, 3, 7, 5)),
    "AdaptiveAvgPool1d": (lambda: nn.AdaptiveAvgPool1d(4), (2, 3, 7)),
    "BatchNorm1d": (lambda: nn.BatchNorm1d(4), (5, 4)),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(3, momentum=0.2), (4, 3, 5, 5)),
    "InstanceNorm2d": (lambda: nn.InstanceNorm2d(3, affine=True, track_running_stats=True), (2, 3, 4, 4)),
    "LayerNorm": (lambda: nn.LayerNorm((4, 6)), (3, 4, 6)),
    "GroupNorm": (lambda: nn.GroupNorm(2, 4), (3, 4, 5)),
    "RMSNorm": (lambda: nn.RMSNorm(6), (3, 6)),
    "LocalResponseNorm": (lambda: nn.LocalResponseNorm(3), (2, 5, 4)),
    "Upsample": (lambda: nn.Upsample(scale_factor=2, mode="bilinear"), (2, 3, 4, 4)),
    "PixelShuffle": (lambda: nn.PixelShuffle(2), (2, 4, 3, 3)),
    "Fold": (lambda: nn.Fold((4, 4), 2, stride=2), (2, 12, 4)),
    "Unfold": (lambda: nn.Unfold(2), (2, 3, 4, 4)),
    "ReflectionPad2d": (lambda: nn.ReflectionPad2d(1), (2, 3, 4, 4)),
    "RNN": (lambda: nn.RNN(4, 3, bidirectional=True), (5, 2, 4)),
    "GRU": (lambda: nn.GRU(4, 3, num_layers=2), (5, 2, 4)),
    "LSTM": (lambda: nn.LSTM(4, 3, proj_size=2), (5, 2, 4)),
    "TransformerDecoderLayer": (lambda: Twice(nn.TransformerDecoderLayer(8, 2, 8, dropout=0.0)), (5, 2, 8)),
    "MultiheadAttention": (lambda: Twice(nn.MultiheadAttention(8, 2)), (5, 2, 8)),
}
LOSSES = {
    "MSELoss": (3, 4), "L1Loss": (3, 4), "SmoothL1Loss": (3, 4), "HuberLoss": (3, 4), "BCEWithLogitsLoss": (3, 4),
    "SoftMarginLoss": (3, 4), "PoissonNLLLoss": (3, 4),
}  # fmt: skip


class Twice(nn.Module):
    """A layer of queries and keys, given the same for both."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Any) -> Any:
        return self.layer(x, x) if not isinstance(self.layer, nn.MultiheadAttention) else self.layer(x, x, x)


pytestmark = pytest.mark.usefixtures("on_device")
DRAWING = ("Dropout", "AlphaDropout")  # the stand-in draws the CPU's numbers, a GPU others


def on_both(make: Callable[[], Any], *shapes: tuple[int, ...]) -> None:
    """Run a module forward and backward on the CPU and on the stand-in, and compare all that comes of it."""
    found = {}
    for place in ("cpu", "cuda"):
        tg.manual_seed(0)
        module = make().double().to(place)
        tg.manual_seed(1)
        rng = np.random.default_rng(2)
        inputs = [tg.tensor(rng.standard_normal(s)).to(place).requires_grad_() for s in shapes]
        standin.waits.clear()
        out = module(*inputs)
        out = out[0] if isinstance(out, tuple) else out
        out.backward(tg.tensor(rng.standard_normal(out.shape)).to(place))
        assert standin.waits == [], "the host had to wait"
        grads = [t.grad for t in (*inputs, *module.parameters())]
        found[place] = [t.detach().cpu().numpy() for t in (out, *grads, *module.buffers()) if t is not None]
    for here, there in zip(*found.values(), strict=True):
        np.testing.assert_allclose(there, here, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name: str, on_device: str) -> None:
    if name in DRAWING and on_device == "gpu":
        pytest.skip("a GPU draws other numbers than the CPU")
    make, shape = LAYERS[name]
    on_both(make, shape)


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name: str) -> None:
    shape = LOSSES[name]
    on_both(lambda: getattr(nn, name)(), shape, shape)


@pytest.mark.parametrize("options", [{}, {"scale_grad_by_freq": True}, {"padding_idx": 2}])
def test_an_embedding(options: dict[str, Any]) -> None:
    index = np.array([[1, 2, 1], [0, 1, 4]])
    grads = {}
    for place in ("cpu", "cuda"):
        tg.manual_seed(0)
        layer = nn.Embedding(5, 3, **options).double().to(place)
        (layer(tg.tensor(index).to(place)) ** 2).sum().backward()
        grads[place] = layer.weight.grad.cpu().numpy()
    np.testing.assert_allclose(grads["cuda"], grads["cpu"], rtol=1e-12)

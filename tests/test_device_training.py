"""Whole steps of training on the strict stand-in for a GPU: the CPU's numbers, and a host that never waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import kernels_on_host
import numpy as np
import pytest
import standin

import tinygrad_edu as tg
from tinygrad_edu import nn, optim
from tinygrad_edu import random as tg_random
from tinygrad_edu.cuda import kernels

F = nn.functional


def mlp() -> tuple[Any, Any, list[Any]]:
    """Linear layers with dropout between them, and Adam."""
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3))
    return model, optim.Adam(model.parameters(), lr=0.05), [tg.randn(5, 6).double(), tg.randint(0, 3, (5,))]


def cnn() -> tuple[Any, Any, list[Any]]:
    """Convolutions with batch normalisation and pooling, and momentum."""
    model = nn.Sequential(
        *(nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(4, 6, 3, stride=2), nn.GroupNorm(2, 6), nn.SiLU(), nn.AdaptiveAvgPool2d(1)),
        *(nn.Flatten(), nn.Linear(6, 3)),
    )
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-3, nesterov=True)
    return model, optimizer, [tg.randn(3, 2, 8, 8).double(), tg.randint(0, 3, (3,))]


class Reader(nn.Module):
    """A character model: embedding, LSTM, a head."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.lstm, self.head = nn.Embedding(7, 4), nn.LSTM(4, 5, 2, batch_first=True), nn.Linear(5, 7)

    def forward(self, x: Any) -> Any:
        return self.head(self.lstm(self.embedding(x))[0]).flatten(0, 1)


def lstm() -> tuple[Any, Any, list[Any]]:
    """A recurrent network with RMSprop."""
    model = Reader()
    return model, optim.RMSprop(model.parameters(), lr=0.02), [tg.randint(0, 7, (2, 6)), tg.randint(0, 7, (12,))]


class Attentive(nn.Module):
    """A block of a transformer over tokens and their places."""

    def __init__(self) -> None:
        super().__init__()
        self.token, self.place = nn.Embedding(7, 8), nn.Embedding(6, 8)
        self.block = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, activation="gelu", batch_first=True)
        self.head = nn.Linear(8, 7)

    def forward(self, x: Any) -> Any:
        x = self.token(x) + self.place(tg.arange(x.size(1), device=x.device))
        mask = nn.Transformer.generate_square_subsequent_mask(6, device=x.device, dtype=x.dtype)
        return self.head(self.block(x, src_mask=mask, is_causal=True)).flatten(0, 1)


def transformer() -> tuple[Any, Any, list[Any]]:
    """A transformer with AdamW."""
    model = Attentive()
    return model, optim.AdamW(model.parameters(), lr=0.02), [tg.randint(0, 7, (2, 6)), tg.randint(0, 7, (12,))]


def step(model: Any, optimizer: Any, x: Any, y: Any) -> Any:
    """Forward, loss, backward, clipping, update: what a training loop does between two looks at the loss."""
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.detach()


KERNELS = {
    mlp: {"softmax_losses", "softmax_losses_grad", "adam"},
    cnn: {"softmax_losses", "softmax_losses_grad", "standardized", "standardized_grad", "maxima", "tap_sums"},
    lstm: {"softmax_losses", "softmax_losses_grad", "add_rows"},
    transformer: {
        *("softmax_losses", "softmax_losses_grad", "adam", "add_rows"),
        *("standardized", "standardized_grad", "gelu_by_erf", "gelu_grad_by_erf"),
    },
}


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("make", KERNELS)
def test_a_step_of_training_never_waits(make: Callable, fused: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if fused and kernels_on_host.COMPILER is None:
        pytest.skip("no C++ compiler to run kernels on the host")
    if fused:
        monkeypatch.setattr(standin._Module, "RawKernel", kernels_on_host.RawKernel, raising=False)
        kernels.compiled.cache_clear()
    kernels_on_host.RawKernel.launched.clear()
    monkeypatch.setattr(tg_random, "_on_gpu", {})
    trained = {}
    with standin.device():
        for place in ("cpu", "cuda"):
            tg.manual_seed(0)
            model, optimizer, batch = make()
            model.double().to(place)
            schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
            batch = [t.to(place) for t in batch]
            tg.manual_seed(1)  # the stand-in draws the CPU's numbers
            standin.waits.clear()
            losses = []
            for _ in range(3):
                losses.append(step(model, optimizer, *batch))
                schedule.step()
            assert standin.waits == [], "the host had to wait"
            trained[place] = [t.cpu().numpy() for t in (*losses, *model.state_dict().values())]
            assert (standin.waits == []) == (place == "cpu")  # a look at the numbers is counted
    for here, there in zip(*trained.values(), strict=True):
        np.testing.assert_allclose(there, here, rtol=1e-6, atol=1e-8)
    assert trained["cpu"][2] != trained["cpu"][0]
    assert set(kernels_on_host.RawKernel.launched) == (KERNELS[make] if fused else set())

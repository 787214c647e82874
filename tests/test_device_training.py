"""Whole steps of training on the strict stand-in for a GPU, or on a GPU: the CPU's numbers, and a host that never waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import kernels_on_host
import numpy as np
import pytest
import standin

import tinygrad_edu as tg
from tinygrad_edu import nn, optim
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
        *(nn.Conv2d(4, 6, 3, stride=2), nn.GroupNorm(2, 6), nn.SiLU(), nn.AvgPool2d(1), nn.AdaptiveAvgPool2d(1)),
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


def gpt() -> tuple[Any, Any, list[Any]]:
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
    mlp: {"softmax_losses", "softmax_losses_grad", "adam", "dropped"},
    cnn: {
        *("softmax_losses", "softmax_losses_grad", "standardized", "standardized_grad", "maxima", "tap_sums"),
        *("scaled", "combined", "window_sums", "window_shares", "sgd"),
    },
    lstm: {"softmax_losses", "softmax_losses_grad", "add_rows"},
    gpt: {
        *("softmax_losses", "softmax_losses_grad", "adam", "add_rows", "dropped"),
        *("standardized", "standardized_grad", "scaled", "gelu_by_erf", "column_powers"),
    },
}


pytestmark = pytest.mark.usefixtures("on_device")


@pytest.fixture(params=["twins", "kernels"])
def fused(request: pytest.FixtureRequest, on_device: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Operations in many launches, or in those of their kernels; on a GPU the kernels are always there."""
    if on_device == "gpu":
        return "by the GPU"
    if request.param == "twins":
        return "twins"
    if kernels_on_host.COMPILER is None:
        pytest.skip("no C++ compiler to run kernels on the host")
    monkeypatch.setattr(standin._Module, "RawModule", kernels_on_host.RawModule, raising=False)
    kernels.compiled.cache_clear()
    return "kernels"


def without_draws(model: Any) -> None:
    """No dropout: a GPU draws other numbers than the CPU."""
    for module in model.modules():
        if isinstance(module, (nn.Dropout, nn.MultiheadAttention)):
            setattr(module, "p" if isinstance(module, nn.Dropout) else "dropout", 0.0)


@pytest.mark.parametrize("make", KERNELS)
def test_a_step_of_training_never_waits(make: Callable, fused: str, on_device: str) -> None:
    kernels_on_host.RawModule.launched.clear()
    trained = {}
    for place in ("cpu", "cuda"):
        tg.manual_seed(0)
        model, optimizer, batch = make()
        model.double().to(place)
        if on_device == "gpu":
            without_draws(model)
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
        assert (standin.waits == []) == (place == "cpu" or on_device == "gpu")  # a look at the numbers is counted
    for here, there in zip(*trained.values(), strict=True):
        np.testing.assert_allclose(there, here, rtol=1e-6, atol=1e-8)
    assert trained["cpu"][2] != trained["cpu"][0]
    assert set(kernels_on_host.RawModule.launched) == (KERNELS[make] if fused == "kernels" else set())


@pytest.mark.parametrize("size", [8, 32])
def test_a_larger_batch_is_not_more_launches(size: int, on_device: str) -> None:
    """On a CPU long chains and convolutions go piece by piece, so that their numbers stay in the cache; not here."""
    if on_device == "gpu":
        pytest.skip("it is the stand-in that counts")
    counts = []
    for batch in (2, 64):
        model, optimizer, _ = cnn()
        model.to("cuda")
        x, y = tg.randn(batch, 2, size, size, device="cuda"), tg.zeros(batch, dtype=tg.int64, device="cuda")
        for _ in range(2):
            standin.launches.clear()
            step(model, optimizer, x, y)
        counts.append(len(standin.launches))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
@pytest.mark.parametrize("small", [False, True])
def test_a_recorded_step(optimizer: str, small: bool) -> None:
    """`compile(step)` replays on the device what it recorded there, in and out of autocast, and does not wait."""
    losses = {}
    for recorded in (False, True):
        tg.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.LayerNorm(8), nn.Linear(8, 3)).to("cuda")
        o = getattr(optim, optimizer)(model.parameters(), lr=0.1)
        x, y = tg.randn(5, 4).to("cuda"), tg.tensor([0, 1, 2, 0, 1]).to("cuda")

        def step(model: Any = model, o: Any = o, x: Any = x, y: Any = y) -> Any:
            o.zero_grad()
            with tg.autocast("cuda", enabled=small):
                loss = F.cross_entropy(model(x), y)
            loss.backward()
            o.step()
            return loss.detach()

        step = tg.compile(step) if recorded else step
        found = [step() for _ in range(3)]
        standin.waits.clear()  # while it records, it may look
        found += [step() for _ in range(3)]
        assert standin.waits == []
        assert not recorded or step.programs
        losses[recorded] = [loss.item() for loss in found]
    np.testing.assert_allclose(losses[True], losses[False], rtol=1e-5)
    assert losses[True][-1] < losses[True][0]


# --- optimizers and schedules ------------------------------------------------------------------------------------------------

SEARCHING = {"LBFGS", "SparseAdam"}  # one asks by the loss how far to go, one which rows have a gradient
OPTIMIZERS = sorted(
    name
    for name, made in vars(optim).items()
    if isinstance(made, type) and issubclass(made, optim.Optimizer) and made is not optim.Optimizer
)


def options_of(name: str) -> dict[str, Any]:
    return {} if name in ("Adafactor", "Muon") else {"lr": 0.01}


def test_every_optimizer_is_here() -> None:
    assert {"SGD", "Adam", "AdamW", "NAdam", "RAdam", "Adamax", "Adagrad", "Adadelta", "RMSprop", "Rprop", "ASGD"} < {
        *OPTIMIZERS
    }


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name: str, on_device: str) -> None:
    """The CPU's steps, and no waiting, but for one that searches, and one that asks which rows were read."""
    trained = {}
    for place in ("cpu", "cuda"):
        tg.manual_seed(0)
        model = nn.Sequential(nn.Linear(5, 4, bias=False), nn.Tanh(), nn.Linear(4, 3, bias=False)).double().to(place)
        optimizer = getattr(optim, name)(model.parameters(), **options_of(name))
        x, y = tg.randn(6, 5).double().to(place), tg.randn(6, 3).double().to(place)

        def closure(model: Any = model, optimizer: Any = optimizer, x: Any = x, y: Any = y) -> Any:
            optimizer.zero_grad()
            loss = F.mse_loss(model(x), y)
            loss.backward()
            nn.utils.clip_grad_value_(model.parameters(), 0.5)
            return loss

        standin.waits.clear()
        for _ in range(3):
            optimizer.step(closure)
        assert (standin.waits == []) == (place == "cpu" or on_device == "gpu" or name not in SEARCHING)
        trained[place] = [p.detach().cpu().numpy() for p in model.parameters()]
        state = [t for own in optimizer.state.values() for t in own.values() if isinstance(t, tg.Tensor) and t.ndim]
        assert {t.device.type for t in state} <= {place}
    for here, there in zip(*trained.values(), strict=True):
        np.testing.assert_allclose(there, here, rtol=1e-7, atol=1e-9)


SCHEDULES: dict[str, Callable] = {
    "StepLR": lambda o: optim.lr_scheduler.StepLR(o, 1),
    "OneCycleLR": lambda o: optim.lr_scheduler.OneCycleLR(o, 0.1, total_steps=5),
    "CosineAnnealingWarmRestarts": lambda o: optim.lr_scheduler.CosineAnnealingWarmRestarts(o, 2),
    "CyclicLR": lambda o: optim.lr_scheduler.CyclicLR(o, 0.01, 0.1, step_size_up=2),
    "LambdaLR": lambda o: optim.lr_scheduler.LambdaLR(o, lambda k: 0.9**k),
    "LinearLR": lambda o: optim.lr_scheduler.LinearLR(o),
    "SequentialLR": lambda o: optim.lr_scheduler.SequentialLR(
        o, [optim.lr_scheduler.ConstantLR(o), optim.lr_scheduler.ExponentialLR(o, 0.9)], [2]
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_do_not_wait(name: str) -> None:
    model = nn.Linear(2, 2).to("cuda")
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    schedule = SCHEDULES[name](optimizer)
    x = tg.randn(3, 2, device="cuda")
    standin.waits.clear()
    for _ in range(4):
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()
        schedule.step()
    assert standin.waits == []

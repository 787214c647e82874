"""Averages of models, and their batch norms' statistics."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.optim import swa_utils


class Net(nn.Module):
    def __init__(self, width: int = 2) -> None:
        super().__init__()
        self.weight = nn.Parameter(tg.zeros(width))
        self.register_buffer("seen", tg.zeros(1))

    def forward(self, x: Any) -> Any:
        return x * self.weight


def averaged(values: list[float], **options: Any) -> swa_utils.AveragedModel:
    net = Net()
    average = swa_utils.AveragedModel(net, **options)
    for value in values:
        with tg.no_grad():
            net.weight.fill_(value)
            net.seen.fill_(10 * value)
        average.update_parameters(net)
    assert average.n_averaged.item() == len(values)
    return average


def test_the_plain_mean() -> None:
    average = averaged([1.0, 2.0, 6.0])
    assert average.module.weight.tolist() == [3, 3]
    assert average.module.seen.tolist() == [60]  # buffers are the last model's
    assert average(tg.ones(2)).tolist() == [3, 3]
    assert list(average.state_dict()) == ["n_averaged", "module.weight", "module.seen"]


def test_other_means() -> None:
    options: list[dict[str, Any]] = [
        {"avg_fn": swa_utils.get_ema_avg_fn(0.75)},
        {"multi_avg_fn": swa_utils.get_ema_multi_avg_fn(0.75)},
        {"avg_fn": lambda a, p, n: 0.75 * a + 0.25 * p},
    ]
    for option in options:
        assert averaged([1.0, 2.0, 6.0], **option).module.weight.tolist() == [2.4375, 2.4375]
    average = averaged([1.0, 2.0, 6.0], use_buffers=True, multi_avg_fn=swa_utils.get_swa_multi_avg_fn())
    assert average.module.weight.tolist() == [3, 3]
    assert average.module.seen.tolist() == [30]
    with pytest.raises(ValueError, match=r"Invalid decay value 1\.5"):
        swa_utils.get_ema_avg_fn(1.5)
    with pytest.raises(AssertionError, match="Only one"):
        swa_utils.AveragedModel(Net(), avg_fn=options[0]["avg_fn"], multi_avg_fn=options[1]["multi_avg_fn"])


def test_the_average_is_a_copy() -> None:
    net = Net()
    average = swa_utils.AveragedModel(net)
    average.update_parameters(net)
    with tg.no_grad():
        net.weight.fill_(5.0)
    assert average.module.weight.tolist() == [0, 0]
    assert average.module.weight.requires_grad


def test_update_bn() -> None:
    rng = np.random.default_rng(0)
    batches = [tg.tensor(rng.normal(2.0, 3.0, size=(8, 4))) for _ in range(5)]
    model = nn.Sequential(nn.BatchNorm1d(4, dtype=tg.float64), Net(4))
    model.eval()
    before = copy.deepcopy(model[1].state_dict())
    swa_utils.update_bn([(x, None) for x in batches], model, device="cpu")
    norm = model[0]
    np.testing.assert_allclose(norm.running_mean.numpy(), np.mean([x.numpy().mean(0) for x in batches], 0))
    np.testing.assert_allclose(norm.running_var.numpy(), np.mean([x.numpy().var(0, ddof=1) for x in batches], 0))
    assert norm.momentum == 0.1
    assert not model.training
    assert model[1].weight.tolist() == before["weight"].tolist()
    swa_utils.update_bn(batches, Net())  # has none: does not even look at the data


def test_as_pytorch_s() -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    from torch.optim import swa_utils as theirs

    results = []
    for engine, module in ((tg, swa_utils), (torch, theirs)):
        net = engine.nn.Linear(2, 2)
        averages = [
            module.AveragedModel(net),
            module.AveragedModel(net, multi_avg_fn=module.get_ema_multi_avg_fn(0.9), use_buffers=True),
        ]
        for k in range(6):
            with engine.no_grad():
                net.weight.copy_(engine.tensor([[1.0 + k, 2.0 * k], [k * k, 1.0 / (k + 1)]]))
                net.bias.copy_(engine.tensor([1.0 - k, 3.0]))
            for average in averages:
                average.update_parameters(net)
        results.append([{k: v.tolist() for k, v in average.state_dict().items()} for average in averages])
    for mine, other in zip(*results, strict=True):
        assert list(mine) == list(other)
        for key, value in other.items():
            np.testing.assert_allclose(mine[key], value, rtol=1e-6)

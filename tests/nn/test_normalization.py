"""Normalizations: statistics of a batch and of all batches, plain definitions, PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
from against_torch import same
from both_engines import Scenarios, numbers, raised

import tinygrad_edu as tg
from tinygrad_edu import nn

scenario = Scenarios()


def normal(*shape):
    return np.random.standard_normal(shape)


def normalized(x, axes, eps=1e-5):
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


def test_batch_norm_by_the_batch_and_by_all_batches():
    layer = nn.BatchNorm2d(3, dtype=tg.float64)
    mean, var = np.zeros(3), np.ones(3)
    for _ in range(3):
        x = normal(4, 3, 5, 6) * 2 + 1
        y = layer(tg.tensor(x)).detach().numpy()
        np.testing.assert_allclose(y, normalized(x, (0, 2, 3)))
        mean = 0.9 * mean + 0.1 * x.mean((0, 2, 3))
        var = 0.9 * var + 0.1 * x.var((0, 2, 3), ddof=1)
    np.testing.assert_allclose(layer.running_mean.numpy(), mean)
    np.testing.assert_allclose(layer.running_var.numpy(), var)
    assert layer.num_batches_tracked == 3
    expected = (x - mean[:, None, None]) / np.sqrt(var[:, None, None] + 1e-5)
    np.testing.assert_allclose(layer.eval()(tg.tensor(x)).detach().numpy(), expected)
    assert layer.num_batches_tracked == 3


def test_without_momentum_all_batches_count_the_same():
    layer = nn.BatchNorm1d(2, momentum=None, dtype=tg.float64)
    batches = [normal(5, 2) for _ in range(4)]
    for x in batches:
        layer(tg.tensor(x))
    np.testing.assert_allclose(layer.running_mean.numpy(), np.mean([x.mean(0) for x in batches], 0))


def test_statistics_are_outside_the_graph():
    layer = nn.BatchNorm1d(2)
    x = tg.randn(5, 2, requires_grad=True)
    layer(x).sum().backward()
    assert layer.running_mean.grad_fn is None
    assert not layer.running_mean.requires_grad


def test_other_normalizations():
    x = normal(4, 6, 5, 3)
    flat = x.reshape(4, 2, -1)
    expected = {
        nn.LayerNorm((5, 3)): normalized(x, (2, 3)),
        nn.LayerNorm(3, eps=0.1): normalized(x, (3,), 0.1),
        nn.GroupNorm(2, 6): normalized(flat, (2,)).reshape(x.shape),
        nn.InstanceNorm2d(6): normalized(x, (2, 3)),
        nn.RMSNorm(3, eps=1e-3): x / np.sqrt((x**2).mean(3, keepdims=True) + 1e-3),
    }
    for layer, y in expected.items():
        np.testing.assert_allclose(layer.double()(tg.tensor(x)).detach().numpy(), y, err_msg=repr(layer))


@pytest.mark.parametrize("kind", [nn.LocalResponseNorm, nn.CrossMapLRN2d])
def test_local_response(kind):
    x = normal(2, 5, 3, 3)
    expected = np.empty_like(x)
    for c in range(5):
        near = x[:, max(0, c - 1) : c + 2]
        expected[:, c] = x[:, c] / (2 + 0.3 / 3 * (near**2).sum(1)) ** 0.75
    np.testing.assert_allclose(kind(3, alpha=0.3, k=2.0)(tg.tensor(x)).numpy(), expected)


def test_sync_batch_norm_of_one_process_is_batch_norm():
    net = nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.BatchNorm1d(4, momentum=0.3), nn.ReLU()))
    x = tg.randn(5, 3)
    expected = net(x)
    other = nn.SyncBatchNorm.convert_sync_batchnorm(net)
    assert type(other[1][0]) is nn.SyncBatchNorm
    assert other[1][0].momentum == 0.3
    assert tg.equal(other(x), expected)
    assert [n for n, _ in other.named_parameters()] == [n for n, _ in net.named_parameters()]


LAYERS = {
    "BatchNorm1d(4)": (5, 4),
    "BatchNorm1d(4, momentum=None)": (5, 4, 3),
    "BatchNorm1d(4, bias=False)": (5, 4, 3),
    "BatchNorm2d(4, affine=False, eps=0.1)": (5, 4, 3, 3),
    "BatchNorm3d(4, track_running_stats=False)": (2, 4, 3, 3, 2),
    "SyncBatchNorm(4)": (5, 4),
    "InstanceNorm1d(4, affine=True, track_running_stats=True)": (2, 4, 5),
    "InstanceNorm1d(4)": (4, 5),
    "InstanceNorm2d(4, momentum=0.3, track_running_stats=True)": (2, 4, 5, 5),
    "InstanceNorm3d(4, affine=True)": (4, 3, 3, 3),
    "LayerNorm(4)": (5, 4),
    "LayerNorm((3, 4), bias=False)": (5, 3, 4),
    "LayerNorm([3, 4], elementwise_affine=False)": (5, 3, 4),
    "GroupNorm(2, 4)": (3, 4, 5),
    "GroupNorm(4, 4, affine=False)": (3, 4, 5),
    "RMSNorm(4)": (5, 4),
    "RMSNorm((3, 4), eps=0.1, elementwise_affine=False)": (5, 3, 4),
    "LocalResponseNorm(3, alpha=0.1)": (2, 5, 3, 3),
    "LocalResponseNorm(4, alpha=0.1)": (2, 5, 3),
}


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("layer", LAYERS)
def test_layer(layer, mode):
    pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")

    def call(module, engine, x):
        module(x)  # a first batch for the statistics
        y = module.train(mode == "train")(x)
        return y, [b.double() for b in module.buffers()]

    same(lambda made_of: eval(layer, dict(vars(made_of))), normal(*LAYERS[layer]), call=call)


@scenario
def errors(t):
    nn = t.nn
    calls = (
        lambda: nn.BatchNorm1d(3)(t.ones(3)),
        lambda: nn.BatchNorm1d(3)(t.ones(2, 3, 4, 5)),
        lambda: nn.BatchNorm2d(3)(t.ones(2, 3)),
        lambda: nn.BatchNorm3d(3)(t.ones(2, 3)),
        lambda: nn.BatchNorm1d(3)(t.ones(1, 3)),
        lambda: nn.BatchNorm1d(3)(t.ones(2, 4)),
        lambda: nn.InstanceNorm1d(3)(t.ones(3)),
        lambda: nn.InstanceNorm1d(3, affine=True)(t.ones(2, 4, 5)),
        lambda: nn.InstanceNorm2d(3)(t.ones(2, 3, 1, 1)),
        lambda: nn.LayerNorm(3)(t.ones(2, 4)),
        lambda: nn.LayerNorm((2, 3))(t.ones(3)),
        lambda: nn.GroupNorm(2, 3),
        lambda: nn.GroupNorm(2, 4)(t.ones(2, 3)),
        lambda: nn.RMSNorm(3)(t.ones(2, 4)),
        lambda: nn.LocalResponseNorm(2)(t.ones(2, 3)),
        lambda: nn.SyncBatchNorm(3)(t.ones(3)),
    )
    return [raised(call) for call in calls]


@scenario
def statistics(t):
    layer = t.nn.BatchNorm1d(2).double()
    x = t.arange(6.0, dtype=t.float64).reshape(3, 2)
    seen = []
    for step in range(3):
        layer.train(step != 1)(x + step)
        seen.append(numbers(layer.state_dict()))
    layer.reset_running_stats()
    seen.append(numbers(layer.state_dict()))
    instance = t.nn.InstanceNorm1d(2)
    plain = t.nn.InstanceNorm1d(2, track_running_stats=True)
    seen.append(raised(lambda: instance.load_state_dict(dict(plain.state_dict()))))
    return [*seen, repr(instance.load_state_dict({}))]


test_same_as_pytorch = scenario.test()

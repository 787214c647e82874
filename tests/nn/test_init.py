"""How parameters begin: moments and bounds of each distribution, and a fresh layer's beside PyTorch's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from both_engines import Scenarios, numbers, raised

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.nn import init

scenario = Scenarios()


@pytest.fixture(autouse=True)
def seed():
    tg.manual_seed(0)


def values(t):
    return t.detach().numpy().astype(np.float64)


def test_uniform():
    x = values(init.uniform_(tg.empty(100, 200), -2.0, 3.0))
    assert x.min() >= -2
    assert x.max() < 3
    assert abs(x.mean() - 0.5) < 0.05
    assert abs(x.var() - 25 / 12) < 0.05


def test_normal():
    x = values(init.normal_(tg.empty(100, 200), 1.0, 2.0))
    assert abs(x.mean() - 1) < 0.05
    assert abs(x.std() - 2) < 0.05


@pytest.mark.parametrize(
    ("mean", "std", "a", "b"), [(0.0, 1.0, -2.0, 2.0), (1.0, 0.02, -2.0, 2.0), (0.0, 1.0, 1.0, 3.0)]
)
def test_truncated_normal(mean, std, a, b):
    x = np.sort(values(init.trunc_normal_(tg.empty(20000), mean, std, a, b)))
    assert x[0] >= a
    assert x[-1] <= b
    # against draws of the normal distribution from which those outside are thrown away
    plain = np.random.default_rng(0).normal(mean, std, 400000)
    plain = np.sort(plain[(plain >= a) & (plain <= b)])
    for q in (0.05, 0.25, 0.5, 0.75, 0.95):
        assert abs(np.quantile(x, q) - np.quantile(plain, q)) < 0.05 * std
    assert abs(x.std() - plain.std()) < 0.03 * std


def test_a_mean_far_outside_is_told():
    with pytest.warns(UserWarning, match="more than 2 std"):
        x = values(init.trunc_normal_(tg.empty(1000), 10.0, 1.0, -2.0, 2.0))
    # 8 standard deviations out, the density falls by e every eighth
    assert x.max() <= 2
    assert abs((2 - x).mean() - 1 / 8) < 0.02


def test_no_outliers_of_a_narrow_truncated_normal():
    assert np.abs(values(init.trunc_normal_(tg.empty(1_000_000), std=0.02))).max() < 0.02 * 7


def test_constants_and_identities():
    assert numbers(init.constant_(tg.empty(2), 3.0)) == [3, 3]
    assert numbers(init.ones_(tg.empty(2))) == [1, 1]
    assert numbers(init.zeros_(tg.empty(2))) == [0, 0]
    np.testing.assert_array_equal(values(init.eye_(tg.empty(2, 3))), np.eye(2, 3))
    layer = nn.Conv2d(4, 4, 3, padding=1, groups=2, bias=False)
    init.dirac_(layer.weight, groups=2)
    x = tg.randn(1, 4, 5, 5)
    assert tg.equal(layer(x), x)


@pytest.mark.parametrize("shape", [(20, 30), (30, 20), (16, 4, 3)])
def test_orthogonal(shape):
    x = values(init.orthogonal_(tg.empty(*shape), gain=2.0)).reshape(shape[0], -1)
    few = x if x.shape[0] <= x.shape[1] else x.T
    np.testing.assert_allclose(few @ few.T, 4 * np.eye(len(few)), atol=1e-5)


def test_sparse():
    x = values(init.sparse_(tg.empty(50, 40), 0.3, std=0.1))
    assert ((x == 0).sum(0) == 15).all()
    assert abs(x[x != 0].std() - 0.1) < 0.01


@pytest.mark.parametrize("mode", ["fan_in", "fan_out"])
def test_scaled_by_fans(mode):
    shape = (40, 30, 3, 3)
    fan_in, fan_out = 30 * 9, 40 * 9
    fan = fan_in if mode == "fan_in" else fan_out
    gain = math.sqrt(2 / (1 + 0.2**2))
    cases = {
        gain * math.sqrt(3 / fan): init.kaiming_uniform_(tg.empty(*shape), 0.2, mode),
        3 * math.sqrt(6 / (fan_in + fan_out)): init.xavier_uniform_(tg.empty(*shape), 3.0),
    }
    for bound, drawn in cases.items():
        assert 0.99 * bound < np.abs(values(drawn)).max() <= bound * (1 + 1e-6)
    cases = {
        gain / math.sqrt(fan): init.kaiming_normal_(tg.empty(*shape), 0.2, mode),
        3 * math.sqrt(2 / (fan_in + fan_out)): init.xavier_normal_(tg.empty(*shape), 3.0),
    }
    for std, drawn in cases.items():
        assert abs(values(drawn).std() / std - 1) < 0.05


def test_parameters_are_filled_outside_the_graph_and_returned():
    p = nn.Parameter(tg.empty(3, 3))
    for fill in (init.uniform_, init.normal_, init.ones_, init.eye_, init.xavier_normal_, init.orthogonal_):
        assert fill(p) is p
        assert p.is_leaf
        assert p.requires_grad


def test_a_generator_decides():
    drawn = [init.normal_(tg.empty(5), generator=tg.Generator().manual_seed(3)) for _ in range(2)]
    assert tg.equal(*drawn)


def test_former_names():
    with pytest.warns(FutureWarning, match="kaiming_normal_"):
        init.kaiming_normal(tg.empty(2, 2))


def test_no_elements():
    with pytest.warns(UserWarning, match="zero-element"):
        init.kaiming_uniform_(tg.empty(0, 2))


@scenario
def gains(t):
    names = "linear conv1d conv2d conv3d conv_transpose1d conv_transpose3d sigmoid tanh relu leaky_relu selu".split()
    gain = t.nn.init.calculate_gain
    seen = [gain(name) for name in names] + [gain("leaky_relu", 0.3), gain("leaky_relu", 1)]
    return [*seen, *[raised(lambda a=a: gain(*a)) for a in (("gelu",), ("leaky_relu", True), ("leaky_relu", "a"))]]


@scenario
def errors(t):
    i = t.nn.init
    v, m, c = t.ones(3), t.ones(4, 3), t.ones(2, 2, 2, 2, 2, 2)
    calls = (
        lambda: i.eye_(v),
        lambda: i.dirac_(m),
        lambda: i.dirac_(t.ones(3, 2, 2), groups=2),
        lambda: i.xavier_uniform_(v),
        lambda: i.kaiming_uniform_(v),
        lambda: i.kaiming_uniform_(m, mode="fan"),
        lambda: i.kaiming_normal_(m, nonlinearity="gelu"),
        lambda: i.orthogonal_(v),
        lambda: i.sparse_(c, 0.5),
        lambda: i.normal_(m, 0, -1),
        lambda: i.uniform_(m, 1, 0),
    )
    return [raised(call) for call in calls]


@scenario
def fans(t):
    shapes = [(2, 3), (4, 2, 3), (5, 2, 3, 3)]
    return [t.nn.init._calculate_fan_in_and_fan_out(t.empty(*shape)) for shape in shapes]


@pytest.mark.parametrize("make", ["Linear(300, 200)", "Bilinear(20, 30, 40)", "Embedding(200, 50, padding_idx=3)",
                                  "Conv2d(30, 40, 3)", "PReLU(4)", "LayerNorm(5)", "BatchNorm1d(5)", "GroupNorm(2, 4)"])  # fmt: skip
def test_a_fresh_layer_has_pytorchs_distribution(make):
    torch = pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
    torch.manual_seed(0)
    ours = eval(make, vars(nn)).state_dict()
    theirs = eval(make, vars(torch.nn)).state_dict()
    for name in ours:
        a, b = values(ours[name]), theirs[name].numpy().astype(np.float64)
        scale = max(b.std(), 1e-9)
        tolerance = 6 / math.sqrt(max(a.size, 1))
        assert abs(a.mean() - b.mean()) <= tolerance * scale + 1e-9, name
        assert abs(a.std() / scale - b.std() / scale) <= tolerance, name
        # the tails, where the two families differ most: a bound, or a normal's reach
        assert abs(np.abs(a).max() - np.abs(b).max()) <= scale, name


test_same_as_pytorch = scenario.test()

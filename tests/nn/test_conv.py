"""Convolutions: the plain definition, padding by name and by mode, PyTorch."""

import itertools

import numpy as np
import pytest
from against_torch import same, same_error

import tinygrad_edu as tg
from tinygrad_edu import nn

SHAPES = {1: (7,), 2: (7, 6), 3: (5, 6, 4)}


def normal(*shape):
    return np.random.standard_normal(shape)


def test_a_convolution_is_a_sum_over_taps():
    layer = nn.Conv2d(2, 3, (3, 2), stride=(2, 1), padding=(1, 0), dtype=tg.float64)
    x = normal(1, 2, 5, 4)
    out = layer(tg.tensor(x)).detach().numpy()
    w, b = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)))
    expected = np.zeros((1, 3, 3, 3))
    for c, i, j in itertools.product(range(3), range(3), range(3)):
        expected[0, c, i, j] = b[c] + (padded[0, :, 2 * i : 2 * i + 3, j : j + 2] * w[c]).sum()
    np.testing.assert_allclose(out, expected)


def test_a_transposed_convolution_is_the_gradient_of_a_convolution():
    there, back = (kind(2, 2, 3, stride=2, bias=False, dtype=tg.float64) for kind in (nn.Conv1d, nn.ConvTranspose1d))
    back.load_state_dict({"weight": there.weight.detach()})
    x, g = tg.tensor(normal(1, 2, 9), requires_grad=True), tg.tensor(normal(1, 2, 4))
    there(x).backward(g)
    np.testing.assert_allclose(back(g).detach().numpy(), x.grad.numpy())


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_padding_same_keeps_the_size(dims):
    layer = getattr(nn, f"Conv{dims}d")(2, 3, 4, dilation=2, padding="same")
    assert layer(tg.ones(1, 2, *SHAPES[dims])).shape == (1, 3, *SHAPES[dims])


def test_padding_modes_are_a_padding_before():
    x = tg.tensor(normal(2, 2, 5, 6))
    for mode in ("reflect", "replicate", "circular"):
        layer = nn.Conv2d(2, 3, 3, padding=(1, 2), padding_mode=mode, dtype=tg.float64)
        padded = nn.functional.pad(x, (2, 2, 1, 1), mode=mode)
        plain = nn.functional.conv2d(padded, layer.weight, layer.bias)
        np.testing.assert_array_equal(layer(x).detach().numpy(), plain.detach().numpy())


def test_a_fresh_weight_is_uniform_within_one_over_root_fan_in():
    layer = nn.Conv2d(8, 64, 3, groups=2)
    bound = 1 / np.sqrt(4 * 9)
    for p in layer.parameters():
        values = p.detach().numpy()
        assert np.abs(values).max() <= bound
        assert np.abs(values).max() > 0.9 * bound
    assert abs(layer.weight.std().item() - bound / np.sqrt(3)) < 0.02 * bound


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("groups", [1, 2])
def test_gradients_lie_in_order(groups, stride):
    x, w = tg.randn(2, 4, 5, 6, requires_grad=True), tg.randn(6, 4 // groups, 3, 3, requires_grad=True)
    out = nn.functional.conv2d(x, w, None, stride, groups=groups)
    assert all(g.is_contiguous() for g in tg.autograd.grad(out.sum(), (x, w)))


@pytest.mark.parametrize("place", [0, 15, 29])
@pytest.mark.parametrize("where", ["input", "gradient"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("wanted", ["weight", "both"])
def test_an_infinite_element_counts_where_the_kernel_meets_it(place, where, stride, wanted):
    x, w = normal(5, 6), tg.tensor(normal(1, 1, 3, 3), requires_grad=True)
    g = normal(*[(n - 1) // stride + 1 for n in x.shape])
    chosen = x if where == "input" else g
    chosen.flat[place * (chosen.size - 1) // 29] = np.inf
    out = nn.functional.conv2d(tg.tensor(x[None, None], requires_grad=wanted == "both"), w, None, stride, 1)
    out.backward(tg.tensor(g[None, None]))
    expected = np.zeros((3, 3))
    for (p, q), (i, j) in itertools.product(np.ndindex(*g.shape), np.ndindex(3, 3)):
        row, column = p * stride + i - 1, q * stride + j - 1
        if 0 <= row < 5 and 0 <= column < 6:
            expected[i, j] += x[row, column] * g[p, q]
    np.testing.assert_allclose(w.grad.numpy()[0, 0], expected)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_gradients_without_a_graph(dims):
    options = {"stride": 2, "padding": 1, "dilation": 2, "groups": 2}
    x = tg.randn(2, 4, *(7, 8, 9)[:dims], requires_grad=True)
    w = tg.randn(6, 2, *(2, 3, 2)[:dims], requires_grad=True)
    y = getattr(nn.functional, f"conv{dims}d")(x, w, None, **options)
    g = tg.randn_like(y)
    y.backward(g)
    for_input, for_weight = (getattr(nn.grad, f"conv{dims}d_{what}") for what in ("input", "weight"))
    with tg.no_grad():
        assert tg.allclose(for_input(x.shape, w, g, **options), x.grad)
        assert tg.allclose(for_weight(x, w.shape, g, **options), w.grad)


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("kind", ["Conv", "ConvTranspose"])
def test_a_lazy_layer_takes_its_channels_from_the_first_input(kind, dims):
    layer = getattr(nn, f"Lazy{kind}{dims}d")(6, 3, groups=2)
    out = layer(tg.ones(1, 4, *SHAPES[dims]))
    plain = getattr(nn, f"{kind}{dims}d")
    assert type(layer) is plain
    assert repr(layer) == repr(plain(4, 6, 3, groups=2))
    assert out.shape[1] == 6
    assert layer.weight.std().item() > 0
    with pytest.raises(ValueError, match="divisible by groups"):
        getattr(nn, f"Lazy{kind}{dims}d")(6, 3, groups=2)(tg.ones(1, 3, *SHAPES[dims]))
    with pytest.raises(RuntimeError, match="input"):
        getattr(nn, f"Lazy{kind}{dims}d")(6, 3)(tg.ones(3))


OPTIONS = [
    {},
    {"stride": 2, "padding": 1},
    {"dilation": 2, "padding": 2},
    {"groups": 2, "bias": False},
    {"padding": "same"},
    {"padding": "valid"},
    {"padding": 1, "padding_mode": "reflect"},
    {"padding": 2, "padding_mode": "replicate"},
    {"padding": 1, "padding_mode": "circular"},
    {"padding": "same", "padding_mode": "reflect"},
]


@pytest.mark.parametrize("dims", [1, 2, 3])
class TestAgainstTorch:
    @pytest.fixture(autouse=True)
    def torch(self):
        return pytest.importorskip("torch", reason="the comparison needs PyTorch")

    @pytest.mark.parametrize("options", OPTIONS, ids=str)
    def test_convolution(self, dims, options):
        same(lambda nn: getattr(nn, f"Conv{dims}d")(4, 6, 3, **options), normal(2, 4, *SHAPES[dims]))

    @pytest.mark.parametrize(
        "options",
        [{}, {"stride": 2, "padding": 1, "output_padding": 1}, {"dilation": 2}, {"groups": 2, "bias": False}],
        ids=str,
    )
    def test_transposed(self, dims, options):
        same(lambda nn: getattr(nn, f"ConvTranspose{dims}d")(4, 6, 3, **options), normal(2, 4, *SHAPES[dims]))

    def test_one_sample(self, dims):
        same(lambda nn: getattr(nn, f"Conv{dims}d")(4, 6, 2), normal(4, *SHAPES[dims]))

    def test_the_size_that_a_stride_leaves_open(self, dims):
        size = [2 * n + 2 for n in SHAPES[dims]]
        same(
            lambda nn: getattr(nn, f"ConvTranspose{dims}d")(4, 6, 3, stride=2),
            normal(2, 4, *SHAPES[dims]),
            call=lambda layer, engine, x: layer(x, output_size=size),
        )

    def test_errors(self, dims):
        for options in (
            {"groups": 3},
            {"groups": 0},
            {"padding": "x"},
            {"padding": "same", "stride": 2},
            {"padding_mode": "x"},
        ):
            same_error(lambda nn, options=options: getattr(nn, f"Conv{dims}d")(4, 6, 3, **options))
        same_error(lambda nn: getattr(nn, f"ConvTranspose{dims}d")(4, 6, 3, padding_mode="reflect"))
        same_error(
            lambda nn: getattr(nn, f"Conv{dims}d")(4, 6, 3),
            lambda layer, engine: layer(engine.zeros(2, 5, *SHAPES[dims])),
        )
        for size in ([100] * dims, [9] * (dims + 1)):
            same_error(
                lambda nn: getattr(nn, f"ConvTranspose{dims}d")(4, 6, 3, stride=2),
                lambda layer, engine, size=size: layer(engine.zeros(2, 4, *SHAPES[dims]), output_size=size),
            )

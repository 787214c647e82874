"""Pooling, padding and resampling layers."""

import numpy as np
import pytest
from against_torch import same, same_error

import tinygrad_edu as tg
from tinygrad_edu import nn

SHAPES = {1: (7,), 2: (7, 6), 3: (7, 6, 5)}


def normal(*shape):
    return np.random.standard_normal(shape)


def test_pooling_takes_the_largest_or_the_mean_of_each_window():
    x = np.arange(16.0).reshape(1, 1, 4, 4)
    assert nn.MaxPool2d(2)(tg.tensor(x)).tolist() == [[[[5.0, 7.0], [13.0, 15.0]]]]
    assert nn.AvgPool2d(2)(tg.tensor(x)).tolist() == [[[[2.5, 4.5], [10.5, 12.5]]]]
    assert nn.AdaptiveAvgPool2d(1)(tg.tensor(x)).item() == 7.5
    assert nn.LPPool2d(2, 4)(tg.tensor(x)).item() == pytest.approx(np.sqrt((x**2).sum()))


def test_unpooling_puts_the_maxima_back():
    x = tg.tensor(normal(2, 3, 6))
    values, indices = nn.MaxPool1d(2, return_indices=True)(x)
    back = nn.MaxUnpool1d(2)(values, indices)
    places = back != 0
    assert places.sum().item() == values.numel()
    np.testing.assert_array_equal(back[places].numpy(), x[places].numpy())


def test_padding_layers():
    x = tg.tensor([[1.0, 2.0, 3.0]])
    assert nn.ZeroPad1d((1, 2))(x).tolist() == [[0, 1, 2, 3, 0, 0]]
    assert nn.ConstantPad1d(1, 9)(x).tolist() == [[9, 1, 2, 3, 9]]
    assert nn.ReflectionPad1d(2)(x).tolist() == [[3, 2, 1, 2, 3, 2, 1]]
    assert nn.ReplicationPad1d(1)(x).tolist() == [[1, 1, 2, 3, 3]]
    assert nn.CircularPad1d(1)(x).tolist() == [[3, 1, 2, 3, 1]]


def test_shuffles_undo_each_other():
    x = tg.tensor(normal(2, 8, 4, 6))
    np.testing.assert_array_equal(nn.PixelUnshuffle(2)(nn.PixelShuffle(2)(x)).numpy(), x.numpy())
    np.testing.assert_array_equal(nn.ChannelShuffle(4)(nn.ChannelShuffle(2)(x)).numpy(), x.numpy())


def test_folding_counts_how_often_a_window_reads_an_element():
    ones = tg.ones(1, 1, 4, 4)
    counts = nn.Fold((4, 4), 3)(nn.Unfold(3)(ones))
    assert counts[0, 0].tolist() == [[1, 2, 2, 1], [2, 4, 4, 2], [2, 4, 4, 2], [1, 2, 2, 1]]


@pytest.mark.parametrize("dims", [1, 2, 3])
class TestAgainstTorch:
    @pytest.fixture(autouse=True)
    def torch(self):
        return pytest.importorskip("torch", reason="the comparison needs PyTorch")

    @pytest.mark.parametrize(
        "options", [{}, {"stride": 2, "padding": 1}, {"stride": 1}, {"stride": 2, "ceil_mode": True}], ids=str
    )
    def test_sliding_windows(self, dims, options):
        x = normal(2, 3, *SHAPES[dims])
        same(lambda nn: getattr(nn, f"MaxPool{dims}d")(3, **options), x)
        same(lambda nn: getattr(nn, f"MaxPool{dims}d")(3, return_indices=True, **options), x)
        same(lambda nn: getattr(nn, f"AvgPool{dims}d")(3, **options), x)
        same(lambda nn: getattr(nn, f"AvgPool{dims}d")(3, count_include_pad=False, **options), x)
        if "padding" not in options:
            same(lambda nn: getattr(nn, f"LPPool{dims}d")(2, 3, **options), abs(x))

    def test_given_sizes(self, dims):
        x = normal(2, 3, *SHAPES[dims])
        for size in (1, 2, 3, *([(None,) * (dims - 1) + (2,)] if dims > 1 else [])):
            same(lambda nn, size=size: getattr(nn, f"AdaptiveAvgPool{dims}d")(size), x)
            same(lambda nn, size=size: getattr(nn, f"AdaptiveMaxPool{dims}d")(size, return_indices=True), x)

    def test_unpooling(self, dims):
        def call(layer, engine, x):
            values, indices = getattr(engine.nn, f"MaxPool{dims}d")(2, return_indices=True)(x)
            return layer(values, indices, output_size=x.shape)

        same(lambda nn: getattr(nn, f"MaxUnpool{dims}d")(2), normal(2, 3, *SHAPES[dims]), call=call)

    def test_padding(self, dims):
        x = normal(2, 3, *SHAPES[dims])
        for widths in (1, (2, 1, 0, 3, 2, 2)[: 2 * dims]):
            for kind in ("Zero", "Reflection", "Replication", "Circular"):
                same(lambda nn, kind=kind, widths=widths: getattr(nn, f"{kind}Pad{dims}d")(widths), x)
            same(lambda nn, widths=widths: getattr(nn, f"ConstantPad{dims}d")(widths, 1.5), x)
        same_error(lambda nn: getattr(nn, f"CircularPad{dims}d")(1), lambda layer, engine: layer(engine.zeros(3)))

    def test_a_window_larger_than_the_input(self, dims):
        same_error(
            lambda nn: getattr(nn, f"MaxPool{dims}d")(9), lambda layer, engine: layer(engine.zeros(2, 3, *SHAPES[dims]))
        )


@pytest.mark.parametrize("dims", [2, 3])
def test_random_places_against_torch(dims):
    pytest.importorskip("torch", reason="the comparison needs PyTorch")
    samples = np.random.uniform(size=(2, 3, dims))

    def call(layer, engine, x):
        layer._random_samples = engine.tensor(samples)
        return layer(x)

    for options in ({"output_size": 3}, {"output_ratio": 0.5}):
        same(
            lambda nn, options=options: getattr(nn, f"FractionalMaxPool{dims}d")(2, return_indices=True, **options),
            normal(2, 3, *SHAPES[dims]),
            call=call,
        )
    for options in ({}, {"output_size": 2, "output_ratio": 0.5}, {"output_ratio": 2.0}):
        same_error(lambda nn, options=options: getattr(nn, f"FractionalMaxPool{dims}d")(2, **options))


def test_resampling_against_torch():
    pytest.importorskip("torch", reason="the comparison needs PyTorch")
    x = normal(2, 3, 5, 6)
    for options in (
        {"scale_factor": 2},
        {"size": (7, 9), "mode": "bilinear", "align_corners": True},
        {"scale_factor": (1.5, 2.0), "mode": "bicubic"},
        {"scale_factor": 1.5, "recompute_scale_factor": True, "mode": "bilinear", "align_corners": False},
    ):
        same(lambda nn, options=options: nn.Upsample(**options), x)
    same(lambda nn: nn.UpsamplingNearest2d(scale_factor=2), x)
    same(lambda nn: nn.UpsamplingBilinear2d(size=(9, 8)), x)
    same(lambda nn: nn.PixelShuffle(2), normal(2, 8, 3, 4))
    same(lambda nn: nn.PixelUnshuffle(2), normal(2, 2, 4, 6))
    same(lambda nn: nn.ChannelShuffle(2), normal(2, 4, 3, 3))
    same(lambda nn: nn.Unfold((2, 3), padding=1, stride=2), normal(2, 3, 6, 7))
    same(lambda nn: nn.Fold((6, 7), (2, 3), padding=1, stride=2), normal(2, 18, 16))

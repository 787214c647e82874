"""`grad_fn` reads as in PyTorch."""

from __future__ import annotations

from typing import Any

import pytest

import tinygrad_edu as tg

NAMES = {
    "x * x": "MulBackward0",
    "x ** 2": "PowBackward0",
    "x ** x": "PowBackward1",
    "2 ** x": "PowBackward2",
    "x @ m": "MmBackward0",
    "m @ v": "MvBackward0",
    "v @ v": "DotBackward0",
    "t.bmm(b, b)": "BmmBackward0",
    "x.t()": "TBackward0",
    "x.mT": "TransposeBackward0",
    "x.transpose(0, 1)": "TransposeBackward0",
    "x.sum()": "SumBackward0",
    "x.sum(0)": "SumBackward1",
    "v.sum(0)": "SumBackward1",
    "x.mean()": "MeanBackward0",
    "x.mean(1, keepdim=True)": "MeanBackward1",
    "x.prod()": "ProdBackward0",
    "x.prod(0)": "ProdBackward1",
    "x.max()": "MaxBackward1",
    "x.max(0)[0]": "MaxBackward0",
    "x.amax()": "AmaxBackward0",
    "x.amin(0)": "AminBackward0",
    "x.min()": "MinBackward1",
    "x.log1p()": "Log1PBackward0",
    "x.clamp(0, 1)": "ClampBackward1",
    "x.double()": "ToCopyBackward0",
    "x.t().contiguous()": "CloneBackward0",
    "x[0]": "SelectBackward0",
    "x[:, 1]": "SelectBackward0",
    "x[..., 1:]": "SliceBackward0",
    "x[None]": "UnsqueezeBackward0",
    "x.gather(1, t.zeros(2, 1).long())": "GatherBackward0",
    "t.lerp(x, x, 0.5)": "LerpBackward0",
    "t.lerp(x, x, x)": "LerpBackward1",
    "x.norm()": "LinalgVectorNormBackward0",
    "t.linalg.inv(m)": "LinalgInvExBackward0",
    "t.linalg.svd(m)[1]": "LinalgSvdBackward0",
    "t.fft.fft(x)": "FftR2CBackward0",
    "t.fft.rfft(x)": "FftR2CBackward0",
    "t.fft.ifft(t.fft.fft(x))": "FftC2CBackward0",
    "t.fft.irfft(t.fft.rfft(x))": "FftC2RBackward0",
    "nn.Linear(3, 2)(x)": "AddmmBackward0",
    "nn.Linear(3, 2, bias=False)(x)": "MmBackward0",
    "nn.Conv2d(2, 3, 3)(image)": "ConvolutionBackward0",
    "nn.ConvTranspose2d(2, 3, 3)(image)": "ConvolutionBackward0",
    "nn.MaxPool2d(2)(image)": "MaxPool2DWithIndicesBackward0",
    "nn.Unfold(2)(image)": "Im2ColBackward0",
    "nn.BatchNorm2d(2)(image)": "NativeBatchNormBackward0",
    "nn.LayerNorm(3)(x)": "NativeLayerNormBackward0",
    "nn.GroupNorm(1, 2)(image)": "NativeGroupNormBackward0",
    "nn.PReLU()(x)": "PreluKernelBackward0",
    "nn.LogSigmoid()(x)": "LogSigmoidBackward0",
    "nn.Dropout()(x)": "MulBackward0",
    "nn.CrossEntropyLoss()(x, t.tensor([0, 1]))": "NllLossBackward0",
}


def name_of(expression: str, engine: Any) -> str:
    def tensor(*shape: int) -> Any:
        return engine.rand(*shape, requires_grad=True)

    shapes = {"x": (2, 3), "m": (3, 3), "v": (3,), "b": (2, 3, 3), "image": (1, 2, 4, 4)}
    names = {name: tensor(*shape) for name, shape in shapes.items()}
    return eval(expression, {"t": engine, "nn": engine.nn, **names}).grad_fn.name()


@pytest.mark.parametrize("expression", NAMES)
def test_the_name(expression):
    assert name_of(expression, tg) == NAMES[expression]


@pytest.mark.parametrize("expression", NAMES)
def test_pytorchs_is_the_same(expression):
    torch = pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
    assert name_of(expression, torch) == NAMES[expression]


def test_every_name_stands_for_an_operation():
    from tinygrad_edu.backward_names import NAMES as known
    from tinygrad_edu.op import OPS

    assert set(known) <= set(OPS)


def test_names_outlive_the_walk():
    """Also where what told them was freed."""
    x = tg.rand(2, 3, requires_grad=True)
    for make in (tg.Tensor.sum, tg.Tensor.mean, tg.Tensor.prod, tg.Tensor.exp, lambda x: x[0], lambda x: x @ x.t()):
        y = make(x)
        before = y.grad_fn.name()
        y.sum().backward()
        assert y.grad_fn.name() == before


def test_the_largest_of_nothing_is_asked_in_the_words_of_the_call():
    for name in ("max", "amax", "min", "amin"):
        with pytest.raises(RuntimeError, match=rf"^{name}\(\): Expected reduction dim"):
            getattr(tg.zeros(0), name)()

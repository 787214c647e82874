"""Calls that are right and yet unusual: what PyTorch takes beyond the kinds that its documentation names."""

from __future__ import annotations

import functools
import importlib.util
from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg

CALLS = """
    t.zeros(2, device="cpu:0") + t.zeros(2)
    t.fft.fft2(x(2, 3), dim=0)
    t.constant_pad_nd(x(3), (1, 1), 1 + 0j).real
    F.relu(x(2, 3) - 3, 1)
    F.relu(x(2, 3) - 3, None)
    F.leaky_relu(x(3) - 2, inplace=0)
    F.dropout(x(3), 0.0, True, 1)
    nn.ReLU(1)(x(3) - 2)
    nn.LeakyReLU(np.int64(1), 0)(x(3) - 2)
    nn.Hardtanh(np.int64(-1), np.int64(2), 1)(x(3))
    F.softmax(x(2, 3), 1, None)
    F.normalize(x(2, 3), dim=(0, 1))
    F.normalize(x(2, 3), p=2.0, dim=[1])
    F.normalize(x(2, 3), dim=None)
    F.cross_entropy(x(2, 3), t.tensor([0, 1]), reduce=0)
    F.mse_loss(x(3), x(3) * 2, size_average=1)
    F.l1_loss(x(3), x(3) * 2, size_average=0)
    F.gaussian_nll_loss(x(3), x(3) * 2, x(3), 1)
    F.triplet_margin_with_distance_loss(x(2, 3), x(2, 3) + 1, x(2, 3) * 2, swap=1)
    F.multi_margin_loss(x(2, 3), t.tensor([0, 1]), 2.0)
    F.max_pool2d(x(1, 1, 4, 4), 2, return_indices=1)[1]
    nn.MaxPool2d(2, return_indices=1)(x(1, 1, 4, 4))[1]
    F.adaptive_max_pool1d(x(1, 1, 4), 2, None)
    F.interpolate(x(1, 1, 2, 3), scale_factor=2, recompute_scale_factor=0)
    F.interpolate(x(1, 1, 2, 3), scale_factor=np.float32(2))
    attention(need_weights=0)
    attention(average_attn_weights=0)
    attention(is_causal=0, attn_mask=t.ones(2, 2).bool())
    t.signal.windows.hann(4, sym=0)
    t.sort(x(3), dim=0, descending=True, stable=None).values
    t.manual_seed(3.0).initial_seed()
    t.narrow(x(2, 3), 1, 0, t.tensor([2]))
    t.fft.fft(x(4), n=t.tensor([3])).real
    t.zeros(t.broadcast_shapes(range(2, 4), (1,)))
    t.norm(x(2, 3), "nuc", dim=None)
    t.norm(x(2, 3), dim=None)
    t.full((2,), True)
    t.arange(np.int64(3))
    x(2, 3).sum([np.int64(0), 1])
    t.tensor_split(x(3), t.tensor([1, 2]))[1]
    t.nn.utils.clip_grad_norm_((p for p in [nn.Parameter(x(3))]), np.float32(1))
    nn.LSTM(3, 2)(x(2, 1, 3), [x(1, 1, 2), x(1, 1, 2)])[0].shape[0] + x(1)
    t.func.grad(functools.partial(t.sum))(x(3))
    t.clamp(x(3), np.float32(2), np.int64(3))
    x(2, 3).max(np.int64(1)).values
    x(2, 3).median(np.int64(1)).values
    x(2, 3).prod(np.int64(1))
    x(2, 3).quantile(t.tensor(0.5), np.int64(1))
    x(1, 3).squeeze(np.int64(0))
    x(2, 3).movedim(np.int64(0), np.int64(1))
    x(2, 3).roll(np.int64(1), np.int64(0))
    x(2, 3).chunk(np.int64(2))[1]
    t.tensor_split(x(3), np.int64(2))[1]
    x(3).repeat_interleave(np.int64(2))
    t.linspace(0, 1, np.int64(3))
    t.linspace(0, 1, t.tensor(3))
    t.logspace(0, 1, steps=np.int64(3))
    t.linalg.norm(x(2, 3), np.float32(2), np.int64(1))
    t.linalg.matrix_power(x(3, 3), np.int64(2))
    t.fft.fft(x(8), np.int64(4), np.int64(0)).real
    t.fft.fftshift(x(4, 4), np.int64(0))
    t.gradient(x(2, 3), dim=np.int64(1))[0]
    t.signal.windows.gaussian(np.int64(4), std=np.float32(1))
    nn.utils.weight_norm(nn.Linear(3, 2), dim=np.int64(0)).weight_v * 0
"""


def answer(call: str, engine: Any) -> np.ndarray:
    """What a call gives, as an array."""

    def x(*shape: int) -> Any:
        return engine.arange(int(np.prod(shape)), dtype=engine.float32).reshape(shape) + 1

    def attention(**options: Any) -> Any:
        engine.manual_seed(0)
        module = engine.nn.MultiheadAttention(4, 2)
        for parameter in module.parameters():
            engine.nn.init.constant_(parameter, 0.1)
        return module(x(2, 1, 4), x(2, 1, 4), x(2, 1, 4), **options)[0]

    names = {"t": engine, "nn": engine.nn, "F": engine.nn.functional, "np": np, "functools": functools}
    found = eval(call, names | {"x": x, "attention": attention})
    return found.detach().numpy() if isinstance(found, engine.Tensor) else np.asarray(found)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("call", [line.strip() for line in CALLS.strip().splitlines()])
def test_it_is_taken(call: str) -> None:
    first = answer(call, tg)
    np.testing.assert_array_equal(answer(call, tg), first)  # the second call is another than the first
    if importlib.util.find_spec("torch"):
        torch = importlib.import_module("torch")
        np.testing.assert_allclose(first, answer(call, torch), rtol=1e-5, atol=1e-6)

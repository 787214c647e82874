"""What is computed piece by piece gives the same numbers however it is cut."""

from __future__ import annotations

import math

import numpy as np
import pytest
from table import Call, Draw
from table.convolution import (
    SHAPES,
    _both,
    _both_grads,
    _conv_transpose,
    _convolution,
    _forward,
    _kernel,
    _kernel_grad,
    _transpose,
)

import tinygrad_edu as tg
from tinygrad_edu.nn import functional as F
from tinygrad_edu.op import OPS
from tinygrad_edu.ops import columns, pieces

CUTS = {
    "one line of one sample": {"PIECE": 1, "NARROW": 0},
    "samples that share a product": {"PIECE": 1 << 18, "NARROW": 1 << 20, "SMALL": 1 << 40},
    "samples of one line share a product": {"PIECE": 1, "NARROW": 9},
    "small products": {"SMALL": 200, "NARROW": 2},
    "transposed": {"MANY": 1, "NARROW": 0},
    "transposed, shared": {"MANY": 1, "NARROW": 1 << 20, "SMALL": 1 << 40},
    "never transposed": {"MANY": 1 << 20},
}
KINDS = {
    "convolution": (_forward, _convolution),
    "conv_transpose": (_transpose, _conv_transpose),
    "conv_kernel_grad": (_kernel, _kernel_grad),
    "conv_grads": (_both, _both_grads),
}


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("shape", range(len(SHAPES)))
def test_convolution(cut: str, name: str, shape: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for constant, value in CUTS[cut].items():
        if constant == "PIECE":
            monkeypatch.setitem(columns.PIECE, np.ndarray, value)
        else:
            monkeypatch.setattr(columns, constant, value)
    draw, expect = KINDS[name]
    sample: Call = draw(*SHAPES[shape], batch=3)(Draw(shape))
    found, expected = OPS[name].run(*sample.args), expect(*sample.args)
    for part, right in zip(found, expected, strict=True) if isinstance(found, tuple) else [(found, expected)]:
        np.testing.assert_allclose(part, right, rtol=1e-12, atol=1e-12)


def test_cuts_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """The constants do what the test above hopes for: pieces of one line, of all samples, and everything between."""
    x = np.zeros((4, 2, 6, 5))
    options = ((3, 3), (6, 5), (1, 1), (1, 1), (1, 1), 1, 2)
    assert (whole := columns.Windows(x, *options)).shared
    assert (whole.rows, whole.batch) == (6, 4)
    monkeypatch.setitem(columns.PIECE, np.ndarray, 1)
    monkeypatch.setattr(columns, "NARROW", 0)
    line = columns.Windows(x, *options)
    assert (line.rows, line.batch, line.shared) == (1, 1, False)
    assert len(list(line.columns())) == 24


def test_zeros_are_shared_between_rows() -> None:
    """With padding 1 a row of 5 takes 6 places: the zero behind it is the one before the next."""
    x = np.zeros((1, 1, 5, 5))
    assert columns.Windows(x, (3, 3), (5, 5), (1, 1), (1, 1), (1, 1), 1, 1).pitch == (6, 6)
    assert columns.Windows(x, (3, 3), (3, 3), (1, 1), (0, 0), (1, 1), 1, 1).pitch == (5, 5)
    assert columns.Windows(x, (1, 1), (9, 9), (1, 1), (2, 2), (1, 1), 1, 1).pitch == (9, 9)


@pytest.mark.parametrize("shape", [(7, 11), (5,), (3, 2, 4)])
def test_elementwise_chains(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    x, g = tg.randn(*shape, dtype=tg.float64), tg.randn(*shape, dtype=tg.float64)

    def results(function) -> list[np.ndarray]:
        leaf = x.clone().requires_grad_()
        out = function(leaf)
        out.backward(g)
        return [out.detach().numpy(), leaf.grad.numpy()]

    functions = (F.gelu, lambda t: F.gelu(t, approximate="tanh"), F.silu)
    whole = [results(f) for f in functions]
    monkeypatch.setattr(pieces, "PIECE", 3)
    for f, expected in zip(functions, whole, strict=True):
        for found, value in zip(results(f), expected, strict=True):
            assert found.shape == shape
            np.testing.assert_array_equal(found, value)


def test_error_function_in_single_precision() -> None:
    """Every value to 3e-7 of itself, exact at the ends."""
    x = np.concatenate([np.linspace(-5, 5, 20001), np.geomspace(1e-30, 1, 500)]).astype(np.float32)
    expected = np.array([math.erf(v) for v in x.tolist()])
    found = tg.special.erf(tg.from_numpy(x)).numpy().astype(float)
    np.testing.assert_allclose(found, expected, rtol=3e-7)
    ends = tg.special.erf(tg.tensor([-math.inf, -1e30, -0.0, 5.0, math.inf, math.nan])).numpy()
    np.testing.assert_array_equal(ends, [-1, -1, -0.0, 1, 1, math.nan])

"""Layers as functions at the top, against PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_edu as tg

torch = pytest.importorskip("torch", reason="the functions are held against PyTorch's")


def both(name: str, *args):
    """The answers of both engines as arrays; arrays are handed over as tensors."""
    answers = []
    for module, make in ((tg, tg.tensor), (torch, torch.tensor)):
        turned = [_turned(a, make) for a in args]
        found = getattr(module, name)(*turned)
        answers.append([f.numpy() for f in (found if isinstance(found, tuple) else (found,))])
    return answers


def _turned(value, make):
    if isinstance(value, np.ndarray):
        return make(value)
    return [_turned(v, make) for v in value] if isinstance(value, list) else value


def normal(*shape):
    return np.random.default_rng(len(shape)).normal(size=shape)


X, Y, Z = normal(4, 3), normal(4, 3) + 1, normal(4, 3) - 1
SIGN = np.array([1.0, -1.0, 1.0, 1.0])
CASES = {
    "batch_norm": (X, normal(3), normal(3), np.zeros(3), np.ones(3), True, 0.1, 1e-5, False),
    "instance_norm": (normal(2, 3, 5), normal(3), normal(3), None, None, True, 0.1, 1e-5, False),
    "embedding": (X, np.array([[0, 3], [1, 1]])),
    "kl_div": (X, Y**2, 2),
    "ctc_loss": (np.log(np.full((6, 2, 4), 0.25)), np.array([[1, 2], [3, 1]]), (6, 6), (2, 1), 0, 1),
    "binary_cross_entropy_with_logits": (X, Y**2 / 9, None, None, 1),
    "poisson_nll_loss": (X, Y**2, True, False, 1e-8, 1),
    "triplet_margin_loss": (X, Y, Z, 1.0, 2, 1e-6, False, 0),
    "margin_ranking_loss": (X[:, 0], Y[:, 0], SIGN, 0.2, 1),
    "cosine_embedding_loss": (X, Y, SIGN, 0.1, 2),
    "hinge_embedding_loss": (X[:, 0], SIGN, 1.0, 1),
}


@pytest.mark.parametrize("name", CASES)
def test_layers(name: str) -> None:
    ours, theirs = both(name, *CASES[name])
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize(("name", "gates"), [("lstm", 4), ("gru", 3), ("rnn_tanh", 1), ("rnn_relu", 1)])
def test_recurrences(name: str, gates: int, biases: bool, bidirectional: bool) -> None:
    directions, hidden = 1 + bidirectional, 5
    params = []
    for layer in range(2):
        for _ in range(directions):
            width = 3 if not layer else hidden * directions
            params += [normal(gates * hidden, width) / 2, normal(gates * hidden, hidden) / 2]
            params += [normal(gates * hidden), normal(gates * hidden) / 2] if biases else []
    state = normal(2 * directions, 4, hidden)
    hx = [state, -state] if name == "lstm" else state
    for batch_first in (False, True):
        x = normal(4, 6, 3) if batch_first else normal(6, 4, 3)
        ours, theirs = both(name, x, hx, params, biases, 2, 0.0, False, bidirectional, batch_first)
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_too_few_weights() -> None:
    x = tg.ones(2, 1, 3)
    with pytest.raises(RuntimeError, match="need 4 weights"):
        tg.rnn_tanh(x, tg.zeros(1, 1, 2), [tg.ones(2, 3)], True, 1, 0.0, False, False, False)

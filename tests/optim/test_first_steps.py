"""The first steps of each optimizer, by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from noisy_problem import parameters

import tinygrad_edu as tg
from tinygrad_edu import optim


def first_steps(name: str, options: dict[str, Any], grads: list[float], p: float = 1.0) -> list[float]:
    """Where a single number goes, given its gradients."""
    (x,) = parameters([[p]])
    optimizer = getattr(optim, name)([x], **options)
    path = []
    for g in grads:
        x.grad = tg.tensor(np.array([g]))
        optimizer.step()
        path.append(x.item())
    return path


def test_sgd() -> None:
    assert first_steps("SGD", {"lr": 0.1}, [2.0, 3.0]) == pytest.approx([0.8, 0.5])
    assert first_steps("SGD", {"lr": 0.1, "maximize": True}, [2.0, 3.0]) == pytest.approx([1.2, 1.5])
    # g + 0.5 p: 2.5, then 3 + 0.5 * 0.75
    assert first_steps("SGD", {"lr": 0.1, "weight_decay": 0.5}, [2.0, 3.0]) == pytest.approx([0.75, 0.4125])


def test_sgd_with_momentum() -> None:
    # the first sum is not dampened: 2, then 0.9 * 2 + 0.5 * 3 = 3.3
    options = {"lr": 0.1, "momentum": 0.9, "dampening": 0.5}
    assert first_steps("SGD", options, [2.0, 3.0]) == pytest.approx([0.8, 0.47])
    # ahead: 2 + 0.9 * 2 = 3.8, then 3 + 0.9 * 4.8 = 7.32
    options = {"lr": 0.1, "momentum": 0.9, "nesterov": True}
    assert first_steps("SGD", options, [2.0, 3.0]) == pytest.approx([0.62, -0.112])


def test_adam() -> None:
    # freed of their start, the first means are g and g² themselves: a step of lr, but for eps
    assert first_steps("Adam", {"lr": 0.1, "eps": 0.5}, [2.0]) == pytest.approx([1 - 0.1 * 2 / 2.5])
    m = (0.9 * 0.2 + 0.1 * -1) / (1 - 0.9**2)
    v = (0.999 * 0.004 + 0.001 * 1) / (1 - 0.999**2)
    assert first_steps("Adam", {"lr": 0.1, "eps": 0.0}, [2.0, -1.0])[1] == pytest.approx(0.9 - 0.1 * m / math.sqrt(v))
    # the larger of both mean squares: the second is smaller than the first
    options = {"lr": 0.1, "eps": 0.0, "betas": (0.0, 0.5), "amsgrad": True}
    assert first_steps("Adam", options, [2.0, 1.0])[1] == pytest.approx(0.9 - 0.1 / math.sqrt(2 / 0.75))


def test_adamw_decays_beside_the_step() -> None:
    assert first_steps("AdamW", {"lr": 0.1, "eps": 0.0, "weight_decay": 0.5}, [2.0]) == pytest.approx([0.95 - 0.1])
    # Adam's own way: the decay goes through the means, where its size is lost
    assert first_steps("Adam", {"lr": 0.1, "eps": 0.0, "weight_decay": 0.5}, [2.0]) == pytest.approx([0.9])


def test_nadam() -> None:
    mu = [0.9 * (1 - 0.5 * 0.96 ** (t * 0.004)) for t in (1, 2, 3)]
    p1 = 1 - 0.1 * (2 + mu[1] / (1 - mu[0] * mu[1]) * 0.2) / 2.5
    m, v = 0.9 * 0.2 + 0.1 * 3, (0.999 * 0.004 + 0.001 * 9) / (1 - 0.999**2)
    step = (1 - mu[1]) / (1 - mu[0] * mu[1]) * 3 + mu[2] / (1 - mu[0] * mu[1] * mu[2]) * m
    expected = [p1, p1 - 0.1 * step / (math.sqrt(v) + 0.5)]
    assert first_steps("NAdam", {"lr": 0.1, "eps": 0.5}, [2.0, 3.0]) == pytest.approx(expected, rel=1e-6)


def test_radam_waits() -> None:
    # with few gradients seen, a plain step; rho passes 5 at the sixth
    path = first_steps("RAdam", {"lr": 0.1, "eps": 0.5}, [2.0] * 6)
    assert path[:5] == pytest.approx([0.8, 0.6, 0.4, 0.2, 0.0])
    full = 1999.0
    rho = full - 12 * 0.999**6 / (1 - 0.999**6)
    trust = math.sqrt((rho - 4) * (rho - 2) * full / ((full - 4) * (full - 2) * rho))
    freed = math.sqrt(1 - 0.999**6)
    assert path[5] == pytest.approx(-0.1 * trust * 2 / (2 + 0.5 / freed))  # eps is added before the mean is freed


def test_adamax() -> None:
    # u: 2, then max(0.999 * 2, 1)
    expected = 0.9 - 0.1 * (0.9 * 0.2 + 0.1) / (1 - 0.81) / 1.998
    assert first_steps("Adamax", {"lr": 0.1, "eps": 0.0}, [2.0, 1.0]) == pytest.approx([0.9, expected])


def test_adagrad() -> None:
    assert first_steps("Adagrad", {"lr": 0.1, "eps": 0.0}, [3.0, 4.0]) == pytest.approx([0.9, 0.82])
    options = {"lr": 0.1, "eps": 0.0, "lr_decay": 1.0, "initial_accumulator_value": 16.0}
    assert first_steps("Adagrad", options, [3.0, 12.0]) == pytest.approx([0.94, 0.94 - 0.05 * 12 / 13])


def test_adadelta() -> None:
    d1 = 2 * math.sqrt(1e-2) / math.sqrt(0.4 + 1e-2)
    d2 = 1 * math.sqrt(0.1 * d1**2 + 1e-2) / math.sqrt(0.9 * 0.4 + 0.1 + 1e-2)
    assert first_steps("Adadelta", {"eps": 1e-2}, [2.0, 1.0]) == pytest.approx([1 - d1, 1 - d1 - d2])


def test_rmsprop() -> None:
    options = {"lr": 0.1, "alpha": 0.75, "eps": 0.0}
    assert first_steps("RMSprop", options, [2.0]) == pytest.approx([1 - 0.1 * 2 / 1])
    # centered: the mean is 0.5, the mean square 1
    assert first_steps("RMSprop", {**options, "centered": True}, [2.0]) == pytest.approx([1 - 0.2 / math.sqrt(0.75)])
    path = first_steps("RMSprop", {**options, "momentum": 0.5}, [2.0, 2.0])
    assert path == pytest.approx([0.8, 0.8 - 0.1 * (1 + 2 / math.sqrt(1.75))])


def test_rprop() -> None:
    # 0.1; longer; turned, no step and half as long; as after a gradient of 0
    path = first_steps("Rprop", {"lr": 0.1}, [2.0, 5.0, -1.0, -1.0])
    assert path == pytest.approx([0.9, 0.78, 0.78, 0.84])
    assert first_steps("Rprop", {"lr": 0.1, "step_sizes": (1e-6, 0.11)}, [2.0, 5.0]) == pytest.approx([0.9, 0.79])


def test_asgd() -> None:
    (x,) = parameters([[1.0]])
    optimizer = optim.ASGD([x], lr=0.1, lambd=0.5, alpha=1.0, t0=0)
    path = []
    for g in (2.0, 3.0, 1.0):
        x.grad = tg.tensor(np.array([g]))
        optimizer.step()
        path.append(x.item())
    p1 = 1 * 0.95 - 0.2
    eta2, eta3 = 0.1 / 1.05, 0.1 / 1.1
    p2 = p1 * (1 - 0.5 * eta2) - 3 * eta2
    p3 = p2 * (1 - 0.5 * eta3) - eta3
    assert path == pytest.approx([p1, p2, p3], rel=1e-6)
    assert optimizer.state[x]["ax"].item() == pytest.approx(p2 + (p3 - p2) / 2, rel=1e-6)  # a mean from t0 on


def test_adafactor() -> None:
    """A matrix whose squares are rows times columns: the estimate is exact, every element goes equally far."""
    g = np.outer([1.0, 2.0], [3.0, 1.0, 2.0])
    (x,) = parameters([np.full((2, 3), 2.0)])
    x.grad = tg.tensor(g)
    optim.Adafactor([x], lr=0.01, weight_decay=0.5).step()
    np.testing.assert_allclose(x.detach().numpy(), 2 * (1 - 0.005) - 0.01 * 2)


def test_adafactor_of_a_vector() -> None:
    (x,) = parameters([[3.0, 4.0]])
    optimizer = optim.Adafactor([x], lr=0.9, beta2_decay=-1.0, d=1.2)
    x.grad = tg.tensor(np.array([2.0, -1.0]))
    optimizer.step()  # v = g²: a step of the size of x in the units of x, sqrt((9 + 16) / 2)
    p = np.array([3.0, 4.0]) - 0.9 * math.sqrt(12.5) * np.array([1.0, -1.0])
    np.testing.assert_allclose(x.detach().numpy(), p)
    x.grad = tg.tensor(np.array([6.0, 0.0]))
    optimizer.step()  # v = (v + g²) / 2; the step's size is 1.3416 / sqrt(2), not clipped
    step = np.array([6 / math.sqrt((4 + 36) / 2), 0.0])
    np.testing.assert_allclose(x.detach().numpy(), p - math.sqrt(0.5) * math.sqrt((p * p).mean()) * step)
    x.grad = tg.tensor(np.array([60.0, 0.0]))
    before = x.detach().numpy().copy()
    optimizer.step()  # v = 2/3 v + g² / 3; of size 1.22, cut to 1.2
    np.testing.assert_allclose(before - x.detach().numpy(), [3**-0.5 * math.sqrt((before**2).mean()) * 1.2 * 2**0.5, 0])


def test_muon_makes_all_directions_equal() -> None:
    rng = np.random.default_rng(0)
    u, _ = np.linalg.qr(rng.normal(size=(6, 4)))
    v, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    for transposed in (False, True):
        g = (u * [5.0, 2.0, 1.0, 0.5]) @ v.T
        (x,) = parameters([np.zeros((4, 6) if transposed else (6, 4))])
        x.grad = tg.tensor(g.T.copy() if transposed else g)
        optim.Muon([x], lr=1.0, weight_decay=0.0).step()
        step = x.detach().numpy().T if transposed else x.detach().numpy()
        lengths = u.T @ step @ v  # in the gradient's own directions
        np.testing.assert_allclose(lengths - np.diag(np.diag(lengths)), 0, atol=1e-12)
        rate = 1 if transposed else math.sqrt(1.5)
        assert (-np.diag(lengths) > 0.6 * rate).all() and (-np.diag(lengths) < 1.3 * rate).all()


def test_muon_s_momentum() -> None:
    """Of matrices of one element the step is a sign, up to what five rounds of `a x + b x³ + c x⁵` make of 1."""
    one = 1.0
    for _ in range(5):
        one = 3.4445 * one - 4.775 * one**3 + 2.0315 * one**5
    path = []
    for nesterov in (True, False):
        (x,) = parameters([[[10.0]]])
        optimizer = optim.Muon([x], lr=0.1, weight_decay=0.5, momentum=0.5, nesterov=nesterov)
        for g in (2.0, -0.25, -0.3):  # the means: 1, 0.375, 0.0375; ahead: 1.5, 0.0625, -0.13125
            x.grad = tg.tensor(np.array([[g]]))
            optimizer.step()
            path.append(x.item())
        assert optimizer.state[x]["momentum_buffer"].item() == pytest.approx(0.0375)
    p1 = 10 * 0.95 - 0.1 * one
    p2 = p1 * 0.95 - 0.1 * one
    assert path == pytest.approx([p1, p2, p2 * 0.95 + 0.1 * one, p1, p2, p2 * 0.95 - 0.1 * one])

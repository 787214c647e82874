"""Optimizers by themselves: first steps by hand, two runs bit for bit, groups, states, hooks, and bad input."""

from __future__ import annotations

import copy
import math
import pickle
import warnings
from typing import Any

import numpy as np
import pytest
import standin
from noisy_problem import CASES, IDS, gradients, start

import tinygrad_edu as tg
from tinygrad_edu import optim
from tinygrad_edu.nn.parameter import Parameter
from tinygrad_edu.optim.lbfgs import Memory
from tinygrad_edu.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
    required,
)
from tinygrad_edu.tensor import wrap


def parameters(values: list[Any]) -> list[Any]:
    return [Parameter(tg.tensor(np.array(v))) for v in values]


def train(optimizer: Any, params: list[Any], steps: range) -> list[np.ndarray]:
    for t in steps:
        for p, g in zip(params, gradients([p.detach().numpy() for p in params], t), strict=True):
            p.grad = tg.tensor(g)
        optimizer.step()
    return [p.detach().numpy() for p in params]


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


# --- the first steps by hand -------------------------------------------------------------------------------------------


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


def test_lbfgs_solves_a_parabola() -> None:
    """In as many directions as there are, with the right curvature in each of them."""
    rng = np.random.default_rng(0)
    m = rng.normal(size=(5, 5))
    a, b = tg.tensor(m @ m.T + np.eye(5)), tg.tensor(rng.normal(size=5))
    (x,) = parameters([np.zeros(5)])
    optimizer = optim.LBFGS(
        [x], line_search_fn="strong_wolfe", max_iter=30, tolerance_grad=1e-12, tolerance_change=1e-15
    )

    def closure() -> Any:
        optimizer.zero_grad()
        loss = 0.5 * x @ (a @ x) - b @ x
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 0
    np.testing.assert_allclose(x.detach().numpy(), np.linalg.solve(a.numpy(), b.numpy()), rtol=1e-6)
    with pytest.raises(RuntimeError, match="strong_wolfe"):
        optim.LBFGS([x], line_search_fn="armijo").step(closure)


def lbfgs_path(function: Any, p: Any, steps: int, **options: Any) -> list[Any]:
    """Where L-BFGS goes, one iteration a step; and how often it asked for the loss."""
    (x,) = parameters([p])
    optimizer = optim.LBFGS([x], max_iter=1, tolerance_grad=0, tolerance_change=0, **options)
    path, calls = [], []

    def closure() -> Any:
        optimizer.zero_grad()
        loss = function(x)
        loss.backward()
        calls.append(loss.item())
        return loss

    for _ in range(steps):
        optimizer.step(closure)
        path.append(x.detach().numpy().copy())
    assert optimizer.state[x]["n_iter"] == steps
    assert optimizer.state[x]["func_evals"] == len(calls)
    return path


def test_lbfgs_of_one_number_is_the_secant_method() -> None:
    def slope(p: float) -> float:
        return math.exp(p) - 4 * math.cos(p)

    path = lbfgs_path(lambda x: (x.exp() - 4 * x.sin()).sum(), [2.0], 5, lr=0.5)
    old = 2.0
    new = old - 0.5 * min(1, 1 / abs(slope(old))) * slope(old)
    expected = [new]
    for _ in range(4):
        old, new = new, new - 0.5 * slope(new) * (new - old) / (slope(new) - slope(old))
        expected.append(new)
    assert [p.item() for p in path] == pytest.approx(expected, rel=1e-10)


def test_lbfgs_directions_are_those_of_the_full_matrix() -> None:
    """BFGS's update of the inverse Hessian, `H <- (1 - rho s y') H (1 - rho y s') + rho s s'`, from the last 3 pairs."""
    rng = np.random.default_rng(0)
    hessian = np.diag([1.0, 2.0, 3.0, 4.0, 5.0])
    memory = Memory({}, 3)
    p, pairs = rng.normal(size=5), []
    for _ in range(6):
        g = hessian @ p + 0.1 * p**3
        if memory.g is not None:
            pairs = [*pairs, (memory.d * memory.t, g - memory.g)][-3:]
        h = np.eye(5) * (pairs[-1][0] @ pairs[-1][1] / (pairs[-1][1] @ pairs[-1][1]) if pairs else 1)
        for s, y in pairs:
            rho = 1 / (y @ s)
            h = (np.eye(5) - rho * np.outer(s, y)) @ h @ (np.eye(5) - rho * np.outer(y, s)) + rho * np.outer(s, s)
        d = memory.direction(g)
        np.testing.assert_allclose(d, -h @ g, rtol=1e-9)
        memory.t = rng.uniform(0.1, 0.5)
        p = p + memory.t * d


@pytest.mark.parametrize("lr", [1e-4, 1e-2, 1.0, 30.0])
def test_lbfgs_searches_for_a_lower_and_flatter_place(lr: float) -> None:
    def loss(p: Any) -> Any:
        return (1.5 * p**2 + p.sin() * 2 + (3 * p).cos()).sum()

    def slope(p: np.ndarray) -> np.ndarray:
        return 3 * p + 2 * np.cos(p) - 3 * np.sin(3 * p)

    rng = np.random.default_rng(0)
    for _ in range(20):
        start = rng.normal(size=3) * 3
        (end,) = lbfgs_path(loss, start, 1, lr=lr, line_search_fn="strong_wolfe", max_eval=40)
        g0, g1, way = slope(start), slope(end), end - start
        assert loss(tg.tensor(end)).item() <= loss(tg.tensor(start)).item() + 1e-4 * way @ g0
        assert abs(g1 @ way) <= -0.9 * g0 @ way


@pytest.mark.parametrize(
    ("options", "path", "calls"),
    [
        (
            {"lr": 1.0},
            [(-1.0202985244, 1.0352565142), (-0.5378302256, 0.2961099017), (0.0188272101, -0.0107798964)],
            22,
        ),
        (
            {"lr": 0.01},
            [(-1.0460420803, 1.0660459088), (-1.0187052548, 1.0561385023), (-0.5884350867, 0.3057771442)],
            24,
        ),
    ],
)
def test_lbfgs_in_a_bent_valley(options: dict[str, Any], path: list[Any], calls: int) -> None:
    """Rosenbrock's function, where the search has to bracket and to halve; the numbers are PyTorch 2.13's."""
    (x,) = parameters([[-1.2, 1.0]])
    optimizer = optim.LBFGS([x], line_search_fn="strong_wolfe", max_iter=6, history_size=3, **options)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2
        loss.backward()
        return loss

    for expected in path:
        optimizer.step(closure)
        assert x.tolist() == pytest.approx(expected, rel=1e-6)
    assert optimizer.state[x]["func_evals"] == calls


def test_lbfgs_stops() -> None:
    (x,) = parameters([[1.0, -2.0]])
    calls: list[Any] = []

    def closure() -> Any:
        x.grad = None
        loss = (x**4).sum()
        loss.backward()
        calls.append(loss)
        return loss

    def count(**options: Any) -> int:
        calls.clear()
        with tg.no_grad():
            x.copy_(tg.tensor([1.0, -2.0]))
        optim.LBFGS([x], lr=0.5, **options).step(closure)
        return len(calls)

    assert count(max_iter=7, max_eval=100) == 7  # the last step's loss is not asked for
    assert count(max_iter=50, max_eval=5) == 5
    assert count(tolerance_grad=1e3) == 1
    assert count(tolerance_grad=20.0, max_eval=100) == 2
    assert count(tolerance_change=10.0, max_eval=100) == 2
    assert count(max_iter=1) == 1


# --- every optimizer ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_two_runs_are_the_same_bit_for_bit(name: str, options: dict[str, Any]) -> None:
    for dtype in (np.float32, np.float64):
        results = []
        for _ in range(2):
            params = parameters(start(dtype=dtype))
            results.append(train(getattr(optim, name)(params, **options), params, range(50)))
        for a, b in zip(*results, strict=True):
            assert a.dtype == dtype
            assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_saved_and_loaded_goes_on_as_if_nothing_had_happened(name: str, options: dict[str, Any]) -> None:
    params = parameters(start())
    optimizer = getattr(optim, name)(params, **options)
    train(optimizer, params, range(10))
    twins = [
        (optimizer, params),
        copy.deepcopy((optimizer, params)),
        pickle.loads(pickle.dumps((optimizer, params))),
    ]
    loaded = parameters([p.detach().numpy() for p in params])
    fresh = getattr(optim, name)(loaded)
    fresh.load_state_dict(optimizer.state_dict())
    twins.append((fresh, loaded))
    results = [train(o, ps, range(10, 20)) for o, ps in reversed(twins)]
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_same_on_the_device(name: str, options: dict[str, Any]) -> None:
    """On a strict stand-in for a GPU, whose numbers the host need not wait for."""
    values = start(SHAPES_ON_DEVICE)
    params = parameters(values)
    expected = train(getattr(optim, name)(params, **options), params, range(5))
    with standin.device():
        there = [wrap(standin.Array(v.copy())).requires_grad_() for v in values]
        optimizer = getattr(optim, name)(there, **options)
        for t in range(5):
            for p, g in zip(there, gradients([p.array._a for p in there], t), strict=True):
                p.grad = wrap(standin.Array(g))
            standin.waits.clear()
            optimizer.step()
            assert name == "Adafactor" or not standin.waits  # PyTorch's also asks for its sizes
        for p, x in zip(there, expected, strict=True):
            np.testing.assert_allclose(p.array._a, x, rtol=1e-12)


SHAPES_ON_DEVICE = ((3, 2), (4,))


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_strided_and_empty_parameters(name: str, options: dict[str, Any]) -> None:
    results = []
    for transposed in (False, True):
        value = np.arange(6.0).reshape(2, 3)
        value = np.asfortranarray(value) if transposed else value
        params = [wrap(value).requires_grad_(), wrap(np.zeros((0, 3))).requires_grad_()]
        memory = params[0].array
        results.append(train(getattr(optim, name)(params, **options), params, range(3))[0])
        assert params[0].array is memory  # written in place, for everybody who shows it
    np.testing.assert_array_equal(*results)


def test_steps_are_noted_as_writes() -> None:
    """A graph that still needs the old weights refuses to give a wrong gradient."""
    for name in ("SGD", "Adam", "LBFGS"):
        (x,) = parameters([[1.0, 2.0]])
        optimizer = getattr(optim, name)([x], lr=0.1)
        loss = (x * x * x).sum()

        def closure(x: Any = x) -> Any:
            x.grad = tg.ones(2, dtype=tg.float64)
            return (x * x).sum()

        optimizer.step(closure)
        with pytest.raises(RuntimeError, match="modified"):
            loss.backward()


def test_state_used_in_a_graph() -> None:
    (x,) = parameters([[1.0, 2.0]])
    optimizer = optim.SGD([x], lr=0.1, momentum=0.9)
    x.grad = tg.ones(2, dtype=tg.float64)
    optimizer.step()
    y = tg.tensor([1.0, 2.0], dtype=tg.float64, requires_grad=True)
    loss = (y * optimizer.state[x]["momentum_buffer"]).sum()
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified"):
        loss.backward()


def test_closures_record_although_the_caller_does_not() -> None:
    (x,) = parameters([[1.0]])
    optimizer = optim.SGD([x], lr=0.25)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = (x * x).sum()
        loss.backward()
        return loss

    with tg.no_grad():
        assert optimizer.step(closure).item() == 1
    assert x.item() == 0.5


def test_gradients_that_carry_a_graph() -> None:
    (x,) = parameters([[1.0]])
    (x * x).sum().backward(create_graph=True)
    optim.SGD([x], lr=0.25).step()
    assert x.item() == 0.5
    assert x.requires_grad and x.is_leaf


def test_options_may_change_between_steps() -> None:
    (x,) = parameters([[1.0]])
    optimizer = optim.SGD([x], lr=tg.tensor(0.5))
    x.grad = tg.ones(1, dtype=tg.float64)
    optimizer.step()
    optimizer.param_groups[0]["lr"].fill_(0.25)
    optimizer.step()
    optimizer.param_groups[0].update(lr=1.0, momentum=0.9)
    optimizer.step()
    assert x.item() == -0.75
    assert list(optimizer.state[x]) == ["momentum_buffer"]


# --- groups and states -------------------------------------------------------------------------------------------------


def test_groups() -> None:
    x, y, z = parameters([[1.0], [2.0], [3.0]])
    optimizer = optim.SGD([{"params": x, "lr": 0.5}, {"params": iter([y])}], lr=0.1, momentum=0.9)
    optimizer.add_param_group({"params": [z], "momentum": 0})
    assert [g["lr"] for g in optimizer.param_groups] == [0.5, 0.1, 0.1]
    assert [g["momentum"] for g in optimizer.param_groups] == [0.9, 0.9, 0]
    saved = optimizer.state_dict()
    assert [g["params"] for g in saved["param_groups"]] == [[0], [1], [2]]
    assert saved["state"] == {}
    assert optim.SGD((p for p in (x, y)), lr=0.1).param_groups[0]["params"] == [x, y]


def test_named_parameters() -> None:
    x, y = parameters([[1.0], [2.0]])
    optimizer = optim.Adam([("x", x), ("y", y)])
    assert optimizer.param_groups[0]["params"] == [x, y]
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["x", "y"]
    with pytest.raises(ValueError, match="with/without names"):
        optimizer.add_param_group({"params": parameters([[3.0]])})
    with pytest.raises(ValueError, match="Some param names are missing"):
        optim.Adam([("x", x), y])


def test_representation() -> None:
    optimizer = optim.RMSprop(parameters([[1.0]]), lr=0.5)
    assert repr(optimizer) == (
        "RMSprop (\nParameter Group 0\n    alpha: 0.99\n    capturable: False\n    centered: False\n"
        "    differentiable: False\n    eps: 1e-08\n    foreach: None\n    lr: 0.5\n    maximize: False\n"
        "    momentum: 0\n    weight_decay: 0\n)"
    )


def test_zero_grad() -> None:
    (x,) = parameters([[1.0, 2.0]])
    optimizer = optim.SGD([x])
    x.grad = tg.ones(2, dtype=tg.float64)
    kept = x.grad
    optimizer.zero_grad(set_to_none=False)
    assert kept.tolist() == x.grad.tolist() == [0, 0]
    optimizer.zero_grad()
    assert x.grad is None


def test_loaded_states_are_copies_with_the_parameters_type() -> None:
    (x,) = parameters([[1.0]])
    optimizer = optim.Adam([x], lr=0.5)
    train(optimizer, [x], range(1))
    other = Parameter(tg.tensor([1.0]))
    loaded = optim.Adam([other])
    loaded.load_state_dict(optimizer.state_dict())
    assert loaded.param_groups[0]["lr"] == 0.5
    assert loaded.state[other]["exp_avg"].dtype == tg.float32
    before = optimizer.state[x]["step"].item(), optimizer.state[x]["exp_avg"].item()
    other.grad = tg.ones(1)
    loaded.step()
    assert (optimizer.state[x]["step"].item(), optimizer.state[x]["exp_avg"].item()) == before
    assert loaded.state[other]["step"].item() == 2


def test_older_states_and_shared_ones() -> None:
    """Steps as Python's numbers, buffers that are None, groups that lack an option."""
    x, y = parameters([[1.0], [1.0]])
    optimizer = optim.SGD([x], lr=0.1, momentum=0.9)
    saved = optimizer.state_dict()
    del saved["param_groups"][0]["maximize"]
    saved["state"] = {0: {"momentum_buffer": None}}
    optimizer.load_state_dict(saved)
    adam = optim.Adam([y], lr=0.1)
    saved = adam.state_dict()
    saved["state"] = {0: {"step": 3, "exp_avg": tg.zeros(1), "exp_avg_sq": tg.ones(1)}}
    adam.load_state_dict(saved)
    x.grad = y.grad = tg.ones(1, dtype=tg.float64)
    optimizer.step()
    adam.step()
    assert optimizer.state[x]["momentum_buffer"].item() == 1
    assert adam.state[y]["step"].item() == 4


def test_a_state_prepared_by_a_subclass() -> None:
    class Noted(optim.SGD):
        def step(self, closure: Any = None) -> Any:
            for p in self.param_groups[0]["params"]:
                self.state[p]["before"] = p.detach().clone()
            return super().step(closure)

    (x,) = parameters([[1.0]])
    x.grad = tg.ones(1, dtype=tg.float64)
    optimizer: Any = Noted([x], lr=0.1, momentum=0.5)
    optimizer.step()
    optimizer.step()
    assert x.item() == pytest.approx(0.75)
    assert optimizer.state[x]["before"].item() == pytest.approx(0.9)

    class Prepared(optim.Adam):
        def __init__(self, params: Any) -> None:
            super().__init__(params, lr=0.1, eps=0.0)
            for group in self.param_groups:
                for p in group["params"]:
                    self.state[p] = {"step": 0, "exp_avg": tg.zeros_like(p), "exp_avg_sq": tg.zeros_like(p)}

    (x,) = parameters([[1.0]])
    optimizer = Prepared([x])
    x.grad = tg.ones(1, dtype=tg.float64)
    optimizer.step()
    optimizer.step()
    assert x.item() == pytest.approx(0.8)


def test_adam_s_state_in_adamw_keeps_its_decay() -> None:
    (x,) = parameters([[1.0]])
    optimizer = optim.AdamW([x])
    optimizer.load_state_dict(optim.Adam([x]).state_dict())
    assert optimizer.param_groups[0]["decoupled_weight_decay"] is True


# --- subclasses and hooks ----------------------------------------------------------------------------------------------


class Lookahead(optim.Optimizer):
    """An optimizer around another one, in the way of many programs: without `super().__init__()`."""

    def __init__(self, inner: optim.Optimizer, k: int = 2, alpha: float = 0.5) -> None:
        self.inner, self.k, self.alpha, self.count = inner, k, alpha, 0
        self.param_groups, self.state, self.defaults = inner.param_groups, {}, inner.defaults
        self.slow = [[p.detach().clone() for p in group["params"]] for group in self.param_groups]

    def step(self, closure: Any = None) -> Any:
        loss = self.inner.step(closure)
        self.count += 1
        if self.count % self.k == 0:
            for group, slow in zip(self.param_groups, self.slow, strict=True):
                for p, q in zip(group["params"], slow, strict=True):
                    q.add_(p.data - q, alpha=self.alpha)
                    p.data.copy_(q)
        return loss


def test_an_optimizer_that_has_never_called_init() -> None:
    p = tg.tensor([1.0, 2.0], requires_grad=True)
    optimizer = Lookahead(optim.SGD([p], lr=0.1))
    schedule = optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    for _ in range(2):
        optimizer.zero_grad()
        p.sum().backward()
        optimizer.step()
        schedule.step()
    np.testing.assert_allclose(p.detach().numpy(), [1 - 0.15 / 2, 2 - 0.15 / 2], rtol=1e-6)


class Plain(optim.Optimizer):
    """As public programs write them."""

    def __init__(self, params: Any, lr: Any = required, decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "decay": decay})

    def step(self, closure: Any = None) -> Any:
        loss = None if closure is None else closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                d = p.grad.data
                if group["decay"] != 0:
                    d = d.add(p.data, alpha=group["decay"])
                state = self.state[p]
                if len(state) == 0:
                    state["step"] = 0
                state["step"] += 1
                p.data.add_(d, alpha=-group["lr"])
        return loss


def test_a_subclass_of_the_user_s() -> None:
    x, y = parameters([[1.0], [2.0]])
    optimizer = Plain([{"params": [x], "decay": 1.0}, {"params": [y], "lr": 0.5}], lr=0.1)
    x.grad = tg.ones(1, dtype=tg.float64)
    assert optimizer.step(lambda: "loss") == "loss"
    assert x.item() == pytest.approx(0.8)
    assert y.item() == 2
    assert optimizer.state_dict()["state"] == {0: {"step": 1}}
    assert Plain.step.__name__ == "step"
    with pytest.raises(ValueError, match="required optimization parameter lr"):
        Plain([x])
    with pytest.raises(NotImplementedError):
        optim.Optimizer([x], {}).step()


def test_step_hooks() -> None:
    calls = []
    (x,) = parameters([[1.0]])
    x.grad = tg.ones(1, dtype=tg.float64)
    optimizer = Plain([x], lr=0.1)

    def note(name: str) -> Any:
        return lambda o, args, kwargs: calls.append((name, o is optimizer, args[0] is o, kwargs))

    handles = [
        register_optimizer_step_pre_hook(note("global pre")),
        register_optimizer_step_post_hook(note("global post")),
        optimizer.register_step_pre_hook(note("pre")),
        optimizer.register_step_post_hook(note("post")),
    ]
    optimizer.step()
    assert calls == [(name, True, True, {}) for name in ("global pre", "pre", "post", "global post")]
    for handle in handles:
        handle.remove()
    optimizer.step()
    assert len(calls) == 4
    optimizer.register_step_pre_hook(lambda o, args, kwargs: ((o, lambda: "replaced"), {}))
    assert optimizer.step() == "replaced"
    optimizer.register_step_pre_hook(lambda o, args, kwargs: 3)
    with pytest.raises(RuntimeError, match="tuple of"):
        optimizer.step()


def test_hooks_run_once_where_a_subclass_calls_its_base() -> None:
    class Mine(optim.SGD):
        def step(self, closure: Any = None) -> Any:
            return super().step(closure)

    (x,) = parameters([[1.0]])
    x.grad = tg.ones(1, dtype=tg.float64)
    optimizer, calls = Mine([x], lr=0.1), []
    optimizer.register_step_post_hook(lambda *args: calls.append(args))
    optimizer.step()
    assert len(calls) == 1


def test_state_hooks() -> None:
    (x,) = parameters([[1.0]])
    optimizer, calls = optim.SGD([x], lr=0.1), []
    optimizer.register_state_dict_pre_hook(lambda o: calls.append("pre"))
    optimizer.register_state_dict_pre_hook(lambda o: calls.append("before"), prepend=True)
    optimizer.register_state_dict_post_hook(lambda o, d: {**d, "extra": 1})
    optimizer.register_load_state_dict_pre_hook(lambda o, d: {k: v for k, v in d.items() if k != "extra"})
    optimizer.register_load_state_dict_post_hook(lambda o: calls.append("loaded"))
    saved = optimizer.state_dict()
    assert saved["extra"] == 1
    optimizer.load_state_dict(saved)
    assert calls == ["before", "pre", "loaded"]


# --- bad input ---------------------------------------------------------------------------------------------------------


def test_no_parameter_requires_a_gradient() -> None:
    x = tg.ones(2)
    optimizer = optim.SGD([x], lr=0.1)
    with pytest.warns(UserWarning, match="none of the 1 parameters requires a gradient"):
        optimizer.step()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer.step()  # once is enough
        y = tg.ones(2)
        y.grad = tg.ones(2)  # made by hand
        optim.SGD([y], lr=0.5).step()
        optim.SGD([tg.ones(2, requires_grad=True)]).step()
    assert y.tolist() == [0.5, 0.5]


def test_parameters_that_are_refused() -> None:
    (x,) = parameters([[1.0]])
    with pytest.raises(ValueError, match="empty parameter list"):
        optim.SGD([])
    with pytest.raises(TypeError, match="iterable of Tensors or dicts"):
        optim.SGD(x)
    with pytest.raises(ValueError, match="non-leaf"):
        optim.SGD([x * 2])
    with pytest.raises(TypeError, match="can only optimize Tensors"):
        optim.SGD([1.0])
    with pytest.raises(TypeError, match="ordered collections"):
        optim.SGD([{"params": {x}}])
    with pytest.raises(ValueError, match="more than one parameter group"):
        optim.SGD([{"params": [x]}, {"params": [x]}])
    with pytest.warns(UserWarning, match="duplicate parameters"):
        optim.SGD([x, x])
    with pytest.raises(TypeError, match="must be a dict"):
        optim.SGD([x]).add_param_group([x])
    with pytest.raises(ValueError, match="per-parameter options"):
        optim.LBFGS([{"params": [x]}, {"params": parameters([[2.0]])}])
    with pytest.raises(ValueError, match=r"2D parameters.*\[1\]"):
        optim.Muon([x])


@pytest.mark.parametrize("name", [n for n in optim.__all__ if n[0].isupper() and n != "Optimizer"])
def test_negative_rates_are_refused(name: str) -> None:
    params = parameters([np.ones((2, 2))])
    with pytest.raises(ValueError, match=r"(Invalid learning rate: -1|Learning rate should be >= 0 but is: -1)"):
        getattr(optim, name)(params, lr=-1)
    with pytest.raises(ValueError, match="1-element"):
        getattr(optim, name)(params, lr=tg.tensor([1.0, 2.0]))


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("SGD", {"momentum": -0.5}, "Invalid momentum value: -0.5"),
        ("SGD", {"weight_decay": -1}, "Invalid weight_decay value: -1"),
        ("SGD", {"nesterov": True}, "Nesterov momentum requires a momentum and zero dampening"),
        ("Adam", {"betas": (1.0, 0.9)}, "Invalid beta parameter at index 0: 1.0"),
        ("AdamW", {"betas": (0.9, -0.1)}, "Invalid beta parameter at index 1: -0.1"),
        ("Adam", {"eps": -1e-8}, "Invalid epsilon value: -1e-08"),
        ("NAdam", {"momentum_decay": -1}, "Invalid momentum_decay value: -1"),
        ("Adadelta", {"rho": 1.5}, "Invalid rho value: 1.5"),
        ("Adagrad", {"initial_accumulator_value": -1}, "Invalid initial_accumulator_value value: -1"),
        ("RMSprop", {"alpha": -1}, "Invalid alpha value: -1"),
        ("Rprop", {"etas": (1.2, 0.5)}, "Invalid eta values: 1.2, 0.5"),
        ("Adafactor", {"d": 0.5}, "Clipping threshold d should be >= 1 but is: 0.5"),
        ("Muon", {"adjust_lr_fn": "mine"}, "Adjust learning rate function mine is not supported"),
    ],
)
def test_options_that_are_refused(name: str, options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        getattr(optim, name)(parameters([np.ones((2, 2))]), **options)


def test_flags() -> None:
    (x,) = parameters([[1.0]])
    optim.Adam([x], foreach=True, capturable=True)
    optim.SGD([x], fused=True)
    with pytest.raises(RuntimeError, match="`fused` and `foreach`"):
        optim.Adam([x], foreach=True, fused=True)
    with pytest.raises(NotImplementedError, match="create_graph=True"):
        optim.Adam([x], differentiable=True)


def test_states_that_do_not_fit() -> None:
    x, y = parameters([[1.0], [2.0]])
    saved = optim.SGD([x]).state_dict()
    with pytest.raises(ValueError, match="doesn't match the size of optimizer's group"):
        optim.SGD([x, y]).load_state_dict(saved)
    with pytest.raises(ValueError, match="different number of parameter groups"):
        optim.SGD([{"params": [x]}, {"params": [y]}]).load_state_dict(saved)

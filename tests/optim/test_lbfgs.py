"""L-BFGS: its directions, its search along them, and when it stops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from noisy_problem import parameters

import tinygrad_edu as tg
from tinygrad_edu import optim
from tinygrad_edu.optim.lbfgs import Memory


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

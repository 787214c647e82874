"""L-BFGS: Newton's direction from the last few steps and gradients alone, and a search along it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..autograd.modes import enable_grad, no_grad
from ..tensor import Tensor, wrap
from .formula import Array, not_negative, pairs, plain_options
from .optimizer import Optimizer, ParamsT


class Point(NamedTuple):
    """A place on the line that is searched: how far along it, the loss, the gradient, and the slope there."""

    t: float
    loss: float
    g: Array
    slope: float


class LBFGS(Optimizer):
    """Up to `max_iter` steps of L-BFGS in one; the closure is called for every loss that it needs."""

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        not_negative(lr=lr)
        max_eval = max_iter * 5 // 4 if max_eval is None else max_eval
        options = {"lr": lr, "max_iter": max_iter, "max_eval": max_eval}
        tolerances = {"tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change}
        rest = {"history_size": history_size, "line_search_fn": line_search_fn}
        super().__init__(params, {**options, **tolerances, **rest})
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Go towards the minimum; the answer is the loss before."""
        group = plain_options(self.param_groups[0])
        if group["line_search_fn"] not in (None, "strong_wolfe"):
            raise RuntimeError(f"only 'strong_wolfe' is supported, not {group['line_search_fn']!r}")
        with no_grad():
            return self._minimize(enable_grad()(closure), group)

    def _minimize(self, closure: Callable[[], Any], group: dict[str, Any]) -> Any:
        lr, flat, searching = group["lr"], group["tolerance_grad"], group["line_search_fn"] is not None
        state = self.state[self._params[0]]
        memory = Memory(state, group["history_size"])
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        answer = closure()
        loss, g = float(answer), self._gradient()
        state["func_evals"] += 1
        calls, iterations, before = 1, 0, loss
        if _largest(g) <= flat:
            return answer
        while iterations < group["max_iter"]:
            iterations += 1
            state["n_iter"] += 1
            direction = memory.direction(g)
            before = loss
            t = min(1.0, 1.0 / float(np.abs(g).sum())) * lr if state["n_iter"] == 1 else lr
            slope = float(g.dot(direction))
            memory.t = t
            if slope > -group["tolerance_change"]:
                break
            if searching:
                start = Point(0.0, loss, g, slope)
                found, new_calls = self._search(closure, direction, start, t, group["max_eval"] - calls)
                loss, g, memory.t = found.loss, found.g, found.t
                self._move(found.t, direction)
            else:
                new_calls = 0
                self._move(t, direction)
                if iterations != group["max_iter"]:
                    loss, g, new_calls = float(closure()), self._gradient(), 1
            calls += new_calls
            state["func_evals"] += new_calls
            if (
                calls >= group["max_eval"]
                or _largest(g) <= flat
                or _largest(direction) * abs(memory.t) <= group["tolerance_change"]
                or abs(loss - before) < group["tolerance_change"]
            ):
                break
        if iterations:
            memory.save(state, before)
        return answer

    @property
    def _params(self) -> list[Tensor]:
        return self.param_groups[0]["params"]

    # --- all parameters as one vector -----------------------------------------------------------------------------

    def _gradient(self) -> Array:
        """The gradients of all parameters, one after the other."""
        gradients = [np.zeros_like(p.array) if p.grad is None else p.grad.array for p in self._params]
        return np.concatenate([_real(g).reshape(-1) for g in gradients])

    def _move(self, t: float, direction: Array) -> None:
        """Add `t direction` to the parameters."""
        start = 0
        for p in self._params:
            x = _real(p.array)
            x += t * direction[start : start + x.size].reshape(x.shape)
            start += x.size
            p.version().write()

    # --- the search along a line ----------------------------------------------------------------------------------

    def _search(
        self, closure: Callable[[], Any], direction: Array, start: Point, t: float, most: int
    ) -> tuple[Point, int]:
        """A point whose loss is clearly lower and whose slope is clearly flatter; and how many losses it took."""
        kept = [p.array.copy() for p in self._params]

        def at(t: float) -> Point:
            self._move(t, direction)
            loss, g = float(closure()), self._gradient()
            for p, x in zip(self._params, kept, strict=True):
                p.array[...] = x
                p.version().write()
            return Point(t, loss, g, float(g.dot(direction)))

        return strong_wolfe(at, start, t, _largest(direction), most, self.param_groups[0]["tolerance_change"])


class Memory:
    """The last steps s with the changes y of the gradient that they made, which stand for the inverse Hessian."""

    def __init__(self, state: dict[str, Any], size: int) -> None:
        self.size = size
        self.y = [v.array for v in state.get("old_dirs") or ()]
        self.s = [v.array for v in state.get("old_stps") or ()]
        self.rho = [_plain(v) for v in state.get("ro") or ()]  # 1 / (y . s)
        self.scale = _plain(state.get("H_diag", 1))
        self.d, self.t = _plain(state.get("d")), _plain(state.get("t"))
        self.g = _plain(state.get("prev_flat_grad"))

    def direction(self, g: Array) -> Array:
        """Where the minimum would be, were the loss a parabola of the curvature seen so far: `-H g`."""
        if self.g is not None:
            self._learn(g - self.g, self.d * self.t)
        q = -g
        along = [0.0] * len(self.s)
        for i in reversed(range(len(self.s))):
            along[i] = self.rho[i] * float(self.s[i].dot(q))
            q -= along[i] * self.y[i]
        q *= self.scale
        for i in range(len(self.s)):
            q += (along[i] - self.rho[i] * float(self.y[i].dot(q))) * self.s[i]
        self.g, self.d = g, q
        return q

    def _learn(self, y: Array, s: Array) -> None:
        curvature = float(y.dot(s))
        if curvature <= 1e-10:
            return
        if len(self.s) == self.size:
            for oldest in (self.y, self.s, self.rho):
                oldest.pop(0)
        self.y.append(y)
        self.s.append(s)
        self.rho.append(1 / curvature)
        self.scale = curvature / float(y.dot(y))

    def save(self, state: dict[str, Any], loss: float) -> None:
        """Keep everything for the next step, under PyTorch's names."""
        state["d"], state["prev_flat_grad"] = wrap(self.d), wrap(self.g)
        state["old_dirs"], state["old_stps"] = [wrap(y) for y in self.y], [wrap(s) for s in self.s]
        state["ro"] = [wrap(np.full((), rho, self.d.dtype)) for rho in self.rho]
        state["H_diag"] = wrap(np.full((), self.scale, self.d.dtype))
        state["t"], state["prev_loss"] = self.t, loss


def strong_wolfe(
    at: Callable[[float], Point],
    start: Point,
    t: float,
    length: float,
    most: int,
    tolerance: float,
    lower: float = 1e-4,
    flatter: float = 0.9,
) -> tuple[Point, int]:
    """A point with `loss <= loss0 + lower t slope0` and `|slope| <= flatter |slope0|`, and the losses that it took."""

    def too_high(p: Point) -> bool:
        return p.loss > start.loss + lower * p.t * start.slope

    def flat(p: Point) -> bool:
        return abs(p.slope) <= -flatter * start.slope

    # go further until the minimum is passed
    left, right = start, at(t)
    steps = 0
    while steps < most:
        passed = too_high(right) or (steps > 1 and right.loss >= left.loss)
        if not passed and flat(right):
            return right, steps + 1
        if passed or right.slope >= 0:
            break
        far = right.t + 0.01 * (right.t - left.t), 10 * right.t
        left, right = right, at(cubic_minimum(left, right, far))
        steps += 1
    else:
        left = start

    # halve, roughly, the interval between the two
    best, other = (left, right) if left.loss <= right.loss else (right, left)
    stuck = False  # whether the last point was close to an end of the interval
    while steps < most and abs(right.t - left.t) * length >= tolerance:
        ends = sorted((left.t, right.t))
        t = cubic_minimum(left, right)
        margin = 0.1 * (ends[1] - ends[0])
        close = min(ends[1] - t, t - ends[0]) < margin
        if close and (stuck or not ends[0] < t < ends[1]):
            t = ends[1] - margin if abs(t - ends[1]) < abs(t - ends[0]) else ends[0] + margin
            close = False
        stuck = close
        new = at(t)
        steps += 1
        if too_high(new) or new.loss >= best.loss:
            best, other = (best, new) if best.loss <= new.loss else (new, best)
        else:
            found = flat(new)
            if not found and new.slope * (other.t - best.t) >= 0:
                other = best
            best = new
            if found:
                break
        left, right = best, other
    return best, steps + 1


def cubic_minimum(a: Point, b: Point, bounds: tuple[float, float] | None = None) -> float:
    """Where the cubic through two losses with two slopes is lowest, kept within bounds."""
    low, high = bounds or (min(a.t, b.t), max(a.t, b.t))
    a, b = (a, b) if a.t <= b.t else (b, a)
    turn = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = turn * turn - a.slope * b.slope
    if square < 0:
        return (low + high) / 2
    root = square**0.5
    t = b.t - (b.t - a.t) * (b.slope + root - turn) / (b.slope - a.slope + 2 * root)
    return min(max(t, low), high)


def _real(a: Array) -> Array:
    return pairs(a) if a.dtype.kind == "c" else a


def _largest(a: Array) -> float:
    return float(np.abs(a).max())


def _plain(value: Any) -> Any:
    """A saved value: single numbers as Python's, vectors as arrays."""
    if not isinstance(value, Tensor):
        return value
    return value.array if value.ndim else value.item()


__all__ = ["LBFGS"]

"""`gradcheck`: is the gradient right? The engine's gradients against numerical ones.

The outputs are multiplied with random numbers and added up (all ones would hide, for example, that a softmax's rows add
up to 1). The engine's gradient of that number is compared, element by element, with how the number really changes:
by central differences, and where the function also accepts complex numbers by the complex step, which has no rounding
error. What differs is explained by `diagnosis`. All is compared in the host's memory, wherever the tensors are.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np

from .. import devices
from ..tensor import Tensor, wrap
from .diagnosis import Finding, GradcheckError, explain, projected
from .gradient import grad, several

ROUNDING = 64  # how many units in the last place two runs of one computation may differ
Slopes = list[np.ndarray]  # how fast each result changes


class Point:
    """A tensor whose gradient is checked: an input, or a parameter of a module."""

    def __init__(self, label: str, tensor: Tensor) -> None:
        self.label, self.tensor = label, tensor
        self.double = True  # whether the function also takes the tensor in double precision, if it is in single

    @property
    def values(self) -> np.ndarray:
        """The tensor's array, in the host's memory."""
        return devices.move(self.tensor.array, devices.CPU)

    def step(self, index: tuple[int, ...], eps: float | None, dtype: np.dtype) -> float:
        """How far to move an element: by the dtype's precision and the scale of the values."""
        if eps is not None:
            return eps
        size = np.abs(self.values)
        typical = float(np.sqrt(np.mean(size.astype(np.float64) ** 2)))
        scale = max(float(size[index]), 0.1 * typical) or 1.0
        return float(np.finfo(dtype).eps) ** (1 / 3) * scale

    @contextmanager
    def at(self, array: np.ndarray) -> Iterator[None]:
        """The tensor with other values, for a while."""
        kept = self.tensor.array
        self.tensor.array = devices.asarray(array, like=kept)
        try:
            yield
        finally:
            self.tensor.array = kept

    def moved(self, direction: np.ndarray, step: complex) -> np.ndarray:
        """The values after a step."""
        dtype = np.result_type(self.tensor.array, type(step) if self.double else step)
        return np.asarray(self.values + (direction * step).astype(dtype, copy=False))

    def directions(self) -> Iterator[tuple[tuple[int, ...], np.ndarray]]:
        """Each element's index, with the array that is 1 there."""
        for index in np.ndindex(self.tensor.array.shape):
            one = np.zeros(self.tensor.array.shape, self.tensor.array.real.dtype)
            one[index] = 1
            yield index, one


class Problem:
    """A function, its arguments, and the tensors whose gradients are checked."""

    def __init__(self, function: Callable, args: Sequence[Any], parameters: Sequence[Point], eps: float | None) -> None:
        self.function, self.args, self.eps = function, args, eps
        inputs = [Point(f"input {i}", a) for i, a in enumerate(args) if isinstance(a, Tensor) and a.requires_grad]
        self.points = [*inputs, *parameters]
        self.chosen: list[int] | None = None  # which of the function's results are differentiable
        if not self.points:
            raise ValueError(
                "gradcheck expects at least one input tensor to require gradient, "
                "but none of the them have requires_grad=True."
            )

    def results(self) -> list[Tensor]:
        """The results that are looked at: the differentiable ones, those of the first call ever after."""
        outs = [t for t in _flat(self.function(*self.args)) if isinstance(t, Tensor)]
        if self.chosen is None:
            floats = [i for i, t in enumerate(outs) if t.array.dtype.kind in "fc"]
            self.chosen = [i for i in floats if outs[i].requires_grad] or floats
        return [outs[i] for i in self.chosen]

    def values(self) -> list[np.ndarray]:
        """The results as arrays of their own."""
        return [devices.move(t.array, devices.CPU).copy() for t in self.results()]

    def precision(self, point: Point) -> np.dtype:
        """The coarsest dtype on the way from a point to the results, as far as can be seen."""
        arrays = [point.tensor.array, *self.values()]
        return np.dtype(max((a.real.dtype for a in arrays), key=lambda d: np.finfo(d).eps))

    def central(self, point: Point, direction: np.ndarray, step: float) -> Slopes:
        """The slopes of the results along a direction, by a step to both sides."""
        up, down = point.moved(direction, step), point.moved(direction, -step)
        moved = up - down
        distance = np.abs(moved).max() / np.abs(direction).max()  # the step as it could be represented
        try:
            with point.at(up):
                above = self.values()
            with point.at(down):
                below = self.values()
        except RuntimeError:
            if up.dtype == point.tensor.array.dtype:
                raise
            point.double = False  # other tensors of the function are in single precision, and have to agree
            return self.central(point, direction, step)
        return [(a - b) / distance.item() for a, b in zip(above, below, strict=True)]

    def complex_step(self, point: Point, direction: np.ndarray) -> Slopes | None:
        """The slopes by a tiny imaginary step, without any difference; None where that is not possible."""
        step = 1e-30
        try:
            with point.at(point.moved(direction, step * 1j)):
                outs = self.values()
        except Exception:
            return None
        return [out.imag / step for out in outs] if all(out.dtype.kind == "c" for out in outs) else None

    def comparable(self, k: int, analytic: np.ndarray, numeric: np.ndarray) -> np.ndarray:
        """Which elements of the k-th point's gradient have to agree: all of them."""
        return np.ones(numeric.shape, bool)

    def gradients(self, cotangents: Sequence[np.ndarray | None]) -> list[np.ndarray]:
        """The engine's gradient at each point for gradients of the results, None where none arrives."""
        outs = self.results()
        given = [(t, c) for t, c in zip(outs, cotangents, strict=True) if c is not None and t.requires_grad]
        pairs = [(t, wrap(devices.asarray(c, like=t.array))) for t, c in given]
        tensors = [p.tensor for p in self.points]
        zeros = [np.zeros(t.array.shape, t.array.dtype) for t in tensors]
        if not pairs:
            return zeros
        found = grad([t for t, _ in pairs], tensors, [c for _, c in pairs], allow_unused=True)
        return [z if g is None else devices.move(g.array, devices.CPU) for g, z in zip(found, zeros, strict=True)]


def numerical(
    problem: Problem, point: Point, cotangents: list[list], complex_step: bool
) -> tuple[list[np.ndarray], str]:
    """For each set of cotangents the numerical gradient at a point, and how it was found."""
    array = point.tensor.array
    precision = problem.precision(point)
    found = [np.zeros(array.shape, array.dtype) for _ in cotangents]
    exact = [np.zeros(array.shape, array.dtype) for _ in cotangents]
    complex_step = complex_step and array.dtype == precision == np.float64
    for index, one in point.directions():
        step = point.step(index, problem.eps, precision)
        for unit in (1, 1j) if array.dtype.kind == "c" else (1,):
            slopes = problem.central(point, one * unit, step)
            better = problem.complex_step(point, one) if complex_step else None
            complex_step = better is not None and _agree(problem, point, one, step, slopes, better)
            for k, cs in enumerate(cotangents):
                found[k][index] += projected(slopes, cs) * unit
                if better is not None:
                    exact[k][index] = projected(better, cs)
    return (exact, "complex step") if complex_step else (found, "central differences")


def _agree(problem: Problem, point: Point, one: np.ndarray, step: float, slopes: Slopes, better: Slopes) -> bool:
    """Whether the complex step tells the same as differences: some functions drop or bend the imaginary part."""

    def distance(found: Slopes) -> float:
        return max((float(np.abs(s - b).max(initial=0)) for s, b in zip(found, better, strict=True)), default=0.0)

    size = max((float(np.abs(b).max(initial=0)) for b in better), default=0.0)
    first = distance(slopes)
    # a steep function: the difference is right about the complex step if a smaller step comes closer to it
    return first <= 1e-6 * (1 + size) or distance(problem.central(point, one, step / 8)) < first / 8


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float | None = None,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Whether the gradients of a function, or of a module and its parameters, agree with numerical ones.

    The step is chosen by dtype and scale unless `eps` is given. `fast_mode` compares one random direction for each
    tensor. Forward mode and batched gradients are not here: their flags change nothing.
    """
    problem = Problem(func, _tuple(inputs), parameters_of(func), eps)
    try:
        with np.errstate(all="ignore"):
            compare(problem, atol, rtol, nondet_tol, check_undefined_grad, check_grad_dtypes, fast_mode)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float | None = None,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """Whether the gradients of a function's gradients agree with numerical ones, with respect to inputs and cotangents."""
    args, parameters = _tuple(inputs), parameters_of(func)
    first = Problem(func, args, parameters, eps)
    outs = [t for t in first.results() if t.requires_grad]
    if grad_outputs is None:
        rng = np.random.default_rng(1)
        drawn = [_drawn(rng, t.array, gen_non_contig_grad_outputs) for t in outs]
        given = [wrap(devices.asarray(c, t.array)).requires_grad_() for c, t in zip(drawn, outs, strict=True)]
    else:
        given = list(_tuple(grad_outputs))

    def gradient(*both: Any) -> tuple[Tensor, ...]:
        outs = [t for t in _flat(func(*both[: len(args)])) if isinstance(t, Tensor) and t.requires_grad]
        wanted = [p.tensor for p in first.points]
        found = grad(outs, wanted, both[len(args) :], create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None)

    try:
        with np.errstate(all="ignore"):
            problem = Problem(gradient, (*args, *given), parameters, eps)
            if outs:
                compare(problem, atol, rtol, nondet_tol, check_undefined_grad, check_grad_dtypes, fast_mode, False)
    except GradcheckError as error:
        if raise_exception:
            error.args = (f"of the gradient itself: {error.args[0]}",)
            raise
        return False
    return True


def compare(
    problem: Problem,
    atol: float,
    rtol: float,
    nondet_tol: float,
    each_alone: bool,
    dtypes: bool,
    fast: bool,
    complex_step: bool = True,
) -> None:
    """Raise if a gradient is wrong."""
    outs = problem.results()
    rng = np.random.default_rng(0)
    random = [_drawn(rng, t.array) for t in outs]
    cotangents: list[list] = [list(random)]
    if each_alone and len(outs) > 1:  # the other results' gradients are then undefined
        cotangents += [[c if i == k else None for i, c in enumerate(random)] for k in range(len(outs))]
    analytic = [problem.gradients(cs) for cs in cotangents]
    _same_twice(problem, outs, analytic[0], cotangents[0], nondet_tol)
    for k, point in enumerate(problem.points):
        t = point.tensor
        if dtypes and analytic[0][k].dtype != t.array.dtype:
            raise GradcheckError(f"the gradient of {point.label} is {analytic[0][k].dtype}, not {t.dtype}")
        if fast and _fast(problem, point, analytic[0][k], random, rng, atol, rtol):
            continue
        numeric, method = numerical(problem, point, cotangents, complex_step)
        for s, n in enumerate(numeric):
            a = analytic[s][k]
            wrong = ~(np.abs(a - n) <= atol + rtol * np.abs(n)) & problem.comparable(k, a, n)
            if wrong.any():
                alone = s - 1 if s else 0 if len(outs) == 1 else None
                raise explain(problem, point, k, Finding(a, n, wrong, method, alone, cotangents[s], atol, rtol))


def _fast(problem: Problem, point: Point, a: np.ndarray, cotangents: list, rng: Any, atol: float, rtol: float) -> bool:
    """Whether the gradient tells the slope along one random direction."""
    if not a.size:
        return True
    direction = _drawn(rng, a)
    direction /= np.abs(direction).max()
    precision = problem.precision(point)
    step = min(point.step(index, problem.eps, precision) for index in np.ndindex(a.shape))
    n = projected(problem.central(point, direction, step), cotangents)
    return bool(abs(float(np.sum((np.conj(a) * direction).real)) - n) <= atol + rtol * abs(n))


def _same_twice(problem: Problem, outs: list, gradients: list, cotangents: list, tolerance: float) -> None:
    """Raise if a second run gives other results or other gradients."""
    again = problem.values(), problem.gradients(cotangents)
    first = [devices.move(t.array, devices.CPU) for t in outs]
    for what, before, after in (("Forward", first, again[0]), ("Backward", gradients, again[1])):
        for i, (a, b) in enumerate(zip(before, after, strict=True)):
            rounding = ROUNDING * np.finfo(a.dtype).eps * np.abs(a).max(initial=0)
            difference = np.abs(a - b).max(initial=0)
            if difference > tolerance + rounding:
                which = f"result {i}" if what == "Forward" else f"the gradient of {problem.points[i].label}"
                raise GradcheckError(
                    f"{what} is not reentrant, i.e., not deterministic: two runs differ by {difference:.3g} in {which}, "
                    f"where nondet_tol is {tolerance:g}\n"
                    "  likely cause: random numbers (a dropout: call module.eval(), or pass the mask), or a state that "
                    "each call changes"
                )


def parameters_of(function: Any) -> list[Point]:
    """The parameters of a module that require a gradient; none of a plain function."""
    named = getattr(function, "named_parameters", None)
    return [Point(f"parameter '{name}'", p) for name, p in named() if p.requires_grad] if callable(named) else []


def _drawn(rng: np.random.Generator, like: np.ndarray, scattered: bool = False) -> np.ndarray:
    """Normal numbers of an array's shape and dtype, if wanted not side by side in memory."""
    c = rng.standard_normal((*like.shape, 2))
    c = c @ np.array([1, 1j]) if like.dtype.kind == "c" else c[..., 0]
    c = c.astype(like.dtype)
    return np.repeat(c[..., None], 2, -1)[..., 0] if scattered else c


def _flat(results: Any) -> list:
    return [t for r in results for t in _flat(r)] if isinstance(results, (tuple, list)) else [results]


def _tuple(inputs: Any) -> tuple:
    return tuple(several(inputs))


class _CallableModule(ModuleType):
    """This module has the name of its main function; whichever of the two `autograd.gradcheck` is, it can be called."""

    def __call__(self, *args: Any, **options: Any) -> bool:
        return gradcheck(*args, **options)


sys.modules[__name__].__class__ = _CallableModule

"""Every operation of the table: value, gradient, second gradient, float32, strides, the other device.

The numerical gradients here are computed by plain central differences on the operation's values, along random
directions and against random cotangents, independently of the package's own `gradcheck`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from table import ENTRIES, Call, Draw

import tinygrad_edu as tg
from tinygrad_edu.op import OPS
from tinygrad_edu.tensor import Tensor, wrap

INTERNAL = {"cast", "expand", "overwrite", "sum_to"}  # only the machinery calls these; each has tests of its own
CASES = [(name, k) for name, e in ENTRIES.items() for k in range(len(e.draws))]
GRADIENTS = [(name, k) for name, k in CASES if ENTRIES[name].gradient]
SECONDS = [(name, k) for name, k in GRADIENTS if ENTRIES[name].second]


def draw(name: str, k: int) -> Call:
    """The k-th sample call of an operation."""
    return ENTRIES[name].draws[k](Draw(sum(map(ord, name)) + k))


def is_float(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "fc"


def cast(value: Any, single: bool) -> Any:
    if single and is_float(value):
        return value.astype(np.float32 if value.dtype.kind == "f" else np.complex64)
    return value


def leaves(value: Any, grad: bool) -> Any:
    """Arrays as tensors, those of floats as leaves; lists of arrays likewise."""
    if isinstance(value, list):
        return [leaves(v, grad) for v in value]
    if not isinstance(value, np.ndarray):
        return value
    t = wrap(value)
    return t.requires_grad_() if grad and is_float(value) else t


def flat(values: Any) -> list[Any]:
    return [v for value in values for v in (value if isinstance(value, list) else [value])]


def run(name: str, args: Any, options: dict) -> list[Tensor]:
    """The operation's results as a list."""
    through, operation = ENTRIES[name].through, OPS[name].call
    out = operation(*args, **options) if through is None else through(operation, *args, **options)
    return list(out) if isinstance(out, (tuple, list)) else [out]


def project(outs: list[Tensor], cotangents: list[np.ndarray]) -> Tensor:
    """One real number from all floating results: their inner product with fixed random numbers."""
    total = None
    for out, c in zip([o for o in outs if is_float(o.array)], cotangents, strict=True):
        term = (out * wrap(c)).sum()
        term = term.real if term.is_complex() else term
        total = term if total is None else total + term
    assert total is not None, "nothing to differentiate"
    return total


def cotangents_for(outs: list[Tensor], seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    found = []
    for out in outs:
        if is_float(out.array):
            c = rng.standard_normal(out.array.shape)
            if out.array.dtype.kind == "c":
                c = c + 1j * rng.standard_normal(out.array.shape)
            found.append(np.asarray(c, out.array.dtype))
    return found


def analytic(name: str, sample: Call, cotangents: list[np.ndarray]) -> list[np.ndarray]:
    """The engine's gradient of the projection for each floating argument."""
    args = [leaves(a, True) for a in sample.args]
    inputs = [t for t in flat(args) if isinstance(t, Tensor) and t.requires_grad]
    project(run(name, args, sample.options), cotangents).backward()
    return [np.zeros_like(t.array) if t.grad is None else t.grad.array for t in inputs]


def directional(function: Any, args: tuple, seed: int) -> tuple[list[np.ndarray], float]:
    """A random direction in the floating arguments, and `function`'s slope along it by central differences."""
    rng = np.random.default_rng(seed)
    steps = []
    for a in flat(args):
        if is_float(a):
            d = rng.standard_normal(a.shape)
            steps.append(d + 1j * rng.standard_normal(a.shape) if a.dtype.kind == "c" else np.asarray(d))

    def at(eps: float) -> float:
        moves = iter(steps)

        def moved(a: Any) -> Any:
            if isinstance(a, list):
                return [moved(x) for x in a]
            return np.asarray(a + eps * next(moves)) if is_float(a) else a

        return function([moved(a) for a in args])

    eps = 1e-4  # a fourth-order rule: its error, about eps**4, is below the rounding of float64
    slope = (8 * (at(eps) - at(-eps)) - (at(2 * eps) - at(-2 * eps))) / (12 * eps)
    return steps, slope


def slope_of(steps: list[np.ndarray], gradients: list[np.ndarray]) -> float:
    """The slope along the direction that the gradients promise."""
    return float(np.sum([np.sum((g.conj() * d).real) for g, d in zip(gradients, steps, strict=True)]))


def test_every_operation_has_an_entry() -> None:
    missing = sorted(set(OPS) - set(ENTRIES) - INTERNAL)
    assert not missing, f"operations without samples in tests/table: {missing}"
    unknown = sorted(set(ENTRIES) - set(OPS))
    assert not unknown, f"samples for operations that do not exist: {unknown}"
    untested = sorted(name for name, op in OPS.items() if op.rules and name in ENTRIES and not ENTRIES[name].gradient)
    assert not untested, f"operations with rules whose gradient is not tested: {untested}"


@pytest.mark.parametrize(("name", "k"), CASES)
def test_value(name: str, k: int) -> None:
    e, sample = ENTRIES[name], draw(name, k)
    if e.expect is None:
        pytest.skip("the value is checked by tests of its own")
    expected = e.expect(*sample.args, **sample.options)
    expected = list(expected) if isinstance(expected, (tuple, list)) else [expected]
    found = run(name, [leaves(a, False) for a in sample.args], sample.options)
    assert len(found) == len(expected)
    for out, value in zip(found, expected, strict=True):
        assert type(out.array) is np.ndarray
        assert out.array.shape == np.shape(value)
        np.testing.assert_allclose(out.array, value, rtol=1e-10 * e.tolerance, atol=1e-10 * e.tolerance)


@pytest.mark.parametrize(("name", "k"), GRADIENTS)
def test_gradient(name: str, k: int) -> None:
    sample = draw(name, k)
    with tg.no_grad():
        cotangents = cotangents_for(run(name, [leaves(a, False) for a in sample.args], sample.options), 1)
    gradients = analytic(name, sample, cotangents)
    floats = [a for a in flat(sample.args) if is_float(a)]
    assert [g.shape for g in gradients] == [a.shape for a in floats]

    def value(args: list) -> float:
        outs = run(name, [leaves(a, False) for a in args], sample.options)
        return float(project(outs, cotangents).array)

    for seed in range(3):
        steps, slope = directional(value, sample.args, seed)
        scale = 1 + abs(slope)
        assert abs(slope_of(steps, gradients) - slope) < 1e-7 * scale * ENTRIES[name].tolerance


@pytest.mark.parametrize(("name", "k"), SECONDS)
def test_second_gradient(name: str, k: int) -> None:
    sample = draw(name, k)
    with tg.no_grad():
        cotangents = cotangents_for(run(name, [leaves(a, False) for a in sample.args], sample.options), 1)
    rng = np.random.default_rng(7)
    weights = [np.asarray(rng.standard_normal(a.shape), a.dtype) for a in flat(sample.args) if is_float(a)]

    def slope(args: list, create_graph: bool) -> tuple[list[Tensor], Tensor | None]:
        """The gradient along fixed weights: a number whose own gradient is the second gradient."""
        inputs = [leaves(a, True) for a in args]
        ts = [t for t in flat(inputs) if isinstance(t, Tensor) and t.requires_grad]
        cs = [wrap(c).requires_grad_() for c in cotangents]
        total = None
        for out, c in zip([o for o in run(name, inputs, sample.options) if is_float(o.array)], cs, strict=True):
            term = (out * c).sum()
            total = term if total is None else total + term
        total = total.real if total.is_complex() else total
        total.backward(create_graph=create_graph)
        terms = [(t.grad * wrap(w)).sum() for t, w in zip(ts, weights, strict=True) if t.grad is not None]
        terms = [t.real if t.is_complex() else t for t in terms]
        found = None
        for t in terms:
            found = t if found is None else found + t
        for t in ts:
            t.grad = None
        return ts, found

    ts, total = slope(list(sample.args), create_graph=True)
    if total is None or not total.requires_grad:
        gradients = [np.zeros_like(t.array) for t in ts]
    else:
        total.backward()
        gradients = [np.zeros_like(t.array) if t.grad is None else t.grad.array for t in ts]
    steps, numeric = directional(lambda args: float(slope(args, False)[1].array), sample.args, 3)
    assert abs(slope_of(steps, gradients) - numeric) < 1e-6 * (1 + abs(numeric)) * ENTRIES[name].tolerance


@pytest.mark.parametrize(("name", "k"), CASES)
def test_float32(name: str, k: int) -> None:
    """The same numbers in single precision, and nothing silently computed or returned in double."""
    e, sample = ENTRIES[name], draw(name, k)
    single = Call(
        tuple([cast(x, True) for x in a] if isinstance(a, list) else cast(a, True) for a in sample.args), sample.options
    )
    outs = run(name, [leaves(a, False) for a in sample.args], sample.options)
    singles = run(name, [leaves(a, e.gradient) for a in single.args], single.options)
    for out, other in zip(outs, singles, strict=True):
        if is_float(out.array) and any(is_float(a) for a in flat(sample.args)):
            assert other.array.dtype.itemsize * 2 == out.array.dtype.itemsize
            np.testing.assert_allclose(other.array, out.array, rtol=2e-4 * e.tolerance, atol=2e-5 * e.tolerance)
    if e.gradient:
        cotangents = cotangents_for(outs, 1)
        want = analytic(name, sample, cotangents)
        got = analytic(name, single, [cast(c, True) for c in cotangents])
        for g, w in zip(got, want, strict=True):
            assert g.dtype.itemsize * 2 == w.dtype.itemsize
            np.testing.assert_allclose(g, w, rtol=1e-3 * e.tolerance, atol=1e-4 * e.tolerance)


@pytest.mark.parametrize(("name", "k"), [(name, k) for name, k in CASES if ENTRIES[name].strided])
def test_strides(name: str, k: int) -> None:
    """Inputs that do not lie in memory in order give the same results and gradients."""
    e, sample = ENTRIES[name], draw(name, k)

    def scattered(a: Any) -> Any:
        if isinstance(a, list):
            return [scattered(x) for x in a]
        if not isinstance(a, np.ndarray) or not a.ndim:
            return a
        wide = np.zeros((*a.shape[:-1], 2 * a.shape[-1]), a.dtype)
        wide[..., ::2] = a
        return wide[..., ::2] if a.ndim == 1 else np.asfortranarray(wide)[..., ::2]

    strided = Call(tuple(scattered(a) for a in sample.args), sample.options)
    outs = run(name, [leaves(a, False) for a in sample.args], sample.options)
    others = run(name, [leaves(a, False) for a in strided.args], strided.options)
    for out, other in zip(outs, others, strict=True):
        np.testing.assert_allclose(other.array, out.array, rtol=1e-12 * e.tolerance, atol=1e-12 * e.tolerance)
    if e.gradient:
        cotangents = cotangents_for(outs, 1)
        for g, w in zip(analytic(name, strided, cotangents), analytic(name, sample, cotangents), strict=True):
            np.testing.assert_allclose(g, w, rtol=1e-10 * e.tolerance, atol=1e-10 * e.tolerance)

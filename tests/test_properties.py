"""Properties of random programs: graphs with reuse, broadcasting, views and writes in place.

Each step of a program is one function that runs on tensors (here, or PyTorch's) and on plain NumPy arrays, whose views
and writes are NumPy's own. So NumPy runs the program again with a tiny imaginary part added to the inputs, and the
imaginary part of the result is the derivative: no rule, no graph and no rounding is involved in what the engine's
gradients are compared with.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tinygrad_edu import autograd
from tinygrad_edu.tensor import wrap

torch: Any = None
if importlib.util.find_spec("torch"):
    import torch


def _write(x: np.ndarray, y: Any) -> np.ndarray:
    x[...] = y
    return x


# the vocabulary of the steps on tensors, ours or PyTorch's, and on NumPy arrays, real or complex
Tensors = SimpleNamespace(
    exp=lambda x: x.exp(),
    tanh=lambda x: x.tanh(),
    sin=lambda x: x.sin(),
    clone=lambda x: x.clone(),
    mT=lambda x: x.transpose(-1, -2),
    mul_=lambda x, y: x.mul_(y),
    add_=lambda x, y: x.add_(y),
    copy_=lambda x, y: x.copy_(y),
    fill_=lambda x, y: x.fill_(y),
    tanh_=lambda x: x.tanh_(),
)
Arrays = SimpleNamespace(
    exp=np.exp,
    tanh=np.tanh,
    sin=np.sin,
    clone=np.copy,
    mT=lambda x: x.swapaxes(-1, -2),
    mul_=lambda x, y: _write(x, x * y),
    add_=lambda x, y: _write(x, x + y),
    copy_=_write,
    fill_=_write,
    tanh_=lambda x: _write(x, np.tanh(x)),
)


def fit(x: Any, y: Any) -> Any:
    """`y`, or its mean where its shape does not go with that of `x`."""
    try:
        np.broadcast_shapes(tuple(x.shape), tuple(y.shape))
    except ValueError:
        return y.mean()
    return y


def smaller(x: Any, y: Any) -> Any:
    """`y`, or its mean where it could not be written into `x`."""
    try:
        fits = np.broadcast_shapes(tuple(x.shape), tuple(y.shape)) == tuple(x.shape)
    except ValueError:
        fits = False
    return y if fits else y.mean()


# every step: the vocabulary, two tensors, an integer, a number
PLAIN: dict[str, Callable] = {
    "add": lambda F, x, y, i, k: x + fit(x, y),
    "sub": lambda F, x, y, i, k: fit(y, x) - y * k,
    "mul": lambda F, x, y, i, k: x * fit(x, y),
    "div": lambda F, x, y, i, k: x / (F.sin(fit(x, y)) + 3),
    "reuse": lambda F, x, y, i, k: x * x + x * k,
    "tanh": lambda F, x, y, i, k: F.tanh(x),
    "exp": lambda F, x, y, i, k: F.exp(F.tanh(x)),
    "sin": lambda F, x, y, i, k: F.sin(x * k),
    "sum": lambda F, x, y, i, k: x.sum(i % x.ndim) if x.ndim else x.sum(),
    "mean": lambda F, x, y, i, k: x.mean(),
    "gram": lambda F, x, y, i, k: F.tanh(F.mT(x) @ x) if x.ndim > 1 else x * k,
}
VIEWS: dict[str, Callable] = {
    "row": lambda F, x, y, i, k: x[i % x.shape[0], ...] if x.ndim else x[None],
    "column": lambda F, x, y, i, k: x[..., i % x.shape[-1]] if x.ndim > 1 else x[...],
    "part": lambda F, x, y, i, k: x[i % x.shape[0] :] if x.ndim else x[...],
    "steps": lambda F, x, y, i, k: x[..., ::2] if x.ndim else x[...],
    "transposed": lambda F, x, y, i, k: F.mT(x) if x.ndim > 1 else x[...],
    "flat": lambda F, x, y, i, k: x.reshape(-1),
    "wider": lambda F, x, y, i, k: x[None] if x.ndim < 3 else x[0],
}
WRITES: dict[str, Callable] = {
    "scale": lambda F, x, y, i, k: F.mul_(x, k),
    "shift": lambda F, x, y, i, k: F.add_(x, k),
    "add_value": lambda F, x, y, i, k: F.add_(x, F.tanh(F.clone(smaller(x, y)))),
    "mul_value": lambda F, x, y, i, k: F.mul_(x, F.tanh(F.clone(smaller(x, y))) + 1),
    "copy": lambda F, x, y, i, k: F.copy_(x, F.clone(smaller(x, y)) * k),
    "fill": lambda F, x, y, i, k: F.fill_(x, k),
    "bend": lambda F, x, y, i, k: F.tanh_(x),
    "direct": lambda F, x, y, i, k: F.add_(x, smaller(x, y) * smaller(x, y)),
}
STEPS = PLAIN | VIEWS | WRITES
SHAPES = ((2, 3), (3,), (2, 1), (), (4, 2, 3))
STARTS = [np.random.default_rng(0).uniform(-1, 1, s) for s in SHAPES]
TOWARDS = [np.random.default_rng(1).standard_normal(s) for s in SHAPES]

Step = tuple[str, int, int, int, float]
names = st.sampled_from
numbers = st.sampled_from([-1.5, -1.0, 0.5, 2.0])
places = st.integers(0, 30)


def do(F: Any, tensors: list, step: Step) -> None:
    """Run one step: what it makes is appended, what it writes is changed."""
    name, a, b, i, k = step
    x, y = tensors[a % len(tensors)], tensors[b % len(tensors)]
    made = STEPS[name](F, x, y, i, k)
    if name not in WRITES:
        tensors.append(np.asarray(made) if F is Arrays else made)


def loss_of(tensors: list, weigh: Callable) -> Any:
    """One number of everything that there is at the end."""
    rng = np.random.default_rng(2)
    total: Any = 0
    for t in tensors:
        total = total + (t * weigh(rng.standard_normal(tuple(t.shape)))).sum()
    return total


def on_tensors(steps: list[Step], leaf: Callable, weigh: Callable) -> tuple[list, list, Any]:
    """The program on tensors: its leaves, what there is at the end, the loss."""
    leaves = [leaf(a) for a in STARTS]
    tensors = [t * 1 for t in leaves]
    for step in steps:
        do(Tensors, tensors, step)
    return leaves, tensors, loss_of(tensors, weigh)


def on_arrays(steps: list[Step], move: complex) -> Any:
    """The program's loss on NumPy arrays, with the inputs moved."""
    arrays = [np.array(a + move * d) for a, d in zip(STARTS, TOWARDS, strict=True)]
    for step in steps:
        do(Arrays, arrays, step)
    return loss_of(arrays, np.asarray)


def ours(steps: list[Step]) -> tuple[list, list, Any]:
    return on_tensors(steps, lambda a: wrap(a.copy()).requires_grad_(), wrap)


def theirs(steps: list[Step]) -> tuple[list, list, Any]:
    return on_tensors(steps, lambda a: torch.tensor(a, requires_grad=True), torch.tensor)


def slope(gradients: list) -> float:
    return float(sum(np.sum(np.asarray(g) * d) for g, d in zip(gradients, TOWARDS, strict=True)))


def check_gradients(steps: list[Step]) -> bool:
    """Compare a program's gradients with NumPy's complex step and with PyTorch; False if a write forbids them."""
    leaves, _, loss = ours(steps)
    try:
        gradients = autograd.grad(loss, leaves)
    except RuntimeError as error:
        assert "modified by an inplace operation" in str(error)
        if torch:
            leaves, _, loss = theirs(steps)
            try:
                torch.autograd.grad(loss, leaves)
            except RuntimeError:
                return False
            raise AssertionError("PyTorch gives a gradient here") from error
        return False
    expected = on_arrays(steps, 1e-30j).imag / 1e-30
    assert abs(slope([g.array for g in gradients]) - expected) <= 1e-9 * (1 + abs(expected))
    if torch:
        leaves, _, loss = theirs(steps)
        try:
            others = torch.autograd.grad(loss, leaves)
        except RuntimeError as error:
            assert "inplace" in str(error)
            return True  # a write that uses the value which it replaces: refused there, right here
        for g, other in zip(gradients, others, strict=True):
            np.testing.assert_allclose(g.array, other.numpy(), rtol=1e-9, atol=1e-9)
    return True


# --- random graphs -------------------------------------------------------------------------------------------------------

programs = st.lists(st.tuples(names(sorted(PLAIN | VIEWS)), places, places, places, numbers), max_size=12)
mixed = st.lists(st.tuples(names(sorted(STEPS)), places, places, places, numbers), max_size=14)


@given(programs)
def test_graphs_without_writes(steps: list[Step]) -> None:
    assert check_gradients(steps), "nothing was written, and yet an error speaks of a write"


@given(mixed)
def test_graphs_with_writes(steps: list[Step]) -> None:
    check_gradients(steps)


@given(programs)
def test_second_gradients(steps: list[Step]) -> None:
    """The gradient along a direction, differentiated along it again, against differences of the first."""
    leaves, _, loss = ours(steps)
    first = autograd.grad(loss, leaves, create_graph=True)
    along = sum((g * wrap(d)).sum() for g, d in zip(first, TOWARDS, strict=True))
    second = [np.zeros(s) for s in SHAPES]
    if along.requires_grad:
        found = autograd.grad(along, leaves, allow_unused=True)
        second = [z if g is None else g.array for g, z in zip(found, second, strict=True)]
    h = 1e-4
    derivative = [on_arrays(steps, k * h + 1e-30j).imag / 1e-30 for k in (-2, -1, 1, 2)]
    expected = (derivative[0] - 8 * derivative[1] + 8 * derivative[2] - derivative[3]) / (12 * h)
    scale = 1 + abs(expected) + max(map(abs, derivative))
    assert abs(slope(second) - expected) <= 1e-7 * scale


# --- views that are written ----------------------------------------------------------------------------------------------


class WrittenViews(RuleBasedStateMachine):
    """Tensors and NumPy arrays go through the same views and writes side by side, and stay equal all the time."""

    @initialize()
    def start(self) -> None:
        self.steps: list[Step] = []
        self.leaves = [wrap(a.copy()).requires_grad_() for a in STARTS]
        self.tensors = [t * 1 for t in self.leaves]
        self.arrays = [a.copy() for a in STARTS]

    def both(self, step: Step) -> None:
        self.steps.append(step)
        do(Tensors, self.tensors, step)
        do(Arrays, self.arrays, step)

    @rule(name=names(sorted(VIEWS)), a=places, i=places)
    def look(self, name: str, a: int, i: int) -> None:
        """A view of something there is."""
        self.both((name, a, 0, i, 1.0))

    @rule(name=names(sorted(WRITES)), a=places, b=places, k=numbers)
    def write(self, name: str, a: int, b: int, k: float) -> None:
        """A write into something there is."""
        self.both((name, a, b, 0, k))

    @rule(name=names(sorted(PLAIN)), a=places, b=places, i=places, k=numbers)
    def make(self, name: str, a: int, b: int, i: int, k: float) -> None:
        """A new value."""
        self.both((name, a, b, i, k))

    @invariant()
    def same_values(self) -> None:
        for t, a in zip(self.tensors, self.arrays, strict=True):
            np.testing.assert_allclose(t.array, a, rtol=1e-12, atol=1e-12)

    @invariant()
    def same_memory(self) -> None:
        """What shares memory with the first tensors' is the same on both sides."""
        shared = [[np.shares_memory(t.array, s.array) for t in self.tensors] for s in self.tensors[: len(SHAPES)]]
        expected = [[np.shares_memory(a, s) for a in self.arrays] for s in self.arrays[: len(SHAPES)]]
        assert shared == expected

    def teardown(self) -> None:
        if getattr(self, "steps", None):
            check_gradients(self.steps)


TestWrittenViews = WrittenViews.TestCase
TestWrittenViews.settings = settings(max_examples=settings.default.max_examples // 2, stateful_step_count=20)

"""Sample inputs for every operation, one file for each family in `tinygrad_edu.ops`.

An entry names an operation and gives calls of it, drawn from a seeded generator, and an independent definition of the
value. `tests/test_table.py` proves each call: value, gradient, second gradient, float32, strides, the other device.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


class Draw:
    """Random arguments of a call."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def __call__(self, *shape: int) -> np.ndarray:
        """Normal numbers."""
        return np.asarray(self.rng.standard_normal(shape))

    def between(self, low: float, high: float, *shape: int) -> np.ndarray:
        """Numbers in an interval."""
        return np.asarray(self.rng.uniform(low, high, shape))

    def off_zero(self, *shape: int) -> np.ndarray:
        """Numbers of both signs, none near 0: for operations with a kink or a pole there."""
        return np.asarray(self.rng.uniform(0.4, 2, shape) * self.rng.choice([-1.0, 1.0], shape))

    def distinct(self, *shape: int) -> np.ndarray:
        """Numbers at least 0.1 apart, in random order: for operations that compare elements."""
        n = int(np.prod(shape))
        return np.asarray((self.rng.permutation(n).reshape(shape) - n / 2) / 5 + 0.05)

    def ints(self, low: int, high: int, *shape: int) -> np.ndarray:
        """Integers in [low, high)."""
        return np.asarray(self.rng.integers(low, high, shape))

    def flags(self, *shape: int) -> np.ndarray:
        """True and False."""
        return np.asarray(self.rng.random(shape) < 0.6)

    def complex(self, *shape: int) -> np.ndarray:
        """Complex normal numbers."""
        return np.asarray(self(*shape) + 1j * self(*shape))


@dataclass
class Call:
    """Arguments of an operation: arrays become tensors, anything else is passed as it is."""

    args: tuple
    options: dict[str, Any]


@dataclass
class Entry:
    """An operation's samples and how far they are checked."""

    name: str
    draws: tuple[Callable[[Draw], Call], ...]
    expect: Callable | None  # the value from another source: NumPy, SciPy's formula, a loop
    gradient: bool
    second: bool
    tolerance: float
    strided: bool  # whether inputs may lie in memory in any order
    through: Callable | None  # calls the operation, where its samples need something around it


ENTRIES: dict[str, Entry] = {}


def call(*args: Any, **options: Any) -> Call:
    """The arguments of one call."""
    return Call(args, options)


def entry(
    name: str,
    *draws: Callable[[Draw], Call],
    expect: Callable | None = None,
    gradient: bool = True,
    second: bool = True,
    tolerance: float = 1.0,
    strided: bool = True,
    through: Callable | None = None,
) -> None:
    """Register the samples of an operation.

    `tolerance` widens the bounds, with the reason beside the entry. `through(op, *args, **options)` calls the operation
    in place of `op(*args, **options)`: where an argument must stay symmetric, say, or a result has a free phase.
    """
    assert name not in ENTRIES, f"{name} has two entries"
    assert draws, f"{name} has no samples"
    ENTRIES[name] = Entry(name, draws, expect, gradient, second, tolerance, strided, through)


def unary(name: str, expect: Callable, draw: str = "__call__", limits: tuple = (), **options: Any) -> None:
    """An operation of one argument: a matrix, no dimensions, no elements."""

    def sample(*shape: int) -> Callable[[Draw], Call]:
        return lambda r: call(getattr(r, draw)(*limits, *shape))

    entry(name, sample(3, 4), sample(), sample(0, 3), expect=expect, **options)


def binary(name: str, expect: Callable, draw: str = "__call__", limits: tuple = (), **options: Any) -> None:
    """An operation of two arguments: equal shapes, all kinds of broadcasting, no dimensions, no elements."""

    def sample(a: tuple, b: tuple) -> Callable[[Draw], Call]:
        return lambda r: call(getattr(r, draw)(*limits, *a), getattr(r, draw)(*limits, *b))

    shapes = [((3, 4), (3, 4)), ((3, 1), (4,)), ((2, 3, 4), (3, 1)), ((), (2, 3)), ((), ()), ((0, 3), (1, 3))]
    entry(name, *[sample(a, b) for a, b in shapes], expect=expect, **options)


for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

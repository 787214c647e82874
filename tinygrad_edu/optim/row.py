"""How an optimizer goes over its parameters: long ones in pieces, small ones laid end to end and taken as one.

A step over many small arrays is made of calls, one over a large array of trips to memory. Both cost less in rows of
numbers: one run of the formula for all that is small, pieces that stay in the cache for what is large.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from operator import is_
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import devices
from ..tensor import Tensor
from .lean import Buffers, lean

if TYPE_CHECKING:
    from .formula import FormulaOptimizer

Array = Any
Options = dict[str, Any]
SMALL = 1 << 12  # elements: above, copying them costs more than the calls that are saved
PIECE = 1 << 16  # elements: with its state and its buffers a piece fits in the second cache
NONE: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())  # the names of a state that is empty
_buffers, _decay_buffers = Buffers(), Buffers()


class Layout:
    """The rows of a group, for as long as it moves the same parameters with the same state; `others` fit in none."""

    def __init__(self, optimizer: FormulaOptimizer, moved: list[Tensor], options: Options) -> None:
        self.moved, self.memory = moved, [p.array for p in moved]
        self.names = (tuple(optimizer.arrays(options)), tuple(optimizer.scalars(options)))
        arrays, scalars = self.names
        states = [optimizer.state.get(p, {}) for p in moved] if arrays or scalars else [{} for _ in moved]
        self.whole = all(isinstance(s.get(name), Tensor) for s in states for name in (*arrays, *scalars))
        found = list(zip(moved, states, strict=True)) if self.whole and optimizer.elementwise else []
        plain = [(p, s) for p, s in found if _plain(p.array, *[s[name].array for name in arrays])]
        small = _alike([(p, s) for p, s in plain if p.array.size <= SMALL], scalars)
        joined = {id(p) for p, _ in small}
        alone = [[each] for each in plain if id(each[0]) not in joined]
        self.rows = [Row(group, arrays, scalars) for group in ([small] if small else []) + alone]
        taken = {id(p) for p, _ in plain}
        self.others = [p for p in moved if id(p) not in taken]
        self.update, self.decay = lean(type(optimizer).update, arrays), lean(type(optimizer).decay)

    def holds(self, optimizer: FormulaOptimizer, moved: list[Tensor], options: Options) -> bool:
        """Whether parameters and state are those that were laid out."""
        return (
            self.whole
            and len(moved) == len(self.moved)
            and all(map(is_, moved, self.moved))
            and all(map(is_, [p.array for p in moved], self.memory))
            and self.fits(optimizer, options)
            and (self.names == NONE or all(row.holds(optimizer) for row in self.rows))
        )

    def fits(self, optimizer: FormulaOptimizer, options: Options) -> bool:
        """Whether the options ask for the state that was laid out."""
        return (tuple(optimizer.arrays(options)), tuple(optimizer.scalars(options))) == self.names

    def advance(self, optimizer: FormulaOptimizer, options: Options) -> None:
        """A step for all that is in rows; all parameters count as written."""
        decay = self.decay if options.get("maximize") or options.get("weight_decay") else None
        for row in self.rows:
            row.advance(optimizer, options, self.update, decay)
        for p in self.moved:
            (p._writes or p.version()).write()


class Row:
    """Parameters whose numbers lie one after the other, with their state.

    A single one lies where it is. Several are copied in and out, since others may have their memory in hand; their
    state moves here, and the tensors in the optimizer's state become windows on it.
    """

    def __init__(
        self, members: list[tuple[Tensor, dict[str, Any]]], arrays: tuple[str, ...], scalars: tuple[str, ...]
    ) -> None:
        self.params = [p for p, _ in members]
        self.names = (*arrays, *scalars)
        self.states = [s for _, s in members]
        self.kept = [s[name] for s in self.states for name in self.names]
        self.x, self.windows = _end_to_end([p.array for p in self.params])
        self.g = np.empty_like(self.x) if len(members) > 1 else None
        own = {name: _moved([s[name] for _, s in members]) for name in arrays}
        self.numbers = [_moved([s[name] for _, s in members]) for name in scalars]
        self.counted = {name: row[:1].reshape(()) for name, row in zip(scalars, self.numbers, strict=True)}
        self.seen = [t.array for t in self.kept]
        parts = [slice(k, k + PIECE) for k in range(0, len(self.x), PIECE)]
        self.pieces: list[tuple[slice, Array, dict[str, Any]]] = [
            (part, self.x[part], {"first": False, **{name: a[part] for name, a in own.items()}}) for part in parts
        ]

    def holds(self, optimizer: FormulaOptimizer) -> bool:
        """Whether the optimizer's state is still the one that lies here."""
        return (
            all(map(is_, map(optimizer.state.get, self.params), self.states))
            and all(map(is_, [s.get(name) for s in self.states for name in self.names], self.kept))
            and all(map(is_, [t.array for t in self.kept], self.seen))
        )

    def advance(self, optimizer: FormulaOptimizer, options: Options, update: Callable, decay: Callable | None) -> None:
        """A step for all parameters of the row."""
        gradients = [p._grad.array for p in self.params]  # type: ignore[union-attr]
        if self.g is None:
            g = gradients[0].reshape(-1)
        else:
            g = np.concatenate(gradients, None, self.g)
            np.concatenate([p.array for p in self.params], None, self.x)
        single = optimizer.count(self.counted, options)
        for row in self.numbers:
            row[1:] = row[0]
        for t in self.kept:
            if t._writes is not None:
                t._writes.write()
        for part, x, state in self.pieces:
            state.update(single)
            against = g[part]
            if decay is not None:
                against = decay(x, against, options, _decay_buffers)
            update(x, against, state, options, _buffers)
        if self.g is not None:
            for p, window in zip(self.params, self.windows, strict=True):
                p.array[...] = window


def _plain(x: Array, *others: Array) -> bool:
    """Whether real numbers of one type lie one after the other in all the arrays."""
    return x.dtype.kind == "f" and all(
        type(a) is np.ndarray and a.flags.c_contiguous and a.dtype == x.dtype for a in (x, *others)
    )


def _alike(members: list[Any], scalars: tuple[str, ...]) -> list[Any]:
    """Those that one run of the formula can take: of one type, equally far, and none in the memory of another."""

    def kind(member: Any) -> tuple[Any, ...]:
        p, state = member
        return (p.array.dtype, *[state[name].array.item() for name in scalars])

    alike = [m for m in members if kind(m) == kind(members[0])]
    ends = sorted((devices.address(p.array), p.array.nbytes) for p, _ in alike)
    apart = all(a + size <= b for (a, size), (b, _) in pairwise(ends))
    return alike if len(alike) > 1 and apart else []


def _end_to_end(arrays: list[Array]) -> tuple[Array, list[Array]]:
    """Arrays in one, and where each lies in it; a single one is itself."""
    if len(arrays) == 1:
        return arrays[0].reshape(-1), arrays
    row, ends = np.concatenate(arrays, None), np.cumsum([a.size for a in arrays]).tolist()
    return row, [row[end - a.size : end].reshape(a.shape) for a, end in zip(arrays, ends, strict=True)]


def _moved(tensors: list[Tensor]) -> Array:
    """One array of what tensors hold, on which they are windows from now on."""
    row, windows = _end_to_end([t.array for t in tensors])
    for t, window in zip(tensors, windows, strict=True):
        t.array = window
    return row


__all__ = ["Layout"]

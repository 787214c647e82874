"""Windows as matrices: how a convolution becomes matrix products that stay in the cache.

The input is laid out in planes with zeros around it, row behind row. What one tap of the kernel meets, at all positions
in turn, is then a single run of the plane, and the next tap's run begins a little later. So the matrix of all windows,
taps by positions, is copied in long runs, at the price of a few positions at the end of each row that nobody reads.
The zeros behind a row are also those before the next.

With a stride s, every s-th element belongs to a plane of its own, in which the stride is 1.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from .. import devices

PIECE = {np.ndarray: 1 << 17}  # elements of windows that are copied and multiplied at a time, in a core's second cache
LARGE_PIECE = 1 << 26  # on a GPU
SMALL = 10**6  # multiplications: a matrix product up to here is not repacked by OpenBLAS, 150 GFLOP/s instead of 100
NARROW = 128  # columns: a narrower product is slower, so that several samples share one
MANY = 100  # elements of a window: from here on it pays to transpose what the windows are multiplied with
LINE = 64  # bytes: rows that begin with a cache line are multiplied at 150 GFLOP/s instead of 120


def aligned(make: Callable, shape: tuple, like: Any) -> Any:
    """A new array whose rows begin with a cache line."""
    line = LINE // like.itemsize
    rows, pitch = math.prod(shape[:-1]), -(-shape[-1] // line) * line
    memory = make(rows * pitch + line, like.dtype, like=like)
    start = -memory.ctypes.data % LINE // like.itemsize if type(like) is np.ndarray else 0
    return memory[start : start + rows * pitch].reshape(*shape[:-1], pitch)[..., : shape[-1]]


class Strand(NamedTuple):
    """Along one dimension: the taps that meet elements of one residue modulo the stride, and these elements."""

    taps: slice
    many: int  # of the taps
    apart: int  # elements of the plane from what one tap meets to what the next one meets
    source: slice  # the elements in the input
    inside: slice  # the same in the plane: zeros lie before and behind them
    pitch: int  # elements from one row to the next


@functools.lru_cache(1000)
def strands(n: int, k: int, m: int, s: int, p: int, d: int) -> list[Strand]:
    """The strands of a dimension of n elements, k taps, m positions, with stride s, padding p and dilation d."""
    found = []
    step, apart = s // math.gcd(s, d), d // math.gcd(s, d)  # the tap after next with the same residue, and its offset
    for tap in range(min(step, k)):
        count = len(range(tap, k, step))
        offset, residue = divmod(tap * d - p, s)
        extent = m + (count - 1) * apart
        before = min(max(0, -offset), extent)
        first = max(0, offset)
        length = max(0, min(len(range(residue, n, s)) - first, extent - before))
        behind = extent - before - length
        start = residue + first * s
        source, inside = slice(start, start + length * s, s), slice(before, before + length)
        found.append(Strand(slice(tap, k, step), count, apart, source, inside, max(m, extent - min(before, behind))))
    return found


class Windows:
    """All windows of x (N, C, *n), to be met with `outputs` kernels in each of some groups, piece by piece."""

    def __init__(
        self,
        x: Any,
        kernel: tuple,
        size: tuple,
        stride: tuple,
        padding: tuple,
        dilation: tuple,
        groups: int,
        outputs: int,
    ) -> None:
        each = [strands(*dim) for dim in zip(x.shape[2:], kernel, size, stride, padding, dilation, strict=True)]
        self.x, self.kernel, self.size = x, kernel, size
        self.groups, self.outputs, self.channels = groups, outputs, x.shape[1] // groups
        self.phases = list(itertools.product(*each))
        self.taps = [tuple(strand.taps for strand in phase) for phase in self.phases]
        self.counts = [tuple(strand.many for strand in phase) for phase in self.phases]
        self.pitch = tuple(max(strand.pitch for strand in found) for found in each)
        self.width = math.prod(self.pitch[1:])  # positions in a line, the first dimension's unit
        self.length = self.channels * math.prod(kernel)  # elements of a window
        ends = [0, *itertools.accumulate(self.channels * math.prod(counts) for counts in self.counts)]
        self.parts = [slice(*pair) for pair in itertools.pairwise(ends)]  # of a window: each phase's
        self._cut()

    def _cut(self) -> None:
        """Decide how many lines of how many samples make a piece, and whether its samples share a matrix product."""
        line = max(1, self.groups * self.length * self.width)
        piece = PIECE.get(type(self.x), LARGE_PIECE)
        rows = max(1, min(self.size[0], piece // line))
        unpacked = SMALL // max(1, self.outputs * self.length * self.width)
        if type(self.x) is np.ndarray and unpacked * self.width >= NARROW // 2:
            rows = min(rows, unpacked)
        self.rows = -(-self.size[0] // -(-self.size[0] // rows))  # pieces of equal size
        batch = piece // (line * self.rows)
        # CuPy multiplies one large pair at best
        few = self.rows * self.width < NARROW or type(self.x) is not np.ndarray
        self.shared = self.rows == self.size[0] and few
        if self.shared:
            batch = max(batch, 2 * NARROW // (self.rows * self.width))
        self.batch = max(1, min(len(self.x), batch))

    def pieces(self) -> Iterator[tuple[tuple, list[Any]]]:
        """Piece by piece: where its results belong, and for each phase a view of its windows (b, G, c, *K, L)."""
        x, channels = self.x, self.x.shape[1]
        steps = [math.prod(self.pitch[i + 1 :]) for i in range(len(self.pitch))]
        plane = math.prod(self.pitch)
        run = self.size[0] * self.width
        planes, views = [], []
        for phase, counts in zip(self.phases, self.counts, strict=True):
            by_tap = [strand.apart * step for strand, step in zip(phase, steps, strict=True)]
            last = run + sum((count - 1) * step for count, step in zip(counts, by_tap, strict=True))
            memory = devices.zeros(self.batch * channels * plane + max(0, last - plane), x.dtype, like=x)
            shape = (self.batch, self.groups, self.channels, *counts, run)
            strides = [x.itemsize * step for step in (channels * plane, self.channels * plane, plane, *by_tap, 1)]
            planes.append(memory[: self.batch * channels * plane].reshape(self.batch, channels, *self.pitch))
            views.append(devices.as_strided(memory, shape, strides))
        for first in range(0, len(x), self.batch):
            samples = slice(first, min(first + self.batch, len(x)))
            count = samples.stop - first
            for phase, there in zip(self.phases, planes, strict=True):
                inside, source = [strand.inside for strand in phase], [strand.source for strand in phase]
                there[(slice(count), slice(None), *inside)] = x[(samples, slice(None), *source)]
            for top in range(0, self.size[0], self.rows):
                lines = slice(top, min(top + self.rows, self.size[0]))
                here = slice(top * self.width, lines.stop * self.width)
                yield (samples, slice(None), slice(None), lines), [view[:count, ..., here] for view in views]

    def columns(self) -> Iterator[tuple[tuple, Any]]:
        """Piece by piece: where its results belong, and its windows as matrices (b, G, K, L), or (1, G, K, b · L)."""
        run = self.rows * self.width
        if self.shared:
            memory = aligned(devices.empty, (self.groups, self.length, self.batch * run), self.x)
            memory = memory.reshape(self.groups, self.length, self.batch, run).transpose(2, 0, 1, 3)
        else:
            memory = aligned(devices.empty, (self.batch, self.groups, self.length, run), self.x)
        parts = [
            memory[:, :, part].reshape(self.batch, self.groups, self.channels, *counts, run)
            for part, counts in zip(self.parts, self.counts, strict=True)
        ]
        for where, views in self.pieces():
            count, run = len(views[0]), views[0].shape[-1]
            for part, view in zip(parts, views, strict=True):
                part[:count, ..., :run] = view
            columns = memory[:count, ..., :run]
            if self.shared:
                columns = columns.transpose(1, 2, 0, 3).reshape(1, self.groups, self.length, count * run)
            yield where, columns

    def flat(self, weight: Any) -> Any:
        """Kernels (G, o, c, *K) as matrices (G, o, K), their taps in the order of the columns.

        In new memory: a view of a mirrored kernel runs backwards, which BLAS does not take and NumPy does at a tenth.
        """
        parts = [weight[(..., *taps)].reshape(self.groups, self.outputs, -1) for taps in self.taps]
        return np.concatenate(parts, -1)

    def unflat(self, matrices: Any) -> Any:
        """`flat` the other way."""
        shape = (self.groups, self.outputs, self.channels)
        weight = devices.empty((*shape, *self.kernel), matrices.dtype, like=matrices)
        for taps, counts, part in zip(self.taps, self.counts, self.parts, strict=True):
            weight[(..., *taps)] = matrices[..., part].reshape(*shape, *counts)
        return weight

    def inside(self, products: Any, count: int) -> Any:
        """A view of the products (b, G, o, L) of `count` samples without what nobody reads: (n, G, o, lines, *size)."""
        batch, groups, outputs, positions = products.shape
        if batch < count:
            positions //= count
            products = products.reshape(groups, outputs, count, positions).transpose(2, 0, 1, 3)
        products = products.reshape(count, groups, outputs, positions // self.width, *self.pitch[1:])
        return products[(..., *[slice(m) for m in self.size[1:]])]

    def outside(self) -> Callable[[Any], Any]:
        """A function: `inside` the other way, for y (n, G, o, lines, *size). Zeros stand where nobody reads.

        The answer is for products with the columns transposed. It lies in memory row by row where that is worth its
        while: OpenBLAS then multiplies at 150 GFLOP/s instead of 90.
        """
        run = self.rows * self.width
        ahead, beside = (1, self.batch) if self.shared else (self.batch, 1)
        if self.length < MANY:
            memory = aligned(devices.zeros, (ahead, self.groups, self.outputs, beside * run), self.x)
        else:
            memory = aligned(devices.zeros, (ahead, self.groups, beside * run, self.outputs), self.x).swapaxes(-1, -2)

        def matrices(y: Any) -> Any:
            positions = y.shape[3] * self.width
            part = memory[..., : len(y) * positions] if self.shared else memory[: len(y), ..., :positions]
            self.inside(part, len(y))[...] = y
            return part.swapaxes(-1, -2)

        return matrices

"""Sliding windows: where each tap of a kernel meets the input. Convolution, pooling and unfolding share this."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from operator import index
from typing import Any

Sizes = tuple[int, ...]
Each = int | Sequence[int]  # one integer for all dimensions, or one for each


def output_size(n: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes) -> Sizes:
    """How many windows fit along each dimension: ⌊(n + 2·padding - dilation·(kernel - 1) - 1) / stride⌋ + 1."""
    sizes = zip(n, kernel, stride, padding, dilation, strict=True)
    return tuple((m + 2 * p - d * (k - 1) - 1) // s + 1 for m, k, s, p, d in sizes)


def meetings(
    n: Sizes, size: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes
) -> Iterator[tuple[tuple, tuple]]:
    """For each tap of the kernel, in order: the windows in which it falls inside the input, and the elements it meets.

    Both are indices (`...` and slices) of the same shape, into the result and into the input.
    """
    dims = zip(n, size, kernel, stride, padding, dilation, strict=True)
    for pairs in itertools.product(*[meetings_along(*dim) for dim in dims]):
        yield (..., *[there for there, _ in pairs]), (..., *[here for _, here in pairs])


def meetings_along(
    n: int, size: int, kernel: int, stride: int, padding: int, dilation: int
) -> list[tuple[slice, slice]]:
    """`meetings` in one dimension."""
    found = []
    for k in range(kernel):
        offset = k * dilation - padding  # window i meets element i * stride + offset
        first = max(0, -(offset // stride))
        last = max(first, min(size, (n - 1 - offset) // stride + 1))
        start = first * stride + offset
        stop = start + (last - first - 1) * stride + 1 if last > first else start
        found.append((slice(first, last), slice(start, stop, stride)))
    return found


def together(value: Any, count: int, what: str, name: str) -> Sizes:
    """An option for each dimension: one integer stands for all."""
    values = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    try:
        values = tuple(index(v) for v in values)
    except TypeError:
        wrong = f"argument '{name}' must be an int or {count} ints, not {value!r}"
        raise TypeError(f"{what}(): {wrong}") from None
    if len(values) == 1:
        return values * count
    if len(values) != count:
        raise RuntimeError(f"{what}: expected {name} to be a single integer or a list of {count}, but got {value!r}")
    return values

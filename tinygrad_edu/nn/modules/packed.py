"""Sequences of different lengths without padding: all first steps, all second steps, ..."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ... import devices
from ...errors import message
from ...ops import empty_like
from ...tensor import Tensor, wrap

__all__ = ["PackedSequence", "invert_permutation"]


class PackedSequence_(NamedTuple):
    """The four parts of a packed sequence."""

    data: Tensor  # (sum of the lengths, ...)
    batch_sizes: Tensor  # how many sequences have a step 0, 1, 2, ...
    sorted_indices: Tensor | None  # the sequences in the order of their lengths, the longest first
    unsorted_indices: Tensor | None  # ... and back


class PackedSequence(PackedSequence_):
    """Sequences of different lengths as one tensor, step by step; made by `nn.utils.rnn.pack_padded_sequence`."""

    __slots__ = ()

    def __new__(
        cls,
        data: Tensor,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> PackedSequence:
        if batch_sizes is None:  # `data` holds both
            data, batch_sizes = data
        if batch_sizes.device.type != "cpu":
            wrong = f"batch_sizes should always be on CPU, but they are on {batch_sizes.device}"
            raise ValueError(message("PackedSequence", wrong, instead="pack_padded_sequence(...)"))
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The same sequences in another dtype or on another device."""
        data = self.data.to(*args, **kwargs)
        if data is self.data:
            return self
        sorted_indices = None if self.sorted_indices is None else self.sorted_indices.to(data.device)
        return type(self)(data, self.batch_sizes, sorted_indices)

    def cuda(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The same sequences on a GPU."""
        return self.to(*args, device=kwargs.pop("device", "cuda"), **kwargs)

    def cpu(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The same sequences in the computer's own memory."""
        return self.to(*args, device="cpu", **kwargs)

    def double(self) -> PackedSequence:
        """The same sequences in float64."""
        return self._cast("double")

    def float(self) -> PackedSequence:
        """The same sequences in float32."""
        return self._cast("float")

    def half(self) -> PackedSequence:
        """The same sequences in float16."""
        return self._cast("half")

    def long(self) -> PackedSequence:
        """The same sequences in int64."""
        return self._cast("long")

    def int(self) -> PackedSequence:
        """The same sequences in int32."""
        return self._cast("int")

    def _cast(self, name: str) -> PackedSequence:
        return self.to(getattr(self.data, name)().dtype)

    def pin_memory(self) -> PackedSequence:
        """Nothing to do: kept for programs that call it."""
        return self

    @property
    def is_cuda(self) -> bool:
        """Whether the sequences are on a GPU."""
        return self.data.is_cuda

    def is_pinned(self) -> bool:
        """Whether the memory is pinned; it never is."""
        return False


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that takes back another."""
    if permutation is None:
        return None
    out = empty_like(permutation)
    out.array[permutation.array] = devices.arange(permutation.numel(), like=permutation.array)
    return out


class Steps:
    """Where each step of each packed sequence lies, read from the batch sizes."""

    def __init__(self, batch_sizes: Tensor) -> None:
        self.sizes = np.asarray(batch_sizes.array)
        self.starts = self.sizes.cumsum() - self.sizes  # the row of each step's first sequence
        self.lengths = (self.sizes[:, None] > np.arange(self.sizes[0])).sum(0)

    def runs(self) -> list[tuple[int, int]]:
        """(steps, sequences): one entry for steps that follow each other with the same sequences."""
        ends = np.flatnonzero(np.diff(self.sizes, append=0))
        return [(int(n), int(self.sizes[end])) for n, end in zip(np.diff(ends, prepend=-1), ends, strict=True)]

    def backwards(self, like: Any) -> Tensor:
        """For each row the one that takes its place when every sequence is read from its end."""
        step = np.repeat(np.arange(len(self.sizes)), self.sizes)
        sequence = np.arange(len(step)) - self.starts[step]
        return wrap(devices.asarray(self.starts[self.lengths[sequence] - 1 - step] + sequence, like))

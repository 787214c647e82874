"""Sequences of different lengths: padded to one tensor, or packed without padding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ... import devices
from ...errors import message
from ...ops import stack
from ...ops.misuse import explain_all as _explain_all
from ...ops.misuse import explained
from ...ops.padding import pad
from ...tensor import Tensor, wrap
from ..modules.packed import PackedSequence, Steps, invert_permutation

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]


@explained
def pad_sequence(
    sequences: Tensor | Iterable[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Sequences (L, ...) as one tensor (T, B, ...), or (B, T, ...), the shorter ones filled up."""
    if not isinstance(sequences, Iterable):
        wrong = f"Expected iterable for input sequences, but got arg of type: {type(sequences)}"
        raise RuntimeError(message("pad_sequence", wrong))
    sequences = list(sequences)
    if not sequences:
        raise RuntimeError(message("pad_sequence", "received an empty list of sequences"))
    if padding_side not in ("left", "right"):
        raise RuntimeError(message("pad_sequence", f"padding_side must be 'left' or 'right', not {padding_side!r}"))
    rest = sequences[0].shape[1:]
    for s in sequences:
        if s.dim() == 0 or s.shape[1:] != rest:
            wrong = f"sequences may differ in their first dimension only, not {list(s.shape)} and {list(rest)}"
            raise RuntimeError(message("pad_sequence", wrong))
    longest = max(s.shape[0] for s in sequences)
    filled = []
    for s in sequences:
        missing = longest - s.shape[0]
        widths = [0, missing] if padding_side == "right" else [missing, 0]
        filled.append(pad(s, [0, 0] * (s.dim() - 1) + widths, value=padding_value))
    return stack(filled, 0 if batch_first else 1)


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list[Tensor]:
    """The sequences (L, ...) of a padded tensor."""
    by_sequence = padded_sequences.unbind(0 if batch_first else 1)
    return [s[:n] for s, n in zip(by_sequence, lengths.tolist(), strict=True)]


def pack_padded_sequence(
    input: Tensor, lengths: Tensor | Sequence[int], batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """A padded tensor (T, B, ...), or (B, T, ...), as all first steps, all second steps, ..."""
    what = "pack_padded_sequence"
    if isinstance(lengths, Tensor) and lengths.device.type != "cpu":
        wrong = f"'lengths' argument should be a 1D CPU int64 tensor, but it is on {lengths.device}"
        raise RuntimeError(message(what, wrong, instead="lengths.cpu()"))
    n = np.asarray(lengths.array if isinstance(lengths, Tensor) else lengths).astype(np.int64)
    batch, time = input.shape[:2] if batch_first else (input.shape[1], input.shape[0])
    wrong = ""
    if not input.numel():
        wrong = "Cannot pack empty tensors"
    elif n.ndim != 1 or len(n) != batch:
        wrong = f"Expected `len(lengths)` to be equal to batch_size, but got {n.size} (batch_size={batch})"
    elif n.min() <= 0:
        wrong = f"Length of all samples has to be greater than 0, but found {n.min()} in 'lengths'"
    elif n.max() > time:
        wrong = f"the longest length, {n.max()}, is more than the input's {time} steps"
    elif enforce_sorted and (np.diff(n) > 0).any():
        wrong = "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True"
        raise RuntimeError(message(what, wrong, instead="enforce_sorted=False"))
    if wrong:
        raise RuntimeError(message(what, wrong))
    order = np.arange(batch) if enforce_sorted else np.argsort(-n, kind="stable")
    n = n[order]
    steps, sequences = np.nonzero(n > np.arange(n[0])[:, None])  # row by row: all that have a first step, a second ...
    sequences = order[sequences]
    rows = sequences * time + steps if batch_first else steps * batch + sequences
    flat = input.reshape(batch * time, *input.shape[2:])
    data = flat.index_select(0, wrap(devices.asarray(rows, input.array)))
    sizes = (n > np.arange(n[0])[:, None]).sum(1)
    indices = None if enforce_sorted else wrap(devices.asarray(order, input.array))
    return PackedSequence(data, wrap(sizes), indices)


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """The padded tensor (T, B, ...), or (B, T, ...), of packed sequences in their first order, and their lengths."""
    where = Steps(sequence.batch_sizes)
    time, batch = len(where.sizes), int(where.sizes[0])
    if total_length is not None:
        if total_length < time:
            wrong = f"Expected total_length to be at least the length of the longest sequence in input, {time}"
            raise ValueError(message("pad_packed_sequence", f"{wrong}, but got total_length={total_length}"))
        time = total_length
    data, order = sequence.data, np.arange(batch)
    if sequence.sorted_indices is not None:
        order = np.asarray(devices.move(sequence.sorted_indices.array, devices.CPU))
    steps, sequences = np.nonzero(where.lengths > np.arange(time)[:, None])
    sequences = order[sequences]
    rows = sequences * time + steps if batch_first else steps * batch + sequences
    flat = data.new_full((time * batch, *data.shape[1:]), padding_value)
    flat = flat.index_copy(0, wrap(devices.asarray(rows, data.array)), data)
    lengths = np.empty(batch, np.int64)
    lengths[order] = where.lengths
    shape = (batch, time) if batch_first else (time, batch)
    return flat.reshape(*shape, *data.shape[1:]), wrap(lengths)


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Sequences (L, ...) of different lengths, packed."""
    return pack_padded_sequence(pad_sequence(sequences), [len(s) for s in sequences], enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences (L, ...) of a packed one."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)


_explain_all(globals())

"""Padding: more elements at the ends of dimensions, constant, reflected, repeated or from the other end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .. import devices
from ..errors import describe
from ..op import op
from ..tensor import Tensor
from .arguments import fitting
from .indexing import _index


@op
def _pad(x, widths, value):
    """So many elements of one value before and behind each dimension; negative widths cut off."""
    lengths = [before + n + behind for n, (before, behind) in zip(x.shape, widths, strict=True)]
    out = devices.full(lengths, value, x.dtype, like=x)
    inner = tuple(slice(max(b, 0), m - max(e, 0)) for m, (b, e) in zip(lengths, widths, strict=True))
    kept = tuple(slice(max(-b, 0), n - max(-e, 0)) for n, (b, e) in zip(x.shape, widths, strict=True))
    out[inner] = x[kept]
    return out


_pad.grad(x=lambda g, widths: _pad(g, tuple((-before, -behind) for before, behind in widths), 0))

# where each element of the longer dimension comes from: position k, counted from the first element, of n
SOURCES = {
    "reflect": lambda k, n: n - 1 - abs(n - 1 - abs(k)),
    "replicate": lambda k, n: np.clip(k, 0, n - 1),
    "circular": lambda k, n: k % n,
}


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: complex | None = None) -> Tensor:
    """More elements at the ends: `pad` lists the widths before and behind the last dimension, the one before it, ..."""
    if len(pad) % 2:
        raise RuntimeError(f"pad: Padding length must be divisible by 2, but got {list(pad)}")
    if len(pad) > 2 * input.ndim:
        raise RuntimeError(
            "pad: Padding length should be less than or equal to two times the input dimension but got padding length "
            f"{len(pad)} and input of dimension {input.ndim}"
        )
    pairs = list(zip(pad[::2], pad[1::2], strict=True))[::-1]
    widths = ((0, 0),) * (input.ndim - len(pairs)) + tuple((int(before), int(behind)) for before, behind in pairs)
    for d, (n, (before, behind)) in enumerate(zip(input.array.shape, widths, strict=True)):
        if n + before + behind < 0 or (mode == "constant" and (n + min(before, 0) < 0 or n + min(behind, 0) < 0)):
            raise RuntimeError(
                f"pad({describe(input)}, {list(pad)}): dimension {d} of length {n} would get the negative length "
                f"{n + before + behind}"
            )
    if mode == "constant":
        return _pad(input, widths, fitting(0 if value is None else value, input.dtype))
    if mode not in SOURCES:
        raise NotImplementedError(f"Unrecognised padding mode {mode}; write constant, reflect, replicate or circular")
    if value is not None:
        raise RuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument')
    if len(pairs) not in range(max(input.ndim - 2, 1), input.ndim) or len(pairs) > 3:
        raise NotImplementedError(
            f"pad: Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now, of the last 1, 2 or 3 "
            f"dimensions behind one or two of batch and channels; got {describe(input)} and {list(pad)}"
        )
    return _padded_from_itself(input, widths, mode)


def _padded_from_itself(x: Tensor, widths: Sequence[tuple[int, int]], mode: str) -> Tensor:
    if mode == "circular":  # what is cut off does not come round again
        x = _pad(x, tuple((min(before, 0), min(behind, 0)) for before, behind in widths), 0)
        widths = [(max(before, 0), max(behind, 0)) for before, behind in widths]
    for d, (before, behind) in enumerate(widths):
        if not before and not behind:
            continue
        n = x.array.shape[d]
        most = {"reflect": n - 1, "circular": n}.get(mode)
        if most is not None and max(before, behind) > most:
            raise RuntimeError(
                f"pad: Padding size should be less than the corresponding input dimension, but got: padding "
                f"({before}, {behind}) at dimension {d} of input {list(x.shape)} in mode {mode}"
            )
        if not n or n + before + behind <= 0:
            raise RuntimeError(
                f"pad: expected a non-empty dimension {d}, but got input {list(x.shape)} and {widths[d]}"
            )
        places = SOURCES[mode](devices.arange(-before, n + behind, like=x.array), n)
        x = _index(x, [None] * d + [places])
    return x


def constant_pad_nd(input: Tensor, pad: Sequence[int], value: complex = 0) -> Tensor:
    """`pad` with a constant."""
    return _padded(input, pad, "constant", value)


_padded = pad  # whose name the parameter above hides

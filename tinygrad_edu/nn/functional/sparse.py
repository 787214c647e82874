"""Embeddings and dropout: what reads some rows of a table, or some elements of a tensor."""

from __future__ import annotations

import numpy as np

from ... import devices, random
from ...autograd.modes import no_grad
from ...errors import describe, message
from ...inplace import inplace as in_place
from ...ops import embedding as ops
from ...ops import one_hot
from ...ops.arguments import need_tensor
from ...promotion import same_place
from ...tensor import Tensor, wrap
from .traps import tell

__all__ = [
    "alpha_dropout", "dropout", "dropout1d", "dropout2d", "dropout3d", "embedding", "embedding_bag",
    "feature_alpha_dropout", "one_hot",
]  # fmt: skip

# --- embedding -------------------------------------------------------------------------------------------------------


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """The row of `weight` for each number in `input`; with `max_norm`, rows that are longer are first cut, in place."""
    _check_rows("embedding", input, weight)
    padding_idx = _padding("embedding", padding_idx, weight)
    if max_norm is not None:
        _shorten(weight, input, max_norm, norm_type)
    return ops._embedding(weight, input, padding_idx, scale_grad_by_freq)


def _check_rows(name, input, weight):
    """Raise unless the table is a matrix and every number one of its rows."""
    need_tensor(input, name)
    if weight.ndim != 2:
        raise RuntimeError(message(name, f"'weight' must be 2-D, but got {list(weight.shape)}"))
    if input.array.dtype.kind not in "iu" or input.array.itemsize < 4:
        wrong = (
            f"Expected tensor for argument 'indices' to have one of the scalar types Long, Int; but got {input.dtype}"
        )
        raise RuntimeError(message(name, wrong, instead="input.long()"))
    same_place(name, weight, input)
    i = input.array
    if (type(i) is np.ndarray or devices.blocking) and i.size and not (i.min() >= 0 and i.max() < len(weight.array)):
        rows, low, high = len(weight.array), int(i.min()), int(i.max())
        wrong = f"index out of range in self: {low} to {high} in a table of {rows} rows"
        instead = f"numbers from 0 to {rows - 1}" + (f", or a table of {high + 1} rows" if high >= rows else "")
        what = f"{name}({describe(input)}, {describe(weight)})"
        raise (IndexError if name == "embedding" else RuntimeError)(message(what, wrong, instead=instead))


def _padding(name, padding_idx, weight):
    rows = weight.shape[0]
    if padding_idx is None:
        return None
    if not -rows <= padding_idx < rows:
        raise AssertionError(
            f"{name}: padding_idx must be within num_embeddings, but {padding_idx} is not within {rows}"
        )
    return padding_idx % rows


def _shorten(weight, input, max_norm, norm_type):
    """Bring the rows that are about to be read to at most this length."""
    with no_grad():
        i = np.unique(input.array)
        rows = wrap(weight.array[i])
        lengths = rows.norm(norm_type, 1, True).array
        longer = lengths[:, 0] > max_norm
        weight.array[i[longer]] = (rows.array * (max_norm / (lengths + 1e-7)))[longer]
        weight.version().write()


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """The sum, mean or maximum of the rows of each bag: a row of `input`, or from one of `offsets` to the next."""
    if mode == "max" and (scale_grad_by_freq or sparse):
        wrong = "scaling the gradient by the frequency" if scale_grad_by_freq else "sparse weights"
        raise ValueError(f"max mode does not support {wrong}")
    if need_tensor(input, "embedding_bag").dtype.rank == 2 and weight.dtype.rank == 1:
        input, weight = weight, input  # the order of long ago
    _check_rows("embedding_bag", input, weight)
    if per_sample_weights is not None and per_sample_weights.shape != input.shape:
        wrong = f"expected per_sample_weights {list(per_sample_weights.shape)} to have the shape of the input {list(input.shape)}"
        raise ValueError(message("embedding_bag", wrong))
    if mode not in ("sum", "mean", "max"):
        raise ValueError(f"mode has to be one of sum, mean or max, not {mode!r}")
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(f"embedding_bag: per_sample_weights was not None, but mode is '{mode}', not 'sum'")
    padding_idx = _padding("embedding_bag", padding_idx, weight)
    if max_norm is not None:
        _shorten(weight, input, max_norm, norm_type)
    bag, count = _bags(input, offsets, include_last_offset)
    input = input.reshape(-1)
    factors = None if per_sample_weights is None else per_sample_weights.reshape(-1)
    if padding_idx is not None:
        kept = input != padding_idx
        input, bag, factors = input[kept], bag[kept], None if factors is None else factors[kept]
    return ops._embedding_bag(weight, input, bag, count, mode, factors, scale_grad_by_freq)


def _bags(input, offsets, include_last):
    """The bag that each number belongs to, and how many bags there are."""
    if input.ndim == 2:
        if offsets is not None:
            raise ValueError("if input is 2D, then offsets has to be None, as input is treated as bags of equal length")
        count, length = input.shape
        return wrap(np.repeat(devices.arange(count, like=input.array), length)), count
    if input.ndim != 1:
        raise ValueError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.ndim}")
    if offsets is None or offsets.ndim != 1:
        raise ValueError("offsets has to be a 1D Tensor where the input is 1D")
    starts, length = offsets.array, input.shape[0]
    looks = starts.size and devices.looks(starts)
    if looks and starts[-1] > length:
        raise RuntimeError(f"offsets[-1] can not be greater than input's length {length}, but got {starts[-1]}")
    if include_last:
        if not starts.size:
            raise RuntimeError("include_last_offset: number of offset should be at least 1")
        starts = starts[:-1]
    if looks and starts[0] != 0:
        raise RuntimeError(
            f"offsets[0] has to be 0, i.e., the first sequence has to start from position 0; got {starts[0]}"
        )
    bag = np.searchsorted(starts, devices.arange(length, like=starts), side="right") - 1
    return wrap(bag), starts.size


# --- dropout ---------------------------------------------------------------------------------------------------------


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Each element is 0 with probability p, else multiplied by 1 / (1 - p)."""
    return _drop(input, p, training, inplace)


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Dropout of whole channels: (N, C, L) or (C, L)."""
    if input.ndim not in (2, 3):
        raise RuntimeError(f"dropout1d: Expected 2D or 3D input, but received a {input.ndim}D input")
    return _drop(input, p, training, inplace, leading=input.ndim - 1)


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Dropout of whole channels: (N, C, H, W)."""
    if input.ndim == 3:
        tell("dropout2d: a 3-D input is read as (N, C, L), with whole rows dropped; write dropout1d for it.")
    elif input.ndim != 4:
        tell(f"dropout2d: meant for (N, C, H, W), but the input has {input.ndim} dimensions.")
    return _drop(input, p, training, inplace, leading=2)


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Dropout of whole channels: (N, C, D, H, W) or (C, D, H, W)."""
    if input.ndim not in (4, 5):
        tell(f"dropout3d: meant for (N, C, D, H, W) or (C, D, H, W), but the input has {input.ndim} dimensions.")
    return _drop(input, p, training, inplace, leading=2 if input.ndim > 4 else 1)


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Dropout that keeps mean 0 and variance 1, for networks of selu."""
    return _drop(input, p, training, inplace, alpha=True)


def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Alpha dropout of whole channels."""
    return _drop(input, p, training, inplace, alpha=True, leading=2)


def dropout_mask(shape: tuple[int, ...], p: float, like: Tensor) -> Tensor:
    """What dropout multiplies with: 0 with probability p, else 1 / (1 - p)."""
    return ops._dropout(like.new_ones(shape), random.rand(shape, device=like.device) >= p, 1 / (1 - p))


def _drop(input, p, training, inplace, alpha=False, leading=None):
    """Dropout by a mask with one flag an element, or one for all that share the `leading` indices."""
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    if not training or not p:
        return input
    if not (input.is_floating_point() or input.is_complex()):
        wrong = f"result type Float can't be cast to the desired output type {input.dtype}"
        raise RuntimeError(message("dropout", wrong, instead="input.float()"))
    shape = input.array.shape
    if leading is not None:
        if len(shape) < 2:
            raise RuntimeError(f"Feature dropout requires at least 2 dimensions in the input, but got {len(shape)}")
        shape = (*shape[:leading], *[1] * (len(shape) - leading))
    mask = random.rand(shape, device=input.device) >= p
    if alpha:
        return (_alpha_dropout_ if inplace else ops._alpha_dropout)(input, mask, p)
    return (_dropout_ if inplace else ops._dropout)(input, mask, 1 / (1 - p) if p < 1 else 0.0)


_dropout_, _alpha_dropout_ = in_place(ops._dropout), in_place(ops._alpha_dropout)

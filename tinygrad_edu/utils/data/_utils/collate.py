"""From a list of samples to a batch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

from ....dtypes import OF_NUMPY, float64
from ....ops import as_tensor, stack, tensor
from ....ops.misuse import explain_all as _explain_all
from ....tensor import Tensor

Rules = dict[Any, Callable]  # a type, or a tuple of types, and how a list of such samples becomes a batch

WRONG = "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"


def _numeric(array: Any) -> bool:
    return array.dtype in OF_NUMPY


def default_convert(data: Any) -> Any:
    """A sample with its NumPy arrays as tensors, whatever they are nested in; anything else as it is."""
    if isinstance(data, Tensor):
        return data
    if isinstance(data, (np.ndarray, np.generic)):
        return as_tensor(data) if _numeric(data) else data
    if isinstance(data, Mapping):
        return _like(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*map(default_convert, data))
    if isinstance(data, tuple):
        return [default_convert(value) for value in data]
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _like(data, [default_convert(value) for value in data])
    return data


def _like(sample: Any, values: Any) -> Any:
    """A dictionary or list in the class of `sample`, where this can be made or changed into it."""
    try:
        if isinstance(sample, (MutableMapping, MutableSequence)) and type(sample) not in (dict, list):
            made = copy.copy(sample)  # keeps what the class has beside its items
            if isinstance(made, MutableMapping):
                made.update(values)
            else:
                made[:] = values
            return made
        return type(sample)(values)
    except TypeError:
        return values  # a class of the user's that is made in another way


def collate(batch: Any, *, collate_fn_map: Rules | None = None) -> Any:
    """A batch from a list of samples, by type: the map's rule, else dictionaries and sequences item by item."""
    sample, rules = batch[0], collate_fn_map or {}
    rule = rules.get(type(sample))
    if rule is None:
        rule = next((rule for kind, rule in rules.items() if isinstance(sample, kind)), None)
    if rule is not None:
        return rule(batch, collate_fn_map=collate_fn_map)
    again = lambda column: collate(column, collate_fn_map=collate_fn_map)  # noqa: E731
    if isinstance(sample, Mapping):
        return _like(sample, {key: again([each[key] for each in batch]) for key in sample})
    if isinstance(sample, Sequence):
        if any(len(each) != len(sample) for each in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        columns = [again(column) for column in zip(*batch, strict=True)]
        if isinstance(sample, tuple):
            return type(sample)(*columns) if hasattr(sample, "_fields") else columns
        return _like(sample, columns)
    hint = (
        "; was a return forgotten in __getitem__?"
        if sample is None
        else "; write a collate_fn for samples of this kind"
    )
    raise TypeError(WRONG.format(type(sample)) + hint)


def collate_tensor_fn(batch: Any, *, collate_fn_map: Rules | None = None) -> Tensor:
    """Tensors of one shape, stacked."""
    shape = batch[0].array.shape
    for i, each in enumerate(batch):
        if each.array.shape != shape:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(shape)} at entry 0 and "
                f"{list(each.shape)} at entry {i}; samples of different sizes need a collate_fn of your own"
            )
    return stack(list(batch), 0)


def collate_numpy_array_fn(batch: Any, *, collate_fn_map: Rules | None = None) -> Tensor:
    """NumPy arrays of one shape, stacked."""
    if not _numeric(batch[0]):
        raise TypeError(WRONG.format(batch[0].dtype))
    return collate([as_tensor(each) for each in batch], collate_fn_map=collate_fn_map)


def collate_numpy_scalar_fn(batch: Any, *, collate_fn_map: Rules | None = None) -> Tensor:
    """NumPy numbers."""
    return as_tensor(np.array(batch))


def collate_float_fn(batch: Any, *, collate_fn_map: Rules | None = None) -> Tensor:
    """Python floats, in double precision as they are."""
    return tensor(batch, dtype=float64)


def collate_int_fn(batch: Any, *, collate_fn_map: Rules | None = None) -> Tensor:
    """Python integers or truth values."""
    return tensor(batch)


def collate_str_fn(batch: Any, *, collate_fn_map: Rules | None = None) -> Any:
    """Texts stay a list."""
    return batch


default_collate_fn_map: Rules = {
    Tensor: collate_tensor_fn,
    np.ndarray: collate_numpy_array_fn,
    (np.bool_, np.number, np.object_): collate_numpy_scalar_fn,
    float: collate_float_fn,
    int: collate_int_fn,
    str: collate_str_fn,
    bytes: collate_str_fn,
}


def default_collate(batch: Any) -> Any:
    """A batch from a list of samples: tensors, arrays and numbers stacked, containers kept."""
    return collate(batch, collate_fn_map=default_collate_fn_map)


__all__ = ["collate", "default_collate", "default_collate_fn_map", "default_convert"]

_explain_all(globals())

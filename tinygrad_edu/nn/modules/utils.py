"""What layers share that has nothing to do with tensors."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any

from ...errors import message

__all__ = ["consume_prefix_in_state_dict_if_present"]


def _ntuple(n: int, name: str) -> Callable[[Any], tuple]:
    def parse(x: Any) -> tuple:
        return tuple(x) if isinstance(x, Iterable) else (x,) * n

    parse.__name__ = name
    parse.__doc__ = f"A value for each of {n} dimensions: one stands for all."
    return parse


_single = _ntuple(1, "_single")
_pair = _ntuple(2, "_pair")
_triple = _ntuple(3, "_triple")
_quadruple = _ntuple(4, "_quadruple")


def _reverse_repeat_tuple(t: tuple, n: int) -> tuple:
    """(a, b) as (b, b, a, a): from widths for each dimension to those of `F.pad`, which begins with the last."""
    return tuple(x for x in reversed(t) for _ in range(n))


def need_sizes(layer: str, **sizes: Any) -> None:
    """Raise for a size of a layer that is not a whole number, or below zero: by its name, before anything is made."""
    for name, size in sizes.items():
        try:
            negative = operator.index(size) < 0
        except TypeError:
            wrong = f"{name} must be an int, not {type(size).__name__} {size!r}"
            raise TypeError(message(layer, wrong)) from None
        if negative:
            raise RuntimeError(message(layer, f"{name} must not be negative, but is {size}"))


def consume_prefix_in_state_dict_if_present(state_dict: dict[str, Any], prefix: str) -> None:
    """Take a prefix, such as that of a data-parallel wrapper, off the keys of a state dict, in place."""
    for key in list(state_dict):
        if key.startswith(prefix):
            state_dict[key[len(prefix) :]] = state_dict.pop(key)
    metadata: dict[str, Any] = getattr(state_dict, "_metadata", {})
    for key in list(metadata):
        # the wrapper's own entry is "", then "module" for what it wraps
        if key == prefix.rstrip(".") or key.startswith(prefix):
            metadata[key[len(prefix) :]] = metadata.pop(key)

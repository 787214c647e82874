"""Functions that PyTorch has at the top beside a tensor's methods, and a few from its early years."""

from __future__ import annotations

import warnings
from typing import Any

from . import dtypes
from .ops import arange
from .ops.misuse import explain_all, explained
from .storage import Storage
from .tensor import Tensor


def numel(input: Tensor) -> int:
    """The number of elements."""
    return input.numel()


def detach(input: Tensor) -> Tensor:
    """The same memory as a tensor that is no part of the graph."""
    return input.detach()


def detach_(input: Tensor) -> Tensor:
    """Leave the graph."""
    return input.detach_()


def is_signed(input: Tensor) -> bool:
    """Whether the elements can be negative."""
    return input.is_signed()


def is_inference(input: Tensor) -> bool:
    """Whether a tensor can never take part in a graph: no tensor is marked so here."""
    return False


def get_device(input: Tensor) -> int:
    """The number of the GPU that a tensor lives on, -1 for the CPU."""
    return (input.device.index or 0) if input.is_cuda else -1


def is_storage(obj: Any) -> bool:
    """Whether an object is a tensor's storage."""
    return isinstance(obj, Storage)


def result_type(tensor1: Any, tensor2: Any) -> dtypes.dtype:
    """The dtype of an operation on two tensors or numbers."""
    for value in (tensor1, tensor2):
        if not isinstance(value, (Tensor, bool, int, float, complex)):
            raise TypeError(f"result_type(): an argument must be Tensor or Number, not {type(value).__name__}")
    return dtypes.result_type(*(t.array if isinstance(t, Tensor) else t for t in (tensor1, tensor2)))


def range(start: float = 0, end: float = 0, step: float = 1, **options: Any) -> Tensor:
    """Evenly spaced numbers of the default dtype from `start` to `end`, which is one of them."""
    warnings.warn("torch.range includes its end and is deprecated; write torch.arange", UserWarning, stacklevel=3)
    options.setdefault("dtype", dtypes.get_default_dtype())
    count = int((end - start) / step) + 1
    return arange(count, **options) * step + start


# in `dtypes` they are called at every promotion
can_cast, promote_types = explained(dtypes.can_cast), explained(dtypes.promote_types)
explain_all(globals(), strict=True)

__all__ = [
    "can_cast",
    "detach",
    "detach_",
    "get_device",
    "is_inference",
    "is_signed",
    "is_storage",
    "numel",
    "promote_types",
    "range",
    "result_type",
]

"""How new tensors are made: the options that all creation functions share. No operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict

import numpy as np

from .. import devices, dtypes
from ..call import store_one
from ..errors import translated
from ..tensor import Tensor, new


class Options(TypedDict, total=False):
    """The keywords that every creation function takes."""

    dtype: dtypes.dtype | None
    device: devices.device | str | int | None
    requires_grad: bool
    out: Tensor | None
    layout: layout | None
    memory_format: memory_format | None
    pin_memory: bool


class layout:
    """How elements are stored. Tensors here are all `strided`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"


class memory_format(layout):
    """In which order dimensions lie in memory."""


strided, sparse_coo, sparse_csr = layout("strided"), layout("sparse_coo"), layout("sparse_csr")
contiguous_format, preserve_format = memory_format("contiguous_format"), memory_format("preserve_format")
channels_last, channels_last_3d = memory_format("channels_last"), memory_format("channels_last_3d")


def made(
    what: str,
    make: Callable[[Any, np.dtype], Any],
    default: dtypes.dtype | None = None,
    *,
    dtype: dtypes.dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
    out: Tensor | None = None,
    layout: layout | None = None,
    memory_format: memory_format | None = None,
    pin_memory: bool = False,
) -> Tensor:
    """A new tensor whose array is `make(module, dtype)`, with the module of its device."""
    if layout not in (None, strided):
        raise NotImplementedError(f"{what}: layout {layout} is not supported; leave out layout= (torch.strided)")
    if out is not None:
        if dtype is not None and dtype is not out.dtype:
            raise RuntimeError(f"{what}: dtype {dtype} does not match dtype of out parameter ({out.dtype})")
        default, device = out.dtype, out.device
    where = devices.as_device(device)
    kind = dtypes.as_dtype(dtype) if dtype is not None else default or dtypes.get_default_dtype()
    try:
        array = devices.move(make(devices.module(where), kind.numpy), where)
    except MemoryError as error:
        raise translated(what, [], error) from error
    t = new(Tensor)
    t.array, t.node = array, None
    if out is not None:
        return stored(what, t, out)
    return t.requires_grad_() if requires_grad else t


def stored(what: str, result: Tensor, out: Tensor | None, *inputs: Tensor, exact: bool = False) -> Tensor:
    """`result`, written into the tensor given as `out=`, which takes its shape and must not overlap the inputs."""
    if out is None:
        return result
    if out.dtype is not result.dtype and exact:
        raise RuntimeError(f"{what}(): Expected out tensor to have dtype {result.dtype}, but got {out.dtype} instead")
    if out.device != result.device:
        raise RuntimeError(f"{what}(): Expected all tensors to be on the same device, but out is on {out.device}")
    if any(np.may_share_memory(out.array, x.array) for x in inputs):
        raise RuntimeError(
            f"{what}(): unsupported operation: some elements of the input tensor and the written-to tensor refer to a "
            "single memory location. Please clone() the tensor before performing the operation."
        )
    return store_one(what, result, out)


def number(value: Any) -> Any:
    """A Python number, also out of a tensor of one element."""
    return value.item() if isinstance(value, (Tensor, np.generic, np.ndarray)) else value

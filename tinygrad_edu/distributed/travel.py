"""What every call of several processes does with a tensor: its numbers are made fit for their way, and put in at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import devices
from ..errors import describe, message
from ..tensor import Tensor
from .groups import ProcessGroup, member
from .transport import ReduceOp, Transport
from .work import Work


def sent(tensor: Tensor, way: Transport) -> Any:
    """The numbers as an array that the transport can read and write: the tensor's own where that is possible."""
    array = tensor.array
    if way.place == "cpu" and type(array) is not np.ndarray:
        return devices.to_pinned(array)
    own = array.flags.c_contiguous and getattr(array.flags, "writeable", True)
    return array if own else array.copy()


def addable(tensor: Tensor, way: Transport) -> Any:
    """The same in a type that can be reduced: halves as singles, which also keeps their sum accurate."""
    array = sent(tensor, way)
    kind = array.dtype.kind + str(array.dtype.itemsize)
    return array.astype(np.float32) if kind == "f2" else array.view(np.uint8) if kind == "b1" else array


def put(tensor: Tensor, array: Any) -> None:
    """Numbers that have come, in a tensor; it is written over as by any operation in place."""
    if array is not tensor.array:
        if type(array) is not type(tensor.array):
            array = devices.asarray(array, like=tensor.array)
        tensor.array[...] = array.reshape(tensor.array.shape)
    tensor.version().write()


def put_all(tensors: Sequence[Tensor], parts: Any) -> None:
    """One part for each tensor."""
    for tensor, part in zip(tensors, parts, strict=True):
        put(tensor, part)


def room(x: Any, size: int) -> Any:
    """Room for what every process has sent."""
    return devices.empty((size, *x.shape), x.dtype, like=x)


def operation(what: str, tensor: Tensor, op: ReduceOp) -> ReduceOp:
    """How the transport reduces a tensor of this type; an error for what has no meaning."""
    if not isinstance(op, ReduceOp):
        raise TypeError(f"{what}: op is to be one of ReduceOp, not {op!r}")
    kind = tensor.array.dtype.kind
    without = {"f": "BAND BOR BXOR", "c": "BAND BOR BXOR MIN MAX", "b": "AVG", "i": "AVG", "u": "AVG"}
    if op.name in without[kind].split():
        raise RuntimeError(message(what, f"Cannot use ReduceOp.{op.name} with {tensor.dtype}"))
    of_bool = {ReduceOp.SUM: ReduceOp.MAX, ReduceOp.PRODUCT: ReduceOp.MIN}  # true is 1, and stays 1
    return of_bool.get(op, op) if kind == "b" else op


def averaged(array: Any, op: ReduceOp, size: int) -> Any:
    """A sum as what was asked for."""
    if op is ReduceOp.AVG:
        array /= size
    return array


def group_for(what: str, group: Any, *tensors: Any) -> ProcessGroup | None:
    """The group that a call is meant for, None in a process that is not in it; an error for what is no tensor."""
    for tensor in tensors:
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{what}: expected a tensor, but got {type(tensor).__name__}")
    return member(what, group)


def need_each(what: str, tensors: Sequence[Tensor] | None, size: int) -> Sequence[Tensor]:
    """A list that has one tensor for each process."""
    if tensors is None or len(tensors) != size:
        found = "none was given" if tensors is None else f"{len(tensors)} were given"
        raise ValueError(message(what, f"a list of {size} tensors is wanted, one for each process, but {found}"))
    for i, t in enumerate(tensors):
        if not isinstance(t, Tensor):
            raise TypeError(f"{what}: expected a list of tensors, but element {i} is a {type(t).__name__}")
    return tensors


def need_alike(what: str, tensors: Sequence[Tensor] | None, like: Tensor, size: int) -> Sequence[Tensor]:
    """A list that has one tensor for each process, all as long as `like` and of its type."""
    tensors = need_each(what, tensors, size)
    for i, t in enumerate(tensors):
        if t.array.shape != like.array.shape or t.array.dtype != like.array.dtype:
            raise ValueError(message(what, f"tensor {i} of the list is {describe(t)}, and the other {describe(like)}"))
    return tensors


def need_share(what: str, whole: Tensor, share: Tensor, size: int) -> None:
    """One tensor for all processes has `size` times the elements of one process's."""
    if whole.array.size != size * share.array.size or whole.array.dtype != share.array.dtype:
        raise ValueError(message(what, f"{describe(whole)} is not {size} times {describe(share)}"))


def need_splits(what: str, tensor: Tensor, splits: Sequence[int] | None, size: int) -> list[int]:
    """How many rows of a tensor are each process's: equally many if nothing is said."""
    rows = len(tensor.array) if tensor.array.ndim else 1
    equal = [rows // size] * size
    splits = list(splits or equal)
    if len(splits) != size or sum(splits) != rows or min(splits) < 0:
        how = "equally" if splits == equal else f"as {splits}"
        raise RuntimeError(message(what, f"{describe(tensor)} cannot be divided {how} among {size} processes"))
    return splits


def root_of(group: ProcessGroup, root: int | None, inside: int | None) -> int:
    """The one process of a call, by its number in the group; the first if none is named."""
    if root is not None and inside is not None:
        raise ValueError("a process is named by its rank among all, or by its rank in the group, not by both")
    found = inside if inside is not None else 0 if root is None else group.inside(root)
    if not 0 <= found < group.size():
        raise ValueError(f"there is no rank {found} in a group of {group.size()} processes")
    return found


def begun(work: Work, async_op: bool) -> Work | None:
    """The work under way, if it was asked for; without that it is waited for."""
    if async_op:
        return work
    work.wait()
    return None

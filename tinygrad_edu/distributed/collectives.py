"""What all processes of a group do together with a tensor; with `async_op=True` it ends in `Work.wait()`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from .. import devices
from ..errors import describe, message
from ..tensor import Tensor
from .groups import ProcessGroup
from .transport import Pieces, ReduceOp, Transport
from .travel import (
    addable,
    averaged,
    begun,
    group_for,
    need_alike,
    need_each,
    need_share,
    need_splits,
    operation,
    put,
    put_all,
    room,
    root_of,
    sent,
)
from .work import Work

# --- one value out of all, one value for all ------------------------------------------------------------------------


def all_reduce(tensor: Tensor, op: ReduceOp = ReduceOp.SUM, group: Any = None, async_op: bool = False) -> Work | None:
    """x = x₀ + x₁ + ... over all processes, in place; with `op` the average, the product, ..."""
    g = group_for("all_reduce", group, tensor)
    if g is None:
        return None
    way, known = g.transport(tensor.array), operation("all_reduce", tensor, op)
    x = addable(tensor, way)
    work = g.begin(
        f"all_reduce({describe(tensor)}, {op.name})",
        lambda: way.all_reduce(x, known),
        lambda: put(tensor, averaged(x, op, g.size())),
    )
    return begun(work, async_op)


def reduce(
    tensor: Tensor,
    dst: int | None = None,
    op: ReduceOp = ReduceOp.SUM,
    group: Any = None,
    async_op: bool = False,
    group_dst: int | None = None,
) -> Work | None:
    """x = x₀ + x₁ + ... in the process `dst`."""
    g = group_for("reduce", group, tensor)
    if g is None:
        return None
    way, known, root = g.transport(tensor.array), operation("reduce", tensor, op), root_of(g, dst, group_dst)
    x = addable(tensor, way)
    work = g.begin(
        f"reduce({describe(tensor)}, {op.name}, dst={g.ranks[root]})",
        lambda: way.reduce(x, known, root),
        lambda: put(tensor, averaged(x, op, g.size())) if g.rank() == root else None,
        rooted=True,
    )
    return begun(work, async_op)


def broadcast(
    tensor: Tensor, src: int | None = None, group: Any = None, async_op: bool = False, group_src: int | None = None
) -> Work | None:
    """x = the x of the process `src`."""
    g = group_for("broadcast", group, tensor)
    if g is None:
        return None
    way, root = g.transport(tensor.array), root_of(g, src, group_src)
    x = sent(tensor, way)
    work = g.begin(
        f"broadcast({describe(tensor)}, src={g.ranks[root]})",
        lambda: way.broadcast(x, root),
        lambda: put(tensor, x) if g.rank() != root else None,
        rooted=True,
    )
    return begun(work, async_op)


# --- many values ----------------------------------------------------------------------------------------------------


def all_gather(tensor_list: list[Tensor], tensor: Tensor, group: Any = None, async_op: bool = False) -> Work | None:
    """tensor_list[k] = the tensor of process k."""
    g = group_for("all_gather", group, tensor)
    if g is None:
        return None
    need_alike("all_gather", tensor_list, tensor, g.size())
    way = g.transport(tensor.array)
    x = sent(tensor, way)
    parts = room(x, g.size())
    work = g.begin(
        f"all_gather({describe(tensor)})",
        lambda: way.all_gather(parts, x),
        lambda: put_all(tensor_list, parts),
    )
    return begun(work, async_op)


def all_gather_into_tensor(
    output_tensor: Tensor, input_tensor: Tensor, group: Any = None, async_op: bool = False
) -> Work | None:
    """The tensors of all processes, one after the other in one tensor."""
    g = group_for("all_gather_into_tensor", group, output_tensor, input_tensor)
    if g is None:
        return None
    need_share("all_gather_into_tensor", output_tensor, input_tensor, g.size())
    way = g.transport(input_tensor.array)
    x = sent(input_tensor, way)
    parts = room(x, g.size())
    work = g.begin(
        f"all_gather({describe(input_tensor)})",
        lambda: way.all_gather(parts, x),
        lambda: put(output_tensor, parts),
    )
    return begun(work, async_op)


def gather(
    tensor: Tensor,
    gather_list: list[Tensor] | None = None,
    dst: int | None = None,
    group: Any = None,
    async_op: bool = False,
    group_dst: int | None = None,
) -> Work | None:
    """gather_list[k] = the tensor of process k, in the process `dst`."""
    g = group_for("gather", group, tensor)
    if g is None:
        return None
    way, root = g.transport(tensor.array), root_of(g, dst, group_dst)
    mine = g.rank() == root
    if mine:
        need_alike("gather", gather_list, tensor, g.size())
    elif gather_list:
        raise ValueError(f"gather: only the process that gathers, rank {g.ranks[root]}, gives a gather_list")
    x = sent(tensor, way)
    parts = room(x, g.size()) if mine else None
    work = g.begin(
        f"gather({describe(tensor)}, dst={g.ranks[root]})",
        lambda: way.gather(parts, x, root),
        lambda: put_all(gather_list or (), parts) if mine else None,
        rooted=True,
    )
    return begun(work, async_op)


def scatter(
    tensor: Tensor,
    scatter_list: list[Tensor] | None = None,
    src: int | None = None,
    group: Any = None,
    async_op: bool = False,
    group_src: int | None = None,
) -> Work | None:
    """tensor = scatter_list[rank] of the process `src`."""
    g = group_for("scatter", group, tensor)
    if g is None:
        return None
    way, root = g.transport(tensor.array), root_of(g, src, group_src)
    x, parts = sent(tensor, way), None
    if g.rank() == root:
        given = need_alike("scatter", scatter_list, tensor, g.size())
        parts = room(x, g.size())
        for k, t in enumerate(given):
            parts[k] = sent(t, way)
    elif scatter_list:
        raise ValueError(f"scatter: only the process that scatters, rank {g.ranks[root]}, gives a scatter_list")
    work = g.begin(
        f"scatter({describe(tensor)}, src={g.ranks[root]})",
        lambda: way.scatter(x, parts, root),
        lambda: put(tensor, x),
        rooted=True,
    )
    return begun(work, async_op)


def reduce_scatter(
    output: Tensor, input_list: list[Tensor], op: ReduceOp = ReduceOp.SUM, group: Any = None, async_op: bool = False
) -> Work | None:
    """output = the sum over all processes of their input_list[rank]."""
    g = group_for("reduce_scatter", group, output)
    if g is None:
        return None
    given = need_alike("reduce_scatter", input_list, output, g.size())
    way = g.transport(output.array)
    first = addable(given[0], way)
    parts = room(first, g.size())
    for k, t in enumerate(given):
        parts[k] = addable(t, way)
    return _reduce_scatter(g, way, output, parts, op, async_op)


def reduce_scatter_tensor(
    output: Tensor, input: Tensor, op: ReduceOp = ReduceOp.SUM, group: Any = None, async_op: bool = False
) -> Work | None:
    """output = the sum over all processes of the part of `input` that is this one's."""
    g = group_for("reduce_scatter_tensor", group, output, input)
    if g is None:
        return None
    need_share("reduce_scatter_tensor", input, output, g.size())
    way = g.transport(output.array)
    parts = addable(input, way).reshape(g.size(), *output.array.shape)
    return _reduce_scatter(g, way, output, parts, op, async_op)


def _reduce_scatter(
    g: ProcessGroup, way: Transport, output: Tensor, parts: Any, op: ReduceOp, async_op: bool
) -> Work | None:
    known = operation("reduce_scatter", output, op)
    x = devices.empty(output.array.shape, parts.dtype, like=parts)
    work = g.begin(
        f"reduce_scatter({describe(output)}, {op.name})",
        lambda: way.reduce_scatter(x, parts, known),
        lambda: put(output, averaged(x, op, g.size())),
    )
    return begun(work, async_op)


def all_to_all(
    output_tensor_list: list[Tensor], input_tensor_list: list[Tensor], group: Any = None, async_op: bool = False
) -> Work | None:
    """output_tensor_list[k] = input_tensor_list[rank] of process k; they need not be of one length."""
    what = "all_to_all"
    g = group_for(what, group)
    if g is None:
        return None
    given, wanted = need_each(what, input_tensor_list, g.size()), need_each(what, output_tensor_list, g.size())
    kinds = {t.array.dtype for t in (*given, *wanted)}
    if len(kinds) > 1:
        raise ValueError(message(what, f"the tensors are of different types: {', '.join(map(str, kinds))}"))
    way = g.transport(given[0].array)
    x = np.concatenate([sent(t, way).reshape(-1) for t in given])
    counts, to_come = ([t.array.size for t in tensors] for tensors in (given, wanted))
    parts = devices.empty(sum(to_come), x.dtype, like=x)
    ends = list(accumulate(to_come))
    pieces = [parts[end - n : end] for end, n in zip(ends, to_come, strict=True)]
    return _all_to_all(g, way, (x, counts), (parts, to_come), lambda: put_all(wanted, pieces), async_op)


def all_to_all_single(
    output: Tensor,
    input: Tensor,
    output_split_sizes: Sequence[int] | None = None,
    input_split_sizes: Sequence[int] | None = None,
    group: Any = None,
    async_op: bool = False,
) -> Work | None:
    """Rows of every process for every process: the part of `input` that is process k's becomes one of its `output`."""
    what = "all_to_all_single"
    g = group_for(what, group, output, input)
    if g is None:
        return None
    if input.array.shape[1:] != output.array.shape[1:] or input.array.dtype != output.array.dtype:
        raise ValueError(message(what, f"rows of {describe(input)} do not fit into {describe(output)}"))
    rows, to_come = (
        need_splits(what, t, splits, g.size())
        for t, splits in ((input, input_split_sizes), (output, output_split_sizes))
    )
    way = g.transport(input.array)
    x = sent(input, way)
    parts = devices.empty(output.array.shape, x.dtype, like=x)
    width = math.prod(x.shape[1:])
    counts, to_come = ([n * width for n in splits] for splits in (rows, to_come))
    return _all_to_all(g, way, (x, counts), (parts, to_come), lambda: put(output, parts), async_op)


def _all_to_all(
    g: ProcessGroup, way: Transport, given: Pieces, wanted: Pieces, finish: Callable[[], None], async_op: bool
) -> Work | None:
    work = g.begin(
        f"all_to_all({given[0].dtype})",
        lambda: way.all_to_all(wanted, given),
        finish,
        pieces=(given[1], wanted[1]),
    )
    return begun(work, async_op)

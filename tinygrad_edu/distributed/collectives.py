"""What the processes of a group do together with a tensor.

Each call makes a tensor's numbers fit for the way that they take (`_sent`), begins the transfer, and puts what has come
into the tensors at its end (`_put`). With `async_op=True` the end is `Work.wait()`.
"""

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

# --- a tensor's numbers on their way --------------------------------------------------------------------------------


def _sent(tensor: Tensor, way: Transport) -> Any:
    """The numbers as an array that the transport can read and write: the tensor's own where that is possible."""
    array = tensor.array
    if way.place == "cpu" and type(array) is not np.ndarray:
        return devices.to_pinned(array)
    own = array.flags.c_contiguous and getattr(array.flags, "writeable", True)
    return array if own else array.copy()


def _addable(tensor: Tensor, way: Transport) -> Any:
    """The same in a type that can be reduced: halves as singles, which also keeps their sum accurate."""
    array = _sent(tensor, way)
    kind = array.dtype.kind + str(array.dtype.itemsize)
    return array.astype(np.float32) if kind == "f2" else array.view(np.uint8) if kind == "b1" else array


def _put(tensor: Tensor, array: Any) -> None:
    """Numbers that have come, in a tensor; it is written over as by any operation in place."""
    if array is not tensor.array:
        if type(array) is not type(tensor.array):
            array = devices.asarray(array, like=tensor.array)
        tensor.array[...] = array.reshape(tensor.array.shape)
    tensor.version().write()


def _put_all(tensors: Sequence[Tensor], parts: Any) -> None:
    for tensor, part in zip(tensors, parts, strict=True):
        _put(tensor, part)


def _parts(x: Any, size: int) -> Any:
    """Room for what every process has sent."""
    return devices.empty((size, *x.shape), x.dtype, like=x)


def _operation(what: str, tensor: Tensor, op: ReduceOp) -> ReduceOp:
    """How the transport reduces a tensor of this type; an error for what has no meaning."""
    if not isinstance(op, ReduceOp):
        raise TypeError(f"{what}: op is to be one of ReduceOp, not {op!r}")
    kind = tensor.array.dtype.kind
    without = {"f": "BAND BOR BXOR", "c": "BAND BOR BXOR MIN MAX", "b": "AVG", "i": "AVG", "u": "AVG"}
    if op.name in without[kind].split():
        raise RuntimeError(message(what, f"Cannot use ReduceOp.{op.name} with {tensor.dtype}"))
    of_bool = {ReduceOp.SUM: ReduceOp.MAX, ReduceOp.PRODUCT: ReduceOp.MIN}  # true is 1, and stays 1
    return of_bool.get(op, op) if kind == "b" else op


def _averaged(array: Any, op: ReduceOp, size: int) -> Any:
    if op is ReduceOp.AVG:
        array /= size
    return array


# --- what is checked, and the end -----------------------------------------------------------------------------------


def _group(what: str, group: Any, *tensors: Any) -> ProcessGroup | None:
    for tensor in tensors:
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{what}: expected a tensor, but got {type(tensor).__name__}")
    return member(what, group)


def _need_alike(what: str, tensors: Sequence[Tensor] | None, like: Tensor, size: int) -> Sequence[Tensor]:
    """A list that has one tensor for each process, all as long as `like` and of its type."""
    if tensors is None or len(tensors) != size:
        found = "none was given" if tensors is None else f"{len(tensors)} were given"
        raise ValueError(message(what, f"a list of {size} tensors is wanted, one for each process, but {found}"))
    for i, t in enumerate(tensors):
        if not isinstance(t, Tensor):
            raise TypeError(f"{what}: expected a list of tensors, but element {i} is a {type(t).__name__}")
        if t.array.shape != like.array.shape or t.array.dtype != like.array.dtype:
            raise ValueError(message(what, f"tensor {i} of the list is {describe(t)}, and the other {describe(like)}"))
    return tensors


def _need_share(what: str, whole: Tensor, share: Tensor, size: int) -> None:
    """One tensor for all processes has `size` times the elements of one process's."""
    if whole.array.size != size * share.array.size or whole.array.dtype != share.array.dtype:
        raise ValueError(message(what, f"{describe(whole)} is not {size} times {describe(share)}"))


def _root(group: ProcessGroup, root: int | None, inside: int | None) -> int:
    """The one process of a call, by its number in the group; the first if none is named."""
    if root is not None and inside is not None:
        raise ValueError("a process is named by its rank among all, or by its rank in the group, not by both")
    found = inside if inside is not None else 0 if root is None else group.inside(root)
    if not 0 <= found < group.size():
        raise ValueError(f"there is no rank {found} in a group of {group.size()} processes")
    return found


def _run(work: Work, async_op: bool) -> Work | None:
    if async_op:
        return work
    work.wait()
    return None


# --- one value out of all, one value for all ------------------------------------------------------------------------


def all_reduce(tensor: Tensor, op: ReduceOp = ReduceOp.SUM, group: Any = None, async_op: bool = False) -> Work | None:
    """x = x₀ + x₁ + ... over all processes, in place; with `op` the average, the product, ..."""
    g = _group("all_reduce", group, tensor)
    if g is None:
        return None
    way, known = g.transport(tensor.array), _operation("all_reduce", tensor, op)
    x = _addable(tensor, way)
    work = g.begin(
        f"all_reduce({describe(tensor)}, {op.name})",
        way,
        lambda: way.all_reduce(x, known),
        lambda: _put(tensor, _averaged(x, op, g.size())),
    )
    return _run(work, async_op)


def reduce(
    tensor: Tensor,
    dst: int | None = None,
    op: ReduceOp = ReduceOp.SUM,
    group: Any = None,
    async_op: bool = False,
    group_dst: int | None = None,
) -> Work | None:
    """x = x₀ + x₁ + ... in the process `dst`."""
    g = _group("reduce", group, tensor)
    if g is None:
        return None
    way, known, root = g.transport(tensor.array), _operation("reduce", tensor, op), _root(g, dst, group_dst)
    x = _addable(tensor, way)
    work = g.begin(
        f"reduce({describe(tensor)}, {op.name}, dst={g.ranks[root]})",
        way,
        lambda: way.reduce(x, known, root),
        lambda: _put(tensor, _averaged(x, op, g.size())) if g.rank() == root else None,
        everyone=False,
    )
    return _run(work, async_op)


def broadcast(
    tensor: Tensor, src: int | None = None, group: Any = None, async_op: bool = False, group_src: int | None = None
) -> Work | None:
    """x = the x of the process `src`."""
    g = _group("broadcast", group, tensor)
    if g is None:
        return None
    way, root = g.transport(tensor.array), _root(g, src, group_src)
    x = _sent(tensor, way)
    work = g.begin(
        f"broadcast({describe(tensor)}, src={g.ranks[root]})",
        way,
        lambda: way.broadcast(x, root),
        lambda: _put(tensor, x) if g.rank() != root else None,
        everyone=False,
    )
    return _run(work, async_op)


# --- many values ----------------------------------------------------------------------------------------------------


def all_gather(tensor_list: list[Tensor], tensor: Tensor, group: Any = None, async_op: bool = False) -> Work | None:
    """tensor_list[k] = the tensor of process k."""
    g = _group("all_gather", group, tensor)
    if g is None:
        return None
    _need_alike("all_gather", tensor_list, tensor, g.size())
    way = g.transport(tensor.array)
    x = _sent(tensor, way)
    parts = _parts(x, g.size())
    work = g.begin(
        f"all_gather({describe(tensor)})",
        way,
        lambda: way.all_gather(parts, x),
        lambda: _put_all(tensor_list, parts),
    )
    return _run(work, async_op)


def all_gather_into_tensor(
    output_tensor: Tensor, input_tensor: Tensor, group: Any = None, async_op: bool = False
) -> Work | None:
    """The tensors of all processes, one after the other in one tensor."""
    g = _group("all_gather_into_tensor", group, output_tensor, input_tensor)
    if g is None:
        return None
    _need_share("all_gather_into_tensor", output_tensor, input_tensor, g.size())
    way = g.transport(input_tensor.array)
    x = _sent(input_tensor, way)
    parts = _parts(x, g.size())
    work = g.begin(
        f"all_gather({describe(input_tensor)})",
        way,
        lambda: way.all_gather(parts, x),
        lambda: _put(output_tensor, parts),
    )
    return _run(work, async_op)


def gather(
    tensor: Tensor,
    gather_list: list[Tensor] | None = None,
    dst: int | None = None,
    group: Any = None,
    async_op: bool = False,
    group_dst: int | None = None,
) -> Work | None:
    """gather_list[k] = the tensor of process k, in the process `dst`."""
    g = _group("gather", group, tensor)
    if g is None:
        return None
    way, root = g.transport(tensor.array), _root(g, dst, group_dst)
    mine = g.rank() == root
    if mine:
        _need_alike("gather", gather_list, tensor, g.size())
    elif gather_list:
        raise ValueError(f"gather: only the process that gathers, rank {g.ranks[root]}, gives a gather_list")
    x = _sent(tensor, way)
    parts = _parts(x, g.size()) if mine else None
    work = g.begin(
        f"gather({describe(tensor)}, dst={g.ranks[root]})",
        way,
        lambda: way.gather(parts, x, root),
        lambda: _put_all(gather_list or (), parts) if mine else None,
        everyone=False,
    )
    return _run(work, async_op)


def scatter(
    tensor: Tensor,
    scatter_list: list[Tensor] | None = None,
    src: int | None = None,
    group: Any = None,
    async_op: bool = False,
    group_src: int | None = None,
) -> Work | None:
    """tensor = scatter_list[rank] of the process `src`."""
    g = _group("scatter", group, tensor)
    if g is None:
        return None
    way, root = g.transport(tensor.array), _root(g, src, group_src)
    x, parts = _sent(tensor, way), None
    if g.rank() == root:
        given = _need_alike("scatter", scatter_list, tensor, g.size())
        parts = _parts(x, g.size())
        for k, t in enumerate(given):
            parts[k] = _sent(t, way)
    elif scatter_list:
        raise ValueError(f"scatter: only the process that scatters, rank {g.ranks[root]}, gives a scatter_list")
    work = g.begin(
        f"scatter({describe(tensor)}, src={g.ranks[root]})",
        way,
        lambda: way.scatter(x, parts, root),
        lambda: _put(tensor, x),
        everyone=False,
    )
    return _run(work, async_op)


def reduce_scatter(
    output: Tensor, input_list: list[Tensor], op: ReduceOp = ReduceOp.SUM, group: Any = None, async_op: bool = False
) -> Work | None:
    """output = the sum over all processes of their input_list[rank]."""
    g = _group("reduce_scatter", group, output)
    if g is None:
        return None
    given = _need_alike("reduce_scatter", input_list, output, g.size())
    way = g.transport(output.array)
    first = _addable(given[0], way)
    parts = _parts(first, g.size())
    for k, t in enumerate(given):
        parts[k] = _addable(t, way)
    return _reduce_scatter(g, way, output, parts, op, async_op)


def reduce_scatter_tensor(
    output: Tensor, input: Tensor, op: ReduceOp = ReduceOp.SUM, group: Any = None, async_op: bool = False
) -> Work | None:
    """output = the sum over all processes of the part of `input` that is this one's."""
    g = _group("reduce_scatter_tensor", group, output, input)
    if g is None:
        return None
    _need_share("reduce_scatter_tensor", input, output, g.size())
    way = g.transport(output.array)
    parts = _addable(input, way).reshape(g.size(), *output.array.shape)
    return _reduce_scatter(g, way, output, parts, op, async_op)


def _reduce_scatter(
    g: ProcessGroup, way: Transport, output: Tensor, parts: Any, op: ReduceOp, async_op: bool
) -> Work | None:
    known = _operation("reduce_scatter", output, op)
    x = devices.empty(output.array.shape, parts.dtype, like=parts)
    work = g.begin(
        f"reduce_scatter({describe(output)}, {op.name})",
        way,
        lambda: way.reduce_scatter(x, parts, known),
        lambda: _put(output, _averaged(x, op, g.size())),
    )
    return _run(work, async_op)


# --- between two, and for none --------------------------------------------------------------------------------------


def isend(
    tensor: Tensor, dst: int | None = None, group: Any = None, tag: int = 0, group_dst: int | None = None
) -> Work | None:
    """Begin to hand a tensor to the process `dst`."""
    g = _group("send", group, tensor)
    if g is None:
        return None
    to = _other(g, "send", dst, group_dst)
    way = g.transport(tensor.array)
    x = _sent(tensor, way)
    what = f"send({describe(tensor)}, dst={g.ranks[to]}, tag={tag})"
    return g.begin(what, way, lambda: way.send(x, to, tag), everyone=False, compared=False)


def irecv(
    tensor: Tensor, src: int | None = None, group: Any = None, tag: int = 0, group_src: int | None = None
) -> Work | None:
    """Begin to take what the process `src` sends, or any process if none is named."""
    g = _group("recv", group, tensor)
    if g is None:
        return None
    source = None if src is None and group_src is None else _other(g, "recv", src, group_src)
    way = g.transport(tensor.array)
    x = _sent(tensor, way)
    what = f"recv({describe(tensor)}, src={'any' if source is None else g.ranks[source]}, tag={tag})"
    receive = lambda: way.recv(x, source, tag)  # noqa: E731
    return g.begin(what, way, receive, lambda: _put(tensor, x), everyone=False, compared=False)


def send(tensor: Tensor, dst: int | None = None, group: Any = None, tag: int = 0, group_dst: int | None = None) -> None:
    """Hand a tensor to the process `dst`."""
    work = isend(tensor, dst, group, tag, group_dst)
    if work is not None:
        work.wait()


def recv(tensor: Tensor, src: int | None = None, group: Any = None, tag: int = 0, group_src: int | None = None) -> int:
    """Take what the process `src` sends, or any process if none is named; the sender's rank."""
    work = irecv(tensor, src, group, tag, group_src)
    if work is None:
        return -1
    work.wait()
    g = member("recv", group)
    assert g is not None
    found = work.source_rank()
    return g.ranks[_other(g, "recv", src, group_src) if found < 0 else found]


def _other(g: ProcessGroup, what: str, rank: int | None, inside: int | None) -> int:
    if rank is None and inside is None:
        raise ValueError(f"{what}: write to which process, dst=...")
    found = _root(g, rank, inside)
    if found == g.rank():
        raise ValueError(f"{what}: rank {g.ranks[found]} is this process itself")
    return found


def barrier(group: Any = None, async_op: bool = False, device_ids: Any = None, timeout: Any = None) -> Work | None:
    """Wait until all processes are here."""
    g = _group("barrier", group)
    if g is None:
        return None
    return _run(g.begin("barrier()", g.cpu, g.cpu.barrier), async_op)


def monitored_barrier(group: Any = None, timeout: Any = None, wait_all_ranks: bool = False) -> None:
    """Wait until all processes are here, or for a time; who is missing is named if its program has ended."""
    work = barrier(group, async_op=True)
    if work is not None:
        work.wait(timeout)

"""What one process does with another, and waiting for all of them."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..errors import describe, message
from ..tensor import Tensor
from .groups import ProcessGroup, member
from .travel import group_for, put, root_of, sent
from .work import DistBackendError, Work

BARRIER = 32767  # the largest tag that every MPI has: for who comes to a monitored barrier


def isend(
    tensor: Tensor, dst: int | None = None, group: Any = None, tag: int = 0, group_dst: int | None = None
) -> Work | None:
    """Begin to hand a tensor to the process `dst`."""
    g = group_for("send", group, tensor)
    if g is None:
        return None
    to = _other(g, "send", dst, group_dst)
    way = g.transport(tensor.array)
    x = sent(tensor, way)
    what = f"send({describe(tensor)}, dst={g.ranks[to]}, tag={tag})"
    return g.begin(what, lambda: way.send(x, to, tag), compared=False)


def irecv(
    tensor: Tensor, src: int | None = None, group: Any = None, tag: int = 0, group_src: int | None = None
) -> Work | None:
    """Begin to take what the process `src` sends, or any process if none is named."""
    g = group_for("recv", group, tensor)
    if g is None:
        return None
    source = None if src is None and group_src is None else _other(g, "recv", src, group_src)
    way = g.transport(tensor.array)
    x = sent(tensor, way)
    what = f"recv({describe(tensor)}, src={'any' if source is None else g.ranks[source]}, tag={tag})"
    receive = lambda: way.recv(x, source, tag)  # noqa: E731
    return g.begin(what, receive, lambda: put(tensor, x), compared=False)


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
    found = root_of(g, rank, inside)
    if found == g.rank():
        raise ValueError(f"{what}: rank {g.ranks[found]} is this process itself")
    return found


class P2POp:
    """One of several transfers that `batch_isend_irecv` begins: `op` is `isend` or `irecv`."""

    def __init__(
        self,
        op: Callable[..., Work | None],
        tensor: Tensor,
        peer: int | None = None,
        group: Any = None,
        tag: int = 0,
        group_peer: int | None = None,
    ) -> None:
        if op not in (isend, irecv):
            raise ValueError("P2POp: op is to be torch.distributed.isend or irecv")
        self.op, self.tensor, self.peer, self.group, self.tag, self.group_peer = (
            op,
            tensor,
            peer,
            group,
            tag,
            group_peer,
        )


def batch_isend_irecv(p2p_op_list: list[P2POp]) -> list[Work]:
    """Begin several transfers; each has its `wait()`."""
    if not p2p_op_list or not all(isinstance(one, P2POp) for one in p2p_op_list):
        raise ValueError("batch_isend_irecv: a list of P2POp is wanted, with one at least")
    begun = [one.op(one.tensor, one.peer, one.group, one.tag, one.group_peer) for one in p2p_op_list]
    return [work for work in begun if work is not None]


def barrier(
    group: Any = None,
    async_op: bool = False,
    device_ids: Any = None,
    timeout: datetime.timedelta | None = None,
) -> Work | None:
    """Wait until all processes are here."""
    g = group_for("barrier", group)
    if g is None:
        return None
    work = g.begin("barrier()", g.cpu.barrier)
    if async_op:
        return work
    work.wait(timeout)
    return None


def monitored_barrier(
    group: Any = None, timeout: datetime.timedelta | None = None, wait_all_ranks: bool = False
) -> None:
    """Wait until all processes are here, or for a time: who has not come is named; with `wait_all_ranks` all of them."""
    g = group_for("monitored_barrier", group)
    if g is None or g.size() == 1:
        return
    way, word = g.cpu, np.zeros(1, np.uint8)
    patience = timeout or datetime.timedelta(seconds=g.seconds)
    begin = partial(g.begin, "monitored_barrier()", compared=False)
    if g.rank():
        begin(lambda: way.send(word, 0, BARRIER)).wait(patience)
        begin(lambda: way.recv(word, 0, BARRIER)).wait(patience)
        return
    until, late, cause = time.monotonic() + patience.total_seconds(), [], None
    for other in range(1, g.size()):
        try:
            left = datetime.timedelta(seconds=until - time.monotonic())
            begin(lambda other=other: way.recv(word, other, BARRIER)).wait(left)  # type: ignore[misc]
        except DistBackendError as error:
            cause = error
            late.append(str(g.ranks[other]))
            if not wait_all_ranks:
                break
    if late:
        who = f"rank{'s' * (len(late) > 1)} {', '.join(late)}"
        wrong = f"{who} failed to pass monitoredBarrier in {patience.total_seconds():g} s"
        raise DistBackendError(message("monitored_barrier", wrong)) from cause
    for other in range(1, g.size()):
        begin(lambda other=other: way.send(word, other, BARRIER)).wait(patience)  # type: ignore[misc]

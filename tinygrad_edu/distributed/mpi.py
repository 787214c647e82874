"""Arrays over MPI, by mpi4py: no array is pickled, and nothing blocks, so that a process can tell why it waits.

MPI adds in an order that is fixed by the number of processes and the length of the array, never by who comes first.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from .transport import Alone, Array, Done, Pieces, ReduceOp, Transport

INSTALL = 'pip install "tinygrad_edu[mpi]"'


@functools.lru_cache(1)
def world() -> Transport:
    """All processes that were started together."""
    comm = library().COMM_WORLD
    if comm.size == 1:
        return Alone()
    comm.Barrier()  # all have their part of the shared memory
    _unname_shared_memory()
    return Mpi(comm.Dup(), Ring(comm.Dup()))


def library() -> Any:
    """mpi4py's MPI; importing it starts MPI in this process."""
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise RuntimeError(f"several processes speak over MPI, which is missing ({error}); write {INSTALL}") from None
    return MPI


def _unname_shared_memory() -> None:
    """Take MPICH's shared memory out of its folder, or processes that are killed would leave it there for good."""
    with contextlib.suppress(OSError), open("/proc/self/maps") as lines:
        for name in {line.split()[-1] for line in lines if "/dev/shm/mpich_shm_" in line}:
            with contextlib.suppress(OSError):  # another process was quicker
                os.unlink(name)


class Ring:
    """Each process tells its right neighbour when it ends, so that nobody waits for one that has ended."""

    def __init__(self, comm: Any) -> None:
        self.left, self.right = (comm.rank - 1) % comm.size, (comm.rank + 1) % comm.size
        self.heard = False
        word = np.zeros(1, np.uint8)
        self._hears = comm.Irecv(word, self.left)
        self._tell = functools.partial(comm.Isend, word, self.right)
        atexit.register(self.end)

    def left_has_ended(self) -> bool:
        """Whether the left neighbour's program is over."""
        self.heard = self.heard or self._hears.Test()
        return self.heard

    def end(self) -> None:
        """Tell, and wait for the same from the left: MPI ends for all together anyway."""
        told = self._tell()
        while not self.left_has_ended():
            time.sleep(0.01)
        told.Wait()


class Mpi:
    """A communicator of MPI."""

    place = "cpu"

    def __init__(self, comm: Any, ring: Ring, ranks: Sequence[int] | None = None) -> None:
        self.comm, self.rank, self.size = comm, comm.rank, comm.size
        self.ranks, self.ring = ranks or range(comm.size), ring

    def all_reduce(self, x: Array, op: ReduceOp) -> Done:
        return self.comm.Iallreduce(library().IN_PLACE, x.reshape(-1), _op(op)).Test

    def reduce(self, x: Array, op: ReduceOp, root: int) -> Done:
        x, here = x.reshape(-1), library().IN_PLACE
        return self.comm.Ireduce(*((here, x) if self.rank == root else (x, None)), _op(op), root).Test

    def broadcast(self, x: Array, root: int) -> Done:
        return self.comm.Ibcast(_bytes(x), root).Test

    def all_gather(self, parts: Array, x: Array) -> Done:
        return self.comm.Iallgather(_bytes(x), _bytes(parts)).Test

    def gather(self, parts: Array | None, x: Array, root: int) -> Done:
        return self.comm.Igather(_bytes(x), _bytes(parts), root).Test

    def scatter(self, x: Array, parts: Array | None, root: int) -> Done:
        return self.comm.Iscatter(_bytes(parts), _bytes(x), root).Test

    def reduce_scatter(self, x: Array, parts: Array, op: ReduceOp) -> Done:
        return self.comm.Ireduce_scatter_block(parts.reshape(-1), x.reshape(-1), _op(op)).Test

    def all_to_all(self, wanted: Pieces, given: Pieces) -> Done:
        sent, found = ([_bytes(x), [n * x.itemsize for n in counts]] for x, counts in (given, wanted))
        return self.comm.Ialltoallv(sent, found).Test

    def send(self, x: Array, to: int, tag: int) -> Done:
        return self.comm.Isend(_bytes(x), to, tag).Test

    def recv(self, x: Array, source: int | None, tag: int) -> Done:
        return Receipt(self.comm.Irecv(_bytes(x), library().ANY_SOURCE if source is None else source, tag))

    def barrier(self) -> Done:
        return self.comm.Ibarrier().Test

    def part(self, ranks: Sequence[int]) -> Mpi | None:
        MPI = library()
        inside = self.rank in ranks
        comm = self.comm.Split(0 if inside else MPI.UNDEFINED, list(ranks).index(self.rank) if inside else 0)
        return Mpi(comm, self.ring, [self.ranks[r] for r in ranks]) if inside else None

    def gone(self, everyone: bool) -> str:
        ended = everyone and self.ring.left in self.ranks and self.ring.left_has_ended()
        return f"rank {self.ring.left} has ended its program" if ended else ""


class Receipt:
    """A message that is waited for; it knows its `source` when it has come."""

    def __init__(self, request: Any) -> None:
        self.request, self.status = request, library().Status()

    def __call__(self) -> bool:
        return self.request.Test(self.status)

    @property
    def source(self) -> int:
        """Who has sent it, counted inside the group."""
        return self.status.Get_source()


def _bytes(x: Array | None) -> Any:
    """What only travels travels as bytes: MPI does not know all our types."""
    return None if x is None else x.reshape(-1).view(np.uint8)


def _op(op: ReduceOp) -> Any:
    MPI = library()
    names = {ReduceOp.AVG: "SUM", ReduceOp.PRODUCT: "PROD"}  # an average is a sum that is divided afterwards
    return getattr(MPI, names.get(op, op.name))

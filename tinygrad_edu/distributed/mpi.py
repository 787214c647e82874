"""Arrays over MPI, by mpi4py: no array is pickled, and nothing blocks, so that a process can tell why it waits.

MPI adds in an order that is fixed by the number of processes and the length of the array, never by who comes first.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import time
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np

from . import check
from .transport import Alone, Array, Done, Meeting, Pieces, ReduceOp
from .work import DistBackendError

INSTALL = 'pip install "tinygrad_edu[mpi]"'


@lru_cache(1)
def world() -> Meeting:
    """All processes that were started together."""
    _begin()
    comm = library().COMM_WORLD
    if comm.size == 1:
        return Alone()
    comm.Barrier()  # all have their part of the shared memory
    _unname_shared_memory()
    return Mpi(comm.Dup(), Ends(comm.Dup()))


def _begin() -> None:
    """Start MPI in this process, as mpi4py does, and let other threads go on while it waits for the other processes."""
    with contextlib.suppress(ImportError):
        import mpi4py

        mpi4py.rc.initialize, mpi4py.rc.finalize = False, True
    MPI = library()
    if not MPI.Is_initialized():
        try:
            begin = ctypes.CDLL(MPI.__file__).MPI_Init_thread
        except AttributeError:  # a library that shows only its own names, as on Windows
            MPI.Init_thread()
        else:
            begin(None, None, MPI.THREAD_MULTIPLE, ctypes.byref(ctypes.c_int()))
        MPI.COMM_WORLD.Set_errhandler(MPI.ERRORS_RETURN)


def library() -> Any:
    """mpi4py's MPI."""
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


class Ends:
    """Each process tells the others when it ends, and what it has done by then, so that nobody waits for it in vain."""

    def __init__(self, comm: Any) -> None:
        self.comm = comm
        self.made: list[int] = []  # for each group, how many calls of all its processes this one has made
        self.heard: dict[int, list[int]] = {}  # the same of those that have ended
        atexit.register(self.end)

    def listen(self) -> dict[int, list[int]]:
        """Who has ended, and how many calls of each group it has made."""
        status = library().Status()
        while self.comm.iprobe(status=status):
            self.heard[status.Get_source()] = self.comm.recv(source=status.Get_source())
        return self.heard

    def end(self) -> None:
        """Tell, and wait for the same from the others: MPI ends for all together anyway, and what was sent still goes."""
        told = [self.comm.isend(self.made, rank) for rank in range(self.comm.size) if rank != self.comm.rank]
        while len(self.listen()) < len(told):
            check.last_look(0)
            time.sleep(0.01)
        check.last_look(1)
        for request in told:
            request.wait()


class Transfer:
    """What is under way in MPI, until it is done; it knows who must not end before."""

    def __init__(self, request: Any, gone: Callable[[], str]) -> None:
        self.request, self.gone, self.status = request, gone, library().Status()

    def __call__(self) -> bool:
        return self.request.Test(self.status)


class Receipt(Transfer):
    """A message of so many bytes that is waited for; it knows its `source` when it has come."""

    def __init__(self, request: Any, gone: Callable[[], str], size: int) -> None:
        super().__init__(request, gone)
        self.size = size

    def __call__(self) -> bool:
        try:
            done = super().__call__()
            found = self.status.Get_count(library().BYTE) if done else self.size
        except library().Exception as error:
            if error.Get_error_class() != library().ERR_TRUNCATE:
                raise
            raise DistBackendError(f"recv: more was sent than the {self.size} bytes of the tensor") from None
        if found != self.size:
            raise DistBackendError(f"recv: {found} bytes were sent, and the tensor has {self.size}")
        return done

    @property
    def source(self) -> int:
        """Who has sent it, counted inside the group."""
        return self.status.Get_source()


class Mpi:
    """A communicator of MPI."""

    place = "cpu"

    def __init__(self, comm: Any, ends: Ends, ranks: Sequence[int] | None = None) -> None:
        self.comm, self.rank, self.size = comm, comm.rank, comm.size
        self.words = comm.Dup()  # for what is said about calls, which meets even where the calls do not
        self.ranks, self.ends, self.number = ranks or range(comm.size), ends, len(ends.made)
        ends.made.append(0)

    def all_reduce(self, x: Array, op: ReduceOp) -> Done:
        return self._together(self.comm.Iallreduce(library().IN_PLACE, x.reshape(-1), _op(op)))

    def reduce(self, x: Array, op: ReduceOp, root: int) -> Done:
        x, here = x.reshape(-1), library().IN_PLACE
        return self._together(self.comm.Ireduce(*((here, x) if self.rank == root else (x, None)), _op(op), root))

    def broadcast(self, x: Array, root: int) -> Done:
        return self._together(self.comm.Ibcast(_bytes(x), root))

    def all_gather(self, parts: Array, x: Array) -> Done:
        return self._together(self.comm.Iallgather(_bytes(x), _bytes(parts)))

    def gather(self, parts: Array | None, x: Array, root: int) -> Done:
        return self._together(self.comm.Igather(_bytes(x), _bytes(parts), root))

    def scatter(self, x: Array, parts: Array | None, root: int) -> Done:
        return self._together(self.comm.Iscatter(_bytes(parts), _bytes(x), root))

    def reduce_scatter(self, x: Array, parts: Array, op: ReduceOp) -> Done:
        return self._together(self.comm.Ireduce_scatter_block(parts.reshape(-1), x.reshape(-1), _op(op)))

    def all_to_all(self, wanted: Pieces, given: Pieces) -> Done:
        sent, found = ([_bytes(x), [n * x.itemsize for n in counts]] for x, counts in (given, wanted))
        return self._together(self.comm.Ialltoallv(sent, found))

    def send(self, x: Array, to: int, tag: int) -> Done:
        return Transfer(self.comm.Isend(_bytes(x), to, tag), partial(self._all_gone, [to]))

    def recv(self, x: Array, source: int | None, tag: int) -> Done:
        request = self.comm.Irecv(_bytes(x), library().ANY_SOURCE if source is None else source, tag)
        others = [rank for rank in range(self.size) if rank != self.rank]
        return Receipt(request, partial(self._all_gone, others if source is None else [source]), x.nbytes)

    def barrier(self) -> Done:
        return self._together(self.comm.Ibarrier())

    def agree(self, word: int) -> Callable[[], bool | None]:
        extremes = np.array([word, -word], np.int64)  # the greatest, and the least with its sign changed
        request = self.words.Iallreduce(library().IN_PLACE, extremes, library().MAX)
        return lambda: extremes[0] == -extremes[1] if request.Test() else None

    def tell(self, text: str, about: int) -> dict[int, str]:
        tag, heard, until = about % 32768, {self.rank: text}, time.monotonic() + 2
        sent = [self.words.isend(text, rank, tag) for rank in range(self.size) if rank != self.rank]
        status = library().Status()
        while len(heard) < self.size and time.monotonic() < until:
            if self.words.iprobe(tag=tag, status=status):
                heard[status.Get_source()] = self.words.recv(source=status.Get_source(), tag=tag)
            time.sleep(0.001)
        for request in sent:
            request.test()
        return heard

    def part(self, ranks: Sequence[int]) -> Mpi | None:
        MPI = library()
        inside = self.rank in ranks
        comm = self.comm.Split(0 if inside else MPI.UNDEFINED, list(ranks).index(self.rank) if inside else 0)
        if inside:
            return Mpi(comm, self.ends, [self.ranks[r] for r in ranks])
        self.ends.made.append(0)  # groups have the same number in all processes
        return None

    def _together(self, request: Any) -> Transfer:
        """A call that all make: one that has made it may end, and its part of it still goes."""
        self.ends.made[self.number] += 1
        return Transfer(request, partial(self._without, self.ends.made[self.number]))

    def _without(self, call: int) -> str:
        """Who has ended and never makes this call of the group, or all the others if all have ended."""
        ended = self.ends.listen()
        for rank in self.ranks:
            if rank in ended and ended[rank][self.number] < call:
                return f"rank {rank} has ended its program"
        return self._all_gone([r for r in range(self.size) if r != self.rank])

    def _all_gone(self, others: Sequence[int]) -> str:
        """Who has ended, if all of them have; they count inside the group."""
        ended, names = self.ends.listen(), [self.ranks[r] for r in others]
        if not ended.keys() >= {*names}:
            return ""
        return " and ".join(f"rank {rank} has ended its program" for rank in names)


def _bytes(x: Array | None) -> Any:
    """What only travels travels as bytes: MPI does not know all our types."""
    return None if x is None else x.reshape(-1).view(np.uint8)


def _op(op: ReduceOp) -> Any:
    MPI = library()
    names = {ReduceOp.AVG: "SUM", ReduceOp.PRODUCT: "PROD"}  # an average is a sum that is divided afterwards
    return getattr(MPI, names.get(op, op.name))

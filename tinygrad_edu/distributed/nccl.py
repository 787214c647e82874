"""Arrays of GPUs over NVIDIA's NCCL, by `cupyx.distributed`. What is begun is ordered on the GPU's stream: nobody waits."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from .transport import Array, Done, Pieces, ReduceOp, at_once

NAMES = {ReduceOp.SUM: "sum", ReduceOp.AVG: "sum", ReduceOp.PRODUCT: "prod", ReduceOp.MIN: "min", ReduceOp.MAX: "max"}


class Nccl:
    """A communicator of NCCL between all processes."""

    place = "cuda"

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size

    @cached_property
    def comm(self) -> Any:
        """CuPy's, made with the first call, for the GPU that the process has chosen by then; they agree on it over MPI."""
        from cupyx import distributed

        return distributed.init_process_group(self.size, self.rank, backend="nccl", use_mpi=True)

    def all_reduce(self, x: Array, op: ReduceOp) -> Done:
        self.comm.all_reduce(x, x, _name(op))
        return at_once

    def reduce(self, x: Array, op: ReduceOp, root: int) -> Done:
        self.comm.reduce(x, x, root, _name(op))
        return at_once

    def broadcast(self, x: Array, root: int) -> Done:
        self.comm.broadcast(_bytes(x), root)
        return at_once

    def all_gather(self, parts: Array, x: Array) -> Done:
        self.comm.all_gather(_bytes(x), _bytes(parts), x.nbytes)
        return at_once

    def gather(self, parts: Array | None, x: Array, root: int) -> Done:
        self.comm.gather(_bytes(x), _bytes(x if parts is None else parts).reshape(-1, x.nbytes), root)
        return at_once

    def scatter(self, x: Array, parts: Array | None, root: int) -> Done:
        self.comm.scatter(_bytes(x if parts is None else parts).reshape(-1, x.nbytes), _bytes(x), root)
        return at_once

    def reduce_scatter(self, x: Array, parts: Array, op: ReduceOp) -> Done:
        self.comm.reduce_scatter(parts, x, x.size, _name(op))
        return at_once

    def all_to_all(self, wanted: Pieces, given: Pieces) -> Done:
        if len({*wanted[1], *given[1]}) > 1:
            raise RuntimeError("all_to_all: NCCL's pieces are of one length; write tensor.cpu() first")
        self.comm.all_to_all(*(_bytes(x).reshape(self.size, -1) for x, _ in (given, wanted)))
        return at_once

    def send(self, x: Array, to: int, tag: int) -> Done:
        self.comm.send(_bytes(x), to)
        return at_once

    def recv(self, x: Array, source: int | None, tag: int) -> Done:
        if source is None:
            raise ValueError("recv: NCCL cannot receive from any process; write src=...")
        self.comm.recv(_bytes(x), source)
        return at_once

    def barrier(self) -> Done:
        self.comm.barrier()
        return at_once


def _bytes(x: Array) -> Array:
    """What only travels travels as bytes: NCCL has no bool and no complex numbers."""
    return x.reshape(-1).view("uint8")


def _name(op: ReduceOp) -> str:
    if op not in NAMES:
        raise RuntimeError(f"Cannot use ReduceOp.{op.name} with NCCL; write tensor.cpu() first")
    return NAMES[op]

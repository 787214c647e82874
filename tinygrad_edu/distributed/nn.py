"""Communication that gradients pass through."""

from __future__ import annotations

from typing import Any

from ..autograd.function import Function
from ..tensor import Tensor
from . import collectives
from .transport import ReduceOp


class _AllReduce(Function):
    """y = Σ xₖ in every process; so each xₖ is given the sum of what comes back to every y."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: Any) -> Tensor:
        ctx.group = group
        y = x.detach().clone()
        collectives.all_reduce(y, ReduceOp.SUM, group)
        return y

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        return _AllReduce.apply(g, ctx.group), None


def all_reduce(tensor: Tensor, op: ReduceOp = ReduceOp.SUM, group: Any = None) -> Tensor:
    """The sum over all processes as a new tensor, with a gradient."""
    if op is not ReduceOp.SUM:
        raise NotImplementedError(f"a gradient passes through ReduceOp.SUM alone, not through {op.name}")
    return _AllReduce.apply(tensor, group)


__all__ = ["all_reduce"]

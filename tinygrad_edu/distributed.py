"""Many processes as PyTorch names them, answered for one: a group of one process needs no communication."""

from __future__ import annotations

import datetime
import enum
import os
from collections.abc import Callable
from typing import Any

from .tensor import Tensor


class ReduceOp(enum.Enum):
    """How the values of several processes become one."""

    SUM = 0
    AVG = 1
    PRODUCT = 2
    MIN = 3
    MAX = 4
    BAND = 5
    BOR = 6
    BXOR = 7


class ProcessGroup:
    """The group of this process alone."""

    def rank(self) -> int:
        """This process's number."""
        return 0

    def size(self) -> int:
        """How many processes there are."""
        return 1


class Work:
    """Communication that is done."""

    def wait(self, timeout: datetime.timedelta | None = None) -> bool:
        """There is nothing to wait for."""
        return True

    def is_completed(self) -> bool:
        """Whether it is done."""
        return True


_world: ProcessGroup | None = None
_backend = "gloo"


class group:
    """PyTorch's name for the group of all."""

    WORLD: ProcessGroup | None = None


def is_available() -> bool:
    """Whether groups can be made: of one process."""
    return True


def is_initialized() -> bool:
    """Whether `init_process_group` was called."""
    return _world is not None


def is_nccl_available() -> bool:
    """Whether NVIDIA's library is used."""
    return False


def is_gloo_available() -> bool:
    """Whether groups of processes on the CPU can be made."""
    return True


def is_mpi_available() -> bool:
    """Whether MPI is used."""
    return False


def is_torchelastic_launched() -> bool:
    """Whether PyTorch's launcher has started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def init_process_group(
    backend: str | None = None,
    init_method: str | None = None,
    timeout: datetime.timedelta | None = None,
    world_size: int = -1,
    rank: int = -1,
    **further: Any,
) -> None:
    """Make the group of one process; more are refused."""
    global _world, _backend
    if _world is not None:
        raise ValueError("trying to initialize the default process group twice!")
    size = world_size if world_size > 0 else int(os.environ.get("WORLD_SIZE", 1))
    if size != 1:
        raise NotImplementedError(
            f"init_process_group: {size} processes were asked for; here a program runs in one process "
            "(world_size=1, or no WORLD_SIZE in the environment)"
        )
    _world, _backend = ProcessGroup(), backend or "gloo"
    group.WORLD = _world


def destroy_process_group(group: Any = None) -> None:
    """Leave the group."""
    global _world
    _alone("destroy_process_group")
    _world = None
    globals()["group"].WORLD = None


def _alone(what: str) -> ProcessGroup:
    if _world is None:
        raise ValueError(f"{what}: Default process group has not been initialized, please call init_process_group.")
    return _world


def get_rank(group: Any = None) -> int:
    """This process's number in the group."""
    return _alone("get_rank").rank()


def get_world_size(group: Any = None) -> int:
    """How many processes the group has."""
    return _alone("get_world_size").size()


def get_backend(group: Any = None) -> str:
    """The way of communication that was asked for."""
    _alone("get_backend")
    return _backend


def new_group(ranks: list[int] | None = None, *args: Any, **kwargs: Any) -> ProcessGroup:
    """A group of some of the processes: of the only one."""
    return _alone("new_group")


def _same(name: str, doc: str) -> Callable[..., Work | None]:
    """An operation that leaves a tensor as it is in a group of one."""

    def call(tensor: Any, *args: Any, async_op: bool = False, **kwargs: Any) -> Work | None:
        _alone(name)
        return Work() if async_op else None

    call.__name__ = call.__qualname__ = name
    call.__doc__ = doc
    return call


all_reduce = _same("all_reduce", "The sum over all processes, in place.")
reduce = _same("reduce", "The sum over all processes, in one of them.")
broadcast = _same("broadcast", "One process's values for all.")
broadcast_object_list = _same("broadcast_object_list", "One process's objects for all.")


def barrier(group: Any = None, async_op: bool = False, device_ids: Any = None) -> Work | None:
    """Wait for all processes."""
    _alone("barrier")
    return Work() if async_op else None


def all_gather(tensor_list: list[Tensor], tensor: Tensor, group: Any = None, async_op: bool = False) -> Work | None:
    """Every process's tensor, in a list."""
    _alone("all_gather")
    tensor_list[0].copy_(tensor.detach())
    return Work() if async_op else None


def all_gather_into_tensor(
    output_tensor: Tensor, input_tensor: Tensor, group: Any = None, async_op: bool = False
) -> Work | None:
    """Every process's tensor, one after the other in one tensor."""
    _alone("all_gather_into_tensor")
    output_tensor.copy_(input_tensor.detach().reshape(output_tensor.shape))
    return Work() if async_op else None


def gather(
    tensor: Tensor, gather_list: list[Tensor] | None = None, dst: int | None = None, group: Any = None, async_op: bool = False
) -> Work | None:  # fmt: skip
    """Every process's tensor, in one of them."""
    return all_gather([tensor] if gather_list is None else gather_list, tensor, group, async_op)


def scatter(
    tensor: Tensor, scatter_list: list[Tensor] | None = None, src: int | None = None, group: Any = None, async_op: bool = False
) -> Work | None:  # fmt: skip
    """One process's tensors, one for each."""
    return all_gather([tensor], tensor if scatter_list is None else scatter_list[0], group, async_op)


def all_gather_object(object_list: list[Any], obj: Any, group: Any = None) -> None:
    """Every process's object, in a list."""
    _alone("all_gather_object")
    object_list[0] = obj


__all__ = """
ProcessGroup ReduceOp Work all_gather all_gather_into_tensor all_gather_object all_reduce barrier broadcast
broadcast_object_list destroy_process_group gather get_backend get_rank get_world_size group init_process_group
is_available is_gloo_available is_initialized is_mpi_available is_nccl_available is_torchelastic_launched new_group
reduce scatter
""".split()

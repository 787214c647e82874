"""Groups of processes: the one of all that `init_process_group` makes, and those of some."""

from __future__ import annotations

import contextlib
import datetime
import importlib.util
import multiprocessing
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import devices
from ..autograd.places import where
from . import check, launch, mpi, nccl
from .transport import Alone, Done, Meeting, Transport, at_once
from .work import Work

BACKENDS = {"mpi", "gloo", "nccl", "single", "undefined"}
default_pg_timeout = datetime.timedelta(minutes=30)


class Backend(str):
    """The names of ways of communication: `Backend("GLOO")` is "gloo"."""

    UNDEFINED, GLOO, NCCL, MPI = "undefined", "gloo", "nccl", "mpi"
    backend_list = ("undefined", "gloo", "nccl", "mpi")

    def __new__(cls, name: str) -> Backend:
        if not isinstance(name, str):
            raise ValueError(f"Backend name must be a string, but got: {name!r}")
        return super().__new__(cls, name.lower())


class ProcessGroup:
    """Some of the processes, in order, and the ways between them."""

    def __init__(
        self, ranks: Sequence[int], cpu: Meeting, cuda: Transport | None, backend: str, seconds: float
    ) -> None:
        self.ranks, self.cpu, self.cuda = list(ranks), cpu, cuda
        self.backend, self.seconds = backend, seconds
        self.agreement = check.Agreement(cpu, self.ranks)

    def rank(self) -> int:
        """This process's number in the group."""
        return self.cpu.rank

    def size(self) -> int:
        """How many processes there are."""
        return self.cpu.size

    def name(self) -> str:
        """The way of communication that was asked for."""
        return self.backend

    def transport(self, array: Any) -> Transport:
        """The way that an array takes: one on a GPU goes over NCCL where there is that."""
        return self.cpu if type(array) is np.ndarray or self.cuda is None else self.cuda

    def inside(self, rank: int) -> int:
        """The number in the group of a process that is known by its number among all."""
        if rank not in self.ranks:
            raise ValueError(f"rank {rank} is not one of the group's processes, {self.ranks}")
        return self.ranks.index(rank)

    def begin(
        self,
        what: str,
        start: Callable[[], Done],
        finish: Callable[[], None] = lambda: None,
        compared: bool = True,
        rooted: bool = False,
        pieces: tuple[Sequence[int], Sequence[int]] | None = None,
    ) -> Work:
        """Begin a transfer that all make, or that is not `compared`; in debug mode once all have said what they begin.

        Who has done its part of what is `rooted` in one process does not wait for the others. `pieces`: how many elements
        this process has for each of the others, and how many it expects of each; that is told before.
        """
        if not compared or self.size() == 1:
            return Work(what, start(), finish, self.seconds)
        agreed: Done = at_once
        if check.get_debug_level() is check.DebugLevel.DETAIL:
            check.compare(what, self.cpu, self.ranks, self.seconds)
        else:
            agreed = self.agreement.begin(what)
        if pieces is not None:
            check.compare_pieces(what, *pieces, self.cpu, self.ranks, self.seconds, agreed)
        done = start()
        patient = not rooted and done is not at_once
        return Work(what, done, finish, self.seconds, agreed if patient else lambda: agreed() or True)

    def __repr__(self) -> str:
        return f"<ProcessGroup of ranks {self.ranks} over {self.backend}>"


class GroupMember:
    """What stands for groups."""

    WORLD: ProcessGroup | None = None
    NON_GROUP_MEMBER = object()  # the group of others, in a process that is not in it


class group(GroupMember):
    """PyTorch's other name for it."""


def is_available() -> bool:
    """Whether groups can be made."""
    return True


def is_initialized() -> bool:
    """Whether `init_process_group` was called."""
    return GroupMember.WORLD is not None


def is_mpi_available() -> bool:
    """Whether mpi4py is installed."""
    return importlib.util.find_spec("mpi4py") is not None


def is_nccl_available() -> bool:
    """Whether there is a GPU, whose tensors go over NCCL."""
    return devices.cuda_is_available()


def is_gloo_available() -> bool:
    """Whether groups of processes on the CPU can be made: what asks for gloo gets MPI."""
    return True


def is_torchelastic_launched() -> bool:
    """Whether PyTorch's launcher has started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def init_process_group(
    backend: str | None = None,
    init_method: str | None = None,
    timeout: datetime.timedelta | None = None,
    world_size: int = -1,
    rank: int = -1,
    store: Any = None,
    group_name: str = "",
    pg_options: Any = None,
    device_id: Any = None,
) -> None:
    """Make the group of all processes: of those that MPI's launcher has started, of this one where there is none.

    How the processes find each other is the launcher's affair: `init_method` and `store` are not used. "gloo" is
    answered by MPI, and so is "nccl" for tensors on the CPU.
    """
    if is_initialized():
        raise ValueError("trying to initialize the default process group twice!")
    backend = (backend or "undefined").lower()
    names = {part.rpartition(":")[2] for part in backend.split(",")}
    if not names <= BACKENDS:
        raise ValueError(
            f"init_process_group: there is no backend {backend!r}; write 'mpi', 'nccl', 'gloo' or 'single'"
        )
    here = launch.place()
    if multiprocessing.parent_process() is not None and "single" not in names and max(here.size, world_size) > 1:
        raise NotImplementedError(
            "init_process_group: this process was started by multiprocessing, and MPI's launcher does not know it; write "
            f"torch.multiprocessing.spawn(main, nprocs={max(here.size, world_size)}) in place of Process(...).start(), or "
            f"call main without it and start all with: python -m tinygrad_edu launch -n {max(here.size, world_size)} train.py"
        )
    seconds = (timeout or default_pg_timeout).total_seconds()
    watch: contextlib.AbstractContextManager = contextlib.nullcontext()
    if here.size > 1 and "single" not in names:
        launch.join_the_others(here)
        watch = launch.watched(f"init_process_group ({where().place})", here, seconds)
    with watch:
        cpu = _way(here, names)
    asked = world_size if world_size > 0 else _asked(cpu.size, names)
    if here.size > 1 == cpu.size and "single" not in names:
        raise RuntimeError(
            f"init_process_group: {here.size} processes were started, and MPI knows of one: the mpiexec that has started "
            f"them is not that of the MPI under mpi4py; write {launch.find_mpiexec()} in its place"
        )
    if asked != cpu.size:
        start = f"python -m tinygrad_edu launch -n {asked} train.py, or mpiexec -n {asked} python train.py"
        raise NotImplementedError(
            f"init_process_group: {asked} processes were asked for, and {cpu.size} started; write {start}"
        )
    if rank not in (-1, cpu.rank):
        raise ValueError(
            f"init_process_group: rank={rank}, but this process is rank {cpu.rank} of those that were started"
        )
    if cpu.size > 1:
        launch.join_the_others(here._replace(rank=cpu.rank, size=cpu.size))
    over_nccl = cpu.size > 1 and names & {"nccl", "undefined"} and devices.cuda_is_available()
    cuda = nccl.Nccl(cpu.rank, cpu.size) if over_nccl else None
    _set_world(ProcessGroup(list(range(cpu.size)), cpu, cuda, backend, seconds))


def _way(here: launch.Place, names: set[str]) -> Meeting:
    """How the processes that were started together reach each other."""
    several = here.size > 1 or ("mpi" in names and is_mpi_available())
    return mpi.world() if several and "single" not in names else Alone()


def _asked(started: int, names: set[str]) -> int:
    """How many processes the environment speaks of; a launcher's word counts more than what it was started with."""
    return started if started > 1 or "single" in names else int(os.environ.get("WORLD_SIZE", 1))


def _set_world(world: ProcessGroup | None) -> None:
    GroupMember.WORLD = world


def destroy_process_group(group: Any = None) -> None:
    """Leave a group, without one given that of all."""
    member("destroy_process_group", group)
    if group is None or group is GroupMember.WORLD:
        _set_world(None)


def member(what: str, group: Any = None) -> ProcessGroup | None:
    """The group that a call is meant for, None in a process that is not in it."""
    world = GroupMember.WORLD
    if world is None:
        raise ValueError(f"{what}: Default process group has not been initialized, please call init_process_group.")
    if group is None:
        return world
    if group is GroupMember.NON_GROUP_MEMBER:
        return None
    if not isinstance(group, ProcessGroup):
        raise TypeError(f"{what}: group is to be what new_group() has returned, not {type(group).__name__}")
    return group


def here_or_alone(group: Any = None) -> ProcessGroup:
    """A group for what works without one too: the given one, that of all, or that of a process that was started alone."""
    if group is None and not is_initialized() and launch.place().size == 1:
        return ProcessGroup([0], Alone(), None, "single", default_pg_timeout.total_seconds())
    found = member("what several processes do together", group)
    if found is None:
        raise ValueError("this process is not in the group")
    return found


def get_rank(group: Any = None) -> int:
    """This process's number in the group, -1 outside of it."""
    found = member("get_rank", group)
    return -1 if found is None else found.rank()


def get_world_size(group: Any = None) -> int:
    """How many processes the group has, -1 outside of it."""
    found = member("get_world_size", group)
    return -1 if found is None else found.size()


def get_node_local_rank(fallback_rank: int | None = None) -> int:
    """This process's number among those of its machine."""
    if "LOCAL_RANK" in os.environ:
        return int(os.environ["LOCAL_RANK"])
    if fallback_rank is None:
        raise RuntimeError("LOCAL_RANK is not in the environment; call init_process_group() first")
    return int(fallback_rank)


def get_backend(group: Any = None) -> str:
    """The way of communication that was asked for."""
    found = member("get_backend", group)
    if found is None:
        raise ValueError("Invalid process group specified")
    return found.backend


def get_process_group_ranks(group: Any = None) -> list[int]:
    """The processes of a group by their numbers among all."""
    found = member("get_process_group_ranks", group)
    return [] if found is None else list(found.ranks)


def get_group_rank(group: ProcessGroup, global_rank: int) -> int:
    """The number in the group of a process that is known by its number among all."""
    return group.inside(global_rank)


def get_global_rank(group: ProcessGroup, group_rank: int) -> int:
    """The number among all of a process that is known by its number in the group."""
    if not 0 <= group_rank < group.size():
        raise ValueError(f"group rank {group_rank} is not part of a group of {group.size()} processes")
    return group.ranks[group_rank]


def new_group(
    ranks: Sequence[int] | None = None,
    timeout: datetime.timedelta | None = None,
    backend: str | None = None,
    **further: Any,
) -> Any:
    """A group of some of the processes. All processes call this, also those that are not in it."""
    world = member("new_group")
    assert world is not None
    chosen = list(range(world.size())) if ranks is None else sorted(ranks)
    if len(set(chosen)) != len(chosen) or not all(0 <= r < world.size() for r in chosen):
        raise ValueError(f"new_group: ranks {ranks} are not different numbers from 0 to {world.size() - 1}")
    world.begin(f"new_group({chosen})", world.cpu.barrier).wait()  # what comes now cannot be waited for with patience
    cpu = world.cpu.part(chosen)
    if cpu is None:
        return GroupMember.NON_GROUP_MEMBER
    cuda = world.cuda if len(chosen) == world.size() else None
    seconds = world.seconds if timeout is None else timeout.total_seconds()
    return ProcessGroup(chosen, cpu if cpu.size > 1 else Alone(), cuda, backend or world.backend, seconds)

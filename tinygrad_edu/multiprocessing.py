"""Python's `multiprocessing` under PyTorch's name. Tensors are copied between processes, not shared."""

from __future__ import annotations

import multiprocessing as _standard
import pickle
from collections.abc import Callable, Iterable
from multiprocessing import *  # noqa: F403 - the very same names
from multiprocessing import connection, get_context
from typing import Any

from .distributed import spawned

_strategy = "file_descriptor"


class ProcessException(Exception):
    """A process of `spawn` that failed."""

    def __init__(self, msg: str, error_index: int, pid: int) -> None:
        super().__init__(msg)
        self.msg, self.error_index, self.pid = msg, error_index, pid


class ProcessRaisedException(ProcessException):
    """A process of `spawn` that raised."""


class ProcessExitedException(ProcessException):
    """A process of `spawn` that ended with an exit code or by a signal."""

    def __init__(self, msg: str, error_index: int, pid: int, exit_code: int) -> None:
        super().__init__(msg, error_index, pid)
        self.exit_code = exit_code


class ProcessContext:
    """The processes of `spawn(join=False)`."""

    def __init__(self, processes: list[Any]) -> None:
        self.processes = processes

    def pids(self) -> list[int]:
        """Their numbers."""
        return [p.pid for p in self.processes]

    def join(self, timeout: float | None = None, grace_period: float | None = None) -> bool:
        """Wait for them: whether all have ended. One that failed ends the others and is named."""
        connection.wait([p.sentinel for p in self.processes if p.exitcode is None], timeout)
        for index, process in enumerate(self.processes):
            if process.exitcode:
                for other in self.processes:
                    other.terminate()
                    other.join()
                wrong = f"process {index} terminated with exit code {process.exitcode}; its own words stand above"
                raise ProcessExitedException(wrong, index, process.pid, process.exitcode)
        return all(p.exitcode == 0 for p in self.processes)


def spawn(
    fn: Callable, args: Iterable[Any] = (), nprocs: int = 1, join: bool = True, daemon: bool = False,
    start_method: str = "spawn",
) -> ProcessContext | None:  # fmt: skip
    """Start `nprocs` processes that call `fn(index, *args)`, and wait for them.

    MPI's launcher starts them where it can, so that `torch.distributed.init_process_group` finds them together. Python's
    own `multiprocessing` does with another start method, with `join=False`, and for arguments that only it can hand on.
    """
    args = tuple(args)
    if join and start_method == "spawn" and spawned.can(nprocs):
        try:
            call = spawned.packed(fn, args)
        except (
            RuntimeError,
            TypeError,
            AttributeError,
            pickle.PicklingError,
        ):  # queues and locks are handed on by it alone
            pass
        else:
            _check(spawned.run(call, nprocs))
            return None
    context = get_context(start_method)
    processes: list[Any] = [context.Process(target=fn, args=(i, *args), daemon=daemon) for i in range(nprocs)]
    for process in processes:
        process.start()
    started = ProcessContext(processes)
    if not join:
        return started
    while not started.join():
        pass
    return None


def _check(end: spawned.End) -> None:
    """Raise what a process has raised."""
    if end.trace:
        wrong = f"process {end.rank} terminated with the following error:\n{end.trace}"
        raise ProcessRaisedException(wrong, end.rank, -1)
    if end.code:
        wrong = f"a process terminated with exit code {end.code}; its own words stand above"
        raise ProcessExitedException(wrong, -1, -1, end.code)


def get_sharing_strategy() -> str:
    """What the program has set; tensors are copied in any case."""
    return _strategy


def set_sharing_strategy(new_strategy: str) -> None:
    """Noted."""
    global _strategy
    if new_strategy not in get_all_sharing_strategies():
        raise AssertionError(f"{new_strategy!r} is none of {sorted(get_all_sharing_strategies())}")
    _strategy = new_strategy


def get_all_sharing_strategies() -> set[str]:
    """The names that PyTorch knows."""
    return {"file_descriptor", "file_system"}


__all__ = [
    *(_standard.__all__),  # type: ignore[attr-defined]
    "ProcessContext",
    "ProcessExitedException",
    "ProcessRaisedException",
    "get_all_sharing_strategies",
    "get_sharing_strategy",
    "set_sharing_strategy",
    "spawn",
]

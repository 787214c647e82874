"""PyTorch's profiler by its names: it times operations, and the program's own blocks (`record_function`).

`tinygrad_edu.viz.profile` measures the same with less to write, and by modules too.
"""

from __future__ import annotations

import contextlib
import enum
import functools
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


class ProfilerActivity(enum.Enum):
    """What PyTorch can look at."""

    CPU = 0
    XPU = 1
    CUDA = 2


class ProfilerAction(enum.Enum):
    """What a profiler does in a step."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


@dataclass
class Block:
    """The time spent in all blocks of one name."""

    key: str
    count: int = 0
    cpu_time_total: float = 0.0  # microseconds, as PyTorch counts


class Blocks(list):
    """What a profiler has seen."""

    def table(self, sort_by: str | None = None, row_limit: int = 100, **further: Any) -> str:
        """The blocks to read, the longest first."""
        rows = sorted(self, key=lambda block: -block.cpu_time_total)[: row_limit if row_limit >= 0 else None]
        lines = [f"{'Name':<40}{'Calls':>8}{'CPU total':>16}"]
        lines += [f"{b.key:<40}{b.count:>8}{b.cpu_time_total:>13.1f} us" for b in rows]
        return "\n".join(lines)

    def total_average(self) -> Block:
        """All blocks as one."""
        return Block("Total", sum(b.count for b in self), sum(b.cpu_time_total for b in self))


_running: list[profile] = []


class record_function(contextlib.ContextDecorator):
    """A block, or a function, that a profiler times under a name."""

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name = name

    def __enter__(self) -> record_function:
        self._began = time.perf_counter_ns()
        return self

    def __exit__(self, *exception: object) -> None:
        for profiler in _running:
            profiler._note(self.name, self._began, time.perf_counter_ns())


class profile:
    """`with profile() as p: ...; print(p.key_averages().table())`."""

    def __init__(
        self,
        *,
        activities: Iterable[ProfilerActivity] | None = None,
        schedule: Callable[[int], ProfilerAction] | None = None,
        on_trace_ready: Callable[[profile], Any] | None = None,
        **further: Any,
    ) -> None:
        self.schedule = schedule or (lambda step: ProfilerAction.RECORD)
        self.on_trace_ready = on_trace_ready
        self.step_num = 0
        self._blocks: dict[str, Block] = {}
        self._events: list[dict[str, Any]] = []

    def __enter__(self) -> profile:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin."""
        from .viz.profile import Meter

        class Operations(Meter):
            """Notes each operation under PyTorch's name for it."""

            def forward_took(_, name: str, began: float, seconds: float, out: Any) -> None:
                self._note(f"aten::{name}", int(began * 1e9), int((began + seconds) * 1e9))

            def backward_took(_, node: Any, began: float, seconds: float) -> None:
                self._note(node.name(), int(began * 1e9), int((began + seconds) * 1e9))

        _running.append(self)
        self._operations = Operations()
        self._operations.start()

    def stop(self) -> None:
        """End."""
        self._operations.stop()
        _running.remove(self)
        if self.on_trace_ready is not None:
            self.on_trace_ready(self)

    def step(self) -> None:
        """Say that the next step of the program begins."""
        self.step_num += 1

    def _note(self, name: str, began: int, ended: int) -> None:
        if self.schedule(self.step_num) in (ProfilerAction.NONE, ProfilerAction.WARMUP):
            return
        block = self._blocks.setdefault(name, Block(name))
        block.count += 1
        block.cpu_time_total += (ended - began) / 1000
        self._events.append(
            {"name": name, "ph": "X", "ts": began / 1000, "dur": (ended - began) / 1000, "pid": 0, "tid": 0}
        )

    def key_averages(self, *args: Any, **kwargs: Any) -> Blocks:
        """The blocks by name."""
        return Blocks(self._blocks.values())

    def events(self) -> list[dict[str, Any]]:
        """The blocks one by one."""
        return self._events

    def export_chrome_trace(self, path: str) -> None:
        """Write the blocks as a file for a browser's trace viewer."""
        with open(path, "w") as file:
            json.dump({"traceEvents": self._events}, file)


def schedule(
    *, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0, **further: Any
) -> Callable[[int], ProfilerAction]:
    """Look at `active` steps after `wait` and `warmup` ones, again and again."""

    def action(step: int) -> ProfilerAction:
        step -= skip_first
        length = wait + warmup + active
        if step < 0 or (repeat and step >= repeat * length) or step % length < wait:
            return ProfilerAction.NONE
        if step % length < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD_AND_SAVE if step % length == length - 1 else ProfilerAction.RECORD

    return action


def tensorboard_trace_handler(dir_name: str, worker_name: str | None = None, use_gzip: bool = False) -> Callable:
    """What writes a trace into a folder when a profiler has ended."""

    def write(folder: str, profiler: profile) -> None:
        import os

        os.makedirs(folder, exist_ok=True)
        profiler.export_chrome_trace(os.path.join(folder, f"{worker_name or 'worker'}.pt.trace.json"))

    return functools.partial(write, dir_name)


__all__ = [
    "ProfilerAction",
    "ProfilerActivity",
    "profile",
    "record_function",
    "schedule",
    "tensorboard_trace_handler",
]

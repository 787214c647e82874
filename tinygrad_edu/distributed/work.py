"""`Work`: communication that goes on while the program does something else, and the patience of who waits for it."""

from __future__ import annotations

import datetime
import os
import time
from collections.abc import Callable

from ..errors import message
from .transport import Done, at_once

GRACE = 2.0  # seconds in which what a process has sent before it ended must have arrived
CORES = os.cpu_count() or 1
_yield = getattr(os, "sched_yield", lambda: time.sleep(0))


class DistError(RuntimeError):
    """Something went wrong between the processes."""


class DistBackendError(DistError):
    """Others did not do what this process waits for."""


class Work:
    """Communication under way. `wait()` ends it: until then its tensors are not to be touched."""

    def __init__(
        self, what: str, done: Done, finish: Callable[[], None], seconds: float, agreed: Done = at_once
    ) -> None:
        self._what, self._done, self._finish, self._seconds = what, done, finish, seconds
        self._agreed = agreed
        self._gone = getattr(done, "gone", str)  # who does not know who has ended says ""
        self._complete = False

    def is_completed(self) -> bool:
        """Whether it is done. Asking drives it on: MPI moves data only while it is called."""
        if not self._complete and self._agreed() and self._done():
            self._complete = True
            self._finish()
        return self._complete

    def is_success(self) -> bool:
        """Whether it is done, and well."""
        return self.is_completed()

    def wait(self, timeout: datetime.timedelta | None = None) -> bool:
        """Return when it is done; an error if that takes longer than the group's timeout, or cannot happen any more."""
        if self.is_completed():
            return True
        seconds = self._seconds if timeout is None else timeout.total_seconds()
        began, heard, rounds = time.monotonic(), 0.0, 0
        while not self.is_completed():
            rounds += 1
            if rounds % 16:  # asking moves data: that comes before letting others run
                continue
            _rest()
            if rounds % 4096:
                continue
            now, gone = time.monotonic(), self._gone()
            heard = heard or (now if gone else 0.0)
            if gone and now - heard > GRACE:
                why, instead = (
                    gone,
                    "equally many calls in all processes; for unequal data, DistributedDataParallel.join()",
                )
                raise DistBackendError(message(self._what, f"waits in vain: {why}", instead=instead))
            if now - began > seconds:
                why = f"Timed out waiting {seconds:g} s for the other processes"
                hint = "monitored_barrier() before it, to see who does not come, or init_process_group(timeout=...)"
                raise DistBackendError(message(self._what, why, instead=hint))
        return True

    def source_rank(self) -> int:
        """Of a receipt: who has sent it, counted inside the group."""
        return getattr(self._done, "source", -1)


def _rest() -> None:
    """Let others run. Where processes share cores they wait for each other's turns: four on two need a third of the time
    for a megabyte if who waits sleeps for a moment; with a core for each, sleeping takes longer.
    """
    if int(os.environ.get("LOCAL_WORLD_SIZE", 1)) > CORES:
        time.sleep(1e-6)
    else:
        _yield()

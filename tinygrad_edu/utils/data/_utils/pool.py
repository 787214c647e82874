"""The worker processes as the main process sees them: started, given tasks, listened to, and ended."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import time
from multiprocessing import connection
from typing import Any, NamedTuple

from .worker import Parcel, Work, run

PATIENCE = 1.0  # seconds that a worker has for ending by itself


class Worker(NamedTuple):
    """One worker and the ends of its two pipes."""

    process: Any
    tasks: Any
    results: Any


class Pool:
    """The workers of one DataLoader."""

    def __init__(self, work: Work, count: int, base_seed: int, context: Any) -> None:
        self.workers: list[Worker] = []
        self.owner = os.getpid()
        context = context or multiprocessing.get_context()
        try:
            for i in range(count):
                self.workers.append(_started(context, work, i, count, base_seed))
        except BaseException:
            self.close()
            raise

    def give(self, i: int, task: Any) -> None:
        """Send a task to the i-th worker."""
        try:
            self.workers[i].tasks.send(task)
        except OSError:  # it is dead; what it had finished before is still to be read, then this is noticed
            return

    def receive(self, timeout: float = 0) -> tuple[int, Any]:
        """The next message of any worker, and whose it is."""
        by_results = {w.results: i for i, w in enumerate(self.workers)}
        by_end = {w.process.sentinel: i for i, w in enumerate(self.workers)}
        ready = connection.wait([*by_results, *by_end], timeout or None)
        if not ready:
            raise RuntimeError(
                f"DataLoader timed out after {timeout} seconds: no worker has finished a batch; "
                "write a longer timeout=, or timeout=0 to wait for ever"
            )
        i = next((by_results[r] for r in ready if r in by_results), None)
        if i is None:
            i = by_end[ready[0]]  # type: ignore[index]
            if not self.workers[i].results.poll():
                raise self.died(i)
        try:
            message = self.workers[i].results.recv_bytes()
        except (EOFError, OSError):
            raise self.died(i) from None
        return i, pickle.loads(message)

    def died(self, i: int) -> RuntimeError:
        """What to say about a worker that is gone."""
        process = self.workers[i].process
        process.join(PATIENCE)
        code = process.exitcode
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                reason = f"killed by signal {signal.Signals(-code).name}, exit code {code}"
                reason += "; often the memory was used up" if -code == 9 else ""
                return RuntimeError(f"DataLoader worker {i} (pid(s) {process.pid}) exited unexpectedly: {reason}")
        return RuntimeError(
            f"DataLoader worker {i} (pid(s) {process.pid}) exited unexpectedly with exit code {code}; "
            "with num_workers=0 the same error shows where it comes from"
        )

    def close(self) -> None:
        """End all workers: asked first, then forced."""
        workers, self.workers = self.workers, []
        if os.getpid() != self.owner:
            return  # a fork of the main process: they are not its own
        for w in workers:
            with contextlib.suppress(OSError):
                if os.name == "posix":
                    os.set_blocking(w.tasks.fileno(), False)
                w.tasks.send(None)
        _let_finish(workers)
        for force in ("terminate", "kill"):
            left = [w.process for w in workers if w.process.is_alive()]
            for process in left:
                getattr(process, force)()
            for process in left:
                process.join(PATIENCE)
        for w in workers:
            w.process.join(PATIENCE)
            w.tasks.close()
            w.results.close()


def _started(context: Any, work: Work, i: int, count: int, base_seed: int) -> Worker:
    their_tasks, our_tasks = context.Pipe(duplex=False)
    our_results, their_results = context.Pipe(duplex=False)
    arguments = (Parcel(work), their_tasks, their_results, i, count, base_seed)
    process = context.Process(target=run, args=arguments, daemon=True, name=f"DataLoader worker {i}")
    try:
        process.start()
    except BaseException:
        our_tasks.close()
        our_results.close()
        raise
    finally:
        # only the worker holds these now: when it dies, reading from it ends instead of waiting
        their_tasks.close()
        their_results.close()
    return Worker(process, our_tasks, our_results)


def _let_finish(workers: list[Worker]) -> None:
    """Wait until the workers have ended, throwing away what they still send, but not for long."""
    deadline = time.monotonic() + PATIENCE
    ends = {w.process.sentinel for w in workers}
    pipes = {w.results for w in workers}
    while ends and (left := deadline - time.monotonic()) > 0:
        for ready in connection.wait([*ends, *pipes], left):
            if ready in ends:
                ends.discard(ready)
            elif not _thrown_away(ready):
                pipes.discard(ready)


def _thrown_away(pipe: Any) -> bool:
    """Read something that nobody wants; whether there may be more."""
    try:
        return bool(os.read(pipe.fileno(), 1 << 20) if os.name == "posix" else pipe.recv_bytes())
    except (EOFError, OSError):
        return False


__all__ = ["Pool"]

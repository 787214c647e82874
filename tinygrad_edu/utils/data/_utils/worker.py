"""What runs in a worker process: indices come in by one pipe, batches go out by another.

Every worker has pipes of its own, so that one that is killed leaves no lock behind and no half a message for others.
"""

from __future__ import annotations

import os
import pickle
import queue
import random
import signal
import threading
import traceback
from collections.abc import Callable
from multiprocessing import connection, parent_process
from multiprocessing.reduction import ForkingPickler
from typing import Any, NamedTuple

import numpy as np

from ....random import manual_seed
from .fetch import fetcher


class WorkerInfo(NamedTuple):
    """Which worker this process is, of how many, its seed, and its copy of the dataset."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """In a worker process what it is, in the main process None."""
    return _info


class Work(NamedTuple):
    """What a worker does."""

    dataset: Any
    collate_fn: Callable
    worker_init_fn: Callable | None
    batched: bool
    drop_last: bool


class Parcel:
    """The work on its way to the worker: pickled only if the process is not forked, and opened by the worker itself,
    which can then report what it cannot open."""

    def __init__(self, work: Work | bytes) -> None:
        self.work = work

    def open(self) -> Work:
        """The work."""
        return pickle.loads(self.work) if isinstance(self.work, bytes) else self.work

    def __reduce__(self) -> tuple:
        try:
            return Parcel, (bytes(ForkingPickler.dumps(self.work)),)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise pickle.PicklingError(_cannot_be_sent(self.work, error)) from error


def _cannot_be_sent(work: Any, error: Exception) -> str:
    named = {name: getattr(work, name) for name in ("dataset", "collate_fn", "worker_init_fn")}
    guilty = next((name for name, value in named.items() if not _can_be_sent(value)), "dataset")
    return (
        f"DataLoader: the {guilty} ({type(named[guilty]).__name__}) cannot be sent to a worker process: {error}\n"
        "  A process that is spawned finds classes and functions only by their names in a module: a lambda, a "
        "function inside a function and a class of a notebook have none.\n"
        "  write instead: def or class at the top of a module that you import; or multiprocessing_context='fork' "
        "(Linux), which copies the process as it is; or num_workers=0"
    )


def _can_be_sent(value: Any) -> bool:
    try:
        ForkingPickler.dumps(value)
    except (pickle.PicklingError, AttributeError, TypeError):
        return False
    return True


class Failure:
    """An exception on its way back from a worker, with its traceback as text."""

    def __init__(self, error: BaseException, worker: int) -> None:
        self.text = f"Caught {type(error).__name__} in DataLoader worker process {worker}.\nOriginal "
        self.text += "".join(traceback.format_exception(type(error), error, error.__traceback__))
        self.kind = type(error) if _can_be_sent(type(error)) else RuntimeError

    def reraise(self) -> None:
        """Raise it here: the same type where that can be made from a text."""
        try:
            error = KeyError(_Lines(self.text)) if self.kind is KeyError else self.kind(self.text)
        except Exception:
            error = RuntimeError(self.text)
        try:
            raise error
        finally:
            del error  # its traceback holds this frame: a cycle, in which the workers would live on


class _Lines(str):
    """KeyError shows the repr of its text; this one keeps its lines."""

    def __repr__(self) -> str:
        return str(self)


def run(parcel: Parcel, tasks: Any, results: Any, worker: int, num_workers: int, base_seed: int) -> None:
    """The life of a worker: until it is told to end, or its parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the parent ends its workers
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # sending waits until the parent takes a batch; from a thread of its own the next batch is prepared meanwhile
    outbox: queue.SimpleQueue = queue.SimpleQueue()
    sender = threading.Thread(target=_send_all, args=(outbox, results), daemon=True)
    sender.start()
    parent: Any = parent_process()
    broken: Failure | None = None
    fetch: Any = None
    try:
        work = _settle_in(parcel, worker, num_workers, base_seed + worker)
    except Exception as error:
        broken = _opening(error, worker, parcel)
    while True:
        if tasks not in connection.wait([tasks, parent.sentinel]):
            os._exit(1)
        task = tasks.recv()
        if task is None:
            break
        epoch, number, index = task
        if number is None:  # an epoch begins
            fetch = None
            continue
        try:
            if broken is None and fetch is None:
                fetch = fetcher(work.dataset, work.batched, work.collate_fn, work.drop_last)
            answer = broken or fetch.fetch(index)
            message = ForkingPickler.dumps((epoch, number, False, answer))
        except StopIteration as error:
            ended = not hasattr(fetch, "whole")  # of a stream; anywhere else it is an error of the dataset
            answer = None if ended else Failure(error, worker)
            message = ForkingPickler.dumps((epoch, number, ended, answer))
        except Exception as error:
            message = ForkingPickler.dumps((epoch, number, False, Failure(error, worker)))
            if fetch is None:
                broken = Failure(error, worker)
        outbox.put(message)
    outbox.put(None)
    sender.join()


def _settle_in(parcel: Parcel, worker: int, num_workers: int, seed: int) -> Work:
    global _info
    random.seed(seed)
    manual_seed(seed)
    np.random.seed(np.random.SeedSequence(seed).generate_state(4))
    work = parcel.open()
    _info = WorkerInfo(worker, num_workers, seed, work.dataset)
    if work.worker_init_fn is not None:
        work.worker_init_fn(worker)
    return work


def _opening(error: Exception, worker: int, parcel: Parcel) -> Failure:
    """Why a worker could not begin; a class of a notebook is found missing only here."""
    failure = Failure(error, worker)
    if isinstance(parcel.work, bytes) and isinstance(error, AttributeError) and "__main__" in str(error):
        failure.text += (
            "\n  The worker process does not have what is defined in a notebook or at a prompt."
            "\n  write instead: the class in a module (a .py file) that you import; or multiprocessing_context='fork' "
            "(Linux); or num_workers=0"
        )
    return failure


def _send_all(outbox: queue.SimpleQueue, results: Any) -> None:
    while (message := outbox.get()) is not None:
        try:
            results.send_bytes(message)
        except OSError:  # nobody reads any more
            return


__all__ = ["WorkerInfo", "get_worker_info"]

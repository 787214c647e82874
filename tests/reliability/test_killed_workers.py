"""Workers of a DataLoader that are killed, raise, or hang: an error that names them, nothing waits for ever, no process
is left."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pytest
from amount import times

from tinygrad_edu.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info

pytestmark = pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="datasets here are made for fork"
)


class Samples(Dataset):
    """Large enough that a batch does not fit into a pipe at once; something happens at some of them."""

    def __init__(self, happens: Callable[[], Any] = lambda: None, at: int = -1, size: int = 20_000) -> None:
        self.happens, self.at, self.size = happens, at, size

    def __len__(self) -> int:
        return 64

    def __getitem__(self, index: int) -> np.ndarray:
        if index == self.at:
            self.happens()
        return np.full(self.size, index)


class Stream(IterableDataset):
    """The same as a stream."""

    def __init__(self, happens: Callable[[], Any]) -> None:
        self.happens = happens

    def __iter__(self) -> Any:
        yield from range(3)
        self.happens()


def hangs() -> None:
    time.sleep(3600)


def hangs_and_does_not_listen() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    hangs()


def raises() -> None:
    raise ZeroDivisionError("in a worker")


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # it was quicker
        os.kill(pid, signal.SIGKILL)


def loader(dataset: Any, **options: Any) -> DataLoader:
    return DataLoader(dataset, 4, **{"num_workers": 2, "multiprocessing_context": "fork", **options})


@pytest.fixture(autouse=True)
def nothing_is_left() -> Any:
    """No process and no open file more than before."""
    files = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    yield
    assert not multiprocessing.active_children()
    if files:
        assert len(os.listdir("/proc/self/fd")) <= files


def test_killed_at_any_moment() -> None:
    """While it waits, while it makes a batch, in the middle of sending one: all batches come, or an error that says who
    died and of what."""
    rng, ended = Random(0), {"whole": 0, "named": 0}
    for turn in range(times(12, 200)):
        persistent = turn % 2 == 0
        made = loader(Samples(), persistent_workers=persistent)
        batches = iter(made)
        first = next(batches)[0, 0].item()
        pid = rng.choice([w.process.pid for w in batches.pool.workers])
        killer = threading.Timer(rng.random() * 0.02, kill, (pid,))
        killer.start()
        try:
            seen = [first, *(batch[0, 0].item() for batch in batches)]
            assert seen == list(range(0, 64, 4))
            ended["whole"] += 1
        except RuntimeError as error:
            assert f"(pid(s) {pid}) exited unexpectedly: killed by signal SIGKILL" in str(error)
            ended["named"] += 1
        killer.join()
        if persistent:
            try:  # begins with new workers, or notices now that one has died after its last batch
                assert len(list(made)) == 16
            except RuntimeError as error:
                assert f"(pid(s) {pid})" in str(error)
        del batches, made
        assert not multiprocessing.active_children()
    assert ended["named"]


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize("happens", [hangs, hangs_and_does_not_listen])
def test_hanging(happens: Callable, persistent: bool) -> None:
    made = loader(Samples(happens, at=8, size=2), timeout=0.3, persistent_workers=persistent)
    for _ in range(1 + persistent):  # the second time with new workers
        with pytest.raises(RuntimeError, match=r"DataLoader timed out after 0.3 seconds"):
            list(made)
        assert not multiprocessing.active_children()


def test_leaving_while_one_hangs() -> None:
    batches = iter(loader(Samples(hangs, at=4, size=2)))
    next(batches)
    del batches


@pytest.mark.parametrize(("happens", "what"), [(raises, "in a worker"), (killed, "SIGKILL"), (hangs, "timed out")])
@pytest.mark.parametrize("where", ["stream", "start", "order", "collate"])
def test_wherever_it_happens(happens: Callable, what: str, where: str) -> None:
    def beginning(worker: int) -> None:
        if worker == 1:
            happens()

    def order() -> Any:
        yield [0, 1]
        raise ZeroDivisionError("in a worker")  # in truth in this process, before anything is sent

    def collating(batch: list) -> Any:
        info = get_worker_info()
        assert info is not None
        return happens() if info.id else batch

    made = {
        "stream": lambda: loader(Stream(happens), timeout=0.3),
        "start": lambda: loader(Samples(size=2), timeout=0.3, worker_init_fn=beginning),
        "order": lambda: DataLoader(
            Samples(size=2), batch_sampler=order(), num_workers=1, multiprocessing_context="fork"
        ),
        "collate": lambda: loader(Samples(size=2), timeout=0.3, collate_fn=collating),
    }[where]()
    expected = (ZeroDivisionError, "in a worker") if where == "order" or happens is raises else (RuntimeError, what)
    with pytest.raises(expected[0], match=expected[1]):
        list(made)
    del made


def test_an_interrupted_loop_ends_its_workers() -> None:
    batches = iter(loader(Samples(hangs, at=4, size=2)))
    next(batches)
    main = threading.main_thread().ident
    assert main is not None
    threading.Timer(0.2, signal.pthread_kill, (main, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        list(batches)

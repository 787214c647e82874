"""The DataLoader in one process and in several."""

from __future__ import annotations

import gc
import itertools
import multiprocessing
import os
import pickle
import random
import signal
import time

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    SequentialSampler,
    TensorDataset,
    get_worker_info,
)

CONTEXTS = [c for c in ("fork", "spawn") if c in multiprocessing.get_all_start_methods()]
here = CONTEXTS[0]


class Numbers(Dataset):
    """The numbers up to n; at number 5 something may happen."""

    def __init__(self, n=20, at_5=None):
        self.n, self.at_5 = n, at_5

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        if self.at_5 is not None and i == 5:
            self.at_5()
        return tg.tensor([float(i)]), i


def bad_value():
    raise ValueError("bad number")


def bad_key():
    raise KeyError("bad key")


class Picky(Exception):
    def __init__(self, a, b):
        super().__init__(a, b)


def picky():
    raise Picky(1, 2)


def killed():
    os.kill(os.getpid(), signal.SIGKILL)


def exits():
    os._exit(3)


def sleeps():
    time.sleep(60)


class Shared(IterableDataset):
    """A stream that its workers share out."""

    def __init__(self, n):
        self.n = n

    def __iter__(self):
        info = get_worker_info()
        return iter(range(self.n) if info is None else range(info.id, self.n, info.num_workers))

    def __len__(self):
        return self.n


class Draws(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, i):
        info = get_worker_info()
        return info.id, info.seed, tg.rand(()).item(), np.random.rand(), random.random()


class Large(Dataset):
    def __len__(self):
        return 40

    def __getitem__(self, i):
        return np.full(100_000, i)


def no_children() -> bool:
    """Whether all worker processes have ended."""
    return not multiprocessing.active_children()


@pytest.fixture(autouse=True)
def leaves_no_process():
    yield
    gc.collect()
    assert no_children()


def indices(loader):
    return [batch[1].tolist() for batch in loader]


# --- one process ------------------------------------------------------------------------------------------------------


def test_batches() -> None:
    data = TensorDataset(tg.zeros(7, 2), tg.arange(7))
    assert indices(DataLoader(data, 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert indices(DataLoader(data, 3, drop_last=True)) == [[0, 1, 2], [3, 4, 5]]
    assert indices(DataLoader(data, sampler=[4, 2], batch_size=2)) == [[4, 2]]
    assert indices(DataLoader(data, batch_sampler=[[1], [2, 3]])) == [[1], [2, 3]]
    assert indices(DataLoader(data, batch_sampler=BatchSampler(SequentialSampler(data), 4, False)))[1] == [4, 5, 6]
    assert [len(DataLoader(data, 3, drop_last=d)) for d in (False, True)] == [3, 2]
    shuffled = indices(DataLoader(data, 3, shuffle=True))
    assert sorted(itertools.chain(*shuffled)) == list(range(7))
    assert [i.item() for _, i in DataLoader(data, None)] == list(range(7))


def test_seeds_decide_the_order() -> None:
    data = TensorDataset(tg.zeros(50), tg.arange(50))
    first, again = (indices(DataLoader(data, 8, True, generator=tg.Generator().manual_seed(1))) for _ in range(2))
    assert first == again
    tg.manual_seed(4)
    loader = DataLoader(data, 8, shuffle=True)
    epochs = [indices(loader) for _ in range(2)]
    assert epochs[0] != epochs[1]
    tg.manual_seed(4)
    assert [indices(loader) for _ in range(2)] == epochs
    tg.manual_seed(4)  # a dataset without whole batches goes through its samples in the same order
    assert indices(DataLoader(Numbers(50), 8, shuffle=True)) == epochs[0]


def test_stream() -> None:
    assert [b.tolist() for b in DataLoader(Shared(5), 2)] == [[0, 1], [2, 3], [4]]
    assert [b.tolist() for b in DataLoader(Shared(5), 2, drop_last=True)] == [[0, 1], [2, 3]]
    assert list(DataLoader(Shared(3), None)) == [0, 1, 2]
    assert len(DataLoader(Shared(5), 2)) == 3


def test_stream_longer_than_said() -> None:
    class Liar(Shared):
        def __len__(self):
            return 2

    loader = DataLoader(Liar(4), 1)
    assert len(loader) == 2
    with pytest.warns(UserWarning, match="reported to be 2"):
        assert len(list(loader)) == 4


@pytest.mark.parametrize(
    "options",
    [
        {"num_workers": -1},
        {"timeout": -1},
        {"prefetch_factor": 2},
        {"prefetch_factor": -1, "num_workers": 1},
        {"persistent_workers": True},
        {"sampler": [1], "shuffle": True},
        {"batch_sampler": [[1]], "batch_size": 2},
        {"batch_sampler": [[1]], "drop_last": True},
        {"batch_size": None, "drop_last": True},
        {"batch_size": 0},
        {"multiprocessing_context": here},
        {"multiprocessing_context": "nonsense", "num_workers": 1},
    ],
)
def test_wrong_options(options) -> None:
    with pytest.raises(ValueError):
        DataLoader(Numbers(), **options)


def test_more_wrong_options() -> None:
    for options in ({"shuffle": True}, {"sampler": [1]}, {"batch_sampler": [[1]]}):
        with pytest.raises(ValueError, match="IterableDataset"):
            DataLoader(Shared(3), **options)
    with pytest.raises(TypeError):
        DataLoader(Numbers(), num_workers=1, multiprocessing_context=3)
    with pytest.raises(ValueError, match="make a new one"):
        DataLoader(Numbers()).batch_size = 3


# --- several processes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("context", CONTEXTS)
def test_workers_give_the_same_batches_in_the_same_order(context) -> None:
    tg.manual_seed(0)
    expected = indices(DataLoader(Numbers(), 3, shuffle=True))
    tg.manual_seed(0)
    assert indices(DataLoader(Numbers(), 3, shuffle=True, num_workers=2, multiprocessing_context=context)) == expected
    data = TensorDataset(tg.zeros(9), tg.arange(9))
    assert indices(DataLoader(data, 4, num_workers=1, multiprocessing_context=context)) == indices(DataLoader(data, 4))


def test_workers_share_a_stream() -> None:
    loader = DataLoader(Shared(11), 3, num_workers=2, multiprocessing_context=here)
    assert [b.tolist() for b in loader] == [[0, 2, 4], [1, 3, 5], [6, 8, 10], [7, 9]]


def test_every_worker_has_its_seed() -> None:
    def rows():
        loader = DataLoader(
            Draws(), num_workers=2, generator=tg.Generator().manual_seed(5), multiprocessing_context=here
        )
        return [[float(v) for v in row] for row in loader]

    first = rows()
    assert [row[0] for row in first] == [0, 1, 0, 1]
    seeds = {row[0]: row[1] for row in first}
    assert seeds[1] == seeds[0] + 1
    assert len({row[2] for row in first}) == len({row[3] for row in first}) == len({row[4] for row in first}) == 4
    assert rows() == first
    assert get_worker_info() is None


def test_persistent_workers() -> None:
    loader = DataLoader(Numbers(8), 2, num_workers=2, persistent_workers=True, multiprocessing_context=here)
    expected = indices(DataLoader(Numbers(8), 2))
    assert indices(loader) == expected
    processes = {p.pid for p in multiprocessing.active_children()}
    assert len(processes) == 2
    next(iter(loader))  # an epoch left early: its other batches must not turn up in the next one
    assert indices(loader) == expected
    assert {p.pid for p in multiprocessing.active_children()} == processes
    del loader
    assert no_children()


def test_out_of_order() -> None:
    loader = DataLoader(Numbers(12), 2, num_workers=2, in_order=False, multiprocessing_context=here)
    assert sorted(indices(loader)) == indices(DataLoader(Numbers(12), 2))


def test_leaving_early_ends_the_processes() -> None:
    for batch in DataLoader(Large(), 4, num_workers=2, prefetch_factor=4, multiprocessing_context=here):
        assert batch.shape == (4, 100_000)
        break
    del batch
    assert no_children()


@pytest.mark.parametrize(("at_5", "kind"), [(bad_value, ValueError), (bad_key, KeyError), (picky, RuntimeError)])
def test_exceptions_come_back(at_5, kind) -> None:
    batches = iter(DataLoader(Numbers(at_5=at_5), 2, num_workers=2, multiprocessing_context=here))
    assert [next(batches)[1].tolist() for _ in range(2)] == [[0, 1], [2, 3]]
    try:
        next(batches)
    except kind as error:
        text = str(error)
    assert [batch[1].tolist()[0] for batch in batches] == [6, 8, 10, 12, 14, 16, 18]  # the others are still to be had
    assert "in DataLoader worker process 0" in text and at_5.__name__ in text and "Traceback" in text


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize(("at_5", "code"), [(killed, "SIGKILL, exit code -9"), (exits, "exit code 3")])
def test_dead_workers_are_named(at_5, code, context) -> None:
    with pytest.raises(RuntimeError, match=rf"worker 0 \(pid\(s\) \d+\) exited unexpectedly.*{code}"):
        indices(DataLoader(Numbers(at_5=at_5), 2, num_workers=2, multiprocessing_context=context))


def test_timeout() -> None:
    with pytest.raises(RuntimeError, match=r"timed out after 0\.2 seconds"):
        indices(DataLoader(Numbers(at_5=sleeps), 6, num_workers=1, timeout=0.2, multiprocessing_context=here))


def test_init_functions() -> None:
    def begin(worker):
        if worker == 1:
            raise OSError("no such disk")

    loader = DataLoader(Numbers(), 2, num_workers=2, worker_init_fn=begin, multiprocessing_context=here)
    if here == "fork":
        with pytest.raises(OSError, match="no such disk"):
            indices(loader)


def test_batches_that_cannot_be_sent() -> None:
    if here == "fork":
        loader = DataLoader(Numbers(), num_workers=1, collate_fn=lambda b: lambda: b, multiprocessing_context=here)
        with pytest.raises((AttributeError, pickle.PicklingError), match="worker process 0"):
            next(iter(loader))


def test_lambdas_and_spawn() -> None:
    class Local(Numbers):
        pass

    for name, options in {
        "collate_fn": {"dataset": Numbers(), "collate_fn": lambda b: b},
        "worker_init_fn": {"dataset": Numbers(), "worker_init_fn": lambda i: None},
        "dataset": {"dataset": Local()},
    }.items():
        with pytest.raises(pickle.PicklingError, match=rf"(?s)the {name} .*multiprocessing_context='fork'"):
            next(iter(DataLoader(num_workers=1, multiprocessing_context="spawn", **options)))


def test_class_of_a_notebook_and_spawn(monkeypatch) -> None:
    import __main__

    class OfNotebook(Numbers):
        pass

    OfNotebook.__module__, OfNotebook.__qualname__ = "__main__", "OfNotebook"
    monkeypatch.setattr(__main__, "OfNotebook", OfNotebook, raising=False)
    with pytest.raises(AttributeError, match=r"(?s)OfNotebook.*in a module \(a \.py file\)"):
        next(iter(DataLoader(OfNotebook(), num_workers=1, multiprocessing_context="spawn")))


@pytest.mark.skipif(here != "fork", reason="counts the processes of one that is killed: needs fork")
def test_workers_end_with_their_parent() -> None:
    def parent(pipe):
        loader = DataLoader(Numbers(10**6), 2, num_workers=2, multiprocessing_context="fork")
        batches = iter(loader)
        next(batches)
        pipe.send([w.process.pid for w in batches.pool.workers])
        time.sleep(60)

    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=parent, args=(theirs,))
    process.start()
    pids = ours.recv()
    process.kill()
    process.join()
    deadline = time.monotonic() + 10
    while any(map(_runs, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(_runs, pids))


def _runs(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_as_in_pytorch() -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    x, y = np.random.default_rng(0).standard_normal((11, 3)), np.arange(11)

    def run(module, data, **options):
        made = data.TensorDataset(module.tensor(x), module.tensor(y))
        return [(a.numpy(), b.numpy()) for a, b in data.DataLoader(made, **options)]

    for options in (
        {"batch_size": 4},
        {"batch_size": 4, "drop_last": True},
        {"batch_size": 3, "sampler": [5, 1, 7, 0]},
    ):
        ours, theirs = run(tg, tg.utils.data, **options), run(torch, torch.utils.data, **options)
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            assert all(np.array_equal(p, q) and p.dtype == q.dtype for p, q in zip(a, b, strict=True))

"""What needs no second process: a group of one, the way over NCCL and over pinned memory on stand-ins, the sampler."""

from __future__ import annotations

import itertools
import sys
import types
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import standin

import tinygrad_edu as tg
from tinygrad_edu import devices, distributed, nn
from tinygrad_edu.distributed import groups, nccl
from tinygrad_edu.distributed.transport import Alone, ReduceOp, at_once
from tinygrad_edu.nn.parallel import DistributedDataParallel
from tinygrad_edu.tensor import Tensor, wrap
from tinygrad_edu.utils.data import DistributedSampler

dist = distributed


@pytest.fixture
def group() -> Iterator[None]:
    """A group of this process."""
    dist.init_process_group("single")
    yield
    dist.destroy_process_group()


# --- a group of one -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("group")
def test_alone_every_call_is_at_its_end_at_once() -> None:
    x = tg.tensor([1.0, 2.0])
    for op in (ReduceOp.SUM, ReduceOp.AVG, ReduceOp.MAX, ReduceOp.PRODUCT):
        assert dist.all_reduce(x, op, async_op=True).wait()
        dist.reduce(x, 0, op)
    dist.broadcast(x, 0)
    y, z = tg.zeros(2), tg.zeros(1, 2)
    dist.all_gather([y], x)
    dist.all_gather_into_tensor(z, x)
    assert x.tolist() == y.tolist() == z[0].tolist() == [1, 2]
    for call in (lambda t: dist.gather(x, [t]), lambda t: dist.scatter(t, [x]), lambda t: dist.reduce_scatter(t, [x])):
        t = tg.zeros(2)
        call(t)
        assert t.tolist() == [1, 2]
    for call in (lambda t: dist.all_to_all([t], [x]), lambda t: dist.all_to_all_single(t, x)):
        t = tg.zeros(2)
        call(t)
        assert t.tolist() == [1, 2]
    found = [None]
    dist.all_gather_object(found, {"a": 1})
    assert found == [{"a": 1}]
    dist.broadcast_object_list(found)
    dist.barrier()
    dist.monitored_barrier()
    assert dist.Backend("GLOO") == dist.Backend.GLOO == "gloo"
    assert dist.get_rank() == 0 and dist.get_world_size() == 1 and dist.new_group([0]).size() == 1
    with pytest.raises(ValueError, match="no other process"):
        Alone().send(x.array, 0, 0)


@pytest.mark.usefixtures("group")
def test_mistakes_alone() -> None:
    with pytest.raises(ValueError, match="twice"):
        dist.init_process_group()
    with pytest.raises(ValueError, match="not one of the group's processes"):
        dist.broadcast(tg.ones(2), src=1)
    with pytest.raises(ValueError, match="is this process itself"):
        dist.send(tg.ones(2), 0)
    with pytest.raises(TypeError, match="what new_group"):
        dist.barrier(group="all")


def test_before_the_group() -> None:
    for call in (dist.get_rank, dist.get_world_size, dist.barrier, dist.new_group):
        with pytest.raises(ValueError, match="has not been initialized"):
            call()
    with pytest.raises(ValueError, match="no backend 'smoke'"):
        dist.init_process_group("smoke")
    with pytest.raises(NotImplementedError, match="launch -n 3"):
        dist.init_process_group("gloo", world_size=3)
    with pytest.raises(ValueError, match="rank=1"):
        dist.init_process_group("gloo", world_size=1, rank=1)
    assert not dist.is_initialized()


def test_one_of_several_does_not_train_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PMI_RANK", "1")
    monkeypatch.setenv("PMI_SIZE", "2")
    for make in (lambda: DistributedDataParallel(nn.Linear(3, 2)), lambda: DistributedSampler(range(4))):
        with pytest.raises(ValueError, match="has not been initialized, please call init_process_group"):
            make()
    assert len(DistributedSampler(range(4), 2, 1)) == 2


def test_one_process_needs_no_reduction() -> None:
    model = DistributedDataParallel(nn.Linear(3, 2))
    with model.join(), model.no_sync():
        model(tg.ones(4, 3)).sum().backward()
    assert model.module.weight.grad.tolist() == [[4, 4, 4]] * 2 and model._reducer is None
    with pytest.raises(RuntimeError, match="is not needed"):
        DistributedDataParallel(nn.ReLU())
    with pytest.raises(ValueError, match="SyncBatchNorm mixes"):
        DistributedDataParallel(nn.SyncBatchNorm(3), weigh_samples=True)


# --- GPUs, on stand-ins: no GPU has run this ------------------------------------------------------------------------


SIGNATURES = {
    "all_reduce": lambda in_array, out_array, op="sum", stream=None: None,
    "reduce": lambda in_array, out_array, root=0, op="sum", stream=None: None,
    "broadcast": lambda in_out_array, root=0, stream=None: None,
    "reduce_scatter": lambda in_array, out_array, count, op="sum", stream=None: None,
    "all_gather": lambda in_array, out_array, count, stream=None: None,
    "send": lambda array, peer, stream=None: None,
    "recv": lambda out_array, peer, stream=None: None,
    "scatter": lambda in_array, out_array, root=0, stream=None: None,
    "gather": lambda in_array, out_array, root=0, stream=None: None,
    "all_to_all": lambda in_array, out_array, stream=None: None,
    "barrier": lambda: None,
}


class Recorder:
    """The methods of `cupyx.distributed.NCCLBackend`, as CuPy 14 has them; notes what it is asked."""

    def __init__(self) -> None:
        self.calls: list[tuple] = []

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any) -> None:
            SIGNATURES[name](*args)
            self.calls.append((name, *[a if isinstance(a, (int, str)) else a.shape for a in args]))

        return call


def test_calls_of_nccl(monkeypatch: pytest.MonkeyPatch) -> None:
    told, begun = Recorder(), []

    def init_process_group(n_devices, rank, *, backend="nccl", host=None, port=None, use_mpi=False):
        begun.append((n_devices, rank, backend, use_mpi))
        return told

    monkeypatch.setitem(sys.modules, "cupyx", types.ModuleType("cupyx"))
    sys.modules["cupyx"].distributed = SimpleNamespace(init_process_group=init_process_group)
    way = nccl.Nccl(0, 2)
    assert not begun  # a program chooses its GPU after it has made the group
    x, parts = np.zeros((3, 2), np.float32), np.zeros((2, 3, 2), np.float32)
    assert way.all_reduce(x, ReduceOp.SUM) is at_once
    way.reduce(x, ReduceOp.MAX, 1)
    way.broadcast(x, 1)
    way.all_gather(parts, x)
    way.gather(parts, x, 0)
    way.gather(None, x, 1)
    way.scatter(x, parts, 0)
    way.reduce_scatter(x, parts, ReduceOp.AVG)
    way.all_to_all((parts, [6, 6]), (parts, [6, 6]))
    way.send(x, 1, 0)
    way.recv(x, 1, 0)
    way.barrier()
    assert told.calls == [
        ("all_reduce", (3, 2), (3, 2), "sum"),
        ("reduce", (3, 2), (3, 2), 1, "max"),
        ("broadcast", (24,), 1),
        ("all_gather", (24,), (48,), 24),
        ("gather", (24,), (2, 24), 0),
        ("gather", (24,), (1, 24), 1),
        ("scatter", (2, 24), (24,), 0),
        ("reduce_scatter", (2, 3, 2), (3, 2), 6, "sum"),
        ("all_to_all", (2, 24), (2, 24)),
        ("send", (24,), 1),
        ("recv", (24,), 1),
        ("barrier",),
    ]
    assert begun == [(2, 0, "nccl", True)]
    with pytest.raises(RuntimeError, match=r"ReduceOp\.BAND with NCCL"):
        way.all_reduce(x, ReduceOp.BAND)
    with pytest.raises(RuntimeError, match="of one length"):
        way.all_to_all((parts, [5, 7]), (parts, [6, 6]))
    with pytest.raises(ValueError, match="from any process"):
        way.recv(x, None, 0)


class Doubling(Alone):
    """Two processes that have the same: for their sums, the way is enough."""

    size = 2

    def __init__(self, place: str) -> None:
        self.place = place
        self.seen: list[type] = []

    def all_reduce(self, x: Any, op: ReduceOp) -> Any:
        self.seen.append(type(x))
        x *= 2
        return at_once


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The stand-in for a GPU."""
    with standin.device():
        xp = devices.module(devices.device("cuda"))
        monkeypatch.setattr(xp.cuda, "alloc_pinned_memory", bytearray, raising=False)

        def asnumpy(array: Any, out: Any = None) -> np.ndarray:
            if out is None:
                return array._a.copy()
            out[...] = array._a
            return out

        monkeypatch.setattr(xp, "asnumpy", asnumpy, raising=False)
        yield


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("over_nccl", [True, False])
def test_tensors_on_a_gpu(over_nccl: bool) -> None:
    """Over NCCL they stay where they are; over MPI they go through pinned memory, and come back."""
    cpu, cuda = Doubling("cpu"), Doubling("cuda")
    group = groups.ProcessGroup([0, 1], cpu, cuda if over_nccl else None, "nccl", 1.0)
    groups._set_world(group)
    try:
        x = tg.tensor([1.0, 2.0], device="cuda")
        dist.all_reduce(x)
        assert type(x.array) is standin.Array and x.cpu().tolist() == [2, 4]
        y = tg.tensor([1.0])
        dist.all_reduce(y)
        assert y.tolist() == [2]
        assert cuda.seen == ([standin.Array] if over_nccl else [])
        assert cpu.seen == [np.ndarray] * (1 if over_nccl else 2)
    finally:
        groups._set_world(None)


# --- the order of data ----------------------------------------------------------------------------------------------


def shares(n: int, size: int, **options: Any) -> list[DistributedSampler]:
    return [DistributedSampler(range(n), size, rank, **options) for rank in range(size)]


@pytest.mark.parametrize("start", [0, 12, 36])
@pytest.mark.parametrize(("few", "many"), [(1, 2), (2, 4), (1, 4), (3, 6)])
def test_one_order_for_any_number_of_processes(few: int, many: int, start: int) -> None:
    """Each step's samples, of all processes together, do not depend on how many there are."""

    def steps(size: int, start: int) -> list[list[int]]:
        samplers = shares(48, size)
        for s in samplers:
            s.set_epoch(5, start)
        taken, b = [list(s) for s in samplers], 12 // size
        return [sorted(i for t in taken for i in t[k : k + b]) for k in range(0, len(taken[0]), b)]

    whole = steps(few, 0)
    assert sorted(itertools.chain(*whole)) == list(range(48)) and whole[0] != list(range(12))
    assert steps(many, start) == whole[start // 12 :]


@pytest.mark.parametrize("n", [1, 7, 8, 9])
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_shares(n: int, size: int) -> None:
    plain, short, honest = shares(n, size), shares(n, size, drop_last=True), shares(n, size, pad=False)
    for samplers in (plain, short, honest):
        assert all(len(list(s)) == len(s) for s in samplers)
    assert {len(s) for s in plain} == {-(-n // size)} and {len(s) for s in short} == {n // size}
    assert set(itertools.chain(*plain)) == set(range(n))
    assert sorted(itertools.chain(*honest)) == list(range(n))
    with pytest.raises(ValueError, match="start="):
        plain[0].set_epoch(0, n + 1)


def test_a_tensor_written_by_all_reduce_counts_as_written() -> None:
    dist.init_process_group()
    try:
        x = wrap(np.ones(3)).requires_grad_()
        y = x.exp()
        dist.all_reduce(y.detach())
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.sum().backward()
        assert isinstance(x, Tensor)
    finally:
        dist.destroy_process_group()

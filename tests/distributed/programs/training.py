"""Checks of `DistributedDataParallel`: several processes with a part of each batch against one with the whole batch."""

import copy
import sys
import time

import numpy as np

import tinygrad_edu as tg
from tinygrad_edu import distributed as dist
from tinygrad_edu import nn
from tinygrad_edu.nn.parallel import DistributedDataParallel
from tinygrad_edu.utils.checkpoint import checkpoint

tg.set_default_dtype(tg.float64)
dist.init_process_group("mpi")
RANK, SIZE = dist.get_rank(), dist.get_world_size()
SMALL = 1e-4  # megabytes in a bucket: every layer has its own


def same(model: nn.Module, wanted: nn.Module, tolerance: float = 1e-9) -> None:
    for (name, a), (_, b) in zip(model.named_parameters(), wanted.named_parameters(), strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), tolerance, tolerance, err_msg=name)


def same_grads(model: nn.Module, wanted: nn.Module, tolerance: float = 1e-9) -> None:
    for (name, a), (_, b) in zip(model.named_parameters(), wanted.named_parameters(), strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), tolerance, tolerance, err_msg=name)


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 3))


def started(make, **options):
    """A model that is the same in all processes, wrapped, and a copy that is not."""
    tg.manual_seed(100 + RANK)  # different beginnings: rank 0's is taken
    model = DistributedDataParallel(make(), bucket_cap_mb=SMALL, **options)
    return model, copy.deepcopy(model.module)


def batches(steps: int, length: int):
    rng = np.random.default_rng(0)
    for _ in range(steps):
        yield tg.tensor(rng.standard_normal((length, 6))), tg.tensor(rng.integers(0, 3, length))


def loss_of(model: nn.Module, x: tg.Tensor, y: tg.Tensor) -> tg.Tensor:
    return nn.functional.cross_entropy(model(x), y)


def train(model: nn.Module, data, mine) -> None:
    optimizer = tg.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for x, y in data:
        optimizer.zero_grad()
        loss_of(model, mine(x), mine(y)).backward()
        optimizer.step()


def hundred_steps() -> None:
    model, one = started(network)
    train(model, batches(100, 4 * SIZE), lambda t: t[RANK::SIZE])
    train(one, batches(100, 4 * SIZE), lambda t: t)
    same(model.module, one)


def one_large_bucket() -> None:
    model = DistributedDataParallel(network())
    one = copy.deepcopy(model.module)
    train(model, batches(100, 4 * SIZE), lambda t: t[RANK::SIZE])
    train(one, batches(100, 4 * SIZE), lambda t: t)
    assert len(model._reducer.buckets) == 1
    same(model.module, one)


def uneven_batches() -> None:
    model, one = started(network, weigh_samples=True)

    def data():
        for i, (x, y) in enumerate(batches(100, 4 * SIZE + 1)):
            yield (x, y) if i % 3 else (x[: SIZE + 1], y[: SIZE + 1])

    train(model, data(), lambda t: t[RANK::SIZE])
    train(one, data(), lambda t: t)
    same(model.module, one)


def gathered_steps() -> None:
    """`no_sync` for all but the last of three parts of a batch."""
    model, one = started(network)
    first, second = (tg.optim.SGD(m.parameters(), lr=0.1) for m in (model, one))
    for x, y in batches(20, 6 * SIZE):
        first.zero_grad(), second.zero_grad()
        loss_of(one, x, y).backward()
        parts = [
            (x[k * SIZE * 2 :][RANK : 2 * SIZE : SIZE], y[k * SIZE * 2 :][RANK : 2 * SIZE : SIZE]) for k in range(3)
        ]
        with model.no_sync():
            for part in parts[:2]:
                (loss_of(model, *part) / 3).backward()
        own = [p.grad.numpy().copy() for p in model.parameters()]
        (loss_of(model, *parts[2]) / 3).backward()
        assert any(not np.allclose(before, p.grad.numpy()) for before, p in zip(own, model.parameters(), strict=True))
        same_grads(model.module, one)
        first.step(), second.step()
    same(model.module, one)


class Branches(nn.Module):
    """Which of its parts a call uses is said in the call."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.left, self.right, self.never = (nn.Linear(6, 6) for _ in range(4))

    def forward(self, x: tg.Tensor, way: int) -> tg.Tensor:
        x = self.first(x)
        return self.left(x) if way == 0 else self.right(x) if way == 1 else self.left(x) + self.right(x)


def unused_parameters() -> None:
    model, one = started(Branches, find_unused_parameters=True)
    x = tg.tensor(np.random.default_rng(1).standard_normal((SIZE, 6)))
    for ways in ([r % 2 for r in range(SIZE)], [0] * SIZE, [2] * SIZE):
        model.zero_grad(), one.zero_grad()
        model(x[RANK : RANK + 1], ways[RANK]).square().mean().backward()
        sum(one(x[r : r + 1], way).square().mean() / SIZE for r, way in enumerate(ways)).backward()
        for (name, a), (_, b) in zip(model.module.named_parameters(), one.named_parameters(), strict=True):
            assert (a.grad is None) == (b.grad is None), (name, ways)
            if a.grad is not None:
                np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), 1e-9, 1e-12)


def unused_in_all() -> None:
    model, _ = started(Branches)
    try:
        model(tg.ones(1, 6), 0).sum().backward()
    except RuntimeError as error:
        text = str(error)
        assert (
            "4 of 8 parameters" in text and "right.weight" in text and "never.bias" in text and f"rank {RANK}" in text
        )
        assert "find_unused_parameters=True" in text
    else:
        raise AssertionError("four parameters without a gradient were not noticed")


def normalized_network(norm: type) -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 4, 3), norm(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 9, 3))


def synchronized_norm() -> None:
    tg.manual_seed(RANK)
    plain = normalized_network(nn.BatchNorm2d)
    model = DistributedDataParallel(nn.SyncBatchNorm.convert_sync_batchnorm(plain), bucket_cap_mb=SMALL)
    one = normalized_network(nn.BatchNorm2d)
    one.load_state_dict(model.module.state_dict())
    rng = np.random.default_rng(2)
    first, second = (tg.optim.SGD(m.parameters(), lr=0.05, momentum=0.9) for m in (model, one))
    for _ in range(30):
        x, y = tg.tensor(rng.standard_normal((3 * SIZE, 2, 5, 5)) * 3 + 1), tg.tensor(rng.integers(0, 3, 3 * SIZE))
        whole, mine = x.clone().requires_grad_(), x[RANK::SIZE].clone().requires_grad_()
        first.zero_grad(), second.zero_grad()
        loss_of(one, whole, y).backward()
        loss_of(model, mine, y[RANK::SIZE]).backward()
        same_grads(model.module, one, 1e-8)
        np.testing.assert_allclose(mine.grad.numpy() / SIZE, whole.grad.numpy()[RANK::SIZE], 1e-8, 1e-12)
        first.step(), second.step()
    same(model.module, one, 1e-7)
    for (name, a), (_, b) in zip(model.module.named_buffers(), one.named_buffers(), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), 1e-8, err_msg=name)
    model.eval(), one.eval()
    np.testing.assert_allclose(model(x).detach().numpy(), one(x).detach().numpy(), 1e-6)


def uneven_synchronized_norm() -> None:
    rng = np.random.default_rng(3)
    x, w = rng.standard_normal((2 * SIZE + 1, 4)), rng.standard_normal((2 * SIZE + 1, 4))
    norm, one = nn.SyncBatchNorm(4, momentum=None), nn.BatchNorm1d(4, momentum=None)
    whole, mine = tg.tensor(x, requires_grad=True), tg.tensor(x[RANK::SIZE], requires_grad=True)
    wanted, found = one(whole), norm(mine)
    np.testing.assert_allclose(found.detach().numpy(), wanted.detach().numpy()[RANK::SIZE], 1e-9, 1e-12)
    (wanted * tg.tensor(w)).sum().backward()
    (found * tg.tensor(w[RANK::SIZE])).sum().backward()
    np.testing.assert_allclose(mine.grad.numpy(), whole.grad.numpy()[RANK::SIZE], 1e-9, 1e-12)
    np.testing.assert_allclose(norm.running_var.numpy(), one.running_var.numpy(), 1e-9)
    np.testing.assert_allclose(norm.running_mean.numpy(), one.running_mean.numpy(), 1e-9)


def the_same_bits() -> None:
    """Whoever is late: the sums are the same in all processes and in every run."""
    found = []
    for run in range(3):
        tg.manual_seed(7)
        model = DistributedDataParallel(network().float(), bucket_cap_mb=SMALL)
        pause = np.random.default_rng([run, RANK])
        for p in model.parameters():
            p.register_hook(lambda g, pause=pause: time.sleep(pause.random() * 0.004))
        train(model, ((x.float(), y) for x, y in batches(10, 4 * SIZE)), lambda t: t[RANK::SIZE])
        bits = [p.detach().numpy().tobytes() for p in model.parameters()]
        everyone = [None] * SIZE
        dist.all_gather_object(everyone, bits)
        assert all(theirs == bits for theirs in everyone)
        found.append(bits)
    assert found[0] == found[1] == found[2]


def buckets_leave_early() -> None:
    """When the first layer's gradient comes, the last layer's is on its way; the leaves' numbers are as before."""
    model, _ = started(network)
    before = [p.node.number for p in model.parameters()]
    sent = []
    model.module[0].weight.register_hook(lambda g: sent.append(model._reducer.sent))
    loss_of(model, tg.ones(2, 6), tg.tensor([0, 1])).backward()
    assert sent[0] >= 2, sent
    assert [p.node.number for p in model.parameters()] == before


class Tied(nn.Module):
    """A weight that is used at the beginning, at the end, and outside."""

    def __init__(self) -> None:
        super().__init__()
        self.word, self.inner = nn.Embedding(9, 5), nn.Linear(5, 5)

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        return self.inner(self.word(x)).tanh() @ self.word.weight.t()


def tied_weights() -> None:
    model, one = started(Tied)
    x = tg.tensor(np.random.default_rng(4).integers(0, 9, (2 * SIZE, 3)))

    def loss(m: nn.Module, weight: tg.Tensor, x: tg.Tensor) -> tg.Tensor:
        early = weight.square().sum()  # uses of the weight before and after the module's own
        return m(x).square().mean() + early + weight.sum().exp() * 0.01

    loss(model, model.module.word.weight, x[RANK::SIZE]).backward()
    loss(one, one.word.weight, x).backward()
    same_grads(model.module, one)


class Recomputed(nn.Module):
    """Two layers that are computed again in the walk back, and one that is not."""

    def __init__(self, reentrant: bool) -> None:
        super().__init__()
        self.inside, self.outside, self.reentrant = nn.Linear(6, 6), nn.Linear(6, 3), reentrant

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        x = checkpoint(lambda x: self.inside(x).tanh(), x, use_reentrant=self.reentrant)
        return self.outside(x)


def recomputation() -> None:
    for reentrant in (False, True):
        model, one = started(lambda reentrant=reentrant: Recomputed(reentrant))
        x = tg.tensor(np.random.default_rng(5).standard_normal((2 * SIZE, 6)))
        y = tg.tensor(np.arange(2 * SIZE) % 3)
        loss_of(model, x[RANK::SIZE].clone().requires_grad_(), y[RANK::SIZE]).backward()
        loss_of(one, x.clone().requires_grad_(), y).backward()
        same_grads(model.module, one)


def two_modules() -> None:
    """Two wrapped modules in one graph, one of them twice; and `autograd.grad`, which averages nothing."""
    first, one = started(network)
    second, two = started(lambda: nn.Linear(3, 1))
    x = tg.tensor(np.random.default_rng(6).standard_normal((2 * SIZE, 6)))

    def loss(a: nn.Module, b: nn.Module, x: tg.Tensor) -> tg.Tensor:
        return (b(a(x)) * b(a(x * 2))).mean()

    loss(first, second, x[RANK::SIZE]).backward()
    loss(one, two, x).backward()
    same_grads(first.module, one)
    same_grads(second.module, two)
    for model in (first, second):
        model.zero_grad()
    second(tg.ones(1, 3)).sum().backward()  # a walk that does not come to the first
    assert first.module[0].weight.grad is None and second.module.weight.grad is not None
    (own,) = tg.autograd.grad(first(x[RANK::SIZE]).square().mean(), [first.module[0].weight])
    (wanted,) = tg.autograd.grad(one(x[RANK::SIZE]).square().mean(), [one[0].weight])
    np.testing.assert_allclose(own.numpy(), wanted.numpy(), 1e-9, 1e-12)


def several_types() -> None:
    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Parameter(tg.randn(3))
            self.b = nn.Parameter(tg.randn(3).to(tg.float32))
            self.c = nn.Parameter(tg.randn(3).to(tg.float16))
            self.z = nn.Parameter(tg.randn(3, dtype=tg.complex128))
            self.still = nn.Parameter(tg.randn(3), requires_grad=False)

        def forward(self, x: tg.Tensor) -> tg.Tensor:
            return (x * self.a * self.b.double() * self.c.double() * (self.z * self.z).real * self.still).sum(1).mean()

    model, one = started(Mixed)
    x = tg.tensor(np.random.default_rng(8).standard_normal((2 * SIZE, 3)))
    model(x[RANK::SIZE]).backward()
    one(x).backward()
    for name in "abcz":
        a, b = getattr(model.module, name).grad, getattr(one, name).grad
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a.numpy(), b.numpy(), {"c": 4e-3, "b": 1e-5}.get(name, 1e-9))
    assert model.module.still.grad is None


def buffers_follow_the_first() -> None:
    model = DistributedDataParallel(nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 2)))
    for step in range(3):
        model(tg.randn(5, 4) + RANK).sum().backward()
        if step < 2:
            continue
        before = model.module[0].running_mean.numpy().copy()
    with tg.no_grad():
        model(tg.randn(5, 4))  # its own statistics, without the others: rank 0 may do this alone
    model(tg.randn(5, 4))
    count = model.module[0].num_batches_tracked.clone()
    dist.all_reduce(count)
    assert count.item() == SIZE * 5 and np.isfinite(before).all()


def ends_of_data() -> None:
    """Process r has 3 + r batches of 2; the others go on without it."""
    for by_all in (True, False):
        model, one = started(network)
        every = list(batches(3 + SIZE, 2 * SIZE))
        optimizer = tg.optim.SGD(model.parameters(), lr=0.1)
        with model.join(divide_by_initial_world_size=by_all):
            for x, y in every[: 3 + RANK]:
                optimizer.zero_grad()
                loss_of(model, x[RANK::SIZE], y[RANK::SIZE]).backward()
                optimizer.step()
        optimizer = tg.optim.SGD(one.parameters(), lr=0.1)
        for step, (x, y) in enumerate(every[: 2 + SIZE]):
            active = [r for r in range(SIZE) if step < 3 + r]
            optimizer.zero_grad()
            losses = [loss_of(one, x[r::SIZE], y[r::SIZE]) for r in active]
            (sum(losses) / (SIZE if by_all else len(active))).backward()
            optimizer.step()
        same(model.module, one)
    model, _ = started(network)
    try:
        with model.join(throw_on_early_termination=True):
            for x, y in every[: 1 + RANK]:
                loss_of(model, x, y).backward()
    except RuntimeError as error:
        assert "at least one rank that exhausted inputs" in str(error)
    else:
        raise AssertionError("data that ended early was not told of")


def unlike_modules() -> None:
    for make, said in (
        (lambda: nn.Linear(3 + RANK, 2), "rank 0 has weight: float64[2, 3], rank 1 weight: float64[2, 4]"),
        (lambda: nn.Linear(3, 2, bias=RANK == 0), "rank 0 has 2 parameters and buffers, rank 1 1"),
    ):
        try:
            DistributedDataParallel(make())
        except RuntimeError as error:
            assert said in str(error), error
        else:
            raise AssertionError("unlike modules were not noticed")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        globals()[name]()
        dist.barrier()
    print("done", RANK)

"""Datasets, samplers and collation, held against plain lists and, where it is installed, PyTorch."""

from __future__ import annotations

import collections
import itertools

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu.utils.data import (
    BatchSampler,
    ChainDataset,
    ConcatDataset,
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    StackDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    default_convert,
    random_split,
)

X = np.random.default_rng(0).standard_normal((10, 3)).astype(np.float32)


class Numbers(Dataset):
    def __init__(self, values):
        self.values = values

    def __len__(self):
        return len(self.values)

    def __getitem__(self, i):
        return self.values[i]


class Stream(IterableDataset):
    def __init__(self, n):
        self.n = n

    def __iter__(self):
        return iter(range(self.n))

    def __len__(self):
        return self.n


def test_tensor_dataset() -> None:
    data = TensorDataset(tg.tensor(X), tg.arange(10))
    x, i = data[4]
    assert len(data) == 10 and i.item() == 4 and np.array_equal(x.numpy(), X[4])
    assert np.array_equal(data[2:5][0].numpy(), X[2:5])
    with pytest.raises(AssertionError, match="10, 9"):
        TensorDataset(tg.tensor(X), tg.arange(9))


def test_subset_of_rows_is_one_index_operation() -> None:
    data = Subset(Subset(TensorDataset(tg.tensor(X), tg.arange(10)), [9, 8, 7, 6, 5]), [0, 2, 4])
    x, i = next(iter(DataLoader(data, 3)))
    assert i.tolist() == [9, 7, 5] and np.array_equal(x.numpy(), X[[9, 7, 5]])
    assert data[1][1].item() == 7


def test_what_a_subclass_of_tensor_dataset_does_counts() -> None:
    class Doubled(TensorDataset):
        def __getitem__(self, i):
            return tuple(2 * t for t in super().__getitem__(i))

    (x,) = next(iter(DataLoader(Doubled(tg.arange(4)), 4)))
    assert x.tolist() == [0, 2, 4, 6]
    (x,) = next(iter(DataLoader(Subset(Doubled(tg.arange(4)), [3, 1]), 2)))
    assert x.tolist() == [6, 2]


def test_own_collate_function_sees_samples() -> None:
    data = TensorDataset(tg.tensor(X), tg.arange(10))
    seen = next(iter(DataLoader(data, 2, collate_fn=lambda samples: samples)))
    assert isinstance(seen, list) and len(seen) == 2 and seen[1][1].item() == 1


def test_batches_of_rows_keep_the_graph_and_are_copies() -> None:
    x = tg.tensor(X, requires_grad=True)
    (rows,) = next(iter(DataLoader(TensorDataset(x), 4)))
    rows.sum().backward()
    assert x.grad.sum(1).tolist() == [3.0] * 4 + [0.0] * 6
    plain = tg.tensor(X)
    (rows,) = next(iter(DataLoader(TensorDataset(plain), 4)))
    rows.zero_()
    assert np.array_equal(plain.numpy(), X)


def test_stack_concat_chain() -> None:
    a, b = Numbers([1, 2, 3]), Numbers([4, 5, 6])
    assert StackDataset(a, b)[1] == (2, 5)
    assert StackDataset(x=a, y=b).__getitems__([0, 2]) == [{"x": 1, "y": 4}, {"x": 3, "y": 6}]
    both = a + b
    assert isinstance(both, ConcatDataset) and [both[i] for i in (0, 2, 3, -1)] == [1, 3, 4, 6]
    with pytest.raises(ValueError, match="absolute value"):
        both[-7]
    assert list(both) == [1, 2, 3, 4, 5, 6]
    assert list(Stream(2) + Stream(3)) == [0, 1, 0, 1, 2]
    assert len(ChainDataset([Stream(2), Stream(3)])) == 5
    with pytest.raises(ValueError, match="Size mismatch"):
        StackDataset(a, Numbers([1]))
    with pytest.raises(ValueError, match="not both"):
        StackDataset(a, y=b)
    with pytest.raises(AssertionError, match="ChainDataset"):
        ConcatDataset([Stream(2)])
    with pytest.raises(AssertionError, match="only supports"):
        list(ChainDataset([a]))


def test_subset_must_override_both() -> None:
    class Half(Subset):
        def __getitem__(self, i):
            return 0

    with pytest.raises(NotImplementedError, match="__getitems__"):
        Half(Numbers([1]), [0])


def test_random_split() -> None:
    parts = random_split(range(10), [3, 7], generator=tg.Generator().manual_seed(1))
    assert [len(p) for p in parts] == [3, 7]
    assert sorted(itertools.chain(*parts)) == list(range(10))
    again = random_split(range(10), [3, 7], generator=tg.Generator().manual_seed(1))
    assert list(parts[0]) == list(again[0])
    assert [len(p) for p in random_split(range(10), [0.34, 0.33, 0.33])] == [4, 3, 3]
    with pytest.raises(ValueError, match="Sum of input lengths"):
        random_split(range(10), [3, 8])
    with pytest.warns(UserWarning, match="index 1 is 0"):
        random_split(range(2), [1.0, 0.0])


# --- samplers ---------------------------------------------------------------------------------------------------------


def test_orders() -> None:
    data = range(10)
    assert list(SequentialSampler(data)) == list(data)
    order = list(RandomSampler(data))
    assert sorted(order) == list(data) and order != list(data)
    seeded = [list(RandomSampler(data, generator=tg.Generator().manual_seed(3))) for _ in range(2)]
    assert seeded[0] == seeded[1]
    more = list(RandomSampler(data, num_samples=25))
    assert sorted(more[:10]) == sorted(more[10:20]) == list(data) and len(set(more[20:])) == 5
    drawn = list(RandomSampler(data, replacement=True, num_samples=500))
    assert len(drawn) == 500 and set(drawn) == set(data)
    assert sorted(SubsetRandomSampler([7, 3, 5])) == [3, 5, 7]


def test_weights() -> None:
    counts = collections.Counter(WeightedRandomSampler([0.0, 1.0, 3.0], 4000))
    assert counts[0] == 0 and abs(counts[2] / 4000 - 0.75) < 0.05
    assert sorted(WeightedRandomSampler([1.0, 2.0, 3.0], 3, replacement=False)) == [0, 1, 2]


def test_batch_sampler() -> None:
    assert list(BatchSampler(range(7), 3, False)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(BatchSampler(iter(range(7)), 3, True)) == [[0, 1, 2], [3, 4, 5]]
    assert [len(BatchSampler(range(7), 3, drop)) for drop in (False, True)] == [3, 2]
    for drop in (False, True):
        s = BatchSampler(SequentialSampler(range(7)), 3, drop)
        assert [a.tolist() for a in s.arrays()] == list(s)


def test_distributed_sampler() -> None:
    shares = [list(DistributedSampler(range(10), 3, rank)) for rank in range(3)]
    assert [len(s) for s in shares] == [4, 4, 4] and set(itertools.chain(*shares)) == set(range(10))
    shares = [list(DistributedSampler(range(10), 3, rank, drop_last=True)) for rank in range(3)]
    assert [len(s) for s in shares] == [3, 3, 3] and len(set(itertools.chain(*shares))) == 9
    first = DistributedSampler(range(10), 2, 0)
    before = list(first)
    first.set_epoch(1)
    assert list(first) != before
    with pytest.raises(ValueError, match="Invalid rank 2"):
        DistributedSampler(range(10), 2, 2)


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: RandomSampler(range(3), replacement=1), TypeError),
        (lambda: RandomSampler(range(3), num_samples=0), ValueError),
        (lambda: RandomSampler([]), ValueError),
        (lambda: WeightedRandomSampler([1.0], -1), ValueError),
        (lambda: WeightedRandomSampler([1.0], 1, 0), ValueError),
        (lambda: WeightedRandomSampler([[1.0]], 1), ValueError),
        (lambda: BatchSampler(range(3), 0, False), ValueError),
        (lambda: BatchSampler(range(3), True, False), ValueError),
        (lambda: BatchSampler(range(3), 1, 0), ValueError),
    ],
)
def test_wrong_samplers(make, error) -> None:
    with pytest.raises(error):
        make()


# --- collation --------------------------------------------------------------------------------------------------------

Point = collections.namedtuple("Point", "x y")


def test_collate() -> None:
    batch = default_collate([{"a": (1, 2.0), "b": "text", "c": X[i], "d": [tg.tensor(i)]} for i in range(2)])
    assert batch["a"][0].dtype is tg.int64 and batch["a"][1].dtype is tg.float64
    assert batch["b"] == ["text", "text"] and np.array_equal(batch["c"].numpy(), X[:2])
    assert batch["d"][0].tolist() == [0, 1]
    point = default_collate([Point(1, True), Point(2, False)])
    assert isinstance(point, Point) and point.y.tolist() == [True, False]
    ordered = default_collate([collections.OrderedDict(b=1, a=2)] * 2)
    assert list(ordered) == ["b", "a"] and isinstance(ordered, collections.OrderedDict)
    assert default_collate([np.float32(1), np.float32(2)]).dtype is tg.float32
    with pytest.raises(RuntimeError, match="equal size"):
        default_collate([[1, 2], [3]])
    with pytest.raises(RuntimeError, match="collate_fn of your own"):
        default_collate([tg.zeros(2), tg.zeros(3)])
    with pytest.raises(TypeError, match="NoneType"):
        default_collate([None, None])
    with pytest.raises(TypeError, match="<U1"):
        default_collate([np.array(["a"])] * 2)


def test_convert() -> None:
    out = default_convert({"x": X, "n": [1, np.int64(2)], "p": Point(X[0], "s"), "t": (1, 2)})
    assert np.array_equal(out["x"].numpy(), X) and out["n"][0] == 1 and out["n"][1].item() == 2
    assert isinstance(out["p"], Point) and out["p"].y == "s" and out["t"] == [1, 2]


def test_collation_as_in_pytorch() -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    from torch.utils.data import default_collate as theirs

    rng = np.random.default_rng(1)

    def samples(module):
        return [
            {"t": module.tensor(rng.standard_normal(3)), "n": i, "f": i / 2, "b": i > 1, "s": str(i), "l": [i, (i,)]}
            for i in range(3)
        ]

    rng = np.random.default_rng(1)
    ours = default_collate(samples(tg))
    rng = np.random.default_rng(1)
    expected = theirs(samples(torch))

    def same(a, b):
        if isinstance(b, torch.Tensor):
            return str(a.dtype) == str(b.dtype) and np.array_equal(a.numpy(), b.numpy())
        if isinstance(b, dict):
            return list(a) == list(b) and all(same(a[k], b[k]) for k in b)
        if isinstance(b, (list, tuple)):
            return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
        return a == b

    assert same(ours, expected)

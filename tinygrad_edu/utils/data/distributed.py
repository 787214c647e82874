"""The sampler that deals a dataset out to several processes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

from ... import distributed
from ...random import Generator, randperm
from .sampler import Sampler


class DistributedSampler(Sampler[int]):
    """Every `num_replicas`-th index from `rank` on, of an order that is the same in all processes.

    The order depends on `seed` and the epoch alone: n processes with batches of b take, step by step, the samples that m
    processes with batches of n b / m take. `set_epoch(epoch, start)` goes on where a run was interrupted, with any number
    of processes. Shares are made equal by samples that come twice; with `pad=False` some processes have one less.
    """

    def __init__(
        self,
        dataset: Any,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
        *,
        pad: bool = True,
    ) -> None:
        if num_replicas is None or rank is None:
            group = distributed.groups.here_or_alone()
            num_replicas = group.size() if num_replicas is None else num_replicas
            rank = group.rank() if rank is None else rank
        if not 0 <= rank < num_replicas:
            raise ValueError(f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]")
        self.dataset, self.num_replicas, self.rank = dataset, num_replicas, rank
        self.shuffle, self.seed, self.drop_last, self.pad = shuffle, seed, drop_last, pad
        self.set_epoch(0)

    def set_epoch(self, epoch: int, start: int = 0) -> None:
        """Shuffle differently in each epoch: call this before it. `start` samples of it were taken already, by all."""
        n = len(self.dataset)
        if not 0 <= start <= n:
            raise ValueError(f"set_epoch: start={start} of an epoch of {n} samples")
        self.epoch, self.start = epoch, start
        n -= start
        if self.drop_last:
            n -= n % self.num_replicas
        elif self.pad:
            n = math.ceil(n / self.num_replicas) * self.num_replicas
        self.total_size = n
        self.num_samples = len(range(self.rank, n, self.num_replicas))

    def __iter__(self) -> Iterator[int]:
        n = len(self.dataset)
        indices = list(range(n))
        if self.shuffle:
            indices = randperm(n, generator=Generator().manual_seed(self.seed + self.epoch)).tolist()
        # too few for equal shares: the first come again
        wrapped = (indices[i % n] for i in range(self.start, self.start + self.total_size))
        return itertools.islice(wrapped, self.rank, None, self.num_replicas)

    def __len__(self) -> int:
        return self.num_samples


__all__ = ["DistributedSampler"]

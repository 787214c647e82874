"""`DataLoader`: batches of a dataset, made here or in worker processes."""

from __future__ import annotations

import copy
import itertools
import math
import multiprocessing
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from ...random import Generator
from ._utils.collate import default_collate, default_convert
from ._utils.fetch import fetcher
from ._utils.pool import Pool
from ._utils.worker import Failure, Work, get_worker_info
from .dataset import Dataset, IterableDataset
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler, drawn_seed

T_co = TypeVar("T_co", covariant=True)


class _Endless(Sampler):
    """The indices of a stream, which needs none."""

    def __iter__(self) -> Iterator[None]:
        return itertools.repeat(None)


class DataLoader(Generic[T_co]):
    """Goes through a dataset in batches: the order comes from a sampler, batches are put together by `collate_fn`.

    With `num_workers`, that many processes prepare batches ahead, in turn; the order of batches is the same.
    """

    _iterator: _Workers | None = None
    _fixed = frozenset(["batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers"])

    def __init__(
        self,
        dataset: Dataset[T_co],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Sampler | Iterable | None = None,
        batch_sampler: Sampler[list] | Iterable[list] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers)
        streams = isinstance(dataset, IterableDataset)
        if streams:
            given = {"shuffle": shuffle or None, "sampler": sampler, "batch_sampler": batch_sampler}
            for name, value in given.items():
                if value is not None:
                    raise ValueError(
                        f"DataLoader with IterableDataset: expected unspecified {name} option, but got {name}={value}"
                    )
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last"
                )
            batch_size = None
        elif batch_size is None and drop_last:
            raise ValueError("batch_size=None option disables auto-batching and is mutually exclusive with drop_last")
        if sampler is None:
            if streams:
                sampler = _Endless()
            else:
                sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        if batch_size is not None and batch_sampler is None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        if collate_fn is None:
            collate_fn = default_convert if batch_sampler is None else default_collate

        self.num_workers, self.timeout, self.worker_init_fn = num_workers, timeout, worker_init_fn
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self.pin_memory, self.pin_memory_device = pin_memory, pin_memory_device  # nothing is pinned: copies are plain
        self.collate_fn, self.generator, self.in_order = collate_fn, generator, in_order
        self.multiprocessing_context = multiprocessing_context
        self.dataset, self.batch_size, self.drop_last = dataset, batch_size, drop_last
        self.sampler, self.batch_sampler = sampler, batch_sampler
        self._said: int | None = None  # the length that a stream has told, once it was asked
        self.persistent_workers = persistent_workers  # last: from here on what an epoch depends on stays

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._fixed and "persistent_workers" in self.__dict__:
            cls = type(self).__name__
            raise ValueError(f"{name} attribute should not be set after {cls} is initialized; make a new one")
        super().__setattr__(name, value)

    @property
    def multiprocessing_context(self) -> Any:
        """How worker processes are started: None for Python's default."""
        return self._context

    @multiprocessing_context.setter
    def multiprocessing_context(self, context: Any) -> None:
        if context is not None:
            if not self.num_workers:
                raise ValueError(
                    "multiprocessing_context can only be used with multi-process loading (num_workers > 0), "
                    "but got num_workers=0"
                )
            methods = multiprocessing.get_all_start_methods()
            if isinstance(context, str):
                if context not in methods:
                    raise ValueError(
                        "multiprocessing_context option should specify a valid start method in "
                        f"{methods!r}, but got multiprocessing_context={context!r}"
                    )
                context = multiprocessing.get_context(context)
            if not isinstance(context, multiprocessing.context.BaseContext):
                raise TypeError(
                    "multiprocessing_context option should be a valid context object or a string specifying the "
                    f"start method, but got multiprocessing_context={context}"
                )
        self._context = context

    @property
    def _index_sampler(self) -> Any:
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    def __iter__(self) -> Iterator[Any]:
        if not self.num_workers:
            return _Here(self)
        if not self.persistent_workers:
            return _Workers(self)
        if self._iterator is None or not self._iterator.pool.workers:
            self._iterator = _Workers(self)
        else:
            self._iterator.begin(self)
        return self._iterator

    def __len__(self) -> int:
        if not isinstance(self.dataset, IterableDataset):
            return len(self._index_sampler)
        self._said = length = len(self.dataset)  # type: ignore[arg-type]
        if self.batch_size is not None:
            length = length // self.batch_size if self.drop_last else math.ceil(length / self.batch_size)
        return length


def _check_workers(num_workers: int, timeout: float, prefetch_factor: int | None, persistent: bool) -> None:
    if num_workers < 0:
        raise ValueError("num_workers option should be non-negative; use num_workers=0 to disable multiprocessing.")
    if timeout < 0:
        raise ValueError("timeout option should be non-negative")
    if not num_workers and prefetch_factor is not None:
        raise ValueError(
            "prefetch_factor option could only be specified in multiprocessing. "
            "Let num_workers > 0 to enable multiprocessing, otherwise set prefetch_factor to None."
        )
    if prefetch_factor is not None and prefetch_factor < 0:
        raise ValueError("prefetch_factor option should be non-negative")
    if persistent and not num_workers:
        raise ValueError("persistent_workers option needs num_workers > 0")


class _Epoch:
    """One way through the data."""

    def __init__(self, loader: DataLoader) -> None:
        self.order = iter(loader._index_sampler)
        self.seed = drawn_seed(loader.generator)  # also without workers: the order is the same for any number of them
        # without its iterator, so that both go with their last reference, and the workers with them
        self.loader = copy.copy(loader)
        self.loader.__dict__.pop("_iterator", None)
        self.yielded = 0

    def __iter__(self) -> Iterator:
        return self

    def __next__(self) -> Any:
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self.loader._index_sampler)

    def counted(self, batch: Any) -> Any:
        """The batch, after a look whether a stream is longer than it has said."""
        self.yielded += 1
        loader = self.loader
        if loader._said is not None and self.yielded == len(loader) + 1:
            text = (
                f"Length of IterableDataset {loader.dataset} was reported to be {loader._said} (when accessing "
                f"len(dataloader)), but {self.yielded} samples have been fetched."
            )
            if loader.num_workers:
                text += " Each worker has a copy of the dataset: share it out by get_worker_info() in __iter__."
            warnings.warn(text, stacklevel=3)
        return batch


class _Here(_Epoch):
    """Batches made in this process."""

    def __init__(self, loader: DataLoader) -> None:
        super().__init__(loader)
        batched = loader.batch_sampler is not None
        found = fetcher(loader.dataset, batched, loader.collate_fn, loader.drop_last)
        self.fetch = found.fetch
        if getattr(found, "whole", False) and isinstance(loader.batch_sampler, BatchSampler):
            self.order = loader.batch_sampler.arrays()

    def __next__(self) -> Any:
        return self.counted(self.fetch(next(self.order)))


class _Workers(_Epoch):
    """Batches made by worker processes: task number n goes to the workers in turn, answers are put back in order."""

    def __init__(self, loader: DataLoader) -> None:
        super().__init__(loader)
        loader = self.loader
        work = Work(
            loader.dataset,
            loader.collate_fn,
            loader.worker_init_fn,
            loader.batch_sampler is not None,
            loader.drop_last,
        )
        self.pool = Pool(work, loader.num_workers, self.seed, loader.multiprocessing_context)
        self.number = 0  # of the epoch: an answer to an earlier one is thrown away
        self._end = weakref.finalize(self, self.pool.close)  # leaving the loop ends the processes
        self._prepare()

    def begin(self, loader: DataLoader) -> None:
        """Another epoch with the same workers."""
        _Epoch.__init__(self, loader)
        self._prepare()

    def _prepare(self) -> None:
        self.number += 1
        self.sent = self.wanted = 0  # task numbers: the next to give, the next to hand out
        self.answers: dict[int, Any] = {}  # that have come before their turn; None where a stream had ended
        self.waiting: set[int] = set()
        self.turn = 0
        self.active = [True] * self.loader.num_workers  # a worker's stream ends for itself
        for i in range(self.loader.num_workers):
            self.pool.give(i, (self.number, None, None))
        for _ in range(self.loader.prefetch_factor * self.loader.num_workers or 1):  # type: ignore[operator]
            self._give()

    def _give(self) -> None:
        count = len(self.active)
        free = [i % count for i in range(self.turn, self.turn + count) if self.active[i % count]]
        if not free:
            return
        try:
            index = next(self.order)
        except StopIteration:
            return
        self.waiting.add(self.sent)
        self.turn = free[0] + 1
        self.sent += 1
        self.pool.give(free[0], (self.number, self.sent - 1, index))

    def __next__(self) -> Any:
        while self.waiting or self.answers:
            if not self.loader.in_order and self.answers:
                self.wanted = next(iter(self.answers))
            if self.wanted in self.answers:
                ended, answer = self.answers.pop(self.wanted)
                self.wanted += 1
                if not ended:
                    self._give()
                    if isinstance(answer, Failure):
                        answer.reraise()
                    return self.counted(answer)
            else:
                self._listen()
        if not self.loader.persistent_workers:
            self._end()
        raise StopIteration

    def _listen(self) -> None:
        try:
            i, (epoch, number, ended, answer) = self.pool.receive(self.loader.timeout)
        except BaseException:
            self._end()
            self.waiting.clear()
            self.answers.clear()
            raise
        if epoch != self.number:
            return
        self.waiting.discard(number)
        self.answers[number] = ended, answer
        if ended and self.active[i]:
            self.active[i] = False
        if ended:
            self._give()


__all__ = ["DataLoader", "default_collate", "default_convert", "get_worker_info"]

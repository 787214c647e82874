"""From indices to a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..dataset import IterableDataset, gathers
from .collate import default_collate


class MapFetcher:
    """Finds samples by their indices."""

    def __init__(self, dataset: Any, batched: bool, collate_fn: Callable, drop_last: bool) -> None:
        self.dataset, self.batched, self.collate_fn = dataset, batched, collate_fn
        self.whole = batched and collate_fn is default_collate and gathers(dataset)

    def fetch(self, index: Any) -> Any:
        """The batch (or without batches the sample) at an index."""
        if self.whole:
            return self.dataset.gather(index)
        if not self.batched:
            data = self.dataset[index]
        elif getattr(self.dataset, "__getitems__", None):
            data = self.dataset.__getitems__(index)
        else:
            data = [self.dataset[i] for i in index]
        return self.collate_fn(data)


class IterableFetcher:
    """Takes samples from a stream."""

    def __init__(self, dataset: Any, batched: bool, collate_fn: Callable, drop_last: bool) -> None:
        self.stream = iter(dataset)
        self.batched, self.collate_fn, self.drop_last = batched, collate_fn, drop_last
        self.ended = False

    def fetch(self, index: Any) -> Any:
        """The next batch; an index only says how large."""
        if self.ended:
            raise StopIteration
        if not self.batched:
            return self.collate_fn(next(self.stream))
        data = []
        for _ in index:
            try:
                data.append(next(self.stream))
            except StopIteration:
                self.ended = True
                break
        if not data or (self.drop_last and self.ended):
            raise StopIteration
        return self.collate_fn(data)


def fetcher(dataset: Any, *options: Any) -> MapFetcher | IterableFetcher:
    """What fetches from this dataset."""
    return (IterableFetcher if isinstance(dataset, IterableDataset) else MapFetcher)(dataset, *options)


__all__ = ["fetcher"]

"""The DataLoader's parts: from samples to a batch (`collate`), from indices to a batch (`fetch`), processes
(`worker`, `pool`)."""

from . import collate, fetch, worker

__all__ = ["collate", "fetch", "worker"]

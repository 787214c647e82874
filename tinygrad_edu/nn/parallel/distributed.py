"""PyTorch's place of `DistributedDataParallel`."""

from .wrappers import DistributedDataParallel

__all__ = ["DistributedDataParallel"]

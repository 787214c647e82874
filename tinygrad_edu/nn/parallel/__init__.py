"""A module on several devices: here it runs on one, where it is; and in several processes, whose gradients are averaged."""

from .distributed import DistributedDataParallel
from .wrappers import DataParallel, data_parallel

__all__ = ["DataParallel", "DistributedDataParallel", "data_parallel"]

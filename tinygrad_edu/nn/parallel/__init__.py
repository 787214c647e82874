"""A module on several devices: here it runs on one, where it is."""

from .wrappers import DataParallel, DistributedDataParallel, data_parallel

__all__ = ["DataParallel", "DistributedDataParallel", "data_parallel"]

"""A module on several devices: here it runs on one, where it is; and in several processes, whose gradients are averaged."""

from ...ops.misuse import explain_all as _explain_all
from .distributed import DistributedDataParallel
from .wrappers import DataParallel, data_parallel

__all__ = ["DataParallel", "DistributedDataParallel", "data_parallel"]

_explain_all(globals())

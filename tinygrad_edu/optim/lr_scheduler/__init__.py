"""Learning rates that change while the training goes on."""

from . import composed, cycles, factors, plateau
from .composed import *
from .cycles import *
from .factors import *
from .plateau import *
from .scheduler import LRScheduler as LRScheduler
from .scheduler import _LRScheduler as _LRScheduler

__all__ = ["LRScheduler", *factors.__all__, *cycles.__all__, *plateau.__all__, *composed.__all__]

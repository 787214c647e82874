"""Layers, and the functions they are made of."""

from . import attention, common_types, functional, grad, init, modules, parallel, utils
from .modules import *
from .parallel import DataParallel
from .parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter

"""Layers, and the functions they are made of."""

from . import functional
from .modules import *
from .parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter

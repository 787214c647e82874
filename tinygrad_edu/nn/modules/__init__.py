"""The layers, one family a file."""

from .module import Module

__all__ = ["Module"]

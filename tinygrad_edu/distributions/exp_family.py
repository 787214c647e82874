"""PyTorch's place for the base class of exponential families."""

from .distribution import ExponentialFamily

__all__ = ["ExponentialFamily"]

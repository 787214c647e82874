"""`Variable` where PyTorch's first programs import it from."""

from .gradient import Variable

__all__ = ["Variable"]

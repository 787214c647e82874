"""What a hook's registration answers."""

from ..autograd.graph import Handle

RemovableHandle = Handle

__all__ = ["RemovableHandle"]

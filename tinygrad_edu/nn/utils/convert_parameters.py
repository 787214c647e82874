"""All parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

from ...errors import message
from ...ops import cat
from ...tensor import Tensor

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """The elements of all parameters, one after the other."""
    parameters = list(parameters)
    devices = {str(p.device) for p in parameters}
    if len(devices) > 1:
        wrong = f"Found parameters on different devices, {', '.join(sorted(devices))}; this is not supported"
        raise TypeError(message("parameters_to_vector", wrong))
    return cat([p.reshape(-1) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Let each parameter have its part of a vector as its values."""
    if not isinstance(vec, Tensor):
        raise TypeError(f"vector_to_parameters: expected torch.Tensor, but got: {type(vec).__name__}")
    parameters, first = list(parameters), 0
    if not all(isinstance(p, Tensor) for p in parameters):
        kinds = ", ".join(sorted({type(p).__name__ for p in parameters if not isinstance(p, Tensor)}))
        raise TypeError(message("vector_to_parameters", f"parameters must be tensors, not {kinds}"))
    for p in parameters:
        p.data = vec[first : first + p.numel()].view_as(p).data
        first += p.numel()

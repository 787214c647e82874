"""What else PyTorch's `autograd.graph` offers: edges, hooks on several tensors, blocks around what is saved."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

from ..tensor import Tensor
from .graph import Handle, Node


class GradientEdge(NamedTuple):
    """Where a gradient goes: a node, and which of its results."""

    node: Node
    output_nr: int


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """Where the gradient of a tensor goes."""
    node = tensor.edge()
    if node is None:
        raise RuntimeError("It is not possible to get the gradient edge for a Tensor that does not require gradients")
    return GradientEdge(*node.as_function())


def increment_version(tensor: Tensor | Sequence[Tensor]) -> None:
    """Note that a tensor's memory was written by other means, so that a saved value of it is not used any more."""
    for each in [tensor] if isinstance(tensor, Tensor) else tensor:
        each.version().write()


class Handles:
    """Answer to a registration on several tensors: `remove()` takes all hooks away."""

    def __init__(self, handles: Sequence[Handle]) -> None:
        self.handles = handles

    def remove(self) -> None:
        """Take the hooks away."""
        for handle in self.handles:
            handle.remove()

    def __enter__(self) -> Handles:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


def register_multi_grad_hook(
    tensors: Sequence[Tensor], fn: Callable[..., None], *, mode: Literal["all", "any"] = "all"
) -> Handles:
    """Call `fn(gradients)` once the gradients of all tensors are there; with "any", `fn(gradient)` for the first."""
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    arrived: list[Any] = [None] * len(tensors)

    def hook(i: int, g: Tensor) -> None:
        first = all(a is None for a in arrived)
        arrived[i] = g
        if mode == "any":
            if first:
                fn(g)
        elif all(a is not None for a in arrived):
            gradients = list(arrived)
            arrived[:] = [None] * len(tensors)
            fn(gradients)

    return Handles([t.register_hook(lambda g, i=i: hook(i, g)) for i, t in enumerate(tensors)])  # type: ignore[misc]


class saved_tensors_hooks:
    """A block in which functions of the program see each tensor that is saved: there is none here; entering says so."""

    def __init__(self, pack_hook: Callable[[Tensor], Any], unpack_hook: Callable[[Any], Tensor]) -> None:
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook

    def __enter__(self) -> None:
        raise NotImplementedError(
            f"{type(self).__name__}: what an operation saves cannot be replaced here; to save less, write "
            "utils.checkpoint.checkpoint(function, *inputs)"
        )

    def __exit__(self, *error: object) -> None:
        """Never reached."""


class save_on_cpu(contextlib.nullcontext):
    """A block in which saved tensors wait in the computer's own memory: they are where they were computed."""

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        super().__init__()


@contextlib.contextmanager
def disable_saved_tensors_hooks(error_message: str) -> Iterator[None]:
    """A block in which saved tensors are left alone, as everywhere here."""
    yield


__all__ = [
    "GradientEdge",
    "disable_saved_tensors_hooks",
    "get_gradient_edge",
    "increment_version",
    "register_multi_grad_hook",
    "save_on_cpu",
    "saved_tensors_hooks",
]

"""`torch.overrides` by name: here no class can take operations over, so nobody is ever asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .tensor import Tensor


def has_torch_function(relevant_args: Iterable[Any]) -> bool:
    """Whether one of the arguments would take the operation over: never."""
    return False


def has_torch_function_unary(obj: Any) -> bool:
    """Whether the argument would take the operation over: never."""
    return False


def has_torch_function_variadic(*args: Any) -> bool:
    """Whether one of the arguments would take the operation over: never."""
    return False


def handle_torch_function(public_api: Callable, relevant_args: Iterable[Any], *args: Any, **kwargs: Any) -> Any:
    """Call the function as it is."""
    return public_api(*args, **kwargs)


def is_tensor_like(inp: Any) -> bool:
    """Whether an object is a tensor, or has said that it behaves like one."""
    return isinstance(inp, Tensor) or hasattr(type(inp), "__torch_function__")


def wrap_torch_function(dispatcher: Callable) -> Callable[[Callable], Callable]:
    """The decorator that leaves a function as it is."""
    return lambda func: func


class TorchFunctionMode:
    """A block in which a class sees every operation: there is none here, and entering says so."""

    def __enter__(self) -> Any:
        raise NotImplementedError(
            f"{type(self).__name__}: operations cannot be taken over here; write a forward hook of a module, or look at "
            "the graph of a result by its grad_fn"
        )

    def __exit__(self, *error: object) -> None:
        """Never reached."""


__all__ = [
    "TorchFunctionMode",
    "handle_torch_function",
    "has_torch_function",
    "has_torch_function_unary",
    "has_torch_function_variadic",
    "is_tensor_like",
    "wrap_torch_function",
]

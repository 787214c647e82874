"""What functions composed of operations need in order to be called as PyTorch's: NumPy's names, `out=`, old orders."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable
from typing import Any

from ..call import store_one
from ..tensor import Tensor
from .misuse import explained


def numpy_names(options: dict[str, Any]) -> None:
    """Understand `axis=` for `dim=` and `keepdims=` for `keepdim=`, as operations do by themselves."""
    for theirs, ours in (("axis", "dim"), ("keepdims", "keepdim")):
        if theirs in options:
            options[ours] = options.pop(theirs)


def takes_out(function: Callable) -> Callable:
    """Understand `out=`: the result is written into that tensor."""

    function = explained(function)

    @functools.wraps(function)
    def call(*args: Any, out: Any = None, **options: Any) -> Any:
        answer = function(*args, **options)
        return answer if out is None else store_one(function.__name__, answer, out)

    return call


def former_order(*numbers: str) -> Callable:
    """Understand also the order of long ago, where a number stands before the tensor that it multiplies.

    `add(x, alpha, y)` is `add(x, y, alpha=alpha)`, and `addmm(beta, x, alpha, a, b)` names two.
    """

    def with_former_order(function: Callable) -> Callable:
        kinds = [p.kind for p in inspect.signature(function).parameters.values()]
        count = kinds.count(inspect.Parameter.POSITIONAL_OR_KEYWORD)

        @functools.wraps(function)
        def call(*args: Any, **options: Any) -> Any:
            given = [a for a in args if not isinstance(a, Tensor)] if len(args) > count else ()
            if 0 < len(given) <= len(numbers) and len(args) - len(given) == count:
                named = dict(zip(numbers, given, strict=False))
                write = ", ".join(["...", *(f"{name}={value}" for name, value in named.items())])
                text = f"{function.__name__}: numbers before tensors are deprecated; write {function.__name__}({write})"
                warnings.warn(text, UserWarning, stacklevel=3)
                args, options = tuple(a for a in args if isinstance(a, Tensor)), options | named
            return function(*args, **options)

        return call

    return with_former_order

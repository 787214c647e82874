"""What functions composed of operations need in order to be called like operations: NumPy's names, `out=`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..call import store_one


def numpy_names(function: Callable) -> Callable:
    """Understand `axis=` for `dim=` and `keepdims=` for `keepdim=`, as operations do by themselves."""

    @functools.wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        for theirs, ours in (("axis", "dim"), ("keepdims", "keepdim")):
            if theirs in options:
                options[ours] = options.pop(theirs)
        return function(*args, **options)

    return call


def takes_out(function: Callable) -> Callable:
    """Understand `out=`: the result is written into that tensor."""

    @functools.wraps(function)
    def call(*args: Any, out: Any = None, **options: Any) -> Any:
        answer = function(*args, **options)
        return answer if out is None else store_one(function.__name__, answer, out)

    return call

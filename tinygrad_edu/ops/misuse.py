"""A composed function that fails says which of its arguments is of the wrong kind, as operations do by themselves.

Nothing is looked at before: a call that works pays a tenth of a microsecond for it.
"""

from __future__ import annotations

import functools
import inspect
import numbers
import sys
from collections.abc import Callable
from types import FunctionType
from typing import Any

from .. import dtypes
from ..errors import translated
from ..tensor import Tensor

CLUMSY = (AttributeError, IndexError, KeyError, ZeroDivisionError, TypeError)

KINDS: dict[str, Any] = {
    "Tensor": Tensor,
    "None": type(None),
    "bool": bool,
    "int": (numbers.Integral, Tensor),
    "float": (numbers.Real, Tensor),
    "str": str,
    "dtype": dtypes.dtype,
    "dtypes.dtype": dtypes.dtype,
}
LISTS = {
    **dict.fromkeys(("Sequence[int]", "tuple[int, ...]", "tuple[int, int]", "list[int]"), KINDS["int"]),
    **dict.fromkeys(("Sequence[Tensor]", "tuple[Tensor, ...]", "list[Tensor]"), Tensor),
}


def explained(function: Callable, rename: Callable[[dict[str, Any]], None] | None = None) -> Callable:
    """The function, whose failures name the argument that is of the wrong kind; `rename` mends keywords first."""

    @functools.wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        if rename is not None and options:
            rename(options)
        try:
            return function(*args, **options)
        except MemoryError as error:
            raise translated(getattr(function, "__name__", "function"), [], error) from error
        except CLUMSY as error:
            if wrong := misfit(function, args, options, error):
                raise TypeError(wrong) from error
            raise

    return call


def explain_all(space: dict[str, Any]) -> None:
    """Have the public functions of a module, or of a package's files, explain their failures."""
    for name, function in list(space.items()):
        plain = isinstance(function, FunctionType) and not hasattr(function, "op") and not name.startswith("_")
        where = getattr(function, "__module__", "") if plain else ""
        if where.startswith(space["__name__"]):
            face = space[name] = explained(function)
            home, own = vars(sys.modules[where]), function.__name__
            if home.get(own) is function:
                home[own] = face  # what is pickled by its name must be found there


def misfit(function: Callable, args: tuple, options: dict[str, Any], error: Exception) -> str:
    """The argument that was not what the function takes, in PyTorch's words; nothing if that was not the cause."""
    signature = inspect.signature(function)
    try:
        given = signature.bind(*args, **options).arguments
    except TypeError:
        return ""  # Python has told which is missing, or one too many
    if isinstance(error, TypeError) and type(error) is TypeError and "must be" in str(error):
        return ""  # it has been told already
    names = {name: position for position, name in enumerate(given, 1)}
    for name, value in given.items():
        kind = signature.parameters[name].annotation
        if isinstance(kind, str) and not fits(value, kind):
            return _sentence(function, name, names[name], kind, type(value).__name__)
    if not isinstance(error, AttributeError) or not hasattr(Tensor, error.name or ""):
        return ""
    for name, value in given.items():  # what was asked for something that tensors have
        if value is error.obj and (value is not None or signature.parameters[name].default is not None):
            return _sentence(function, name, names[name], "Tensor", type(value).__name__)
        if isinstance(value, (tuple, list)) and any(each is error.obj for each in value):
            found = f"{type(value).__name__} with {type(error.obj).__name__} in it"
            return _sentence(function, name, names[name], "tuple of Tensors", found)
    return ""


def fits(value: Any, kind: str) -> bool:
    """Whether a value is of a kind as annotations write it; what is not known here fits."""
    for part in kind.split(" | "):
        if part in LISTS:
            if isinstance(value, (tuple, list)) and all(isinstance(each, LISTS[part]) for each in value):
                return True
        elif part not in KINDS or (isinstance(value, KINDS[part]) and (part == "Tensor" or _alone(value))):
            return True
    return False


def _alone(value: Any) -> bool:
    """Whether a value may stand for a number: not a tensor of many."""
    return not isinstance(value, Tensor) or value.numel() == 1


def _sentence(function: Callable, name: str, position: int, kind: str, found: str) -> str:
    what = str(getattr(function, "__name__", "function")).strip("_")
    return f"{what}(): argument '{name}' (position {position}) must be {kind.replace('dtypes.', '')}, not {found}"


__all__ = ["explain_all", "explained"]

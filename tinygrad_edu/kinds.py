"""Of which kind an argument must be, and what is said where it is of another.

PyTorch refuses a `keepdim` that is no bool. So do the calls that are written out here: a look at an argument costs a few
nanoseconds, and only what is not quite usual is looked at twice.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterator, Mapping
from inspect import Parameter, signature
from types import MappingProxyType
from typing import Any, NoReturn

import numpy as np

from . import devices, dtypes
from .errors import must_be_tensor
from .tensor import Tensor

KINDS: dict[str, Any] = {
    "Tensor": Tensor,
    "None": type(None),
    "bool": (bool, np.bool_),
    "int": numbers.Integral,
    "float": numbers.Real,
    "complex": numbers.Number,
    "str": str,
    "device": (str, devices.device, numbers.Integral),
    **dict.fromkeys(("dtype", "dtypes.dtype"), (dtypes.dtype, np.dtype)),
}
LISTS = {
    **dict.fromkeys(("Sequence[int]", "tuple[int, ...]", "tuple[int, int]", "list[int]"), "int"),
    **dict.fromkeys(("Sequence[Tensor]", "tuple[Tensor, ...]", "list[Tensor]"), "Tensor"),
}
# what PyTorch reads with `if`: 0, 1 and None are as good
TRUTHS = """
    inplace size_average reduce return_indices recompute_scale_factor sym hard get_infos need_weights
    average_attn_weights add_zero_attn use_separate_proj_weight
""".split()
STARRED = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
UNUSUAL = {  # what is to be looked at twice, in the text of a call
    "None": "{0} is not None",
    "bool": "{0} is not False and {0} is not True",
    "truth": "isinstance({0}, Tensor)",
    "int": "type({0}) is not int",
    "float": "type({0}) is not float and type({0}) is not int",
    "complex": "type({0}) not in (int, float, bool, complex)",
    "Tensor": "not isinstance({0}, Tensor)",
    "str": "type({0}) is not str",
    "memory_format": "type({0}).__name__ != 'memory_format'",
    "device": "type({0}) is not str",
    **dict.fromkeys(("dtype", "dtypes.dtype"), "not isinstance({0}, DType)"),
    **dict.fromkeys(LISTS, "type({0}) is not tuple and type({0}) is not list"),
}


def kind_of(parameter: Parameter) -> str:
    """What an argument must be: as its annotation says, or as its name and default do; nothing where all may come."""
    name, default = parameter.name, parameter.default
    annotation = parameter.annotation
    if name in TRUTHS and (isinstance(default, bool) or str(annotation).startswith("bool")):
        return "truth"
    if name in ("memory_format", "device"):
        return f"{name} | None"
    if isinstance(annotation, str) and (annotation != "Any" or name != "dtype"):
        return annotation
    if isinstance(default, bool):
        return "bool"
    if name == "dtype":
        return "dtype | None"
    if name == "dim":
        return "int" if isinstance(default, int) or default is Parameter.empty else "int | Sequence[int] | None"
    return ""


def looks(function: Callable, parameters: Any = None) -> Iterator[str]:
    """The lines of a call, by which each argument of a wrong kind is refused; `check_` and names of types are needed."""
    parameters = parameters or signature(function).parameters
    for position, (name, parameter) in enumerate(parameters.items(), "self" not in parameters):
        if name == "self" or parameter.kind in STARRED:
            continue
        kind = kind_of(parameter)
        parts = sorted(kind.split(" | "), key=lambda part: part != "None")
        if all(part in UNUSUAL for part in parts):
            yield f"    if {' and '.join(UNUSUAL[part] for part in parts).format(name)}:"
            yield f"        check_({name_of(function)!r}, {name!r}, {position}, {kind!r}, {name})"


def check(what: str, name: str, position: int, kind: str, value: Any) -> None:
    """Raise for an argument that does not fit; inside a rule an array stands for a tensor."""
    if not fits(value, kind) and not ("Tensor" in kind and (devices.is_array(value) or isinstance(value, np.generic))):
        refuse(what, name, position, kind, value)


def refuse(what: str, name: str, position: int, kind: str, value: Any) -> NoReturn:
    """Raise for an argument of the wrong kind; where one tensor stands for several, say how they are written."""
    if kind == "Tensor":
        raise TypeError(must_be_tensor(what, name, value, position))
    instead = f"; write {what}([x, y, ...])" if "[Tensor]" in kind and isinstance(value, Tensor) else ""
    raise TypeError(sentence(what, name, position, kind, type(value).__name__) + instead)


def sentence(what: str, name: str, position: int, kind: str, found: str) -> str:
    """PyTorch's sentence for an argument of the wrong kind."""
    kind = (
        kind.removesuffix(" | None")
        .replace("dtypes.", "")
        .replace("complex", "Number")
        .replace("truth", "bool")
        .replace(" | ", " or ")
    )
    for of in ("int", "Tensor"):
        kind = kind.replace(f"Sequence[{of}]", f"tuple of {of}s")
    return f"{what}(): argument '{name}' (position {position}) must be {kind}, not {found}"


def fits(value: Any, kind: str, known: Mapping[str, Any] = MappingProxyType({})) -> bool:
    """Whether a value is of a kind as annotations write it, with `known` classes; what is not known here fits."""
    return any(_fits(value, part, known) for part in kind.split(" | "))


def _fits(value: Any, part: str, known: Mapping[str, Any]) -> bool:
    if part in LISTS:
        return isinstance(value, (tuple, list)) and all(_fits(each, LISTS[part], known) for each in value)
    if part == "truth":
        return not isinstance(value, Tensor) or value.numel() == 1
    if part == "int" and isinstance(value, Tensor):  # one whole number
        return value.numel() == 1 and value.dtype.rank == 1
    if part in ("float", "complex") and isinstance(value, Tensor):
        return not value.ndim
    if part.endswith("dtype") and isinstance(value, type):
        return value in (bool, int, float, complex)  # they stand for dtypes, as in PyTorch
    if part == "memory_format":
        return type(value).__name__ == part  # its file imports this one
    kind = KINDS.get(part) or known.get(part.partition("[")[0])
    if kind is None or kind is Any or not isinstance(kind, (type, tuple)):
        return True
    return isinstance(value, kind) and (part != "int" or not isinstance(value, bool))


def name_of(function: Callable) -> str:
    """How a function is called: a class, where it is its constructor."""
    name = str(getattr(function, "__name__", "function"))
    return (function.__qualname__.split(".")[-2] if name == "__init__" else name).strip("_")

"""PyTorch's names and values as ours: functions, tensors, dtypes, devices, and the database's own small functions."""

from __future__ import annotations

import functools
import importlib
import types
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_edu as tg
from tinygrad_edu import devices, dtypes
from tinygrad_edu.tensor import Tensor, wrap

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # PyTorch's own, while its test package is imported
    import torch
    import torch.nn.attention
    from torch.testing._internal import common_methods_invocations

SUBMODULES = ("nn.functional", "linalg", "fft", "special", "sparse", "signal.windows")
OF_NAME = {each.name: each for each in dtypes.ALL}


class Missing(Exception):
    """A name of PyTorch's that is not here."""


class Untranslatable(Exception):
    """A sample uses something that has no counterpart here: a dtype, a layout, more dimensions than NumPy has."""


# --- functions ----------------------------------------------------------------------------------------------------


def ours(path: str) -> Any:
    """What stands here under PyTorch's name."""
    head, _, name = path.rpartition(".")
    place: Any = tg
    if head:
        try:
            place = importlib.import_module(f"tinygrad_edu.{head}")
        except ImportError:
            raise Missing(path) from None
    if not hasattr(place, name):
        raise Missing(path)
    return getattr(place, name)


def method(name: str) -> Callable:
    """A method of our tensors, as a function."""
    if not hasattr(Tensor, name):
        raise Missing(f"Tensor.{name}")
    return getattr(Tensor, name)


class Namespace:
    """Our package under the name `torch`, for the database's own functions."""

    def __init__(self, path: str = "") -> None:
        self._path = path

    def __getattr__(self, name: str) -> Any:
        path = f"{self._path}.{name}".lstrip(".")
        if path == "Tensor":
            return Methods()
        if any(module == path or module.startswith(path + ".") for module in SUBMODULES):
            return Namespace(path)
        return ours(path)


class Methods:
    """`torch.Tensor` for the database's own functions."""

    def __getattr__(self, name: str) -> Any:
        return method(name)


def reseeded(function: Callable, *args: Any, **kwargs: Any) -> Any:
    """In place of the database's wrapper around random operations, which sets PyTorch's seed."""
    return function(*args, **kwargs)


def of_database(value: Any) -> bool:
    """Whether a value is a function written in Python in the database."""
    return isinstance(value, types.FunctionType) and value.__module__.startswith("torch.testing")


def is_method(function: Any) -> bool:
    """Whether a function of PyTorch's is a method of its tensors."""
    return function.__name__.startswith("__") or function.__qualname__.startswith(("Tensor.", "TensorBase."))


def rebound(function: Any) -> Callable:
    """A function of PyTorch's as ours; one of the database's is run again with our package in place of `torch`."""
    if isinstance(function, functools.partial):
        keywords = {k: translated(v) for k, v in function.keywords.items()}
        return functools.partial(rebound(function.func), *map(translated, function.args), **keywords)
    if of_database(function):
        here = {"torch": Namespace(), "F": Namespace("nn.functional"), "wrapper_set_seed": reseeded}
        cells = [cell.cell_contents for cell in function.__closure__ or ()]
        cells = [types.CellType(rebound(value) if of_database(value) else value) for value in cells]
        world = {**function.__globals__, **here}
        copy = types.FunctionType(function.__code__, world, function.__name__, function.__defaults__, tuple(cells))
        copy.__kwdefaults__ = function.__kwdefaults__
        return copy
    name = function.__name__
    place = (getattr(function, "__module__", None) or "").removeprefix("torch.")
    if place in SUBMODULES:
        return ours(f"{place}.{name}")
    return method(name) if is_method(function) else ours(name)


def function_of(op: Any) -> Callable:
    """Our function for an entry of the database."""
    if of_database(op.op):
        return rebound(op.op)
    if is_method(op.op):
        return method(op.name)
    return ours(op.name)


# --- values -------------------------------------------------------------------------------------------------------


def translated(value: Any, memo: dict | None = None) -> Any:
    """A value of PyTorch's as ours, also inside lists and dictionaries; the same tensor twice is the same tensor."""
    memo = {} if memo is None else memo
    if isinstance(value, torch.Tensor):
        if id(value) not in memo:
            memo[id(value)] = tensor(value, memo)
        return memo[id(value)]
    if isinstance(value, torch.dtype):
        return dtype(value)
    if isinstance(value, torch.device):
        return devices.device(value.type)
    if isinstance(value, (torch.layout, torch.memory_format)):
        return option(value)
    if isinstance(value, torch.Size):
        return tuple(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*[translated(v, memo) for v in value])
    if isinstance(value, (list, tuple)):
        return type(value)(translated(v, memo) for v in value)
    if isinstance(value, dict):
        return {k: translated(v, memo) for k, v in value.items()}
    if isinstance(value, slice):
        return slice(*[translated(v, memo) for v in (value.start, value.stop, value.step)])
    if isinstance(value, torch.nn.PairwiseDistance):
        return ours("nn.functional.pairwise_distance")
    if isinstance(value, (torch.nn.Module, torch.Generator)):
        raise Untranslatable(type(value).__name__)
    if callable(value) and not isinstance(value, type):
        return rebound(value)
    return value


def dtype(d: torch.dtype) -> dtypes.dtype:
    """Our dtype of the same name."""
    name = str(d).removeprefix("torch.")
    if name not in OF_NAME:
        raise Untranslatable(name)
    return OF_NAME[name]


def option(value: torch.layout | torch.memory_format) -> Any:
    """Our constant of the same name."""
    name = str(value).removeprefix("torch.")
    if not hasattr(tg, name):
        raise Untranslatable(name)
    return getattr(tg, name)


def tensor(t: torch.Tensor, memo: dict | None = None) -> Tensor:
    """A tensor with the same numbers at the same strides, a leaf if a gradient is required.

    Its memory is a copy, one for all tensors of a call that share theirs.
    """
    if t.layout is not torch.strided or t.is_nested or t.device.type != "cpu" or t.ndim > 64:
        raise Untranslatable(f"{t.layout} on {t.device} with {t.ndim} dimensions")
    d = dtype(t.dtype)
    plain = t.detach().resolve_conj().resolve_neg()
    key = ("memory", address(t), plain.dtype)
    alone = memo is None or address(plain) != address(t)  # conjugated just now: memory of nobody else
    memory = None if alone else memo.get(key)
    if memory is None:
        memory = torch.empty(0, dtype=plain.dtype).set_(plain.untyped_storage()).numpy().copy()
        if not alone and memory.size:
            memo[key] = memory
    start, steps = plain.storage_offset(), plain.stride()
    if plain.numel() and start + sum((n - 1) * s for n, s in zip(plain.shape, steps, strict=True)) >= memory.size:
        raise Untranslatable("a tensor that was resized beyond its memory")
    strides = [s * d.itemsize for s in steps]
    made = wrap(np.lib.stride_tricks.as_strided(memory[start:], plain.shape, strides))
    return made.requires_grad_() if t.requires_grad else made


def address(t: torch.Tensor) -> int:
    """Where a tensor's memory begins."""
    return t.untyped_storage().data_ptr()


def tensors(value: Any) -> list[Any]:
    """The tensors in a structure, PyTorch's or ours, in order, each once."""
    if isinstance(value, (torch.Tensor, Tensor)):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, (list, tuple)):
        return []
    return list({id(t): t for v in value for t in tensors(v)}.values())


ENTRIES = {op.full_name: op for op in common_methods_invocations.op_db}

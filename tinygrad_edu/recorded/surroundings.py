"""What a step reads from around it: free names, defaults, what hangs on them, and the modules that it calls.

All of it is noted when the step is recorded, and must be the same before each replay. Numbers and containers of a
program's own are compared by what is in them; tensors, modules, functions and all that is this package's by identity.
"""

from __future__ import annotations

import dis
import functools
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from ..nn.modules.module import Module
from ..tensor import Tensor
from .guards import Guards
from .purity import codes

PACKAGE = __name__.partition(".")[0]
PLAIN = (type(None), bool, int, float, complex, str, bytes)
FEW, DEEP = 256, 5  # containers that are longer, or lie deeper, count as new at every look
NOTHING = object()  # what a free name has that was not given a value yet


@dataclass(frozen=True)
class Look:
    """How to see what somebody has under a name."""

    owner: Any
    name: str
    item: bool = False  # whether the owner is a dictionary

    def now(self) -> Any:
        """What is there."""
        try:
            return self.owner[self.name] if self.item else getattr(self.owner, self.name)
        except ValueError:
            return NOTHING

    def written(self, guards: Guards) -> str:
        """The same as an expression."""
        if self.now() is NOTHING:
            return f"{guards.name(self.now)}()"
        owner = guards.name(self.owner)
        return f"{owner}[{self.name!r}]" if self.item else f"{owner}.{self.name}"


class Surroundings:
    """What the functions of a step read, with what was there when it was recorded."""

    def __init__(self, function: Callable, modules: Sequence[Module]) -> None:
        self.functions, self.names = _reached(function, modules)
        self.modules = modules
        self.seen = [(look, look.now()) for look in (*_roots(self.functions), *_own_of(modules))]
        self.notes = [noted(value, self.names) for _, value in self.seen]

    def tensors(self) -> dict[int, Tensor]:
        """All tensors that are there to be read, by the identity of their arrays."""
        parts = [part for _, value in self.seen for part in _parts(value, self.names)]
        parts += [each for m in self.modules for each in vars(m).values()]
        return {id(t.array): t for t in parts if isinstance(t, Tensor)}

    def guard(self, guards: Guards) -> None:
        """Require that everything is as it was."""
        for (look, value), note in zip(self.seen, self.notes, strict=True):
            now = look.written(guards)
            if type(note) is int:
                guards.require(f"{now} is {guards.name(value)}")
                continue
            same = f"{guards.name(noted)}({now}, {guards.name(self.names)}) == {guards.name(note)}"
            guards.require(f"({now} is {guards.name(value)} or {same})" if type(value) in PLAIN else same)
        for m in self.modules:
            for table in (vars(m), m._parameters, m._buffers, m._modules):
                if table:
                    guards.require_table(table)
            if "_around" in vars(m):
                guards.require(f"not {guards.name(m._own_hooks())}")

    def differs(self, other: Surroundings) -> bool:
        """Whether another run of the same step has read something else."""
        return self.notes != other.notes


def noted(value: Any, names: set[str], depth: int = DEEP) -> Any:
    """A value as it can be compared later; `names` are the attributes that the step may ask for."""
    if type(value) in PLAIN:
        return type(value), value
    if isinstance(value, np.generic) or (type(value) is np.ndarray and value.size <= FEW):
        return value.dtype.str, value.shape, value.tobytes()
    inside = _inside(value, names)
    if inside is None:
        return id(value)
    if not depth or len(inside) > FEW:
        return object()  # like nothing else
    return type(value), tuple((key, noted(part, names, depth - 1)) for key, part in inside)


def _inside(value: Any, names: set[str]) -> list[tuple[Any, Any]] | None:
    """The parts of a container, the attributes of a program's own object; None for what is taken as it is."""
    if isinstance(value, (dict, list, tuple, set, frozenset)) and not _of_the_house(value):
        return list(islice(value.items() if isinstance(value, dict) else enumerate(value), FEW + 1))
    if isinstance(value, types.MethodType):
        return [("__self__", value.__self__), ("__func__", value.__func__)]
    if isinstance(value, functools.partial):
        return [("func", value.func), ("args", value.args), ("keywords", value.keywords)]
    if isinstance(value, (type, types.ModuleType, types.FunctionType, Tensor, Module)) or _of_the_house(value):
        return None
    slots = [n for kind in type(value).__mro__ for n in getattr(kind, "__slots__", ()) if n in names]
    own = [n for n in getattr(value, "__dict__", ()) if n in names]
    return [(n, getattr(value, n, None)) for n in sorted({*slots, *own})] if slots or own else None


def _of_the_house(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] in (PACKAGE, "numpy")


def _of_the_user(value: Any) -> bool:
    return isinstance(value, types.FunctionType) and value.__module__.partition(".")[0] != PACKAGE


def _roots(functions: Sequence[types.FunctionType]) -> Iterator[Look]:
    """How to look up each free name and each default of the functions."""
    for f in functions:
        loaded = {
            step.argval
            for code in codes(f.__code__)
            for step in dis.get_instructions(code)
            if step.opname == "LOAD_GLOBAL"
        }
        for name in sorted(loaded & f.__globals__.keys()):
            yield Look(f.__globals__, name, item=True)
        for cell in f.__closure__ or ():
            yield Look(cell, "cell_contents")
        yield Look(f, "__defaults__")
        yield Look(f, "__kwdefaults__")


def _own_of(modules: Sequence[Module]) -> Iterator[Look]:
    """How to look up what users have put on their modules and may change in place."""
    for m in modules:
        for name, value in vars(m).items():
            if name[0] != "_" and type(value) not in PLAIN and _inside(value, set()) is not None:
                yield Look(vars(m), name, item=True)


def _reached(function: Callable, modules: Sequence[Module]) -> tuple[list[types.FunctionType], set[str]]:
    """The user's functions that a step consists of, and the names of all attributes that they ask for.

    These are itself, those it calls by name, out of containers or as methods, and the forwards of its modules.
    """
    found: dict[types.CodeType, types.FunctionType] = {}
    names = {"__call__"}
    waiting: list[Any] = [function, *[type(m).forward for m in modules]]
    while waiting:
        for f in waiting:
            if _of_the_user(f):
                found.setdefault(f.__code__, f)
                names |= {name for code in codes(f.__code__) for name in code.co_names}
        parts = [part for look in _roots(list(found.values())) for part in _parts(look.now(), names)]
        methods = [getattr(type(v), n, None) for v in (*parts, *modules) for n in names if not _of_the_house(v)]
        waiting = [f for f in (*parts, *map(_plain_function, methods)) if _of_the_user(f) and f.__code__ not in found]
    return list(found.values()), names


def _parts(value: Any, names: set[str], depth: int = DEEP) -> Iterator[Any]:
    """A value and all that is inside it."""
    yield getattr(value, "__func__", value)
    for _, part in (_inside(value, names) or ()) if depth else ():
        yield from _parts(part, names, depth - 1)


def _plain_function(method: Any) -> Any:
    """The function behind what a class has under a name."""
    return method.fget if isinstance(method, property) else getattr(method, "__func__", method)

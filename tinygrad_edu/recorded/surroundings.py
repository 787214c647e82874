"""What a step reads from around it: free names, defaults, what hangs on them, and the modules that it calls.

All of it is noted when the step is recorded, and must be the same before each replay. Numbers and containers of a
program's own are compared by what is in them; tensors, modules, functions and all that is this package's by identity.
"""

from __future__ import annotations

import dis
import enum
import functools
import random
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from ..nn.modules.module import Module
from ..optim.optimizer import Optimizer
from ..tensor import Tensor
from .guards import Guards
from .purity import codes

PACKAGE = __name__.partition(".")[0]
PLAIN = (type(None), bool, int, float, complex, str, bytes)
FEW, DEEP = 256, 5  # containers that are longer, or lie deeper, count as new at every look
CHANCE = (random.Random, np.random.Generator, np.random.RandomState, Iterator)  # each time another number
METHODS = (types.MethodType, types.BuiltinMethodType)
SPECIAL = "call wrapped getattr getitem contains len iter next bool enter exit neg abs int float index eq lt le gt ge"
OPERATORS = "add sub mul truediv floordiv mod pow matmul".split()
NAMELESS = {f"__{n}__" for n in (*SPECIAL.split(), *OPERATORS, *[f"r{n}" for n in OPERATORS])}  # called without a name
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
        self.seen = [(look, look.now()) for look in _roots(self.functions)]
        inside = [m for part in self._parts() if isinstance(part, Module) for m in part.modules()]
        self.modules = list({id(m): m for m in (*modules, *inside)}.values())
        self.seen += [(look, look.now()) for look in _own_of(self.modules, self.names)]
        self.notes = [noted(value, self.names) for _, value in self.seen]

    def _parts(self) -> list[Any]:
        return [part for _, value in self.seen for part in _parts(value, self.names)]

    def tensors(self) -> dict[int, Tensor]:
        """All tensors that are there to be read, by the identity of their arrays."""
        parts = self._parts()
        parts += [p for each in parts if isinstance(each, Optimizer) for g in each.param_groups for p in g["params"]]
        parts += [t for m in self.modules for own in (vars(m), m._parameters, m._buffers) for t in own.values()]
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
        return type(value), value or repr(value)  # 0.0 and -0.0 are two
    if (
        value is random
        or value is np.random
        or isinstance(value.__self__ if isinstance(value, METHODS) else value, CHANCE)
    ):
        return object()  # like nothing else
    if isinstance(value, np.generic) or (type(value) is np.ndarray and value.size <= FEW):
        return value.dtype.str, value.shape, value.tobytes()
    inside = _inside(value, names)
    if inside is None:
        return id(value)
    if not depth or len(inside) > FEW:
        return object()
    return type(value), tuple((key, noted(part, names, depth - 1)) for key, part in inside)


def _inside(value: Any, names: set[str]) -> list[tuple[Any, Any]] | None:
    """The parts of a container, the attributes of a program's own object; None for what is taken as it is."""
    if isinstance(value, (dict, list, tuple, set, frozenset)) and not _of_the_house(value):
        return list(islice(value.items() if isinstance(value, dict) else enumerate(value), FEW + 1))
    if isinstance(value, types.MethodType):
        return [("__self__", value.__self__), ("__func__", value.__func__)]
    if isinstance(value, functools.partial):
        return [("func", value.func), ("args", value.args), ("keywords", value.keywords)]
    if isinstance(value, Optimizer):
        return _options(value) if "param_groups" in names else None
    if isinstance(value, type):
        return [*_of_classes(value, names)] or None
    if isinstance(value, types.FunctionType):
        own = _named(vars(value), names)
        return [("", id(value)), *own] if own else None
    if isinstance(value, (Tensor, Module, enum.Enum)):
        return None
    if isinstance(value, types.ModuleType):
        return None if _of_the_house(value) else _named(vars(value), names) or None
    if _of_the_house(value):  # as a schedule, which counts its steps
        return [(n, v) for n, v in getattr(value, "__dict__", {}).items() if type(v) in PLAIN] or None
    slots = [n for kind in type(value).__mro__ for n in getattr(kind, "__slots__", ()) if n in names]
    own = _named(getattr(value, "__dict__", {}), names)
    return [*own, *[(n, getattr(value, n, None)) for n in slots], *_of_classes(type(value), names)] or None


def _named(table: Any, names: set[str]) -> list[tuple[Any, Any]]:
    return [(name, value) for name, value in table.items() if name in names]


def _of_classes(kind: type, names: set[str]) -> Iterator[tuple[Any, Any]]:
    """What a class of the program's own, and those below it, have under the names."""
    for each in kind.__mro__:
        if each.__module__ != "builtins" and not _of_the_house(each):
            yield from _named(vars(each), names)


def _options(optimizer: Optimizer) -> list[tuple[Any, Any]]:
    """The options of an optimizer, where the step itself reads or sets them."""
    return [(k, {n: v for n, v in g.items() if n != "params"}) for k, g in enumerate(optimizer.param_groups)]


def _of_the_house(value: Any) -> bool:
    """Whether something is an object, a class or a module of this package or of NumPy."""
    kind = value if isinstance(value, type) else type(value)
    name = value.__name__ if isinstance(value, types.ModuleType) else kind.__module__
    return str(name).partition(".")[0] in (PACKAGE, "numpy")  # of Cython's functions the type has no word there


def _of_the_user(value: Any) -> bool:
    return isinstance(value, types.FunctionType) and str(value.__module__).partition(".")[0] not in (PACKAGE, "enum")


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


def _own_of(modules: Sequence[Module], names: set[str]) -> Iterator[Look]:
    """How to look up what users have put on their modules and may change in place, and on the classes of these."""
    kinds = dict.fromkeys(kind for m in modules for kind in type(m).__mro__[:-1] if not _of_the_house(kind))
    for kind in kinds:
        yield from (Look(vars(kind), name, item=True) for name in vars(kind) if name in names)
    for m in modules:
        for name, value in vars(m).items():
            if name[0] != "_" and type(value) not in PLAIN and _inside(value, set()) is not None:
                yield Look(vars(m), name, item=True)


def _reached(function: Callable, modules: Sequence[Module]) -> tuple[list[types.FunctionType], set[str]]:
    """The user's functions that a step consists of, and the names of all attributes that they ask for.

    These are itself, those it calls by name, out of containers or as methods, and the forwards of its modules.
    """
    found: dict[types.CodeType, types.FunctionType] = {}
    names = set(NAMELESS)
    waiting: list[Any] = [function, *[type(m).forward for m in modules]]
    while waiting:
        for f in waiting:
            if _of_the_user(f):
                found.setdefault(f.__code__, f)
                names |= {name for code in codes(f.__code__) for name in code.co_names}
                names |= {c for code in codes(f.__code__) for c in code.co_consts if type(c) is str}  # for getattr
        parts = [part for look in _roots(list(found.values())) for part in _parts(look.now(), names)]
        objects = [v for v in (*parts, *modules) if not (isinstance(v, type) or _of_the_house(v))]
        methods = [getattr(type(v), n, None) for v in objects for n in names]
        waiting = [f for f in (*parts, *map(_plain_function, methods)) if _of_the_user(f) and f.__code__ not in found]
    return list(found.values()), names


def _parts(value: Any, names: set[str], depth: int = DEEP) -> Iterator[Any]:
    """A value and all that is inside it."""
    yield value.__func__ if isinstance(value, types.MethodType) else value
    for _, part in (_inside(value, names) or ()) if depth else ():
        yield from _parts(part, names, depth - 1)


def _plain_function(method: Any) -> Any:
    """The function behind what a class has under a name."""
    return method.fget if isinstance(method, property) else getattr(method, "__func__", method)

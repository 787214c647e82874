"""What a recording cannot see of a step: the Python around its tensors.

A recorded step runs without its Python. So its code must not change anything but tensors (no attribute or global is
assigned, nothing printed), and the plain numbers that it reads from outside are compared before each replay.
"""

from __future__ import annotations

import dis
import functools
import types
from collections.abc import Callable, Iterator
from typing import Any

PACKAGE = __name__.partition(".")[0]
CHANGES = {"STORE_GLOBAL", "STORE_ATTR", "DELETE_ATTR", "DELETE_GLOBAL", "YIELD_VALUE"}
SPEAKS = {"print", "input", "open", "next", "setattr", "exec", "eval", "globals", "locals"}
METHODS = {"append", "extend", "insert", "pop", "write", "update", "setdefault", "appendleft", "random", "randn"}
TALKS = {*"all_reduce reduce broadcast all_gather gather scatter reduce_scatter send recv barrier".split()}
SPEAKS |= TALKS  # with other processes, which no recording does
METHODS |= TALKS - {"gather", "scatter"}  # these are tensors' own
PLAIN = (type(None), bool, int, float, complex, str)


def reason(functions: list[types.FunctionType]) -> str:
    """Why the Python of these functions is more than arithmetic on tensors; nothing if it is not."""
    for function in functions:
        own = set(function.__code__.co_cellvars)
        for code in _codes(function.__code__):
            for step in dis.get_instructions(code):
                told = f"{function.__qualname__}, line {code.co_firstlineno}ff,"
                if step.opname == "STORE_ATTR" and step.argval == "grad":
                    continue  # the tape hears of it
                if step.opname == "YIELD_VALUE" and code.co_name == "<genexpr>":
                    continue  # run out where it stands
                if step.opname in CHANGES or (step.opname == "STORE_DEREF" and step.argval not in own):
                    return f"{told} changes {step.argval!r}, which is no tensor"
                if step.opname == "LOAD_GLOBAL" and step.argval in SPEAKS:
                    return f"{told} calls {step.argval}()"
                if step.opname in ("LOAD_METHOD", "LOAD_ATTR") and step.argval in METHODS:
                    return f"{told} calls .{step.argval}()"
    return ""


def reached(function: Callable, modules: list[Any]) -> list[types.FunctionType]:
    """The user's functions that a step consists of: itself, those it calls by name, the forwards of its modules."""
    found: dict[types.CodeType, types.FunctionType] = {}
    waiting = [function, *[type(m).forward for m in modules]]
    while waiting:
        f = waiting.pop()
        if not isinstance(f, types.FunctionType) or f.__code__ in found or _ours(f):
            continue
        found[f.__code__] = f
        waiting += [v for _, v in outside(f) if isinstance(v, types.FunctionType)]
    return list(found.values())


def outside(function: types.FunctionType) -> Iterator[tuple[Callable[[], Any], Any]]:
    """What a function reads from outside, each with how to look it up again: free names, and attributes of theirs."""
    codes = list(_codes(function.__code__))
    names = {name for code in codes for name in code.co_names}  # of attributes too
    loaded = {step.argval for code in codes for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL"}
    keys = {value for code in codes for value in code.co_consts if isinstance(value, str)}
    looks = [functools.partial(function.__globals__.get, name) for name in sorted(loaded & function.__globals__.keys())]
    looks += [functools.partial(getattr, cell, "cell_contents", None) for cell in function.__closure__ or ()]
    for look in looks:
        value = look()
        yield look, value
        inside = value if type(value) is dict else getattr(value, "__dict__", {})
        for name in sorted((keys if type(value) is dict else names) & inside.keys()):
            yield functools.partial(inside.get, name), inside[name]


def numbers(functions: list[types.FunctionType], modules: list[Any]) -> list[tuple[Callable[[], Any], Any]]:
    """The plain values that a step reads from outside, of its free names and of its modules; how to look them up."""
    free = [(look, v) for f in functions for look, v in outside(f) if type(v) in PLAIN]
    own = [(functools.partial(vars(m).get, k), v) for m in modules for k, v in vars(m).items() if type(v) in PLAIN]
    return free + own


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """A function's code, and that of the functions inside it."""
    waiting = [code]
    while waiting:
        yield (code := waiting.pop())
        waiting += [c for c in code.co_consts if isinstance(c, types.CodeType)]


def _ours(function: types.FunctionType) -> bool:
    return function.__module__.partition(".")[0] == PACKAGE

"""What a recording cannot see of a step: the Python around its tensors.

A recorded step runs without its Python. So its code must not change anything but tensors: no attribute or global is
assigned, nothing printed. What it reads from around it is another file's matter: `surroundings`.
"""

from __future__ import annotations

import dis
import types
from collections.abc import Iterator

CHANGES = {"STORE_GLOBAL", "STORE_ATTR", "DELETE_ATTR", "DELETE_GLOBAL", "YIELD_VALUE"}
SPEAKS = {"print", "input", "open", "next", "setattr", "exec", "eval", "globals", "locals"}
METHODS = {"append", "extend", "insert", "pop", "write", "update", "setdefault", "appendleft", "random", "randn"}
TALKS = {*"all_reduce reduce broadcast all_gather gather scatter reduce_scatter send recv barrier".split()}
SPEAKS |= TALKS  # with other processes, which no recording does
METHODS |= TALKS - {"gather", "scatter"}  # these are tensors' own


def reason(functions: list[types.FunctionType]) -> str:
    """Why the Python of these functions is more than arithmetic on tensors; nothing if it is not."""
    for function in functions:
        own = set(function.__code__.co_cellvars)
        for code in codes(function.__code__):
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


def codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """A function's code, and that of the functions inside it."""
    waiting = [code]
    while waiting:
        yield (code := waiting.pop())
        waiting += [c for c in code.co_consts if isinstance(c, types.CodeType)]

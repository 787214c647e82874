"""A composed function looks at the kinds of its arguments, and where it fails it says which of them was not right.

Like the call of an operation, a face is written out at its first call, for the function's own parameters: to look at
them then costs a few nanoseconds each.
"""

from __future__ import annotations

import builtins
import dis
import functools
import inspect
import os
import re
import sys
from collections.abc import Callable
from types import FunctionType
from typing import Any

from ..errors import alike, translated
from ..kinds import STARRED, fits, kind_of, looks, name_of, sentence
from ..tensor import Tensor
from ..written import KINDS, MISSING, executed

CLUMSY = (AttributeError, IndexError, KeyError, ZeroDivisionError, TypeError, MemoryError)  # they do not name the cause
HERE = os.path.dirname(__file__)
PACKAGE = os.path.dirname(HERE)


def explained(
    function: Callable, rename: Callable[[dict[str, Any]], None] | None = None, strict: bool = True
) -> Callable:
    """The function, whose failures name the argument that is of the wrong kind; `rename` mends keywords first.

    `strict` looks at the kinds beforehand, as PyTorch does in what it has not written in Python.
    """
    names: dict[str, Any] = {"__name__": function.__module__, "function_": function, "MISSING": MISSING}
    names |= KINDS | {"failed_": functools.partial(_failed, function, strict), "CLUMSY": CLUMSY}

    def usual(args: tuple, options: dict[str, Any]) -> dict[str, Any] | None:
        """Write the face, and tell its first arguments by their names, if they are right."""
        names.update((f"default_{name}", p.default) for name, p in _parameters(function).items())
        file = os.path.join(HERE, f"<face of {getattr(function, '__name__', 'a function')}>")
        written = executed(_source(function, rename is not None, strict), file, names)["call"]
        face.__defaults__, face.__kwdefaults__ = written.__defaults__, written.__kwdefaults__
        face.__code__ = written.__code__  # in this order: other threads may be calling
        signature = inspect.signature(function)
        try:
            given = signature.bind(*args, **options).arguments
        except TypeError:
            return {} if hasattr(function, "__wrapped__") else None  # a wrapper may understand more than what it wraps
        right = not strict or all(fits(value, kind_of(signature.parameters[name])) for name, value in given.items())
        return given if right else None

    face = functools.update_wrapper(FunctionType(FIRST, names), function)
    face.explains = True  # type: ignore[attr-defined]
    names |= {"face": face, "usual": usual}
    names["again_"] = functools.partial(_again, face, function, rename or (lambda options: None))
    return face


def _first(*args: Any, **options: Any) -> Any:
    """What a face is before its first call, by names of its own; a warning must find the caller right above it."""
    given = usual(args, options)  # type: ignore[name-defined]  # noqa: F821
    if given is None:
        return face(*args, **options)  # type: ignore[name-defined]  # noqa: F821
    try:
        return function_(*args, **options)  # type: ignore[name-defined]  # noqa: F821
    except CLUMSY as error:
        failed_(given, error, True)  # type: ignore[name-defined]  # noqa: F821
        raise


FIRST = _first.__code__.replace(co_name="call")


def _parameters(function: Callable) -> Any:
    """The parameters of the function itself, not of one that it stands for."""
    return inspect.signature(function, follow_wrapped=False).parameters


def _stars(function: Callable) -> list[str]:
    """The names of a function's own `*args` and `**options`; empty where it has none."""
    return [next((name for name, p in _parameters(function).items() if p.kind is kind), "") for kind in STARRED]


def _source(function: Callable, renames: bool, strict: bool) -> str:
    """The text of a face: a look at the arguments, and the call."""
    parameters = _parameters(function)
    starred, own_keywords = _stars(function)
    keywords = own_keywords or "keywords"
    written: list[str] = []
    given: list[str] = []
    missing: list[str] = []
    values = ""
    for name, p in parameters.items():
        if p.kind in STARRED:
            written.append(str(p.replace(annotation=p.empty)))
            given.append(written[-1])
            continue
        named = p.kind is p.KEYWORD_ONLY
        if named and not starred and "*" not in written:
            written.append("*")
        missing += [f"{name} is MISSING"] * (p.default is p.empty)
        written.append(f"{name}={'MISSING' if p.default is p.empty else f'default_{name}'}")
        given.append(f"{name}={name}" if named else name)
        values += f"{name}, "
    if not own_keywords:
        written.append("**keywords")
    if renames or not own_keywords:
        missing.append(keywords)
    lines = [f"def call({', '.join(written)}):"]
    if missing:
        lines += [f"    if {' or '.join(missing)}:"]
        lines += [f"        return again_(({values}), {starred or '()'}, {keywords})"]
    lines += looks(function, parameters) if strict else ()
    lines += ["    try:", f"        return function_({', '.join(given)})"]
    every = ", ".join(f"{name!r}: {name}" for name in parameters)
    lines += ["    except CLUMSY as error:", f"        failed_({{{every}}}, error)", "        raise"]
    return "\n".join([*lines, ""])


def _again(
    face: Callable, function: Callable, rename: Callable, values: tuple, rest: tuple, options: dict[str, Any]
) -> Any:
    """The call with keywords of other names, or one that Python refuses: an unknown keyword, or a missing argument."""
    parameters = _parameters(function)
    rename(options)
    args: list[Any] = []
    known = [p for p in parameters.values() if p.kind not in STARRED]
    for p, value in zip(known, values, strict=True):
        if value is not MISSING and p.kind is not p.KEYWORD_ONLY and (rest or p.kind is p.POSITIONAL_ONLY):
            args.append(value)
        elif value is not MISSING and value is not p.default:
            if p.name in options:
                raise TypeError(f"{function.__name__}() got multiple values for argument '{p.name}'")
            options[p.name] = value
    names = [p.name for p in known]
    required = {p.name for p in known[len(args) :] if p.default is p.empty}
    others = [name for name in options if name not in names]
    if not required <= set(options) or (others and not _stars(function)[1]):
        try:
            return function(*args, *rest, **options)
        except TypeError as error:
            if others and "unexpected keyword" in str(error):
                raise TypeError(f"{_plainly(error)}{alike(others[0], names)}") from None
            raise
    return (function if others else face)(*args, *rest, **options)


def explain_all(space: dict[str, Any], methods: str = "", strict: bool = False) -> None:
    """Have the public functions and constructors of a module, or of a package's files, explain their failures; of the
    classes also these methods. Constructors are never `strict`."""
    for name, found in list(space.items()):
        where = str(getattr(found, "__module__", ""))
        if name.startswith("_") or not (where + ".").startswith(space["__name__"] + "."):
            continue
        if isinstance(found, type):
            for each in found.__mro__:  # what it has from a class that is not public is its own
                for method in ("__init__", *methods.split()) if each.__module__.startswith(space["__name__"]) else ():
                    own = vars(each).get(method)
                    if isinstance(own, FunctionType) and not hasattr(own, "explains"):
                        setattr(each, method, explained(own, strict=strict and method != "__init__"))
        elif isinstance(found, FunctionType) and not hasattr(found, "op") and not hasattr(found, "explains"):
            face = space[name] = explained(found, strict=strict)
            home, own = vars(sys.modules[where]), found.__name__
            if home.get(own) is found:
                home[own] = face  # what is pickled by its name must be found there


def _failed(function: Callable, strict: bool, given: dict[str, Any], error: Exception, bound: bool = False) -> None:
    """Say which argument was not what the function takes, if that was the cause; what is `bound` has its right name."""
    if isinstance(error, MemoryError):
        raise translated(name_of(function), [], error) from error
    if hasattr(function, "__wrapped__") and not bound:  # a wrapper does not know the parameters by their names
        args, options = (given.pop(name, ()) for name in _stars(function))
        first = [given.pop(name) for name, p in _parameters(function).items() if p.kind < p.VAR_POSITIONAL]
        signature = inspect.signature(function)
        named = {name: value for name, value in given.items() if name in signature.parameters}
        try:
            given = signature.bind(*first, *args, **named, **dict(options)).arguments
        except TypeError:
            return
    if not strict and type(error) is TypeError and _raised(error):
        return  # with a sentence of its own
    if wrong := misfit(function, given, error) or unknown(function, given, error):
        raise TypeError(wrong) from error


def _innermost(error: Exception) -> Any:
    """Where an error was raised, as the last part of its traceback."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace


def _raised(error: Exception) -> bool:
    """Whether an error comes from a `raise`, not from Python or NumPy themselves."""
    trace = _innermost(error)
    return trace is not None and trace.tb_frame.f_code.co_code[trace.tb_lasti] == dis.opmap["RAISE_VARARGS"]


def _plainly(error: Exception) -> str:
    """What Python says of a call, without the word that 3.13 guesses was meant: it knows fewer of them."""
    return str(error).partition(". Did you mean")[0]


OPTIONS = ("dtype", "device", "requires_grad", "layout", "pin_memory", "memory_format")


def unknown(function: Callable, given: dict[str, Any], error: Exception) -> str:
    """The keyword that was handed on and that nothing takes, with the nearest that is taken; nothing if that was not it."""
    found = re.search(r"got an unexpected keyword argument '(\w+)'$", _plainly(error))
    handed_on: dict[str, Any] = next(
        (given[name] for name in _stars(function) if isinstance(given.get(name), dict)), {}
    )
    if not found or found[1] not in handed_on:
        return ""
    makers = [function, *(vars(each).get("__init__") for each in type(given.get("self", 0)).__mro__[:-1])]
    names = {name for each in makers if isinstance(each, FunctionType) for name in inspect.signature(each).parameters}
    names |= set() if "self" in given else set(OPTIONS)
    return f"{name_of(function)}() {found[0]}{alike(found[1], names)}"


def misfit(function: Callable, given: dict[str, Any], error: Exception) -> str:
    """The argument that was not what the function takes, in PyTorch's words; nothing if that was not the cause."""
    if type(error) is TypeError and "must be" in str(error):
        return ""  # it has been told already
    return _of_wrong_kind(function, given) or _lacking(function, given, error)


def _of_wrong_kind(function: Callable, given: dict[str, Any]) -> str:
    """The argument that is not of the kind that its parameter asks for."""
    parameters = inspect.signature(function).parameters
    known = vars(sys.modules.get(function.__module__, builtins))
    for position, (name, value) in enumerate(given.items(), "self" not in given):
        kind = kind_of(parameters[name])
        if kind and parameters[name].kind not in STARRED and not fits(value, kind, known):
            return sentence(name_of(function), name, position, kind, type(value).__name__)
    return ""


def _lacking(function: Callable, given: dict[str, Any], error: Exception) -> str:
    """The argument that was asked for an attribute that it has not, or something in it has not."""
    trace = _innermost(error)
    ours = trace is not None and trace.tb_frame.f_code.co_filename.startswith(PACKAGE)
    if not isinstance(error, AttributeError) or not ours:  # a program's own functions may be called here
        return ""
    what, parameters = name_of(function), inspect.signature(function).parameters
    having = "Tensor" if hasattr(Tensor, error.name or "") else f"something that has {error.name!r}"
    for position, (name, value) in enumerate(given.items(), "self" not in given):
        if name != "self" and value is error.obj and (value is not None or parameters[name].default is not None):
            return sentence(what, name, position, having, type(value).__name__)
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, (tuple, list)) else ()
        if any(each is error.obj for each in parts):
            found = f"{type(value).__name__} with {type(error.obj).__name__} in it"
            return sentence(what, name, position, "tuple of Tensors" if having == "Tensor" else having, found)
    return ""


__all__ = ["explain_all", "explained"]

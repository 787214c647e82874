"""An error inside a module says which: the path from the outermost module, and the shapes on the way there.

Nothing is noted beforehand: the modules are found in the frames that the error passes, the shapes in the graph that
the engine keeps anyway.
"""

from __future__ import annotations

import inspect
import os
import sys
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from ...errors import alike, describe
from ...ops.misuse import misfit
from ...tensor import Leaf, Tensor

if TYPE_CHECKING:
    from .module import Module

__all__: list[str] = []

PACKAGE = str(Path(__file__).parents[2]) + os.sep
KINDS = (
    RuntimeError,
    ValueError,
    IndexError,
    TypeError,
    NotImplementedError,
    AssertionError,
)  # whose text is a sentence of ours


def locate(error: Exception, call: CodeType) -> None:
    """Add to an error of the package, once, in which module it was raised; `call` is the code of `Module.__call__`.

    What the program itself raises stays as it is.
    """
    if hasattr(error, "module_path") or not _own(error.__traceback__):
        return
    calls = _calls(sys._getframe(1), call)
    if type(error) in (AttributeError, IndexError) and (wrong := _misfit(calls[-1], error)):
        try:
            raise TypeError(wrong) from error
        except TypeError as told:
            locate(told, call)
            raise
    path = path_of(calls)
    if type(error) is AttributeError and "_modules" in getattr(error.obj, "__dict__", ()):  # a mistyped layer
        error.args = (f"{error}{alike(error.name or '', dir(error.obj))}",)
    elif type(error) not in KINDS:
        return
    error.module_path = path  # type: ignore[attr-defined]
    if len(error.args) != 1 or not isinstance(error.args[0], str):
        return
    inner = calls[-1]["self"]
    name = type(inner).__name__ if inner._modules else repr(inner)
    text = f"{error.args[0]}\n  in: {path}, {name}, called with {_given(calls[-1])}"
    flow = _flow(calls[-1]["args"])
    if flow:
        text += f"\n  shapes on the way there: {flow}"
    error.args = (text,)


def _misfit(call: dict[str, Any], error: Exception) -> str:
    """The argument of a module that was of the wrong kind, if that was the cause."""
    forward = type(call["self"]).forward
    try:
        given = inspect.signature(forward).bind(call["self"], *call["args"], **call["kwargs"]).arguments
    except TypeError:  # it was refused before it came to that
        given = dict(zip(inspect.signature(forward).parameters, (call["self"], *call["args"]), strict=False))
    return misfit(forward, given, error).replace("forward()", f"{type(call['self']).__name__}()", 1)


def _own(trace: TracebackType | None) -> bool:
    """Whether the innermost frame is the package's."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    file = "" if trace is None else trace.tb_frame.f_code.co_filename
    return file.startswith(PACKAGE)


def _calls(frame: FrameType | None, call: CodeType) -> list[dict[str, Any]]:
    """The variables of the calls of modules that are being run, outermost first, with the caller of the outermost."""
    found: list[dict[str, Any]] = []
    while frame is not None:
        if frame.f_code is call:
            found.insert(0, {**frame.f_locals, "caller": frame.f_back})
        frame = frame.f_back
    return found


def path_of(calls: list[dict[str, Any]]) -> str:
    """The innermost module as the program would write it: the caller's name for the outermost one, and the path."""
    outer = calls[0]["self"]
    frame = calls[0]["caller"]
    names = {} if frame is None else {**frame.f_globals, **frame.f_locals}
    name = next((n for n, v in names.items() if v is outer and not n.startswith("_")), type(outer).__name__)
    inner: Module = calls[-1]["self"]
    for path, module in outer.named_modules():
        if module is inner:
            return f"{name}.{path}" if path else name
    return f"{name} > {type(inner).__name__}"  # it is called by the outermost one, but is no part of it


def _given(call: dict[str, Any]) -> str:
    """What a module was called with."""
    values = [describe(v) for v in call["args"]]
    return ", ".join([*values, *[f"{k}={describe(v)}" for k, v in call["kwargs"].items()]]) or "nothing"


def _flow(args: tuple, longest: int = 8) -> str:
    """The results that led to the first tensor, oldest first: `linear [8, 5] -> relu [8, 5]`."""
    first = next((v for v in args if isinstance(v, Tensor)), None)
    node = None if first is None else first.edge()
    steps: list[str] = []
    while node is not None and not isinstance(node, Leaf) and len(steps) < longest:
        function, _ = node.as_function()
        name = function.op.name if hasattr(function, "op") else function.name()
        steps.append(f"{name} {list(node.shape)}")
        node = next((edge for edge in function.edges if edge is not None and not isinstance(edge, Leaf)), None)
    return " -> ".join(reversed(steps))

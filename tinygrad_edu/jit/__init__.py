"""Compilation, which does not happen here: what is given comes back unchanged, and runs as it is written."""

from __future__ import annotations

import builtins
import functools
from collections.abc import Callable
from typing import Any, TypeVar
from typing import Final as Final  # programs write `n: torch.jit.Final[int]`

from ..nn.modules.module import Module

T = TypeVar("T")

ScriptModule, ScriptFunction, RecursiveScriptModule = Module, Callable, Module


def Attribute(value: T, type: Any) -> T:
    """The value itself; the type speaks to a compiler."""
    return value


def script(obj: T, optimize: Any = None, _frames_up: int = 0, _rcb: Any = None, example_inputs: Any = None) -> T:
    """The function or module itself."""
    return obj


def trace(func: T, example_inputs: Any = None, *args: Any, **kwargs: Any) -> T:
    """The function or module itself."""
    return func


def trace_module(mod: T, inputs: Any, *args: Any, **kwargs: Any) -> T:
    """The module itself."""
    return mod


def freeze(mod: T, preserved_attrs: Any = None, optimize_numerics: bool = True) -> T:
    """The module itself."""
    return mod


def optimize_for_inference(mod: T, other_methods: Any = None) -> T:
    """The module itself."""
    return mod


def script_if_tracing(fn: T) -> T:
    """The function itself."""
    return fn


def ignore(drop: Any = False, **kwargs: Any) -> Any:
    """Mark a method that PyTorch would leave in Python: all are."""
    return drop if callable(drop) else lambda fn: fn


def unused(fn: T) -> T:
    """Mark a method that PyTorch would leave out."""
    return fn


def export(fn: T) -> T:
    """Mark a method that PyTorch would compile, too."""
    return fn


def script_method(fn: T) -> T:
    """The method itself."""
    return fn


def interface(obj: T) -> T:
    """The class itself."""
    return obj


def annotate(the_type: Any, the_value: T) -> T:
    """The value itself; the type speaks to a compiler."""
    return the_value


def isinstance(obj: Any, target_type: Any) -> bool:
    """Python's `isinstance`."""
    return builtins.isinstance(obj, target_type)


def is_scripting() -> bool:
    """Whether a compiler reads this: never."""
    return False


def is_tracing() -> bool:
    """Whether operations are being recorded for a compiler: never."""
    return False


def fork(func: Callable, *args: Any, **kwargs: Any) -> Any:
    """Call the function now; `wait` gives its result."""
    return functools.partial(lambda result: result, func(*args, **kwargs))


def wait(future: Callable[[], Any]) -> Any:
    """The result of `fork`."""
    return future()


def set_fusion_strategy(strategy: Any) -> Any:
    """Noted: nothing is fused."""
    return strategy


def save(m: Any, f: Any, _extra_files: Any = None) -> None:
    """Compiled programs cannot be written: nothing is compiled."""
    raise NotImplementedError("jit.save: nothing is compiled here; write torch.save(module.state_dict(), file)")


def load(f: Any, map_location: Any = None, _extra_files: Any = None) -> Any:
    """Compiled programs cannot be read: they hold code for PyTorch's own machine."""
    raise NotImplementedError(
        "jit.load: a TorchScript file holds code for PyTorch's own machine; save its state_dict() with PyTorch, and "
        "load that into the module"
    )


__all__ = """
Attribute Final RecursiveScriptModule ScriptFunction ScriptModule annotate export fork freeze ignore interface
is_scripting is_tracing isinstance load optimize_for_inference save script script_if_tracing script_method
set_fusion_strategy trace trace_module unused wait
""".split()

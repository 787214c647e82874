"""What is called around a module: before and after its forward, before and after its backward.

Most modules have no hooks, and their call does not look further than to find this out.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from ...autograd.graph import Handle
from ...tensor import Tensor
from .passage import Passage

if TYPE_CHECKING:
    from .module import Module

__all__ = [
    "register_module_backward_hook",
    "register_module_buffer_registration_hook",
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
    "register_module_module_registration_hook",
    "register_module_parameter_registration_hook",
]

TABLES = (
    "_forward_pre_hooks",
    "_forward_hooks",
    "_backward_pre_hooks",
    "_backward_hooks",
    "_state_dict_pre_hooks",
    "_state_dict_hooks",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)

_all_of = attrgetter(*TABLES)  # a recorded step asks for them each time


class Hooks:
    """The hooks of one module, or those of all: tables from a handle's number to what is called."""

    __slots__ = (*TABLES, "always", "full", "with_kwargs")

    def __init__(self) -> None:
        for name in TABLES:
            setattr(self, name, OrderedDict())
        self.with_kwargs: set[int] = set()  # hooks that are given the keyword arguments, too
        self.always: set[int] = set()  # hooks that are also to hear of a forward that failed
        self.full: bool | None = None  # whether the backward hooks are full ones; None while there are none

    def add(self, table: str, hook: Callable, prepend: bool = False, with_kwargs: bool = False) -> Handle:
        """Put a hook behind the others, or before them."""
        hooks = getattr(self, table)
        handle = Handle(hooks, hook)
        if prepend:
            hooks.move_to_end(handle.id, last=False)
        if with_kwargs:
            self.with_kwargs.add(handle.id)
        return handle

    def add_backward(self, hook: Callable, full: bool, prepend: bool = False) -> Handle:
        """Put a backward hook; a module has full ones, or those of long ago, never both."""
        if self.full is (not full) and self._backward_hooks:
            raise RuntimeError(
                "Cannot use both regular backward hooks and full backward hooks on a single Module. "
                "Please use only one of them; write register_full_backward_hook for all."
            )
        self.full = full
        return self.add("_backward_hooks", hook, prepend)

    def __bool__(self) -> bool:
        return any(_all_of(self))


EVERYWHERE = Hooks()  # called around every module
NONE = Hooks()  # stands for a module that has none; never added to


class Table:
    """`module._forward_hooks` and its kin: read, cleared and replaced by many a program."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, module: Hooked | None, owner: type) -> Any:
        return self if module is None else getattr(module._some_hooks(), self.name)

    def __set__(self, module: Hooked, table: Any) -> None:
        setattr(module._some_hooks(), self.name, table)


class Hooked:
    """The part of `Module` that registers hooks."""

    # The only thing that a call looks at: a module's own hooks, in its `__dict__` once it has some. Of the class it
    # is None, or EVERYWHERE while something is hooked around all modules.
    _around: Hooks | None = None

    _forward_pre_hooks = Table()
    _forward_hooks = Table()
    _backward_pre_hooks = Table()
    _backward_hooks = Table()
    _state_dict_pre_hooks = Table()
    _state_dict_hooks = Table()
    _load_state_dict_pre_hooks = Table()
    _load_state_dict_post_hooks = Table()

    def _own_hooks(self) -> Hooks:
        return self.__dict__.get("_around", NONE)

    def _some_hooks(self) -> Hooks:
        own = self.__dict__.get("_around")
        if own is None:
            own = self.__dict__["_around"] = Hooks()
        return own

    def register_forward_pre_hook(self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False) -> Handle:
        """Before the forward, call `hook(module, args)`; what it returns replaces the arguments."""
        return self._some_hooks().add("_forward_pre_hooks", hook, prepend, with_kwargs)

    def register_forward_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> Handle:
        """After the forward, call `hook(module, args, output)`; what it returns replaces the output."""
        own = self._some_hooks()
        handle = own.add("_forward_hooks", hook, prepend, with_kwargs)
        if always_call:
            own.always.add(handle.id)
        return handle

    def register_full_backward_pre_hook(self, hook: Callable, prepend: bool = False) -> Handle:
        """When the gradients of the outputs are known, call `hook(module, grad_output)`; its answer replaces them."""
        return self._some_hooks().add("_backward_pre_hooks", hook, prepend)

    def register_full_backward_hook(self, hook: Callable, prepend: bool = False) -> Handle:
        """When the gradients of the inputs are known, call `hook(module, grad_input, grad_output)`.

        Its answer replaces the gradients of the inputs.
        """
        return self._some_hooks().add_backward(hook, True, prepend)

    def register_backward_hook(self, hook: Callable) -> Handle:
        """A hook on the last operation of the module only: kept for old programs, see `register_full_backward_hook`."""
        return self._some_hooks().add_backward(hook, False)

    def register_state_dict_pre_hook(self, hook: Callable) -> Handle:
        """Before the state is collected, call `hook(module, prefix, keep_vars)`."""
        return self._some_hooks().add("_state_dict_pre_hooks", hook)

    def register_state_dict_post_hook(self, hook: Callable) -> Handle:
        """After the state is collected, call `hook(module, state_dict, prefix, local_metadata)` to change it."""
        if not callable(hook):
            raise TypeError(f"register_state_dict_post_hook takes a function, not {type(hook).__name__}")

        def checked(*args: Any) -> None:
            if hook(*args) is not None:
                raise RuntimeError("state_dict post-hook must return None; change the state dict in place")

        return self._some_hooks().add("_state_dict_hooks", checked)

    def _register_state_dict_hook(self, hook: Callable) -> Handle:
        """As the one above, but what it returns replaces the state dict."""
        return self._some_hooks().add("_state_dict_hooks", hook)

    def register_load_state_dict_pre_hook(self, hook: Callable) -> Handle:
        """Before a state is loaded, call `hook(module, state, prefix, metadata, strict, missing, unexpected, errors)`."""
        return self._some_hooks().add("_load_state_dict_pre_hooks", hook)

    def _register_load_state_dict_pre_hook(self, hook: Callable, with_module: bool = False) -> Handle:
        return self.register_load_state_dict_pre_hook(hook if with_module else WithoutModule(hook))

    def register_load_state_dict_post_hook(self, hook: Callable) -> Handle:
        """After a state is loaded, call `hook(module, incompatible_keys)`, which may change the lists of keys."""
        return self._some_hooks().add("_load_state_dict_post_hooks", hook)


class WithoutModule:
    """A hook of the older form, which is not told the module; a class, so that a module with one can be pickled."""

    def __init__(self, hook: Callable) -> None:
        self.hook = hook

    def __call__(self, module: Module, *args: Any) -> Any:
        return self.hook(*args)


# --- around every module -------------------------------------------------------------------------------------------------

REGISTRATION: dict[str, OrderedDict[int, Callable]] = {
    kind: OrderedDict() for kind in ("parameter", "buffer", "module")
}  # called when a module is given one of these


def registered(kind: str, module: Any, name: str, value: Any) -> Any:
    """The value that is to be registered, as the hooks leave it."""
    for hook in REGISTRATION[kind].values():
        answer = hook(module, name, value)
        value = value if answer is None else answer
    return value


def register_module_forward_pre_hook(hook: Callable) -> Handle:
    """Before every module's forward, call `hook(module, args)`."""
    Hooked._around = EVERYWHERE
    return EVERYWHERE.add("_forward_pre_hooks", hook)


def register_module_forward_hook(hook: Callable, *, with_kwargs: bool = False, always_call: bool = False) -> Handle:
    """After every module's forward, call `hook(module, args, output)`."""
    Hooked._around = EVERYWHERE
    handle = EVERYWHERE.add("_forward_hooks", hook, with_kwargs=with_kwargs)
    if always_call:
        EVERYWHERE.always.add(handle.id)
    return handle


def register_module_full_backward_pre_hook(hook: Callable) -> Handle:
    """When the gradients of any module's outputs are known, call `hook(module, grad_output)`."""
    Hooked._around = EVERYWHERE
    return EVERYWHERE.add("_backward_pre_hooks", hook)


def register_module_full_backward_hook(hook: Callable) -> Handle:
    """When the gradients of any module's inputs are known, call `hook(module, grad_input, grad_output)`."""
    Hooked._around = EVERYWHERE
    return EVERYWHERE.add_backward(hook, True)


def register_module_backward_hook(hook: Callable) -> Handle:
    """A hook on the last operation of every module: kept for old programs."""
    Hooked._around = EVERYWHERE
    return EVERYWHERE.add_backward(hook, False)


def register_module_parameter_registration_hook(hook: Callable) -> Handle:
    """When a parameter is given to any module, call `hook(module, name, parameter)`; its answer replaces it."""
    return Handle(REGISTRATION["parameter"], hook)


def register_module_buffer_registration_hook(hook: Callable) -> Handle:
    """When a buffer is given to any module, call `hook(module, name, buffer)`; its answer replaces it."""
    return Handle(REGISTRATION["buffer"], hook)


def register_module_module_registration_hook(hook: Callable) -> Handle:
    """When a submodule is given to any module, call `hook(module, name, submodule)`; its answer replaces it."""
    return Handle(REGISTRATION["module"], hook)


# --- the call --------------------------------------------------------------------------------------------------------------


def call(module: Module, args: tuple, kwargs: dict) -> Any:
    """The module's forward with everything that is hooked around it; hooks of all modules come before its own."""
    if not EVERYWHERE:
        Hooked._around = None
    both = (EVERYWHERE, module._own_hooks())
    passage = None
    result, heard = None, set()
    try:
        args, kwargs = _before(module, both, args, kwargs)
        full = [hook for own in both if own.full for hook in own._backward_hooks.values()]
        early = [hook for own in both for hook in own._backward_pre_hooks.values()]
        if full or early:
            passage = Passage(module, full, early)
            args = passage.enter(args)
        result = module.forward(*args, **kwargs)
        for own in both:
            for number, hook in list(own._forward_hooks.items()):
                heard.add(number)
                answer = hook(module, args, kwargs, result) if number in own.with_kwargs else hook(module, args, result)
                result = result if answer is None else answer
        if passage is not None:
            result = passage.leave(result)
        old = [hook for own in both if own.full is False for hook in own._backward_hooks.values()]
        if old:
            _on_last_operation(module, old, result)
        return result
    except Exception:
        for own in both:
            for number in sorted(own.always & own._forward_hooks.keys() - heard):
                _tell(own._forward_hooks[number], module, args, kwargs if number in own.with_kwargs else None, result)
        raise


def _before(module: Module, both: tuple[Hooks, Hooks], args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    """The arguments as the hooks before the forward leave them."""
    for own in both:
        for number, hook in list(own._forward_pre_hooks.items()):
            if number not in own.with_kwargs:
                answer = hook(module, args)
                if answer is not None:
                    args = answer if isinstance(answer, tuple) else (answer,)
                continue
            answer = hook(module, args, kwargs)
            if answer is not None:
                if not (isinstance(answer, tuple) and len(answer) == 2):
                    raise RuntimeError(
                        f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {answer}."
                    )
                args, kwargs = answer
    return args, kwargs


def _tell(hook: Callable, module: Module, args: tuple, kwargs: dict | None, result: Any) -> None:
    """Call a hook that wants to hear of a failure, without hiding the failure by one of its own."""
    try:
        hook(module, args, result) if kwargs is None else hook(module, args, kwargs, result)
    except Exception as error:
        text = "module forward hook with ``always_call=True`` raised an exception that was silenced as another error"
        warnings.warn(f"{text} was raised in forward: {error}", stacklevel=3)


def _on_last_operation(module: Module, hooks: list[Callable], result: Any) -> None:
    """Backward hooks of long ago: they see the gradients of the operation that made the (first) result."""
    while not isinstance(result, Tensor):
        result = next(iter(result.values())) if isinstance(result, dict) else result[0]
    if result.grad_fn is not None:
        for hook in hooks:
            result.grad_fn.register_hook(lambda before, after, hook=hook: hook(module, before, after))

"""Parametrizations: a parameter of a module as a function of other parameters."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Sequence
from typing import Any

from ...autograd.modes import no_grad
from ...errors import describe, message
from ...ops.misuse import explain_all as _explain_all
from ...tensor import Tensor
from ..modules.container import ModuleDict, ModuleList
from ..modules.module import Module
from ..parameter import Parameter

__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "transfer_parametrizations_and_params",
    "type_before_parametrizations",
]

# --- what is computed once inside `cached` -----------------------------------------------------------------------------

_depth = 0
_cache: dict[tuple[int, str], Tensor] = {}


@contextlib.contextmanager
def cached() -> Iterator[None]:
    """Inside, each parametrized tensor is computed once."""
    global _depth
    _depth += 1
    try:
        yield
    finally:
        _depth -= 1
        if not _depth:
            _cache.clear()


# --- the functions on top of each other ------------------------------------------------------------------------------


class ParametrizationList(ModuleList):
    """The functions that make a tensor, applied one after the other to its `original` (or `original0`, `original1` ...)."""

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        if not len(modules):
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        was = describe(original)
        new: Any = original
        with no_grad():
            for module in reversed(list(self)):
                if hasattr(module, "right_inverse"):
                    with contextlib.suppress(NotImplementedError):
                        new = module.right_inverse(new)
        if not isinstance(new, (Tensor, Sequence)):
            raise ValueError(f"'right_inverse' must return a Tensor or a Sequence of tensors. Got {type(new).__name__}")
        self.is_tensor = isinstance(new, Tensor)
        self.ntensors = 1 if isinstance(new, Tensor) else len(new)
        if isinstance(new, Tensor):
            if new.dtype is not original.dtype or new.device != original.device:
                wrong = f"it may not change the dtype or the device: {was} became {describe(new)}"
                raise ValueError(message("When `right_inverse` outputs one tensor", wrong))
            _set(original, new)
            _register(self, "original", original)
        else:
            for i, part in enumerate(new):
                if not isinstance(part, Tensor):
                    wrong = f"Got element {i} of the sequence with type {type(part).__name__}."
                    raise ValueError(f"'right_inverse' must return a Tensor or a Sequence of tensors. {wrong}")
                if isinstance(original, Parameter):
                    part = Parameter(part, original.requires_grad)
                part.requires_grad_(original.requires_grad)
                _register(self, f"original{i}", part)
        if not unsafe:
            made = self()
            if not isinstance(made, Tensor):
                raise ValueError(f"A parametrization must return a tensor. Got {type(made).__name__}.")
            if describe(made) != was:
                wrong = f"{was} became {describe(made)}"
                start = "Registering a parametrization may not change the shape or dtype of the tensor"
                raise ValueError(message(start, wrong, instead="register_parametrization(..., unsafe=True)"))

    def right_inverse(self, value: Tensor) -> None:
        """Set the originals so that the tensor becomes `value`."""
        what = "right_inverse"
        with no_grad():
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(f"parametrization {type(module).__name__} does not implement right_inverse.")
                value = module.right_inverse(value)
            if self.is_tensor:
                if not isinstance(value, Tensor):
                    raise ValueError(f"`right_inverse` should return a tensor. Got {type(value).__name__}")
                parts = [(self.original, value)]
            else:
                if not isinstance(value, Sequence) or len(value) != self.ntensors:
                    wrong = f"it must return a sequence of {self.ntensors} tensors, not {value!r}"
                    raise ValueError(message(what, wrong))
                parts = [(getattr(self, f"original{i}"), part) for i, part in enumerate(value)]
            for own, new in parts:
                if new.dtype is not own.dtype:
                    raise ValueError(message(what, f"it has returned {new.dtype}, while the original is {own.dtype}"))
                _set(own, new)

    def forward(self) -> Tensor:
        first, *rest = self
        names = ["original"] if self.is_tensor else [f"original{i}" for i in range(self.ntensors)]
        x = first(*[getattr(self, name) for name in names])
        for module in rest:
            x = module(x)
        return x


def _set(own: Tensor, new: Tensor) -> None:
    if own is not new:
        own.data = new.detach()


def _register(module: Module, name: str, tensor: Tensor) -> None:
    if isinstance(tensor, Parameter):
        module.register_parameter(name, tensor)
    else:
        module.register_buffer(name, tensor)


# --- a module with such tensors --------------------------------------------------------------------------------------


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """From now on, the tensor of that name is `parametrization(original)`; several stand on top of each other."""
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        if not unsafe:
            _check_on_top(module, tensor_name, parametrization)
        module.parametrizations[tensor_name].append(parametrization)
        module.parametrizations[tensor_name].unsafe |= unsafe
    elif tensor_name in module._buffers or tensor_name in module._parameters:
        parametrizations = ParametrizationList([parametrization], getattr(module, tensor_name), unsafe=unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            _become_parametrized(module)
            module.parametrizations = ModuleDict()
        setattr(type(module), tensor_name, _made_by_parametrization(tensor_name))
        module.parametrizations[tensor_name] = parametrizations
    else:
        raise ValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element with name '{tensor_name}'"
        )
    return module


def _check_on_top(module: Module, name: str, parametrization: Module) -> None:
    """Raise where a further function, or its inverse, would change the tensor's dtype or shape."""
    before = getattr(module, name)
    after = parametrization(before)
    results = [("A parametrization", after)]
    if hasattr(parametrization, "right_inverse") and isinstance(after, Tensor):
        with contextlib.suppress(NotImplementedError):
            results.append(("parametrization.right_inverse", parametrization.right_inverse(after)))
    for what, result in results:
        if not isinstance(result, Tensor):
            raise ValueError(f"{what} must return a tensor. Got {type(result).__name__}.")
        if describe(result) != describe(before):
            wrong = (
                f"may not change the dtype or shape of module.{name}, but makes {describe(before)} {describe(result)}"
            )
            raise ValueError(message(what, wrong, instead="register_parametrization(..., unsafe=True)"))


def _become_parametrized(module: Module) -> None:
    """Give the module a class of its own, on which its tensors can be properties."""
    cls = type(module)

    def getstate(self: Module) -> dict:
        raise RuntimeError("Serialization of parametrized modules is only supported through state_dict().")

    def deepcopy(self: Module, memo: dict) -> Module:
        replica = memo[id(self)] = object.__new__(type(self))
        replica.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return replica

    body: dict[str, Any] = {"__getstate__": getstate}
    if not hasattr(cls, "__deepcopy__"):
        body["__deepcopy__"] = deepcopy
    module.__class__ = type(f"Parametrized{cls.__name__}", (cls,), body)


def _made_by_parametrization(name: str) -> property:
    def get(self: Module) -> Tensor:
        if not _depth:
            return self.parametrizations[name]()
        key = (id(self), name)
        if key not in _cache:
            _cache[key] = self.parametrizations[name]()
        return _cache[key]

    def set_(self: Module, value: Tensor) -> None:
        self.parametrizations[name].right_inverse(value)

    return property(get, set_)


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether the module has parametrizations, or has one for a tensor."""
    parametrizations = getattr(module, "parametrizations", None)
    if not isinstance(parametrizations, ModuleDict):
        return False
    return len(parametrizations) > 0 if tensor_name is None else tensor_name in parametrizations


def remove_parametrizations(module: Module, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """Make the tensor a plain parameter again: with the value it has, or with its original's."""
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    parametrizations = module.parametrizations[tensor_name]
    if parametrizations.is_tensor:
        tensor = parametrizations.original
        if leave_parametrized:
            with no_grad():
                _set(tensor, getattr(module, tensor_name))
    elif leave_parametrized:
        tensor = getattr(module, tensor_name)
        tensor = Parameter(tensor.detach()) if tensor.requires_grad else tensor
    else:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is parametrized in terms of a "
            "sequence of tensors."
        )
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    _register(module, tensor_name, tensor)
    if not is_parametrized(module):
        del module.parametrizations
        module.__class__ = type(module).__bases__[0]
    return module


def type_before_parametrizations(module: Module) -> type:
    """The module's class as it was written."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(
    from_module: Module, to_module: Module, tensor_name: str | None = None
) -> Module:
    """Give another module the same parametrizations, with the same originals."""
    if not is_parametrized(from_module):
        return to_module
    for name in [tensor_name] if tensor_name is not None else list(from_module.parametrizations):
        if not hasattr(to_module, name):
            setattr(to_module, name, Parameter(getattr(from_module, name).detach()))
        source = from_module.parametrizations[name]
        for parametrization in source:
            register_parametrization(to_module, name, parametrization)
        for own in [*source._parameters, *source._buffers]:
            setattr(to_module.parametrizations[name], own, getattr(source, own))
    return to_module


_explain_all(globals())

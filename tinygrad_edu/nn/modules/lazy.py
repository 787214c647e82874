"""Lazy modules: their parameters get their shapes from the first input."""

from __future__ import annotations

from typing import Any, ClassVar

from ...autograd.modes import no_grad
from ..parameter import is_lazy
from .module import Module

__all__ = ["LazyModuleMixin"]


class LazyModuleMixin:
    """Put before a module class: `initialize_parameters(*args)` gives the parameters shapes, and then the instance
    becomes one of `cls_to_become`, an ordinary module."""

    cls_to_become: ClassVar[type[Module] | None] = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._initialize_hook = self.register_forward_pre_hook(_initialize, with_kwargs=True)

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Give the parameters their shapes, by what the module is called with, and fill them."""
        raise NotImplementedError(f"initialize_parameters is not implemented for {type(self).__name__}")

    def has_uninitialized_params(self) -> bool:
        """Whether a parameter or buffer still has no shape."""
        return any(is_lazy(t) for t in (*self._parameters.values(), *self._buffers.values()))


def _initialize(module: Any, args: tuple, kwargs: dict) -> None:
    """Before the first forward."""
    with no_grad():
        module.initialize_parameters(*args, **kwargs)
    if module.has_uninitialized_params():
        raise RuntimeError(f"module {module._get_name()} has not been fully initialized")
    module._initialize_hook.remove()
    del module._initialize_hook
    if not module._own_hooks():
        del module._around
    if module.cls_to_become is not None:
        module.__class__ = module.cls_to_become

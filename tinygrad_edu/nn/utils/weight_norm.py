"""The older weight norm: a hook makes the weight from its norm and direction before every forward."""

from __future__ import annotations

import warnings
from typing import Any

from ...tensor import Tensor
from ..modules.module import Module
from ..parameter import Parameter, is_lazy
from .norms import norm_except_dim, weight_of_norm

__all__ = ["WeightNorm", "remove_weight_norm", "weight_norm"]


class WeightNorm:
    """A forward pre-hook: w = g v / ‖v‖ of the parameters `weight_g` and `weight_v`."""

    def __init__(self, name: str, dim: int | None) -> None:
        self.name = name
        self.dim = -1 if dim is None else dim

    def compute_weight(self, module: Module) -> Tensor:
        """The weight of the parameters as they are."""
        return weight_of_norm(getattr(module, f"{self.name}_v"), getattr(module, f"{self.name}_g"), self.dim)

    @staticmethod
    def apply(module: Module, name: str, dim: int | None) -> WeightNorm:
        """Replace a parameter by its norm and direction, and hook the module."""
        for hook in hooks_of(module, WeightNorm):
            if hook.name == name:
                raise RuntimeError(f"Cannot register two weight_norm hooks on the same parameter {name}")
        fn, weight = WeightNorm(name, dim), getattr(module, name)
        if is_lazy(weight):
            raise ValueError(
                "The module passed to `WeightNorm` can't have uninitialized parameters; run it once before"
            )
        del module._parameters[name]
        module.register_parameter(f"{name}_g", Parameter(norm_except_dim(weight, 2, fn.dim).detach()))
        module.register_parameter(f"{name}_v", Parameter(weight.detach()))
        setattr(module, name, fn.compute_weight(module))
        module.register_forward_pre_hook(fn)
        return fn

    def remove(self, module: Module) -> None:
        """Make the weight a parameter again."""
        weight = self.compute_weight(module)
        for name in (self.name, f"{self.name}_g", f"{self.name}_v"):
            delattr(module, name)
        setattr(module, self.name, Parameter(weight.detach()))

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module))


def hooks_of(module: Module, kind: type) -> list[Any]:
    """The forward pre-hooks of a kind that a module has."""
    return [hook for hook in module._forward_pre_hooks.values() if isinstance(hook, kind)]


def unhook(module: Module, hook: Any) -> None:
    """Take a forward pre-hook off a module."""
    table = module._forward_pre_hooks
    del table[next(key for key, h in table.items() if h is hook)]


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """w = g v / ‖v‖ with the norm of each slice of `dim` (of the whole, if None) and the direction as parameters."""
    text = "`torch.nn.utils.weight_norm` is deprecated in favor of `torch.nn.utils.parametrizations.weight_norm`."
    warnings.warn(text, FutureWarning, stacklevel=3)
    WeightNorm.apply(module, name, dim)
    return module


def remove_weight_norm(module: Module, name: str = "weight") -> Module:
    """Make the weight a parameter again."""
    for hook in hooks_of(module, WeightNorm):
        if hook.name == name:
            hook.remove(module)
            unhook(module, hook)
            return module
    raise ValueError(f"weight_norm of '{name}' not found in {module}")

"""Modules that hold another as `module` and hand every call on to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..modules.module import Module


class _Wrapper(Module):
    """Calls `module`; in a state dict its names begin with `module.`, as PyTorch's do."""

    module: Module

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        return self.module(*inputs, **kwargs)


class DataParallel(_Wrapper):
    """PyTorch splits a batch over several GPUs; here it goes through as a whole."""

    def __init__(
        self, module: Module, device_ids: Sequence[Any] | None = None, output_device: Any = None, dim: int = 0
    ) -> None:
        super().__init__()
        self.module, self.dim = module, dim
        self.device_ids = list(device_ids or ())
        self.output_device = output_device if output_device is not None else next(iter(self.device_ids), None)


def data_parallel(
    module: Module,
    inputs: Any,
    device_ids: Sequence[Any] | None = None,
    output_device: Any = None,
    dim: int = 0,
    module_kwargs: dict[str, Any] | None = None,
) -> Any:
    """Call a module once with the whole batch."""
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    return module(*inputs, **(module_kwargs or {}))


__all__ = ["DataParallel", "data_parallel"]

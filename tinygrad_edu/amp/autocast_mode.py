"""`autocast`: a block in which PyTorch would choose smaller dtypes; here nothing is chosen, only remembered."""

from __future__ import annotations

import contextvars
import functools
import warnings
from collections.abc import Callable
from typing import Any

from .. import devices, dtypes

_entered: contextvars.ContextVar[tuple[tuple[str, Any], ...]] = contextvars.ContextVar("autocast", default=())
_said = False  # whether the program was told that nothing is cast


class autocast:
    """`with autocast("cuda"):` or `@autocast("cpu")`. Operations keep the dtype of their inputs."""

    def __init__(
        self, device_type: str, dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        if not isinstance(device_type, str):
            raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
        self.device = device_type.partition(":")[0]
        self.fast_dtype = dtype if dtype is not None else get_autocast_dtype(self.device)
        self._enabled = enabled

    def __enter__(self) -> autocast:
        if self._enabled and self.fast_dtype is not dtypes.get_default_dtype():
            _say_once(self.fast_dtype)
        before = tuple(pair for pair in _entered.get() if pair[0] != self.device)
        self._token = _entered.set((*before, (self.device, self.fast_dtype)) if self._enabled else before)
        return self

    def __exit__(self, *exception: object) -> None:
        _entered.reset(self._token)

    def __call__(self, func: Callable) -> Callable:
        return autocast_decorator(self, func)


def _say_once(dtype: Any) -> None:
    global _said
    if not _said:
        _said = True
        text = f"autocast: nothing is computed in {dtype} here; operations keep the dtype of their inputs"
        warnings.warn(text, UserWarning, stacklevel=3)


def autocast_decorator(autocast_instance: autocast, func: Callable) -> Callable:
    """`func` inside the block."""

    @functools.wraps(func)
    def inside(*args: Any, **kwargs: Any) -> Any:
        with autocast(autocast_instance.device, autocast_instance.fast_dtype, autocast_instance._enabled):
            return func(*args, **kwargs)

    return inside


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Whether the program is inside a block for this kind of device."""
    return device_type in dict(_entered.get())


def get_autocast_dtype(device_type: str) -> Any:
    """The dtype that PyTorch would choose."""
    return dict(_entered.get()).get(device_type, dtypes.bfloat16 if device_type == "cpu" else dtypes.float16)


def is_autocast_cpu_enabled() -> bool:
    """Whether the program is inside a block for the CPU."""
    return is_autocast_enabled("cpu")


def get_autocast_cpu_dtype() -> Any:
    """The dtype that PyTorch would choose on the CPU."""
    return get_autocast_dtype("cpu")


def get_autocast_gpu_dtype() -> Any:
    """The dtype that PyTorch would choose on a GPU."""
    return get_autocast_dtype("cuda")


def clear_autocast_cache() -> None:
    """Nothing: no copies in another dtype are kept."""


def is_autocast_available(device_type: str) -> bool:
    """Whether `autocast(device_type)` can be written."""
    return device_type in ("cpu", "cuda") and (device_type == "cpu" or devices.cuda_is_available())


def is_autocast_cache_enabled() -> bool:
    """No copies in another dtype are made, so none is kept."""
    return False


def custom_fwd(fwd: Callable | None = None, *, device_type: str = "cuda", cast_inputs: Any = None) -> Callable:
    """Mark the `forward` of an `autograd.Function` whose inputs need a dtype: they have one dtype here anyhow."""
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)
    return fwd


def custom_bwd(bwd: Callable | None = None, *, device_type: str = "cuda") -> Callable:
    """Mark the `backward` that belongs to `custom_fwd`."""
    return functools.partial(custom_bwd, device_type=device_type) if bwd is None else bwd

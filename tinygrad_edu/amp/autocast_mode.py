"""`autocast`: a block in which a GPU multiplies matrices in a smaller dtype, with sums in float32.

In float16 the operands are cast, by operations of their own that the way back passes through: `promotion.py` says for
which operations. NumPy and CuPy multiply no bfloat16: for it tensors keep their dtype, and the GPU rounds the operands of
float32 products to TF32, which has bfloat16's range and three bits more. It does so in float16's blocks too, since CuPy
multiplies batches of float16 as float32: TF32 holds every one of these numbers. On a CPU nothing is cast, since nothing
would be quicker.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

from .. import devices, dtypes
from ..ops.misuse import explained
from ..promotion import casting, chosen
from ..tensor import Tensor

_said = False  # whether the program was told that nothing is cast


class autocast:
    """`with autocast("cuda"):` or `@autocast("cuda", dtype=torch.bfloat16)`."""

    def __init__(
        self, device_type: str, dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        if not isinstance(device_type, str):
            raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
        self.device = device_type.partition(":")[0]
        self.fast_dtype = dtype if dtype is not None else get_autocast_dtype(self.device)
        self._enabled = enabled

    def __enter__(self) -> autocast:
        outside = {device: dtype for device, dtype in chosen.get().items() if device != self.device}
        self._token = chosen.set({**outside, self.device: self.fast_dtype} if self._enabled else outside)
        if self.device == "cuda":
            casting.append("cuda")
            _round_products()
        elif self._enabled and self.fast_dtype is not dtypes.get_default_dtype():
            _say_once(self.fast_dtype)
        return self

    def __exit__(self, *exception: object) -> None:
        chosen.reset(self._token)
        if self.device == "cuda":
            casting.remove("cuda")
            _round_products()

    def __call__(self, func: Callable) -> Callable:
        return autocast_decorator(self, func)


def _round_products() -> None:
    """Have a GPU round as it may where the program is: in a block, or where the program allows it everywhere."""
    devices.round_products("TF32" if is_autocast_enabled("cuda") else devices.products)


def _say_once(dtype: Any) -> None:
    global _said
    if not _said:
        _said = True
        text = f"autocast: nothing is computed in {dtype} on a CPU; operations keep the dtype of their inputs"
        warnings.warn(text, UserWarning, stacklevel=3)


def autocast_decorator(autocast_instance: autocast, func: Callable) -> Callable:
    """`func` inside the block."""

    @functools.wraps(func)
    def inside(*args: Any, **kwargs: Any) -> Any:
        with autocast(autocast_instance.device, autocast_instance.fast_dtype, autocast_instance._enabled):
            return func(*args, **kwargs)

    return inside


@explained
def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Whether the program is inside a block for this kind of device."""
    return device_type in chosen.get()


@explained
def get_autocast_dtype(device_type: str) -> Any:
    """The dtype that PyTorch would choose."""
    return chosen.get().get(device_type, dtypes.bfloat16 if device_type == "cpu" else dtypes.float16)


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


@explained
def is_autocast_available(device_type: str) -> bool:
    """Whether `autocast(device_type)` can be written."""
    return device_type in ("cpu", "cuda") and (device_type == "cpu" or devices.cuda_is_available())


def is_autocast_cache_enabled() -> bool:
    """Copies in another dtype are made where they are needed, and none is kept."""
    return False


def custom_fwd(fwd: Callable | None = None, *, device_type: str = "cuda", cast_inputs: Any = None) -> Callable:
    """The `forward` of an `autograd.Function`, inside `autocast` on inputs of the given dtype, and with nothing cast."""
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @functools.wraps(fwd)
    def inside(*args: Any, **kwargs: Any) -> Any:
        if cast_inputs is None or not is_autocast_enabled(device_type):
            return fwd(*args, **kwargs)
        with autocast(device_type, enabled=False):
            return fwd(*map(brought, args), **{name: brought(value) for name, value in kwargs.items()})

    def brought(value: Any) -> Any:
        floating = isinstance(value, Tensor) and value.is_floating_point() and value.device.type == device_type
        return value.to(cast_inputs) if floating and value.dtype is not dtypes.float64 else value

    return inside


def custom_bwd(bwd: Callable | None = None, *, device_type: str = "cuda") -> Callable:
    """Mark the `backward` that belongs to `custom_fwd`: it computes in the dtypes that it is given."""
    return functools.partial(custom_bwd, device_type=device_type) if bwd is None else bwd

"""Tensor classes by their element type, as programs of PyTorch's early years name them: `FloatTensor`, `LongTensor`."""

from __future__ import annotations

from typing import Any

from . import devices, dtypes
from .holder import legacy_constructor
from .tensor import Tensor

NAMES = {
    "Float": dtypes.float32, "Double": dtypes.float64, "Half": dtypes.float16, "Byte": dtypes.uint8,
    "Char": dtypes.int8, "Short": dtypes.int16, "Int": dtypes.int32, "Long": dtypes.int64, "Bool": dtypes.bool_,
    "ComplexFloat": dtypes.complex64, "ComplexDouble": dtypes.complex128,
}  # fmt: skip


class TensorType(type):
    """The class of such classes: its instances are the tensors of one dtype on one kind of device."""

    dtype: dtypes.dtype
    place: str

    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, Tensor) and value.dtype is cls.dtype and value.device.type == cls.place

    def __call__(cls, *data: Any, device: Any = None) -> Tensor:
        return legacy_constructor(Tensor, cls.dtype, data, cls.place if device is None else device)

    def __repr__(cls) -> str:
        return f"<class '{cls.__module__}.{cls.__name__}'>"


def typed(name: str, dtype: dtypes.dtype, place: str) -> TensorType:
    """The class of the tensors of a dtype on the CPU or on a GPU."""
    module = "torch" if place == "cpu" else "torch.cuda"
    members = {"dtype": dtype, "place": place, "__module__": module, "__doc__": f"Tensors of {dtype} ({place})."}
    made: Any = TensorType(f"{name}Tensor", (), members)
    return made


ON_CPU = {f"{name}Tensor": typed(name, dtype, "cpu") for name, dtype in NAMES.items()}
ON_GPU = {f"{name}Tensor": typed(name, dtype, "cuda") for name, dtype in NAMES.items()}


def set_default_tensor_type(t: Any) -> None:
    """The dtype and the device of new tensors by a class or its name, as in `"torch.cuda.FloatTensor"`."""
    if isinstance(t, str):
        place, _, name = t.removeprefix("torch.").rpartition(".")
        found = {"": ON_CPU, "cuda": ON_GPU}.get(place, {}).get(name)
        if found is None:
            raise TypeError(f"invalid type object: {t!r}; write a name like 'torch.DoubleTensor'")
        t = found
    if t is Tensor:
        t = ON_CPU["FloatTensor"]
    if not isinstance(t, TensorType):
        raise TypeError(f"invalid type object: {t!r}; write torch.DoubleTensor, or set_default_dtype(torch.float64)")
    if not t.dtype.is_floating_point:
        raise TypeError("only floating-point types are supported as the default type")
    dtypes.set_default_dtype(t.dtype)
    devices.set_default_device(None if t.place == "cpu" else t.place)


def is_tensor(obj: Any) -> bool:
    """Whether an object is a tensor."""
    return isinstance(obj, Tensor)


def typename(obj: Any) -> str:
    """The name of an object's type; of a tensor as `torch.FloatTensor`."""
    if isinstance(obj, Tensor):
        return obj.type()
    kind = obj if isinstance(obj, type) else type(obj)
    module = kind.__module__
    return kind.__qualname__ if module in ("builtins", "") else f"{module}.{kind.__qualname__}"


__all__ = ["ON_CPU", "ON_GPU", "TensorType", "is_tensor", "set_default_tensor_type", "typed", "typename"]

globals().update(ON_CPU)

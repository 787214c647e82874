"""Parameters and buffers: tensors that a module recognises when they are assigned to it."""

from __future__ import annotations

from typing import Any

from .. import devices, dtypes
from ..tensor import Leaf, Tensor, new


class Parameter(Tensor):
    """A tensor that is a module's parameter: a leaf that asks for its gradient."""

    __slots__ = ()

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Parameter:
        t = new(cls)
        if data is None:
            data = Tensor(0)
        t.array, t.node = data.array, None
        t._version = data.version()
        if requires_grad:
            t.requires_grad_()
        return t

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()

    __reduce_ex__ = Tensor.__reduce_ex__


class Buffer(Tensor):
    """A tensor that is part of a module's state without being trained."""

    __slots__ = ()
    persistent: bool

    def __new__(cls, data: Any = None, *, persistent: bool = True) -> Buffer:
        t = new(cls)
        t.array, t.node = (Tensor(0) if data is None else data).array, None
        t.persistent = persistent
        return t


class UninitializedTensorMixin:
    """A tensor whose shape a lazy module learns from its first input."""

    array: Any

    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Give the tensor its shape; the module then fills it."""
        kind = dtypes.as_dtype(dtype) if dtype is not None else dtypes.OF_NUMPY[self.array.dtype]
        place = devices.as_device(device) if device is not None else devices.of(self.array)
        self.array = devices.module(place).empty(tuple(shape), kind.numpy)
        self.__class__ = self.cls_to_become
        if isinstance(self, Parameter) and self.node is not None:
            self.node = Leaf(self)

    @property
    def shape(self) -> Any:
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This error usually happens in "
            "`load_state_dict` when trying to load an uninitialized parameter into an initialized one. "
            "Call `forward` to initialize the parameters before accessing their attributes."
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class UninitializedParameter(UninitializedTensorMixin, Parameter):
    """A parameter of a lazy module before its first input."""

    __slots__ = ()
    cls_to_become = Parameter

    def __new__(cls, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> UninitializedParameter:
        return _uninitialized(cls, requires_grad, device, dtype)


class UninitializedBuffer(UninitializedTensorMixin, Tensor):
    """A buffer of a lazy module before its first input."""

    __slots__ = ()
    cls_to_become = Tensor

    def __new__(cls, requires_grad: bool = False, device: Any = None, dtype: Any = None) -> UninitializedBuffer:
        return _uninitialized(cls, requires_grad, device, dtype)


def _uninitialized(cls: type, requires_grad: bool, device: Any, dtype: Any) -> Any:
    t = new(cls)
    kind = dtypes.as_dtype(dtype) if dtype is not None else dtypes.get_default_dtype()
    t.array, t.node = devices.module(devices.as_device(device)).empty((0,), kind.numpy), None
    if requires_grad:
        t.node = Leaf(t)
    return t


def is_lazy(param: Any) -> bool:
    """Whether a parameter or buffer waits for its shape."""
    return isinstance(param, UninitializedTensorMixin)


__all__ = ["Buffer", "Parameter", "UninitializedBuffer", "UninitializedParameter", "is_lazy"]

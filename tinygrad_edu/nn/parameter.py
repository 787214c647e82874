"""Parameters and buffers: tensors that a module recognises when they are assigned to it."""

from __future__ import annotations

import copy
from typing import Any

from .. import devices, dtypes
from ..tensor import Tensor, new, wrap

__all__ = ["Buffer", "Parameter", "UninitializedBuffer", "UninitializedParameter", "is_lazy"]


class Parameter(Tensor):
    """A tensor that is a module's parameter: a leaf that asks for its gradient."""

    __slots__ = ()

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Parameter:
        return _showing(cls, data).requires_grad_(requires_grad)

    def __deepcopy__(self, memo: dict) -> Parameter:
        if id(self) not in memo:
            t = memo[id(self)] = new(type(self))  # without its gradient, as PyTorch does
            t.__setstate__((self.array.copy(), self.requires_grad, copy.deepcopy(self._user_state(), memo)))
        return memo[id(self)]

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()


class Buffer(Tensor):
    """A tensor that is part of a module's state without being trained."""

    __slots__ = ()
    persistent: bool

    def __new__(cls, data: Any = None, *, persistent: bool = True) -> Buffer:
        t = _showing(cls, data)
        t.persistent = persistent
        return t


def _showing(cls: type, data: Any) -> Any:
    """A tensor of another class, outside the graph, on the memory of `data`."""
    if not isinstance(data, (Tensor, type(None))):
        raise TypeError(f"{cls.__name__}: expected a Tensor, got {type(data).__name__}; write torch.tensor(...) first")
    t = new(cls)
    data = Tensor(0) if data is None else data
    t.array, t.node, t._writes = data.array, None, data.version()
    return t


# --- without a shape yet ----------------------------------------------------------------------------------------------------


class UninitializedTensorMixin:
    """A tensor whose shape a lazy module learns from its first input. Until then it knows its dtype and device."""

    __slots__ = ()
    cls_to_become: type[Tensor]
    requires_grad: bool
    node: Any

    @classmethod
    def _waiting(cls, requires_grad: bool, device: Any, dtype: Any) -> Any:
        t = new(cls.cls_to_become)
        kind = dtypes.as_dtype(dtype) if dtype is not None else dtypes.get_default_dtype()
        t.array, t.node = devices.module(devices.as_device(device)).empty((0,), kind.numpy), None
        t.requires_grad_(requires_grad)
        t.__class__ = cls
        return t

    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Give the tensor its shape; the module then fills it."""
        if isinstance(shape, Tensor):
            raise TypeError("materialize() takes a shape, not a Tensor; write x.shape")
        kind = self.dtype if dtype is None else dtypes.as_dtype(dtype)
        place = self.device if device is None else devices.as_device(device)
        self.__class__ = self.cls_to_become
        self.data = wrap(devices.module(place).empty(tuple(shape), kind.numpy))

    @property
    def array(self) -> Any:
        raise ValueError(
            f"Attempted to use an uninitialized {type(self).__name__.removeprefix('Uninitialized').lower()}: its shape "
            "is not known yet. Call the lazy module once with an input before using what is in it."
        )

    @array.setter
    def array(self, value: Any) -> None:
        Tensor.array.__set__(self, value)

    @property
    def data(self) -> Tensor:
        """An empty tensor of the dtype and device: what `Module.to` and its kin may change."""
        return wrap(Tensor.array.__get__(self))

    @data.setter
    def data(self, value: Tensor) -> None:
        Tensor.array.__set__(self, value.array)

    @property
    def shape(self) -> Any:
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This error usually happens in "
            "`load_state_dict` when trying to load an uninitialized parameter into an initialized one. "
            "Call `forward` to initialize the parameters before accessing their attributes."
        )

    @property
    def dtype(self) -> dtypes.dtype:
        return self.data.dtype

    @property
    def device(self) -> devices.device:
        return self.data.device

    def is_floating_point(self) -> bool:
        return self.data.is_floating_point()

    def is_complex(self) -> bool:
        return self.data.is_complex()

    def detach(self) -> Any:
        return self

    def __deepcopy__(self, memo: dict) -> Any:
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.requires_grad, self.device, self.dtype)
        return memo[id(self)]

    def __reduce_ex__(self, protocol: int) -> tuple:
        return type(self), (self.requires_grad, str(self.device), self.dtype)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class UninitializedParameter(UninitializedTensorMixin, Parameter):
    """A parameter of a lazy module before its first input."""

    __slots__ = ()
    cls_to_become = Parameter

    def __new__(cls, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> UninitializedParameter:
        return cls._waiting(requires_grad, device, dtype)


class UninitializedBuffer(UninitializedTensorMixin, Tensor):
    """A buffer of a lazy module before its first input."""

    __slots__ = ()
    cls_to_become = Tensor

    def __new__(cls, requires_grad: bool = False, device: Any = None, dtype: Any = None) -> UninitializedBuffer:
        return cls._waiting(requires_grad, device, dtype)


def is_lazy(param: Any) -> bool:
    """Whether a parameter or buffer waits for its shape."""
    return isinstance(param, UninitializedTensorMixin)

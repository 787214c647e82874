"""What programs ask of tensors besides mathematics: Python functions element by element, storages, subclasses."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import devices, dtypes
from ..errors import describe
from ..inplace import check_writable
from ..storage import Storage, storage_of
from ..tensor import Tensor, new, wrap
from .creation import as_tensor
from .making import strided

# --- Python functions, element by element --------------------------------------------------------------------------------


def _each(self: Tensor, name: str, function: Callable, *others: Tensor) -> Tensor:
    if self.requires_grad:
        raise RuntimeError(
            f"Can't call {name}() on Variable that requires grad. Use var.detach().{name}() instead: what a Python "
            "function does to numbers has no gradient"
        )
    for other in others:
        if other.dtype is not self.dtype:
            raise TypeError(f"{name}: expected {self.type()} for 'other' (got {other.type()})")
    arrays = [devices.move(t.expand(self.shape).array, devices.CPU) for t in (self, *others)]
    columns = zip(*(array.ravel().tolist() for array in arrays), strict=True)
    values = np.array([function(*row) for row in columns]).astype(self.dtype.numpy)
    return self.copy_(wrap(values.reshape(self.shape)))


def _apply_(self: Tensor, callable: Callable[[Any], Any]) -> Tensor:
    """Write `callable(element)` over each element, on the CPU and slowly: one call of Python's an element."""
    return _each(self, "apply_", callable)


def _map_(self: Tensor, tensor: Tensor, callable: Callable[[Any, Any], Any]) -> Tensor:
    """Write `callable(element, other's element)` over each element."""
    return _each(self, "map_", callable, tensor)


def _map2_(self: Tensor, x: Tensor, y: Tensor, callable: Callable[[Any, Any, Any], Any]) -> Tensor:
    """Write `callable(element, x's element, y's element)` over each element."""
    return _each(self, "map2_", callable, x, y)


def _fill_diagonal_(self: Tensor, fill_value: complex, wrap: bool = False) -> Tensor:
    """Write one value on the main diagonal; with `wrap` it begins again below a tall matrix."""
    shape = self.array.shape
    if len(shape) < 2:
        raise RuntimeError("fill_diagonal_: dimensions must larger than 1")
    if len(shape) > 2 and len(set(shape)) > 1:
        raise RuntimeError(f"fill_diagonal_: all dimensions of input must be of equal length, not {list(shape)}")
    check_writable(self, "fill_diagonal_")
    mask = np.zeros(shape, np.bool_)
    if wrap and len(shape) == 2:
        mask.reshape(-1)[:: shape[1] + 1] = True
    else:
        mask[(np.arange(min(shape)),) * len(shape)] = True
    return self.masked_fill_(as_tensor(mask, device=self.device), fill_value)


# --- memory --------------------------------------------------------------------------------------------------------------


def _untyped_storage(self: Tensor) -> Storage:
    """The memory that the tensor and its views show, as bytes."""
    return storage_of(self.array, dtypes.uint8)


def _storage(self: Tensor) -> Storage:
    """The memory that the tensor and its views show, as elements of its type."""
    return storage_of(self.array, self.dtype)


def _set_(self: Tensor, source: Tensor | None = None) -> Tensor:
    """Show the memory of another tensor; without one, nothing."""
    if self.requires_grad:
        raise RuntimeError("set_() on a tensor that requires grad is not supported; write x.data = source")
    self.array = self.array.reshape(-1)[:0] if source is None else source.array
    return self


def _share_memory_(self: Tensor) -> Tensor:
    """The tensor itself: a process that is given it gets a copy."""
    return self


def _pin_memory(self: Tensor, device: Any = None) -> Tensor:
    """The tensor itself: CuPy brings every copy to a GPU through pinned memory of its own."""
    return self


def _record_stream(self: Tensor, stream: Any) -> None:
    """Nothing: there is one stream, in which memory is freed in order."""


# --- subclasses ------------------------------------------------------------------------------------------------------------


def _as_subclass(self: Tensor, cls: type[Tensor]) -> Tensor:
    """The same tensor, with its place in the graph, as one of a subclass."""
    if not isinstance(cls, type) or not issubclass(cls, Tensor):
        raise TypeError(f"as_subclass() takes a subclass of Tensor, not {describe(cls)}")
    seen = self.view(self.shape)
    made = new(cls)
    made.array, made.node = seen.array, seen.node
    made._writes, made._origin = self.version(), seen._origin
    return made


def _torch_function(
    cls: type, func: Callable, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
) -> Any:
    """Call the function as it is: results are plain tensors, whatever class the arguments have."""
    return func(*args, **(kwargs or {}))


def _init_subclass(cls: type, **options: Any) -> None:
    """Say it where a subclass expects to be asked about every operation."""
    super(Tensor, cls).__init_subclass__(**options)  # type: ignore[misc]
    if "__torch_function__" in vars(cls):
        text = (
            f"{cls.__name__}.__torch_function__ is never called here: operations on such tensors give plain ones; "
            "write result.as_subclass(cls) where the class is to stay"
        )
        warnings.warn(text, UserWarning, stacklevel=3)


OPERATORS = {
    "apply_": _apply_, "map_": _map_, "map2_": _map2_, "fill_diagonal_": _fill_diagonal_,
    "storage": _storage, "untyped_storage": _untyped_storage, "share_memory_": _share_memory_, "set_": _set_,
    "pin_memory": _pin_memory, "record_stream": _record_stream, "as_subclass": _as_subclass,
    "layout": property(lambda self: strided, doc="How elements are stored: one after the other."),
    "volatile": property(
        lambda self: False,
        lambda self, value: warnings.warn("volatile was removed; write `with torch.no_grad():`", stacklevel=2),
        doc="A mark of PyTorch's first years; write torch.no_grad() instead.",
    ),
    "__torch_function__": classmethod(_torch_function), "__init_subclass__": classmethod(_init_subclass),
}  # fmt: skip

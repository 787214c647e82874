"""Conversion: copies, other dtypes, other devices, and writing from one tensor into another."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import devices, dtypes, printing
from ..errors import describe, message, mismatch
from ..inplace import assign, check_overlap, check_writable
from ..op import cast, op
from ..tensor import Tensor, wrap
from .arguments import blank, fitting, need_tensor, positive, sizes
from .making import channels_last, channels_last_3d, contiguous_format, memory_format, preserve_format
from .operands import plain_numbers
from .shape import _permute


@op
def _clone(x):
    """A copy, with the dimensions in the same order in memory."""
    return x.copy("K")


@op
def _contiguous(x):
    """A copy whose elements lie in the order of their indices."""
    return x.copy("C")


@op(keeps="home")
def _to_device(x, device):
    """A copy on another device."""
    return devices.move(x, device), devices.of(x)


@op
def _fill(x, value):
    """One value everywhere."""
    return devices.full(x.shape, value, x.dtype, like=x)


@op
def _copy(x, src):
    """The values of `src`, in the shape of `x`."""
    return np.broadcast_to(src, x.shape)


_clone.grad(x=lambda g: _clone(g))
_contiguous.grad(x=lambda g: _clone(g))
_to_device.grad(x=lambda g, home: _to_device(g, home))
_fill.grad(x=lambda g: blank(g, g.shape), value=lambda g: g)
_copy.grad(x=lambda g: blank(g, g.shape), src=lambda g: _clone(g))

# --- copies --------------------------------------------------------------------------------------------------------------------


def _in_format(x: Tensor, order: memory_format) -> Tensor:
    """A copy with the dimensions in a given order in memory: the channels, the second dimension, may come last."""
    last = {channels_last: 4, channels_last_3d: 5}.get(order)
    if last is None:
        return _contiguous(x)
    if x.ndim != last:
        raise RuntimeError(f"required rank {last} tensor to use {order} format, but got {describe(x)}")
    spatial = tuple(range(2, last))
    return _permute(_contiguous(_permute(x, (0, *spatial, 1))), (0, last - 1, *range(1, last - 1)))


def clone(input: Tensor, *, memory_format: memory_format | None = None) -> Tensor:
    """A copy, which gradients pass through."""
    return _clone(input) if memory_format in KEEPING else _in_format(input, memory_format)


def _contiguous_method(self: Tensor, *, memory_format: memory_format = contiguous_format) -> Tensor:
    """The tensor itself if its elements lie in memory in order, else a copy in which they do."""
    if memory_format is contiguous_format:
        return self if self.array.flags.c_contiguous else _contiguous(self)
    return _in_format(self, memory_format)


# --- other dtypes, other devices ---------------------------------------------------------------------------------------------


def _moved(x: Tensor, device: Any, dtype: dtypes.dtype | None, copy: bool, order: memory_format | None) -> Tensor:
    """`x` on a device and in a dtype: itself where nothing changes."""
    out = x
    if device is not None:
        where = devices.as_device(device)
        if not devices.lies_on(x.array, where):
            out = _to_device(out, where)
    if dtype is not None and dtype.numpy != out.array.dtype:
        out = cast(out, dtype)
    if order not in KEEPING:
        return _contiguous_method(out, memory_format=order)
    return _clone(out) if copy and out is x else out


def _to(
    self: Tensor,
    *target: Any,
    device: Any = None,
    dtype: dtypes.dtype | None = None,
    other: Tensor | None = None,
    non_blocking: bool = False,
    copy: bool = False,
    memory_format: memory_format | None = None,
) -> Tensor:
    """The tensor in another dtype or on another device: `to(dtype)`, `to(device, dtype)`, `to(other)`."""
    rest = list(target)
    if rest and isinstance(rest[0], Tensor):
        other = rest.pop(0)
    elif rest and (isinstance(rest[0], (str, devices.device)) or type(rest[0]) is int or rest[0] is None):
        device = rest.pop(0)
    if rest and not isinstance(rest[0], bool):
        given = rest.pop(0)
        dtype = None if given is None else given if isinstance(given, dtypes.dtype) else _python_type(given)
    for value in rest[:2]:
        if not isinstance(value, bool):
            raise TypeError(f"to() received an invalid combination of arguments: {', '.join(map(describe, target))}")
    copy = rest[1] if len(rest) > 1 else copy
    if other is not None:
        if other is not (target or (other,))[0] or dtype is not None or device is not None:
            raise TypeError("to() received an invalid combination of arguments: a tensor stands for dtype and device")
        need_tensor(other, "to", "other")
        device, dtype = other.device, other.dtype
    elif dtype is not None and not isinstance(dtype, dtypes.dtype):
        dtype = _python_type(dtype)
    return _moved(self, device, dtype, copy, memory_format)


def _python_type(value: Any) -> dtypes.dtype:
    if isinstance(value, type) and value in dtypes.OF_PYTHON:
        return dtypes.OF_PYTHON[value]
    raise TypeError(f"to() takes a dtype, a device or a tensor, not {describe(value)}")


def _type(self: Tensor, dtype: dtypes.dtype | str | type | None = None, non_blocking: bool = False) -> Any:
    """The name of the tensor's type, or the tensor in another type: a dtype, or such a name."""
    if dtype is None:
        return f"torch.{'cuda.' if self.is_cuda else ''}{TYPE_NAMES[self.dtype]}Tensor"
    if isinstance(dtype, str):
        place, _, name = dtype.removeprefix("torch.").removesuffix("Tensor").rpartition(".")
        found = next((d for d, known in TYPE_NAMES.items() if known == name), None)
        if found is None or place not in ("", "cuda"):
            raise ValueError(f"invalid type: '{dtype}'; write a dtype, or a name like 'torch.FloatTensor'")
        return _moved(self, place or "cpu", found, False, None)
    if isinstance(dtype, Tensor):
        raise TypeError(f"dtype must be a type, str, or dtype object, not {describe(dtype)}; write type_as(other)")
    return _moved(self, getattr(dtype, "place", None), dtypes.as_dtype(getattr(dtype, "dtype", dtype)), False, None)


def _type_as(self: Tensor, other: Tensor) -> Tensor:
    """The tensor in the dtype and on the device of `other`."""
    need_tensor(other, "type_as", "other")
    return _moved(self, other.device, other.dtype, False, None)


def _converter(name: str, dtype: dtypes.dtype) -> Any:
    """`float()`, `long()` and so on."""

    def method(self: Tensor, *, memory_format: memory_format | None = None) -> Tensor:
        return _moved(self, None, dtype, False, memory_format)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"The tensor as {dtype}: itself if it is that already."
    return method


def _cpu(self: Tensor, *, memory_format: memory_format | None = None) -> Tensor:
    """The tensor in the computer's own memory."""
    return _moved(self, devices.CPU, None, False, memory_format)


def _cuda(
    self: Tensor, device: Any = None, non_blocking: bool = False, memory_format: memory_format | None = None
) -> Tensor:
    """The tensor on a GPU."""
    return _moved(self, "cuda" if device is None else device, None, False, memory_format)


# --- writing -----------------------------------------------------------------------------------------------------------------


def fill(input: Tensor, value: Any) -> Tensor:
    """One value everywhere, a number or a tensor without dimensions."""
    if isinstance(value, Tensor):
        if value.ndim:
            raise RuntimeError(
                f"fill only supports 0-dimension value tensor but got tensor with {value.ndim} dimensions; write copy_"
            )
        return _fill(input, _moved(value, input.device, input.dtype, False, None))
    plain_numbers("fill", value)
    return _fill(input, fitting(value, input.dtype))


def fill_(self: Tensor, value: Any) -> Tensor:
    """Write one value everywhere."""
    check_writable(self, "fill_")
    repeated = tuple(
        slice(1) if s == 0 and n > 1 else slice(None) for n, s in zip(self.shape, self.array.strides, strict=True)
    )
    if slice(1) in repeated and not self.requires_grad:  # of a view made by `expand`, each place of the memory once
        once = self.array[repeated]
        if isinstance(once, np.ndarray):
            once.flags.writeable = True
        once[...] = fill(wrap(once), value).array
        self.version().write()
        return self
    return assign(self, fill(wrap(self.array, self.edge()), value), "fill_")


def zero_(self: Tensor) -> Tensor:
    """Write zeros everywhere."""
    return fill_(self, 0)


def _copy_(self: Tensor, src: Any, non_blocking: bool = False, what: str = "copy_") -> Tensor:
    """Write the values of `src`, of any dtype and from any device, broadcast to this tensor's shape."""
    if not isinstance(src, Tensor):
        raise TypeError(f"copy_(): argument 'other' (position 1) must be Tensor, not {type(src).__name__}; write fill_")
    check_writable(self, what)
    if self._writes is not None:
        check_overlap(what, self, (src,))
    src = _moved(src, self.device, self.dtype, False, None)
    lead = src.ndim - self.ndim
    shape = src.array.shape[max(lead, 0) :]
    if lead > 0 and any(n != 1 for n in src.array.shape[:lead]):
        wrong = f"output with shape {list(self.shape)} doesn't match the broadcast shape {list(src.shape)}"
        raise RuntimeError(f"{what}: {wrong}")
    if any(n not in (1, m) for n, m in zip(shape[::-1], self.array.shape[::-1], strict=False)):
        wrong = mismatch([self, src]) or "a shape mismatch"
        fitting = f"a value of shape {list(self.shape)}, or one that broadcasts to it"
        raise RuntimeError(message(f"{what}({describe(self)}, {describe(src)})", wrong, instead=fitting))
    src = src.reshape(shape) if lead > 0 else src
    return assign(self, _copy(wrap(self.array, self.edge()), src), what)


def _resize_(self: Tensor, *size: Any, memory_format: memory_format | None = None) -> Tensor:
    """Give the tensor another shape: its first elements, and behind them, where there are too few, any content."""
    shape = positive(sizes(size), "resize_")
    if self.requires_grad:
        raise RuntimeError("cannot resize variables that require grad; write x.detach().resize_(...)")
    flat, count = self.array.reshape(-1), math.prod(shape)
    if flat.size < count:
        longer = devices.empty((count,), flat.dtype, like=flat)
        longer[: flat.size] = flat
        flat = longer
    self.array = flat[:count].reshape(shape)
    self.version().write()
    return self


def resize_as_(self: Tensor, the_template: Tensor, *, memory_format: memory_format | None = None) -> Tensor:
    """Give the tensor the shape of another."""
    return _resize_(self, tuple(the_template.shape))


KEEPING = (None, preserve_format)
TYPE_NAMES = {
    dtypes.float32: "Float", dtypes.float64: "Double", dtypes.float16: "Half", dtypes.uint8: "Byte",
    dtypes.int8: "Char", dtypes.int16: "Short", dtypes.int32: "Int", dtypes.int64: "Long", dtypes.bool_: "Bool",
    dtypes.complex64: "ComplexFloat", dtypes.complex128: "ComplexDouble",
    dtypes.uint16: "UInt16", dtypes.uint32: "UInt32", dtypes.uint64: "UInt64",
}  # fmt: skip
CONVERTERS = {
    "float": dtypes.float32, "double": dtypes.float64, "half": dtypes.float16, "byte": dtypes.uint8,
    "char": dtypes.int8, "short": dtypes.int16, "int": dtypes.int32, "long": dtypes.int64, "bool": dtypes.bool_,
    "cfloat": dtypes.complex64, "cdouble": dtypes.complex128, "bfloat16": dtypes.bfloat16,
}  # fmt: skip
METHODS = "clone"
OPERATORS = {
    **{name: _converter(name, dtype) for name, dtype in CONVERTERS.items()},
    "to": _to, "type": _type, "type_as": _type_as, "cpu": _cpu, "cuda": _cuda, "contiguous": _contiguous_method,
    "fill_": fill_, "zero_": zero_, "resize_": _resize_, "resize_as_": resize_as_, "copy_": _copy_, "fill": fill, "__repr__": printing.text,
}  # fmt: skip

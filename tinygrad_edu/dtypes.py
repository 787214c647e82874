"""Dtypes, the default dtype, and promotion: the one place that decides a result's type."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np


class dtype:
    """The type of a tensor's elements: a name PyTorch knows, over the NumPy dtype that stores it."""

    __slots__ = ("is_complex", "is_floating_point", "is_signed", "itemsize", "name", "numpy", "rank")

    def __init__(self, name: str) -> None:
        self.name = name
        self.numpy = np.dtype(name)
        self.itemsize = self.numpy.itemsize
        self.is_floating_point = self.numpy.kind == "f"
        self.is_complex = self.numpy.kind == "c"
        self.is_signed = self.numpy.kind in "ifc"
        self.rank = RANK[self.numpy.kind]

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:
        return self.name if self.name != "bool" else "bool_"

    def to_real(self) -> dtype:
        """The dtype of the real and imaginary parts."""
        return {complex64: float32, complex128: float64}.get(self, self)

    def to_complex(self) -> dtype:
        """The complex dtype whose parts have this dtype."""
        return {float32: complex64, float64: complex128, float16: complex64}.get(self, self)


RANK = {"b": 0, "u": 1, "i": 1, "f": 2, "c": 3}  # in a mixture the highest kind wins

bool_ = dtype("bool")
uint8, uint16, uint32, uint64 = dtype("uint8"), dtype("uint16"), dtype("uint32"), dtype("uint64")
int8, int16, int32, int64 = dtype("int8"), dtype("int16"), dtype("int32"), dtype("int64")
float16, float32, float64 = dtype("float16"), dtype("float32"), dtype("float64")
complex64, complex128 = dtype("complex64"), dtype("complex128")

ALL = (
    bool_,
    uint8,
    uint16,
    uint32,
    uint64,
    int8,
    int16,
    int32,
    int64,
    float16,
    float32,
    float64,
    complex64,
    complex128,
)
OF_NUMPY = {each.numpy: each for each in ALL}


class NamedOnly(dtype):
    """A dtype that can be named, compared and passed around, and of which no tensor can be made."""

    __slots__ = ()

    def __init__(self, name: str, itemsize: int) -> None:
        self.name, self.itemsize, self.rank = name, itemsize, RANK["f"]
        self.is_floating_point = self.is_signed = True
        self.is_complex = False

    @property
    def numpy(self) -> np.dtype:  # type: ignore[override]
        """There is none."""
        raise NotImplementedError(
            f"NumPy has no {self.name}, so no tensor of {self} can be made; use torch.float32, which holds every value "
            "of it, or torch.float16 where memory is short"
        )


bfloat16 = NamedOnly("bfloat16", 2)
OF_PYTHON = {builtins.bool: bool_, int: int64, float: float32, complex: complex64}

_default = float32


def get_default_dtype() -> dtype:
    """The dtype of tensors made from Python floats."""
    return _default


def set_default_dtype(d: dtype) -> None:
    """Make `d` the dtype of tensors made from Python floats."""
    global _default
    if not isinstance(d, dtype) or not d.is_floating_point:
        raise TypeError(f"set_default_dtype: only floating-point types are supported as the default type, not {d}")
    d.numpy  # noqa: B018 - raises for a dtype that can only be named, before anything is changed
    _default = d
    OF_PYTHON[float], OF_PYTHON[complex] = d, d.to_complex()


def as_dtype(d: Any) -> dtype:
    """`d` as a dtype: one of ours, a Python type or a NumPy dtype."""
    if isinstance(d, dtype):
        return d
    found = OF_PYTHON.get(d) if isinstance(d, type) else None
    if found is None:
        try:
            found = OF_NUMPY.get(np.dtype(d))
        except TypeError:
            found = None
    if found is None:
        raise TypeError(f"{d!r} is not a dtype; write one of {', '.join(map(repr, ALL))}")
    return found


def promote_types(a: dtype, b: dtype) -> dtype:
    """The smallest dtype that holds both; a float beside an integer keeps its own size."""
    if a is b:
        return a
    if a.rank != b.rank and max(a.rank, b.rank) >= 2:
        high, low = (a, b) if a.rank > b.rank else (b, a)
        return promote_types(high, low.to_complex()) if high.is_complex and low.is_floating_point else high
    found = np.promote_types(a.numpy, b.numpy)
    if found.kind == "f" and a.rank == 1:
        raise RuntimeError(f"Promotion for {a} and {b} is not supported: no integer type holds both")
    return OF_NUMPY[found]


def result_type(*values: Any) -> dtype:
    """The dtype of an operation on these arrays and Python numbers.

    Arrays with dimensions decide; one without dimensions counts only by a higher kind (a float among
    integers), and a Python number only by a higher kind than both.
    """
    strong = weak = number = None
    for value in values:
        if type(value) in OF_PYTHON:
            d = OF_PYTHON[type(value)]
            number = d if number is None else promote_types(number, d)
        elif getattr(value, "ndim", None) == 0:
            d = OF_NUMPY[value.dtype]
            weak = d if weak is None else promote_types(weak, d)
        else:
            d = OF_NUMPY[value.dtype]
            strong = d if strong is None else promote_types(strong, d)
    result = strong
    for other in (weak, number):
        if other is not None and (result is None or other.rank > result.rank):
            keeps_size = result is not None and result.is_floating_point and other.is_complex
            result = result.to_complex() if result is not None and keeps_size else other
    return result if result is not None else _default


def can_cast(source: dtype, target: dtype) -> builtins.bool:
    """Whether a result of type `source` may be written into a tensor of type `target`."""
    return source.rank <= target.rank or (source.rank == 1 == target.rank)


class finfo:
    """Machine limits of a floating-point dtype."""

    def __init__(self, d: dtype | None = None) -> None:
        d = d or _default
        if d.rank < 2:
            raise TypeError(f"finfo() takes a floating-point dtype, not {d}; write iinfo({d})")
        info = np.finfo(np.float32 if d is bfloat16 else d.to_real().numpy)
        self.dtype, self.bits = str(info.dtype), info.bits
        self.eps, self.max = float(info.eps), float(info.max)
        self.tiny = self.smallest_normal = float(info.smallest_normal)
        self.resolution = float(info.resolution)
        if d is bfloat16:  # float32 without the last 16 bits of the fraction
            self.dtype, self.bits, self.resolution = d.name, 16, 0.01
            self.eps = self.eps * 2**16
            self.max = (2 - self.eps) * 2.0**127
        self.min = -self.max

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, eps={self.eps:g}, "
            f"smallest_normal={self.smallest_normal:g}, tiny={self.tiny:g}, dtype={self.dtype})"
        )


class iinfo:
    """Machine limits of an integer dtype."""

    def __init__(self, d: dtype) -> None:
        if d.rank != 1:
            raise TypeError(f"iinfo() takes an integer dtype, not {d}; write finfo({d})")
        info = np.iinfo(d.numpy)
        self.dtype, self.bits, self.max, self.min = str(info.dtype), info.bits, int(info.max), int(info.min)

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"

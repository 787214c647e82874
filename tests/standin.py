"""A stand-in for a GPU: arrays that are as strict as CuPy's and live in ordinary memory.

They answer NumPy's dispatch protocols, refuse every implicit mixture with NumPy's arrays and every implicit conversion
to one, keep results without dimensions as arrays, and note which NumPy functions were asked for with which keywords,
and how often the host would have had to wait for the device.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinygrad_edu import devices

dispatched: dict[str, set[str]] = {}  # function -> keywords it was called with
waits: list[str] = []  # what made the host wait
REFUSED_UFUNC = {"where", "order", "subok", "signature"}
REFUSED = {"initial", "where", "correction", "like"}


def _note(name: str, keywords: Any) -> None:
    dispatched.setdefault(name, set()).update(keywords)


def _unwrap(value: Any) -> Any:
    if isinstance(value, Array):
        return value._a
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}: a NumPy array among device arrays")
    if isinstance(value, (list, tuple)):
        return type(value)(_unwrap(v) for v in value) if type(value) in (list, tuple) else value
    if isinstance(value, dict):
        return {k: _unwrap(v) for k, v in value.items()}
    return value


def _wrap(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        return Array(value)
    if isinstance(value, tuple):
        items = [_wrap(v) for v in value]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    return [_wrap(v) for v in value] if isinstance(value, list) else value


class Array(np.lib.mixins.NDArrayOperatorsMixin):
    """An array of the stand-in device."""

    __slots__ = ("_a",)
    device = SimpleNamespace(id=0)
    data = property(lambda self: SimpleNamespace(ptr=self._a.__array_interface__["data"][0]))
    PASSED = frozenset(
        "shape dtype ndim size itemsize nbytes strides flags T mT base "
        "sum mean prod max min argmax argmin all any std var cumsum cumprod reshape transpose swapaxes ravel flatten copy "
        "astype view squeeze repeat take dot conj conjugate clip round diagonal trace argsort argpartition searchsorted nonzero "
        "fill sort partition put".split()
    )

    def __init__(self, a: Any) -> None:
        self._a = np.asarray(a)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        refused = REFUSED_UFUNC & set(options) | (REFUSED & set(options) if method != "__call__" else set())
        if refused:
            raise TypeError(f"{ufunc.__name__}: the device does not know {sorted(refused)}")
        if method not in ("__call__", "reduce", "accumulate") and (ufunc, method) != (np.add, "at"):
            raise TypeError(f"{ufunc.__name__}.{method} is not there on the device")
        _note(ufunc.__name__, options)
        if "out" in options:
            options["out"] = tuple(_unwrap(o) for o in options["out"])
        with np.errstate(all="ignore"):
            result = getattr(ufunc, method)(*_unwrap(inputs), **options)
        return None if result is None else _wrap(result)

    def __array_function__(self, func: Any, types: Any, args: Any, options: Any) -> Any:
        refused = REFUSED & set(options)
        if refused or (func is np.einsum and "out" in options):
            raise TypeError(f"{func.__name__}: the device does not know {sorted(refused) or ['out']}")
        _note(f"{func.__module__.removeprefix('numpy').lstrip('.')}.{func.__name__}".lstrip("."), options)
        if func in (np.shape, np.ndim, np.size, np.may_share_memory, np.shares_memory):
            return func(*_unwrap(args), **options)
        if func in (np.nonzero, np.unique, np.argwhere, np.flatnonzero, np.array_equal):
            waits.append(func.__name__)
        with np.errstate(all="ignore"):
            result = func(*_unwrap(args), **_unwrap(options))
        if func is np.diagonal:
            result.flags.writeable = True  # NumPy alone makes it read-only
        return bool(result) if func is np.array_equal else _wrap(result)

    @property
    def real(self) -> Array:
        return Array(self._a.real)

    @real.setter
    def real(self, value: Any) -> None:
        self._a.real = _unwrap(value)

    @property
    def imag(self) -> Array:
        return Array(self._a.imag)

    @imag.setter
    def imag(self, value: Any) -> None:
        self._a.imag = _unwrap(value)

    def __getattr__(self, name: str) -> Any:
        if name not in self.PASSED:
            raise AttributeError(f"device arrays have no attribute '{name}'")
        value = getattr(self._a, name)
        if not callable(value) or name in ("dtype", "flags"):
            return _wrap(value) if isinstance(value, np.ndarray) else value

        def method(*args: Any, **options: Any) -> Any:
            if REFUSED & set(options):
                raise TypeError(f"{name}: the device does not know {sorted(REFUSED & set(options))}")
            if name == "nonzero":
                waits.append(name)
            _note(f"ndarray.{name}", options)
            with np.errstate(all="ignore"):
                result = value(*_unwrap(args), **_unwrap(options))
            if name == "diagonal":
                result.flags.writeable = True  # NumPy alone makes it read-only
            return _wrap(result)

        return method

    def __getitem__(self, index: Any) -> Array:
        self._count_masks(index)
        return Array(self._a[_unwrap(index)])

    def __setitem__(self, index: Any, value: Any) -> None:
        self._a[_unwrap(index)] = _unwrap(value)

    def _count_masks(self, index: Any) -> None:
        indices = index if isinstance(index, tuple) else (index,)
        waits.extend("mask" for i in indices if isinstance(i, Array) and i.dtype == np.bool_)

    def __len__(self) -> int:
        return len(self._a)

    def __iter__(self) -> Iterator[Array]:
        return (Array(a) for a in self._a)

    def __array__(self, *args: Any, **options: Any) -> Any:
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`.")

    def _wait(self, what: str, value: Any) -> Any:
        waits.append(what)
        return value

    def item(self) -> Any:
        return self._wait("item", self._a.item())

    def tolist(self) -> Any:
        return self._wait("tolist", self._a.tolist())

    def __bool__(self) -> bool:
        return self._wait("bool", bool(self._a))

    def __int__(self) -> int:
        return self._wait("int", int(self._a))

    def __float__(self) -> float:
        return self._wait("float", float(self._a))

    def __complex__(self) -> complex:
        return self._wait("complex", complex(self._a))

    def __index__(self) -> int:
        return self._wait("index", self._a.__index__())


class _Module:
    """The part of the cupy module that `devices.py` reaches for; functions of arrays are NumPy's, by dispatch."""

    ndarray = Array
    lib = SimpleNamespace(
        stride_tricks=SimpleNamespace(
            as_strided=lambda a, shape, strides: Array(np.lib.stride_tricks.as_strided(a._a, shape, strides))
        )
    )
    cuda = SimpleNamespace(Device=lambda index: contextlib.nullcontext())

    @staticmethod
    def asnumpy(a: Array) -> np.ndarray:
        waits.append("asnumpy")
        return a._a.copy()

    @staticmethod
    def asarray(a: Any, dtype: Any = None) -> Array:
        return Array(np.array(a._a if isinstance(a, Array) else a, dtype=dtype))

    def __getattr__(self, name: str) -> Any:
        function = getattr(np, name)
        if name in ("empty", "zeros", "ones", "full", "arange", "eye", "linspace"):
            return lambda *args, **options: Array(function(*_unwrap(args), **_unwrap(options)))
        return function


@contextlib.contextmanager
def device() -> Iterator[None]:
    """Serve the device `cuda` by the stand-in."""
    before = devices._modules.get("cuda")
    devices._modules["cuda"] = _Module()
    dispatched.clear()
    waits.clear()
    try:
        yield
    finally:
        if before is None:
            del devices._modules["cuda"]
        else:
            devices._modules["cuda"] = before

"""A stand-in for a GPU: arrays that are as strict as CuPy's and live in ordinary memory.

They answer NumPy's dispatch protocols for the names, parameters and dtypes that the real cupy has (`cupy_manifest.py`),
refuse every implicit mixture with NumPy's arrays and every implicit conversion to one, and keep results without
dimensions as arrays. Additions at the same place come in a random order, an index outside wraps in silence, as there.
What would make the host wait for the device is counted; memory can be short; float32 is rounded in matrix products as
the program allows.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import cupy_manifest
import numpy as np

from tinygrad_edu import devices

CUPY = cupy_manifest.read()
waits: list[str] = []  # what made the host wait
launches: list[str] = []  # what the device was told to compute, by NumPy's names
REFUSED = {"where", "order", "subok", "signature", "initial", "correction", "like"}  # of ufuncs and of reductions
SCATTERED = "iefdILQ"  # the dtypes, by their letters, to which the device adds at places
WAITING = (np.nonzero, np.unique, np.argwhere, np.flatnonzero, np.array_equal, np.bincount)  # they look at values
REDUCING = {"sum", "prod", "mean", "var", "std", "max", "min", "any", "all", "argmax", "argmin", "cumsum", "cumprod"}
memory: dict[str, int | None] = {"limit": None}  # bytes of the largest array that there is room for
rounds = {"two matrices": False, "batches": False}  # the products whose operands are rounded to TF32
_order = np.random.default_rng()  # of the threads of a device: nobody knows it


def _check(name: str, known: list[str] | None, count: int, keywords: Any) -> None:
    """Raise where cupy has no such function, or one without these parameters."""
    if known is None:
        raise TypeError(f"{name} is not there on the device")
    plain = [p for p in known if not p.startswith("*")]
    if count > len(known) and not any(p.startswith("*") and p.strip("*") for p in known):
        raise TypeError(f"{name}: the device takes {known}, not {count} arguments by position")
    unknown = set() if "**" in known else set(keywords) - set(plain)
    if unknown | REFUSED & set(keywords) - {"order"}:
        raise TypeError(f"{name}: the device does not know {sorted(unknown or REFUSED & set(keywords))}")


def _check_ufunc(ufunc: Any, method: str, inputs: Any, options: Any) -> None:
    """Raise where cupy has no such ufunc, not for these dtypes, or not this method of it."""
    types, name = CUPY["ufuncs"].get(ufunc.__name__), ufunc.__name__
    if types is None or REFUSED & set(options):
        raise TypeError(f"{name} with {sorted(options)} is not there on the device")
    if any(isinstance(x, (tuple, list)) for x in inputs):
        raise TypeError(f"operand type(s) all returned NotImplemented from {name}: tuples are not handed on")
    if any(type(x) is int and not -(2**63) <= x < 2**63 for x in inputs):
        raise OverflowError("Python int too large to convert to C long")
    if method in ("reduce", "accumulate"):
        _check_axis(inputs[0], options.get("axis", 0 if method == "accumulate" else None))
    if method == "at":
        letters = [inputs[0].dtype.char]
        fits = name == "add" and letters[0] in SCATTERED
    elif method in ("reduce", "accumulate"):
        letters, fits = [inputs[0].dtype.char], name in cupy_manifest.METHODS
    else:
        letters = [x.dtype.char for x in inputs if isinstance(x, Array)]
        fits = method == "__call__" and (not types or any(_accepts(t, inputs) for t in types))
    if not fits or len(options.get("out", ())) > 1:
        raise TypeError(f"{name}.{method} of dtypes {letters} is not there on the device")


def _check_axis(x: Any, axis: Any) -> None:
    """Raise where an array without dimensions is to lose one, which NumPy lets pass."""
    if axis not in (None, ()) and not x.ndim:
        raise np.exceptions.AxisError(axis, 0)


def _accepts(loop: str, inputs: Any) -> bool:
    """Whether the arrays among the inputs can be taken by one loop of a ufunc."""
    letters = loop.partition("->")[0]
    return all(np.can_cast(x.dtype, c) for x, c in zip(inputs, letters, strict=True) if isinstance(x, Array))


class OutOfMemoryError(MemoryError):
    """`cupy.cuda.memory.OutOfMemoryError`, which is a MemoryError too."""


def _rounded(x: np.ndarray) -> np.ndarray:
    """float32 with TF32's 10 bits of fraction, to the nearest."""
    if x.dtype != np.float32:
        return x
    bits = np.ascontiguousarray(x).view(np.uint32)
    return ((bits + np.uint32(1 << 12)) & np.uint32(0xFFFFE000)).view(np.float32)


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


def _wrapped_round(index: Any, shape: tuple[int, ...]) -> Any:
    """An index whose integer arrays are inside: the device wraps what is outside, and says nothing."""
    keys = index if isinstance(index, tuple) else (index,)
    if not any(_is_places(k) for k in keys):
        return index
    taken = sum(
        k.ndim if isinstance(k, np.ndarray) and k.dtype == bool else 1 for k in keys if k is not None and k is not ...
    )
    dim, found = 0, []
    for k in keys:
        found.append(k % max(shape[dim], 1) if _is_places(k) else k)
        dim += (
            len(shape) - taken
            if k is ...
            else 0
            if k is None
            else k.ndim
            if getattr(k, "dtype", None) is np.dtype(bool)
            else 1
        )
    return tuple(found)


def _is_places(k: Any) -> bool:
    return isinstance(k, np.ndarray) and k.dtype.kind in "iu" and k.ndim > 0


def _in_any_order(target: np.ndarray, index: Any, values: Any) -> tuple[tuple, np.ndarray]:
    """The single places that an index means and what goes there, shuffled."""
    places = np.arange(target.size).reshape(target.shape)[_wrapped_round(index, target.shape)]
    order = _order.permutation(places.size)
    values = np.broadcast_to(values, places.shape).reshape(-1)[order]
    return np.unravel_index(places.reshape(-1)[order], target.shape), values


def _add_in_any_order(target: np.ndarray, index: Any, values: Any) -> None:
    np.add.at(target, *_in_any_order(target, index, values))


class Array(np.lib.mixins.NDArrayOperatorsMixin):
    """An array of the stand-in device."""

    __slots__ = ("_a",)
    device = SimpleNamespace(id=0)
    data = property(lambda self: SimpleNamespace(ptr=self._a.__array_interface__["data"][0]))

    def __init__(self, a: Any) -> None:
        self._a = np.asarray(a)
        if memory["limit"] is not None and self._a.base is None and self._a.nbytes > memory["limit"]:
            raise OutOfMemoryError(f"Out of memory allocating {self._a.nbytes:,} bytes")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        _check_ufunc(ufunc, method, inputs, options)
        launches.append(ufunc.__name__)
        if method == "at":
            return _add_in_any_order(*_unwrap(inputs))
        if "out" in options:
            options["out"] = tuple(_unwrap(o) for o in options["out"])
        inputs = _unwrap(inputs)
        if ufunc is np.matmul and rounds["two matrices" if max(x.ndim for x in inputs) < 3 else "batches"]:
            inputs = tuple(map(_rounded, inputs))
        with np.errstate(all="ignore"):
            result = getattr(ufunc, method)(*inputs, **options)
        return None if result is None else _wrap(result)

    def __array_function__(self, func: Any, types: Any, args: Any, options: Any) -> Any:
        name = f"{func.__module__.removeprefix('numpy').lstrip('.')}.{func.__name__}".lstrip(".")
        _check(name, CUPY["functions"].get(name), len(args), options)
        if func is np.einsum and "out" in options:
            raise TypeError("einsum: the device does not know ['out']")
        if func in (np.shape, np.ndim, np.size, np.may_share_memory, np.shares_memory):
            return func(*_unwrap(args), **options)
        if func in WAITING:
            waits.append(func.__name__)
        launches.append(func.__name__)
        if func is np.where and not isinstance(args[0], Array):
            raise AttributeError(f"'{type(args[0]).__name__}' object has no attribute 'astype'")
        if func.__name__ in REDUCING:
            _check_axis(args[0], options.get("axis", args[1] if len(args) > 1 else None))
        if func is np.repeat and any(isinstance(a, Array) for a in args[1:]):
            raise ValueError("repeat: the device takes no array of repeats")
        if func is np.take_along_axis:
            x, places, axis = args
            args = x, places % max(x.shape[axis], 1), axis
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
        if name in CUPY["attributes"]:
            value = getattr(self._a, name)
            return _wrap(value) if isinstance(value, np.ndarray) else value
        if name not in CUPY["methods"]:
            raise AttributeError(f"device arrays have no attribute '{name}'")
        value = getattr(self._a, name)

        def method(*args: Any, **options: Any) -> Any:
            _check(f"ndarray.{name}", CUPY["methods"][name], len(args), options)
            if name == "nonzero":
                waits.append(name)
            if name in REDUCING:
                _check_axis(self, options.get("axis", args[0] if args else None))
            if name == "take":
                return Array(value(*_unwrap(args), **_unwrap(options), mode="wrap"))
            with np.errstate(all="ignore"):
                result = value(*_unwrap(args), **_unwrap(options))
            if name == "diagonal":
                result.flags.writeable = True  # NumPy alone makes it read-only
            return _wrap(result)

        return method

    def __getitem__(self, index: Any) -> Array:
        self._count_masks(index)
        return Array(self._a[_wrapped_round(_unwrap(index), self.shape)])

    def __setitem__(self, index: Any, value: Any) -> None:
        launches.append("setitem")
        index, value = _unwrap(index), _unwrap(value)
        if any(_is_places(k) for k in (index if isinstance(index, tuple) else (index,))):
            index, value = _in_any_order(self._a, index, value)
        self._a[index] = value

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


class _Generator:
    """Random numbers of the device: those methods of NumPy's generator that cupy's has."""

    def __init__(self, seed: int | None = None) -> None:
        self._source = np.random.default_rng(seed)

    def __getattr__(self, name: str) -> Any:
        if name not in CUPY["generator"]:
            raise AttributeError(f"the device's generator has no attribute '{name}'")

        def draw(*args: Any, **options: Any) -> Array:
            _check(f"Generator.{name}", CUPY["generator"][name], len(args), options)
            return Array(getattr(self._source, name)(*_unwrap(args), **_unwrap(options)))

        return draw


class _Device:
    """`cupy.cuda.Device`: there is one, which is always in use."""

    def __init__(self, device: int = 0) -> None:
        self.id = device or 0

    def __enter__(self) -> None: ...

    def __exit__(self, *error: object) -> None: ...

    def use(self) -> None: ...

    def synchronize(self) -> None:
        waits.append("synchronize")


class _Stream:
    """`cupy.cuda.Stream`: work is done as soon as it is told."""

    done = True
    null: Any  # the one into which work goes where none is named

    def __init__(self, null: bool = False, non_blocking: bool = False) -> None: ...

    def __enter__(self) -> None:
        self.outside, _Cuda.current = _Cuda.current, self

    def __exit__(self, *error: object) -> None:
        _Cuda.current = self.outside

    def use(self) -> None:
        _Cuda.current = self

    def wait_event(self, event: Any) -> None: ...

    def synchronize(self) -> None:
        waits.append("synchronize")


class _Event:
    """`cupy.cuda.Event`: each is recorded a millisecond after the one before."""

    done, clock = True, 0.0

    def __init__(self, block: bool = False, disable_timing: bool = False, interprocess: bool = False) -> None:
        self.timed = not disable_timing

    def record(self, stream: _Stream | None = None) -> None:
        _Event.clock += 1.0
        self.at = _Event.clock

    def synchronize(self) -> None:
        waits.append("synchronize")


def _elapsed(start_event: _Event, end_event: _Event) -> float:
    assert start_event.timed and end_event.timed
    return end_event.at - start_event.at


class _Pool:
    """The memory pool: what the newest arrays hold, as far as it is asked for."""

    used = held = 0

    def used_bytes(self) -> int:
        return _Pool.used

    def total_bytes(self) -> int:
        return _Pool.held

    def free_all_blocks(self, stream: Any = None) -> None:
        _Pool.held = _Pool.used

    def set_limit(self, size: int | None = None, fraction: float | None = None) -> None:
        memory["limit"] = int(fraction * 2**30) if fraction is not None else size


class _Cuda:
    """`cupy.cuda`, as far as the package asks it."""

    Device, Stream, Event, get_elapsed_time = _Device, _Stream, _Event, staticmethod(_elapsed)
    current: Any = None
    runtime = SimpleNamespace(
        getDeviceCount=lambda: 1,
        memGetInfo=lambda: (2**29, 2**30),
        deviceCanAccessPeer=lambda device, peer: 0,
        getDeviceProperties=lambda device: {
            **{"name": b"Stand-in", "major": 8, "minor": 0, "totalGlobalMem": 2**30, "multiProcessorCount": 1}
        },
    )

    alloc_pinned_memory = staticmethod(bytearray)
    get_cublas_handle = staticmethod(lambda: 1)
    cublas = SimpleNamespace(setMathMode=lambda handle, mode: rounds.update(batches=mode == 3))

    @staticmethod
    def get_current_stream() -> _Stream:
        return _Cuda.current or _Stream.null


_Stream.null = _Stream()


class _Module:
    """The part of the cupy module that `devices.py` reaches for; functions of arrays are NumPy's, by dispatch."""

    ndarray = Array
    lib = SimpleNamespace(
        stride_tricks=SimpleNamespace(
            as_strided=lambda a, shape, strides: Array(np.lib.stride_tricks.as_strided(a._a, shape, strides))
        )
    )
    random = SimpleNamespace(default_rng=_Generator)
    cuda = _Cuda
    get_default_memory_pool = staticmethod(_Pool)
    _core = SimpleNamespace(
        set_compute_type=lambda dtype, compute_type: rounds.update({"two matrices": compute_type == 7}),
        _routines_linalg=SimpleNamespace(COMPUTE_TYPE_DEFAULT=1, COMPUTE_TYPE_TF32=7),
    )

    class add:
        @staticmethod
        def at(a: Array, indices: Any, b: Any) -> None:
            """CuPy's own, which takes indices in a tuple too."""
            _check_ufunc(np.add, "at", (a,), {})
            _add_in_any_order(*_unwrap((a, indices, b)))

    @staticmethod
    def asnumpy(a: Array, out: Any = None) -> np.ndarray:
        waits.append("asnumpy")
        if out is None:
            return a._a.copy()
        out[...] = a._a
        return out

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
    waits.clear()
    try:
        yield
    finally:
        if before is None:
            del devices._modules["cuda"]
        else:
            devices._modules["cuda"] = before

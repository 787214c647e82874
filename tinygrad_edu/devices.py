"""Devices: where a tensor's array lives. The only file that imports cupy.

An array knows its own device. Operation bodies are plain `np.` functions and operators, which CuPy's arrays
answer themselves; what NumPy cannot dispatch (creation, scattered addition, raw strides) goes through here.
"""

from __future__ import annotations

import functools
import math
import os
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from .errors import message

Array = Any  # numpy.ndarray, or cupy.ndarray on a GPU


NO_DEVICE = {
    "gpu": "'cuda'",
    "meta": "'cpu': tensors without values are not kept, but empty(shape) reserves memory that is not touched either",
    **dict.fromkeys(
        ("float", "double", "half", "long", "int"), "x.float(), x.double(), x.long() ..., or to(torch.float32)"
    ),
}


class device:
    """A place for arrays: `device("cpu")`, `device("cuda")`, `device("cuda", 1)` or `device("cuda:1")`."""

    __slots__ = ("index", "type")
    type: str
    index: int | None

    def __init__(self, type: str | device | int, index: int | None = None) -> None:
        kind: Any = type
        if isinstance(kind, device):
            kind, index = kind.type, kind.index
        elif isinstance(kind, int):
            kind, index = "cuda", kind
        elif isinstance(kind, str) and ":" in kind:
            if index is not None:
                raise RuntimeError(f"device: {kind!r} already names an index; leave out index={index}")
            kind, _, number = kind.partition(":")
            if not number.isdecimal():
                raise RuntimeError(f"Invalid device string: '{kind}:{number}'; write 'cpu', 'cuda' or 'cuda:0'")
            index = int(number)
        if kind not in ("cpu", "cuda"):
            wrong = f"Expected one of cpu, cuda device type at start of device string: {kind}"
            raise RuntimeError(message("device", wrong, instead=NO_DEVICE.get(kind, "'cpu', 'cuda' or 'cuda:0'")))
        self.type, self.index = kind, index

    def __repr__(self) -> str:
        return (
            f"device(type={self.type!r})" if self.index is None else f"device(type={self.type!r}, index={self.index})"
        )

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __enter__(self) -> device:
        _outside.append(_default)
        set_default_device(self)
        return self

    def __exit__(self, *error: object) -> None:
        set_default_device(_outside.pop())

    def __reduce__(self) -> tuple:
        return device, (self.type, self.index)


CPU = device("cpu")
_modules: dict[str, ModuleType | Any] = {"cpu": np}  # device type -> the array module that serves it
_default = CPU
deterministic = False  # whether floats are summed in one order on a GPU; else the quickest threads come first
blocking = os.environ.get("CUDA_LAUNCH_BLOCKING") == "1"  # whether an error on a GPU is to be told where it was made
products = "TF32" if os.environ.get("CUPY_TF32") == "1" else "DEFAULT"  # see `set_products`
_rounding = "DEFAULT"  # what a GPU has last been told of it
_outside: list[device] = []  # the defaults around the `with device:` blocks that are entered


def get_default_device() -> device:
    """The device of tensors made without `device=`."""
    return _default


def set_default_device(d: device | str | None) -> None:
    """Make `d` the device of tensors made without `device=`."""
    global _default
    _default = as_device(d) if d is not None else CPU


def as_device(d: device | str | int | None) -> device:
    """`d` as a device, the default one for None."""
    if d is None:
        return _default
    return d if isinstance(d, device) else device(d)


def module(d: device) -> Any:
    """The array module that serves a device; cupy is imported here, when a GPU is first asked for."""
    if d.type not in _modules:
        _modules[d.type] = _import_cupy()
        if products != "DEFAULT":
            round_products(products)
    return _modules[d.type]


WHEELS = ("cupy-cuda11x", "cupy-cuda12x", "cupy-cuda13x", "cupy")  # which all install a package `cupy`


def _import_cupy() -> Any:
    """cupy, if it can put an array on a GPU; else an error that says which part is missing, and what to do."""
    asked = "tinygrad_edu was asked for device 'cuda': "
    found = [name for name in WHEELS if _is_installed(name)]
    if len(found) > 1:  # the files of one lie over those of the other
        raise RuntimeError(
            f"{asked}{' and '.join(found)} are installed together and spoil each other; write "
            f"pip uninstall {' '.join(found)}, then install the one for the driver's CUDA"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # cupy warns where it finds no CUDA: the error below says it
            import cupy
    except ImportError as error:
        install = "pip install 'tinygrad_edu[cuda12]' (CUDA 12) or 'tinygrad_edu[cuda13]' (CUDA 13)"
        raise RuntimeError(f"{asked}cupy cannot be imported ({error}); write {install}") from None
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:
        raise RuntimeError(
            f"{asked}no NVIDIA driver answers ({error}); nvidia-smi tells what the driver says"
        ) from None
    if not count:
        raise RuntimeError(f"{asked}the driver finds no GPU; CUDA_VISIBLE_DEVICES may hide it")
    try:
        cupy.cuda.nvrtc.getVersion()
    except Exception as error:
        raise RuntimeError(
            f"{asked}CUDA's own libraries are not found ({' '.join(str(error).split())}); install the CUDA toolkit, or from PyPI by "
            f"pip install '{found[0] if found else 'cupy-cuda12x'}[ctk]'"
        ) from None
    return cupy


def _is_installed(name: str) -> bool:
    from importlib import metadata  # here, since it takes as long as a tenth of the package

    try:
        return bool(metadata.version(name))
    except metadata.PackageNotFoundError:
        return False


def cuda_is_available() -> bool:
    """Whether arrays can be put on a GPU."""
    try:
        module(device("cuda"))
    except RuntimeError:
        return False
    return True


CUBLAS_MATH = {"DEFAULT": 0, "TF32": 3}  # cuBLAS' cublasMath_t


def set_products(rounding: str) -> None:
    """How a program lets a GPU round float32 in matrix products: "DEFAULT" not at all, "TF32" to 10 bits of fraction."""
    global products
    products = rounding
    round_products(rounding)


def round_products(rounding: str) -> None:
    """Have a GPU round from now on; the sums are float32 in any case.

    CuPy has a switch for products of two matrices, behind its CUPY_TF32, which it reads once; those of batches go by
    the mode of cuBLAS, of which each thread has its own.
    """
    global _rounding
    if "cuda" in _modules and rounding != _rounding:
        xp, _rounding = _modules["cuda"], rounding
        xp._core.set_compute_type(np.float32, getattr(xp._core._routines_linalg, f"COMPUTE_TYPE_{rounding}"))
        xp.cuda.cublas.setMathMode(xp.cuda.get_cublas_handle(), CUBLAS_MATH[rounding])


def of(array: Array) -> device:
    """Where an array lives."""
    if type(array) is np.ndarray:
        return CPU
    where = getattr(array, "device", None)
    return CPU if where is None or where == "cpu" else device("cuda", int(getattr(where, "id", 0)))


def module_of(array: Array) -> Any:
    """The array module that serves an array's device."""
    return np if type(array) is np.ndarray else module(of(array))


def is_array(value: Any) -> bool:
    """Whether a value is an array of one of the devices in use."""
    return any(isinstance(value, m.ndarray) for m in _modules.values())


def address(array: Array) -> int:
    """Where an array's first element lies in memory."""
    return array.__array_interface__["data"][0] if isinstance(array, np.ndarray) else array.data.ptr


def stretch(array: Array) -> tuple[int, int]:
    """Where an array begins in memory, and how many bytes there are from its first element to its last one."""
    steps = [(n - 1) * stride for n, stride in zip(array.shape, array.strides, strict=True)] if array.size else []
    size = sum(map(abs, steps)) + array.itemsize * bool(array.size)
    return address(array) + sum(min(step, 0) for step in steps), size


def check_same_place(found: Array, view: Array) -> None:
    """Raise where a view, taken again from its base, is not what it was: `base.t_()` has come between."""
    same = found.shape == view.shape and found.strides == view.strides
    if same and type(view) is np.ndarray and view.size:
        same = address(found) == address(view)
    if not same:
        raise RuntimeError(
            f"a view of shape {list(view.shape)}: its base was transposed, squeezed or given other data in place, and "
            "then written to; take the view again, or write base = base.t() instead of base.t_()"
        )


def shares_memory(view: Array, array: Array) -> bool:
    """Whether a result of an operation on `array` shows its memory: then their chains of owners meet."""
    if type(view) is not np.ndarray:
        return bool(np.may_share_memory(view, array))
    owner: Any = view
    while owner is not None:
        if owner is array or owner is array.base:
            return True
        owner = getattr(owner, "base", None)
    return False


def lies_on(array: Array, d: device) -> bool:
    """Whether an array is on device `d`; any GPU will do where `d` does not say which, and there is one CPU."""
    here = of(array)
    return here.type == d.type and (d.type == "cpu" or d.index in (None, here.index))


def move(array: Array, d: device) -> Array:
    """The array on device `d`: itself if it is there already, else a copy."""
    if lies_on(array, d):
        return array
    if d.type == "cpu":
        return module_of(array).asnumpy(array)
    xp = module(d)
    with xp.cuda.Device(d.index or 0):
        return xp.asarray(array)


def to_pinned(array: Array) -> Array:
    """A GPU's array copied to pinned memory, from where and to where copies are quickest."""
    xp = module_of(array)
    memory = xp.cuda.alloc_pinned_memory(max(array.nbytes, 1))
    host = np.frombuffer(memory, array.dtype, array.size).reshape(array.shape)
    return xp.asnumpy(array, out=host)


def looks(array: Any) -> bool:
    """Whether values are checked: not those of a GPU, for which the host would wait, unless it waits anyhow."""
    return blocking or isinstance(array, (np.ndarray, np.generic, int, float))


def empty(shape: Any, dtype: Any, like: Array) -> Array:
    """A new array of any content beside `like`."""
    return module_of(like).empty(shape, dtype)


def zeros(shape: Any, dtype: Any, like: Array) -> Array:
    """A new array of zeros beside `like`."""
    return module_of(like).zeros(shape, dtype)


def ones(shape: Any, dtype: Any, like: Array) -> Array:
    """A new array of ones beside `like`."""
    return module_of(like).ones(shape, dtype)


def full(shape: Any, value: Any, dtype: Any, like: Array) -> Array:
    """A new array of one value beside `like`."""
    return module_of(like).full(shape, value, dtype)


def arange(*limits: Any, like: Array, dtype: Any = np.int64) -> Array:
    """Evenly spaced numbers beside `like`."""
    return module_of(like).arange(*limits, dtype=dtype)


def asarray(value: Any, like: Array, dtype: Any = None) -> Array:
    """A value (a number, a list, an array) as an array beside `like`."""
    return module_of(like).asarray(value, dtype)


def scatter_add(target: Array, index: Any, values: Any) -> None:
    """`target[index] += values`, where an index that comes twice adds twice."""
    add = module_of(target).add  # of CuPy's own: NumPy's does not hand it indices in a tuple
    if type(target) is np.ndarray:
        add.at(target, index, values)
    elif target.dtype.kind == "c":
        scatter_add(target.real, index, values.real)
        scatter_add(target.imag, index, values.imag)
    elif deterministic and target.dtype.kind == "f":
        _add_sorted(target, index, values)
    elif target.dtype.char in "efdiILQ":
        add.at(target, index, values)
    elif target.dtype.itemsize == 8:  # CuPy adds to unsigned ones only, and the bits are the same
        add.at(target.view(np.uint64), index, asarray(values, target, np.int64).view(np.uint64))
    else:
        wide = target.astype(np.int32)
        add.at(wide, index, asarray(values, target, np.int32))
        target[...] = wide.astype(target.dtype)


def _add_sorted(target: Array, index: Any, values: Any) -> None:
    """`scatter_add` in one order: what goes to one place is brought together, and summed by halves."""
    keys = index if isinstance(index, tuple) else (index,)
    place: Any = 0
    for key, n in zip(keys, target.shape, strict=False):
        place = place * n + np.where(key < 0, key + n, key)
    rest = target.shape[len(keys) :]
    if not place.size:
        return
    rows = np.broadcast_to(values, (*place.shape, *rest)).reshape(place.size, math.prod(rest))
    order = np.argsort(place.reshape(-1), kind="stable")
    place, rows = place.reshape(-1)[order], rows[order].astype(target.dtype)
    step = 1
    while step < place.size:  # each row holds the sum of up to `step` rows of its place, with itself the last
        same = place[step:] == place[:-step]
        rows[step:] += np.where(same[:, None], rows[:-step], 0)
        step *= 2
    everywhere = arange(math.prod(target.shape[: len(keys)]), like=target)
    last = np.searchsorted(place, everywhere, side="right") - 1
    found = (last >= 0) & (place[np.maximum(last, 0)] == everywhere)
    target += np.where(found[:, None], rows[np.maximum(last, 0)], 0).reshape(target.shape)


def fused(twin: Callable) -> Callable:
    """A function of arrays that has a kernel of its name on a GPU, in `cuda/kernels.cu`: one launch in place of many."""
    name = twin.__name__.strip("_")

    @functools.wraps(twin)
    def call(x: Array, *others: Any) -> Any:
        kernel = None if type(x) is np.ndarray else kernel_for(name, x)
        return twin(x, *others) if kernel is None else kernel(x, *others)

    return call


def kernel_for(name: str, x: Array) -> Callable | None:
    """The kernel for a GPU's array; None where there is none, for its dtype or on this device."""
    if type(x) is np.ndarray or not is_array(x) or x.dtype.char not in "efd" or not x.size:
        return None
    if not hasattr(module_of(x), "RawModule"):
        return None
    from .cuda import kernels

    return None if deterministic and name in kernels.UNORDERED else getattr(kernels, name)


def as_strided(array: Array, shape: Any, strides: Any) -> Array:
    """A window on an array's memory by shape and strides in bytes; the caller keeps it inside the memory."""
    if type(array) is np.ndarray and array.flags.c_contiguous:
        return np.ndarray(shape, array.dtype, array, 0, strides)  # 0.3 µs; NumPy's as_strided takes 9
    return module_of(array).lib.stride_tricks.as_strided(array, shape, strides)

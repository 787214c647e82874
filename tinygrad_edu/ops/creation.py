"""Creation: new tensors from sizes, numbers, lists and arrays."""

from __future__ import annotations

import builtins
import functools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import devices, dtypes
from ..errors import describe, message
from ..kinds import fits
from ..tensor import Tensor, wrap
from .arguments import need_tensor, positive, sizes
from .making import Options, made, number, preserve_format

if TYPE_CHECKING:
    from typing_extensions import Unpack

# --- of one value ----------------------------------------------------------------------------------------------------


def _shape(args: tuple, size: Any, what: str) -> tuple[int, ...]:
    """The shape in a call: positional sizes, a sequence, or `size=`."""
    if size is not None:
        args = (size,)
    elif not args:
        raise TypeError(f'{what}() missing 1 required positional arguments: "size"')
    return positive(sizes(args), what)


def zeros(*args: Any, size: Sequence[int] | None = None, **options: Unpack[Options]) -> Tensor:
    """Zeros."""
    shape = _shape(args, size, "zeros")
    return made("zeros", lambda xp, dtype: xp.zeros(shape, dtype), **options)


def ones(*args: Any, size: Sequence[int] | None = None, **options: Unpack[Options]) -> Tensor:
    """Ones."""
    shape = _shape(args, size, "ones")
    return made("ones", lambda xp, dtype: xp.ones(shape, dtype), **options)


def empty(*args: Any, size: Sequence[int] | None = None, **options: Unpack[Options]) -> Tensor:
    """Memory with whatever it holds."""
    shape = _shape(args, size, "empty")
    return made("empty", lambda xp, dtype: xp.empty(shape, dtype), **options)


def full(size: Sequence[int], fill_value: Any, **options: Unpack[Options]) -> Tensor:
    """One value everywhere; its type is the dtype."""
    if not isinstance(size, (tuple, list)):
        raise TypeError(f"full(): argument 'size' (position 1) must be tuple of ints, not {type(size).__name__}")
    shape, value = positive(sizes((size,)), "full"), number(fill_value)
    if not isinstance(value, (bool, int, float, complex)):
        raise TypeError(f"full(): argument 'fill_value' (position 2) must be Number, not {type(value).__name__}")
    return made("full", lambda xp, dtype: xp.full(shape, value, dtype), dtypes.as_dtype(type(value)), **options)


def scalar_tensor(s: Any, **options: Unpack[Options]) -> Tensor:
    """One number, as a float unless `dtype` says otherwise."""
    value = number(s)
    return made("scalar_tensor", lambda xp, dtype: xp.full((), value, dtype), **options)


def _alike(what: str, make: str, x: Tensor, value: tuple, options: Any) -> Tensor:
    """A tensor of the shape, dtype, device and memory order of `x`."""
    like = need_tensor(x, what).array
    options.setdefault("device", x.device)
    order = "K" if options.get("memory_format") in (None, preserve_format) else "C"
    return made(what, lambda xp, dtype: getattr(xp, make)(like, *value, dtype=dtype, order=order), x.dtype, **options)


def zeros_like(input: Tensor, **options: Unpack[Options]) -> Tensor:
    """Zeros in the shape and dtype of another tensor."""
    return _alike("zeros_like", "zeros_like", input, (), options)


def ones_like(input: Tensor, **options: Unpack[Options]) -> Tensor:
    """Ones in the shape and dtype of another tensor."""
    return _alike("ones_like", "ones_like", input, (), options)


def empty_like(input: Tensor, **options: Unpack[Options]) -> Tensor:
    """Memory in the shape and dtype of another tensor."""
    return _alike("empty_like", "empty_like", input, (), options)


def full_like(input: Tensor, fill_value: Any, **options: Unpack[Options]) -> Tensor:
    """One value in the shape and dtype of another tensor."""
    value = number(fill_value)
    kind = options.get("dtype") or need_tensor(input, "full_like").dtype
    if type(value) is int and kind is dtypes.float16 and builtins.abs(value) > 65504:
        raise RuntimeError("value cannot be converted to type float16 without overflow")
    return _alike("full_like", "full_like", input, (value,), options)


def empty_strided(size: Sequence[int], stride: Sequence[int], **options: Unpack[Options]) -> Tensor:
    """Memory in which the dimensions have the given strides."""
    shape, steps = positive(size, "empty_strided"), tuple(stride)
    if len(shape) != len(steps):
        raise RuntimeError(f"empty_strided: {len(shape)} sizes, but {len(steps)} strides")
    count = 0 if 0 in shape else 1 + sum((n - 1) * step for n, step in zip(shape, steps, strict=True))

    def make(xp: Any, dtype: np.dtype) -> Any:
        memory = xp.empty(count, dtype)
        return devices.as_strided(memory, shape, tuple(step * memory.itemsize for step in steps))

    return made("empty_strided", make, **options)


def empty_permuted(size: Sequence[int], physical_layout: Sequence[int], **options: Unpack[Options]) -> Tensor:
    """Memory in which the dimensions lie in the given order, the outermost first."""
    shape, order = positive(size, "empty_permuted"), tuple(physical_layout)
    if len(shape) != len(order):
        raise RuntimeError(
            "empty_permuted: Number of dimensions in size does not match the length of the physical_layout; "
            f"got {list(shape)} and {list(order)}"
        )
    if any(not 0 <= d < len(shape) for d in order):
        raise RuntimeError(f"empty_permuted: Dimension out of range (expected 0 to {len(shape) - 1}): {list(order)}")
    if len(set(order)) < len(order):
        raise RuntimeError(f"empty_permuted: Duplicate dim not allowed: {list(order)}")
    steps, step = [0] * len(shape), 1
    for d in reversed(order):
        steps[d], step = step, step * max(shape[d], 1)
    return empty_strided(shape, steps, **options)


def _of(x: Tensor, options: Any) -> Any:
    """The options of `x.new_...`: its own dtype and device unless others are given."""
    if options.get("dtype") is None:
        options["dtype"] = x.dtype
    if options.get("device") is None:
        options["device"] = x.device
    return options


def _new_zeros(self: Tensor, *args: Any, size: Any = None, **options: Unpack[Options]) -> Tensor:
    """Zeros of this tensor's dtype and device."""
    return zeros(*args, size=size, **_of(self, options))


def _new_ones(self: Tensor, *args: Any, size: Any = None, **options: Unpack[Options]) -> Tensor:
    """Ones of this tensor's dtype and device."""
    return ones(*args, size=size, **_of(self, options))


def _new_empty(self: Tensor, *args: Any, size: Any = None, **options: Unpack[Options]) -> Tensor:
    """Memory of this tensor's dtype and device."""
    return empty(*args, size=size, **_of(self, options))


def _new_full(self: Tensor, size: Any, fill_value: Any, **options: Unpack[Options]) -> Tensor:
    """One value, of this tensor's dtype and device."""
    return full(size, fill_value, **_of(self, options))


def _new_empty_strided(self: Tensor, size: Any, stride: Any, **options: Unpack[Options]) -> Tensor:
    """Memory with given strides, of this tensor's dtype and device."""
    return empty_strided(size, stride, **_of(self, options))


def _new_tensor(self: Tensor, data: Any, **options: Any) -> Tensor:
    """Data as a tensor of this tensor's dtype and device."""
    return tensor(data, **_of(self, options))


# --- of numbers in order ---------------------------------------------------------------------------------------------


def arange(*limits: Any, **options: Any) -> Tensor:
    """`start, start + step, ...` up to but without `end`: `arange(end)`, `arange(start, end, step)`."""
    named = {name: options.pop(name) for name in ("start", "end", "step") if name in options}
    values = [number(v) for v in limits]
    if len(values) == 1 and "end" not in named:
        values = [0, *values]
    given = dict(zip(("start", "end", "step"), values, strict=False)) | {k: number(v) for k, v in named.items()}
    if "end" not in given or len(limits) + len(named) > 3:
        raise TypeError(f"arange() takes end, or start, end and step, not {len(limits) + len(named)} numbers")
    start, end, step = given.get("start", 0), given["end"], given.get("step", 1)
    kind = getattr(options.get("out"), "dtype", options.get("dtype"))
    if kind is not None and kind.rank == 1 and all(map(math.isfinite, (start, end, step))):
        if step and not int(step):
            raise ValueError(f"arange: step must be nonzero, but {step} is 0 as {kind}")
        start, end, step = int(start), int(end), int(step)
    if not step or step != step:
        raise RuntimeError("arange: step must be nonzero")
    if not all(math.isfinite(v) for v in (start, end)):
        raise RuntimeError(f"arange: unsupported range: {start} -> {end}")
    if (end - start) * step < 0:
        wrong = f"upper bound and lower bound inconsistent with step sign: {start} -> {end} by {step}"
        raise RuntimeError(message("arange", wrong, instead=f"arange({start}, {end}, {-step})"))
    whole = all(isinstance(v, int) for v in (start, end, step))
    count = -((start - end) // step) if whole else math.ceil((end - start) / step)

    def make(xp: Any, dtype: np.dtype) -> Any:
        # each number by one product, in float64: repeated addition would let the error grow
        return (start + step * xp.arange(count, dtype="int64" if whole else "float64")).astype(dtype)

    return made("arange", make, dtypes.int64 if whole else None, **options)


def _spaced(xp: Any, start: Any, end: Any, steps: int, kind: Any) -> Any:
    """`steps` numbers from `start` to `end`, counted from the nearer end, so that both are met exactly."""
    if steps == 1:
        return xp.full(1, start, kind)
    k = xp.arange(steps)
    step = (end - start) / (steps - 1) if steps else 0
    return xp.where(k < steps // 2, start + step * k, end - step * (steps - 1 - k)).astype(kind)


def _line(start: Any, end: Any, steps: Any, what: str, options: Any) -> tuple[Any, Any, int, dtypes.dtype]:
    """The limits of a line as numbers, and its default dtype."""
    if steps is None:
        raise TypeError(f"{what}() missing required argument 'steps'")
    if not fits(steps, "int"):
        raise TypeError(f"{what}(): argument 'steps' must be int, not {type(steps).__name__}")
    steps = int(steps)
    if steps < 0:
        raise RuntimeError(f"{what}: number of steps must be non-negative, but got {steps}")
    for name, value in (("start", start), ("end", end)):
        if isinstance(value, Tensor) and value.ndim:
            raise RuntimeError(
                f"{what} only supports 0-dimensional start and end tensors, but got {name} with {value.ndim}"
            )
    start, end = number(start), number(end)
    kind = dtypes.get_default_dtype()
    if isinstance(start, complex) or isinstance(end, complex):
        kind = kind.to_complex()
        if options.get("dtype") is not None and not options["dtype"].is_complex:
            raise RuntimeError(f"{what}: inferred dtype {kind} can't be safely cast to passed dtype {options['dtype']}")
    return start, end, steps, kind


def _whole(start: Any, end: Any, options: Any) -> tuple[Any, Any]:
    """The limits as they are where a line of integers is asked for: cut off before the steps are counted."""
    kind = getattr(options.get("out"), "dtype", options.get("dtype"))
    return (start, end) if kind is None or kind.rank != 1 else (int(start), int(end))


def linspace(start: Any, end: Any, steps: Any = None, **options: Unpack[Options]) -> Tensor:
    """`steps` numbers at equal distances from `start` to `end`, both included."""
    start, end, count, kind = _line(start, end, steps, "linspace", options)
    start, end = _whole(start, end, options)
    return made("linspace", lambda xp, dtype: _spaced(xp, start, end, count, dtype), kind, **options)


def logspace(start: Any, end: Any, steps: Any = None, base: float = 10.0, **options: Unpack[Options]) -> Tensor:
    """`base` to the power of `steps` numbers at equal distances from `start` to `end`."""
    start, end, count, kind = _line(start, end, steps, "logspace", options)
    start, end = _whole(start, end, options)

    def make(xp: Any, dtype: np.dtype) -> Any:
        powers = _spaced(xp, start, end, count, "complex128" if kind.is_complex else "float64")
        return (base**powers).astype(dtype)

    return made("logspace", make, kind, **options)


def eye(n: int, m: int | None = None, **options: Unpack[Options]) -> Tensor:
    """The identity matrix, cut or filled with zeros to `n` by `m`."""
    m = n if m is None else m
    if n < 0 or m < 0:
        raise RuntimeError(f"eye: n and m must be greater or equal to 0, got {n} and {m}")
    return made("eye", lambda xp, dtype: xp.eye(n, m, dtype=dtype), **options)


def tril_indices(row: int, col: int, offset: int = 0, **options: Unpack[Options]) -> Tensor:
    """Rows and columns of the elements on and below a diagonal."""
    return _triangle("tril_indices", row, col, lambda i, j: j - i <= offset, options)


def triu_indices(row: int, col: int, offset: int = 0, **options: Unpack[Options]) -> Tensor:
    """Rows and columns of the elements on and above a diagonal."""
    return _triangle("triu_indices", row, col, lambda i, j: j - i >= offset, options)


def _triangle(what: str, row: int, col: int, inside: Callable, options: Any) -> Tensor:
    if row < 0 or col < 0:
        raise RuntimeError(f"{what}: row and col must be non-negative, got {row} and {col}")

    def make(xp: Any, dtype: np.dtype) -> Any:
        i, j = xp.arange(row)[:, None], xp.arange(col)
        return xp.stack(xp.nonzero(inside(i, j))).astype(dtype)

    return made(what, make, dtypes.int64, **options)


# --- of data ---------------------------------------------------------------------------------------------------------


def tensor(
    data: Any,
    *,
    dtype: dtypes.dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A copy of numbers, nested lists or an array as a tensor. Python's floats become the default dtype."""
    array = _array(data)
    kind = dtypes.as_dtype(dtype) if dtype is not None else _dtype_of(array, data)
    where = devices.as_device(device) if device is not None or not isinstance(data, Tensor) else data.device
    raw = array.array if isinstance(array, Tensor) else array
    if raw.dtype is kind.numpy and raw is not data and not isinstance(data, Tensor):
        t = wrap(devices.move(raw, where))
    else:
        if not isinstance(data, (Tensor, np.ndarray)):
            _check_range(raw, kind)
        raw = raw.real if raw.dtype.kind == "c" and not kind.is_complex else raw
        with np.errstate(over="ignore", invalid="ignore"):
            t = wrap(devices.move(raw.astype(kind.numpy), where))
    return t.requires_grad_() if requires_grad else t


def _array(data: Any) -> Any:
    """Data as an array; a tensor's own array."""
    if isinstance(data, Tensor):
        return data.array
    if isinstance(data, np.ndarray):
        if data.dtype not in dtypes.OF_NUMPY:
            supported = ", ".join(d.name for d in dtypes.ALL)
            raise TypeError(f"can't convert np.ndarray of type {data.dtype}. The only supported types are: {supported}")
        return np.asarray(data)
    if devices.is_array(data):
        return data
    if isinstance(data, (str, bytes)):
        raise TypeError(f"new(): invalid data type '{type(data).__name__}'")
    if isinstance(data, (list, tuple)) and any(isinstance(v, (Tensor, list, tuple)) for v in data):
        data = _plain(data)
    try:
        array = np.array(data)
    except ValueError:
        raise ValueError(_ragged(data, 0) or f"tensor: {describe(data)} is no array of numbers") from None
    except OverflowError:
        raise ValueError("tensor: Overflow when unpacking long long") from None
    if array.dtype == np.uint64 and not isinstance(data, np.generic):
        raise ValueError("tensor: Overflow when unpacking long long; an element does not fit into int64")
    if array.dtype == object:
        strange = [v for v in array.ravel().tolist() if not isinstance(v, (int, float, complex))]
        if strange:
            raise RuntimeError(f"tensor: Could not infer dtype of {type(strange[0]).__name__}")
        raise ValueError("tensor: Overflow when unpacking long long; an element does not fit into int64")
    if array.dtype not in dtypes.OF_NUMPY:
        wrong = f"too many dimensions '{array.dtype.type.__name__.strip('_')}'"
        raise ValueError(message("tensor", wrong, instead="numbers: of words, their positions in a vocabulary"))
    return array


def _plain(data: Any) -> Any:
    """Nested lists without tensors: each is the number that it holds."""
    if isinstance(data, Tensor):
        if data.numel() != 1:
            raise ValueError("only one element tensors can be converted to Python scalars; write stack(...)")
        return data.array.reshape(())[()]
    return [_plain(v) for v in data] if isinstance(data, (list, tuple)) else data


def _ragged(data: Any, dim: int) -> str:
    """Where nested lists have different lengths."""
    if not isinstance(data, (list, tuple)) or not data:
        return ""
    if not isinstance(data[0], (list, tuple)):
        return ""
    for row in data:
        if not isinstance(row, (list, tuple)) or len(row) != len(data[0]):
            got = len(row) if isinstance(row, (list, tuple)) else "a number"
            return f"expected sequence of length {len(data[0])} at dim {dim + 1} (got {got}); write nn.utils.rnn.pad_sequence([tensor(row) ...])"
    return next((text for row in data if (text := _ragged(row, dim + 1))), "")


def _holds_tensors(data: Any) -> bool:
    return isinstance(data, (list, tuple)) and any(isinstance(v, Tensor) or _holds_tensors(v) for v in data)


def _leaves(data: Any) -> list[Any]:
    """What nested lists hold, in one list; of a tensor its array."""
    if isinstance(data, (list, tuple)):
        return [v for part in data for v in _leaves(part)]
    return [data.array if isinstance(data, Tensor) else data]


def _dtype_of(array: Any, data: Any) -> dtypes.dtype:
    """The dtype of data: arrays and their elements keep theirs, Python's floats become the default."""
    if _holds_tensors(data):
        return functools.reduce(dtypes.promote_types, [_dtype_of(np.asarray(v), v) for v in _leaves(data)])
    found = dtypes.OF_NUMPY[array.dtype]
    while isinstance(data, (list, tuple)) and data:
        data = data[0]
    if hasattr(data, "dtype") or found.rank < 2:
        return found
    return dtypes.get_default_dtype() if found.is_floating_point else dtypes.get_default_dtype().to_complex()


def _check_range(array: np.ndarray, kind: dtypes.dtype) -> None:
    """Raise where a Python number does not fit the dtype that was asked for."""
    if array.dtype.kind == "c" and not kind.is_complex:
        raise TypeError(f"tensor: must be real numbers for {kind}, not complex")
    if kind.rank == 1 and array.size and array.dtype.kind in "fiu":
        info = np.iinfo(kind.numpy)
        low = info.min if kind.is_signed else -info.max - 1  # PyTorch lets small negative numbers wrap around
        if not (np.all(array >= low) and np.all(array <= info.max)):
            raise RuntimeError(f"value cannot be converted to type {kind.name} without overflow")


def as_tensor(data: Any, *, dtype: dtypes.dtype | None = None, device: Any = None) -> Tensor:
    """Data as a tensor, without a copy where none is needed: a tensor stays itself, an array is shared."""
    if isinstance(data, Tensor):
        return data.to(device=device, dtype=dtype)
    if isinstance(data, np.ndarray) or devices.is_array(data):
        t = wrap(_array(data))
        return t if dtype is None and device is None else t.to(device=device, dtype=dtype)
    return tensor(data, dtype=dtype, device=device)


def asarray(
    obj: Any,
    *,
    dtype: dtypes.dtype | None = None,
    device: Any = None,
    copy: bool | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """An object as a tensor: shares memory where it can, unless `copy=True`; `copy=False` insists on sharing."""
    if not isinstance(obj, Tensor):
        if hasattr(obj, "__dlpack__") and not isinstance(obj, (np.ndarray, np.generic)):
            obj = from_dlpack(obj)
        elif isinstance(obj, (bytes, bytearray, memoryview)):
            obj = frombuffer(obj, dtype=dtype or dtypes.get_default_dtype())
    shares = isinstance(obj, (Tensor, np.ndarray)) or devices.is_array(obj)
    t = as_tensor(obj, dtype=dtype, device=device)
    moved = shares and not np.may_share_memory(t.array, obj.array if isinstance(obj, Tensor) else obj)
    if copy is False and (moved or not shares) and t.numel():
        raise ValueError(
            f"asarray: can't alias {describe(obj)} with dtype={dtype}, device={device}; leave out copy=False"
        )
    if copy and shares and not moved:
        t = t.clone()
    if requires_grad != t.requires_grad:
        t = t.detach()
    return t.requires_grad_() if requires_grad else t


def from_numpy(ndarray: np.ndarray) -> Tensor:
    """A NumPy array's memory as a tensor: a write into one is seen in the other."""
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    return wrap(_array(ndarray))


def frombuffer(
    buffer: Any, *, dtype: dtypes.dtype, count: int = -1, offset: int = 0, requires_grad: bool = False
) -> Tensor:
    """The memory behind Python's buffer protocol as a tensor of one dimension."""
    length, size = memoryview(buffer).nbytes, dtype.itemsize
    if not length or not count:
        raise ValueError(f"both buffer length ({length}) and count ({count}) must not be 0")
    if not 0 <= offset < length:
        raise ValueError(
            f"offset ({offset} bytes) must be non-negative and no greater than buffer length ({length} bytes)"
        )
    if count < 0 and (length - offset) % size:
        raise ValueError(
            f"buffer length ({length} bytes) after offset ({offset} bytes) must be a multiple of element size ({size})"
        )
    if count > 0 and offset + count * size > length:
        raise ValueError(
            f"requested buffer length ({count} * {size} bytes) after offset ({offset}) exceeds {length} bytes"
        )
    t = wrap(np.frombuffer(buffer, dtype.numpy, count, offset))
    return t.requires_grad_() if requires_grad else t


def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """Memory of another library, through the DLPack protocol."""
    if not hasattr(ext_tensor, "__dlpack__"):
        raise TypeError(
            f"from_dlpack: {type(ext_tensor).__name__} has no __dlpack__; write tensor(...) or from_numpy(...)"
        )
    on_gpu = ext_tensor.__dlpack_device__()[0] == 2
    t = wrap(devices.module(devices.device("cuda" if on_gpu else "cpu")).from_dlpack(ext_tensor))
    t = t.to(device) if device is not None else t
    return t.clone() if copy else t


OPERATORS = {
    "new_zeros": _new_zeros, "new_ones": _new_ones, "new_empty": _new_empty, "new_full": _new_full,
    "new_empty_strided": _new_empty_strided, "new_tensor": _new_tensor,
}  # fmt: skip

"""Kernels: what NumPy's form would launch many of, in one launch each. Their text is `kernels.cu` beside this file.

A function here has a twin of its name in `ops`, decorated with `devices.fused`, with the same arguments and results; so
reading the twin says what the kernel does. On a GPU the twins would launch 3 (an embedding's gradient, beside an index
for every number) to 36 (the maxima of windows of 3 x 2), and the formulas of SGD and Adam two to a dozen for each
parameter.
"""

from __future__ import annotations

import functools
import math
from pathlib import Path
from typing import Any

import numpy as np

from .. import devices

Array = Any
THREADS = 256
TYPES = {"e": "half", "f": "float", "d": "double", "B": "unsigned char", "H": "unsigned short", "I": "unsigned int"}
UNORDERED = {"add_rows"}  # those in which the quickest thread comes first


def source(types: str) -> str:
    """The text that is compiled for dtypes, given by NumPy's letters: that of the arrays, and that of taps."""
    arrays, taps = types[0], types[1]
    names = {"T": TYPES[arrays], "A": "double" if arrays == "d" else "float", "K": TYPES[taps]}
    text = "#include <cuda_fp16.h>\n" if arrays == "e" else ""
    text += "".join(f"typedef {meant} {name};\n" for name, meant in names.items())
    return text + Path(__file__).with_suffix(".cu").read_text()


@functools.cache
def compiled(xp: Any, types: str) -> Any:
    """The module of all kernels for these dtypes; CuPy compiles it at its first use, and keeps it on disk."""
    return xp.RawModule(code=source(types))


def _launch(name: str, blocks: int, *args: Any, like: Array | None = None, taps: str = "B") -> None:
    """Start a kernel, of the first argument's dtype if not of another one's.

    To it Python's integers are `long long`, floats A, None is no array.
    """
    x = args[0] if like is None else like
    real = np.float64 if x.dtype.char == "d" else np.float32
    given = [
        np.int64(a or 0) if a is None or isinstance(a, int) else real(a) if isinstance(a, float) else a for a in args
    ]
    xp = devices.module_of(x)
    with xp.cuda.Device(devices.of(x).index):
        compiled(xp, x.dtype.char + taps).get_function(name)((max(blocks, 1),), (THREADS,), tuple(given))


def _each(name: str, count: int, *args: Any, like: Array | None = None, taps: str = "B") -> None:
    """Start a kernel that has a thread for each of `count` elements, or for several in turn."""
    _launch(name, min(-(-count // THREADS), 1 << 16), *args, count, like=like, taps=taps)


def _ordered(*arrays: Array, dtype: Any = None) -> tuple[Array, ...]:
    """The arrays with their elements in order, and of a dtype; themselves where they are."""
    return tuple(a if a is None else a.astype(dtype or a.dtype, "C", copy=False) for a in arrays)


# --- element by element ---------------------------------------------------------------------------------------------------


def _gelu(name: str, x: Array) -> tuple[Array, Array]:
    (x,) = _ordered(x)
    out, slope = np.empty_like(x), np.empty_like(x)
    _each(name, x.size, x, out, slope)
    return out, slope


gelu_by_erf = functools.partial(_gelu, "gelu_by_erf")
gelu_by_tanh = functools.partial(_gelu, "gelu_by_tanh")


def dropped(x: Array, mask: Array, scale: float) -> Array:
    x, mask = _ordered(x, np.broadcast_to(mask, x.shape))
    out = np.empty_like(x)
    _each("dropped", x.size, x, mask, out, float(scale))
    return out


def scaled(x: Array, scale: Array | None, shift: Array | None, out: Array) -> Array:
    (x, scale, shift) = _ordered(x, scale, shift)
    _each("scaled", x.size, x, scale, shift, out, *x.shape[1:])
    return out


def combined(x: Array, g: Array, by_x: Array, by_g: Array, shift: Array) -> Array:
    x, g, by_x, by_g, shift = _ordered(x, g, by_x, by_g, shift)
    _each("combined", x.size, x, g, by_x, by_g, shift, *x.shape[1:])
    return x


# --- a block for each row -------------------------------------------------------------------------------------------------


def _normed(name: str, rows: Array, eps: float) -> tuple[Array, Array]:
    (rows,) = _ordered(rows)
    normal, scale = np.empty_like(rows), devices.empty((len(rows), 1), rows.dtype, like=rows)
    _launch(name, len(rows), rows, normal, scale, rows.shape[1], float(eps))
    return normal, scale


def _normed_grad(name: str, g: Array, normal: Array, scale: Array) -> Array:
    (g,) = _ordered(g)
    out = np.empty_like(g)
    _launch(name, len(g), g, normal, scale, out, g.shape[1])
    return out


standardized = functools.partial(_normed, "standardized")
standardized_grad = functools.partial(_normed_grad, "standardized_grad")
rms_normal = functools.partial(_normed, "rms_normal")
rms_normal_grad = functools.partial(_normed_grad, "rms_normal_grad")


def _along(name: str, *args: Any) -> Array:
    """One launch over the rows of arrays that lie along the dimension which is the last argument."""
    *arrays, dim = args
    rows = _ordered(*[np.moveaxis(a, dim, -1) if a.ndim else a for a in arrays])
    out, n = np.empty_like(rows[0]), math.prod(rows[0].shape[-1:])
    _launch(name, out.size // n, *rows, out, n)
    return np.moveaxis(out, -1, dim) if out.ndim else out


softmax_along = functools.partial(_along, "softmax_along")
softmax_along_grad = functools.partial(_along, "softmax_along_grad")
log_softmax_along = functools.partial(_along, "log_softmax_along")
log_softmax_along_grad = functools.partial(_along, "log_softmax_along_grad")


def softmax_losses(rows: Array, target: Array) -> tuple[Array, Array, Array]:
    (rows,), (target,) = _ordered(rows), _ordered(target, dtype=np.int64)
    losses, s = (devices.empty(shape, rows.dtype, like=rows) for shape in ((len(rows),), (len(rows), 1)))
    e = np.empty_like(rows)
    _launch("softmax_losses", len(rows), rows, target, losses, e, s, rows.shape[1])
    return losses, e, s


def softmax_losses_grad(e: Array, s: Array, total: Array, at_target: Array, target: Array) -> Array:
    (total, at_target), (target,) = _ordered(total, at_target, dtype=e.dtype), _ordered(target, dtype=np.int64)
    steps = [int(a.size > 1) for a in (total, at_target)]  # one for all rows, or one for each
    out = np.empty_like(e)
    _launch("softmax_losses_grad", len(e), e, s, total, steps[0], at_target, steps[1], target, out, e.shape[1])
    return out


# --- attention ------------------------------------------------------------------------------------------------------------


def column_powers(scores: Array, hidden: bool) -> tuple[Array, Array]:
    (scores,) = _ordered(scores)
    rows, columns = scores.shape[-2:]
    sums = devices.empty((*scores.shape[:-2], columns), scores.dtype, like=scores)
    limits = np.finfo(scores.dtype)
    least = (limits.min, limits.tiny) if hidden else (-math.inf, 0)
    _each("column_powers", sums.size, scores, sums, rows, columns, *map(float, least))
    return scores, sums


# --- an embedding's gradient ----------------------------------------------------------------------------------------------


def add_rows(x: Array, index: Array, rows: int) -> Array:
    (x,), (index,) = _ordered(x), _ordered(index, dtype=np.int64)
    table = devices.zeros((rows, x.shape[-1]), x.dtype, like=x)
    _each("add_rows", x.size, x, index, table, x.shape[-1])
    return table


# --- pooling --------------------------------------------------------------------------------------------------------------


def _windows(x: Array, *sizes: tuple[int, ...]) -> Array:
    """`Windows` in the kernels' text: lengths of the input and the output, kernel, stride, padding and dilation."""
    fill = (1, 1, 1, 1, 0, 1)
    sizes += ((),) * (len(fill) - len(sizes))
    rows = tuple((*[other] * (3 - len(size)), *size) for size, other in zip(sizes, fill, strict=True))
    return _there(devices.module_of(x), devices.of(x).index, rows)


@functools.lru_cache(256)
def _there(xp: Any, device: int, numbers: tuple) -> Array:
    """Small numbers on a GPU, which stay there: they are the same in each step of a training loop."""
    with xp.cuda.Device(device):
        return xp.asarray(numbers, dtype=np.int32)


def _sums(name: str, x: Array, size: tuple, places: Array, *taps: Array) -> Array:
    x, *named = _ordered(x, *taps)
    out = devices.empty((*x.shape[: -len(size)], *size), x.dtype, like=x)
    _each(name, out.size, x, out, *named, places, taps=named[0].dtype.char if named else "B")
    return out


def window_sums(x: Array, size: tuple, *where: tuple) -> Array:
    return _sums("window_sums", x, size, _windows(x, x.shape[-len(size) :], size, *where))


def window_shares(x: Array, size: tuple, *where: tuple) -> Array:
    return _sums("window_shares", x, size, _windows(x, size, x.shape[-len(size) :], *where))


def tap_sums(x: Array, taps: Array, size: tuple, *where: tuple) -> Array:
    taps = taps if taps.dtype.char in TYPES else taps.astype(np.uint32)
    return _sums("tap_sums", x, size, _windows(x, size, x.shape[-len(size) :], *where), taps)


def maxima(x: Array, size: tuple, kernel: tuple, *where: tuple) -> tuple[Array, Array]:
    (x,) = _ordered(x)
    shape = (*x.shape[: -len(size)], *size)
    values = devices.empty(shape, x.dtype, like=x)
    taps = devices.empty(shape, np.min_scalar_type(math.prod(kernel)), like=x)
    places = _windows(x, x.shape[-len(size) :], size, kernel, *where)
    _each("maxima", values.size, x, values, taps, places, taps=taps.dtype.char)
    return values, taps


# --- optimizers -----------------------------------------------------------------------------------------------------------

Parameters = list[tuple[Array, Array, dict[str, Any]]]  # arrays, gradients and states


def _step(name: str, parameters: Parameters, states: tuple[str, ...], *numbers: float) -> bool:
    """A step for all parameters; False, and nothing done, where their arrays are not of one kind."""
    x = parameters[0][0]
    columns = [[p, g, *map(state.get, states)] for p, g, state in parameters]
    if not all(a is None or _alike(a, x) for column in columns for a in column):
        return False
    ends = np.cumsum([p.size for p, *_ in parameters]).tolist()
    rows = [[0 if a is None else a.data.ptr for a in row] for row in zip(*columns, strict=True)]
    table = devices.asarray([*rows, ends], like=x, dtype=np.int64)
    _each(name, ends[-1], table, len(parameters), *numbers, like=x)
    return True


def _alike(a: Array, x: Array) -> bool:
    return a.dtype == x.dtype and a.flags.c_contiguous and devices.of(a) == devices.of(x)


def sgd(parameters: Parameters, group: dict[str, Any]) -> bool:
    first = parameters[0][2]["first"]
    if any(state["first"] != first for *_, state in parameters):
        return False
    rates = [group["lr"], group["momentum"], 1 - group["dampening"], group["weight_decay"]]
    numbers = [*map(float, rates), -1.0 if group["maximize"] else 1.0]
    return _step("sgd", parameters, ("momentum_buffer",), *numbers, int(group["nesterov"]), int(first))


def adam(parameters: Parameters, group: dict[str, Any]) -> bool:
    t, (beta1, beta2) = parameters[0][2]["step"], group["betas"]
    if any(state["step"] != t for *_, state in parameters) or parameters[0][0].dtype.char == "e":  # where eps is 0
        return False
    numbers = [group["lr"] / (1 - beta1**t), 1 - beta1, beta2, 1 - beta2, group["eps"], (1 - beta2**t) ** 0.5]
    decay, decoupled = group["weight_decay"], group["decoupled_weight_decay"]
    numbers += [1 - group["lr"] * decay * decoupled, decay * (not decoupled), -1 if group["maximize"] else 1]
    return _step("adam", parameters, ("exp_avg", "exp_avg_sq", "max_exp_avg_sq"), *map(float, numbers))

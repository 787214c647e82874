"""Kernels: what NumPy's form would launch many of, in one launch each. Their text is `kernels.cu` beside this file.

A function here has a twin of its name in `ops`, decorated with `devices.fused`, with the same arguments and results; so
reading the twin says what the kernel does. On a GPU the twins would launch 3 (an embedding's gradient, beside an index
for every number) to 36 (the maxima of windows of 3 x 2), and Adam's formula a dozen for each parameter.
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
    text = "#include <cuda_fp16.h>\n" if arrays == "e" else ""
    text += (
        f"typedef {TYPES[arrays]} T;\ntypedef {'double' if arrays == 'd' else 'float'} A;\ntypedef {TYPES[taps]} K;\n"
    )
    return text + Path(__file__).with_suffix(".cu").read_text()


@functools.cache
def compiled(xp: Any, types: str) -> Any:
    """The module of all kernels for these dtypes; CuPy compiles it at its first use, and keeps it on disk."""
    return xp.RawModule(code=source(types), options=("--std=c++14",))


def _arithmetic(x: Array) -> np.dtype:
    """The dtype in which a kernel computes."""
    return np.dtype(np.float64 if x.dtype.char == "d" else np.float32)


def _launch(name: str, blocks: int, x: Array, *args: Any, taps: str = "B") -> None:
    """Start a kernel on x and what it needs; to it Python's integers are `long long`, floats A, None is no array."""
    given = [
        np.int64(a or 0) if a is None or isinstance(a, int) else _arithmetic(x).type(a) if isinstance(a, float) else a
        for a in args
    ]
    xp = devices.module_of(x)
    with xp.cuda.Device(devices.of(x).index):
        compiled(xp, x.dtype.char + taps).get_function(name)((max(blocks, 1),), (THREADS,), (x, *given))


def _each(name: str, count: int, x: Array, *args: Any, taps: str = "B") -> None:
    """Start a kernel that has a thread for each of `count` elements, or for several in turn."""
    _launch(name, min(-(-count // THREADS), 1 << 16), x, *args, count, taps=taps)


def _ordered(*arrays: Array) -> tuple[Array, ...]:
    """The arrays with their elements in order."""
    return tuple(a if a is None or a.flags.c_contiguous else a.copy("C") for a in arrays)


# --- element by element ---------------------------------------------------------------------------------------------------


def _gelu(name: str, x: Array) -> tuple[Array, Array]:
    (x,) = _ordered(x)
    out, share = np.empty_like(x), np.empty_like(x)
    _each(name, x.size, x, out, share)
    return out, share


def _gelu_grad(name: str, g: Array, x: Array, share: Array) -> Array:
    g, x, share = _ordered(g, x, share)
    out = np.empty_like(g)
    _each(name, g.size, g, x, share, out)
    return out


gelu_by_erf = functools.partial(_gelu, "gelu_by_erf")
gelu_by_tanh = functools.partial(_gelu, "gelu_by_tanh")
gelu_grad_by_erf = functools.partial(_gelu_grad, "gelu_grad_by_erf")
gelu_grad_by_tanh = functools.partial(_gelu_grad, "gelu_grad_by_tanh")


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


def standardized(rows: Array, eps: float) -> tuple[Array, Array]:
    (rows,) = _ordered(rows)
    normal, rstd = np.empty_like(rows), devices.empty((len(rows), 1), rows.dtype, like=rows)
    _launch("standardized", len(rows), rows, normal, rstd, rows.shape[1], float(eps))
    return normal, rstd


def standardized_grad(g: Array, normal: Array, rstd: Array) -> Array:
    (g,) = _ordered(g)
    out = np.empty_like(g)
    _launch("standardized_grad", len(g), g, normal, rstd, out, g.shape[1])
    return out


def softmax_losses(rows: Array, target: Array) -> tuple[Array, Array, Array]:
    rows, target = _ordered(rows, target)
    losses, s = (devices.empty(shape, rows.dtype, like=rows) for shape in ((len(rows),), (len(rows), 1)))
    e = np.empty_like(rows)
    _launch("softmax_losses", len(rows), rows, target.astype(np.int64), losses, e, s, rows.shape[1])
    return losses, e, s


def softmax_losses_grad(e: Array, s: Array, total: Array, at_target: Array, target: Array) -> Array:
    total, at_target, target = _ordered(total.astype(e.dtype), at_target.astype(e.dtype), target.astype(np.int64))
    steps = [int(a.size > 1) for a in (total, at_target)]  # one for all rows, or one for each
    out = np.empty_like(e)
    _launch("softmax_losses_grad", len(e), e, s, total, steps[0], at_target, steps[1], target, out, e.shape[1])
    return out


# --- an embedding's gradient ----------------------------------------------------------------------------------------------


def add_rows(x: Array, index: Array, rows: int) -> Array:
    x, index = _ordered(x, index.astype(np.int64))
    table = devices.zeros((rows, x.shape[-1]), x.dtype, like=x)
    _each("add_rows", x.size, x, index, table, x.shape[-1])
    return table


# --- pooling --------------------------------------------------------------------------------------------------------------


def _windows(x: Array, *sizes: tuple[int, ...]) -> Array:
    """`Windows` in the kernels' text: lengths of the input and the output, kernel, stride, padding and dilation."""
    fill = (1, 1, 1, 1, 0, 1)
    sizes += ((),) * (len(fill) - len(sizes))
    rows = [(*[other] * (3 - len(size)), *size) for size, other in zip(sizes, fill, strict=True)]
    return devices.asarray(rows, like=x, dtype=np.int32)


def window_sums(x: Array, size: tuple, kernel: tuple, *where: tuple) -> Array:
    (x,) = _ordered(x)
    out = devices.empty((*x.shape[: -len(size)], *size), x.dtype, like=x)
    _each("window_sums", out.size, x, out, _windows(x, x.shape[-len(size) :], size, kernel, *where))
    return out


def window_shares(x: Array, size: tuple, kernel: tuple, *where: tuple) -> Array:
    (x,) = _ordered(x)
    out = devices.empty((*x.shape[: -len(size)], *size), x.dtype, like=x)
    _each("window_shares", out.size, x, out, _windows(x, size, x.shape[-len(size) :], kernel, *where))
    return out


def maxima(x: Array, size: tuple, kernel: tuple, *where: tuple) -> tuple[Array, Array]:
    (x,) = _ordered(x)
    shape = (*x.shape[: -len(size)], *size)
    values = devices.empty(shape, x.dtype, like=x)
    taps = devices.empty(shape, np.min_scalar_type(math.prod(kernel)), like=x)
    places = _windows(x, x.shape[-len(size) :], size, kernel, *where)
    _each("maxima", values.size, x, values, taps, places, taps=taps.dtype.char)
    return values, taps


def tap_sums(x: Array, taps: Array, size: tuple, kernel: tuple, *where: tuple) -> Array:
    x, taps = _ordered(x, taps)
    out = devices.empty((*x.shape[: -len(size)], *size), x.dtype, like=x)
    places = _windows(x, size, x.shape[-len(size) :], kernel, *where)
    _each("tap_sums", out.size, x, taps, out, places, taps=taps.dtype.char)
    return out


# --- Adam -----------------------------------------------------------------------------------------------------------------


def adam(parameters: list[tuple[Array, Array, dict[str, Any]]], group: dict[str, Any]) -> bool:
    """A step for parameters, gradients and states; False, and nothing done, where they are not of one kind."""
    x, _, state = parameters[0]
    t, (beta1, beta2) = state["step"], group["betas"]
    columns = [[p, g, s["exp_avg"], s["exp_avg_sq"], s.get("max_exp_avg_sq")] for p, g, s in parameters]
    arrays = [a for column in columns for a in column if a is not None]
    together = all(s["step"] == t for *_, s in parameters) and all(_alike(a, x) for a in arrays)
    if not together or x.dtype.char == "e":  # in half precision eps is 0
        return False
    numbers = [group["lr"] / (1 - beta1**t), 1 - beta1, beta2, 1 - beta2, group["eps"], (1 - beta2**t) ** 0.5]
    decay, decoupled = group["weight_decay"], group["decoupled_weight_decay"]
    numbers += [1 - group["lr"] * decay * decoupled, decay * (not decoupled), -1 if group["maximize"] else 1]
    options = devices.asarray(numbers, like=x, dtype=x.dtype)
    pointers = [[0 if a is None else a.data.ptr for a in row] for row in zip(*columns, strict=True)]
    table = devices.asarray(pointers, like=x, dtype=np.uint64)
    ends = devices.asarray(np.cumsum([p.size for p, *_ in parameters]), like=x, dtype=np.int64)
    _each("adam", sum(p.size for p, *_ in parameters), options, table, ends, len(parameters))
    return True


def _alike(a: Array, x: Array) -> bool:
    return a.dtype == x.dtype and a.flags.c_contiguous and devices.of(a) == devices.of(x)

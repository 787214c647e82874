"""Kernels: what NumPy's form would launch many of, in one launch each. Their twins are the functions of the same names.

A twin is decorated with `devices.fused`, and has the same arguments and results; so reading it says what its kernel
does. On a GPU the twins would launch 3 (an embedding's gradient, beside an index for every number) to 36 (the maxima of
windows of 3 x 2), and Adam's formula a dozen for each parameter. Kernels are written for blocks of any size that is a
power of two, up to 256 threads.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from .. import devices

Array = Any
THREADS = 256
TYPES = {"f": "float", "d": "double", "B": "unsigned char", "H": "unsigned short", "I": "unsigned int"}
UNORDERED = {"add_rows"}  # those in which the quickest thread comes first

COMMON = """
#define EACH(i, n) for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < n; \\
                        i += (long long)gridDim.x * blockDim.x)
#define ALONG(i, n) for (long long i = threadIdx.x; i < n; i += blockDim.x)

// the sum, or the largest, over the threads of a block, for all of them
template <bool largest> __device__ T joined(T value) {
    __shared__ T part[256];
    __syncthreads();
    part[threadIdx.x] = value;
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) {
            T other = part[threadIdx.x + half];
            if (!largest) part[threadIdx.x] += other;
            else if (other > part[threadIdx.x] || other != other) part[threadIdx.x] = other;
        }
    }
    __syncthreads();
    return part[0];
}
"""

SOURCES: dict[str, str] = {}  # by the name of the kernel


@functools.cache
def compiled(xp: Any, name: str, types: str) -> Any:
    """A kernel for dtypes, given by NumPy's letters: the first is T in its text, the second K."""
    return xp.RawKernel(source(name, types), name, options=("--std=c++14",))


def source(name: str, types: str) -> str:
    """The text that is compiled."""
    names = "".join(f"typedef {TYPES[c]} {letter};\n" for c, letter in zip(types, "TK", strict=False))
    return names + COMMON + SOURCES[name]


def _launch(name: str, blocks: int, x: Array, *args: Any, also: str = "") -> None:
    """Start a kernel on x and what it needs; Python's integers and floats are `long long` and T to it."""
    given = [np.int64(a) if isinstance(a, int) else x.dtype.type(a) if isinstance(a, float) else a for a in args]
    with devices.module_of(x).cuda.Device(devices.of(x).index):
        compiled(devices.module_of(x), name, x.dtype.char + also)((max(blocks, 1),), (THREADS,), (x, *given))


def _each(name: str, count: int, x: Array, *args: Any, also: str = "") -> None:
    """Start a kernel that has a thread for each of `count` elements, or for several in turn."""
    _launch(name, min(-(-count // THREADS), 1 << 16), x, *args, count, also=also)


def _ordered(*arrays: Array) -> tuple[Array, ...]:
    """The arrays with their elements in order."""
    return tuple(a if a.flags.c_contiguous else a.copy("C") for a in arrays)


# --- gelu ----------------------------------------------------------------------------------------------------------------

SOURCES["gelu_by_erf"] = """
extern "C" __global__ void gelu_by_erf(const T* x, T* out, T* share, long long n) {
    EACH(i, n) {
        share[i] = T(0.5) + T(0.5) * erf(x[i] * T(0.70710678118654752));
        out[i] = x[i] * share[i];
    }
}
"""
SOURCES["gelu_by_tanh"] = """
extern "C" __global__ void gelu_by_tanh(const T* x, T* out, T* share, long long n) {
    EACH(i, n) {
        share[i] = T(0.5) + T(0.5) * tanh(T(0.79788456080286536) * x[i] * (1 + T(0.044715) * x[i] * x[i]));
        out[i] = x[i] * share[i];
    }
}
"""
SOURCES["gelu_grad_by_erf"] = """
extern "C" __global__ void gelu_grad_by_erf(const T* g, const T* x, const T* share, T* out, long long n) {
    EACH(i, n) out[i] = g[i] * (share[i] + x[i] * T(0.39894228040143268) * exp(T(-0.5) * x[i] * x[i]));
}
"""
SOURCES["gelu_grad_by_tanh"] = """
extern "C" __global__ void gelu_grad_by_tanh(const T* g, const T* x, const T* share, T* out, long long n) {
    EACH(i, n) {
        T slope = T(2 * 0.79788456080286536) * (1 + T(3 * 0.044715) * x[i] * x[i]);
        out[i] = g[i] * share[i] * (1 + x[i] * slope * (1 - share[i]));
    }
}
"""


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

# --- norms: a block for each row -----------------------------------------------------------------------------------------

SOURCES["standardized"] = """
extern "C" __global__ void standardized(const T* x, T* normal, T* rstd, long long n, T eps) {
    x += blockIdx.x * n;
    normal += blockIdx.x * n;
    T sum = 0, squares = 0;
    ALONG(i, n) sum += x[i];
    T mean = joined<false>(sum) / n;
    ALONG(i, n) squares += (x[i] - mean) * (x[i] - mean);
    T scale = 1 / sqrt(joined<false>(squares) / n + eps);
    ALONG(i, n) normal[i] = (x[i] - mean) * scale;
    if (threadIdx.x == 0) rstd[blockIdx.x] = scale;
}
"""
SOURCES["standardized_grad"] = """
extern "C" __global__ void standardized_grad(const T* g, const T* normal, const T* rstd, T* out, long long n) {
    g += blockIdx.x * n;
    normal += blockIdx.x * n;
    out += blockIdx.x * n;
    T sum = 0, coupled = 0;
    ALONG(i, n) {
        sum += g[i];
        coupled += g[i] * normal[i];
    }
    sum = joined<false>(sum) / n;
    coupled = joined<false>(coupled) / n;
    ALONG(i, n) out[i] = (g[i] - sum - normal[i] * coupled) * rstd[blockIdx.x];
}
"""


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


# --- softmax and cross-entropy: a block for each row ---------------------------------------------------------------------

SOURCES["softmax_losses"] = """
extern "C" __global__ void softmax_losses(const T* x, const long long* target, T* losses, T* e, T* s, long long n) {
    x += blockIdx.x * n;
    e += blockIdx.x * n;
    T most = x[0], sum = 0;
    ALONG(i, n) if (x[i] > most || x[i] != x[i]) most = x[i];
    most = joined<true>(most);
    ALONG(i, n) {
        e[i] = exp(x[i] - most);
        sum += e[i];
    }
    sum = joined<false>(sum);
    if (threadIdx.x == 0) {
        s[blockIdx.x] = sum;
        losses[blockIdx.x] = log(sum) - (x[(target[blockIdx.x] % n + n) % n] - most);
    }
}
"""
SOURCES["softmax_losses_grad"] = """
extern "C" __global__ void softmax_losses_grad(const T* e, const T* s, const T* total, long long total_step,
        const T* at_target, long long at_target_step, const long long* target, T* out, long long n) {
    e += blockIdx.x * n;
    out += blockIdx.x * n;
    T scale = total[blockIdx.x * total_step] / s[blockIdx.x];
    long long right = (target[blockIdx.x] % n + n) % n;
    ALONG(i, n) out[i] = e[i] * scale - (i == right ? at_target[blockIdx.x * at_target_step] : T(0));
}
"""


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


# --- embedding -----------------------------------------------------------------------------------------------------------

SOURCES["add_rows"] = """
extern "C" __global__ void add_rows(const T* x, const long long* index, T* table, long long width, long long n) {
    EACH(i, n) atomicAdd(&table[index[i / width] * width + i % width], x[i]);
}
"""


def add_rows(x: Array, index: Array, rows: int) -> Array:
    x, index = _ordered(x, index.astype(np.int64))
    table = devices.zeros((rows, x.shape[-1]), x.dtype, like=x)
    _each("add_rows", x.size, x, index, table, x.shape[-1])
    return table


# --- pooling: three dimensions, the first ones of length 1 where there are fewer ---------------------------------------------

SOURCES["maxima"] = """
extern "C" __global__ void maxima(const T* x, T* values, K* taps, const int* where, long long n) {
    const int *in = where, *out = where + 3, *kernel = where + 6, *stride = where + 9, *pad = where + 12, *step = where + 15;
    EACH(i, n) {
        int c = i % out[2], b = i / out[2] % out[1], a = i / out[2] / out[1] % out[0];
        const T* plane = x + i / out[2] / out[1] / out[0] * in[0] * in[1] * in[2];
        T best = 0;
        int tap = -1;
        for (int k = 0; k < kernel[0] * kernel[1] * kernel[2]; k++) {
            int p = a * stride[0] - pad[0] + k / kernel[2] / kernel[1] * step[0];
            int q = b * stride[1] - pad[1] + k / kernel[2] % kernel[1] * step[1];
            int r = c * stride[2] - pad[2] + k % kernel[2] * step[2];
            if (p < 0 || p >= in[0] || q < 0 || q >= in[1] || r < 0 || r >= in[2]) continue;
            T value = plane[((long long)p * in[1] + q) * in[2] + r];
            if (tap < 0 || value > best || value != value) {
                best = value;
                tap = k;
            }
        }
        values[i] = best;
        taps[i] = tap;
    }
}
"""
SOURCES["tap_sums"] = """
extern "C" __global__ void tap_sums(const T* x, const K* taps, T* sums, const int* where, long long n) {
    const int *in = where, *out = where + 3, *kernel = where + 6, *stride = where + 9, *pad = where + 12, *step = where + 15;
    EACH(i, n) {
        int place[3] = {int(i / in[2] / in[1] % in[0]), int(i / in[2] % in[1]), int(i % in[2])};
        long long first = i / in[2] / in[1] / in[0] * out[0] * out[1] * out[2];
        T sum = 0;
        for (int k = 0; k < kernel[0] * kernel[1] * kernel[2]; k++) {
            int at[3] = {k / kernel[2] / kernel[1], k / kernel[2] % kernel[1], k % kernel[2]};
            long long window = 0;
            bool met = true;
            for (int d = 0; d < 3; d++) {
                int offset = place[d] + pad[d] - at[d] * step[d];
                met = met && offset >= 0 && offset % stride[d] == 0 && offset / stride[d] < out[d];
                window = window * out[d] + offset / stride[d];
            }
            if (met && taps[first + window] == k) sum += x[first + window];
        }
        sums[i] = sum;
    }
}
"""


def _geometry(x: Array, *sizes: tuple[int, ...]) -> Array:
    """Lengths of the input and the output, kernel, stride, padding and dilation, each of three dimensions."""
    fill = (1, 1, 1, 1, 0, 1)
    rows = [(*[other] * (3 - len(size)), *size) for size, other in zip(sizes, fill, strict=True)]
    return devices.asarray(rows, like=x, dtype=np.int32)


def maxima(x: Array, size: tuple, kernel: tuple, *where: tuple) -> tuple[Array, Array]:
    (x,) = _ordered(x)
    shape = (*x.shape[: -len(size)], *size)
    values = devices.empty(shape, x.dtype, like=x)
    taps = devices.empty(shape, np.min_scalar_type(math.prod(kernel)), like=x)
    places = _geometry(x, x.shape[-len(size) :], size, kernel, *where)
    _each("maxima", values.size, x, values, taps, places, also=taps.dtype.char)
    return values, taps


def tap_sums(x: Array, taps: Array, size: tuple, kernel: tuple, *where: tuple) -> Array:
    x, taps = _ordered(x, taps)
    out = devices.empty((*x.shape[: -len(size)], *size), x.dtype, like=x)
    places = _geometry(x, size, x.shape[-len(size) :], kernel, *where)
    _each("tap_sums", out.size, x, taps, out, places, also=taps.dtype.char)
    return out


# --- Adam: all parameters of a group --------------------------------------------------------------------------------------

SOURCES["adam"] = """
extern "C" __global__ void adam(const T* options, T* const* table, const long long* ends, long long count, long long n) {
    const T size = options[0], gain1 = options[1], beta2 = options[2], gain2 = options[3], eps = options[4];
    const T correction = options[5], shrink = options[6], decay = options[7], sign = options[8];
    EACH(i, n) {
        long long low = 0, high = count - 1;  // the parameter in which element i lies
        while (low < high) {
            long long middle = (low + high) / 2;
            if (i < ends[middle]) high = middle; else low = middle + 1;
        }
        long long k = low ? i - ends[low - 1] : i;
        T *p = table[low] + k, *m = table[2 * count + low] + k, *v = table[3 * count + low] + k;
        T *most = table[4 * count + low];
        T x = *p * shrink, g = sign * table[count + low][k] + decay * *p;
        *m += gain1 * (g - *m);
        *v = beta2 * *v + gain2 * g * g;
        T square = *v;
        if (most) square = most[k] = square > most[k] ? square : most[k];
        *p = x - size * *m / (sqrt(square) / correction + eps);
    }
}
"""


def adam(parameters: list[tuple[Array, Array, dict[str, Any]]], group: dict[str, Any]) -> bool:
    """A step for parameters, gradients and states; False, and nothing done, where they are not of one kind."""
    x, _, state = parameters[0]
    t, (beta1, beta2) = state["step"], group["betas"]
    columns = [[p, g, s["exp_avg"], s["exp_avg_sq"], s.get("max_exp_avg_sq")] for p, g, s in parameters]
    arrays = [a for column in columns for a in column if a is not None]
    if any(s["step"] != t for *_, s in parameters) or not all(_alike(a, x) for a in arrays):
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

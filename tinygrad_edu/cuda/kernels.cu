// What NumPy's form launches many kernels for, in one launch each. The twins that say in NumPy what each computes bear
// the same names in `tinygrad_edu/ops`; `kernels.py` beside this file starts them.
//
// T is the type of the arrays, A that of the arithmetic (float where T is half), K that of a tap's number. Blocks may
// have any number of threads that is a power of two, up to 256.

#define EACH(i, n) for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < n; \
                        i += (long long)gridDim.x * blockDim.x)
#define ALONG(i, n) for (long long i = threadIdx.x; i < n; i += blockDim.x)

// the sum, or the largest, over the threads of a block, for all of them
template <bool largest> __device__ A joined(A value) {
    __shared__ A part[256];
    __syncthreads();
    part[threadIdx.x] = value;
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) {
            A other = part[threadIdx.x + half];
            if (!largest) part[threadIdx.x] += other;
            else if (other > part[threadIdx.x] || other != other) part[threadIdx.x] = other;
        }
    }
    __syncthreads();
    return part[0];
}

// --- element by element: gelu, dropout, and what norms do to channels (N, C, places) --------------------------------------

extern "C" __global__ void gelu_by_erf(const T* x, T* out, T* slope, long long n) {
    EACH(i, n) {
        A v = x[i], s = A(0.5) + A(0.5) * erf(v * A(0.70710678118654752));
        out[i] = v * s;
        slope[i] = s + v * A(0.39894228040143268) * exp(A(-0.5) * v * v);
    }
}

extern "C" __global__ void gelu_by_tanh(const T* x, T* out, T* slope, long long n) {
    EACH(i, n) {
        A v = x[i], s = A(0.5) + A(0.5) * tanh(A(0.79788456080286536) * v * (1 + A(0.044715) * v * v));
        out[i] = v * s;
        slope[i] = s + v * s * (1 - s) * A(2 * 0.79788456080286536) * (1 + A(3 * 0.044715) * v * v);
    }
}

extern "C" __global__ void dropped(const T* x, const bool* mask, T* out, A scale, long long n) {
    EACH(i, n) out[i] = A(x[i]) * A(mask[i]) * scale;
}

extern "C" __global__ void scaled(const T* x, const T* scale, const T* shift, T* out, long long channels,
        long long places, long long n) {
    EACH(i, n) {
        long long c = i / places % channels;
        A v = x[i];
        if (scale) v *= A(scale[c]);
        if (shift) v += A(shift[c]);
        out[i] = v;
    }
}

extern "C" __global__ void combined(T* x, const T* g, const T* by_x, const T* by_g, const T* shift, long long channels,
        long long places, long long n) {
    EACH(i, n) {
        long long c = i / places % channels;
        x[i] = A(x[i]) * A(by_x[c]) + A(g[i]) * A(by_g[c]) + A(shift[c]);
    }
}

// --- a block for each row: norms, softmax and cross-entropy ---------------------------------------------------------------

template <bool centred> __device__ void normed(const T* x, T* normal, T* rstd, long long n, A eps) {
    x += blockIdx.x * n;
    normal += blockIdx.x * n;
    A sum = 0, squares = 0;
    if (centred) ALONG(i, n) sum += A(x[i]);
    A mean = centred ? joined<false>(sum) / n : A(0);
    ALONG(i, n) squares += (A(x[i]) - mean) * (A(x[i]) - mean);
    A scale = 1 / sqrt(joined<false>(squares) / n + eps);
    ALONG(i, n) normal[i] = (A(x[i]) - mean) * scale;
    if (threadIdx.x == 0) rstd[blockIdx.x] = scale;
}

template <bool centred> __device__ void normed_grad(const T* g, const T* normal, const T* rstd, T* out, long long n) {
    g += blockIdx.x * n;
    normal += blockIdx.x * n;
    out += blockIdx.x * n;
    A sum = 0, coupled = 0;
    ALONG(i, n) {
        if (centred) sum += A(g[i]);
        coupled += A(g[i]) * A(normal[i]);
    }
    sum = centred ? joined<false>(sum) / n : A(0);
    coupled = joined<false>(coupled) / n;
    ALONG(i, n) out[i] = (A(g[i]) - sum - A(normal[i]) * coupled) * A(rstd[blockIdx.x]);
}

extern "C" __global__ void standardized(const T* x, T* normal, T* rstd, long long n, A eps) {
    normed<true>(x, normal, rstd, n, eps);
}

extern "C" __global__ void standardized_grad(const T* g, const T* normal, const T* rstd, T* out, long long n) {
    normed_grad<true>(g, normal, rstd, out, n);
}

extern "C" __global__ void rms_normal(const T* x, T* normal, T* scale, long long n, A eps) {
    normed<false>(x, normal, scale, n, eps);
}

extern "C" __global__ void rms_normal_grad(const T* g, const T* normal, const T* scale, T* out, long long n) {
    normed_grad<false>(g, normal, scale, out, n);
}

// the numerators of a row's softmax in e, and what they were and are to be divided by: exp(most), and their sum
__device__ void powers(const T* x, T* e, long long n, A* most, A* sum) {
    A largest = x[0], all = 0;
    ALONG(i, n) if (A(x[i]) > largest || A(x[i]) != A(x[i])) largest = x[i];
    *most = joined<true>(largest);
    ALONG(i, n) {
        A power = exp(A(x[i]) - *most);
        e[i] = power;
        all += power;
    }
    *sum = joined<false>(all);
}

extern "C" __global__ void softmax_along(const T* x, T* out, long long n) {
    A most, sum;
    out += blockIdx.x * n;
    powers(x + blockIdx.x * n, out, n, &most, &sum);
    ALONG(i, n) out[i] = A(out[i]) / sum;
}

extern "C" __global__ void softmax_along_grad(const T* g, const T* out, T* gx, long long n) {
    long long begin = blockIdx.x * n;
    A sum = 0;
    ALONG(i, n) sum += A(g[begin + i]) * A(out[begin + i]);
    sum = joined<false>(sum);
    ALONG(i, n) gx[begin + i] = A(out[begin + i]) * (A(g[begin + i]) - sum);
}

extern "C" __global__ void log_softmax_along(const T* x, T* out, long long n) {
    A most, sum;
    x += blockIdx.x * n;
    out += blockIdx.x * n;
    powers(x, out, n, &most, &sum);
    ALONG(i, n) out[i] = A(x[i]) - most - log(sum);
}

extern "C" __global__ void log_softmax_along_grad(const T* g, const T* out, T* gx, long long n) {
    long long begin = blockIdx.x * n;
    A sum = 0;
    ALONG(i, n) sum += A(g[begin + i]);
    sum = joined<false>(sum);
    ALONG(i, n) gx[begin + i] = A(g[begin + i]) - exp(A(out[begin + i])) * sum;
}

extern "C" __global__ void softmax_losses(const T* x, const long long* target, T* losses, T* e, T* s, long long n) {
    A most, sum;
    x += blockIdx.x * n;
    powers(x, e + blockIdx.x * n, n, &most, &sum);
    if (threadIdx.x == 0) {
        s[blockIdx.x] = sum;
        losses[blockIdx.x] = log(sum) - (A(x[(target[blockIdx.x] % n + n) % n]) - most);
    }
}

extern "C" __global__ void softmax_losses_grad(const T* e, const T* s, const T* total, long long total_step,
        const T* at_target, long long at_target_step, const long long* target, T* out, long long n) {
    e += blockIdx.x * n;
    out += blockIdx.x * n;
    A scale = A(total[blockIdx.x * total_step]) / A(s[blockIdx.x]);
    long long right = (target[blockIdx.x] % n + n) % n;
    ALONG(i, n) out[i] = A(e[i]) * scale - (i == right ? A(at_target[blockIdx.x * at_target_step]) : A(0));
}

// --- attention: a thread for each column of scores (B, rows, columns), whose neighbours read the numbers beside -------------

extern "C" __global__ void column_powers(T* scores, T* sums, long long rows, long long columns, A lowest, A tiny,
        long long n) {
    EACH(i, n) {
        T* at = scores + i / columns * rows * columns + i % columns;
        A most = A(at[0]), sum = 0;
        for (long long k = 1; k < rows; k++) {
            A score = at[k * columns];
            if (score > most || score != score) most = score;
        }
        if (most < lowest) most = lowest;
        for (long long k = 0; k < rows; k++) {
            A power = exp(A(at[k * columns]) - most);
            at[k * columns] = power;
            sum += power;
        }
        sums[i] = sum < tiny ? tiny : sum;
    }
}

// --- an embedding's gradient ----------------------------------------------------------------------------------------------

extern "C" __global__ void add_rows(const T* x, const long long* index, T* table, long long width, long long n) {
    EACH(i, n) atomicAdd(&table[index[i / width] * width + i % width], x[i]);
}

// --- pooling: three dimensions, the first ones of length 1 where there are fewer -------------------------------------------

struct Windows {
    int in[3], out[3], kernel[3], stride[3], pad[3], step[3];

    __device__ int taps() const { return kernel[0] * kernel[1] * kernel[2]; }
    __device__ long long plane(const int* size) const { return (long long)size[0] * size[1] * size[2]; }

    // which element of the input (of all planes) the tap k of window i meets; -1 outside
    __device__ long long element(long long i, int k) const {
        int window[3] = {int(i / out[2] / out[1] % out[0]), int(i / out[2] % out[1]), int(i % out[2])};
        int tap[3] = {k / kernel[2] / kernel[1], k / kernel[2] % kernel[1], k % kernel[2]};
        long long found = i / plane(out);
        for (int d = 0; d < 3; d++) {
            int place = window[d] * stride[d] - pad[d] + tap[d] * step[d];
            if (place < 0 || place >= in[d]) return -1;
            found = found * in[d] + place;
        }
        return found;
    }

    // which window (of all planes) has element i of the input under its tap k; -1 for none
    __device__ long long window(long long i, int k) const {
        int place[3] = {int(i / in[2] / in[1] % in[0]), int(i / in[2] % in[1]), int(i % in[2])};
        int tap[3] = {k / kernel[2] / kernel[1], k / kernel[2] % kernel[1], k % kernel[2]};
        long long found = i / plane(in);
        for (int d = 0; d < 3; d++) {
            int offset = place[d] + pad[d] - tap[d] * step[d];
            if (offset < 0 || offset % stride[d] || offset / stride[d] >= out[d]) return -1;
            found = found * out[d] + offset / stride[d];
        }
        return found;
    }
};

// the sum of what the taps of window i meet; or, the way back, of the windows that have element i under a tap: under
// those alone that `taps` names, where it is given
template <bool back> __device__ A over_taps(const T* x, const K* taps, const Windows* where, long long i) {
    A sum = 0;
    for (int k = 0; k < where->taps(); k++) {
        long long at = back ? where->window(i, k) : where->element(i, k);
        if (at >= 0 && (!taps || taps[at] == k)) sum += A(x[at]);
    }
    return sum;
}

extern "C" __global__ void window_sums(const T* x, T* sums, const Windows* where, long long n) {
    EACH(i, n) sums[i] = over_taps<false>(x, nullptr, where, i);
}

extern "C" __global__ void window_shares(const T* x, T* shares, const Windows* where, long long n) {
    EACH(i, n) shares[i] = over_taps<true>(x, nullptr, where, i);
}

extern "C" __global__ void tap_sums(const T* x, T* sums, const K* taps, const Windows* where, long long n) {
    EACH(i, n) sums[i] = over_taps<true>(x, taps, where, i);
}

extern "C" __global__ void maxima(const T* x, T* values, K* taps, const Windows* where, long long n) {
    EACH(i, n) {
        A best = 0;
        int tap = -1;
        for (int k = 0; k < where->taps(); k++) {
            long long at = where->element(i, k);
            if (at < 0) continue;
            A value = x[at];
            if (tap < 0 || value > best || value != value) {
                best = value;
                tap = k;
            }
        }
        values[i] = best;
        taps[i] = tap;
    }
}

// --- optimizers: all parameters of a group, of which a table has the addresses, and where each ends among all elements ----

// which parameter has element i of all of them; i becomes its place there
__device__ long long located(T* const* last_row, long long count, long long* i) {
    const long long* ends = (const long long*)last_row;
    long long low = 0, high = count - 1;
    while (low < high) {
        long long middle = (low + high) / 2;
        if (*i < ends[middle]) high = middle; else low = middle + 1;
    }
    if (low) *i -= ends[low - 1];
    return low;
}

extern "C" __global__ void sgd(T* const* table, long long count, A lr, A momentum, A gain, A decay, A sign,
        long long nesterov, long long first, long long n) {
    EACH(i, n) {
        long long k = i, which = located(table + 3 * count, count, &k);
        T *p = table[which], *sums = table[2 * count + which];
        A step = sign * A(table[count + which][k]) + decay * A(p[k]);
        if (sums) {
            A sum = first ? step : momentum * A(sums[k]) + gain * step;
            sums[k] = sum;
            step = nesterov ? step + momentum * sum : sum;
        }
        p[k] = A(p[k]) - lr * step;
    }
}

extern "C" __global__ void adam(T* const* table, long long count, A size, A gain1, A beta2, A gain2, A eps,
        A correction, A shrink, A decay, A sign, long long n) {
    EACH(i, n) {
        long long k = i, which = located(table + 5 * count, count, &k);
        T *p = table[which], *m = table[2 * count + which], *v = table[3 * count + which], *most = table[4 * count + which];
        A x = A(p[k]) * shrink, g = sign * A(table[count + which][k]) + decay * A(p[k]);
        A mean = A(m[k]) + gain1 * (g - A(m[k])), square = beta2 * A(v[k]) + gain2 * g * g;
        m[k] = mean;
        v[k] = square;
        if (most) {
            square = square > A(most[k]) ? square : A(most[k]);
            most[k] = square;
        }
        p[k] = x - size * mean / (sqrt(square) / correction + eps);
    }
}

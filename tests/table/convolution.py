import itertools

import numpy as np

from . import call, entry


def _pairs(shape, size, kernel, stride, padding, dilation):
    """Every window, every tap of it, and the element that they meet, where that is inside."""
    for p, k in itertools.product(np.ndindex(*size), np.ndindex(*kernel)):
        q = tuple(np.array(p) * stride + np.array(k) * dilation - padding)
        if all(0 <= i < n for i, n in zip(q, shape, strict=True)):
            yield p, k, q


def _channels(groups, inputs, outputs):
    """Every output channel with every input channel of its group, and that one's number in the group."""
    c, o = inputs // groups, outputs // groups
    for g, i, j in itertools.product(range(groups), range(c), range(o)):
        yield g * c + i, g * o + j, i


def _convolution(x, weight, bias, size, stride, padding, dilation, groups):
    out = np.zeros((len(x), len(weight), *size), np.result_type(x, weight))
    for p, k, q in _pairs(x.shape[2:], size, weight.shape[2:], stride, padding, dilation):
        for c, o, i in _channels(groups, x.shape[1], len(weight)):
            out[(slice(None), o, *p)] += x[(slice(None), c, *q)] * weight[(o, i, *k)]
    return out if bias is None else out + bias.reshape(-1, *[1] * len(size))


def _conv_transpose(x, weight, bias, size, stride, padding, dilation, groups):
    channels = weight.shape[1] * groups
    out = np.zeros((len(x), channels, *size), np.result_type(x, weight))
    for p, k, q in _pairs(size, x.shape[2:], weight.shape[2:], stride, padding, dilation):
        for c, o, i in _channels(groups, channels, len(weight)):
            out[(slice(None), c, *q)] += x[(slice(None), o, *p)] * weight[(o, i, *k)]
    return out if bias is None else out + bias.reshape(-1, *[1] * len(size))


def _kernel_grad(x, y, size, stride, padding, dilation, groups):
    out = np.zeros((y.shape[1], x.shape[1] // groups, *size), np.result_type(x, y))
    for p, k, q in _pairs(x.shape[2:], y.shape[2:], size, stride, padding, dilation):
        for c, o, i in _channels(groups, x.shape[1], y.shape[1]):
            out[(o, i, *k)] += (x[(slice(None), c, *q)] * y[(slice(None), o, *p)]).sum()
    return out


def _both_grads(y, x, weight, padding, dilation, groups):
    where = ((1,) * len(padding), padding, dilation, groups)
    return _conv_transpose(y, weight, None, x.shape[2:], *where), _kernel_grad(x, y, weight.shape[2:], *where)


# channels, outputs, groups; input, kernel; stride, padding, dilation
SHAPES = [
    (2, 3, 1, (7,), (3,), (1,), (0,), (1,)),
    (7, 4, 1, (8,), (2,), (3,), (1,), (2,)),
    (2, 3, 1, (1,), (3,), (3,), (1,), (1,)),
    (2, 3, 1, (5, 4), (3, 2), (1, 1), (1, 1), (1, 1)),
    (4, 6, 2, (7, 6), (3, 3), (2, 1), (1, 2), (1, 2)),
    (12, 4, 2, (5, 5), (2, 3), (1, 2), (1, 1), (2, 1)),
    (3, 3, 3, (6, 5), (3, 3), (1, 1), (1, 1), (1, 1)),  # one channel for each kernel
    (2, 6, 2, (6, 5), (2, 3), (2, 1), (0, 1), (1, 2)),
    (3, 2, 1, (5, 4), (1, 1), (1, 1), (0, 0), (1, 1)),  # a matrix product
    (3, 2, 1, (5, 6), (1, 1), (2, 3), (0, 0), (1, 1)),
    (2, 2, 1, (3, 4, 3), (2, 2, 2), (1, 2, 1), (0, 1, 1), (1, 1, 2)),
]


def _size(n, kernel, stride, padding, dilation):
    return tuple(
        (m + 2 * p - d * (k - 1) - 1) // s + 1
        for m, k, s, p, d in zip(n, kernel, stride, padding, dilation, strict=True)
    )


def _forward(c, o, groups, n, kernel, *where, batch=2, bias=True):
    size = _size(n, kernel, *where)
    return lambda r: call(r(batch, c, *n), r(o, c // groups, *kernel), r(o) if bias else None, size, *where, groups)


def _transpose(c, o, groups, n, kernel, *where, batch=2, bias=True):
    size = _size(n, kernel, *where)
    return lambda r: call(r(batch, o, *size), r(o, c // groups, *kernel), r(c) if bias else None, n, *where, groups)


def _kernel(c, o, groups, n, kernel, *where, batch=2):
    size = _size(n, kernel, *where)
    return lambda r: call(r(batch, c, *n), r(batch, o, *size), kernel, *where, groups)


def _both(c, o, groups, n, kernel, stride, padding, dilation, batch=2):
    size = _size(n, kernel, (1,) * len(n), padding, dilation)
    return lambda r: call(r(batch, o, *size), r(batch, c, *n), r(o, c // groups, *kernel), padding, dilation, groups)


entry(
    "convolution",
    *[_forward(*shape) for shape in SHAPES],
    _forward(*SHAPES[4], batch=0),
    _forward(*SHAPES[3], bias=False),
    lambda r: call(r.complex(1, 2, 4, 3), r.complex(2, 2, 2, 2), r.complex(2), (5, 2), (1, 1), (1, 0), (1, 1), 1),
    expect=_convolution,
)
entry(
    "conv_transpose",
    *[_transpose(*shape) for shape in SHAPES],
    _transpose(*SHAPES[4], batch=0),
    _transpose(*SHAPES[3], bias=False),
    expect=_conv_transpose,
)
entry(
    "conv_kernel_grad",
    *[_kernel(*shape) for shape in SHAPES],
    _kernel(*SHAPES[4], batch=0),
    expect=_kernel_grad,
)
entry(
    "conv_grads",
    *[_both(*shape) for shape in SHAPES],
    _both(*SHAPES[4], batch=0),
    expect=_both_grads,
)

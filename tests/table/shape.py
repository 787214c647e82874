import itertools

import numpy as np

import tinygrad_edu as tg
from tinygrad_edu.ops.parts import _as_strided, _diagonal, _select, _slice, _unfold

from . import call, entry

# --- another arrangement ------------------------------------------------------------------------------------------------

entry(
    "view",
    lambda r: call(r(3, 4), (2, 6)),
    lambda r: call(r(), (1, 1)),
    lambda r: call(r(0, 3), (3, 0, 2)),
    expect=lambda x, shape: np.array(x.ravel().tolist()).reshape(shape),
)
entry(
    "permute",
    lambda r: call(r(2, 3, 4), (1, 2, 0)),
    lambda r: call(r(), ()),
    lambda r: call(r(2, 0, 3), (2, 0, 1)),
    expect=lambda x, dims: np.einsum(x, list(range(x.ndim)), list(dims)),
)
entry(
    "transpose",
    lambda r: call(r(2, 3, 4), 0, -1),
    lambda r: call(r(2, 3), 1, 1),
    lambda r: call(r(), 0, -1),
    expect=lambda x, dim0, dim1: np.swapaxes(x, dim0, dim1) if x.ndim else x,
)
entry(
    "mT",
    lambda r: call(r(2, 3, 4)),
    lambda r: call(r(0, 2)),
    expect=lambda x: np.einsum("...ij->...ji", x),
)
entry(
    "squeeze",
    lambda r: call(r(1, 3, 1), (0, 2)),
    lambda r: call(r(1, 1), (0, 1)),
    lambda r: call(r(), ()),
    expect=lambda x, dims: x.ravel().reshape([n for d, n in enumerate(x.shape) if d not in dims]),
)
entry(
    "unsqueeze",
    lambda r: call(r(3, 2), 1),
    lambda r: call(r(3, 2), -1),
    lambda r: call(r(), 0),
    expect=lambda x, dim: np.stack([x], dim),
)
entry(
    "view_as_dtype",
    lambda r: call(np.array([[1, 2**32 + 5]]), tg.int32),
    expect=lambda x, dtype: np.array([[1, 0, 5, 1]]),
    gradient=False,
    strided=False,  # the bytes must lie together
)

# --- parts ---------------------------------------------------------------------------------------------------------------

entry(
    "select",
    lambda r: call(r(3, 4), 0, 1),
    lambda r: call(r(2, 3, 4), 1, -1),
    lambda r: call(r(3), 0, 2),
    expect=lambda x, dim, index: np.take(x, index, dim),
)
entry(
    "slice",
    lambda r: call(r(5, 4), (slice(1, None, 2), ..., slice(0, 3))),
    lambda r: call(r(2, 3), (1, None, slice(5, 9))),
    lambda r: call(r(), (None, ...)),
    expect=lambda x, key: x.__getitem__(key),
)


def _diagonal_of(x, offset, dim1, dim2):
    rest = [n for d, n in enumerate(x.shape) if d not in (dim1, dim2)]
    y = np.moveaxis(x, (dim1, dim2), (-2, -1))
    pairs = [(i, i + offset) for i in range(y.shape[-2]) if 0 <= i + offset < y.shape[-1]]
    return np.stack([y[..., i, j] for i, j in pairs], -1) if pairs else np.zeros((*rest, 0))


entry(
    "diagonal",
    lambda r: call(r(3, 4), 0, 0, 1),
    lambda r: call(r(3, 2, 4), -1, 2, 0),
    lambda r: call(r(3, 3), 5, 0, 1),
    expect=_diagonal_of,
)


def _windows(x, dimension, size, step):
    if not x.ndim:
        return x.reshape(1)[:size]
    starts = range(0, x.shape[dimension] - size + 1, step)
    windows = [np.moveaxis(np.take(x, range(i, i + size), dimension), dimension, -1) for i in starts]
    return np.stack(windows, dimension)


entry(
    "unfold",
    lambda r: call(r(7), 0, 3, 2),
    lambda r: call(r(2, 5), 1, 3, 1),
    lambda r: call(r(4, 2), 0, 2, 3),
    lambda r: call(r(), 0, 1, 1),
    expect=_windows,
)


def _strided(x, size, stride, offset):
    places = [offset + sum(i * s for i, s in zip(at, stride, strict=True)) for at in np.ndindex(*size)]
    return x.ravel()[places].reshape(size)


def _strided_scatter(x, src, size, stride, offset):
    out = x.ravel().copy()
    for at in np.ndindex(*size):
        out[offset + sum(i * s for i, s in zip(at, stride, strict=True))] = src[at]
    return out.reshape(x.shape)


# the strides say where in the memory to look: that memory must be as the sample has it
entry(
    "as_strided",
    lambda r: call(r(12), (3, 2), (2, 1), 1),
    lambda r: call(r(3, 4), (3, 3), (1, 2), 0),
    lambda r: call(r(5), (), (), 2),
    expect=_strided,
    strided=False,
)
entry(
    "as_strided_scatter",
    lambda r: call(r(12), r(3, 2), (3, 2), (4, 1), 1),
    lambda r: call(r(3, 4), r(2), (2,), (5,), 1),
    expect=_strided_scatter,
    strided=False,
)


def _placed(x, shape, view, options):
    out = np.zeros(shape)
    view(out, *options)[...] += x
    return out


def _deposited(x, shape, view, options):
    out = np.zeros(int(np.prod(shape)))
    places = view(np.arange(out.size).reshape(shape), *options)
    for at in np.ndindex(*x.shape):
        out[places[at]] += x[at]
    return out.reshape(shape)


entry(
    "place",
    lambda r: call(r(3), (3, 4), _diagonal, (1, 0, 1)),
    lambda r: call(r(2, 4), (2, 3, 4), _select, (1, 2)),
    lambda r: call(r(2, 1), (4, 3), _slice, ((slice(0, 4, 2), slice(1, 2)),)),
    expect=_placed,
)
entry(
    "deposit",
    lambda r: call(r(3, 3), (7,), _unfold, (0, 3, 2)),
    lambda r: call(r(3, 4), (6,), _as_strided, ((3, 4), (0, 1), 1)),
    expect=_deposited,
)

# --- movement ------------------------------------------------------------------------------------------------------------

entry(
    "flip",
    lambda r: call(r(3, 4), (0, 1)),
    lambda r: call(r(2, 3, 2), (1,)),
    lambda r: call(r(), ()),
    expect=lambda x, dims: x[tuple(slice(None, None, -1 if d in dims else 1) for d in range(x.ndim))],
)


def _rolled(x, shifts, dims):
    for shift, dim in zip(shifts, dims, strict=True):
        x = np.take(x, (np.arange(x.shape[dim]) - shift) % max(x.shape[dim], 1), dim)
    return x


entry(
    "roll",
    lambda r: call(r(3, 4), (1,), (0,)),
    lambda r: call(r(3, 4), (-5, 2), (1, 0)),
    lambda r: call(r(2, 0), (1,), (1,)),
    expect=_rolled,
)


def _turned(x, k, dims):
    for _ in range(k % 4):
        x = np.flip(np.swapaxes(x, *dims), dims[0])
    return x


entry(
    "rot90",
    lambda r: call(r(3, 4), 1, (0, 1)),
    lambda r: call(r(2, 3, 4), -1, (2, 0)),
    lambda r: call(r(3, 2), 2, (1, 0)),
    expect=_turned,
)


def _kept(x, inside):
    i, j = np.ogrid[: x.shape[-2], : x.shape[-1]]
    return np.where(inside(j - i), x, 0)


entry(
    "tril",
    lambda r: call(r(3, 4), 0),
    lambda r: call(r(2, 4, 3), -1),
    lambda r: call(r(0, 3), 1),
    expect=lambda x, diagonal: _kept(x, lambda k: k <= diagonal),
)
entry(
    "triu",
    lambda r: call(r(3, 4), 0),
    lambda r: call(r(2, 4, 3), 1),
    lambda r: call(r(0, 3), 1),
    expect=lambda x, diagonal: _kept(x, lambda k: k >= diagonal),
)


def _repeated(x, repeats):
    x = x.reshape((1,) * (len(repeats) - x.ndim) + x.shape)
    for dim, times in enumerate(repeats):
        x = np.concatenate([x] * times, dim) if times else np.take(x, [], dim)
    return x


entry(
    "repeat",
    lambda r: call(r(3), (2,)),
    lambda r: call(r(2, 3), (2, 1, 3)),
    lambda r: call(r(2), (3, 0)),
    lambda r: call(r(), (2,)),
    expect=_repeated,
)

# --- joining and splitting -------------------------------------------------------------------------------------------------

entry(
    "cat",
    lambda r: call([r(2, 3), r(1, 3), r(0, 3)], 0),
    lambda r: call([r(2, 3), r(2, 1)], 1),
    lambda r: call([r(4)], 0),
    expect=lambda xs, dim: np.moveaxis(np.array(list(itertools.chain(*[np.moveaxis(x, dim, 0) for x in xs]))), 0, dim),
)
entry(
    "stack",
    lambda r: call([r(2, 3), r(2, 3)], 1),
    lambda r: call([r(), r(), r()], 0),
    lambda r: call([r(2, 3), r(2, 3)], 2),
    expect=lambda xs, dim: np.moveaxis(np.array(xs), 0, dim),
)
entry(
    "split",
    lambda r: call(r(5, 2), (2, 3), 0),
    lambda r: call(r(2, 4), (1, 0, 3), 1),
    expect=lambda x, lengths, dim: np.split(x, np.cumsum(lengths)[:-1], dim),
)
entry(
    "unbind",
    lambda r: call(r(3, 2), 0),
    lambda r: call(r(3, 2), 1),
    lambda r: call(r(3), 0),
    expect=lambda x, dim: list(np.moveaxis(x, dim, 0)),
)

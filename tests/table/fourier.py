import numpy as np

from . import call, entry


def _matrix(n, sign=-1):
    """The transform written out: exp(∓2πi jk/n)."""
    k = np.arange(n)
    return np.exp(sign * 2j * np.pi * np.outer(k, k) / n)


def _scale(n, norm, forward):
    return {"backward": 1 if forward else n, "forward": n if forward else 1, "ortho": n**0.5}[norm]


def _along(x, dim, matrix):
    return np.moveaxis(np.tensordot(matrix, x, (1, dim)), 0, dim)


def _transform(sign):
    def expect(x, dims, norm="backward"):
        for d in dims:
            x = _along(x, d, _matrix(x.shape[d], sign) / _scale(x.shape[d], norm, sign < 0))
        return x

    return expect


def _rfft(x, dim, norm="backward"):
    return np.take(_transform(-1)(x, (dim,), norm), range(x.shape[dim] // 2 + 1), dim)


def _irfft(x, dim, n, norm="backward"):
    x = np.moveaxis(x, dim, -1)
    mirrored = np.conj(x[..., 1 : (n + 1) // 2])[..., ::-1]
    first = x.copy()
    first[..., 0] = first[..., 0].real
    if n % 2 == 0:
        first[..., -1] = first[..., -1].real
    full = np.concatenate([first, mirrored], -1)
    return np.moveaxis(_transform(1)(full, (-1,), norm).real, -1, dim)


def _fit(x, dims, lengths):
    for d, n in zip(dims, lengths, strict=True):
        x = np.take(x, range(min(n, x.shape[d])), d)
        pads = [(0, n - x.shape[d] if i == d else 0) for i in range(x.ndim)]
        x = np.pad(x, pads)
    return x


for name, sign in (("fft", -1), ("ifft", 1)):
    entry(
        name,
        lambda r: call(r.complex(3, 4), (1,)),
        lambda r: call(r(3, 5), (1,), "ortho"),
        lambda r: call(r.complex(2, 3, 4), (0, 2), "forward"),
        lambda r: call(r.complex(2, 0, 3), (2,)),
        lambda r: call(r.complex(1), (0,)),
        expect=_transform(sign),
    )
entry(
    "rfft",
    lambda r: call(r(3, 4), 1),
    lambda r: call(r(5, 3), 0, "ortho"),
    lambda r: call(r(7), 0, "forward"),
    lambda r: call(r(1), 0),
    expect=_rfft,
)
entry(
    "irfft",
    lambda r: call(r.complex(3, 4), 1, 6),
    lambda r: call(r.complex(3, 2), 0, 5, "ortho"),
    lambda r: call(r.complex(4), 0, 7, "forward"),
    lambda r: call(r.complex(1), 0, 1),
    expect=_irfft,
)
entry(
    "fit",
    lambda r: call(r(3, 4), (0, 1), (2, 6)),
    lambda r: call(r.complex(2, 3), (1,), (1,)),
    lambda r: call(r(3), (0,), (3,)),
    expect=_fit,
)

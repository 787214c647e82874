import cmath

import numpy as np

from . import Call, Draw, call, entry


def _samples(*shapes: tuple) -> list:
    def sample(shape: tuple, draw: str):
        return lambda r: call(getattr(r, draw)(*shape))

    return [sample(shape, draw) for draw in ("complex", "off_zero") for shape in shapes]


def _each(function, kind=float):
    return np.vectorize(function, otypes=[kind])


_both = _samples((3, 4), (), (0, 3))
_complex = _both[:3]

entry("real", *_both, expect=lambda x: np.asarray(x).real)
entry("imag", *_complex, expect=lambda x: np.asarray(x).imag)
entry("conj", *_complex, expect=lambda x: x.real - 1j * x.imag)
entry("abs", *_both, expect=lambda x: np.sqrt(x.real**2 + x.imag**2))
entry("sgn", *_both, expect=lambda x: x / abs(x))
entry("angle", *_both, expect=_each(cmath.phase))


def _parts(a: tuple, b: tuple):
    def sample(r: Draw) -> Call:
        return call(r(*a), r(*b))

    return sample


entry("complex", _parts((3, 4), (4,)), _parts((), ()), _parts((0, 3), (1,)), expect=lambda x, y: x + 1j * y)
entry("view_as_real", *_complex, expect=lambda x: np.stack([x.real, x.imag], -1))
entry(
    "view_as_complex",
    lambda r: call(r(3, 4, 2)),
    lambda r: call(r(2)),
    lambda r: call(r(0, 3, 2)),
    expect=lambda x: x[..., 0] + 1j * x[..., 1],
    strided=False,  # the two parts must be neighbours in memory
)

import numpy as np
from numpy.polynomial import hermite, hermite_e, laguerre, legendre

from . import call, entry


def _basis(evaluate):
    """The polynomial of degree n by NumPy's evaluation of a series in them."""
    return np.vectorize(lambda x, n: evaluate(x, [0] * int(n) + [1]), otypes=[float])


def _by_angle(numerator, denominator, shift):
    """A Chebyshev polynomial as a quotient of waves of `arccos(x)`."""

    def value(x, n):
        t = np.arccos(2 * x - 1 if shift else x)
        return numerator(n, t) / denominator(t)

    return value


WAVES = {
    "t": (lambda n, t: np.cos(n * t), lambda t: 1),
    "u": (lambda n, t: np.sin((n + 1) * t), np.sin),
    "v": (lambda n, t: np.cos((n + 0.5) * t), lambda t: np.cos(t / 2)),
    "w": (lambda n, t: np.sin((n + 0.5) * t), lambda t: np.sin(t / 2)),
}


def _family(name, expect, low=-0.9):
    entry(
        name,
        lambda r: call(r.between(low, 0.9, 3, 1), r.ints(0, 9, 4)),
        lambda r: call(r.between(low, 0.9), r.ints(0, 9)),
        lambda r: call(r.between(low, 0.9, 0, 3), r.ints(0, 9, 3)),
        expect=expect,
        gradient=False,
    )


for _kind, _waves in WAVES.items():
    _family(f"chebyshev_polynomial_{_kind}", _by_angle(*_waves, shift=False))
    _family(f"shifted_chebyshev_polynomial_{_kind}", _by_angle(*_waves, shift=True), low=0.1)
_family("legendre_polynomial_p", _basis(legendre.legval))
_family("hermite_polynomial_h", _basis(hermite.hermval))
_family("hermite_polynomial_he", _basis(hermite_e.hermeval))
_family("laguerre_polynomial_l", _basis(laguerre.lagval))

"""Orthogonal polynomials, each by its recurrence over the degree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..op import op
from .operands import in_double, tensors

HIGHEST = 1_000_000  # degree


def _by_recurrence(x: Any, n: Any, first: Any, step: Callable) -> Any:
    """The polynomial of degree n: 1, `first`, and then `step(k, x, before, last)`; 0 for negative degrees."""
    n = np.trunc(n)
    before, last = np.ones_like(x), first
    out = np.where(n == 0, before, np.where(n == 1, last, 0)) + 0 * x
    highest = int(n.max()) if n.size else 0  # the one place that needs to know the degrees beforehand
    if highest > HIGHEST:
        raise RuntimeError(f"a polynomial of degree {highest}: each degree is a step, and at most {HIGHEST} are made")
    for k in range(2, highest + 1):
        before, last = last, step(k, x, before, last)
        out = np.where(n == k, last, out)
    return out


def _chebyshev(k, x, before, last):
    return 2 * x * last - before


def _hermite_h(k, x, before, last):
    return 2 * (x * last - (k - 1) * before)


def _hermite_he(k, x, before, last):
    return x * last - (k - 1) * before


def _laguerre(k, x, before, last):
    return ((2 * k - 1 - x) * last - (k - 1) * before) / k


def _legendre(k, x, before, last):
    return ((2 * k - 1) * x * last - (k - 1) * before) / k


def _polynomial(name: str, meaning: str, first: Callable, step: Callable, shifted: bool = False) -> Callable:
    """The operation for one family; `shifted` from [-1, 1] to [0, 1]."""

    def forward(x, n):
        def values(x, n):
            x = 2 * x - 1 if shifted else x
            return _by_recurrence(x, n, first(x), step)

        return in_double(values, x, n)

    forward.__name__, forward.__doc__ = f"_{name}", meaning
    made = op(forward, differentiable=False)

    def function(input, n, *, out=None):
        return made(*tensors(input, n), out=out)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = meaning
    return function


FIRST = {"t": lambda x: x, "u": lambda x: 2 * x, "v": lambda x: 2 * x - 1, "w": lambda x: 2 * x + 1}


def _of_chebyshev(kind: str, shifted: bool = False) -> Callable:
    name = f"{'shifted_' * shifted}chebyshev_polynomial_{kind}"
    where = "[0, 1]" if shifted else "[-1, 1]"
    meaning = f"Chebyshev's polynomial {kind.upper()} of degree n, for {where}."
    return _polynomial(name, meaning, FIRST[kind], _chebyshev, shifted)


chebyshev_polynomial_t = _of_chebyshev("t")
chebyshev_polynomial_u = _of_chebyshev("u")
chebyshev_polynomial_v = _of_chebyshev("v")
chebyshev_polynomial_w = _of_chebyshev("w")
shifted_chebyshev_polynomial_t = _of_chebyshev("t", shifted=True)
shifted_chebyshev_polynomial_u = _of_chebyshev("u", shifted=True)
shifted_chebyshev_polynomial_v = _of_chebyshev("v", shifted=True)
shifted_chebyshev_polynomial_w = _of_chebyshev("w", shifted=True)
hermite_polynomial_h = _polynomial(
    "hermite_polynomial_h", "Hermite's polynomial of degree n, as in physics.", lambda x: 2 * x, _hermite_h
)
hermite_polynomial_he = _polynomial(
    "hermite_polynomial_he", "Hermite's polynomial of degree n, as in probability.", lambda x: x, _hermite_he
)
laguerre_polynomial_l = _polynomial(
    "laguerre_polynomial_l", "Laguerre's polynomial of degree n.", lambda x: 1 - x, _laguerre
)
legendre_polynomial_p = _polynomial(
    "legendre_polynomial_p", "Legendre's polynomial of degree n.", lambda x: x, _legendre
)

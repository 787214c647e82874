"""What an operation comes down to once shapes and types are known: one expression of NumPy's, where there is one.

An operation looks at what it is given, and may be given anything. A recording is replayed for the same shapes and
types alone, so that a call of `relu` is `maximum(x, 0)` there. Each is tried on the numbers of the recording, and
taken only if it gives the same bits.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..sums import ones

FUNCTIONS: dict[str, Any] = {"maximum": np.maximum, "iadd": operator.iadd}


def _matrices(form: str, *arrays: Any) -> str:
    """A form for products of matrices, and sums of rows."""
    fit = all(type(a) is np.ndarray and a.ndim == 2 and a.dtype.char in "fd" for a in arrays)
    return form if fit else ""


def _linear(x: Any, weight: Any, bias: Any = None) -> str:
    return _matrices("{0}.dot({1}.T)" if bias is None else "{iadd}({0}.dot({1}.T), {2})", x, weight)


FORMS: dict[str, Callable[..., str]] = {
    "relu": lambda x: "{maximum}({0}, {zero})" if x.dtype.kind == "f" else "",
    "relu_grad_x": lambda g, out: "{0} * ({1} > {zero})" if g.size < 1 << 16 else "",
    "linear": _linear,
    "linear_grad_x": lambda g, weight: _matrices("{0}.dot({1})", g, weight),
    "linear_grad_weight": lambda g, x, shape: _matrices("{0}.T.dot({1})", g, x),
    "matmul": lambda x, y: _matrices("{0}.dot({1})", x, y),
    "sum_to": lambda g, shape: _matrices("{ones}.dot({0})" if len(g) <= 1024 and shape == g.shape[1:] else "", g),
}


def shorter(name: str, args: Sequence[Any], out: Any) -> tuple[str, dict[str, Any]]:
    """A form for the call of an operation or a rule, with what its names stand for; an empty one if none is known."""
    form = FORMS[name](*args) if name in FORMS and type(args[0]) is np.ndarray and args[0].ndim else ""
    if not form:
        return "", {}
    x = args[0]
    known = {**FUNCTIONS, "ones": ones(len(x), x.dtype), "zero": _zero(x.dtype)}
    used = {n: value for n, value in known.items() if f"{{{n}}}" in form}
    text = form.format(*[f"a{i}" for i in range(len(args))], **{n: n for n in used})
    tried = eval(text, {**used, **{f"a{i}": a for i, a in enumerate(args)}})
    same = tried.dtype == out.dtype and np.array_equal(tried, out, equal_nan=True)
    return (form, used) if same else ("", {})


@functools.cache
def _zero(dtype: Any) -> np.ndarray:
    """A zero that NumPy need not convert first, which takes half the time of comparing a few numbers with it."""
    return np.zeros((), dtype)

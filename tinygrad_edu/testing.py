"""Comparing tensors in tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from . import dtypes
from .ops import tensor
from .ops.misuse import explain_all as _explain_all
from .tensor import Tensor, wrap

# relative and absolute tolerance by dtype; integers must be equal
TOLERANCES = {
    dtypes.float16: (1e-3, 1e-5), dtypes.float32: (1.3e-6, 1e-5), dtypes.float64: (1e-7, 1e-7),
    dtypes.complex64: (1.3e-6, 1e-5), dtypes.complex128: (1e-7, 1e-7),
}  # fmt: skip


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: Any = None,
) -> None:
    """Raise AssertionError unless two tensors, numbers, or containers of them are alike: `|a - b| <= atol + rtol |b|`."""
    if (rtol is None) != (atol is None):
        raise ValueError("rtol and atol must both be specified or both be unspecified")
    for place, a, b in _pairs(actual, expected, ""):
        wrong = _difference(a, b, rtol, atol, equal_nan, check_device, check_dtype, check_stride)
        if wrong:
            text = wrong + (f"\nThe failure occurred for item {place}" if place else "")
            raise AssertionError(msg(text) if callable(msg) else msg or text)


def _pairs(actual: Any, expected: Any, place: str) -> list[tuple[str, Any, Any]]:
    """What is to be compared with what, and where in the containers it stands."""
    if isinstance(actual, Mapping) and isinstance(expected, Mapping):
        if actual.keys() != expected.keys():
            raise AssertionError(f"The keys of the mappings do not match: {sorted(actual)} and {sorted(expected)}")
        return [pair for k in actual for pair in _pairs(actual[k], expected[k], f"{place}[{k!r}]")]
    if all(isinstance(v, Sequence) and not isinstance(v, str) for v in (actual, expected)):
        if len(actual) != len(expected):
            raise AssertionError(f"The length of the sequences mismatch: {len(actual)} != {len(expected)}")
        both = zip(actual, expected, strict=True)
        return [pair for k, (a, b) in enumerate(both) for pair in _pairs(a, b, f"{place}[{k}]")]
    if isinstance(actual, Tensor) != isinstance(expected, Tensor):
        kinds = f"{type(actual).__name__} and {type(expected).__name__}"
        raise AssertionError(f"{kinds} cannot be compared; make both tensors")
    return [(place, actual, expected)]


def _difference(
    a: Any, b: Any, rtol: float | None, atol: float | None, equal_nan: bool, device: bool, dtype: bool, stride: bool
) -> str:
    """What is wrong between two tensors or numbers; nothing if they are alike."""
    if a is None or b is None:
        return "" if a is b else f"{a} is not {b}"
    if not isinstance(a, Tensor):
        a, b = tensor(a, dtype=_wide(a)), tensor(b, dtype=_wide(b))
        dtype = False
    if a.shape != b.shape:
        return f"The values for attribute 'shape' do not match: {a.shape} != {b.shape}."
    if device and a.device != b.device:
        return f"The values for attribute 'device' do not match: {a.device} != {b.device}."
    if dtype and a.dtype is not b.dtype:
        return f"The values for attribute 'dtype' do not match: {a.dtype} != {b.dtype}."
    if stride and a.stride() != b.stride():
        return f"The values for attribute 'stride()' do not match: {a.stride()} != {b.stride()}."
    if rtol is None or atol is None:
        either = [TOLERANCES.get(t.dtype, (0.0, 0.0)) for t in (a, b)]
        rtol, atol = max(r for r, _ in either), max(t for _, t in either)
    x, y = (t.detach().cpu().numpy() for t in (a, b))
    kind = np.result_type(x.dtype, y.dtype, np.float64) if {x.dtype.kind, y.dtype.kind} & set("fc") else None
    if kind is not None:
        x, y = x.astype(kind), y.astype(kind)
    alike = np.isclose(x, y, rtol=rtol, atol=atol, equal_nan=equal_nan) if kind is not None else x == y
    if alike.all():
        return ""
    gap = np.abs(x.astype(np.complex128) - y) if kind is not None else np.abs(x.astype(object) - y).astype(float)
    at = tuple(
        int(i) for i in np.unravel_index(np.argmax(np.where(alike, -1, np.nan_to_num(gap, nan=np.inf))), x.shape)
    )
    return (
        f"Tensor-likes are not close!\n\nMismatched elements: {int((~alike).sum())} / {alike.size}\n"
        f"Greatest difference: {gap[at]} at index {at}: {x[at]} against {y[at]} (rtol {rtol:g}, atol {atol:g})"
    )


def _wide(number: Any) -> dtypes.dtype | None:
    return {float: dtypes.float64, complex: dtypes.complex128}.get(type(number))


def make_tensor(
    *shape: Any,
    dtype: dtypes.dtype,
    device: Any = None,
    low: float | None = None,
    high: float | None = None,
    requires_grad: bool = False,
    **further: Any,
) -> Tensor:
    """A tensor of uniform random numbers between `low` and `high`, by default from -9 to 9 (integers: 0 to 9)."""
    from .random import rand

    shape = tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
    if dtype is dtypes.bool_:
        return (rand(shape, device=device) < 0.5).requires_grad_(requires_grad)
    low = (0 if dtype.rank == 1 else -9) if low is None else low
    high = (10 if dtype.rank == 1 else 9) if high is None else high
    made = (rand(shape, device=device, dtype=dtypes.float64) * (high - low) + low).to(dtype.to_real())
    if dtype.is_complex:
        parts = made.numpy() + 1j * make_tensor(shape, dtype=dtype.to_real(), low=low, high=high).numpy()
        made = wrap(parts.astype(dtype.numpy))
    return made.requires_grad_(requires_grad)


def assert_allclose(
    actual: Any,
    expected: Any,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = True,
    msg: str = "",
) -> None:
    """The older name: dtypes and devices may differ."""
    to_tensors = [v if isinstance(v, Tensor) else tensor(v) for v in (actual, expected)]
    assert_close(
        *to_tensors, rtol=rtol, atol=atol, equal_nan=equal_nan, check_device=False, check_dtype=False, msg=msg or None
    )


__all__ = ["assert_allclose", "assert_close", "make_tensor"]

_explain_all(globals())

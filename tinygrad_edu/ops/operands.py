"""What the families of operations element by element share about their operands: numbers, kinds, operators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from .. import devices, dtypes
from ..call import general
from ..errors import message, must_be_tensor
from ..tensor import Tensor, wrap
from ..written import written_out

Number = (bool, int, float, complex)


def tensors(x: Any, y: Any) -> tuple[Any, Any]:
    """Two arguments of which one may be a number: the number as a tensor of the type that the two give together."""
    if not isinstance(x, Number) and not isinstance(y, Number):
        return x, y
    arrays = [v.array if isinstance(v, Tensor) else v for v in (x, y)]
    like = next((a for a in arrays if not isinstance(a, Number)), None)
    if like is None:
        raise TypeError(f"one of the arguments must be a Tensor, not both numbers ({x!r}, {y!r}); write tensor({x!r})")
    dtype = dtypes.result_type(*arrays).numpy
    x, y = (wrap(devices.asarray(v, like, dtype)) if isinstance(v, Number) else v for v in (x, y))
    return x, y


OTHER_KINDS = dict.fromkeys("biu", "x.float()") | {"f": "x.long() or x.bool()", "c": "x.abs() or x.real"}


def refuse(kinds: str, name: str, *arrays: Any, instead: str = "") -> None:
    """Raise if an array is of one of these kinds (NumPy's letters), for which the operation has no meaning."""
    for a in arrays:
        if hasattr(a, "dtype") and a.dtype.kind in kinds:
            wrong = f"not implemented for {dtypes.OF_NUMPY[a.dtype]}"
            raise NotImplementedError(message(name, wrong, instead=instead or OTHER_KINDS[a.dtype.kind]))


def refuse_none(name: str) -> NoReturn:
    """Nothing is compared with None: as an operator it would be unequal to all."""
    raise TypeError(must_be_tensor(name, "other", None, 2))


def plain_numbers(name: str, *options: Any) -> None:
    """Raise for an option that PyTorch takes as a number only: a tensor of many would be broadcast without a word."""
    for v in options:
        if type(v) is not float and not isinstance(v, (*Number, np.number)) and getattr(v, "shape", None) != ():
            found = "Tensor" if hasattr(v, "shape") else type(v).__name__
            raise TypeError(
                message(f"{name}()", f"an option must be Number, not {found}", instead="x.item(), or a number")
            )


def zero(g):
    """The gradient of what is constant between its jumps."""
    return g * 0


def operator(function: Callable, swap: bool = False) -> Callable:
    """A function as an operator (`swap`: of a tensor on the right); foreign objects are left to their own operators."""

    written = hasattr(function, "op")

    def method(x: Tensor, y: Any) -> Any:
        if y is None:
            return NotImplemented
        y = wrap(y) if devices.is_array(y) else y
        pair = (y, x) if swap else (x, y)
        try:
            return general(function.op, pair) if written else function(*pair)
        except (TypeError, AttributeError):
            if isinstance(y, (Tensor, np.generic, *Number)):
                raise
            return NotImplemented

    if swap or not written or function.op.several:
        return method
    call = written_out(function.op, lambda op, values: method(*values))
    call.__wrapped__ = method
    return call


def signs(x: Any) -> Any:
    """-1, 0 or 1; PyTorch's sign of what is not a number is 0."""
    if x.dtype.kind == "b":
        return x.copy()
    return np.where(x == x, np.sign(x), 0) if x.dtype.kind == "f" else np.sign(x)


def in_double(function: Callable, *arrays: Any) -> Any:
    """A real function's values, computed in double precision, in the type of its arguments."""
    refuse("c", function.__name__.strip("_"), *arrays)
    kinds = [a.dtype for a in arrays if a.dtype.kind == "f"]
    out = function(*[a.astype(np.float64, copy=False) for a in arrays])
    return out.astype(kinds[0]) if kinds else out


def polynomial(x: Any, coefficients: Sequence[float]) -> Any:
    """The polynomial with these coefficients, that of the highest power first."""
    out = x * coefficients[0]
    for c in coefficients[1:-1]:
        out += c
        out *= x
    out += coefficients[-1]
    return out

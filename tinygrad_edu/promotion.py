"""Arguments brought to one dtype and one device, and results to PyTorch's types."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np

from . import devices, dtypes
from .autograd.graph import Node
from .errors import describe, message, must_be_tensor, translated
from .plan import OPS
from .tensor import Tensor, wrap

if TYPE_CHECKING:
    from .op import Op

ndarray = np.ndarray
NUMBERS = (bool, int, float, complex)
F16, F64, C128 = np.dtype("float16"), np.dtype("float64"), np.dtype("complex128")


def not_a_tensor(op: Op, i: int, value: Any) -> str:
    """PyTorch's sentence for an argument that must be a tensor."""
    name = {"x": "input", "y": "other"}.get(op.names[i], op.names[i])
    return must_be_tensor(op.name, name, value, i + 1)


def agree(op: Op, arrays: Sequence[Any]) -> bool:
    """Whether the arguments that are promoted together have one dtype already."""
    dtype = None
    for a in arrays[: len(arrays) - len(op.names) + 1] if op.sequence else [arrays[i] for i in op.promoted]:
        if isinstance(a, ndarray) or (a is not None and not isinstance(a, NUMBERS) and devices.is_array(a)):
            if dtype is None:
                dtype = a.dtype
            elif a.dtype is not dtype:
                return False
        elif a is not None:
            return False
    return True


def unify(op: Op, inputs: Sequence[Any]) -> tuple[list[Any], list[Any], list[Node | None], int]:
    """The inputs brought to one dtype, by recorded casts, with their arrays and nodes."""
    inputs = [v.item() if isinstance(v, np.generic) else v for v in inputs]
    arrays = [v.array if isinstance(v, Tensor) else v for v in inputs]
    positions = range(len(inputs) - len(op.names) + 1) if op.sequence else op.promoted
    for i in positions:
        allowed: tuple[type, ...] = (Tensor, ndarray, *NUMBERS) if op.promote else (Tensor, ndarray)
        if i >= op.required or len(op.names) != 2:
            allowed += (type(None),)
        if not isinstance(inputs[i], allowed) and not devices.is_array(inputs[i]):
            raise TypeError(not_a_tensor(op, min(i, len(op.names) - 1), inputs[i]))
    together = [arrays[i] for i in positions if arrays[i] is not None]
    if len({getattr(a, "dtype", type(a)) for a in together}) > 1:
        if not op.promote:
            wrong = "expected the tensors to have the same dtype, but got: " + " and ".join(map(describe, together))
            instead = f"the first one's .to({dtypes.OF_NUMPY[together[1].dtype]}), or .to(...) on the other"
            raise RuntimeError(message(op.name, wrong, instead=instead))
        dtype = dtypes.result_type(*together)
        for i in positions:
            if isinstance(inputs[i], Tensor) and arrays[i].dtype != dtype.numpy:
                inputs[i] = OPS["cast"].call(inputs[i], dtype)
                arrays[i] = inputs[i].array
    edges = [v.edge() if isinstance(v, Tensor) else None for v in inputs]
    return inputs, arrays, edges, sum(1 << i for i, edge in enumerate(edges) if edge is not None)


def mended(op: Op, inputs: Sequence[Any], error: Exception) -> list[Any]:
    """After a failure: the inputs with which the operation works, if PyTorch would make them work; else raise."""
    if isinstance(error, OverflowError) and any(type(v) is int for v in inputs):
        dtype = next(v.array.dtype for v in inputs if isinstance(v, Tensor))
        return [wrap(np.asarray(v).astype(dtype)) if type(v) is int else v for v in inputs]  # it wraps around
    homes = {devices.of(v.array): v for v in inputs if isinstance(v, Tensor)}
    if len(homes) < 2:
        for i in op.promoted if not op.sequence and not isinstance(error, ValueError) else ():
            if i < op.required and inputs[i] is None:
                raise TypeError(not_a_tensor(op, i, None)) from error
        raise translated(op.name, list(inputs), error) from error
    home = next(d for d, v in homes.items() if d.type != "cpu" or v.array.ndim)
    for v in inputs:
        if isinstance(v, Tensor) and devices.of(v.array) != home and v.array.ndim:
            raise two_places(f"{op.name}({', '.join(map(describe, inputs))})", home, devices.of(v.array)) from error
    return [
        wrap(devices.move(v.array, home), v.edge()) if isinstance(v, Tensor) and devices.of(v.array) != home else v
        for v in inputs
    ]


def two_places(what: str, home: devices.device, other: devices.device) -> RuntimeError:
    """PyTorch's error where tensors lie on two devices."""
    wrong = f"Expected all tensors to be on the same device, but found at least two devices, {home} and {other}!"
    return RuntimeError(message(what, wrong, instead=f'x.to("{home}")'))


def same_place(what: str, x: Tensor, *indices: Tensor) -> None:
    """Raise where indices lie on another device than what they are read from: CuPy would copy them without a word."""
    for index in indices:
        if type(index.array) is not type(x.array):
            raise two_places(f"{what}({describe(x)}, {describe(index)})", x.device, index.device)


def settle(op: Op, out: Any, inputs: Sequence[Any]) -> Any:
    """A result of NumPy's as PyTorch has it: an array also without dimensions; floats made of integers are default."""
    if isinstance(out, np.generic):
        out = np.asarray(out)
    elif not hasattr(out, "dtype"):
        wrong = f"its forward gave {type(out).__name__}, which is no array"
        raise TypeError(message(op.name, wrong, instead="return np.asarray(...)" if out is not None else "a return"))
    if out.dtype.kind == "O":  # an option that is no number was taken for an array
        raise TypeError(f"{op.name}(): an argument is no number and no tensor; it takes {op.signature}")
    if out.dtype is F64 or out.dtype is C128 or out.dtype is F16:
        kinds = [a.dtype.kind for a in inputs if hasattr(a, "dtype")]
        if kinds and "f" not in kinds and "c" not in kinds:
            default = dtypes.get_default_dtype().numpy
            if out.dtype is F16 and not op.several and not op.keeps:  # bytes: NumPy computes in half precision
                wide = [a.astype(default) if hasattr(a, "dtype") and a.dtype.itemsize == 1 else a for a in inputs]
                return settle(op, op.run(*wide), wide)
            out = out.astype(default if out.dtype.kind == "f" else dtypes.get_default_dtype().to_complex().numpy)
    return out


# --- autocast --------------------------------------------------------------------------------------------------------

# Matrix products are computed in autocast's dtype, and in float32 what loses too much by it; the rest takes what comes.
SMALL = "attention conv_transpose convolution einsum gru linear lstm matmul prelu rnn"
WIDE = """
acos asin binary_cross_entropy_with_logits cosh cross_entropy cumprod cumsum erfinv exp expm1 group_norm huber_loss
layer_norm log log10 log1p log2 log_softmax mse_loss nll_loss norm pow prod reciprocal rsqrt sinh softmax softplus sum tan
"""
AUTOCAST = {**dict.fromkeys(SMALL.split(), "small"), **dict.fromkeys(WIDE.split(), "wide")}
chosen: ContextVar[dict[str, dtypes.dtype]] = ContextVar("chosen", default={})  # noqa: B039  by device: autocast's dtypes
# the blocks of autocast that cast, of all threads: a call looks further only while there are any
casting: list[str] = []


def autocast(op: Op, values: Sequence[Any]) -> Sequence[Any]:
    """The arguments as a block of `autocast` around the call wants them: floats of a GPU, in its dtype or in float32."""
    small = chosen.get().get("cuda")
    if op.name not in AUTOCAST or small is not dtypes.float16:
        return values
    wanted, other = (small, dtypes.float32) if AUTOCAST[op.name] == "small" else (dtypes.float32, small)

    def brought(v: Any) -> Any:
        if isinstance(v, list):
            return [brought(each) for each in v]
        fits = isinstance(v, Tensor) and type(v.array) is not ndarray and v.array.dtype == other.numpy
        return OPS["cast"].call(v, wanted) if fits else v

    return [brought(v) for v in values]

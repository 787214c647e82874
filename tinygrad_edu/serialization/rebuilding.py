"""The functions and types that a file may name, and what stands behind them here."""

from __future__ import annotations

import codecs
import collections
import importlib
import pickle
from typing import Any

import numpy as np

from .. import devices, dtypes
from ..holder import Size
from ..ops.making import sparse_coo, sparse_csr, strided
from ..tensor import Tensor, wrap
from .names import READABLE, Storage


class Named:
    """A name on the list: it can be called and compared, and nothing else, so that a file cannot change it."""

    __slots__ = ("__call", "name", "storage")

    def __init__(self, name: str, call: Any = None, storage: str = "") -> None:
        set_ = object.__setattr__
        set_(self, "_Named__call", call)
        set_(self, "name", name)
        set_(self, "storage", storage)

    def __call__(self, *args: Any) -> Any:
        if self.__call is None:
            raise pickle.UnpicklingError(f"{self.name} is a type, which a file may only mention")
        return self.__call(*args)

    def __setattr__(self, name: str, value: Any) -> None:
        raise pickle.UnpicklingError(f"a file may not change {self.name}")

    def __repr__(self) -> str:
        return self.name


def said(value: Any) -> str:
    """What a file says, for a message: never all that it holds, which may hold itself many times over."""
    if isinstance(value, (tuple, list)) and len(value) <= 8:
        return f"({', '.join(map(said_plainly, value))})"
    return said_plainly(value)


def said_plainly(value: Any) -> str:
    """A number, a text or a name as itself, anything else by its type."""
    plain = isinstance(value, (str, bytes, int, float, Named, dtypes.dtype)) or value is None
    return repr(value)[:80] if plain else type(value).__name__


def _whole(values: Any) -> bool:
    return isinstance(values, tuple) and all(type(v) is int and v >= 0 for v in values)


def tensor(
    storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any, dtype: Any, metadata: Any = None
) -> Tensor:
    """A tensor on a piece of memory, if it lies inside."""
    if not isinstance(storage, Storage):
        raise pickle.UnpicklingError(f"a tensor needs a storage, not {type(storage).__name__}")
    if not _whole((offset,)) or not _whole(tuple(size)) or not _whole(tuple(stride)) or len(size) != len(stride):
        raise RuntimeError(
            f"a tensor of size {said(size)}, stride {said(stride)} at storage offset {said(offset)}: whole numbers, "
            "not negative, are needed"
        )
    size, stride, total = tuple(size), tuple(stride), storage.nbytes() // dtype.itemsize
    if len(size) > 64:
        raise RuntimeError(f"a tensor of {len(size)} dimensions: at most 64 are possible")
    flat = storage.elements(dtype)
    if 0 in size:
        return _made(
            np.empty(size, flat.dtype) if isinstance(flat, np.ndarray) else flat[:0].reshape(size), requires_grad
        )
    last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    if last >= total:
        raise RuntimeError(
            f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset {offset} require a storage of "
            f"{(last + 1) * dtype.itemsize} bytes: out of bounds for storage of size {storage.nbytes()}"
        )
    steps = tuple(s * flat.itemsize for s in stride)
    if isinstance(flat, np.ndarray):
        array = np.ndarray(size, flat.dtype, flat, offset * flat.itemsize, steps)
    else:
        array = devices.as_strided(flat[offset:], size, steps)
    # PyTorch notes that a conjugate or a negative is meant and leaves the memory as it is: these become copies
    flags = metadata if isinstance(metadata, dict) else {}
    array = array.conj() if flags.get("conj") is True else array
    return _made(-array if flags.get("neg") is True else array, requires_grad)


def _made(array: Any, requires_grad: Any) -> Tensor:
    return wrap(array).requires_grad_() if requires_grad is True else wrap(array)


def _tensor_v2(
    storage: Any,
    offset: Any,
    size: Any,
    stride: Any,
    requires_grad: Any = False,
    hooks: Any = None,
    metadata: Any = None,
) -> Tensor:
    return tensor(storage, offset, size, stride, requires_grad, getattr(storage, "dtype", None), metadata)


def _tensor_v3(
    storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any, hooks: Any, dtype: Any, metadata: Any = None
) -> Tensor:
    if not isinstance(dtype, dtypes.dtype):
        raise pickle.UnpicklingError(f"a tensor needs a dtype, not {said(dtype)}")
    return tensor(storage, offset, size, stride, requires_grad, dtype, metadata)


def _sparse(kind: Any, parts: Any) -> Tensor:
    from ..sparse import sparse_coo_tensor

    if kind is not sparse_coo or not isinstance(parts, tuple) or len(parts) not in (3, 4):
        raise pickle.UnpicklingError(
            f"tensors of layout {said(kind)} cannot be read; in PyTorch write x.to_sparse_coo()"
        )
    indices, values, size, *coalesced = parts
    if not isinstance(indices, Tensor) or not isinstance(values, Tensor):
        raise pickle.UnpicklingError("a sparse tensor needs two tensors, its indices and its values")
    return sparse_coo_tensor(indices, values, size, is_coalesced=coalesced == [True])


def _parameter(data: Any, requires_grad: Any, hooks: Any = None, state: Any = None) -> Tensor:
    from ..nn.parameter import Parameter

    if not isinstance(data, Tensor):
        raise pickle.UnpicklingError(f"a parameter needs a tensor, not {type(data).__name__}")
    made = Parameter(data, requires_grad is True)
    return _with_state(made, state)


def _with_state(t: Tensor, state: Any) -> Tensor:
    if isinstance(state, tuple) and len(state) == 2:  # dictionary and slots
        state = state[0]
    if isinstance(state, dict):
        for name, value in state.items():
            if isinstance(name, str) and not hasattr(type(t), name):
                t.__dict__[name] = value
    return t


def _from_type(function: Any, cls: Any, args: Any, state: Any) -> Tensor:
    if not isinstance(function, Named) or not isinstance(args, tuple):
        raise pickle.UnpicklingError(f"_rebuild_from_type_v2 is given {said(function)}")
    made = function(*args)
    if isinstance(cls, type) and issubclass(cls, Tensor) and isinstance(made, Tensor) and type(made) is not cls:
        made = made.as_subclass(cls)
    return _with_state(made, state)


def _size(*args: Any) -> Size:
    if len(args) != 1 or not _whole(tuple(args[0])):
        raise pickle.UnpicklingError(f"torch.Size is given {said(args)}")
    return Size(args[0])


def _encoded(text: Any, encoding: Any = "utf-8") -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1", "utf-8", "ascii"):
        raise pickle.UnpicklingError(f"_codecs.encode is given {type(text).__name__}, {said(encoding)}")
    return codecs.encode(text, encoding)


def _bytearray(*args: Any) -> bytearray:
    if not args or isinstance(args[0], bytes):
        return bytearray(*args[:1])
    return bytearray(_encoded(*args))  # never of a number, which would be a size


def _layout(name: Any) -> Any:
    found = next((each for each in (strided, sparse_coo, sparse_csr) if repr(each) == name), None)
    if found is None:
        raise pickle.UnpicklingError(f"{said(name)} is no layout of tensors that is known here")
    return found


FUNCTIONS: dict[str, Any] = {
    "torch._utils._rebuild_tensor": _tensor_v2,
    "torch._utils._rebuild_tensor_v2": _tensor_v2,
    "torch._utils._rebuild_tensor_v3": _tensor_v3,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._utils._rebuild_sparse_tensor": _sparse,
    "torch._tensor._rebuild_from_type_v2": _from_type,
    "torch.serialization._get_layout": _layout,
    "torch.Size": _size,
    "torch.device": devices.device,
    "collections.OrderedDict": collections.OrderedDict,
    "collections.Counter": collections.Counter,
    "_codecs.encode": _encoded,
    "builtins.bytearray": _bytearray,
    "builtins.set": set,
    "builtins.frozenset": frozenset,
    "builtins.complex": complex,
    "torch.Tensor": None,
    "torch.nn.parameter.Parameter": _parameter,
    "torch.nn.Parameter": _parameter,
}

# what makes a copy of its argument: called again and again on one large thing, these would fill the memory
COPYING = {name for name in FUNCTIONS if name.partition(".")[0] in ("collections", "_codecs", "builtins")}

DTYPES = {
    **{f"torch.{dtype.name}": dtype for dtype in (*dtypes.ALL, dtypes.bfloat16)},
    **{f"torch.{short}": getattr(dtypes, long) for short, long in (("half", "float16"), ("float", "float32"))},
    **{f"torch.{short}": getattr(dtypes, long) for short, long in (("double", "float64"), ("long", "int64"))},
}


def names_on_the_list() -> dict[str, Any]:
    """What any file may name."""
    named: dict[str, Any] = {name: Named(name, call) for name, call in FUNCTIONS.items()}
    for storage in READABLE:
        for module in ("torch", "torch.cuda", "torch.storage"):
            named[f"{module}.{storage}"] = Named(f"{module}.{storage}", storage=storage)
    return named | DTYPES


def names_for_all() -> dict[str, Any]:
    """What stands for PyTorch's names in a file that is trusted: the same, and real types where it mentions some."""
    from ..nn.parameter import Parameter

    real = {"torch.Tensor": Tensor, "torch.nn.parameter.Parameter": Parameter, "torch.nn.Parameter": Parameter}
    builtin = {name: value for name, value in FUNCTIONS.items() if name.startswith("torch.")}
    storages = {name: value for name, value in names_on_the_list().items() if getattr(value, "storage", "")}
    wrapped = {name: Named(name, value) for name, value in builtin.items()}
    return wrapped | storages | DTYPES | real | {"torch.Size": Size, "torch.device": devices.device}


def counterpart(module: str, name: str) -> Any:
    """This package's thing of PyTorch's name, None if there is none."""
    package = __name__.partition(".")[0]
    try:
        found: Any = importlib.import_module(package + module.removeprefix("torch"))
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError):
        return None
    return found


__all__ = ["COPYING", "Named", "counterpart", "names_for_all", "names_on_the_list", "said"]

"""What a tensor is because it holds an array: its shape and type, and the ways out to numbers and arrays."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from . import devices, dtypes
from .errors import describe, no_dimension

if TYPE_CHECKING:
    from .tensor import Tensor


class Size(tuple):
    """The shape of a tensor: a tuple that knows how many elements it stands for."""

    __slots__ = ()

    def numel(self) -> int:
        """The number of elements."""
        n = 1
        for length in self:
            n *= length
        return n

    def __repr__(self) -> str:
        return f"torch.Size({list(self)})"

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return Size(found) if isinstance(index, slice) else found

    def __add__(self, other: tuple) -> Size:
        return Size(tuple(self) + tuple(other))


class Holder:
    """The part of `Tensor` that needs its array alone."""

    __slots__ = ()
    array: Any
    requires_grad: bool

    @property
    def shape(self) -> Size:
        """The lengths of the dimensions."""
        return Size(self.array.shape)

    @property
    def dtype(self) -> dtypes.dtype:
        """The type of the elements."""
        return dtypes.OF_NUMPY[self.array.dtype]

    @property
    def device(self) -> devices.device:
        """Where the array lives."""
        return devices.of(self.array)

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self.array.ndim

    @property
    def itemsize(self) -> int:
        """Bytes an element."""
        return self.array.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.array.nbytes

    @property
    def is_cuda(self) -> bool:
        """Whether the array lives on a GPU."""
        return self.device.type == "cuda"

    @property
    def is_cpu(self) -> bool:
        """Whether the array lives in the computer's own memory."""
        return self.device.type == "cpu"

    # kinds of tensors that do not exist here
    is_meta = is_mps = is_xpu = is_xla = is_ipu = is_mtia = is_vulkan = is_mkldnn = False
    is_quantized = is_nested = is_sparse_csr = False

    def get_device(self) -> int:
        """The number of the GPU, -1 for none."""
        return -1 if self.is_cpu else self.device.index or 0

    def is_inference(self) -> bool:
        """Whether the tensor was made in `inference_mode`; here such tensors are like any other."""
        return False

    def is_pinned(self, device: Any = None) -> bool:
        """Whether the memory is pinned for copies to a GPU."""
        return False

    def is_shared(self) -> bool:
        """Whether the memory is shared between processes."""
        return False

    def size(self, dim: int | None = None) -> Any:
        """The shape, or one of its lengths."""
        if dim is None:
            return self.shape
        if not -max(self.ndim, 1) <= dim < max(self.ndim, 1) or not self.ndim:
            raise IndexError(no_dimension(dim, self.ndim, f"size of {describe(self)}"))
        return self.array.shape[dim]

    def stride(self, dim: int | None = None) -> Any:
        """Steps between neighbours along each dimension, in elements."""
        strides = tuple(s // self.array.itemsize for s in self.array.strides)
        return strides if dim is None else strides[dim]

    def storage_offset(self) -> int:
        """Elements between the start of the memory and the first element here."""
        root = self.array
        while getattr(root, "base", None) is not None and hasattr(root.base, "__array_interface__"):
            root = root.base
        start = root.__array_interface__["data"][0]
        return (self.array.__array_interface__["data"][0] - start) // self.array.itemsize

    def data_ptr(self) -> int:
        """The address of the first element."""
        if self.is_cuda:
            return self.array.data.ptr
        return self.array.__array_interface__["data"][0]

    def is_contiguous(self, *, memory_format: Any = None) -> bool:
        """Whether the elements lie in memory in the order of their indices."""
        return bool(self.array.flags.c_contiguous)

    def dim(self) -> int:
        """The number of dimensions."""
        return self.array.ndim

    ndimension = dim

    def numel(self) -> int:
        """The number of elements."""
        return self.array.size

    nelement = numel

    def element_size(self) -> int:
        """Bytes an element."""
        return self.array.itemsize

    def is_floating_point(self) -> bool:
        """Whether the elements are real floating-point numbers."""
        return self.array.dtype.kind == "f"

    def is_complex(self) -> bool:
        """Whether the elements are complex numbers."""
        return self.array.dtype.kind == "c"

    def is_signed(self) -> bool:
        """Whether the elements can be negative."""
        return self.array.dtype.kind in "ifc"

    def item(self) -> Any:
        """The only element, as a Python number."""
        if self.array.size != 1:
            raise RuntimeError(
                f"a Tensor with {self.array.size} elements cannot be converted to Scalar; write tolist()"
            )
        return self.array.item()

    def tolist(self) -> Any:
        """Nested lists of Python numbers."""
        return self.array.tolist()

    def numpy(self, *, force: bool = False) -> np.ndarray:
        """The same memory as a NumPy array."""
        if not force and self.requires_grad:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
        if not force and self.is_cuda:
            raise TypeError(
                f"can't convert {self.device} device type tensor to numpy. "
                "Use Tensor.cpu() to copy the tensor to host memory first."
            )
        return devices.move(self.array, devices.CPU)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __dlpack__(self, **options: Any) -> Any:
        if self.requires_grad:
            raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()

    def __len__(self) -> int:
        if not self.array.ndim:
            raise TypeError("len() of a 0-d tensor; write numel(), which is 1")
        return self.array.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self.array.ndim:
            raise TypeError("iteration over a 0-d tensor; write item() for its number")
        return iter(self.unbind(0))

    def __bool__(self) -> bool:
        if self.array.size != 1:
            count = "no values" if not self.array.size else "more than one value"
            instead = "; write .any() or .all()" if self.array.size else ""
            raise RuntimeError(f"Boolean value of Tensor with {count} is ambiguous{instead}")
        return bool(self.array.item())

    def __int__(self) -> int:
        return int(self._only())

    def __float__(self) -> float:
        return float(self._only())

    def __complex__(self) -> complex:
        return complex(self._only())

    def _only(self) -> Any:
        if self.array.size != 1:
            raise ValueError(
                f"only one element tensors can be converted to Python scalars, not {list(self.shape)}; write x.tolist()"
            )
        return self.array.item()

    def __contains__(self, value: Any) -> bool:
        if not isinstance(value, (Holder, bool, int, float, complex)):
            raise RuntimeError(
                f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a {type(value)}."
            )
        return bool((self == value).any())

    def __index__(self) -> int:
        if self.array.size != 1 or self.array.dtype.kind not in "iub":
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self.array.item())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if not self.array.ndim else object.__format__(self, spec)

    def _copied(self, memo: dict) -> Any:
        """A copy of the array for `deepcopy`: arrays of one memory that are copied together share the copy, as here."""
        array = whole = self.array
        while isinstance(getattr(whole, "base", None), np.ndarray):
            whole = whole.base
        if whole is array or not array.size or not whole.flags.forc:
            return copy.deepcopy(array, memo)
        offset = array.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
        return np.ndarray(array.shape, array.dtype, copy.deepcopy(whole, memo).ravel("K"), offset, array.strides)


def legacy_constructor(cls: type, dtype: dtypes.dtype, data: tuple, device: Any) -> Tensor:
    """`Tensor(...)`, `FloatTensor(...)`: sizes, or one list, array or tensor of numbers."""
    xp = devices.module(devices.as_device(device))
    t: Any = object.__new__(cls)
    t.node = None
    if len(data) == 1 and isinstance(data[0], Holder):
        t.array = data[0].array.astype(dtype.numpy, copy=False)
    elif len(data) == 1 and not isinstance(data[0], (int, Size)):
        if isinstance(data[0], str):
            raise TypeError("new(): invalid data type 'str'")
        if isinstance(data[0], float):
            raise TypeError("new(): data must be a sequence (got float); write tensor(value)")
        t.array = xp.asarray(np.array(data[0], dtype.numpy))
    else:
        shape = data[0] if data and isinstance(data[0], Size) else data or (0,)
        t.array = xp.empty(shape, dtype.numpy)
    return t

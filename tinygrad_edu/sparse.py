"""Sparse tensors in coordinate form, as far as graph networks need them: matrices of few elements times dense ones.

A sparse tensor holds where its elements are and what they are; the values are an ordinary tensor, through which
gradients flow. What is not here says so: `to_dense()` leads to everything else.
"""

# mypy: disable-error-code="override, assignment"
# (a sparse tensor has the methods of tensors in fewer forms)
from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from . import dtypes, ops
from .autograd.modes import no_grad
from .errors import describe
from .holder import Size
from .ops import as_tensor, cat, index_add, stack, zeros
from .ops.making import sparse_coo
from .printing import OPTIONS, body
from .printing import _with_notes as with_notes
from .tensor import Tensor, new

INDENT = " " * len("tensor(")


def _part(name: str, t: Tensor) -> str:
    """One of a sparse tensor's parts as it is printed inside."""
    start = f"{name}=tensor("
    if not t.numel():
        return f"{name}={t.detach()!r}"
    return start + body(t.detach().cpu().numpy(), len(INDENT + start), t.numel() > OPTIONS.threshold) + ")"


class SparseTensor(Tensor):
    """A tensor of which most elements are 0: `values[k]` stands at `indices[:, k]`, those at one place are added."""

    __slots__ = ()
    is_sparse = True
    layout = sparse_coo
    _places: Tensor
    _numbers: Tensor
    _lengths: Size
    _coalesced: bool

    def __new__(cls, indices: Tensor, values: Tensor, size: Size, coalesced: bool = False) -> SparseTensor:
        t = new(cls)
        t.node = None
        t._places, t._numbers, t._lengths, t._coalesced = indices, values, size, coalesced
        return t

    def _like(self, values: Tensor, coalesced: bool | None = None) -> SparseTensor:
        """Other values in the same places."""
        return SparseTensor(self._places, values, self._lengths, self._coalesced if coalesced is None else coalesced)

    # --- what a tensor is without an array

    @property
    def array(self) -> Any:  # type: ignore[override]
        """There is none: operations for dense tensors end here."""
        raise NotImplementedError(
            f"this operation is not implemented for a sparse tensor, here of shape {list(self.shape)} with "
            f"{self._nnz()} elements; there are sparse.mm (spmm, @), sparse.sum, +, -, * by a number, t(), coalesce()\n"
            "  write instead: x.to_dense()"
        )

    @property
    def shape(self) -> Size:
        """The lengths of the dimensions."""
        return self._lengths

    @property
    def dtype(self) -> dtypes.dtype:
        """The type of the values."""
        return self._numbers.dtype

    @property
    def device(self) -> Any:
        """Where the values live."""
        return self._numbers.device

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self._lengths)

    def dim(self) -> int:
        """The number of dimensions."""
        return len(self._lengths)

    sparse_dim = dim

    def dense_dim(self) -> int:
        """How many dimensions of the values are dense: none."""
        return 0

    def size(self, dim: int | None = None) -> Any:
        """The shape, or one of its lengths."""
        return self._lengths if dim is None else self._lengths[dim]

    def numel(self) -> int:
        """The number of elements, most of them 0."""
        return self._lengths.numel()

    def is_floating_point(self) -> bool:
        """Whether the values are real floating-point numbers."""
        return self._numbers.is_floating_point()

    def is_complex(self) -> bool:
        """Whether the values are complex numbers."""
        return self._numbers.is_complex()

    def __len__(self) -> int:
        return self._lengths[0]

    def __repr__(self) -> str:
        parts = [_part("indices", self._places), _part("values", self._numbers), f"size={tuple(self._lengths)}"]
        notes = [f"nnz={self._nnz()}"]
        if self.dtype not in (dtypes.get_default_dtype(), dtypes.int64, dtypes.bool_):
            notes.append(f"dtype={self.dtype}")
        notes.append(f"layout={self.layout}")
        if self.requires_grad:
            notes.append("requires_grad=True" if self.is_leaf else f"grad_fn=<{self.grad_fn.name()}>")
        return with_notes("tensor(" + (",\n" + INDENT).join(parts), notes, len(INDENT), self._numbers.array)

    def __deepcopy__(self, memo: dict) -> SparseTensor:
        places, values = copy.deepcopy(self._places, memo), copy.deepcopy(self._numbers, memo)
        return SparseTensor(places, values, self._lengths, self._coalesced)

    def __reduce_ex__(self, protocol: Any) -> tuple:
        return SparseTensor, (self._places, self._numbers, self._lengths, self._coalesced)

    # --- its place in the graph is that of its values

    @property
    def requires_grad(self) -> bool:
        """Whether gradients are computed for the values."""
        return self._numbers.requires_grad

    @requires_grad.setter
    def requires_grad(self, flag: bool) -> None:
        self._numbers.requires_grad_(flag)

    def requires_grad_(self, requires_grad: bool = True) -> SparseTensor:
        """Ask for the gradient of the values, or stop asking."""
        self._numbers.requires_grad_(requires_grad)
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether the values were made by the user."""
        return self._numbers.is_leaf

    @property
    def grad_fn(self) -> Any:
        """The node of the operation that made the values."""
        return self._numbers.grad_fn

    @property
    def grad(self) -> Any:
        """The gradient of the values, in their places."""
        return None if self._numbers.grad is None else self._like(self._numbers.grad)

    @grad.setter
    def grad(self, value: Any) -> None:
        self._numbers.grad = None if value is None else value._numbers

    def detach(self) -> SparseTensor:
        """The same memory without the graph."""
        return self._like(self._numbers.detach())

    def clone(self) -> SparseTensor:
        """A copy."""
        return self._like(self._numbers.clone())

    # --- its parts

    def indices(self) -> Tensor:
        """Where the elements are: a row for each dimension, a column for each element."""
        return self._whole("indices")._places

    def values(self) -> Tensor:
        """What the elements are."""
        return self._whole("values")._numbers

    def _whole(self, what: str) -> SparseTensor:
        if not self._coalesced:
            raise RuntimeError(f"Cannot get {what} on an uncoalesced tensor, please call .coalesce() first")
        return self

    def _indices(self) -> Tensor:
        """Where the elements are, in any order."""
        return self._places

    def _values(self) -> Tensor:
        """What the elements are, in any order."""
        return self._numbers

    def _nnz(self) -> int:
        """How many elements are held."""
        return self._numbers.shape[0]

    def is_coalesced(self) -> bool:
        """Whether each place comes once, in order."""
        return self._coalesced

    def _flat(self) -> Any:
        """The places, counted as if in one dimension, as an array."""
        total: Any = self._places.array[0] * 0 if self.ndim else np.zeros(self._nnz(), np.int64)
        for row, n in zip(self._places.array, self._lengths, strict=True):
            total = total * n + row
        return total

    def coalesce(self) -> SparseTensor:
        """The same with each place once, in order."""
        if self._coalesced:
            return self
        flat = self._flat()
        order = flat.argsort(kind="stable")
        ordered = flat[order]
        first = np.concatenate([ordered[:1] == ordered[:1], ordered[1:] != ordered[:-1]])
        found = self._places[:, as_tensor(order[first])]
        values = self._numbers
        target = as_tensor(np.cumsum(first) - 1)
        summed = index_add(values.new_zeros(found.shape[1]), 0, target, values[as_tensor(order)])
        return SparseTensor(found, summed, self._lengths, True)

    def to_dense(self, dtype: Any = None, *, masked_grad: bool | None = None) -> Tensor:
        """The same with its zeros."""
        values = self._numbers if dtype is None else self._numbers.to(dtype)
        blank = values.new_zeros(self._lengths.numel())
        return index_add(blank, 0, as_tensor(self._flat()), values).reshape(self._lengths)

    def to_sparse(self, *args: Any, **options: Any) -> SparseTensor:
        """It is."""
        return self

    # --- in another place or type

    def to(self, *args: Any, **options: Any) -> SparseTensor:
        """The values in another type or place."""
        values = self._numbers.to(*args, **options)
        return SparseTensor(self._places.to(values.device), values, self._lengths, self._coalesced)

    def cpu(self) -> SparseTensor:
        """In the computer's own memory."""
        return self.to("cpu")

    def cuda(self, device: Any = "cuda", non_blocking: bool = False) -> SparseTensor:
        """On a GPU."""
        return self.to(device)

    def float(self) -> SparseTensor:
        """In single precision."""
        return self.to(dtypes.float32)

    def double(self) -> SparseTensor:
        """In double precision."""
        return self.to(dtypes.float64)

    # --- mathematics

    def t(self) -> SparseTensor:
        """The matrix transposed."""
        if self.ndim > 2:
            raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {self.ndim}D")
        return SparseTensor(
            self._places.flip(0), self._numbers, Size(self._lengths[::-1]), self._coalesced and self.ndim < 2
        )

    def transpose(self, dim0: int, dim1: int) -> SparseTensor:
        """With two dimensions exchanged."""
        order = list(range(self.ndim))
        order[dim0], order[dim1] = order[dim1], order[dim0]
        places = self._places[as_tensor(np.array(order))]
        return SparseTensor(places, self._numbers, Size(self._lengths[i] for i in order), order == sorted(order))

    @property
    def T(self) -> SparseTensor:
        """The matrix transposed."""
        return self.t()

    def mm(self, mat2: Any) -> Any:
        """The product with a dense matrix."""
        return mm(self, mat2)

    spmm = mm

    def matmul(self, other: Tensor) -> Tensor:
        """The product with a dense matrix or vector."""
        if not isinstance(other, Tensor):
            raise TypeError(f"matmul(): argument 'other' must be Tensor, not {type(other).__name__}")
        return mm(self, other.unsqueeze(-1)).squeeze(-1) if other.dim() == 1 else mm(self, other)

    __matmul__ = mv = matmul

    def __rmatmul__(self, other: Tensor) -> Tensor:
        return self.t().matmul(other.t()).t()

    def add(self, other: Any, *, alpha: Any = 1) -> Any:
        """The sum with another sparse tensor, or with a dense one."""
        if not isinstance(other, Tensor):
            raise TypeError("add(sparse, dense) is not supported for numbers: every 0 would change; write x.to_dense()")
        if not isinstance(other, SparseTensor):
            return self.to_dense() + alpha * other
        if other.shape != self.shape:
            raise RuntimeError(
                f"add: expected sizes of 'self' and 'other' to match, but {list(self.shape)} != {list(other.shape)}"
            )
        values = cat([self._numbers, other._numbers if alpha == 1 else alpha * other._numbers])
        return SparseTensor(cat([self._places, other._places], 1), values, self._lengths).coalesce()

    __add__ = __radd__ = add

    def sub(self, other: Any, *, alpha: Any = 1) -> Any:
        """The difference to another sparse tensor, or to a dense one."""
        return self.add(other, alpha=-alpha)

    __sub__ = sub

    def __rsub__(self, other: Any) -> Any:
        return (-self).add(other)

    def neg(self) -> SparseTensor:
        """With the other sign."""
        return self._like(-self._numbers)

    __neg__ = neg

    def mul(self, other: Any) -> SparseTensor:
        """Times a number, or element by element times a tensor of the same shape: what is 0 stays 0."""
        if isinstance(other, SparseTensor):
            other = other.to_dense()
        if isinstance(other, Tensor) and other.dim():
            if other.shape != self.shape:
                raise NotImplementedError(
                    f"mul of a sparse tensor of shape {list(self.shape)} and one of shape {list(other.shape)}: "
                    "there is no broadcasting; write other.expand(x.shape)"
                )
            return self._like(self._numbers * other.reshape(-1)[as_tensor(self._flat())])
        return self._like(self._numbers * other)

    __mul__ = __rmul__ = mul

    def div(self, other: Any) -> SparseTensor:
        """Over a number."""
        if isinstance(other, Tensor) and other.dim():
            raise NotImplementedError("div of a sparse tensor by a tensor would divide 0 by 0; write x.to_dense()")
        return self._like(self._numbers / other)

    __truediv__ = div

    def sum(self, dim: Any = None) -> Any:
        """The sum of all elements, or along dimensions."""
        return sum(self, dim)


# --- functions ---------------------------------------------------------------------------------------------------------


def sparse_coo_tensor(
    indices: Any,
    values: Any = None,
    size: Any = None,
    *,
    dtype: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    check_invariants: bool | None = None,
    is_coalesced: bool | None = None,
) -> SparseTensor:
    """A sparse tensor of `values[k]` at `indices[:, k]`; without a size, the smallest that holds them."""
    if values is None:  # sparse_coo_tensor(size): nothing but zeros
        size = Size(indices if size is None else size)
        indices, values = np.zeros((len(size), 0), np.int64), zeros(0, dtype=dtype, device=device)
    values = as_tensor(values, dtype=dtype, device=device)
    indices = as_tensor(indices, device=values.device)
    if indices.is_floating_point() and indices.numel():
        raise TypeError(f"sparse_coo_tensor: indices must be whole numbers, not {indices.dtype}; write indices.long()")
    indices = indices.long()
    if indices.dim() != 2:
        raise RuntimeError(f"indices must be sparse_dim x nnz, but got: {list(indices.shape)}")
    if values.dim() != 1:
        raise NotImplementedError(
            f"sparse_coo_tensor: values of shape {list(values.shape)} would make a tensor with dense dimensions, "
            "which is not supported; values must be a vector"
        )
    if indices.shape[1] != values.shape[0]:
        raise RuntimeError(
            f"indices and values must have same nnz, but got nnz from indices: {indices.shape[1]}, "
            f"nnz from values: {values.shape[0]}"
        )
    least, most = (indices.array.min(1), indices.array.max(1)) if values.shape[0] else ((), ())
    for d, n in enumerate(least):
        if n < 0:
            raise RuntimeError(f"found negative index {n} for dim {d}")
    size = Size([int(n) + 1 for n in most] if size is None else [int(n) for n in size])
    if len(size) != indices.shape[0]:
        raise RuntimeError(
            f"number of dimensions must be sparse_dim ({indices.shape[0]}) + dense_dim (0), but got {len(size)}"
        )
    for d, n in enumerate(most):
        if n >= size[d]:
            raise RuntimeError(f"size is inconsistent with indices: for dim {d}, size is {size[d]} but found index {n}")
    if requires_grad:
        values = values.detach().requires_grad_()
    return SparseTensor(indices, values, size, bool(is_coalesced))


def to_sparse(input: Tensor, sparse_dim: int | None = None, *, layout: Any = None, **options: Any) -> SparseTensor:
    """A tensor's elements other than 0, and where they are."""
    if layout not in (None, sparse_coo) or options:
        raise NotImplementedError(f"to_sparse: only the layout torch.sparse_coo is supported, not {layout or options}")
    if sparse_dim not in (None, input.dim()):
        raise NotImplementedError("to_sparse: tensors with dense dimensions are not supported; leave out sparse_dim")
    with no_grad():
        places = stack([*input.nonzero(as_tuple=True)]) if input.dim() else input.nonzero().T
    values = input[tuple(places)] if input.dim() else input.reshape(1)[: places.shape[1]]
    return SparseTensor(places, values, input.shape, True)


def mm(sparse: Tensor, dense: Tensor, reduce: str | None = None) -> Any:
    """The product of a sparse matrix and a dense one, with gradients to the values and to the dense matrix."""
    if reduce is not None:
        raise NotImplementedError("sparse.mm: reduce is not supported; only sums are computed")
    if not isinstance(sparse, SparseTensor):
        if isinstance(dense, SparseTensor):
            return dense.t().mm(sparse.t()).t()
        return ops.mm(sparse, dense)
    if isinstance(dense, SparseTensor):
        raise NotImplementedError("sparse.mm of two sparse matrices is not supported; write b.to_dense()")
    if sparse.dim() != 2 or dense.dim() != 2:
        raise RuntimeError(f"sparse.mm: expected two matrices, got {sparse.dim()}D and {dense.dim()}D")
    n, k = sparse.shape
    if dense.shape[0] != k:
        raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({n}x{k} and {dense.shape[0]}x{dense.shape[1]})")
    if dense.dtype is not sparse.dtype:
        raise RuntimeError(f"expected mat1 and mat2 to have the same dtype, but got: {sparse.dtype} != {dense.dtype}")
    rows, columns = sparse._places.unbind(0)
    blank = dense.new_zeros((n, dense.shape[1]))
    return index_add(blank, 0, rows, sparse._numbers.unsqueeze(1) * dense.index_select(0, columns))


spmm = mm


def _of_either(function: Callable) -> Callable:
    """A product of dense tensors that takes a sparse matrix as well, as `torch.mm` does."""

    @functools.wraps(function)
    def product(input: Tensor, other: Any, *args: Any, **options: Any) -> Any:
        return input @ other if SparseTensor in (type(input), type(other)) else function(input, other, *args, **options)

    return product


any_mm, any_matmul, any_mv = map(_of_either, (ops.mm, ops.matmul, ops.mv))


def addmm(mat: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Any = 1.0, alpha: Any = 1.0) -> Tensor:
    """`beta * mat + alpha * (mat1 @ mat2)`, where `mat1` is sparse."""
    return beta * mat + alpha * mm(mat1, mat2)


def sum(input: SparseTensor, dim: Any = None, dtype: Any = None) -> Any:
    """The sum of all elements, a dense number; or along some of the dimensions, again a sparse tensor."""
    if not isinstance(input, SparseTensor):
        raise TypeError(f"sparse.sum expects a sparse tensor, not {describe(input)}; write x.sum()")
    input = input if dtype is None else input.to(dtype)
    if dim is None:
        return input._numbers.sum()
    gone = {d % input.ndim for d in ((dim,) if isinstance(dim, int) else dim)}
    kept = [d for d in range(input.ndim) if d not in gone]
    if not kept:
        return input._numbers.sum()
    places = input._places[as_tensor(np.array(kept))]
    return SparseTensor(places, input._numbers, Size(input.shape[d] for d in kept)).coalesce()


def _legacy(kind: dtypes.dtype) -> Any:
    def make(indices: Any, values: Any, size: Any = None) -> SparseTensor:
        """The old form of `sparse_coo_tensor`."""
        return sparse_coo_tensor(indices, values, size, dtype=kind)

    return make


FloatTensor, DoubleTensor, LongTensor = map(_legacy, (dtypes.float32, dtypes.float64, dtypes.int64))

Tensor.is_sparse = False
Tensor.to_sparse = to_sparse
Tensor.to_sparse_coo = lambda self: self.to_sparse()
Tensor.to_dense = lambda self, dtype=None, *, masked_grad=None: self if dtype is None else self.to(dtype=dtype)

__all__ = ["SparseTensor", "addmm", "mm", "sparse_coo_tensor", "spmm", "sum", "to_sparse"]

"""Shape: the same elements in another arrangement, as views wherever NumPy can."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import dtypes
from ..errors import describe, message
from ..holder import Size
from ..inplace import check_writable
from ..op import expand as _expand
from ..op import op
from ..tensor import Tensor
from .arguments import axes, need_tensor, sizes, wrapped, wrapped_all


def restored(x, shape, dim, keepdim):
    """A reduction's result with the reduced dimensions as dimensions of length 1."""
    if keepdim:
        return x
    dims = range(len(shape)) if dim is None else {d % len(shape) for d in np.atleast_1d(axes(dim))} if shape else ()
    return _view(x, tuple(1 if d in dims else n for d, n in enumerate(shape)))


# --- other lengths ---------------------------------------------------------------------------------------------------


@op(view=True)
def _view(x, shape):
    """The elements in another shape: a view where the strides allow it, else a copy."""
    return x.reshape(shape)


@op(view=True, differentiable=False, promote=False)
def _view_as_dtype(x, dtype):
    """The same bytes, read as another dtype."""
    return x.view(dtype.numpy)


_view.grad(x=lambda g, x_shape: _view(g, x_shape))
_reshape = _view  # as the other families call it


def _fits(x: Tensor, shape: tuple[int, ...], what: str) -> tuple[int, ...]:
    """A shape for the elements of `x`, with -1 replaced by what is missing."""
    count, known, free = x.array.size, 1, None
    for d, n in enumerate(shape):
        if n >= 0:
            known *= n
        elif n < -1:
            raise RuntimeError(f"{what}: invalid shape dimension {n} at index {d} of shape {list(shape)}")
        elif free is not None:
            raise RuntimeError(f"{what}: only one dimension can be inferred, but {list(shape)} has two of -1")
        else:
            free = d
    if free is not None and not known and not count:
        raise RuntimeError(
            f"{what}: cannot reshape tensor of 0 elements into shape {list(shape)} because the unspecified dimension "
            "size -1 can be any value and is ambiguous"
        )
    if known != count and (free is None or not known or count % known):
        wrong = f"shape '{list(shape)}' is invalid for input of size {count}"
        instead = f"lengths whose product is {count}, or -1 for one that is to be found"
        raise RuntimeError(message(f"{what}({describe(x)})", wrong, instead=instead))
    return shape if free is None else (*shape[:free], count // known, *shape[free + 1 :])


def reshape(input: Tensor, *lengths: Any, shape: Any = None) -> Tensor:
    """The elements in another shape: a view where the strides allow it, else a copy."""
    wanted = sizes(lengths if shape is None else (shape,), "shape")
    return _view(input, _fits(input, wanted, "reshape") if isinstance(input, Tensor) else wanted)


def _face_of_view(self: Tensor, *shape: Any, size: Any = None, dtype: Any = None) -> Tensor:
    """The same memory in another shape, or read as another dtype."""
    if (size is not None) + (dtype is not None) + bool(shape) > 1:
        raise TypeError("view() takes a shape or a dtype, not both")
    shape = shape if size is None else (size,)
    if dtype is not None or (len(shape) == 1 and isinstance(shape[0], dtypes.dtype)):
        return _as_dtype(self, dtype or shape[0])
    wanted = _fits(self, sizes(shape), "view")
    out = _view(self, wanted)
    if out.array.size and not np.may_share_memory(out.array, self.array):
        wrong = "view size is not compatible with input tensor's size and stride: it would have to be copied"
        what = f"view({describe(self)} with strides {self.stride()}, {list(wanted)})"
        raise RuntimeError(message(what, wrong, instead="x.reshape(...)"))
    return out


def _as_dtype(x: Tensor, dtype: dtypes.dtype) -> Tensor:
    if not isinstance(dtype, dtypes.dtype):
        raise TypeError(f"view(): argument 'dtype' must be torch.dtype, not {type(dtype).__name__}")
    old, size = x.itemsize, dtype.itemsize
    if old != size:
        what = f"view({describe(x)}, {dtype})"
        if not x.ndim:
            raise RuntimeError(f"{what}: self.dim() cannot be 0 to view elements of {old} bytes as {size} bytes")
        if x.stride(-1) != 1 and x.shape[-1] != 1:
            raise RuntimeError(f"{what}: self.stride(-1) must be 1 for another element size, but is {x.stride(-1)}")
        if x.shape[-1] * old % size:
            raise RuntimeError(f"{what}: self.size(-1) must be divisible by {size // old}, but is {x.shape[-1]}")
    return _view_as_dtype(x, dtype)


def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """The elements in the shape of `other`."""
    return reshape(input, need_tensor(other, "reshape_as", "other").shape)


def _view_as(self: Tensor, other: Tensor) -> Tensor:
    """The same memory in the shape of `other`."""
    return self.view(need_tensor(other, "view_as", "other").shape)


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The dimensions from `start_dim` to `end_dim` as one."""
    first, last = wrapped(start_dim, input.ndim), wrapped(end_dim, input.ndim)
    if first > last:
        raise RuntimeError(f"flatten() has invalid args: start_dim {start_dim} cannot come after end_dim {end_dim}")
    if first == last and input.ndim:
        return input
    shape = input.array.shape
    return reshape(input, (*shape[:first], Size(shape[first : last + 1]).numel(), *shape[last + 1 :]))


def ravel(input: Tensor) -> Tensor:
    """All elements in one dimension."""
    return reshape(input.contiguous(), -1)


def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """One dimension as several, of the given lengths."""
    if not len(sizes):
        raise RuntimeError("unflatten: sizes must be non-empty")
    d, shape = wrapped(dim, input.ndim), input.array.shape
    n, known = (shape[d] if shape else 1), 1
    for size in sizes:
        known *= size if size != -1 else 1
    free = list(sizes).count(-1)
    if free > 1:
        raise RuntimeError(f"unflatten: only one dimension can be inferred, but {list(sizes)} has {free} of -1")
    if (known != n) if not free else (not known or n % known):
        raise RuntimeError(
            f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of dim {d} ({n}) in the input tensor"
        )
    found = tuple(n // known if size == -1 else size for size in sizes)
    return _view(input, (*shape[:d], *found, *shape[d + 1 :]))


# --- another order of the dimensions -----------------------------------------------------------------------------------


@op(view=True)
def _permute(x, dims):
    """The dimensions in another order."""
    return x.transpose(dims)


@op(view=True)
def transpose(x, dim0, dim1):
    """Two dimensions exchanged."""
    return x.swapaxes(dim0, dim1) if x.ndim else _identity_of_a_number(x, dim0, dim1)


@op(view=True)
def mT(x):
    """The last two dimensions exchanged."""
    return x.swapaxes(-1, -2)


def _identity_of_a_number(x, *dims):
    """A number has dimensions 0 and -1, which say nothing."""
    for dim in dims:
        wrapped(dim, 0)
    return x[...]


_permute.grad(x=lambda g, dims: _permute(g, tuple(np.argsort(dims))))
transpose.grad(x=lambda g, dim0, dim1: transpose(g, dim0, dim1))
mT.grad(x=lambda g: mT(g))


def permute(input: Tensor, *axes: Any, dims: Any = None) -> Tensor:
    """The dimensions in another order: `permute(1, 0)`, `permute((1, 0))`."""
    order = sizes(axes if dims is None else (dims,), "dims")
    if len(order) != input.ndim:
        raise RuntimeError(
            f"permute({describe(input)}): the number of dimensions in the tensor input does not match the length of "
            f"the desired ordering of dimensions i.e. input.dim() = {input.ndim} is not equal to len(dims) = {len(order)}"
            "\n  write instead: each dimension once, or x.transpose(a, b), x.movedim(a, b) for two of them"
        )
    found = tuple(wrapped(d, input.ndim) for d in order)
    if len(set(found)) < len(found):
        raise RuntimeError(f"permute(): duplicate dims are not allowed, but got {list(order)}")
    return _permute(input, found)


def t(input: Tensor) -> Tensor:
    """A matrix transposed; a vector or a number as it is."""
    if input.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D; write x.mT")
    return transpose(input, 0, -1)


def movedim(input: Tensor, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """Some dimensions at other places, the rest in their order."""
    froms = (source,) if isinstance(source, (int, np.integer)) else tuple(source)
    tos = (destination,) if isinstance(destination, (int, np.integer)) else tuple(destination)
    if len(froms) != len(tos):
        raise RuntimeError(
            f"movedim: Invalid source or destination dims: source ({list(froms)} dims) should contain the same number "
            f"of dims as destination ({list(tos)} dims)"
        )
    froms, tos = wrapped_all(froms, input.ndim, "movedim"), wrapped_all(tos, input.ndim, "movedim")
    if not input.ndim:
        return input
    rest = iter(d for d in range(input.ndim) if d not in froms)
    place = dict(zip(tos, froms, strict=True))
    return _permute(input, tuple(place[d] if d in place else next(rest) for d in range(input.ndim)))


def swapaxes(input: Tensor, axis0: int, axis1: int) -> Tensor:
    """Two dimensions exchanged."""
    return transpose(input, axis0, axis1)


def swapdims(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Two dimensions exchanged."""
    return transpose(input, dim0, dim1)


def adjoint(input: Tensor) -> Tensor:
    """The last two dimensions exchanged, and conjugated."""
    return mT(input).conj()


def _T(self: Tensor) -> Tensor:
    """All dimensions in reverse order."""
    return _permute(self, tuple(range(self.ndim))[::-1])


def _mT(self: Tensor) -> Tensor:
    """The last two dimensions exchanged."""
    if self.ndim == 1:
        raise RuntimeError("tensor.mT is only supported on matrices or batches of matrices. Got 1-D tensor.")
    return mT(self) if self.ndim else _T(self)


def _mH(self: Tensor) -> Tensor:
    """The last two dimensions exchanged, and conjugated."""
    if self.ndim == 1:
        raise RuntimeError("tensor.mH is only supported on matrices or batches of matrices. Got 1-D tensor.")
    return _mT(self).conj()


def _H(self: Tensor) -> Tensor:
    """A matrix transposed and conjugated."""
    if self.ndim not in (0, 2):
        raise RuntimeError(
            f"tensor.H is only supported on matrices (2-D tensors). Got {self.ndim}-D tensor; write x.mH"
        )
    return _mT(self).conj()


# --- dimensions of length 1 --------------------------------------------------------------------------------------------


@op(view=True)
def _squeeze(x, dims):
    """Without these dimensions, whose length is 1."""
    return np.squeeze(x, dims)


@op(view=True)
def unsqueeze(x, dim):
    """With a new dimension of length 1."""
    return np.expand_dims(x, dim)


_squeeze.grad(x=lambda g, x_shape: _view(g, x_shape))
unsqueeze.grad(x=lambda g, x_shape: _view(g, x_shape))


def squeeze(input: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """Without its dimensions of length 1, or without those of `dim` whose length is 1."""
    shape = input.array.shape
    dims = range(len(shape)) if dim is None else wrapped_all(dim, len(shape), "squeeze")
    return _squeeze(input, tuple(d for d in dims if shape and shape[d] == 1))


def atleast_1d(*tensors: Any) -> Any:
    """Numbers as vectors of one element; one tensor, or a tuple for several."""
    return _at_least(lambda x: x if x.ndim else x.reshape(1), tensors)


def atleast_2d(*tensors: Any) -> Any:
    """Numbers and vectors as matrices of one row."""
    return _at_least(lambda x: x if x.ndim > 1 else x.reshape(1, -1), tensors)


def atleast_3d(*tensors: Any) -> Any:
    """Numbers, vectors and matrices with three dimensions: (n) as (1, n, 1), (n, m) as (n, m, 1)."""
    return _at_least(lambda x: x if x.ndim > 2 else x.unsqueeze(-1) if x.ndim == 2 else x.reshape(1, -1, 1), tensors)


def _at_least(change: Any, tensors: tuple) -> Any:
    if len(tensors) == 1:
        if isinstance(tensors[0], Tensor):
            return change(tensors[0])
        tensors = tuple(tensors[0])
    return tuple(change(need_tensor(x, "atleast", "tensors")) for x in tensors)


# --- repeated without a copy -------------------------------------------------------------------------------------------


def _expanded(self: Tensor, *lengths: Any, size: Any = None, implicit: bool = False) -> Tensor:
    """A view in which dimensions of length 1 are repeated; -1 leaves a length as it is."""
    wanted, shape = sizes(lengths if size is None else (size,)), self.array.shape
    lead = len(wanted) - len(shape)
    if lead < 0:
        wrong = f"the number of sizes provided ({len(wanted)}) must be greater or equal to the number of dimensions"
        wrong = f"{wrong} in the tensor ({len(shape)})"
        instead = "a length for every dimension, -1 for one that stays"
        raise RuntimeError(message(f"expand({describe(self)}, size={list(wanted)})", wrong, instead=instead))
    found = []
    for d, n in enumerate(wanted):
        have = shape[d - lead] if d >= lead else None
        if n == -1 and have is None:
            raise RuntimeError(f"expand: The expanded size of the tensor (-1) isn't allowed in a leading dimension {d}")
        if n < -1:
            raise RuntimeError(f"expand: The expanded size of the tensor ({n}) must not be negative")
        if n != -1 and have not in (None, 1, n):
            raise RuntimeError(
                f"The expanded size of the tensor ({n}) must match the existing size ({have}) at non-singleton dimension "
                f"{d}.  Target sizes: {list(wanted)}.  Tensor sizes: {list(shape)}\n"
                "  write instead: x.unsqueeze(dim) for a length of 1, which can be expanded, or x.repeat(...)"
            )
        found.append(have if n == -1 else n)
    return _expand(self, tuple(found))


def _expand_as(self: Tensor, other: Tensor) -> Tensor:
    """A view in which dimensions of length 1 are repeated to the shape of `other`."""
    return _expanded(self, need_tensor(other, "expand_as", "other").shape)


def broadcast_to(input: Tensor, size: Sequence[int]) -> Tensor:
    """A view in which dimensions of length 1 are repeated."""
    return _expanded(input, tuple(size))


def broadcast_shapes(*shapes: Any) -> Size:
    """The shape that tensors of these shapes have when they are used together."""
    for s in shapes:
        if not isinstance(s, (int, tuple, list, range)):
            wrong = f"Input shapes should be of type ints, a tuple of ints, or a list of ints, got {describe(s)}"
            raise RuntimeError(f"broadcast_shapes: {wrong}")
    try:
        return Size(
            np.broadcast_shapes(*[(s,) if isinstance(s, int) else sizes((tuple(s),), "shapes") for s in shapes])
        )
    except ValueError:
        listed = " and ".join(str(list(s)) if not isinstance(s, int) else str([s]) for s in shapes)
        raise RuntimeError(f"broadcast_shapes: the shapes {listed} cannot be broadcast to a single shape") from None


def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """Views of the tensors in their common shape."""
    if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)):
        tensors = tuple(tensors[0])
    shape = broadcast_shapes(*[need_tensor(x, "broadcast_tensors", "tensors").shape for x in tensors])
    return tuple(_expand(x, tuple(shape)) for x in tensors)


# --- in place: the tensor itself takes the other shape -------------------------------------------------------------------


def reshaped_in_place(view: Any, name: str) -> Any:
    """The method that makes a tensor its own view."""

    def method(self: Tensor, *args: Any, **options: Any) -> Tensor:
        check_writable(self, name)
        out = view(self, *args, **options)
        if self._origin is not None:
            self._origin = out._origin
        self.array, self.node = out.array, out.node if self.edge() is not None else None
        return self

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"`{name[:-1]}` of this tensor itself: the same memory, seen in another shape."
    return method


moveaxis = movedim
METHODS = """
    adjoint broadcast_to flatten moveaxis movedim permute ravel reshape reshape_as squeeze swapaxes swapdims t transpose
    unflatten unsqueeze
"""
OPERATORS = {
    "view": _face_of_view, "view_as": _view_as, "expand": _expanded, "expand_as": _expand_as,
    "T": property(_T), "mT": property(_mT), "H": property(_H), "mH": property(_mH),
    "squeeze_": reshaped_in_place(squeeze, "squeeze_"), "unsqueeze_": reshaped_in_place(unsqueeze, "unsqueeze_"),
    "t_": reshaped_in_place(t, "t_"), "transpose_": reshaped_in_place(transpose, "transpose_"),
    "swapaxes_": reshaped_in_place(swapaxes, "swapaxes_"), "swapdims_": reshaped_in_place(swapdims, "swapdims_"),
}  # fmt: skip

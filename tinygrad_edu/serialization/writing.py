"""`save`: objects in a file that PyTorch reads, too.

The objects are pickled; a tensor is pickled as a call of the function by which PyTorch rebuilds it, on a piece of
memory that has an entry of its own in the file. Of the memory that tensors are views of, only the part that some
tensor in the file shows is written.
"""

from __future__ import annotations

import io
import os
import pickle
from collections import OrderedDict
from typing import Any, ClassVar

import numpy as np

from .. import devices, dtypes
from ..holder import Size
from ..ops.making import layout
from ..storage import owner_of
from ..tensor import Tensor
from .archive import Stream, write
from .names import TO_STORAGE
from .replacing import replaced
from .tables import is_table, save_file


def save(
    obj: Any,
    f: Any,
    pickle_module: Any = pickle,
    pickle_protocol: int = 2,
    _use_new_zipfile_serialization: bool = True,
    _disable_byteorder_record: bool = False,
) -> None:
    """Write an object to a path or a file: tensors, state dicts, whatever they are nested in.

    A path is replaced only once the new file is complete. A path that ends in .safetensors takes a flat dictionary
    of tensors. The older of PyTorch's formats is never written: whatever reads that reads this.
    """
    if isinstance(f, (str, os.PathLike)):
        if is_table(f):
            save_file(obj, f)
            return
        root = os.path.basename(os.fspath(f)).rpartition(".")[0] or "archive"
        with replaced(f) as file:
            _save(obj, file, root, pickle_protocol)
    elif hasattr(f, "write"):
        _save(obj, Stream(f), "archive", pickle_protocol)
    else:
        raise AttributeError(
            f"expected 'f' to be string, path, or a file-like object with a 'write' attribute, not {f!r}"
        )


def _save(obj: Any, file: Any, root: str, protocol: int) -> None:
    shown = Memory()
    Survey(shown).dump(obj)
    objects = io.BytesIO()
    Writer(objects, protocol, shown).dump(obj)
    entries: list[tuple[str, Any]] = [("data.pkl", objects.getbuffer()), ("byteorder", b"little")]
    root = root if root.isascii() else "archive"
    contents = ((f"data/{piece.key}", piece.content()) for piece in shown.pieces.values() if piece.named)
    write(file, root, (*entries, *contents, ("version", b"3\n")))  # type: ignore[arg-type]


class Piece:
    """A piece of memory and the part of it that is shown: from `low` to `high`, as addresses."""

    def __init__(self, array: Any, key: str) -> None:
        self.owner, self.key = array, key
        self.low: Any = None
        self.high: Any = None
        self.dtype: Any = None
        self.named = False  # in the file: what only the survey has met is not written
        self.start = devices.address(array)

    def show(self, low: int, high: int, dtype: dtypes.dtype) -> None:
        """Have this part written as well."""
        self.dtype = dtype if self.dtype in (None, dtype) else dtypes.uint8  # seen as several types: plain bytes
        low -= (low - self.start) % 16  # whole elements of any type from its beginning
        self.low = low if self.low is None else min(low, self.low)
        self.high = high if self.high is None else max(high, self.high)

    def nbytes(self) -> int:
        """The size of what is written."""
        return 0 if self.low is None else self.high - self.low

    def content(self) -> Any:
        """The bytes."""
        if not self.nbytes():
            return b""
        flat = self.owner.ravel("K").view(np.uint8)  # in the order of memory: no copy
        part = flat[self.low - self.start : self.high - self.start]
        return devices.move(part, devices.CPU).data


class Memory:
    """The pieces of memory that a file's tensors show, by address."""

    def __init__(self) -> None:
        self.pieces: dict[int, Piece] = {}
        self.kept: dict[int, Any] = {}  # copies of what cannot be written as it lies

    def place(self, array: Any) -> tuple[Piece, Any]:
        """The piece that an array lies in, and the array (a copy where PyTorch could not describe its steps)."""
        owner = owner_of(array)
        if owner is None or not _regular(array, owner):
            copied = self.kept.setdefault(id(array), array.copy())
            self.kept.setdefault(-id(array), array)  # alive, so that no other takes its id
            array = owner = copied
        address = devices.address(owner)
        if address not in self.pieces or not owner.nbytes:
            self.pieces.setdefault(address if owner.nbytes else -id(owner), Piece(owner, str(len(self.pieces))))
            address = address if owner.nbytes else -id(owner)
        return self.pieces[address], array


def _regular(array: Any, owner: Any) -> bool:
    """Whether an array's place is whole elements from its owner's start, in steps forward."""
    item = array.itemsize
    return not (
        (devices.address(array) - devices.address(owner)) % item or any(s < 0 or s % item for s in array.strides)
    )


class Survey(pickle.Pickler):
    """Goes through objects as they will be pickled, only to see which memory their tensors show."""

    def __init__(self, memory: Memory) -> None:
        super().__init__(io.BytesIO(), pickle.HIGHEST_PROTOCOL)
        self.memory = memory

    def reducer_override(self, obj: Any) -> Any:
        """Look at a tensor, and go on to what the user has attached to it."""
        if not isinstance(obj, Tensor) or obj.is_sparse:
            return NotImplemented
        piece, array = self.memory.place(obj.array)
        if array.size:
            first = devices.address(array)
            steps = [(n - 1) * s for n, s in zip(array.shape, array.strides, strict=True)]
            piece.show(first, first + sum(steps) + array.itemsize, obj.dtype)
        return bool, (obj._user_state(),)


class Global:
    """A name in the file, which need not exist here."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name

    def __call__(self) -> None:
        """Never called: to be callable is what the pickler asks of a function."""


class Lent:
    """Stands for a piece of memory while objects are pickled."""

    def __init__(self, piece: Piece, dtype: Any) -> None:
        self.piece, self.dtype = piece, dtype


REBUILD = Global("torch._utils", "_rebuild_tensor_v2")
REBUILD_TYPED = Global("torch._utils", "_rebuild_tensor_v3")
PARAMETER = Global("torch._utils", "_rebuild_parameter")
PARAMETER_WITH_STATE = Global("torch._utils", "_rebuild_parameter_with_state")
FROM_TYPE = Global("torch._tensor", "_rebuild_from_type_v2")
TENSOR, SIZE, DEVICE = Global("torch", "Tensor"), Global("torch", "Size"), Global("torch", "device")
SPARSE, LAYOUT = Global("torch._utils", "_rebuild_sparse_tensor"), Global("torch.serialization", "_get_layout")
UNTYPED = Global("torch.storage", "UntypedStorage")
STORAGES = {dtype: Global("torch", name) for dtype, name in TO_STORAGE.items()}
DTYPES = {dtype: Global("torch", dtype.name) for dtype in (*dtypes.ALL, dtypes.bfloat16)}


class Writer(pickle._Pickler):  # type: ignore[name-defined]  # the one in Python: it lets a name be written as it is
    """Pickles objects, with PyTorch's names for tensors and what belongs to them."""

    dispatch: ClassVar[dict[Any, Any]] = dict(pickle._Pickler.dispatch)  # type: ignore[attr-defined]

    def __init__(self, file: Any, protocol: int, memory: Memory) -> None:
        super().__init__(file, protocol)
        self.memory = memory

    def persistent_id(self, obj: Any) -> Any:
        """How the file names a piece of memory."""
        if not isinstance(obj, Lent):
            return None
        piece = obj.piece
        piece.named = True
        dtype = piece.dtype or obj.dtype  # no type yet: a tensor without elements
        kind = STORAGES.get(dtype, UNTYPED)
        count = piece.nbytes() // (1 if kind is UNTYPED else dtype.itemsize)
        return "storage", kind, piece.key, str(devices.of(piece.owner)), count

    def reducer_override(self, obj: Any) -> Any:
        """How the file makes an object again."""
        if isinstance(obj, Tensor):
            return self._sparse(obj) if obj.is_sparse else self._tensor(obj)
        if type(obj) is layout:
            return LAYOUT, (repr(obj),)
        if type(obj) is Size:
            return SIZE, (tuple(obj),)
        if isinstance(obj, devices.device):
            return DEVICE, (obj.type,) if obj.index is None else (obj.type, obj.index)
        return NotImplemented

    def _tensor(self, t: Tensor) -> tuple:
        from ..nn.parameter import Parameter, is_lazy

        if is_lazy(t):
            return type(t), (t.requires_grad,)
        piece, array = self.memory.place(t.array)
        item = array.itemsize
        if array.size and piece.low is None:  # made only now, by an object that gives new tensors each time
            piece.show(piece.start, piece.start + piece.owner.nbytes, t.dtype)
        offset = (devices.address(array) - piece.low) // item if array.size else 0
        where = (offset, tuple(array.shape), tuple(s // item for s in array.strides))
        state = t._user_state()
        if isinstance(t, Parameter) and type(t) is Parameter:
            data = Data(self._call(piece, t.dtype, where, False))
            if state:
                return PARAMETER_WITH_STATE, (data, t.requires_grad, OrderedDict(), state)
            return PARAMETER, (data, t.requires_grad, OrderedDict())
        call = self._call(piece, t.dtype, where, t.requires_grad)
        if type(t) is Tensor and not state:
            return call
        cls = TENSOR if type(t) is Tensor else type(t)
        return FROM_TYPE, (call[0], cls, call[1], state)

    @staticmethod
    def _sparse(t: Any) -> tuple:
        return SPARSE, (t.layout, (t._indices(), t._values(), t.shape, t.is_coalesced()))

    @staticmethod
    def _call(piece: Piece, dtype: Any, where: tuple, requires_grad: bool) -> tuple:
        common = (Lent(piece, dtype), *where, requires_grad, OrderedDict())
        if dtype is (piece.dtype or dtype) and dtype in STORAGES:
            return REBUILD, common
        return REBUILD_TYPED, (*common, DTYPES[dtype])  # memory seen as another type, or one without a storage class

    def _save_global_as_it_is(self, obj: Global) -> None:
        self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode("ascii"))
        self.memoize(obj)

    def _save_dtype(self, obj: dtypes.dtype) -> None:
        self.save(DTYPES[obj])

    dispatch[Global] = _save_global_as_it_is
    dispatch[dtypes.dtype] = dispatch[dtypes.NamedOnly] = _save_dtype


class Data:
    """The tensor inside a parameter, as the call that makes it."""

    def __init__(self, call: tuple) -> None:
        self.call = call

    def __reduce_ex__(self, protocol: Any) -> tuple:
        return self.call


__all__ = ["save"]

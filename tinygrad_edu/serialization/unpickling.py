"""Two readers of pickles: one that follows a list, and one for files that the user trusts."""

from __future__ import annotations

import collections
import pickle
import struct
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from ..tensor import Tensor
from .names import trusted
from .rebuilding import COPYING, Named, counterpart, said

ADVICE = (
    "Weights only load failed. {}\n"
    "  write instead: save(model.state_dict(), ...) when saving, since a state dict needs nothing but tensors; or, if "
    "the file is from somebody you trust, load(..., weights_only=False), which runs whatever the file says (the "
    "environment variable TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1 does it for a program that cannot be changed)"
)

NEEDED_NAMES = """PROTO FRAME MARK STOP NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT
STRING BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES BINBYTES8 UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 EMPTY_TUPLE
TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST LIST EMPTY_DICT DICT EMPTY_SET FROZENSET ADDITEMS APPEND APPENDS SETITEM SETITEMS
BINPERSID GLOBAL STACK_GLOBAL REDUCE BUILD NEWOBJ GET BINGET LONG_BINGET PUT BINPUT LONG_BINPUT MEMOIZE POP POP_MARK
DUP"""
ALL_STEPS: dict[int, Callable] = pickle._Unpickler.dispatch  # type: ignore[attr-defined]
NEEDED = [getattr(pickle, name)[0] for name in NEEDED_NAMES.split()]

WITHOUT_TYPE = ("float8_", "float4_", "complex32", "ComplexHalf", "qint", "quint", "QInt", "QUInt", "_rebuild_qtensor")

LARGEST_KEY = 1000  # parts of a tuple that is a dictionary's key

DAMAGE = (AttributeError, ImportError, IndexError, MemoryError, OverflowError, TypeError, ValueError, struct.error)


class Restricted(pickle._Unpickler):  # type: ignore[name-defined]  # the one in Python: its steps can be replaced
    """Reads a pickle that may name what is on a list, and nothing else.

    Steps that such a file never needs are left out. What it may call are functions of ours, and classes that the
    user has added by `add_safe_globals`.
    """

    dispatch: ClassVar[dict[int, Any]] = {code: ALL_STEPS[code] for code in NEEDED}

    def __init__(self, file: Any, size: int, names: dict[str, Any], find: Callable[[Any], Any]) -> None:
        super().__init__(file, encoding="utf-8")
        self.names, self.find, self.proto = names, find, 0
        self.room = size  # bytes that may still be copied: an honest pickle has each of them once
        self.added = dict(trusted())

    def load(self) -> Any:
        """The object."""
        try:
            return super().load()
        except pickle.UnpicklingError as error:
            raise pickle.UnpicklingError(ADVICE.format(error)) from None
        except RuntimeError:
            raise
        except EOFError:
            raise pickle.UnpicklingError("the file ends in the middle of its objects: it was cut off") from None
        except KeyError as error:
            step = f"the step {error.args[0]!r} is never needed for tensors" if error.args else "a step is unknown"
            raise pickle.UnpicklingError(ADVICE.format(f"The pickle is damaged, or {step}.")) from None
        except DAMAGE as error:
            text = f"The pickle is damaged, or no pickle at all ({type(error).__name__}: {error})."
            raise pickle.UnpicklingError(ADVICE.format(text)) from None

    def find_class(self, module: str, name: str) -> Any:
        """What a name on the list stands for."""
        if self.proto < 3:  # the names of Python 2
            module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
        full = f"{module}.{name}"
        if full in self.added:
            return self.added[full]
        if full in self.names:
            return self.names[full]
        if module.startswith("torch") and name.startswith(WITHOUT_TYPE):
            raise pickle.UnpicklingError(
                f"{full} stands for numbers that NumPy has no type for; save x.float(), or x.dequantize(), instead"
            )
        raise pickle.UnpicklingError(
            f"Unsupported global: GLOBAL {full} is not among the names that are allowed; nothing of it was run. "
            f"If you trust it: serialization.add_safe_globals([{name}])"
        )

    def persistent_load(self, pid: Any) -> Any:
        """The memory that the file describes."""
        return self.find(pid)

    def load_reduce(self) -> None:
        """Call a function on the list."""
        args = self.stack.pop()
        function = self.stack[-1]
        if not isinstance(function, Named) and not _among(function, self.added):
            raise pickle.UnpicklingError(
                f"a call of {said(function)}, which is not among the functions that are allowed"
            )
        if isinstance(function, Named) and function.name in COPYING:
            self.room -= sum(len(a) for a in args if hasattr(a, "__len__"))
            if self.room < 0:
                raise pickle.UnpicklingError("its objects would take more memory than the file has bytes")
            for each in args:
                _check_keys(each if isinstance(each, (list, tuple)) else ())
        self.stack[-1] = function(*args)

    def load_newobj(self) -> None:
        """Make an object of a class that the user has added."""
        args = self.stack.pop()
        cls = self.stack.pop()
        if not _among(cls, self.added):
            raise pickle.UnpicklingError(f"an object of {said(cls)}, which is not among the types that are allowed")
        self.append(cls.__new__(cls, *args))

    def load_build(self) -> None:
        """Give an object its attributes."""
        made = self.stack[-2]
        if not _among(type(made), self.added):
            state = self.stack.pop()
            if type(made) is not collections.OrderedDict or not isinstance(state, dict):
                if isinstance(made, Tensor) and isinstance(state, dict) and not state:
                    return
                raise pickle.UnpicklingError(f"the attributes of a {type(made).__name__} are not to be set by a file")
            made.__dict__.update(state)
            return
        ALL_STEPS[pickle.BUILD[0]](self)

    def load_dict(self) -> None:
        """Make a dictionary of what lies above the mark."""
        items = self.pop_mark()
        _check_keys(items[::2])
        self.append(dict(zip(items[::2], items[1::2], strict=True)))

    def load_setitem(self) -> None:
        """Give a dictionary one item."""
        _check_keys(self.stack[-2:-1])
        ALL_STEPS[pickle.SETITEM[0]](self)

    def load_setitems(self) -> None:
        """Give a dictionary what lies above the mark."""
        _check_keys(self.stack[::2])
        ALL_STEPS[pickle.SETITEMS[0]](self)

    def load_additems(self) -> None:
        """Give a set what lies above the mark."""
        _check_keys(self.stack)
        ALL_STEPS[pickle.ADDITEMS[0]](self)

    def load_frozenset(self) -> None:
        """Make a set of what lies above the mark."""
        _check_keys(self.stack)
        ALL_STEPS[pickle.FROZENSET[0]](self)

    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.NEWOBJ[0]] = load_newobj
    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.DICT[0]] = load_dict
    dispatch[pickle.SETITEM[0]] = load_setitem
    dispatch[pickle.SETITEMS[0]] = load_setitems
    dispatch[pickle.ADDITEMS[0]] = load_additems
    dispatch[pickle.FROZENSET[0]] = load_frozenset


def _check_keys(keys: Iterable[Any]) -> None:
    """Raise for a key of many parts: Python takes the hash of a tuple anew each time, as deep as it goes and over all
    that it holds twice."""
    for key in keys:
        if isinstance(key, tuple):
            left, inside = LARGEST_KEY, [key]
            while inside and left > 0:
                each = inside.pop()
                left -= 1 + len(each)
                inside += [part for part in each if isinstance(part, tuple)]
            if left <= 0:
                raise pickle.UnpicklingError(f"a key in it has more than {LARGEST_KEY} parts")


def _among(each: Any, added: dict[str, Any]) -> bool:
    return any(each is other for other in added.values())


class Trusting(pickle.Unpickler):
    """Reads any pickle, with this package's things where it names PyTorch's."""

    def __init__(self, file: Any, names: dict[str, Any], find: Callable[[Any], Any], options: dict[str, Any]) -> None:
        super().__init__(file, **options)
        self.names, self.find = names, find

    def find_class(self, module: str, name: str) -> Any:
        """What a name stands for."""
        full = f"{module}.{name}"
        if full in self.names:
            return self.names[full]
        found = counterpart(module, name) if module.split(".")[0] == "torch" else None
        return super().find_class(module, name) if found is None else found

    def persistent_load(self, pid: Any) -> Any:
        """The memory that the file describes."""
        return self.find(pid)


__all__ = ["Restricted", "Trusting"]

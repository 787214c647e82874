"""Two readers of pickles: one that follows a list, and one for files that the user trusts."""

from __future__ import annotations

import collections
import pickle
import struct
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable
from typing import Any, ClassVar

from ..tensor import Tensor
from .names import trusted
from .rebuilding import COPYING, Named, counterpart

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
            raise pickle.UnpicklingError(f"a call of {function!r}, which is not among the functions that are allowed")
        if isinstance(function, Named) and function.name in COPYING:
            self.room -= sum(len(a) for a in args if hasattr(a, "__len__"))
            if self.room < 0:
                raise pickle.UnpicklingError("its objects would take more memory than the file has bytes")
        self.stack[-1] = function(*args)

    def load_newobj(self) -> None:
        """Make an object of a class that the user has added."""
        args = self.stack.pop()
        cls = self.stack.pop()
        if not _among(cls, self.added):
            raise pickle.UnpicklingError(f"an object of {cls!r}, which is not among the types that are allowed")
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

    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.NEWOBJ[0]] = load_newobj
    dispatch[pickle.BUILD[0]] = load_build


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

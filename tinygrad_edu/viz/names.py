"""What the tensors and modules of a graph are called: by their models, by the variables of whoever asks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from inspect import CO_OPTIMIZED
from types import FrameType
from typing import Any

from ..autograd.anomaly import PACKAGE
from ..autograd.graph import Node
from ..nn.modules.module import Module
from ..tensor import Leaf, Tensor

MANY = 1000  # longer lists are not searched for tensors


class Names:
    """Names by node, by array and by module; the first name that is found stays."""

    def __init__(self) -> None:
        self.tensors: dict[tuple[Node, int], str] = {}
        self.found: dict[tuple[Node, int], Tensor] = {}
        self.arrays: dict[
            int, tuple[str, str, Any]
        ] = {}  # by id: name, kind, and the array, so that the id stays its own
        self.given: set[str] = set()  # names of a model's inputs
        self.modules: dict[int, str] = {}
        self.kinds: dict[str, str] = {}  # the classes of modules, by dotted prefixes
        self.owned: dict[Node, tuple[str, ...]] = {}  # the modules around a parameter, by dotted prefixes

    def add(self, name: str, tensor: Tensor, kind: str = "input") -> None:
        """Learn a tensor's name."""
        node = tensor.edge()
        if node is None:
            self.arrays.setdefault(id(tensor.array), (name, kind, tensor.array))
        else:
            place = node.as_function()
            self.tensors.setdefault(place, name)
            self.found.setdefault(place, tensor)

    def add_module(self, name: str, module: Module, prefix: str = "") -> None:
        """Learn the dotted names of a model's parameters and buffers."""
        self.modules.setdefault(id(module), name)
        self.kinds.update((path, type(inner).__name__) for path, inner in module.named_modules())
        names: dict[Node, list[str]] = {}
        for dotted, parameter in module.named_parameters(remove_duplicate=False):
            if isinstance(parameter.node, Leaf):
                names.setdefault(parameter.node, []).append(prefix + dotted)
            else:
                self.arrays.setdefault(id(parameter.array), (prefix + dotted, "parameter", parameter.array))
        for node, dotted_names in names.items():
            self.tensors.setdefault((node, 0), " = ".join(dotted_names))
            if len(dotted_names) == 1:  # one that two modules share says nothing about where it is used
                self.owned.setdefault(node, tuple(dotted_names[0].removeprefix(prefix).split(".")[:-1]))
        for dotted, buffer in module.named_buffers():
            self.add(prefix + dotted, buffer, "constant")

    def add_variables(self, variables: Mapping[str, Any], leaves: set[Node]) -> None:
        """Learn from the variables of a program; modules first, since dotted names say more."""
        modules = {}
        for name, value in list(variables.items()):
            if isinstance(value, Module) and id(value) not in self.modules and not name.startswith("_"):
                if any(p.node in leaves for p in value.parameters()):
                    modules[name] = value
                elif id(value) not in self.modules:
                    self.modules[id(value)] = name
        inside = {id(m) for module in modules.values() for m in module.modules() if m is not module}
        outermost = {name: module for name, module in modules.items() if id(module) not in inside}
        several = len({id(m) for m in outermost.values()}) > 1
        for name, module in outermost.items():
            self.add_module(name, module, f"{name}." if several and name != "self" else "")
        for name, value in list(variables.items()):
            if not name.startswith("_") and name not in ("In", "Out"):  # a notebook's own
                for full, tensor in _tensors(name, value):
                    self.add(full, tensor)


def _tensors(name: str, value: Any) -> Iterable[tuple[str, Tensor]]:
    """The tensors in a variable: itself, the members of a list or dictionary, the attributes of `self`."""
    if isinstance(value, Tensor):
        return [(name, value)]
    if isinstance(value, (list, tuple)) and len(value) <= MANY:
        return [(f"{name}[{i}]", v) for i, v in enumerate(value) if isinstance(v, Tensor)]
    if isinstance(value, dict) and len(value) <= MANY:
        return [(f"{name}[{k!r}]", v) for k, v in value.items() if isinstance(v, Tensor) and isinstance(k, (str, int))]
    if name == "self" and not isinstance(value, Module) and hasattr(value, "__dict__"):
        return [(f"self.{k}", v) for k, v in vars(value).items() if isinstance(v, Tensor)]
    return []


def variables_around(function: Callable | None = None) -> list[Mapping[str, Any]]:
    """The variables that the caller sees, nearest first: those a function holds, the caller's, the file's."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    spaces: list[Mapping[str, Any]] = []
    code, cells = getattr(function, "__code__", None), getattr(function, "__closure__", None)
    if code is not None and cells:
        filled = [(name, cell) for name, cell in zip(code.co_freevars, cells, strict=True) if _is_filled(cell)]
        spaces.append({name: cell.cell_contents for name, cell in filled})
    if frame is not None:
        inside = frame.f_locals
        if inside is not frame.f_globals:
            spaces.append(dict(inside))
            # a frame keeps the dictionary it has given, and with it every tensor of that moment (until Python 3.13)
            if type(inside) is dict and frame.f_code.co_flags & CO_OPTIMIZED and sys.getrefcount(inside) == 3:
                inside.clear()
        spaces.append(frame.f_globals)
    return spaces


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True

"""Methods of tensors and modules that a program calls and that are not here, as far as its text tells what is a tensor."""

from __future__ import annotations

import ast
import collections
import inspect
import io
from collections.abc import Iterator, Mapping

import numpy as np

from .absent import METHODS
from .missing import resolve

# what has such a method as often as a tensor has
OTHERS = (str, bytes, list, tuple, dict, set, slice, int, float, complex, np.ndarray, collections.deque, io.BytesIO)
COMMON = {name for kind in OTHERS for name in dir(kind)} | {"name", "solve"}


class Methods:
    """Reads one program. `known` are its names that stand for names of torch."""

    def __init__(self, tree: ast.Module, known: Mapping[str, str]) -> None:
        self.tree, self.known = tree, known
        nodes = list(ast.walk(tree))
        self.calls = {id(n.func) for n in nodes if isinstance(n, ast.Call)}
        self.own = {n.name for n in nodes if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))}
        imports = (alias for n in nodes if isinstance(n, (ast.Import, ast.ImportFrom)) for alias in n.names)
        self.imported = {alias.asname or alias.name.partition(".")[0] for alias in imports}
        self.tensors: set[str] = set()
        self.tensors = self._named_tensors([n for n in nodes if isinstance(n, ast.Assign)])

    def _named_tensors(self, assignments: list[ast.Assign]) -> set[str]:
        """Names that stand for a tensor at every place where they get a value."""
        values: dict[str, list[ast.expr]] = {}
        for assignment in assignments:
            for target in assignment.targets:
                for name in ast.walk(target):
                    if isinstance(name, ast.Name):
                        values.setdefault(name.id, []).append(assignment.value)
        return {name for name, found in values.items() if all(map(self.is_tensor, found))}

    def is_tensor(self, value: ast.expr) -> bool:
        """Whether an expression is surely a tensor: what a function of torch's returns, and methods of that."""
        if isinstance(value, ast.Name):
            return value.id in self.tensors
        if isinstance(value, ast.BinOp):
            return self.is_tensor(value.left) or self.is_tensor(value.right)
        if not isinstance(value, ast.Call) or not isinstance(value.func, ast.Attribute):
            return False
        module = ast.unparse(value.func.value)
        root, _, rest = module.partition(".")
        if root not in self.known or not self.known[root]:
            return self.is_tensor(value.func.value)
        name = ".".join(filter(None, (self.known[root], rest, value.func.attr)))
        try:
            function = resolve(name)
        except (AttributeError, ImportError):
            return False
        operation = getattr(function, "op", None)
        if operation is not None:
            return not operation.several
        return inspect.isroutine(function) and inspect.signature(function).return_annotation == "Tensor"

    def missing(self) -> Iterator[tuple[str, int, bool]]:
        """Each method that is not here, its line, and whether it is surely one of a tensor."""
        for node in ast.walk(self.tree):
            if not isinstance(node, ast.Attribute) or node.attr not in METHODS or node.attr in self.own:
                continue
            sure = self.is_tensor(node.value)
            elsewhere = ast.unparse(node.value).partition(".")[0] in self.imported or node.attr in COMMON
            if isinstance(node.ctx, ast.Load) and (sure or (id(node) in self.calls and not elsewhere)):
                yield node.attr, node.lineno, sure


__all__ = ["Methods"]

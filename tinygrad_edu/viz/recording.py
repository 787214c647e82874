"""What a picture needs beyond the engine's own graph, noted only while somebody looks.

Inside `with Recording():` each new node gets a `Note`: the line that made it, the module it was made in, its inputs,
its result, how long it took; and, once a walk back has passed, the gradients that came and went. A note hangs on its
node and dies with it. Outside, nothing is noted and nothing is paid.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..autograd.anomaly import Line, where
from ..autograd.graph import Handle, Node, Several
from ..autograd.modes import observer, watch
from ..nn.modules.hooks import register_module_forward_hook, register_module_forward_pre_hook
from ..tensor import Tensor


@dataclass
class Scope:
    """One call of a module: what it is, its path from the outermost module, and the call that it is inside of."""

    module: weakref.ref
    path: str  # "encoder.0", "" for the outermost module
    kind: str  # the class's name
    outer: Scope | None
    call: int  # the number of this call: two calls of one module are two scopes

    def chain(self) -> list[Scope]:
        """The calls from the outermost module to this one."""
        found: list[Scope] = []
        scope: Scope | None = self
        while scope is not None:
            found.append(scope)
            scope = scope.outer
        return found[::-1]


@dataclass
class Note:
    """What was noted about one node."""

    line: Line
    scope: Scope | None
    inputs: tuple[Any, ...]  # weak references to tensors; numbers, shapes and options as they are
    outputs: tuple[weakref.ref, ...]
    shapes: list[tuple[tuple[int, ...], Any]]  # of the results, with their dtypes
    seconds: float  # since the node before: the operation with what the program did around it
    values: list[Any] | None = None  # copies of the results, where they were asked for
    step: int = 0  # which node of the walk back it was, from 1; 0 if no walk has passed
    g: Any = None  # the gradient that came, where gradients were asked for
    passed: list[tuple[Node, Any]] = field(default_factory=list)  # the gradients that went on, by node
    back_seconds: float = 0.0


class Recording:
    """Notes for the nodes that are made, and for the walks back through them, until the end of a `with` block.

    values     keep a copy of each result, so that later writes in place do not change the picture
    gradients  keep the gradients of the walk back
    """

    def __init__(self, values: bool = False, gradients: bool = False) -> None:
        self.values, self.gradients = values, gradients
        self.nodes: list[weakref.ref[Node]] = []  # in the order of creation
        self.walked_nodes: list[weakref.ref[Node]] = []  # in the order of the walk back
        self.scope: Scope | None = None
        self.calls = 0
        self._paths: dict[int, str] = {}  # of the modules inside the outermost one
        self._handles: list[Handle] = []

    def __enter__(self) -> Recording:
        self.outer = observer.get()
        self._end = watch(self)
        self._handles = [
            register_module_forward_pre_hook(self._enter_module),
            register_module_forward_hook(self._leave_module, always_call=True),
        ]
        self.last = time.perf_counter()
        return self

    def __exit__(self, *error: object) -> None:
        for handle in self._handles:
            handle.remove()
        self._end()

    # --- what the engine tells ------------------------------------------------------------------------------

    def recorded(self, node: Node, inputs: Sequence[Any], outputs: Sequence[Tensor]) -> None:
        """A node was made."""
        seconds = time.perf_counter() - self.last
        node.trace = line = where()
        node.note = Note(  # type: ignore[attr-defined]
            line,
            self.scope,
            tuple(weakref.ref(v) if isinstance(v, Tensor) else v for v in inputs),
            tuple(weakref.ref(t) for t in outputs),
            [(t.array.shape, t.array.dtype) for t in outputs],
            seconds,
            [t.array.copy() for t in outputs] if self.values else None,
        )
        self.nodes.append(weakref.ref(node))
        if self.outer is not None:
            self.outer.recorded(node, inputs, outputs)
        self.last = time.perf_counter()

    def written(self, tensor: Tensor, what: str) -> None:
        """Memory was written."""
        tensor.version().trace = where()
        if self.outer is not None:
            self.outer.written(tensor, what)

    def walked(self, node: Node, g: Any, results: list[tuple[Node, Any]]) -> None:
        """A node has passed its gradient on."""
        seconds = time.perf_counter() - self.last
        note = getattr(node, "note", None)
        if note is not None:
            self.walked_nodes.append(weakref.ref(node))
            note.step, note.back_seconds = len(self.walked_nodes), seconds
            if self.gradients:
                note.g, note.passed = _copied(g), [(edge, _copied(gx)) for edge, gx in results]
        if self.outer is not None:
            self.outer.walked(node, g, results)
        self.last = time.perf_counter()

    # --- what the modules tell ------------------------------------------------------------------------------

    def _enter_module(self, module: Any, args: Any) -> None:
        if self.scope is None:
            self._paths = {id(m): path for path, m in module.named_modules()}
        self.calls += 1
        path = self._paths.get(id(module), "?")
        self.scope = Scope(weakref.ref(module), path, type(module).__name__, self.scope, self.calls)

    def _leave_module(self, module: Any, args: Any, output: Any) -> None:
        if self.scope is not None:
            self.scope = self.scope.outer


def _copied(g: Any) -> Any:
    """A gradient of the walk that later additions do not change: an array, or several by result."""
    if isinstance(g, Several):
        return Several({k: _copied(each) for k, each in g.items()})
    return np.array(getattr(g, "array", g))

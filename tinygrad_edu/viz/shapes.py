"""`shapes(model, input)`: how shapes flow through a model's modules, up to the operation that fails, if one does."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from ..autograd.graph import Node
from ..autograd.modes import enable_grad
from ..nn.modules.module import Module
from ..tensor import Tensor
from .captions import Show
from .folding import Wanted, fold
from .graph import Graph
from .labels import clean, cut
from .names import Names, variables_around
from .picture import Box, Edge, Line, Picture
from .reading import Reading
from .recording import Recording, Scope
from .summary import arguments, evaluating, parameter_names, structure, tensors_in

EACH = Show(gradients=False, rules=False)


class _Flow(Recording):
    """A recording that keeps all results, and remembers where a failure was."""

    def __init__(self) -> None:
        super().__init__()
        self.results: list[Tensor] = []
        self.inputs: dict[int, Any] = {}  # of each call of a module
        self.failed: Scope | None = None

    def recorded(self, node: Node, inputs: Sequence[Any], outputs: Sequence[Tensor]) -> None:
        super().recorded(node, inputs, outputs)
        self.results += outputs

    def _enter_module(self, module: Any, args: Any) -> None:
        super()._enter_module(module, args)
        if self.scope is not None:
            self.inputs[self.scope.call] = args

    def _leave_module(self, module: Any, args: Any, output: Any) -> None:
        if output is None and self.failed is None:
            self.failed = self.scope
        super()._leave_module(module, args, output)


def shapes(
    model: Module, input: Any = None, *, depth: int | None = None, direction: str = "down", **inputs: Any
) -> Graph:
    """The flow of shapes through a model; if its forward fails, up to there, with the error as a sentence.

    input   a tensor; several in a tuple or list; named ones in a dictionary; or a shape, for random numbers
    inputs  further named arguments of the model's forward
    """
    args, named = arguments(model, input)
    named.update(inputs)
    flow, error, output = _Flow(), "", None
    with evaluating(model), enable_grad(), flow:
        try:
            output = model(*args, **named)
        except Exception as exception:
            error = f"{type(exception).__name__}: {exception}"
    variables = [name for space in variables_around() for name, value in space.items() if value is model]
    name = next((v for v in variables if not v.startswith("_")), type(model).__name__)
    called = _names(model, name, args, named)
    made = [("", t) for t in [*tensors_in([*args, *named.values()]), *flow.results]] if error else _named(output)
    roots = [(label, t) for label, t in made if t.edge() is not None]
    picture = Picture(f"shapes of {name}", f"for {cut(structure((*args, *named.values())), 60)}", direction=direction)
    reading = Reading(roots, called)
    for item in reading.items:
        if item.node is not None and called.tensors.get((item.node, 0), "") in called.given:
            item.kind = "input"
    if error:
        reading.roots = []
    fold(reading, reading.items, Wanted(depth=depth, modules_only=True), EACH, picture)
    if error:
        _add_failure(picture, flow, name, error)
    return Graph(picture)


def _named(output: Any) -> list[tuple[str, Tensor]]:
    """The tensors that come out, with the keys or places that the model gave them."""
    if isinstance(output, Mapping):
        parts = [(str(key), value) for key, value in output.items()]
    elif isinstance(output, (tuple, list)):
        parts = [(f"output[{i}]", value) for i, value in enumerate(output)]
    else:
        parts = [("output", output)]
    return [(label, t) for label, value in parts for t in tensors_in(value)]


def _names(model: Module, name: str, args: list[Any], named: dict[str, Any]) -> Names:
    called = Names()
    pairs = [*zip(parameter_names(model, len(args)), args, strict=True), *named.items()]
    for argument, value in pairs:
        tensors = tensors_in(value)
        for k, t in enumerate(tensors):
            full = argument if len(tensors) == 1 else f"{argument}[{k}]"
            called.add(full, t)
            called.given.add(full)
    called.add_module(name, model)
    return called


def _add_failure(picture: Picture, flow: _Flow, name: str, error: str) -> None:
    """The module that failed as a red box, behind what it was given."""
    path = f"{name}.{flow.failed.path}".rstrip(".") if flow.failed is not None else name
    kind = f"  {flow.failed.kind}" if flow.failed is not None else ""
    sentence, *more = [clean(line) for line in error.split("\n")]
    instead = [line for line in more if line.startswith("write instead")]
    box = Box("failed", "operation", cut(f"{path}{kind}", 60), bad=True)
    given = tensors_in(flow.inputs.get(flow.failed.call)) if flow.failed is not None else []
    box.lines = [Line(f"fails for {cut(structure(tuple(given)), 50)}", "bad")]
    box.hint = "\n".join([box.title, error])
    picture.boxes.append(box)
    for t in given:
        node = t.edge()
        tail = picture.places.get(node.as_function()[0]) if node is not None else None
        if tail is not None and not any(e.tail == tail and e.head == box.id for e in picture.edges):
            picture.edges.append(Edge(tail, box.id))
    for line in (f"{path}: {sentence}", *instead):
        picture.notes += textwrap.wrap(line[:400], 76)

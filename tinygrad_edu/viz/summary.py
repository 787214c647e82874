"""`summary(model, input)`: the table of a model's modules, with shapes, parameters, multiply-adds and memory."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ..autograd.graph import Node
from ..autograd.modes import enable_grad
from ..nn.modules.module import Module
from ..nn.parameter import is_lazy
from ..tensor import Tensor
from .captions import kept_arrays, memory
from .labels import bytes_text, cut, shape_text
from .recording import Recording, Scope


def _einsum_products(x: tuple[int, ...], y: tuple[int, ...], equation: str) -> int:
    """One for each setting of all indices."""
    of_x, of_y = equation.split("->")[0].split(",")
    return math.prod({**dict(zip(of_x, x, strict=True)), **dict(zip(of_y, y, strict=True))}.values())


PRODUCTS: dict[str, Callable[[list[Any], tuple[int, ...]], int]] = {
    # multiply-adds by operation: of the shapes of the arguments, and of the result
    "linear": lambda i, out: math.prod(out) * i[0][-1],
    "matmul": lambda i, out: math.prod(out) * i[0][-1],
    "einsum": lambda i, out: _einsum_products(i[0], i[1], i[2]),
    "convolution": lambda i, out: math.prod(out) * math.prod(i[1][1:]),
    "conv_transpose": lambda i, out: math.prod(i[0]) * math.prod(i[1][1:]),
    "attention": lambda i, out: math.prod(i[0]) * i[1][-2] + math.prod(out) * i[1][-2],
    "rnn": lambda i, out: math.prod(i[0][:-1]) * (math.prod(i[2]) + math.prod(i[3])),
    "lstm": lambda i, out: math.prod(i[0][:-1]) * (math.prod(i[3]) + math.prod(i[4])),
    "gru": lambda i, out: math.prod(i[0][:-1]) * (math.prod(i[2]) + math.prod(i[3])),
}


@dataclass
class Row:
    """One call of a module."""

    name: str
    kind: str
    depth: int
    output: str = ""
    parameters: int = 0  # of this module and those inside it
    note: str = ""  # "again" for a second call, "shared" where a row above has some of the parameters, too
    multiply_adds: int = 0
    kept: int = 0  # bytes


@dataclass
class Summary:
    """A model's modules in the order of their calls; prints itself as a table."""

    rows: list[Row]
    parameters: int = 0
    trainable: int = 0
    multiply_adds: int = 0
    parameter_bytes: int = 0
    input_bytes: int = 0
    kept_bytes: int = 0
    never_called: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        head = ("Module", "Output", "Parameters", "Multiply-adds", "Kept")
        lines = [head] + [
            (
                cut("  " * row.depth + f"{row.name}  {row.kind}".strip(), 48),
                row.output,
                row.note if row.note == "again" else f"{row.parameters:,}{' ' + row.note if row.note else ''}",
                f"{row.multiply_adds:,}" if row.multiply_adds else "",
                bytes_text(row.kept) if row.kept else "",
            )
            for row in self.rows
        ]
        # `cut` trims what is at the ends, and the tree's steps stand there
        steps = [0, *(2 * row.depth for row in self.rows)]
        widths = [max(len(line[k]) + (steps[i] if k == 0 else 0) for i, line in enumerate(lines)) for k in range(5)]
        rule = "─" * (sum(widths) + 8)
        out = [rule]
        for step, (name, output, *numbers) in zip(steps, lines, strict=True):
            cells = [(" " * step + name).ljust(widths[0]), output.ljust(widths[1])]
            out.append("  ".join([*cells, *(n.rjust(w) for n, w in zip(numbers, widths[2:], strict=True))]).rstrip())
        out.insert(2, rule)
        fixed = self.parameters - self.trainable
        out += [
            rule,
            f"parameters      {self.parameters:,}, each counted once" + (f"; {fixed:,} of them fixed" if fixed else ""),
            f"multiply-adds   {self.multiply_adds:,} in products, convolutions, recurrences and attention",
            f"memory          {bytes_text(self.parameter_bytes)} parameters, {bytes_text(self.input_bytes)} input, "
            f"{bytes_text(self.kept_bytes)} kept for the walk back",
        ]
        if self.never_called:
            out.append(f"never called    {', '.join(self.never_called)}")
        return "\n".join([*out, rule])

    __repr__ = __str__


class _Counting(Recording):
    """A recording that counts while the shapes of arguments are known, and notes each call of a module."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[Row, Module]] = []
        self.open: list[Row] = []
        self.alive: list[Node] = []

    def recorded(self, node: Node, inputs: Sequence[Any], outputs: Sequence[Tensor]) -> None:
        super().recorded(node, inputs, outputs)
        self.alive.append(node)
        count = PRODUCTS.get(node.op.name) if hasattr(node, "op") else None
        products = count([getattr(v, "shape", v) for v in inputs], outputs[0].shape) if count else 0
        kept = kept_arrays(node)
        size = memory(
            a for a in kept.values() if not any(a is getattr(p, "array", None) for p in inputs if _is_leaf(p))
        )
        for row in self.open:
            row.multiply_adds += products
            row.kept += size

    def _enter_module(self, module: Any, args: Any) -> None:
        super()._enter_module(module, args)
        scope: Scope | None = self.scope
        outer = scope.outer if scope is not None else None
        path = scope.path if scope is not None else ""
        name = path.removeprefix(f"{outer.path}.") if outer is not None and outer.path else path
        row = Row(name, type(module).__name__, len(self.open))
        self.rows.append((row, module))
        self.open.append(row)

    def _leave_module(self, module: Any, args: Any, output: Any) -> None:
        super()._leave_module(module, args, output)
        self.open.pop().output = structure(output)


def _is_leaf(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_leaf


def summary(model: Module, input: Any = None, **inputs: Any) -> Summary:
    """The table of a model for one input: what each module gives, holds, computes and keeps.

    input   a tensor; several in a tuple or list; named ones in a dictionary; or a shape, for random numbers
    inputs  further named arguments of the model's forward

    The model runs once, in evaluation mode; its parameters, gradients and statistics stay as they are.
    """
    args, named = arguments(model, input)
    named.update(inputs)
    counting = _Counting()
    with evaluating(model), enable_grad(), counting:
        model(*args, **named)
    owner: dict[int, Module] = {}
    called: set[int] = set()
    for row, module in counting.rows:
        row.parameters = sum(p.numel() for p in {id(p): p for p in module.parameters()}.values())
        own = list(module.parameters(recurse=False))
        if id(module) in called:
            row.note = "again"
        elif any(owner.setdefault(id(p), module) is not module for p in own):
            row.note = "shared"
        called.add(id(module))
    return _totals(model, counting, [*args, *named.values()])


def _totals(model: Module, counting: _Counting, given: list[Any]) -> Summary:
    rows = counting.rows
    parameters = list({id(p): p for p in model.parameters()}.values())
    called = {id(module) for _, module in rows}
    idle = [
        path
        for path, module in model.named_modules()
        if id(module) not in called and any(True for _ in module.parameters(recurse=False))
    ]
    outer = [row for row, _ in rows if row.depth == 0]
    leaves = {id(p.array) for p in parameters}
    kept = [a for node in counting.alive for a in kept_arrays(node).values() if id(a) not in leaves]
    return Summary(
        [row for row, _ in rows],
        sum(p.numel() for p in parameters),
        sum(p.numel() for p in parameters if p.requires_grad),
        sum(row.multiply_adds for row in outer),
        sum(p.array.nbytes for p in parameters),
        sum(t.array.nbytes for t in tensors_in(given)),
        memory(kept),
        idle,
    )


# --- the input, and what comes out ---------------------------------------------------------------------------------


def arguments(model: Module, input: Any) -> tuple[list[Any], dict[str, Any]]:
    """A model's arguments, positional and named; floats ask for gradients, so that all is recorded."""
    if isinstance(input, Mapping):
        if not _takes(model, input):  # its forward takes the dictionary itself
            return [_watched(input)], {}
        return [], {name: _watched(value) for name, value in input.items()}
    if isinstance(input, (tuple, list)) and input and all(isinstance(n, int) for n in input):
        from ..random import randn

        return [_watched(randn(*input))], {}
    if isinstance(input, (tuple, list)):
        return [_watched(value) for value in input], {}
    return ([] if input is None else [_watched(input)]), {}


def _takes(model: Module, named: Mapping[str, Any]) -> bool:
    """Whether a model's forward has a parameter of one of these names, or does not tell."""
    try:
        parameters = inspect.signature(model.forward).parameters.values()
    except (TypeError, ValueError):
        return True
    return any(p.kind is p.VAR_KEYWORD or p.name in named for p in parameters)


def _watched(value: Any) -> Any:
    if isinstance(value, Tensor) and value.array.dtype.kind in "fc":
        return value.detach().requires_grad_()
    if isinstance(value, Mapping):
        return {k: _watched(v) for k, v in value.items()}
    if type(value) in (tuple, list):
        return type(value)(_watched(v) for v in value)
    return value


@contextmanager
def evaluating(model: Module) -> Iterator[None]:
    """The model in evaluation mode, each module as it was afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def tensors_in(value: Any) -> list[Tensor]:
    """The tensors in a structure of tuples, lists and dictionaries."""
    found, stack = [], [value]
    while stack:
        value = stack.pop()
        if isinstance(value, Tensor):
            if not is_lazy(value):
                found.append(value)
        elif isinstance(value, Mapping):
            stack.extend(reversed(list(value.values())))
        elif isinstance(value, (tuple, list)):
            stack.extend(reversed(value))
        elif hasattr(value, "__dataclass_fields__"):
            stack.extend(reversed(list(vars(value).values())))
    return found


def structure(value: Any) -> str:
    """The shapes of what a module gives, in brackets as it gives them."""
    if isinstance(value, Tensor):
        return shape_text(value.shape)
    tensors = tensors_in(value)
    shapes = ", ".join(shape_text(t.shape) for t in tensors[:3]) + (", …" if len(tensors) > 3 else "")
    if isinstance(value, Mapping):
        return "{" + shapes + "}"
    return f"({shapes})" if tensors else type(value).__name__


def parameter_names(model: Module, count: int) -> list[str]:
    """The names of the forward's first arguments."""
    names = list(inspect.signature(model.forward).parameters)
    return [*names, *(f"input[{i}]" for i in range(len(names), count))][:count]

"""The pages that come from the code: every operation with its calculus, and what each public module has."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from types import ModuleType
from typing import Any

import tinygrad_edu
from tinygrad_edu.op import OPS, Op
from tinygrad_edu.ops import FAMILIES
from tinygrad_edu.viz.rules import rule_source, rule_text

CHAPTERS = {
    "tensor": ("Tensor", ["tinygrad_edu.tensor:Tensor"]),
    "functions": ("Functions of tensors", ["tinygrad_edu.ops"]),
    "random": ("Random draws", ["tinygrad_edu.random"]),
    "linalg": ("Linear algebra", ["tinygrad_edu.linalg"]),
    "fft": ("Fourier transforms, special functions", ["tinygrad_edu.fft", "tinygrad_edu.special"]),
    "autograd": ("Autograd", ["tinygrad_edu.autograd", "tinygrad_edu.autograd.functional", "tinygrad_edu.func"]),
    "nn": ("Layers", ["tinygrad_edu.nn"]),
    "functional": ("Functions of networks", ["tinygrad_edu.nn.functional", "tinygrad_edu.nn.init", "tinygrad_edu.nn.utils"]),
    "optim": ("Optimizers", ["tinygrad_edu.optim", "tinygrad_edu.optim.lr_scheduler", "tinygrad_edu.optim.swa_utils"]),
    "data": ("Data", ["tinygrad_edu.utils.data", "tinygrad_edu.datasets"]),
    "distributions": ("Distributions", ["tinygrad_edu.distributions"]),
    "saving": ("Saving and loading", ["tinygrad_edu.serialization"]),
    "recorded": ("Recorded steps", ["tinygrad_edu.recorded"]),
    "viz": ("Pictures", ["tinygrad_edu.viz"]),
    "distributed": ("Many processes", ["tinygrad_edu.distributed"]),
    "cuda": ("The GPU", ["tinygrad_edu.cuda"]),
    "learn": ("Pieces of lessons", ["tinygrad_edu.learn"]),
}  # fmt: skip
INHERITED = {  # told once, on the page of the base
    "tinygrad_edu.nn": tinygrad_edu.nn.Module,
    "tinygrad_edu.optim": tinygrad_edu.optim.Optimizer,
}
NAMED = re.compile(r"(\S+) {2,}(\S.*)")


# --- operations ------------------------------------------------------------------------------------------------------


def operations() -> str:
    """The page of all operations, by family."""
    families: dict[str, list[Op]] = defaultdict(list)
    for op in OPS.values():
        families[op.forward.__module__].append(op)
    order = [f.__name__ for f in FAMILIES]
    count = sum(bool(op.rules) for op in OPS.values())
    out = [
        "# Operations and their calculus\n",
        f"All {len(OPS)} operations, {count} of them differentiable, as their sources state them: `out` is the result,",
        "`g` the gradient that arrives, and each line that begins with `d` the gradient of one argument. The engine sums",
        "over what was broadcast, so no rule does it. A line that only calls a function is followed by that function.\n",
    ]
    for name in sorted(families, key=lambda name: (order.index(name) if name in order else len(order), name)):
        module = sys.modules[name]
        out += [f"## {name.rpartition('.')[2].replace('_', ' ')}\n", _escaped(_first_line(module)), ""]
        for op in families[name]:
            out += _operation(op)
    return "\n".join(out)


def _operation(op: Op) -> Iterator[str]:
    yield f'### `{op.name}{op.signature}` {{ #op-{op.name} data-toc-label="{op.name}" }}\n'
    yield _escaped(_first_line(op.forward)) + "\n"
    lines = []
    forward = rule_text(op.forward)
    if not forward.startswith(f"{op.forward.__name__}("):
        lines.append(f"out = {forward}")
    lines += [f"d{key.replace(',', ', d')} = {rule_text(rule)}" for key, rule in op.rules.items()]
    for rule in dict.fromkeys(op.rules.values()):
        if rule.__name__ != "<lambda>" and rule_text(rule).startswith(f"{rule.__name__}("):
            lines += ["", rule_source(rule)]
    if lines:
        yield "\n".join(["```python", *lines, "```", ""])
    elif not op.differentiable:
        yield "It has no gradient by nature.\n"


# --- modules ---------------------------------------------------------------------------------------------------------


def chapter(title: str, names: Iterable[str]) -> str:
    """The page of a few modules."""
    out = [f"# {title}\n"]
    for place in names:
        name, _, only = place.partition(":")
        module = importlib.import_module(name)
        out += [f"## {name}\n", _text(module)]
        for member, what in members(module):
            if only and member != only:
                continue
            out += _entry(member, what, INHERITED.get(name))
    return "\n".join(out)


def members(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """The public names of a module, classes first; a name for what has another name is left to that one."""
    listed = getattr(module, "__all__", None) or [name for name in dir(module) if not name.startswith("_")]
    found = {name: inspect.getattr_static(module, name, None) for name in listed}
    own = {
        name: what
        for name, what in found.items()
        if (inspect.isclass(what) or inspect.isroutine(what))
        and what.__name__ == name
        and (what.__module__ or "").startswith("tinygrad_edu")
        and (hasattr(module, "__all__") or what.__module__.startswith(module.__name__))
    }
    yield from sorted(own.items(), key=lambda pair: (not inspect.isclass(pair[1]), pair[0]))


def _entry(name: str, what: Any, base: type | None) -> Iterator[str]:
    yield f'### `{name}{_signature(what)}` {{ data-toc-label="{name}" }}\n'
    yield _text(what)
    if inspect.isclass(what):
        told = set(dir(base)) if base is not None and issubclass(what, base) and what is not base else set(dir(object))
        rows = [
            f"- `{member}{'' if isinstance(found, property) else _signature(found, method=True)}`: {_escaped(_first_line(found))}"
            for member, found in _methods(what)
            if member not in told
        ]
        yield "\n".join([*rows, ""])


def _methods(kind: type) -> Iterator[tuple[str, Any]]:
    for name in dir(kind):
        if name.startswith("_"):
            continue
        found = inspect.getattr_static(kind, name)
        found = found.__func__ if isinstance(found, (staticmethod, classmethod)) else found
        described = isinstance(found, property) or inspect.isfunction(found)
        if (
            described
            and _first_line(found)
            and not (getattr(found, "__module__", None) or "").startswith(("enum", "typing"))
        ):
            yield name, found  # fmt: skip


def _signature(what: Any, method: bool = False) -> str:
    """The parameters as they are written, without types, which would make the line long."""
    try:
        signature = inspect.signature(what)
    except (TypeError, ValueError):
        return "(...)"
    parameters = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    parameters = [p if p.default is p.empty else p.replace(default=_Shown(p.default)) for p in parameters]
    if method and parameters and parameters[0].name in ("self", "cls", "x", "input"):
        parameters = parameters[1:]
    return str(signature.replace(parameters=parameters, return_annotation=signature.empty))


class _Shown:
    """A default as it is read: a function by its name, without an address."""

    def __init__(self, value: Any) -> None:
        self.text = repr(value)
        if " at 0x" in self.text or isinstance(value, type):
            self.text = getattr(value, "__name__", type(value).__name__)

    def __repr__(self) -> str:
        return self.text


def _text(what: Any) -> str:
    """A docstring as Markdown; lines of a name, a gap and an explanation become a list."""
    paragraphs = []
    for text in (inspect.getdoc(what) or "").split("\n\n"):
        rows = [NAMED.match(line) for line in text.split("\n")]
        if all(rows):
            text = "\n".join(f"- `{row[1]}`: {_escaped(row[2])}" for row in rows if row)
        elif not text.startswith("    "):  # which is code
            text = _escaped(text)
        paragraphs.append(text)
    return "\n\n".join([*paragraphs, ""])


def _first_line(what: Any) -> str:
    return (inspect.getdoc(what) or "").partition("\n\n")[0].replace("\n", " ")


def _escaped(text: str) -> str:
    """A docstring as Markdown: underscores and stars of formulas are no emphasis, brackets no links."""
    pieces = text.split("`")
    for i in range(0, len(pieces), 2):
        for sign in "\\*_[]<>":
            pieces[i] = pieces[i].replace(sign, "&lt;" if sign == "<" else f"\\{sign}")
    return "`".join(pieces)


PAGES: dict[str, Callable[[], str]] = {name: partial(chapter, *content) for name, content in CHAPTERS.items()}

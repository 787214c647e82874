"""`program(step)`: the picture of a recorded step, with a box for each line of its program."""

from __future__ import annotations

import ast
from typing import Any

from ..errors import message
from ..optim import Optimizer
from ..optim.row import Layout
from ..recorded import RecordedStep
from ..tensor import Leaf, Tensor
from .graph import Graph
from .labels import cut
from .picture import Box, Edge, Line, Picture


def program(step: RecordedStep, *, direction: str = "down") -> Graph:
    """The picture of what `compile(step)` replays: arrays flow from line to line, parameters stand where they are read."""
    if not isinstance(step, RecordedStep):
        raise TypeError(message("viz.program", f"{type(step).__name__} is no recorded step", instead="viz.graph(loss)"))
    if not step.programs:
        why = "; ".join(step.why.values())
        instead = "" if why else "step() three times, and then viz.program(step)"
        raise ValueError(message("viz.program", f"nothing was recorded{why and ': '}{why}", instead=instead))
    found = list(step.programs.values())[-1]
    lines, body = found.source.splitlines(), ast.parse(found.source).body[0]
    assert isinstance(body, ast.FunctionDef)
    picture = Picture(f"recorded {step.__name__}", f"{len(body.body)} lines", direction=direction)  # type: ignore[attr-defined]
    made: dict[str, str] = {}  # the box in which each name was made
    arrived: list[str] = []  # the boxes in which gradients have come to leaves since the last step of an optimizer
    for argument in body.args.args:
        made[argument.arg] = _add(picture, "input", argument.arg)
    for statement in body.body:
        if isinstance(statement, ast.Delete):
            continue
        result = isinstance(statement, ast.Return)
        text = ast.unparse(statement)
        _, _, said = lines[statement.lineno - 1].partition("  # ")
        title = "return" if result else said or _title(statement)
        here = _add(picture, "result" if result else "operation", title, text)
        names = [n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]
        for name in dict.fromkeys(names):
            if name not in made and not callable(found.objects.get(name)):
                made[name] = _given(picture, name, found.objects.get(name))
            tail = made.get(name)
            if tail and tail != here:
                picture.edges.append(Edge(tail, here))
        if text.startswith("leaf") or "._grad = " in text:
            arrived.append(here)
        elif (text.startswith("optimizer") and text.endswith(".step()")) or text.startswith("layout"):
            picture.edges += [Edge(tail, here) for tail in arrived]
            arrived.clear()
        made |= {n.id: here for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return Graph(picture)


def _title(statement: ast.stmt) -> str:
    """The function that a line calls, or what it writes into."""
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Attribute):
        return ast.unparse(statement.targets[0])
    calls = [n.func for n in ast.walk(statement) if isinstance(n, ast.Call)]
    return ast.unparse(calls[0]) if calls else ast.unparse(statement)


def _given(picture: Picture, name: str, value: Any) -> str:
    """A box for something that was there before the step."""
    if isinstance(value, (Tensor, Leaf)):
        return _add(picture, "parameter", name, str(list(value.shape)))
    if isinstance(value, (Optimizer, Layout)):
        return _add(picture, "constant", name, type(value).__name__)
    if isinstance(value, dict):
        return _add(picture, "constant", name, "its options")
    return _add(picture, "constant", name, str(list(value.shape)) if hasattr(value, "shape") else str(value))


def _add(picture: Picture, kind: str, title: str, text: str = "") -> str:
    lines = [Line(cut(text, 60), "code")] if text else []
    picture.boxes.append(Box(f"b{len(picture.boxes)}", kind, cut(title, 40), lines, hint=text or title))
    return picture.boxes[-1].id


__all__ = ["program"]

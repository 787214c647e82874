"""Checks of what one forward pass shows: which operations follow each other, and what their results look like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..autograd.anomaly import Line
from ..plan import OpNode
from ..tensor import Tensor
from .lint import Check

SHAPES = frozenset(
    "view select slice transpose permute squeeze unsqueeze contiguous clone expand split unbind mT flip".split()
)
LOSSES = frozenset(
    "cross_entropy nll_loss mse_loss huber_loss binary_cross_entropy binary_cross_entropy_with_logits".split()
)
DIFFERENCES = frozenset(("sub", "mse_loss", "huber_loss"))
WINDOW = 50  # steps after which units are counted anew
SAMPLES = 32  # fewer say nothing about a unit
MOSTLY = 0.5  # of the units of a layer: some dead ones are usual
NEARLY_ALL = 0.9  # of the elements


def source_of(node: Any) -> OpNode | None:
    """The operation that made a value, seen through changes of its shape."""
    while node is not None:
        node = node.as_function()[0]
        if not isinstance(node, OpNode):
            return None
        if node.op.name not in SHAPES:
            return node
        node = next((edge for edge in node.edges if edge is not None), None)
    return None


class TwiceSoftmax(Check):
    """Losses that take a softmax or sigmoid themselves, of what is one already."""

    def recorded(self, node: Any, inputs: Sequence[Any], outputs: Sequence[Tensor]) -> None:
        if isinstance(node, OpNode):
            self.look(node)
            if node.op.name == "softmax" and node.shape:
                self._of_one(node, inputs)

    def look(self, node: Any) -> None:
        """Look at the operation before a loss."""
        name = node.op.name if isinstance(node, OpNode) else ""
        if name not in ("cross_entropy", "softmax", "log_softmax", "nll_loss", "binary_cross_entropy_with_logits"):
            return
        source = source_of(node.edges[0])
        if source is None or (source.op.name, name) == ("softmax", "softmax"):
            return  # twice on purpose: the second is a temperature of its own
        before, where = source.op.name, f" (line {source.trace.number})" if source.trace is not None else ""
        text = ""
        if before == "softmax" and name in ("cross_entropy", "log_softmax"):
            text = f"{name} takes a softmax itself, and is given the result of softmax{where}: leave the softmax out"
        elif before == "softmax" and name == "nll_loss":
            text = f"nll_loss wants log-probabilities, and is given the result of softmax{where}: write log_softmax"
        elif before == "sigmoid" and name == "binary_cross_entropy_with_logits":
            text = f"{name} takes a sigmoid itself, and is given the result of sigmoid{where}: leave the sigmoid out"
        if text:
            self.linter.find("double softmax", f"{text}.", node.trace)

    def _of_one(self, node: Any, inputs: Sequence[Any]) -> None:
        dim = inputs[1] if len(inputs) > 1 and isinstance(inputs[1], int) else -1
        if node.shape[dim] == 1:
            text = "softmax over a dimension of length 1 is always 1: a single output wants sigmoid, or another dim"
            self.linter.find("softmax of one", text, node.trace)


class Pairs(Check):
    """A column of predictions against a row of targets, which makes a matrix of all pairs."""

    def recorded(self, node: Any, inputs: Sequence[Any], outputs: Sequence[Tensor]) -> None:
        if not isinstance(node, OpNode) or node.op.name not in DIFFERENCES:
            return
        tensors = [v for v in inputs[:2] if isinstance(v, Tensor)]
        if len(tensors) == 2 and sum(t.requires_grad for t in tensors) == 1:  # a prediction and a target
            self._compare(node, *[t.array.shape for t in tensors])

    def look(self, node: Any) -> None:
        """What the graph alone tells: the shape of the prediction, and of the result."""
        if isinstance(node, OpNode) and node.op.name == "sub" and sum(e is not None for e in node.edges) == 1:
            shape = next(e.shape for e in node.edges if e is not None)
            if len(node.shape) == 2 and node.shape[0] == node.shape[1]:
                self._compare(node, shape, node.shape[:1])
        elif isinstance(node, OpNode) and node.op.name in DIFFERENCES and len(node.kept):
            shapes = [
                a.shape
                for (kind, _), a in zip(node.plan.kinds, node.kept, strict=False)
                if kind == "input" and hasattr(a, "strides")
            ]
            if len(shapes) >= 2:
                self._compare(node, *shapes[:2])

    def _compare(self, node: Any, a: tuple[int, ...], b: tuple[int, ...]) -> None:
        column, row = (a, b) if len(a) > len(b) else (b, a)
        if len(row) == 1 and column == (row[0], 1) and row[0] > 1:
            n = row[0]
            text = f"{node.op.name} of {list(a)} and {list(b)} compares all {n * n} pairs instead of {n}"
            self.linter.find("pairs", f"{text}: write prediction.squeeze(1), or target.unsqueeze(1).", node.trace)


@dataclass
class Units:
    """What was seen of one activation since the window began."""

    where: str
    op: str
    line: Line
    alive: Any  # by unit, whether it was ever above zero
    samples: int = 0
    flat: float = 0.0  # the sum of the shares of elements at the ends of the range
    calls: int = 0


class DeadOrSaturated(Check):
    """Units that are zero for every sample, and activations at the ends of their range."""

    def __init__(self, linter: Any) -> None:
        super().__init__(linter)
        self.units: dict[tuple, Units] = {}
        self.outputs: set[tuple] = set()  # those that a loss looks at: to be sure is their aim

    def recorded(self, node: Any, inputs: Sequence[Any], outputs: Sequence[Tensor]) -> None:
        name = node.op.name if isinstance(node, OpNode) else ""
        if name in LOSSES:
            source = source_of(node.edges[0])
            self.outputs.add(getattr(source, "units", ()))
        if name not in ("relu", "sigmoid", "tanh") or outputs[0].array.ndim < 2:
            return
        out = outputs[0].array
        module = self.linter.modules[-1] if self.linter.modules else None
        channel = 1 if module is not None and out.ndim == 4 else out.ndim - 1
        key = (id(module), name, node.trace, out.shape[channel])
        node.units = key
        if key not in self.units:
            self.units[key] = Units(self.linter.path(module), name, node.trace, np.zeros(out.shape[channel], bool))
        seen = self.units[key]
        seen.calls += 1
        seen.samples += out.size // out.shape[channel] if out.size else 0
        if name == "relu":
            seen.alive |= (out > 0).any(axis=tuple(d for d in range(out.ndim) if d != channel))
        else:
            ends = np.abs(out) > 0.99 if name == "tanh" else np.abs(out - 0.5) > 0.495
            seen.flat += float(ends.mean()) if out.size else 0.0

    def stepped(self, optimizer: Any) -> None:
        if self.linter.steps % WINDOW == 0:
            self.ended()
            self.units.clear()

    def ended(self) -> None:
        for key, seen in self.units.items():
            if seen.samples < SAMPLES:
                continue
            count, dead = len(seen.alive), int((~seen.alive).sum())
            if seen.op == "relu" and dead > MOSTLY * count:
                text = (
                    f"{dead} of the {count} units of the relu in {seen.where} are 0 for all {seen.samples} samples seen"
                )
                hint = "a lower learning rate, another initialisation or leaky_relu keeps units alive."
                self.linter.find("dead relu", f"{text}, and learn nothing: {hint}", seen.line)
            elif seen.op != "relu" and key not in self.outputs and seen.flat > NEARLY_ALL * seen.calls:
                share = seen.flat / seen.calls
                text = f"{share:.0%} of what the {seen.op} in {seen.where} gives is at the ends of its range"
                self.linter.find("saturated", f"{text}, where it has no slope: smaller weights or inputs.", seen.line)


CHECKS = (TwiceSoftmax, Pairs, DeadOrSaturated)

"""Checks of the training loop: gradients, modes, batches, and how far a step goes."""

from __future__ import annotations

import gc
import weakref
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..autograd.anomaly import Line, where
from ..autograd.modes import is_grad_enabled
from ..nn.modules.module import Module
from ..nn.parameter import Parameter
from ..optim.optimizer import Optimizer
from ..tensor import Tensor
from .lint import Check

ENOUGH = 10  # steps before anything is said of a whole run
FEW = 3  # walks back without a step: fewer may be somebody who only looks at gradients
HIGH, LOW = 0.15, 1e-6  # the update of a step against the weight; about 1e-3 is usual
HIGH_EARLY, HIGH_AT_ONCE = 0.25, 1.0  # for the first steps and for a single one: those of Adam begin large


class NeverZeroed(Check):
    """Gradients that an optimizer has used already, and that are still in the next step."""

    def __init__(self, linter: Any) -> None:
        super().__init__(linter)
        self.used: dict[int, Tensor] = {}  # the gradient that was used, by parameter
        self.stale: set[int] = set()

    def arrived(self, p: Tensor, g: Any) -> None:
        old = self.used.get(id(p))
        if old is None:
            return
        if p._grad is old and not np.array_equal(old.array, getattr(g, "array", g)):
            self.stale.add(id(p))
        else:  # it is another tensor, or was filled with zeros
            del self.used[id(p)]
            self.stale.discard(id(p))

    def stepping(self, optimizer: Optimizer) -> None:
        params = parameters_of(optimizer)
        stale = sum(id(p) in self.stale and p._grad is self.used.get(id(p)) for p in params)
        if stale:
            text = f"the gradients of {stale} parameters still hold what the step before has used, so they add up"
            hint = "write optimizer.zero_grad() before backward()"
            self.linter.find("no zero_grad", f"{text}: {hint}.", self.linter.step_line)

    def stepped(self, optimizer: Optimizer) -> None:
        for p in parameters_of(optimizer):
            if p._grad is not None:
                self.used[id(p)] = p._grad
                self.stale.discard(id(p))


class Modes(Check):
    """Training in evaluation mode, evaluating in training mode."""

    def __init__(self, linter: Any) -> None:
        super().__init__(linter)
        self.trained: list[tuple[Module, Line]] = []  # called since the last step, with gradients
        self.watched: dict[int, tuple[weakref.ref, Module, Line]] = {}  # results of what looks like an evaluation

    def called(self, module: Module, args: tuple) -> None:
        if is_grad_enabled() and not module.training and _noisy(module):
            self.trained.append((module, where()))

    def answered(self, module: Module, output: Any) -> None:
        if not is_grad_enabled() and module.training and _noisy(module) and self.linter.steps:
            for t in _tensors(output):
                self.watched[id(t)] = weakref.ref(t), module, where()

    def recorded(self, node: Any, inputs: Any, outputs: Any) -> None:
        for v in inputs if self.watched else ():
            if isinstance(v, Tensor):
                self.watched.pop(id(v), None)  # it is used in training: the fake images of a generator, say

    def stepping(self, optimizer: Optimizer) -> None:
        given = {id(p) for p in parameters_of(optimizer)}
        for module, line in self.trained:
            if any(id(p) in given for p in module.parameters()):
                text = f"{self.linter.path(module)} is trained in evaluation mode: its {_noisy(module)} is switched off"
                self.linter.find("train mode forgotten", f"{text}. Write model.train() before training.", line)
        self.trained.clear()

    def stepped(self, optimizer: Optimizer) -> None:
        self.ended()

    def ended(self) -> None:
        for _, module, line in self.watched.values():
            text = (
                f"{self.linter.path(module)} is evaluated (under no_grad) in training mode: its {_noisy(module)} is on"
            )
            self.linter.find("eval mode forgotten", f"{text}. Write model.eval() before, model.train() after.", line)
        self.watched.clear()


class Owners(Check):
    """Parameters that get gradients and no updates, and those that get updates and no gradients."""

    def __init__(self, linter: Any) -> None:
        super().__init__(linter)
        self.reached: dict[int, Tensor] = {}
        self.first: dict[int, Any] = {}  # a few numbers of each when the first gradient came
        self.walks: Counter[int] = Counter()  # how many gradients have come since
        self.given: dict[int, Tensor] = {}
        self.lines: dict[int, Line | None] = {}
        self.optimizers: list[Optimizer] = []

    def arrived(self, p: Tensor, g: Any) -> None:
        if isinstance(p, Parameter):
            self.reached[id(p)] = p
            self.walks[id(p)] += 1
            if id(p) not in self.first:
                self.first[id(p)] = _sample(p)

    def stepped(self, optimizer: Optimizer) -> None:
        if not any(optimizer is other for other in self.optimizers):
            self.optimizers.append(optimizer)
            self.lines[id(optimizer)] = self.linter.step_line
        self.given.update((id(p), p) for p in parameters_of(optimizer))

    def ended(self) -> None:
        alive = [o for o in gc.get_objects() if issubclass(type(o), Optimizer)]
        self._never_stepped(alive)
        self.given.update((id(p), p) for optimizer in alive for p in parameters_of(optimizer))
        known = {id(p) for root in self.linter.roots.values() for p in root.parameters()}
        for optimizer in self.optimizers:
            params = [p for p in parameters_of(optimizer) if p.requires_grad]
            if params and not any(id(p) in self.reached or p._grad is not None for p in params):
                lost = sum(id(p) not in known for p in params) if known else 0
                text = f"no gradient has reached any of the {len(params)} parameters of {type(optimizer).__name__}"
                text += ": the model was made anew after the optimizer" if lost else ""
                self.linter.find("optimizer without gradients", f"{text}.", self.lines[id(optimizer)])
        for root in self.linter.roots.values():
            named = [(name, p) for name, p in root.named_parameters() if p.requires_grad and id(p) in self.reached]
            missing = [name for name, p in named if id(p) not in self.given]
            if not missing or not all(self._still(p) for name, p in named if name in missing):
                continue  # a program that moves them by itself
            if len(missing) < len(named):
                shown = ", ".join(missing[:4]) + (f" and {len(missing) - 4} more" if len(missing) > 4 else "")
                text = f"{len(missing)} parameters of {type(root).__name__} get gradients and are in no optimizer: {shown}."
                self.linter.find("parameters not in the optimizer", text, self.linter.step_line)
            elif self.linter.steps and "optimizer without gradients" not in self.linter.findings.kinds:
                text = (
                    f"{type(root).__name__} gets gradients, and none of its {len(named)} parameters is in an optimizer"
                )
                hint = "write [*a.parameters(), *b.parameters()], or requires_grad_(False) where it is not to change"
                self.linter.find("parameters not in the optimizer", f"{text}: {hint}.", self.linter.step_line)

    def _never_stepped(self, alive: list[Optimizer]) -> None:
        """Optimizers whose parameters have got gradients again and again, in a run without any step."""
        for optimizer in alive if not self.linter.steps else ():
            mine = [p for p in parameters_of(optimizer) if id(p) in self.reached]
            walks = max((self.walks[id(p)] for p in mine), default=0)
            if walks >= FEW and all(self._still(p) for p in mine):
                text = f"backward() has run {walks} times, and {type(optimizer).__name__}.step() not once"
                self.linter.find("no step", f"{text}: write optimizer.step() after backward().")

    def _still(self, p: Tensor) -> bool:
        """Whether a parameter has not changed since its first gradient."""
        return np.array_equal(_sample(p), self.first[id(p)])


class SameBatches(Check):
    """Epochs in which the same batches come in the same order."""

    def __init__(self, linter: Any) -> None:
        super().__init__(linter)
        self.seen: list[int] = []  # a fingerprint of what each step was given
        self.now = 0
        self.line: Line | None = None

    def called(self, module: Module, args: tuple) -> None:
        if is_grad_enabled() and module.training:
            self.line = where()
            for t in (t for t in _tensors(args) if not t.is_sparse and not t.requires_grad):  # data, not results
                a = np.ascontiguousarray(t.array).reshape(-1)
                self.now = zlib.crc32(
                    a[:4096].tobytes() + a[-4096:].tobytes(), self.now ^ hash(t.array.shape) & 0xFFFFFFFF
                )

    def stepped(self, optimizer: Optimizer) -> None:
        if len(self.seen) < 100_000:
            self.seen.append(self.now)
        self.now = 0

    def ended(self) -> None:
        seen, first = self.seen, self.seen[:1]
        for period in [i for i, s in enumerate(seen) if i >= 2 and [s] == first]:
            if 2 * period > len(seen) or len(set(seen[:period])) < 2:
                break
            if len(seen) >= ENOUGH and all(a == b for a, b in zip(seen, seen[period:], strict=False)):
                text = f"the same {period} batches come in the same order in every epoch"
                self.linter.find(
                    "same batches",
                    f"{text}: write DataLoader(..., shuffle=True), or draw a torch.randperm for each epoch.",
                    self.line,
                )
                return


class StepSize(Check):
    """How far a step goes, against the size of what it changes."""

    def __init__(self, linter: Any) -> None:
        super().__init__(linter)
        self.before: list[tuple[Tensor, Any]] = []
        self.ratios: list[float] = []

    def stepping(self, optimizer: Optimizer) -> None:
        weights = [
            p for p in parameters_of(optimizer) if p.array.ndim >= 2 and p._grad is not None and p._grad.array.any()
        ]
        self.before = [(p, p.array.copy()) for p in weights]

    def stepped(self, optimizer: Optimizer) -> None:
        with np.errstate(all="ignore"):  # a run that diverges overflows
            sizes = [(np.linalg.norm((p.array - a).ravel()), np.linalg.norm(a.ravel())) for p, a in self.before]
            found = [float(change / size) for change, size in sizes if size > 0]
        if found:
            self.ratios.append(float(np.median(found)))
        self.before = []

    def ended(self) -> None:
        if not self.ratios:
            return
        early, late = np.median(self.ratios[:ENOUGH]), np.median(self.ratios[len(self.ratios) // 2 :])
        whole = len(self.ratios) >= ENOUGH
        bound = (HIGH_EARLY, HIGH) if whole else (HIGH_AT_ONCE, HIGH_AT_ONCE)
        ratio, over = (early, early > bound[0]) if early > bound[0] else (late, late > bound[1])
        text = f"a step changes the weights by {ratio:.2g} of their size" + (
            " (a median over layers and steps)" if len(self.ratios) > 1 else ""
        )
        if over or not np.isfinite(ratio):
            self.linter.find(
                "learning rate too high", f"{text}; about 0.001 is usual: lower it.", self.linter.step_line
            )
        elif ratio < LOW:
            self.linter.find("learning rate too low", f"{text}; about 0.001 is usual: raise it.", self.linter.step_line)


def _sample(p: Tensor) -> Any:
    """A few numbers of a parameter, by which a change is noticed."""
    return p.array.reshape(-1)[:64].copy()


def parameters_of(optimizer: Optimizer) -> list[Tensor]:
    """All parameters of an optimizer."""
    return [p for group in optimizer.param_groups for p in group["params"]]


def _noisy(module: Module) -> str:
    """The first module inside whose result depends on the mode, by its class's name; "" if there is none."""
    for m in module.modules():
        name = type(m).__name__
        if ("Dropout" in name and getattr(m, "p", 0) > 0) or "BatchNorm" in name:
            return name
    return ""


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in arguments or results."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for each in value:
            yield from _tensors(each)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))


CHECKS = (NeverZeroed, Modes, Owners, SameBatches, StepSize)

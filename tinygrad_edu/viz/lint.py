"""The training linter: mistakes that raise no error and cost days, each told in a sentence with a line.

`lint(model, loss, optimizer)` looks at one step. `Linter()` looks at a whole run: what only many steps show (the
same batches in every epoch, gradients that are never set to zero) is found there. What is told was seen or measured
in this run; a check that is not sure says nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..autograd.anomaly import Line, where
from ..autograd.graph import Handle, Node
from ..autograd.modes import observer, watch
from ..nn.modules.hooks import register_module_forward_hook, register_module_forward_pre_hook
from ..nn.modules.module import Module
from ..optim.optimizer import Optimizer, register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from ..random import get_rng_state, set_rng_state
from ..tensor import Tensor


class Finding(str):
    """A sentence; `kind` is the short form, `line` the line of the program."""

    kind: str
    line: Line | None

    def __new__(cls, kind: str, text: str, line: Line | None = None) -> Finding:
        place = f"{line.place}: " if line is not None else ""
        made = super().__new__(cls, place + text)
        made.kind, made.line = kind, line
        return made


class Findings(list):
    """What was found; prints one sentence a line."""

    def __str__(self) -> str:
        return "\n".join(self) if self else "nothing found"

    __repr__ = __str__

    @property
    def kinds(self) -> set[str]:
        """What was found, in short."""
        return {finding.kind for finding in self}


class Check:
    """One kind of mistake. It hears what happens and tells `linter.find` what is wrong."""

    def __init__(self, linter: Linter) -> None:
        self.linter = linter

    def recorded(self, node: Any, inputs: Sequence[Any], outputs: Sequence[Tensor]) -> None:
        """An operation has run."""

    def arrived(self, p: Tensor, g: Any) -> None:
        """A gradient was added into a leaf."""

    def called(self, module: Module, args: tuple) -> None:
        """An outermost module is called."""

    def answered(self, module: Module, output: Any) -> None:
        """An outermost module has computed its result."""

    def stepping(self, optimizer: Optimizer) -> None:
        """An optimizer is about to step."""

    def stepped(self, optimizer: Optimizer) -> None:
        """An optimizer has stepped."""

    def ended(self) -> None:
        """The run is over."""


class Linter:
    """Looks at a whole run: `with viz.Linter() as linter: train()`, then `print(linter.findings)`."""

    def __init__(self) -> None:
        from . import lint_graph, lint_training

        self.findings = Findings()
        self.modules: list[Module] = []  # those being called, outermost first
        self.paths: dict[int, str] = {}  # of all modules that were called, from their outermost one
        self.roots: dict[int, Module] = {}  # the outermost modules that were called
        self.steps = 0
        self.step_line: Line | None = None
        self.checks: list[Check] = [kind(self) for kind in (*lint_graph.CHECKS, *lint_training.CHECKS)]
        self._handles: list[Handle] = []

    def __enter__(self) -> Linter:
        self.outer = observer.get()
        self._end = watch(self)
        self._handles = [
            register_module_forward_pre_hook(self._enter_module),
            register_module_forward_hook(self._leave_module, always_call=True),
            register_optimizer_step_pre_hook(self._before_step),
            register_optimizer_step_post_hook(self._after_step),
        ]
        return self

    def __exit__(self, *error: object) -> None:
        for handle in self._handles:
            handle.remove()
        self._end()
        self._tell("ended")

    def find(self, kind: str, text: str, line: Line | None = None) -> None:
        """Note a mistake: each once for each line."""
        if not any(f.kind == kind and (f.line == line or line is None) for f in self.findings):
            self.findings.append(Finding(kind, text, line))

    def path(self, module: Module | None) -> str:
        """What a module is called in a sentence."""
        if module is None:
            return "the program"
        path, kind = self.paths.get(id(module), ""), type(module).__name__
        return f"{path} ({kind})" if path else kind

    def _tell(self, what: str, *args: Any) -> None:
        for check in self.checks:
            getattr(check, what)(*args)

    # --- what the engine, the modules and the optimizers tell ------------------------------------------------------

    def recorded(self, node: Node, inputs: Sequence[Any], outputs: Sequence[Tensor]) -> None:
        """A node was made."""
        node.trace = where()
        self._tell("recorded", node, inputs, outputs)
        if self.outer is not None:
            self.outer.recorded(node, inputs, outputs)

    def written(self, tensor: Tensor, what: str) -> None:
        """Memory was written."""
        if self.outer is not None:
            self.outer.written(tensor, what)

    def walked(self, node: Any, g: Any, results: list[tuple[Node, Any]]) -> None:
        """A node has passed its gradient on."""
        tensor = getattr(node, "tensor", None)
        p = tensor() if tensor is not None else None
        if p is not None:
            self._tell("arrived", p, g)
        if self.outer is not None:
            self.outer.walked(node, g, results)

    def _hears(self) -> bool:
        """Whether what happens is the program's, and not that of somebody who looks at it."""
        other = observer.get()
        while other is not None and other is not self:
            other = getattr(other, "outer", None)
        return other is self

    def _enter_module(self, module: Module, args: Any) -> None:
        if not self._hears():
            return
        if not self.modules:
            if id(module) not in self.roots:
                self.roots[id(module)] = module
                self.paths.update((id(m), path) for path, m in module.named_modules())
            self._tell("called", module, args)
        self.modules.append(module)

    def _leave_module(self, module: Module, args: Any, output: Any) -> None:
        if not self._hears():
            return
        if self.modules:
            self.modules.pop()
        if not self.modules:
            self._tell("answered", module, output)

    def _before_step(self, optimizer: Optimizer, *rest: Any) -> None:
        self.step_line = where()
        self._tell("stepping", optimizer)

    def _after_step(self, optimizer: Optimizer, *rest: Any) -> None:
        self.steps += 1
        self._tell("stepped", optimizer)


def lint(model: Module, loss: Tensor | Callable[[], Tensor], optimizer: Optimizer | None = None) -> Findings:
    """Look for mistakes in one training step.

    `loss` is best a function that computes it: then it runs, with a backward() and a step that are taken back again,
    and nearly everything can be seen. Of a loss that is there already only the graph is looked at.
    """
    if not isinstance(model, Module):
        raise TypeError(f"lint expects a module, but got {type(model).__name__}")
    if isinstance(loss, Tensor):
        return _of_graph(model, loss, optimizer)
    with _Undone(model, optimizer):
        linter = Linter()
        with linter:
            result = loss()
            if not isinstance(result, Tensor):
                raise TypeError(f"lint: the function has returned {type(result).__name__}; it is to return the loss")
            model.zero_grad()
            result.backward()
            if optimizer is not None:
                optimizer.step()
    _outside_optimizer(model, optimizer, linter)
    return linter.findings


def _of_graph(model: Module, loss: Tensor, optimizer: Optimizer | None) -> Findings:
    """What the graph alone shows."""
    from ..autograd.graph import reachable
    from .lint_graph import Pairs, TwiceSoftmax

    linter = Linter()
    edge = loss.edge()
    for node in sorted(reachable([edge]) if edge is not None else (), key=lambda n: n.number):
        TwiceSoftmax(linter).look(node)
        Pairs(linter).look(node)
    _outside_optimizer(model, optimizer, linter)
    return linter.findings


def _outside_optimizer(model: Module, optimizer: Optimizer | None, linter: Linter) -> None:
    """Parameters that want a gradient, and that nobody updates; the other way round too."""
    if optimizer is None:
        return
    given = {id(p) for group in optimizer.param_groups for p in group["params"]}
    wanted = {name: p for name, p in model.named_parameters() if p.requires_grad}
    missing = [name for name, p in wanted.items() if id(p) not in given]
    strange = given - {id(p) for p in wanted.values()} - {id(p) for p in model.parameters()}
    if missing and strange:
        linter.find(
            "parameters not in the optimizer",
            f"the optimizer updates {len(strange)} parameters that are not the model's, and not {_listed(missing)}: "
            "the model, or a layer of it, was made anew after the optimizer. Make the optimizer last.",
        )
    elif missing:
        linter.find(
            "parameters not in the optimizer",
            f"{len(missing)} of the model's parameters are not in the optimizer and never change: {_listed(missing)}. "
            "Write optimizer = ...(model.parameters()), or requires_grad_(False) where this is meant.",
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


class _Undone:
    """A block after which parameters, buffers, gradients, the optimizer's state and random numbers are as before."""

    def __init__(self, model: Module, optimizer: Optimizer | None) -> None:
        self.optimizer = optimizer
        tensors = [*model.parameters(), *model.buffers()]
        if optimizer is not None:
            tensors += [p for group in optimizer.param_groups for p in group["params"]]
        self.tensors = {id(t): t for t in tensors}

    def __enter__(self) -> None:
        self.values = {k: (t.array.copy(), t._grad) for k, t in self.tensors.items()}
        for t in self.tensors.values():
            t._grad = None
        if self.optimizer is not None:
            self.state, self.called = copy.deepcopy(self.optimizer.state_dict()), self.optimizer._opt_called
        self.random = get_rng_state()

    def __exit__(self, *error: object) -> None:
        set_rng_state(self.random)
        for k, t in self.tensors.items():
            array, t._grad = self.values[k]
            np.copyto(t.array, array)
            t.version().write()
        if self.optimizer is not None:
            self.optimizer.load_state_dict(self.state)
            self.optimizer._opt_called = self.called

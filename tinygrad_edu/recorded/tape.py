"""What one run of a step does, written down: each computation on arrays, in order, as a line of a program.

While a tape listens, the few doors of the engine are watched: the forward of every operation (`run`), the way back
through every node, gradients that arrive at leaves, steps of optimizers. What was computed by none of them is an
argument, or a constant. What a tape cannot write down it refuses, with the reason.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .. import call, devices, written
from ..autograd.graph import Node, Several, Version
from ..autograd.modes import watch
from ..nn.modules.hooks import register_module_forward_pre_hook
from ..nn.modules.module import Module
from ..nn.utils import clip_grad
from ..ops import creation, tapers
from ..optim.formula import FormulaOptimizer, plain_options
from ..optim.optimizer import (
    Optimizer,
    hooks_around,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)
from ..plan import OPS, OpNode, Pick, Plan
from ..tensor import Leaf, Tensor, wrap
from .shorter import shorter

READS = "item tolist numpy __array__ __bool__ __float__ __int__ __index__ __format__ __repr__".split()
PLAIN = (type(None), bool, int, float, str)


class Tape:
    """The lines of a program, and the objects that its names stand for."""

    def __init__(self, arguments: Sequence[Tensor]) -> None:
        self.count, self.arguments = len(arguments), arguments
        self.lines: list[str] = []
        self.objects: dict[str, Any] = {}
        self.why = ""  # the step cannot be replayed, for this reason
        self.modules: dict[int, Any] = {}
        self.options: list[tuple[dict[str, Any], dict[str, Any]]] = []  # of optimizers, with what they were
        self.made: set[str] = set()  # names of arrays that are made of nothing, and so are the same in each run
        self._names: dict[int, str] = {}  # of arrays, by identity
        self._alive: list[Any] = list(arguments)  # so that no identity is used twice
        self._tensors: dict[int, Tensor] = {}
        self.walked_nodes: set[Node] = set()
        self._arrivals: dict[Node, list[tuple[str, Any, int | None]]] = defaultdict(list)
        self._forgotten: set[int] = set()  # tensors whose gradient the step has forgotten
        self._without: set[int] = set()  # those of them that have none now
        self._short = ""  # what is computed by the line that is being written, where that does not say so
        self._depth, self._writes, self._last = 0, 0, ("", None)
        self._thread = threading.get_ident()
        self._counts: dict[str, int] = defaultdict(int)
        for i, t in enumerate(arguments):
            self._names[id(t.array)] = f"a{i}"

    def refuse(self, why: str) -> None:
        """Note why the step cannot be replayed; the first reason counts."""
        self.why = self.why or why

    def listening(self) -> bool:
        """Whether what happens now is a line of its own: not inside another one, not in another thread."""
        return not self._depth and threading.get_ident() == self._thread

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """What happens in this block belongs to a line that is written already."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1

    # --- names ------------------------------------------------------------------------------------------------------

    def define(self, value: Any, prefix: str = "v") -> str:
        """A new name for a value."""
        self._counts[prefix] += 1
        name = self._names[id(value)] = f"{prefix}{self._counts[prefix]}"
        self._alive.append(value)
        return name

    def constant(self, value: Any, prefix: str = "c") -> str:
        """A name for what the step uses and does not make: the same name each time."""
        if id(value) not in self._names:
            self.objects[self.define(value, prefix)] = value
        return self._names[id(value)]

    def refer(self, value: Any) -> str:
        """A value as it is written in the program."""
        if id(value) in self._names and not isinstance(value, PLAIN):
            return self._names[id(value)]
        if type(value) in (list, tuple):
            inner = ", ".join(map(self.refer, value))
            return f"[{inner}]" if type(value) is list else f"({inner}{',' * (len(value) == 1)})"
        if type(value) in PLAIN and value == value and abs(value if type(value) is float else 0) != float("inf"):
            return repr(value)
        if devices.is_array(value) and id(value) in self._tensors:  # looked up anew at each replay
            return f"{self.constant(self._tensors[id(value)], 't')}.array"
        return self.constant(value)

    def line(self, text: str) -> None:
        """The next line."""
        self.lines.append(text)

    def assign(self, value: Any, text: str) -> str:
        """A line that computes a value; its name."""
        name = self.define(value)
        self.line(f"{name} = {text}{f'  # {self._short}' if self._short else ''}")
        self._short = ""
        return name

    # --- the doors --------------------------------------------------------------------------------------------------

    def ran(self, name: str, run: Callable, args: Sequence[Any]) -> Any:
        """The forward of an operation."""
        if not self.listening():
            return run(*args)
        with self.inside():
            out = run(*args)
        text = self._call(name, run, args, out)
        if isinstance(out, (tuple, list)):
            names = [self.define(each) if _is_array(each) else "_" for each in out]
            self.line(f"{', '.join(names)}{',' * (len(out) == 1)} = {text}")
        else:
            self._last = (self.assign(out, text), out)
        return out

    def changes(self, name: str, change: Callable, args: Sequence[Any]) -> None:
        """Gradients of parameters are changed, all by one function."""
        if self.listening():
            parameters = [self.constant(p, "t") for p in args[0]]
            rest = [self.refer(a) for a in args[1:]]
            self.line(f"{self._function(name, change)}([{', '.join(parameters)}], {', '.join(rest)})")
        with self.inside():
            change(*args)

    def settled(self, settle: Callable, op: Any, out: Any, inputs: Sequence[Any]) -> Any:
        """A result brought to its final type."""
        with self.inside():
            answer = settle(op, out, inputs)
        if answer is not out and self.listening():
            if not np.array_equal(np.asarray(out).astype(answer.dtype), answer, equal_nan=answer.dtype.kind in "fc"):
                self.refuse(f"{op.name} on {answer.dtype}")
            self.objects["asarray"] = np.asarray
            dtype = "" if out.dtype == answer.dtype else f", {answer.dtype.name!r}"
            self._last = (self.assign(answer, f"asarray({self.refer(out)}{dtype})"), answer)
        return answer

    def went_back(self, back: Callable, node: OpNode, g: Any, create_graph: bool) -> Any:
        """The way back through one operation; while it is recorded itself, its operations are the lines."""
        if create_graph or not self.listening():
            return back(node, g, create_graph)
        plan, name, kept = node.plan, node.op.name, node.kept
        given = self._arrived(node, g)
        with self.inside():
            results = back(node, g, create_graph)
        if not plan.simple:
            replay = functools.partial(_back, plan, [e and _End(e.shape, e.takes) for e in node.edges], _outputs(node))
            text = f"{self._function(f'{name}_back', replay)}({given}, {self.refer(kept)})"
            names = [self.define(gx) for _, gx in results]
            self.line(f"{', '.join(names)}{',' * (len(names) == 1)} = {text}")
            for new, (edge, gx) in zip(names, results, strict=True):
                self._arrivals[edge].append((new, gx, None))
            return results
        for (position, rule, _, spots), (edge, gx) in zip(plan.singles, results, strict=True):
            with self.inside():
                bare = rule(g, *[kept[s] for s in spots])
            if bare is g:
                new = given
            else:
                args = [g, *[kept[s] for s in spots]]
                new = self._call(f"{name}_grad_{node.op.names[position]}", rule, args, bare, given)
            if bare.shape != gx.shape:
                new = self._call("sum_to", OPS["sum_to"].forward, [bare, gx.shape], gx, new)
            new = new if new == given else self.assign(gx, new)
            self._arrivals[edge].append((new, gx, None))
        return results

    def picked(self, back: Callable, node: Pick, g: Any, create_graph: bool) -> Any:
        """The way from one of several results to their operation."""
        results = back(node, g, create_graph)
        if not create_graph and self.listening():
            self._arrivals[node.edges[0]].append((self._arrived(node, g), g, node.index))
        return results

    def ended(self, back: Callable, leaf: Leaf, g: Any, create_graph: bool) -> Any:
        """A gradient at a leaf."""
        if not self.listening():
            return back(leaf, g, create_graph)
        given = self.refer(g.array) if create_graph else self._arrived(leaf, g)
        if create_graph:
            self.refuse("backward(create_graph=True) into leaves")
        t = leaf.tensor()
        if not given.startswith("v"):
            self.refuse("backward() of what was not computed in it")
        own = type(g) is np.ndarray and g.dtype.kind == "f" and g.base is None
        with self.inside():
            answer = back(leaf, g, create_graph)
        name = self.constant(leaf, "leaf")
        if own and id(t) in self._without:  # the first since it was forgotten
            self._without.discard(id(t))
            self.line(f"{self.constant(t, 't')}._grad = {self._function('wrap', wrap)}({given})")
            return answer
        self.line(f"{name}.back({given}, False)")
        grad = getattr(t, "_grad", None)
        if grad is not None and id(grad.array) not in self._names:  # it was added to, or copied
            self._alive.append(grad.array)
            self._names[id(grad.array)] = f"{name}.tensor().grad.array"
        return answer

    def _arrived(self, node: Node, g: Any) -> str:
        """The gradient that a node is given, of all that were passed on to it."""
        self.walked_nodes.add(node)
        if node.hooks is not None:
            self.refuse("a hook on a gradient")
        parts = self._arrivals.pop(node, [])
        if isinstance(g, Several):
            sums = {k: self._sum([(n, a) for n, a, index in parts if index == k], each) for k, each in g.items()}
            self.objects["Several"] = Several
            return f"Several({{{', '.join(f'{k}: {name}' for k, name in sums.items())}}})"
        return self._sum([(name, a) for name, a, _ in parts], g)

    def _sum(self, parts: list[tuple[str, Any]], g: Any) -> str:
        if not parts:  # where the walk begins
            name = self.refer(g)
            if devices.is_array(g) and (g == 1).all():
                self.made.add(name)
            return name
        (first, a), *rest = parts
        if not rest:
            return first if g is a else self.assign(g, f"{first}.copy()")
        name = self.assign(g, f"{first} + {rest[0][0]}")
        for other, _ in rest[1:]:
            self.line(f"{name} = {name} + {other}")
        return name

    def creates(self, make: Callable, *args: Any, **options: Any) -> Tensor:
        """Zeros, a range: what comes of no array."""
        with self.inside():
            t = make(*args, **options)
        if self.listening() and options.get("out") is None:
            self.made.add(self.constant(t.array))
        return t

    # --- what else may happen ------------------------------------------------------------------------------------

    def recorded(self, node: Node, inputs: Sequence[Any], outputs: Sequence[Tensor]) -> None:
        """A node was made."""
        if not isinstance(node, OpNode):
            self.refuse(f"{node.name()}, which is no operation of the engine")

    def seen(self, tensors: Sequence[Any]) -> None:
        """Tensors that were there before the step: their arrays are looked up at each replay."""
        for t in tensors:
            if id(t.array) not in self._names:
                self._tensors[id(t.array)] = t

    def written(self, tensor: Tensor, what: str) -> None:
        """A result was copied into a tensor."""
        if not self.listening():
            return
        self._writes -= 1
        name, last = self._last
        if last is None or not np.array_equal(np.broadcast_to(last, tensor.shape), tensor.array, equal_nan=True):
            self.refuse(f"{what} into {list(tensor.shape)}")
        else:
            self.objects["copyto"] = np.copyto
            self.line(f"copyto({self.refer(tensor.array)}, {name})")

    def walked(self, node: Node, g: Any, results: Any) -> None:
        """A node has passed its gradient on."""

    def wrote(self, write: Callable, version: Version) -> None:
        """Memory was written by somebody."""
        write(version)
        if self.listening():
            self._writes += 1

    def read(self, method: Callable, name: str, tensor: Tensor, args: Sequence[Any]) -> Any:
        """A number goes to Python, where nobody can see what becomes of it."""
        if self.listening():
            self.refuse(f"{name} of a tensor inside the step; return the tensor, and read it outside")
        return method(tensor, *args)

    def zeroed(self, zero_grad: Callable, owner: Any, args: Any, options: dict[str, Any]) -> None:
        """Gradients were forgotten, by an optimizer or a module."""
        if self.listening():
            name = self.constant(owner, "optimizer" if isinstance(owner, Optimizer) else "module")
            self.line(f"{name}.zero_grad({', '.join([*map(repr, args), *[f'{k}={v!r}' for k, v in options.items()]])})")
        with self.inside():
            zero_grad(owner, *args, **options)
        if isinstance(owner, Optimizer):
            params = [p for group in owner.param_groups for p in group["params"]]
        else:
            params = list(owner.parameters())
            self.modules |= {id(m): m for m in owner.modules()}
        self._forget([p for p in params if p._grad is None])

    def _forget(self, tensors: list[Tensor]) -> None:
        if self.listening():
            self._forgotten |= set(map(id, tensors))
            self._without |= set(map(id, tensors))

    def given(self, setter: Callable, tensor: Tensor, value: Any) -> None:
        """A gradient was set by hand; None forgets it."""
        if self.listening():
            if value is None:
                self.line(f"{self.constant(tensor, 't')}.grad = None")
                self._forget([tensor])
            else:
                self.refuse("an assignment to grad")
        setter(tensor, value)

    def steps(self, optimizer: Any, given: Sequence[Any], options: dict[str, Any]) -> None:
        """An optimizer begins its step."""
        if len(given) > 1 or options:
            self.refuse(f"{type(optimizer).__name__}.step with a closure")
        if self.listening():
            self.line(f"{self.constant(optimizer, 'optimizer')}.step()")
            self.options += [(group, _plain(group)) for group in optimizer.param_groups]
        self._depth += 1

    def stepped(self, optimizer: Any, *_: Any) -> None:
        """An optimizer has ended its step: if it went by rows over gradients that are all from here, so will the replays."""
        self._depth -= 1
        if not self.listening() or not isinstance(optimizer, FormulaOptimizer) or "step" in vars(optimizer):
            return
        groups, layouts = optimizer.param_groups, optimizer.laid_out()
        forgotten = all(id(p) in self._forgotten for group in groups for p in group["params"])
        alone = [len(hooks) for hooks in hooks_around(optimizer)] == [1, 1, 0, 0]  # these are the tape's
        if not (forgotten and alone and len(layouts) == len(groups)):
            return
        self.lines.pop()
        name = self.constant(optimizer, "optimizer")
        for layout, group in zip(layouts, groups, strict=True):
            options = f"{self._function('plain_options', plain_options)}({self.constant(group, 'group')})"
            self.line(f"{self.constant(layout, 'layout')}.advance({name}, {options})")

    def entered(self, module: Any, args: Any) -> None:
        """A module is called."""
        if module._own_hooks():
            self.refuse(f"a hook on a {type(module).__name__}")
        if id(module) not in self.modules:
            self.modules[id(module)] = module
            self.seen([t for t in (*module._parameters.values(), *module._buffers.values()) if t is not None])

    def close(self) -> None:
        """The step is over."""
        if not self.lines:
            self.refuse("it computes nothing with the operations of the engine")
        if self._writes:
            self.refuse("something is written in place that the recording does not see, as running statistics are")
        if any(_plain(group) != before for group, before in self.options):
            self.refuse("an option of the optimizer changes inside the step; call scheduler.step() outside")

    def _call(self, name: str, function: Callable, args: Sequence[Any], out: Any, first: str = "") -> str:
        """A call as it is written, in its shorter form where there is one; `first` is what the first argument is."""
        form, used = shorter(name, args, out)
        texts = [self.refer(a) for a in args[bool(first) :]]
        texts = [first, *texts] if first else texts
        if not form:
            return f"{self._function(name, function)}({', '.join(texts)})"
        self._short = f"{self._short}, {name}".lstrip(", ")
        known = {n: self._function(n, f) if callable(f) else self.constant(f) for n, f in used.items()}
        return form.format(*texts, **known)

    def _function(self, name: str, function: Callable) -> str:
        """The name of a function in the program, with a number where two share it."""
        known = self._names.get(id(function))
        if known is None:
            taken = sum(n == name or (n.startswith(f"{name}_") and n[len(name) + 1 :].isdigit()) for n in self.objects)
            known = self._names[id(function)] = name if not taken else f"{name}_{taken + 1}"
            self._alive.append(function)
            self.objects[known] = function
        return known


class _End:
    """What the way back asks of an edge, without the graph behind it."""

    def __init__(self, shape: tuple[int, ...], takes: bool) -> None:
        self.shape, self.takes = shape, takes


class _Point:
    """What the way back asks of a node."""

    def __init__(self, kept: Any, edges: Any, outputs: Any) -> None:
        self.kept, self.edges, self.outputs = kept, edges, outputs


def _back(plan: Plan, ends: list[Any], outputs: Any, g: Any, kept: Any) -> list[Any]:
    """The general way back through an operation, on arrays alone."""
    return [gx for _, gx in plan.back(_Point(kept, ends, outputs), g, False)]  # type: ignore[arg-type]


def _is_array(value: Any) -> bool:
    return devices.is_array(value) or isinstance(value, np.generic)


def _outputs(node: OpNode) -> Any:
    return node.outputs if node.op.several else None


def _plain(group: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in group.items() if name != "params"}


# --- listening -----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def listen(tape: Tape) -> Iterator[None]:
    """Have the tape hear of everything until the end of the block; one at a time in the whole process."""
    with _one_at_a_time, contextlib.ExitStack() as stack:

        def replace(owner: Any, name: str, make: Callable) -> None:
            inherited = name not in vars(owner)
            before = getattr(owner, name)
            setattr(owner, name, make(before))
            stack.callback(delattr, owner, name) if inherited else stack.callback(setattr, owner, name, before)

        tap = functools.partial(written.tap, settle=lambda s: functools.partial(tape.settled, s))
        stack.enter_context(tap(run=lambda op, run: lambda *args: tape.ran(op.name, run, args)))
        replace(clip_grad, "_norm_of_all", lambda norm: lambda *args: tape.ran("norm_of_all", norm, args))
        for name in ("_scale_all", "_bound_all"):
            replace(clip_grad, name, lambda change, name=name: lambda *args: tape.changes(name[1:], change, args))
        replace(call, "settle", lambda settle: functools.partial(tape.settled, settle))
        replace(OpNode, "back", lambda back: lambda node, g, c: tape.went_back(back, node, g, c))
        replace(Pick, "back", lambda back: lambda node, g, c: tape.picked(back, node, g, c))
        replace(Leaf, "back", lambda back: lambda leaf, g, c: tape.ended(back, leaf, g, c))
        replace(Version, "write", lambda write: lambda version: tape.wrote(write, version))
        for family in (creation, tapers):
            replace(family, "made", lambda made: functools.partial(tape.creates, made))
        for kind in (Optimizer, Module):
            replace(kind, "zero_grad", lambda zero: lambda owner, *a, **k: tape.zeroed(zero, owner, a, k))
        replace(Tensor, "grad", lambda grad: property(grad.fget, lambda t, g: tape.given(grad.fset, t, g), grad.fdel))
        for name in READS:
            replace(Tensor, name, lambda method, name=name: lambda t, *args: tape.read(method, name, t, args))
        for handle in (
            register_optimizer_step_pre_hook(tape.steps),
            register_optimizer_step_post_hook(tape.stepped),
            register_module_forward_pre_hook(tape.entered),
        ):
            stack.callback(handle.remove)
        stack.callback(watch(tape))
        yield


_one_at_a_time = threading.Lock()

__all__ = ["Tape", "listen"]

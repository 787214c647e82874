"""When a step is recorded, when the recording is replayed, and when the step runs as it is."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from operator import is_
from typing import Any

import numpy as np

from .. import devices, dtypes
from ..autograd.modes import observer, recording
from ..errors import message
from ..nn.modules.hooks import EVERYWHERE
from ..optim.formula import FormulaOptimizer
from ..optim.optimizer import Optimizer, hooks_around
from ..optim.row import Layout
from ..tensor import Leaf, Tensor, wrap
from ..written import executed
from . import purity
from .guards import Guards
from .surroundings import PLAIN, Surroundings
from .tape import Tape, listen

MOST = 256  # sets of arguments that one step is recorded for


class Program:
    """A recorded step: its text, the objects that it works on, and the conditions under which it may be replayed."""

    def __init__(self, tape: Tape, result: str, function: Callable) -> None:
        self.around = Surroundings(function, list(tape.modules.values()))
        tensors = self.around.tensors()
        self.why = tape.why or purity.reason(self.around.functions)
        if not self.why and any(id(t.array) in tensors for t in tape.arguments):
            self.why = "it is given a tensor that it also reads from around it, and nobody sees which is meant"
        self.objects, self.made = tape.objects, tape.made
        looked_up = self._look_up(tensors)
        head = f"def step({', '.join(f'a{i}' for i in range(tape.count))}):"
        self.source = "\n".join([head, *looked_up, *_indented(tape.lines, result)])

    def _look_up(self, tensors: dict[int, Tensor]) -> list[str]:
        """Lines that find the arrays of tensors around the step, which may have others by then."""
        lines = []
        for name, value in list(self.objects.items()):
            if (t := tensors.get(id(value))) is not None:
                del self.objects[name]
                self.objects[of := f"t_{name}"] = t
                lines.append(f"    {name} = {of}.array")
        return lines

    def guarded(self) -> Program:
        """The program with everything that it takes for granted, as it is right after the recording."""
        guards, rows = Guards(), [each for each in self.objects.values() if isinstance(each, Layout)]
        for value in self.objects.values():
            if isinstance(value, Leaf):
                guards.require(f"{guards.name(value)}.hooks is None")
                guards.require(f"{guards.name(value.tensor())}.node is {guards.name(value)}")
            elif isinstance(value, Tensor):
                t, a = guards.name(value), value.array
                guards.require(f"{t}.node is {guards.name(value.node)}", f"type({t}.array) is {guards.name(type(a))}")
                guards.require(f"{t}.array.shape == {a.shape}", f"{t}.array.dtype is {guards.name(a.dtype)}")
            elif isinstance(value, Optimizer):
                _guard_parameters(guards, value)
                if isinstance(value, FormulaOptimizer) and any(each in rows for each in value.laid_out()):
                    _guard_rows(guards, value)
        self.around.guard(guards)
        self.guards = guards
        return self

    def same_as(self, other: Program) -> str:
        """What differs in another recording of the same step; nothing if it is the same program."""
        if self.source != other.source:
            return "two runs of it did different things"
        if self.around.differs(other.around):
            return "what it reads from around it is another in each run, as a counter is"
        for name, value in self.objects.items():
            twin = other.objects[name]
            if value is twin or type(value) is type(twin) is functools.partial:
                continue
            if devices.is_array(value) or isinstance(value, np.generic):
                if name in self.made and value.shape == twin.shape and np.array_equal(value, twin):
                    continue
                return f"an array of shape {list(value.shape)} is made anew in each run, as by dropout: {self.line_of(name)}"
            if type(value) is type(twin) and not isinstance(value, Tensor) and value == twin:
                continue
            return f"it uses another {type(value).__name__} in each run: {self.line_of(name)}"
        return ""

    def line_of(self, name: str) -> str:
        """The first line that names an object."""
        return next((line.strip() for line in self.source.splitlines() if re.search(rf"\b{name}\b", line)), name)

    @functools.cached_property
    def run(self) -> Callable:
        """The program as a function on arrays."""
        return executed(self.source, "<recorded step>", dict(self.objects))["step"]


def _guard_parameters(guards: Guards, optimizer: Optimizer) -> None:
    """Require that an optimizer moves the same parameters."""
    name, groups = guards.name(optimizer), optimizer.param_groups
    guards.require(f"{name}.param_groups is {guards.name(groups)}", f"len({guards.name(groups)}) == {len(groups)}")
    for number, group in enumerate(groups):
        own, params = guards.name(group), guards.name(group["params"])
        guards.require(f"{guards.name(groups)}[{number}] is {own}", f"{own}['params'] is {params}")
        guards.require(f"len({params}) == {len(group['params'])}")
        guards.require(*[f"{params}[{k}] is {guards.name(p)}" for k, p in enumerate(group["params"])])


def _guard_rows(guards: Guards, optimizer: FormulaOptimizer) -> None:
    """Require that the parameters and the state of an optimizer lie where they lay, and that nobody hears of its step."""
    name, states = guards.name(optimizer), guards.name(optimizer.state)
    guards.require(*[f"not {guards.name(hooks)}" for hooks in hooks_around(optimizer)])
    guards.require(f"'step' not in {guards.name(vars(optimizer))}", f"{name}.state is {states}")
    guards.require(f"len({states}) == {len(optimizer.state)}")
    guards.require(f"all(map({guards.name(is_)}, {states}.values(), {guards.name([*optimizer.state.values()])}))")
    for number, (layout, group) in enumerate(zip(optimizer.laid_out(), optimizer.param_groups, strict=True)):
        rows = guards.name(layout)
        guards.require(f"{name}._layouts[{number}] is {rows}", f"{rows}.fits({name}, {guards.name(group)})")
        kept = [(t, a) for row in layout.rows for t, a in zip(row.kept, row.seen, strict=True)]
        places = [*zip(layout.moved, layout.memory, strict=True), *kept]
        guards.require(*[f"{guards.name(t)}.array is {guards.name(a)}" for t, a in places])
        for row in layout.rows if any(layout.names) else ():
            for s in row.states:
                guards.require(*[f"{guards.name(s)}[{key!r}] is {guards.name(s[key])}" for key in row.names])


def _indented(lines: Sequence[str], result: str) -> list[str]:
    """The body of the function: each value is let go after the last line that uses it."""
    last: dict[str, int] = {}
    for i, line in enumerate(lines):
        for name in re.findall(r"\bv\d+\b", line):
            last[name] = i
    keep = set(re.findall(r"\bv\d+\b", result))
    body = []
    for i, line in enumerate(lines):
        done = [name for name in dict.fromkeys(re.findall(r"\bv\d+\b", line)) if last[name] == i and name not in keep]
        body += [f"    {line}", *([f"    del {', '.join(done)}"] if done else [])]
    return [*body, f"    return {result}", ""]


class RecordedStep:
    """A function of tensors that is recorded as it runs, and replayed once two runs were the same program.

    `programs` shows what was recorded for which arguments, `why` the reason where a step runs as it is.
    """

    def __init__(self, function: Callable) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.programs: dict[Any, Program] = {}
        self.why: dict[Any, str] = {}
        self._runs: dict[Any, int] = {}
        self._first: dict[Any, Program] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        key = _key(args, kwargs)
        program = self.programs.get(key)
        if program is not None and observer.get() is None and not EVERYWHERE:
            if program.guards.hold():
                return _wrapped(program.run(*[t.array for t in args if isinstance(t, Tensor)]))
            del self.programs[key]  # something changed: record again
            self._runs[key] = 1
        new = key not in self._runs and len(self._runs) >= MOST  # a number that is another in each step
        if key is None or key in self.why or new or observer.get() is not None or EVERYWHERE:
            return self.function(*args, **kwargs)
        return self._recorded(key, args, kwargs)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def _recorded(self, key: Any, args: Any, kwargs: Any) -> Any:
        """Run the function: once as it is, so that lazy things are there, then twice with a tape."""
        runs = self._runs[key] = self._runs.get(key, 0) + 1
        if runs == 1:
            return self.function(*args, **kwargs)
        tape = Tape([t for t in args if isinstance(t, Tensor)])
        with listen(tape):
            answer = self.function(*args, **kwargs)
        tape.close()
        program = Program(tape, _result(tape, answer), self.function)
        first = self._first.pop(key, None)
        if program.why:
            self.why[key] = program.why
        elif first is None:
            self._first[key] = program
        elif different := first.same_as(program):
            if runs < 4:  # the first may have made what the second found, as the state of an optimizer
                self._first[key] = program
            else:
                self.why[key] = different
        else:
            self.programs[key] = program.guarded()
        return answer

    def __str__(self) -> str:
        texts = [program.source for program in self.programs.values()]
        reasons = [f"runs as it is: {why}" for why in self.why.values()]
        return "\n".join([*texts, *reasons]) or "not recorded yet: the second and third run are"


def _key(args: Any, kwargs: Any) -> Any:
    """What a recording is made for: the shapes and types of the tensors, all else as it is; None if it cannot be."""
    if kwargs or not recording.get():
        return None
    parts: list[Any] = [dtypes.get_default_dtype()]
    arrays = []
    for v in args:
        if isinstance(v, Tensor):
            a = v.array
            if v.edge() is not None or type(a) is not np.ndarray:
                return None
            parts.append((a.shape, a.dtype, type(v)))
            arrays.append(id(a))
        elif type(v) in PLAIN:
            parts.append((type(v), v or repr(v)))  # 0.0 and -0.0 are two
        else:
            return None
    if len(set(arrays)) < len(arrays):
        parts.append(tuple(map(arrays.index, arrays)))  # which of them are the same
    return tuple(parts)


def _result(tape: Tape, answer: Any) -> str:
    """What the function returns, as the program writes it: tensors, and tuples and lists of them."""
    if isinstance(answer, Tensor):
        if answer.node is not None and answer.node not in tape.walked_nodes:
            tape.refuse("its result has a graph, which a backward() outside may want")
        return tape.refer(answer.array)
    if type(answer) in (tuple, list):
        inner = ", ".join(_result(tape, each) for each in answer)
        return f"[{inner}]" if type(answer) is list else f"({inner}{',' * (len(answer) == 1)})"
    if answer is not None:
        tape.refuse(f"it returns {type(answer).__name__}, which is no tensor")
    return "None"


def _wrapped(answer: Any) -> Any:
    """What a program returns, with tensors for arrays."""
    if type(answer) is np.ndarray:
        return wrap(answer)
    if type(answer) in (tuple, list):
        return type(answer)(map(_wrapped, answer))
    return None if answer is None else wrap(answer if devices.is_array(answer) else np.asarray(answer))


def compile(step: Callable | None = None, **options: Any) -> Any:
    """Record a training step and replay it while shapes and branches hold; modules come back as they are.

    The step takes tensors (and plain values) and returns tensors; everything else that it does is seen, or it runs as
    it is: `print(step)` shows the program, or why there is none. PyTorch's options are accepted and not needed.
    """
    if step is None:
        return lambda function: compile(function, **options)
    if not callable(step):
        wrong = f"a callable function is expected, not {type(step).__name__}"
        raise AssertionError(message("compile", wrong, instead="fast = compile(step), and then loss = fast(x, y)"))
    return RecordedStep(step) if isinstance(step, type(compile)) and not options.get("disable") else step

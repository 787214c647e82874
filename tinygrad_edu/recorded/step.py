"""When a step is recorded, when the recording is replayed, and when the step runs as it is."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import devices, dtypes
from ..autograd.modes import observer, recording
from ..nn.modules.hooks import EVERYWHERE
from ..tensor import Leaf, Tensor, wrap
from ..written import executed
from . import purity
from .surroundings import PLAIN, Surroundings
from .tape import Tape, listen

MOST = 256  # sets of arguments that one step is recorded for


class Program:
    """A recorded step: its text, and the objects that it works on."""

    def __init__(self, tape: Tape, result: str, function: Callable) -> None:
        self.around = Surroundings(function, list(tape.modules.values()))
        self.why = tape.why or purity.reason(self.around.functions)
        self.objects = tape.objects
        tensors = [v for v in self.objects.values() if isinstance(v, Tensor)]
        self.tensors = [(t, t.array.shape, t.array.dtype) for t in tensors]
        self.leaves: list[tuple[Leaf, Any]] = [(v, v.tensor()) for v in self.objects.values() if isinstance(v, Leaf)]
        head = f"def step({', '.join(f'a{i}' for i in range(tape.count))}):"
        self.source = "\n".join([head, *_indented(tape.lines, result)])

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
                if _timeless(value) and value.shape == twin.shape and np.array_equal(value, twin):
                    continue
                return f"an array of shape {list(value.shape)} is made anew in each run, as by dropout: {self.line_of(name)}"
            if type(value) is type(twin) and not isinstance(value, Tensor) and value == twin:
                continue
            return f"it uses another {type(value).__name__} in each run: {self.line_of(name)}"
        return ""

    def line_of(self, name: str) -> str:
        """The first line that names an object."""
        return next((line.strip() for line in self.source.splitlines() if re.search(rf"\b{name}\b", line)), name)

    def holds(self) -> bool:
        """Whether everything that the recording took for granted is as it was."""
        return (
            all(leaf is t.node and leaf.hooks is None for leaf, t in self.leaves)
            and all(t.array.shape == shape and t.array.dtype is dtype for t, shape, dtype in self.tensors)
            and self.around.hold()
        )

    @functools.cached_property
    def run(self) -> Callable:
        """The program as a function on arrays."""
        return executed(self.source, "<recorded step>", dict(self.objects))["step"]


def _timeless(a: Any) -> bool:
    """Whether an array that each run makes anew is a constant: whole numbers, a mask of 0, 1 and infinity, a filling.

    Any other may come from something that the tape does not see, and be equal only because the arguments were.
    """
    if a.dtype.kind in "biu" or np.isin(a, (0, 1, np.inf, -np.inf)).all():
        return True
    return a.size > 1 and bool((a == a.flat[0]).all())


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
            if program.holds():
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
            self.why[key] = different
        else:
            self.programs[key] = program
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
    for v in args:
        if isinstance(v, Tensor):
            if v.edge() is not None or type(v.array) is not np.ndarray:
                return None
            parts.append((v.array.shape, v.array.dtype, type(v)))
        elif type(v) in PLAIN:
            parts.append((type(v), v))
        else:
            return None
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
    return RecordedStep(step) if isinstance(step, type(compile)) and not options.get("disable") else step

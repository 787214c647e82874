"""PyTorch's operator database asked of both libraries: the same calls, the results held side by side.

An entry of the database draws sample inputs and wrong inputs for one operation. A sample is translated and given to
the function of the same name here; what comes out is compared with what PyTorch answers.
"""

from __future__ import annotations

import contextlib
import functools
import random
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_edu.tensor import Tensor, run_backward, wrap

from .catalogue import RANDOM, TIED, WRAPPED, without_dropout
from .comparison import Different, kind, same, same_memory, with_their_choice
from .translation import (
    ENTRIES,
    Missing,
    Untranslatable,
    dtype,
    function_of,
    of_database,
    ours,
    rebound,
    tensor,
    tensors,
    torch,
    translated,
)

CHECKS = ("value", "gradient", "second", "errors", "forms")
DTYPES = (torch.float64, torch.float32, torch.int64, torch.bool, torch.complex128)
DIFFERENTIATED = (torch.float64, torch.complex128)
FIRST, SPREAD, FEW = 12, 6, 8  # samples: the first ones, as many evenly from the rest; of each form


@dataclass
class Result:
    """What came of one check: how many samples and numbers it has seen, and the failures."""

    samples: int = 0
    compared: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def word(self) -> str:
        """`pass`, `fail`, or `-` where the database has nothing to say."""
        return "fail" if self.failures else "pass" if self.samples else "-"


@dataclass
class Report:
    """What came of one entry."""

    name: str
    missing: str = ""
    results: dict[str, Result] = field(default_factory=lambda: {check: Result() for check in CHECKS})

    @property
    def failed(self) -> list[str]:
        """The checks that failed."""
        return ["missing"] if self.missing else [c for c in CHECKS if self.results[c].failures]


class Sample:
    """One call: PyTorch's arguments, and ours."""

    def __init__(self, op: Any, drawn: Any) -> None:
        args, kwargs = without_dropout(op.full_name, tuple(drawn.args), drawn.kwargs)
        self.theirs = tuple(own_leaves(v) for v in (drawn.input, args, kwargs))
        self.values = op.full_name not in RANDOM.split()
        self.step = drawn.output_process_fn_grad  # removes what is not determined, such as signs of eigenvectors
        self.memo: dict[int, Tensor] = {}  # ours, by the id of PyTorch's

    def translate(self) -> tuple[Any, tuple, dict]:
        """Our arguments, new ones at each call."""
        self.memo = {}
        self.ours = translated(self.theirs, self.memo)
        return self.ours

    def ask_torch(self, function: Callable) -> Any:
        """PyTorch's answer."""
        input, args, kwargs = self.theirs
        with unavailable():
            return self.step(function(input, *args, **kwargs))

    def ask_us(self, function: Callable) -> Any:
        """Our answer on new arguments."""
        input, args, kwargs = self.translate()
        return self.stepped(function(input, *args, **kwargs))

    def stepped(self, found: Any) -> Any:
        """A result of ours after the sample's own step."""
        return rebound(self.step)(found) if of_database(self.step) else self.step(found)

    def __str__(self) -> str:
        input, args, kwargs = self.theirs
        return f"({', '.join([text(input), *map(text, args), *[f'{k}={text(v)}' for k, v in kwargs.items()]])})"


def own_leaves(value: Any) -> Any:
    """Tensors that the database has cut from others while nothing was recorded, as leaves of their own."""
    if isinstance(value, torch.Tensor):
        return value.detach().requires_grad_() if value.requires_grad and value._is_view() else value
    if type(value) in (list, tuple):
        return type(value)(own_leaves(v) for v in value)
    return {k: own_leaves(v) for k, v in value.items()} if isinstance(value, dict) else value


def text(value: Any) -> str:
    """An argument in a message."""
    if isinstance(value, torch.Tensor):
        return kind(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(text, value))}]"
    return repr(value) if len(repr(value)) < 50 else f"{repr(value)[:47]}..."


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """PyTorch warns of old forms that its own samples use, NumPy of the infinities that they ask for.

    PyTorch's fast attention has no second derivative; its plain one has.
    """
    with warnings.catch_warnings(), torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def unavailable() -> Iterator[None]:
    """Where PyTorch itself raises there is nothing to compare with."""
    try:
        yield
    except Exception as error:
        raise Untranslatable(f"PyTorch raises {type(error).__name__}: {error}") from error


def seed(number: int) -> None:
    """Set all sources of randomness of PyTorch's samples."""
    torch.default_generator.manual_seed(number)  # torch.manual_seed notes a traceback for each device not in use
    np.random.seed(number)
    random.seed(number)


class Conformance:
    """All checks of one entry."""

    def __init__(self, name: str, everything: bool = False) -> None:
        self.name, self.op = name, ENTRIES[name]
        self.everything = everything
        self.report = Report(name)

    def applies(self, check: str) -> bool:
        """Whether the database has something to say about the entry by this check."""
        op = self.op
        if check in ("gradient", "second"):
            asked = op.supports_autograd and (check == "gradient" or op.supports_gradgrad)
            return asked and bool(self.dtypes(DIFFERENTIATED, backward=True))
        if check == "errors":
            return op.error_inputs_func is not None
        if check == "forms":
            return bool(op.aliases or op.method_variant or op.inplace_variant or op.supports_out)
        return True

    def run(self, checks: tuple[str, ...] = CHECKS) -> Report:
        """Run the checks; a name that is missing ends them, and one that has compared nothing has failed."""
        with quiet():
            try:
                self.function = function_of(self.op)
                for check in filter(self.applies, checks):
                    getattr(self, check)()
                    result = self.report.results[check]
                    if not result.samples and check != "errors":  # PyTorch may take what its database calls wrong
                        result.failures.append("nothing was compared")
            except Missing as missing:
                self.report.missing = str(missing)
        return self.report

    @contextlib.contextmanager
    def attempt(self, check: str, label: str) -> Iterator[Result]:
        """One sample of one check: whatever our side raises is a failure."""
        result = self.report.results[check]
        before = result.compared
        try:
            yield result
        except Untranslatable:
            return
        except Different as error:
            failure = str(error)
        except Missing as error:
            if check == "value":
                raise
            failure = f"missing: {error}"
        except Exception as error:
            if check == "value" and isinstance(error, AttributeError) and isinstance(error.obj, Tensor):
                raise Missing(f"Tensor.{error.name}") from error
            failure = f"{type(error).__name__}: {error}"
        else:
            result.samples += result.compared > before
            return
        result.samples += 1
        result.failures.append(" ".join(f"{label}: {failure}".split()))

    def dtypes(self, among: tuple[torch.dtype, ...], backward: bool = False) -> list[torch.dtype]:
        """Which of the dtypes the entry supports."""
        supported = self.op.supported_backward_dtypes("cpu") if backward else self.op.supported_dtypes("cpu")
        return [d for d in among if d in supported]

    def samples(self, d: torch.dtype, grad: bool = False, few: bool = False) -> list[tuple[str, Sample]]:
        """The entry's samples with their numbers, the same in every run."""
        seed(0)
        drawn = list(enumerate(self.op.sample_inputs("cpu", d, requires_grad=grad, set_seed=False)))
        rest = drawn[FIRST:]
        if few:
            drawn = drawn[:FEW]
        elif not self.everything and len(rest) > SPREAD:
            drawn = drawn[:FIRST] + [rest[k * (len(rest) - 1) // (SPREAD - 1)] for k in range(SPREAD)]
        samples = [(k, Sample(self.op, sample)) for k, sample in drawn]
        return [(f"#{k} {sample}", sample) for k, sample in samples]

    # --- the checks -----------------------------------------------------------------------------------------------

    def value(self) -> None:
        """Structure, shapes, dtypes, numbers; and the arguments are afterwards as PyTorch leaves them."""
        for d in self.dtypes(DTYPES):
            for label, sample in self.samples(d):
                with self.attempt("value", label) as result:
                    found = sample.ask_us(self.function)
                    expected = sample.ask_torch(self.op.op)
                    if self.name in TIED.split() and not sample.theirs[2].get("stable"):
                        found = with_their_choice(found, expected, sample.theirs[0])
                    result.compared += same(found, expected, "", sample.values)
                    same(tensors(sample.ours), tensors(sample.theirs), "arguments afterwards", sample.values)

    def gradient(self) -> None:
        """Against random cotangents."""
        self._gradients("gradient")

    def second(self) -> None:
        """The gradient of the gradient along random vectors."""
        self._gradients("second")

    def _gradients(self, check: str) -> None:
        theirs, mine = self.op.op, self.function
        if self.name in WRAPPED.split():
            wrapper = self.op.gradcheck_wrapper
            theirs, mine = functools.partial(wrapper, theirs), functools.partial(rebound(wrapper), mine)
        for d in self.dtypes(DIFFERENTIATED, backward=True):
            for label, sample in self.samples(d, grad=True):
                with self.attempt(check, label) as result:
                    result.compared += self._differentiate(sample, theirs, mine, check == "second")

    def _differentiate(self, sample: Sample, their_function: Callable, our_function: Callable, second: bool) -> int:
        found, expected = sample.ask_us(our_function), sample.ask_torch(their_function)
        same(found, expected, "", values=False)
        their_leaves = [t for t in tensors(sample.theirs) if t.requires_grad]
        leaves = [sample.memo[id(t)] for t in their_leaves]
        outs, their_outs = tensors(found), tensors(expected)
        flags, their_flags = [t.requires_grad for t in outs], [t.requires_grad for t in their_outs]
        if flags != their_flags:
            raise Different(f"requires_grad is {flags} instead of {their_flags}")
        outs, their_outs = [t for t in outs if t.requires_grad], [t for t in their_outs if t.requires_grad]
        if not outs or not leaves:
            return 0
        rng = np.random.default_rng(0)
        their_cts = [randn(rng, t).requires_grad_(second) for t in their_outs]
        cts = [tensor(t) for t in their_cts]
        gs = our_gradients(outs, cts, leaves, second)
        their_gs = their_gradients(their_outs, their_cts, their_leaves, second)
        compared = compare_gradients(gs, their_gs, their_leaves, "gradient ", sample.values)
        if not second:
            return compared
        leaves, their_leaves = leaves + cts, their_leaves + their_cts
        vectors = [randn(rng, leaf) for leaf in their_leaves]
        hs: list[Any] = [None] * len(leaves)
        their_hs: list[Any] = [None] * len(leaves)
        curved = [n for n, g in enumerate(gs) if g is not None and g.requires_grad]
        if curved:
            hs = our_gradients([gs[n] for n in curved], [tensor(vectors[n]) for n in curved], leaves, False)
        curved = [n for n, g in enumerate(their_gs) if g is not None and g.requires_grad]
        if curved:
            their_hs = their_gradients([their_gs[n] for n in curved], [vectors[n] for n in curved], their_leaves, False)
        return compare_gradients(hs, their_hs, their_leaves, "second gradient ", sample.values, 1000.0)

    def errors(self) -> None:
        """Wrong inputs raise the same type of exception, or a subclass."""
        seed(0)
        for k, wrong in enumerate(self.op.error_inputs("cpu", set_seed=False)):
            sample, expected = Sample(self.op, wrong.sample_input), wrong.error_type
            with self.attempt("errors", f"#{k} {sample}") as result:
                if self.op.name.startswith("__") and not isinstance(wrong.sample_input.input, torch.Tensor):
                    continue  # Python itself refuses a method of a built-in type another `self`
                sample.translate()
                input, args, kwargs = sample.theirs
                try:
                    self.op.op(input, *args, **kwargs)
                except expected:
                    result.compared += self._raises(sample, wrong)

    def _raises(self, sample: Sample, wrong: Any) -> int:
        input, args, kwargs = sample.ours
        wanted = f"instead of {wrong.error_type.__name__} ({wrong.error_regex})"
        try:
            found = self.function(input, *args, **kwargs)
        except (AttributeError, NameError) as error:  # never meant, also where any exception would do
            raise Different(f"{type(error).__name__} ({error}) {wanted}") from error
        except wrong.error_type:
            return 1
        except Exception as error:
            raise Different(f"{type(error).__name__} ({error}) {wanted}") from error
        raise Different(f"{kind(found)} {wanted}")

    def forms(self) -> None:
        """The aliases, the method, the result's memory, the in-place variant with its gradient, and `out=`."""
        op = self.op
        for alias in op.aliases:
            with self.attempt("forms", "alias") as result:
                result.compared += callable(ours(alias.name.removeprefix("torch.")))
        for d in self.dtypes((torch.float64, torch.int64, torch.bool, torch.complex128))[:1]:
            for label, sample in self.samples(d, few=True):
                asked = {
                    "memory": (True, self._memory),
                    "method": (op.method_variant and isinstance(sample.theirs[0], torch.Tensor), self._method),
                    "in place": (op.inplace_variant, self._inplace),
                    "out=": (op.supports_out and "out" not in sample.theirs[2], self._out),
                }
                for form, (applies, check) in asked.items():
                    if applies:
                        with self.attempt("forms", f"{form}, {label}") as result:
                            result.compared += check(sample)
        if op.inplace_variant and op.supports_inplace_autograd:
            for d in self.dtypes((torch.float64,), backward=True):
                for label, sample in self.samples(d, grad=True, few=True):
                    with self.attempt("forms", f"in place, gradient, {label}") as result:
                        result.compared += self._inplace_gradient(sample)

    def _memory(self, sample: Sample) -> int:
        found, expected = sample.ask_us(self.function), sample.ask_torch(self.op.op)
        return same_memory(found, sample.ours, expected, sample.theirs)

    def _method(self, sample: Sample) -> int:
        found = sample.ask_us(rebound(self.op.method_variant))
        return same(found, sample.ask_torch(self.op.method_variant), "", sample.values)

    def _inplace(self, sample: Sample) -> int:
        input, args, kwargs = sample.theirs
        target = input.clone()
        _, our_args, our_kwargs = sample.translate()
        mine = tensor(target)
        function = rebound(self.op.inplace_variant)
        try:
            expected = self.op.inplace_variant(target, *args, **kwargs)
        except Exception as reason:
            try:
                function(mine, *our_args, **our_kwargs)
            except Exception:
                return same(mine, input, "after the exception: ", sample.values)
            raise Different(f"taken, where PyTorch raises {type(reason).__name__} ({reason})") from None
        found = function(mine, *our_args, **our_kwargs)
        if expected is target and found is not mine:
            raise Different("the answer is not the tensor that was written")
        return same(mine, target, "", sample.values)

    def _inplace_gradient(self, sample: Sample) -> int:
        def form(variant: Callable) -> Callable:
            return lambda x, *args, **kwargs: variant(x.clone(), *args, **kwargs)

        theirs, mine = form(self.op.inplace_variant), form(rebound(self.op.inplace_variant))
        sample.ask_torch(theirs)  # not every result fits into the tensor
        return self._differentiate(sample, theirs, mine, second=False)

    def _out(self, sample: Sample) -> int:
        input, args, kwargs = sample.theirs
        expected = self.op.op(input, *args, **kwargs)
        alone = isinstance(expected, torch.Tensor)
        blank = tuple(torch.zeros_like(t) for t in tensors(expected))
        try:
            self.op.op(input, *args, **kwargs, out=blank[0] if alone else blank)
        except (RuntimeError, TypeError):  # PyTorch does not take out= with these arguments
            return 0
        input, args, kwargs = sample.translate()
        into = tuple(wrap(np.zeros(t.shape, dtype(t.dtype).numpy)) for t in blank)
        found = self.function(input, *args, **kwargs, out=into[0] if alone else into)
        if any(f is not t for f, t in zip(tensors(found), into, strict=True)):
            raise Different("the answer is not the tensor given as out=")
        return same(sample.stepped(found), sample.step(expected), "", sample.values)


def randn(rng: np.random.Generator, like: torch.Tensor) -> torch.Tensor:
    """Normal numbers of a tensor's shape and dtype."""
    numbers = rng.standard_normal(tuple(like.shape))
    if like.is_complex():
        numbers = numbers + 1j * rng.standard_normal(tuple(like.shape))
    return torch.from_numpy(np.asarray(numbers)).to(like.dtype)


def their_gradients(outs: list, cts: list, leaves: list, second: bool) -> list[torch.Tensor | None]:
    """PyTorch's gradients of the outs along the cotangents."""
    with unavailable():
        return list(torch.autograd.grad(outs, leaves, cts, create_graph=second, allow_unused=True))


def our_gradients(outs: list, cts: list, leaves: list, second: bool) -> list[Tensor | None]:
    """Our gradients of the outs along the cotangents."""
    for t in leaves:
        t.grad = None
    run_backward(outs, cts, create_graph=second, retain_graph=True, inputs=leaves)
    return [t.grad for t in leaves]


def compare_gradients(gs: list, their_gs: list, leaves: list, what: str, values: bool, widened: float = 100.0) -> int:
    """Gradients agree; none at all is the same as zeros."""
    compared = 0
    for n, (g, their_g, leaf) in enumerate(zip(gs, their_gs, leaves, strict=True)):
        g = wrap(np.zeros(leaf.shape, dtype(leaf.dtype).numpy)) if g is None else g
        their_g = torch.zeros_like(leaf) if their_g is None else their_g.to_dense()
        compared += same(g, their_g, f"{what}{n}: ", values, widened)
    return compared

"""Exercises that check themselves: a wrong answer is told where it is wrong and, as far as it can be seen, why.

Each check prints its verdict and returns it; a verdict is true if the answer is right, so that `assert check(...)`
proves a solution.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..autograd.function import Function
from ..autograd.gradcheck import GradcheckError, gradcheck
from ..autograd.modes import no_grad
from ..errors import describe
from ..tensor import Tensor
from .comparison import difference

ATOL = 1e-6
OPEN, RIGHT, WRONG = "…", "✓", "✗"


class Verdict:
    """What a check found; true if the answer is right. It is printed when it is made."""

    def __init__(self, name: str, sign: str, text: str) -> None:
        self.name, self.right, self.text = name, sign == RIGHT, text
        first, *more = f"{sign} {name}: {text}".split("\n")
        print("\n".join([textwrap.fill(first, 100, subsequent_indent="  "), *more]))

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        return f"<{self.name}: {self.text}>"

    def _ipython_display_(self) -> None:
        """Nothing: the verdict has been printed."""


def check(
    name: str,
    answer: Any,
    expected: Any,
    hints: Mapping[Any, str] | Iterable[tuple[Any, str]] = (),
    atol: float = ATOL,
    because: str = "",
) -> Verdict:
    """Compare an answer with what is expected: a number, a tensor, a shape, a text, or a dictionary of these.

    hints    wrong answers that are likely, each with what leads to it; pairs where the wrong answer is a tensor
    because  a sentence for the right answer
    """
    if _unanswered(answer) and not _unanswered(expected):
        return Verdict(name, OPEN, "not answered yet. Put your answer in place of None and run the cell again.")
    wrong = difference(answer, expected, atol)
    if not wrong:
        return Verdict(name, RIGHT, f"right. {because}".rstrip())
    for value, why in hints.items() if isinstance(hints, Mapping) else hints:
        if not difference(answer, value, atol):
            return Verdict(name, WRONG, f"not this. {why}")
    return Verdict(name, WRONG, _sentence(wrong))


def check_function(
    name: str,
    function: Callable | None,
    reference: Callable,
    *samples: Any,
    hints: Iterable[tuple[Callable, str]] = (),
    atol: float = ATOL,
    because: str = "",
) -> Verdict:
    """Call a function and a right one with the same arguments; a sample is a tuple of arguments, or the only one.

    hints    wrong functions that are likely, each with what leads to it
    because  a sentence for the right answer
    """
    if function is None:
        return Verdict(name, OPEN, "not answered yet. Write the function and run the cell again.")
    for sample in samples:
        args = sample if isinstance(sample, tuple) else (sample,)
        before = [a.detach().clone() if isinstance(a, Tensor) else a for a in args]
        called = f"for {', '.join(getattr(a, '__name__', None) or describe(a) for a in args)}:"
        try:
            answer = function(*args)
        except NotImplementedError:
            return Verdict(name, OPEN, "not answered yet. Write the body of the function and run the cell again.")
        except Exception as error:
            return Verdict(name, WRONG, f"{called} it raises {type(error).__name__}: {error}")
        if answer is None or answer is ...:
            return Verdict(name, OPEN, "the function returns nothing yet. Write its body, with a return at the end.")
        if _restored(args, before):
            return Verdict(name, WRONG, f"{called} it writes into its argument; compute a new tensor instead.")
        if wrong := difference(answer, reference(*args), atol):
            for mistaken, why in hints:
                if not difference(answer, mistaken(*args), atol):
                    return Verdict(name, WRONG, f"{called} not this. {why}")
            return Verdict(name, WRONG, _sentence(f"{called} {wrong}"))
    count = "one sample" if len(samples) == 1 else f"{len(samples)} samples"
    return Verdict(name, RIGHT, f"right for {count}. {because}".rstrip())


def _unanswered(answer: Any) -> bool:
    """Whether there is None in an answer, or in a part of it."""
    parts = answer.values() if isinstance(answer, Mapping) else answer if isinstance(answer, (tuple, list)) else ()
    return answer is None or any(part is None for part in parts)


def _restored(args: Sequence[Any], before: Sequence[Any]) -> bool:
    """Give changed tensors their values back; whether there were any."""
    changed = [(a, b) for a, b in zip(args, before, strict=True) if isinstance(a, Tensor) and difference(a, b, 0.0)]
    with no_grad():
        for tensor, values in changed:
            tensor.copy_(values)
    return bool(changed)


def _sentence(text: str) -> str:
    return text if text.endswith(("?", ".")) else f"{text}."


# --- gradients ---------------------------------------------------------------------------------------------------------


def check_gradient(
    name: str,
    function: Any,
    inputs: Sequence[Any],
    rule: Callable | None = None,
    hints: Iterable[tuple[Callable, str]] = (),
    because: str = "",
) -> Verdict:
    """Compare gradients with numerical ones, and say what mistake the difference looks like.

    rule   takes the gradient of the function's result and the inputs, `rule(g, *inputs)`, and returns the gradient of
           each input (None for what has none); without it, the gradients are those of the function itself, which may be
           a subclass of `autograd.Function`
    hints  wrong rules that are likely, each with what leads to it
    """
    points = [a.detach().double().requires_grad_() if _real(a) else a for a in inputs]
    if function is None:
        return Verdict(name, OPEN, "not answered yet. Write the function and run the cell again.")
    checked = function
    if rule is not None:
        checked = _with_rule(function, rule)
    elif isinstance(function, type) and issubclass(function, Function):
        checked = function.apply
    try:
        gradcheck(checked, points)
    except _Open:
        return Verdict(name, OPEN, "the rule returns nothing yet. Write its body, with a return at the end.")
    except _Wrong as error:
        return Verdict(name, WRONG, str(error))
    except GradcheckError as error:
        first, *more = str(error).split("\n")
        first = first.rpartition("with respect to ")[2]
        details = [f"  {first}", *(line for line in more if "likely cause" not in line)]
        cause = _mistake(function, rule, points, hints) if rule is not None else ""
        cause = cause or (f" Likely cause: {error.cause}" if error.cause else "")
        return Verdict(name, WRONG, "\n".join([_sentence(f"the gradient is wrong.{cause}"), *details]))
    except Exception as error:
        return Verdict(name, WRONG, f"it raises {type(error).__name__}: {error}")
    return Verdict(name, RIGHT, f"the gradient agrees with the numerical one. {because}".rstrip())


class _Open(Exception):
    """The rule has no body yet."""


class _Wrong(Exception):
    """What a rule returns is wrong before its numbers are looked at."""


def _real(value: Any) -> bool:
    return isinstance(value, Tensor) and value.dtype.is_floating_point


def _with_rule(function: Callable, rule: Callable) -> Callable:
    """A function of tensors that goes back by a rule of its own."""

    class Ruled(Function):
        @staticmethod
        def forward(ctx: Any, *inputs: Any) -> Any:
            ctx.inputs = inputs
            return function(*inputs)

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            found = rule(g, *ctx.inputs)
            if found is None or found is ...:
                raise _Open
            gradients = tuple(found) if isinstance(found, (tuple, list)) else (found,)
            _fitting(gradients, ctx.inputs)
            return gradients

    return Ruled.apply


def _mistake(function: Callable, rule: Callable, points: Sequence[Any], hints: Iterable[tuple[Callable, str]]) -> str:
    """What a wrong rule does wrong, if it is one of those that are expected or does not use `g`; or "" """
    with no_grad():
        g = 0.7 * function(*points).detach() + 1.3
        found = _returned(rule, g, points)
        for mistaken, why in hints:
            if not difference(found, _returned(mistaken, g, points), 1e-9):
                return f" {why}"
        other = _returned(rule, -3 * g, points)
    for i, (a, b) in enumerate(zip(found, other, strict=True)):
        if isinstance(a, Tensor) and bool((a != 0).any()) and not difference(a, b, 0.0):
            return f" The gradient of input {i} is the same whatever `g` is; the chain rule multiplies by `g`."
    return ""


def _returned(rule: Callable, g: Any, points: Sequence[Any]) -> tuple:
    """The gradients that a rule gives, as a tuple also if there is only one."""
    found = rule(g, *points)
    return tuple(found) if isinstance(found, (tuple, list)) else (found,)


def _fitting(gradients: tuple, inputs: Sequence[Any]) -> None:
    """Raise if there is not one gradient of the right shape for each input.

    The engine would sum a gradient that is too large back to the input's shape, and hide a sum that the rule forgot.
    """
    if len(gradients) != len(inputs):
        raise _Wrong(f"the rule returns {len(gradients)} gradients, and there are {len(inputs)} inputs: one for each.")
    for i, (gradient, value) in enumerate(zip(gradients, inputs, strict=True)):
        if not _real(value):
            continue
        if not isinstance(gradient, Tensor):
            raise _Wrong(f"the gradient of input {i} is of type {type(gradient).__name__}, and a tensor is wanted.")
        if gradient.shape != value.shape:
            text = (
                f"the gradient of input {i} has the shape {tuple(gradient.shape)}, the input has {tuple(value.shape)}"
            )
            raise _Wrong(f"{text}: {_remedy(tuple(gradient.shape), tuple(value.shape))}.")


def _remedy(got: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    lead = len(got) - len(wanted)
    if got == wanted[::-1]:
        return "a transpose is missing"
    if lead > 0 and got[lead:] == wanted:
        return f"the input was broadcast over {lead} leading dimension{'s' * (lead > 1)}; sum over it"
    if lead == 0 and all(w in (g, 1) for g, w in zip(got, wanted, strict=True)):
        return "the input was broadcast along dimensions of length 1; sum over these with keepdim=True"
    return "a gradient has one number for each number of the input"


__all__ = ["Verdict", "check", "check_function", "check_gradient"]

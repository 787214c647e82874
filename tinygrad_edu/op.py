"""`@op`: what happens when an operation is called, and how its rules are used on the way back.

    @op
    def mul(x, y):
        return x * y

    mul.grad(x=lambda g, y: g * y, y=lambda g, x: g * x)

The function works on arrays. Called with tensors, it computes, wraps the result, and records a node if an input needs
a gradient. A rule asks by name for what it needs: an argument (`y`), an argument's shape (`x_shape`), the result
(`out`, or one of several by its name, its gradient by `g_` and that name), a value that the forward hands over beside
its result (`keeps=`). For each set of arguments that need a gradient a `Plan` says which rules run and what is kept
for them; nothing else is kept.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import cached_property
from types import FunctionType
from typing import Any

import numpy as np

from .errors import alike
from .plan import OPS, Plan, check_rules
from .return_types import named
from .sums import total
from .written import MISSING, caller

PYTORCH_NAMES = {"axis": "dim", "keepdims": "keepdim", "input": 0, "self": 0, "tensors": 0, "other": 1}


class Op:
    """An operation: its forward on arrays, its rules, and how its arguments are treated.

    plain          the same result in simpler operations, where forward or rules use intermediates and in-place tricks
    keeps          names of the values that the forward hands over behind its results
    returns        names of the results, where there are several; `many` where their number varies
    sequence       the first argument is a list of tensors
    view           the result may show the memory of the first argument
    tensors        names of arguments for which PyTorch takes no Python number
    promote        bring the differentiable arguments to one dtype first; else they must agree
    differentiable False where the result has no gradient by nature
    tied           its gradients count as functions of the first argument, although they are constant in pieces
    """

    def __init__(
        self,
        forward: Callable,
        plain: Callable | None = None,
        keeps: str = "",
        returns: str = "",
        many: bool = False,
        sequence: bool = False,
        view: bool = False,
        tensors: str = "",
        promote: bool = True,
        differentiable: bool = True,
        tied: bool = False,
    ) -> None:
        code = forward.__code__
        count = code.co_argcount + code.co_kwonlyargcount
        self.forward, self.plain, self.run = forward, plain, _positional(forward)
        self.name = forward.__name__.strip("_")
        self.names, self.positional = code.co_varnames[:count], code.co_argcount
        self.required = count - len(forward.__defaults__ or ()) - code.co_kwonlyargcount
        defaults = (*(forward.__defaults__ or ()), *(forward.__kwdefaults__ or {}).values())
        self.defaults = (*[MISSING] * (count - len(defaults)), *defaults)
        self.keeps, self.results = tuple(keeps.split()), tuple(returns.split())
        self.several, self.many, self.sequence, self.view = bool(returns) or many, many, sequence, view
        self.tensors = tuple(self.names.index(name) for name in tensors.split())
        self.promote, self.differentiable, self.tied = promote, differentiable, tied
        self.rules: dict[str, Callable] = {}  # by argument; arguments that share a rule are joined by commas
        self.arity = 0  # how many leading arguments may lead to nodes
        self.promoted: range | tuple[int, ...] = () if differentiable or not promote else range(self.required)
        self.plans: dict[int, Plan] = {}
        self.exact = self.names.index("dtype") if "dtype" in self.names else None  # an option that decides the result's
        self.single = not (self.several or self.keeps)
        self.source = ""  # of the call that is written out for it
        self.spaces: list[dict[str, Any]] = []  # what the names in that call stand for

    def grad(self, *, together: Callable | None = None, **rules: Callable) -> None:
        """State the rules by argument; `together` is one rule for all required arguments, and answers a tuple."""
        if together is not None:
            rules = {",".join(self.names[: self.required]): together}
        check_rules(self, rules)
        self.rules.update(rules)
        positions = sorted(self.names.index(name) for key in self.rules for name in key.split(","))
        self.arity = positions[-1] + 1
        self.promoted = tuple(positions) if len(positions) > 1 or self.sequence else ()

    def plan(self, needs: int) -> Plan:
        """The way back when the arguments whose bits are set in `needs` want a gradient."""
        if needs not in self.plans:
            self.plans[needs] = Plan(self, needs)
        return self.plans[needs]

    def bind(self, args: Sequence[Any], options: dict[str, Any]) -> Sequence[Any]:
        """One value for each parameter, in order."""
        if len(args) > self.positional:
            raise TypeError(f"{self.name}() takes {self.positional} positional arguments but {len(args)} were given")
        values = [*args, *self.defaults[len(args) :]]
        for name, value in options.items():
            place = name if name in self.names else PYTORCH_NAMES.get(name)
            place = self.names.index(place) if place in self.names else place
            if not isinstance(place, int) or place >= len(values):
                near = alike(name, self.names) or f"; it takes {self.signature}"
                raise TypeError(f"{self.name}() got an unexpected keyword argument '{name}'{near}")
            values[place] = value
        for name, value in zip(self.names, values, strict=True):
            if value is MISSING:
                raise TypeError(f"{self.name}() missing required argument '{name}'; it takes {self.signature}")
        return values

    @cached_property
    def returned(self) -> Any:
        """What several results are returned in; made at the first call, since making it takes half a millisecond."""
        return named(self.name, " ".join(self.results)) if self.results else tuple

    @property
    def signature(self) -> str:
        """The parameters as they are written."""
        return str(inspect.signature(self.forward))

    def __repr__(self) -> str:
        return f"<op {self.name}{self.signature}>"


def _positional(function: Callable) -> Callable:
    """The function with its keyword-only parameters taken by position: a call then builds no dictionary."""
    code = function.__code__
    code = code.replace(co_argcount=code.co_argcount + code.co_kwonlyargcount, co_kwonlyargcount=0)
    return FunctionType(code, function.__globals__, function.__name__, None, function.__closure__)


def op(forward: Callable | None = None, **traits: Any) -> Any:
    """Make an operation of a function on arrays; see `Op` for the traits."""
    if forward is None:
        return lambda f: op(f, **traits)
    made = Op(forward, **traits)
    call = caller(made)
    call.__name__, call.__qualname__ = forward.__name__, forward.__qualname__
    call.__doc__, call.__module__, call.__wrapped__ = forward.__doc__, forward.__module__, forward
    call.op, call.grad, made.call = made, made.grad, call
    ours = made.name in OPS and OPS[made.name].call.__module__.startswith(__package__)
    assert not (ours and call.__module__.startswith(__package__)), f"two operations are called {made.name}"
    OPS[f"{call.__module__}.{made.name}" if ours else made.name] = made  # a program may write its own anew
    return call


# --- operations that the machinery itself needs ----------------------------------------------------------------------


@op
def cast(x, dtype):
    """The same values in another dtype."""
    if x.dtype.kind == "c" and not dtype.is_complex:
        x = x.real
    return x.astype(dtype.numpy)


@op
def sum_to(x, shape):
    """The sum over what was broadcast, so that the result has `shape`."""
    lead = x.ndim - len(shape)
    if lead:
        x = total(x, tuple(range(lead)))
        if x.shape == shape:
            return x
    ones = tuple(i for i, n in enumerate(shape) if n == 1 and x.shape[i] != 1)
    return total(x, ones, keepdims=True) if ones else x


@op(view=True)
def expand(x, shape):
    """A view in which dimensions of length 1 are repeated without a copy."""
    return np.broadcast_to(x, shape)


cast.grad(x=lambda g, x_dtype: cast(g, x_dtype))
sum_to.grad(x=lambda g, x_shape: expand(g, x_shape))
expand.grad(x=lambda g, x_shape: sum_to(g, x_shape))

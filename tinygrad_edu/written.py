"""The call of an operation, written out for its own parameters: without a loop or a list, in a third of the time.

Most calls need little of what `call.general` does: tensors of one dtype, a number, a few options. They get a function
of their own, in Python, made at the first call; `tinygrad_edu.mul.op.source` shows one.
"""

from __future__ import annotations

import contextlib
import functools
import linecache
import os
from collections.abc import Callable, Iterator, Sequence
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np

from .autograd.graph import tick
from .autograd.modes import recording
from .call import general, show, watched
from .dtypes import dtype
from .kinds import check, looks
from .plan import OPS, OpNode
from .promotion import AUTOCAST, autocast, casting, settle
from .tensor import Tensor, new

if TYPE_CHECKING:
    from .op import Op

FLOATS = (np.dtype("float32"), np.dtype("float64"))  # in which a Python number stays what it is
MISSING = object()
KINDS = {"check_": check, "DType": dtype, "Tensor": Tensor}  # what looks at an argument's kind
HERE = os.path.dirname(__file__)  # what is written out belongs to the package, for who looks for the user's line


def caller(op: Op) -> Callable:
    """The function that users call."""
    if not (op.several or op.sequence):
        return written_out(op)

    def call(*args: Any, **options: Any) -> Any:
        into = options.pop("out", None) if options else None
        values = op.bind(args, options)
        looking(op)(*values)
        return general(op, autocast(op, values) if casting else values, into)

    return call


@functools.lru_cache(1024)
def looking(op: Op) -> Callable:
    """A function that looks at the kinds of an operation's arguments."""
    text = "\n".join([f"def look({', '.join(op.names)}):", *looks(op.forward), "    return", ""])
    return executed(text, os.path.join(HERE, f"<kinds of {op.name}>"), dict(KINDS))["look"]


def written_out(op: Op, otherwise: Callable = general) -> Callable:
    """The call for an operation's own parameters; what is not quite usual is left to `otherwise(op, values)`.

    The text is written at the first call: an import would not want to wait for three hundred.
    """
    names: dict[str, Any] = {f"default_{name}": value for name, value in zip(op.names, op.defaults, strict=True)}
    names |= {"MISSING": MISSING, "FLOATS": FLOATS, "Tensor": Tensor, "ndarray": np.ndarray, "new": new, "op": op}
    names |= {"run": op.run, "plans": op.plans, "recording": recording, "OpNode": OpNode, "tick": tick, "show": show}
    names |= {"settle": settle, "watched": watched, "otherwise": otherwise, "again": _again}
    names |= {"casting": casting, "autocast": autocast} | KINDS

    def write(args: tuple, options: dict[str, Any]) -> Any:
        source = _source(op)
        written = executed(source, os.path.join(HERE, f"<call of {op.name}>"), names)["call"]
        call.__defaults__, call.__kwdefaults__ = written.__defaults__, written.__kwdefaults__
        call.__code__, op.source = written.__code__, source  # in this order: other threads may be calling
        return call(*args, **options)

    names["write"] = write
    op.spaces.append(names)
    call = FunctionType(_first.__code__, names)
    return call


def executed(source: str, file: str, names: dict[str, Any]) -> dict[str, Any]:
    """The names after a text was run among them; tracebacks and debuggers show its lines."""
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    exec(compile(source, file, "exec"), names)
    return names


def _first(*args: Any, **options: Any) -> Any:
    return write(args, options)  # type: ignore[name-defined]  # noqa: F821  a name of the operation's own


def _again(op: Op, values: Sequence[Any], options: dict[str, Any], otherwise: Callable) -> Any:
    """The call with keywords of other names, as `input=` or `axis=`, with `out=`, or with a parameter missing."""
    into = options.pop("out", None)
    given = {name: v for name, v in zip(op.names, values, strict=True) if v is not MISSING}
    bound = op.bind((), given | options)
    looking(op)(*bound)
    bound = autocast(op, bound) if casting else bound
    return otherwise(op, bound) if into is None else general(op, bound, into)


def _source(op: Op) -> str:
    """The text of the call: `a_x` and `n_x` are array and node of the argument `x`; its own names end in `_`."""
    names, required = op.names, op.required
    rules = set(op.promoted) if op.promoted else {i for i in range(len(names)) if i < op.arity} or {0}
    lead = min(rules)
    first = names[lead]
    parameters = [f"{name}={'MISSING' if i < required else f'default_{name}'}" for i, name in enumerate(names)]
    parameters[op.positional : op.positional] = ["*"] if op.positional < len(names) else []
    everything = ", ".join(names)
    arrays = "".join(f"a_{name}, " for name in names)
    leave = f"return otherwise(op, ({everything},))"
    unusual = " or ".join(["keywords", *[f"{name} is MISSING" for name in names[:required]]])
    constant = "".join(f" and not isinstance({names[i]}, Tensor)" for i in sorted(rules) if i != lead)
    only = "[0]" if op.keeps else ""
    lines = [
        f"def call({', '.join(parameters)}, **keywords):",
        f"    if {unusual}:",
        f"        return again(op, ({everything},), keywords, otherwise)",
        *(
            ["    if casting:", f"        return otherwise(op, autocast(op, ({everything},)))"]
            if op.name in AUTOCAST
            else []
        ),
        f"    if not isinstance({first}, Tensor):",
        f"        if type({first}) is ndarray{constant}:",
        f"            return run({everything}){only}",
        f"        {leave}",
        *looks(op.forward),
        f"    a_{first}, n_{first} = {first}.array, {first}.node",
        f"    dtype_ = a_{first}.dtype",
    ]
    for i, name in enumerate(names):
        if i in rules and i != lead:
            lines += [
                f"    if isinstance({name}, Tensor):",
                f"        a_{name}, n_{name} = {name}.array, {name}.node",
                f"        if a_{name}.dtype is not dtype_:",
                f"            {leave}",
                *(
                    [
                        f"    elif (type({name}) is float or type({name}) is int) and dtype_ in FLOATS:",
                        f"        a_{name}, n_{name} = {name}, None",
                    ]
                    if i not in op.tensors and i < required
                    else []
                ),
                *([f"    elif {name} is None:", f"        a_{name} = n_{name} = None"] if i >= required else []),
                "    else:",
                f"        {leave}",
            ]
        elif i != lead:  # an option: a tensor among them must be constant
            lines += [
                f"    a_{name} = {name}",
                f"    if isinstance({name}, Tensor):",
                f"        if {name}.node is not None:",
                f"            {leave}",
                f"        a_{name} = {name}.array",
            ]
    like = f"({arrays})" if op.exact is None else f"({arrays}) if {names[op.exact]} is None else ()"
    lines += [
        "    try:",
        f"        out_{', *extras_' if op.keeps else ''} = run({arrays})",
        "    except Exception:",
        f"        {leave}",
        "    if type(out_) is not ndarray or out_.dtype is not dtype_:",
        f"        out_ = settle(op, out_, {like})",
        "        if out_.dtype.kind not in 'fc':",
        f"            {' = '.join(f'n_{names[i]}' for i in sorted(rules))} = None",
        "    t_ = new(Tensor)",
        "    t_.array, t_.node = out_, None",
    ]
    if op.differentiable:
        edges = [names[i] for i in sorted(rules)]
        some = " or ".join(f"n_{name} is not None" for name in edges)
        lines += [f"    if ({some}) and (mode_ := recording.get()):"]
        for name in edges:  # the node of a view may have to be found again
            check = f"n_{name} is not None and n_{name}.version is not None"
            lines += [f"        if {check}:", f"            n_{name} = {name}.edge()"]
        bits = " + ".join(f"{1 << i} * (n_{names[i]} is not None)" for i in sorted(rules))
        kept = f"({arrays}out_{', *extras_' if op.keeps else ''})"
        nodes = "".join(f"n_{names[i]}, " if i in rules else "None, " for i in range(op.arity))
        tensors = " + ".join(
            "1" if i == lead == 0 else f"{1 << i} * isinstance({n}, Tensor)" for i, n in enumerate(names)
        )
        lines += [
            f"        if needs_ := {bits}:",
            "            plan_ = plans.get(needs_) or op.plan(needs_)",
            "            t_.node = node_ = new(OpNode)",
            f"            node_.plan, node_.edges, node_.shape = plan_, ({nodes}), out_.shape",
            f"            node_.kept = plan_.pick({kept}) if plan_.pick is not None else ()",
            "            node_.version = node_.hooks = None",
            f"            if plan_.constants and plan_.constants & ({tensors}):",
            f"                node_.watch = watched(plan_, ({everything},))",
            "            node_.number = tick()",
            "            if mode_ is not True:",
            f"                mode_.recorded(node_, ({everything},), [t_])",
        ]
    if op.view:
        options = "".join(f"{name}, " for name in names[1:])
        lines += [f"    show(t_, op, {first}, ({options}))"]
    return "\n".join([*lines, "    return t_", ""])


@contextlib.contextmanager
def tap(run: Callable[[Op, Callable], Callable], settle: Callable[[Callable], Callable]) -> Iterator[None]:
    """Lead every operation's forward, and the settling of its result, through other functions for a while."""
    before = [(op, op.run, [(space, space["settle"]) for space in op.spaces]) for op in OPS.values()]
    try:
        for op, forward, spaces in before:
            op.run = run(op, forward)
            for space, settled in spaces:
                space["run"], space["settle"] = op.run, settle(settled)
        yield
    finally:
        for op, forward, spaces in before:
            op.run = forward
            for space, settled in spaces:
                space["run"], space["settle"] = forward, settled

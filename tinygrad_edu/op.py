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
from collections import namedtuple
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import devices, dtypes
from .autograd import graph
from .autograd.graph import recording, tick
from .errors import describe, message, translated
from .plan import OPS, OpNode, Pick, Plan
from .tensor import Tensor, TensorNode, new, wrap

ndarray = np.ndarray
F32, F64 = np.dtype("float32"), np.dtype("float64")
MISSING = object()
PYTORCH_NAMES = {"axis": "dim", "keepdims": "keepdim", "input": 0, "self": 0, "tensors": 0, "other": 1}


class Op:
    """An operation: its forward on arrays, its rules, and how its arguments are treated.

    plain          the same result in simpler operations, where forward or rules use intermediates and in-place tricks
    keeps          names of the values that the forward hands over behind its results
    returns        names of the results, where there are several; `many` where their number varies
    sequence       the first argument is a list of tensors
    view           the result may show the memory of the first argument
    promote        bring the differentiable arguments to one dtype first; else they must agree
    differentiable False where the result has no gradient by nature
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
        promote: bool = True,
        differentiable: bool = True,
    ) -> None:
        code = forward.__code__
        count = code.co_argcount + code.co_kwonlyargcount
        self.forward, self.plain = forward, plain
        self.name = forward.__name__.strip("_")
        self.names = code.co_varnames[:count]
        self.required = count - len(forward.__defaults__ or ()) - code.co_kwonlyargcount
        self.positional = code.co_argcount
        defaults = (*(forward.__defaults__ or ()), *(forward.__kwdefaults__ or {}).values())
        self.defaults = (*[MISSING] * (count - len(defaults)), *defaults)
        self.keeps = tuple(keeps.split())
        self.results = tuple(returns.split())
        self.returned: Any = namedtuple(self.name, self.results) if returns else tuple  # type: ignore[misc]
        self.several, self.many = bool(returns) or many, many
        self.sequence, self.view = sequence, view
        self.promote, self.differentiable = promote, differentiable
        self.rules: dict[str, Callable] = {}  # by argument; arguments that share a rule are joined by commas
        self.arity = 0  # how many leading arguments may lead to nodes
        self.promoted: range | tuple[int, ...] = () if differentiable or not promote else range(self.required)
        self.plans: dict[int, Plan] = {}

    def grad(self, *, together: Callable | None = None, **rules: Callable) -> None:
        """State the rules by argument; `together` is one rule for all required arguments, and answers a tuple."""
        if together is not None:
            rules = {",".join(self.names[: self.required]): together}
        self.rules.update(rules)
        positions = sorted(self.names.index(name) for key in self.rules for name in key.split(","))
        self.arity = positions[-1] + 1
        self.promoted = tuple(positions) if len(positions) > 1 or self.sequence else ()

    def plan(self, needs: int) -> Plan:
        """The way back when the arguments whose bits are set in `needs` want a gradient."""
        if needs not in self.plans:
            self.plans[needs] = Plan(self, needs)
        return self.plans[needs]

    def bind(self, args: Sequence[Any], options: dict[str, Any]) -> list[Any]:
        """One value for each parameter, in order."""
        values = [*args, *self.defaults[len(args) :]]
        if len(args) > self.positional:
            raise TypeError(f"{self.name}() takes {self.positional} positional arguments but {len(args)} were given")
        for name, value in options.items():
            name = name if name in self.names else PYTORCH_NAMES.get(name, name)
            if isinstance(name, int):
                name = self.names[name] if name < len(self.names) else name
            if name not in self.names:
                raise TypeError(f"{self.name}() got an unexpected keyword argument '{name}'; it takes {self.signature}")
            values[self.names.index(name)] = value
        if MISSING in map(_missing, values):
            missing = self.names[[v is MISSING for v in values].index(True)]
            raise TypeError(f"{self.name}() missing required argument '{missing}'; it takes {self.signature}")
        return values

    def run(self, values: Sequence[Any]) -> Any:
        """The forward on one value for each parameter."""
        if self.positional == len(self.names):
            return self.forward(*values)
        options = dict(zip(self.names[self.positional :], values[self.positional :], strict=True))
        return self.forward(*values[: self.positional], **options)

    @property
    def signature(self) -> str:
        """The parameters as they are written."""
        return str(inspect.signature(self.forward))

    def __repr__(self) -> str:
        return f"<op {self.name}{self.signature}>"


def _missing(value: Any) -> Any:
    return value if value is MISSING else None


# --- the call ------------------------------------------------------------------------------------------------------


def op(forward: Callable | None = None, **traits: Any) -> Any:
    """Make an operation of a function on arrays; see `Op` for the traits."""
    if forward is None:
        return lambda f: op(f, **traits)
    made = Op(forward, **traits)
    call = _caller(made)
    call.__name__, call.__qualname__ = forward.__name__, forward.__qualname__
    call.__doc__, call.__module__, call.__wrapped__ = forward.__doc__, forward.__module__, forward
    call.op, call.grad, made.call = made, made.grad, call
    OPS[made.name] = made
    return call


def _caller(op: Op) -> Any:
    simple = not (op.view or op.several or op.sequence or op.keeps or op.plain)
    if simple and len(op.names) == 1:
        return _unary(op)
    if simple and len(op.names) == op.required == 2:
        return _binary(op)

    def call(*args: Any, **options: Any) -> Any:
        return apply(op, args, options)

    return call


def _unary(op: Op) -> Callable:
    """A call of its own for one argument: a third of the Python steps of the general one."""
    forward, plans = op.forward, op.plans

    def call(x: Any = MISSING, /, **options: Any) -> Any:
        if not isinstance(x, Tensor) or options:
            return apply(op, () if x is MISSING else (x,), options)
        a, nx = x.array, x.node
        try:
            out = forward(a)
        except Exception:
            return apply(op, (x,), options)
        if type(out) is not ndarray or out.dtype is not a.dtype:
            out = settle(out, (a,))
        t = new(Tensor)
        t.array, t.node = out, None
        if nx is not None and recording.get() and op.differentiable:
            if nx.version is not None:
                nx = x.edge()
                if nx is None:
                    return t
            plan = plans.get(1) or op.plan(1)
            t.node = node = new(OpNode)
            node.plan, node.edges, node.shape = plan, (nx,), out.shape
            node.kept = plan.pick((a, out)) if plan.pick is not None else ()
            node.version = node.hooks = node.watch = None
            node.number = tick()
            if recording.get() is not True:
                recording.get().recorded(node, (x,), [t])
        return t

    return call


def _binary(op: Op) -> Callable:
    """A call of its own for two arguments, tensors of one dtype or a tensor and a number."""
    forward, plans = op.forward, op.plans

    def call(x: Any = MISSING, y: Any = MISSING, /, **options: Any) -> Any:
        if not isinstance(x, Tensor) or options:
            return apply(op, [v for v in (x, y) if v is not MISSING], options)
        a, nx = x.array, x.node
        dtype = a.dtype
        if isinstance(y, Tensor):
            b, ny = y.array, y.node
            if b.dtype is not dtype:
                return apply(op, (x, y), options)
        elif (type(y) is float or type(y) is int) and (dtype is F32 or dtype is F64):
            b, ny = y, None
        else:
            return apply(op, [v for v in (x, y) if v is not MISSING], options)
        try:
            out = forward(a, b)
        except Exception:
            return apply(op, (x, y), options)
        if type(out) is not ndarray or out.dtype is not dtype:
            out = settle(out, (a, b))
        t = new(Tensor)
        t.array, t.node = out, None
        if (nx is not None or ny is not None) and recording.get() and op.differentiable:
            if nx is not None and nx.version is not None:
                nx = x.edge()
            if ny is not None and ny.version is not None:
                ny = y.edge()
            needs = (nx is not None) + 2 * (ny is not None)
            if not needs:
                return t
            plan = plans.get(needs) or op.plan(needs)
            t.node = node = new(OpNode)
            node.plan, node.edges, node.shape = plan, (nx, ny), out.shape
            node.kept = plan.pick((a, b, out)) if plan.pick is not None else ()
            node.version = node.hooks = None
            node.watch = watched(plan, (x, y)) if plan.constants else None
            node.number = tick()
            if recording.get() is not True:
                recording.get().recorded(node, (x, y), [t])
        return t

    return call


def apply(op: Op, args: Sequence[Any], options: dict[str, Any]) -> Any:
    """The general call: any number of arguments, options, several results, promotion, views, errors."""
    into = options.pop("out", None) if options else None
    values = op.bind(args, options)
    inputs = [*values[0], *values[1:]] if op.sequence else values
    if not any(isinstance(v, Tensor) for v in inputs):
        return _on_arrays(op, values)
    arrays, edges = unwrap(op, inputs)
    results, extras = compute(op, regroup(op, arrays, values), inputs)
    needs = sum(1 << i for i, edge in enumerate(edges) if edge is not None)
    track = needs and recording.get() and op.differentiable
    node = None
    if track:
        node = record(op, needs, edges, inputs, regroup(op, arrays, values), results, extras)
    wrapped = [wrap(out, node) for out in results]
    if op.several:
        for k, t in enumerate(wrapped):
            t.node = Pick(node, k, t.array.shape) if track and t.array.dtype.kind in "fc" else None
    if op.view:
        for t in wrapped:
            show(t, op, inputs[0], values[1:])
    if track and recording.get() is not True:
        recording.get().recorded(node, inputs, wrapped)
    answer = op.returned(wrapped) if op.many else op.returned(*wrapped) if op.several else wrapped[0]
    return answer if into is None else store(op, answer, into)


def _on_arrays(op: Op, values: list[Any]) -> Any:
    first = values[0][0] if op.sequence and len(values[0]) else values[0]
    if not isinstance(first, np.generic) and not devices.is_array(first):
        arrays = (v for v in values if isinstance(v, np.generic) or devices.is_array(v))
        if next(arrays, None) is None:
            raise TypeError(
                f"{op.name}(): argument '{op.names[0]}' must be Tensor, not {type(first).__name__}; "
                f"write tensor({describe(first)})"
            )
    out = op.run(values)
    if not op.keeps:
        return out
    count = max(len(op.results), 1)
    return out[:count] if op.several else out[0]


def unwrap(op: Op, inputs: list[Any]) -> tuple[list[Any], list[graph.Node | None]]:
    """The inputs' arrays, brought to one dtype where the operation asks for it, and their nodes."""
    positions = range(len(inputs) - len(op.names) + 1) if op.sequence else op.promoted
    for i in positions:
        if isinstance(inputs[i], np.generic):
            inputs[i] = inputs[i].item()
    arrays = [v.array if isinstance(v, Tensor) else v for v in inputs]
    together = [arrays[i] for i in positions if arrays[i] is not None]
    if len({getattr(a, "dtype", type(a)) for a in together}) > 1:
        if not op.promote:
            raise RuntimeError(
                f"{op.name}: expected the tensors to have the same dtype, but got: "
                f"{' and '.join(describe(a) for a in together)}; write .to(dtype) on one of them"
            )
        dtype = dtypes.result_type(*together)
        for i in positions:
            if isinstance(inputs[i], Tensor) and arrays[i].dtype != dtype.numpy:
                inputs[i] = cast(inputs[i], dtype)
                arrays[i] = inputs[i].array
    kinds = {type(a) for a in arrays if isinstance(a, np.ndarray) or devices.is_array(a)}
    if len(kinds) > 1:
        _one_device(op, inputs, arrays)
    arity = len(positions) if op.sequence else op.arity
    return arrays, [v.edge() if isinstance(v, Tensor) else None for v in inputs[:arity]]


def _one_device(op: Op, inputs: list[Any], arrays: list[Any]) -> None:
    """A number in a CPU tensor goes to the others' device; anything else must be there already."""
    home = next(devices.of(v.array) for v in inputs if isinstance(v, Tensor) and v.is_cuda)
    for i, v in enumerate(inputs):
        if isinstance(v, Tensor) and devices.of(v.array) != home:
            if v.array.ndim:
                raise RuntimeError(
                    message(
                        f"{op.name}({', '.join(map(describe, inputs))})",
                        f"Expected all tensors to be on the same device, but found at least two devices, {home} and cpu!",
                        instead=f'x.to("{home}")',
                    )
                )
            arrays[i] = devices.move(v.array, home)


def regroup(op: Op, arrays: list[Any], values: list[Any]) -> list[Any]:
    """One value for each parameter again, from the flat list."""
    if not op.sequence:
        return arrays
    count = len(values[0])
    return [arrays[:count], *arrays[count:]]


def compute(op: Op, arrays: list[Any], inputs: list[Any]) -> tuple[list[Any], tuple[Any, ...]]:
    """The forward: its results as arrays of the right dtype, and what it hands over beside them."""
    try:
        answer = op.run(arrays)
    except Exception as error:
        raise translated(op.name, inputs, error) from error
    extras: tuple[Any, ...] = ()
    if op.many:
        results = list(answer)
    elif op.several or op.keeps:
        count = max(len(op.results), 1)
        results, extras = list(answer[:count]), tuple(answer[count:])
    else:
        results = [answer]
    like = [a for a in (arrays[0] if op.sequence else arrays) if hasattr(a, "dtype")]
    exact = "dtype" in op.names and arrays[op.names.index("dtype")] is not None
    return [out if exact and type(out) is np.ndarray else settle(out, like) for out in results], extras


def settle(out: Any, inputs: Sequence[Any]) -> Any:
    """A result of NumPy's as PyTorch has it: an array also without dimensions; floats made of integers are default."""
    if isinstance(out, np.generic):
        out = np.asarray(out)
    if out.dtype.kind in "fc" and out.dtype.itemsize >= 8:
        kinds = [a.dtype.kind for a in inputs if hasattr(a, "dtype")]
        if kinds and not any(kind in "fc" for kind in kinds):
            default = dtypes.get_default_dtype()
            out = out.astype((default if out.dtype.kind == "f" else default.to_complex()).numpy, copy=False)
    return out


def record(
    op: Op,
    needs: int,
    edges: Sequence[graph.Node | None],
    inputs: Sequence[Any],
    arrays: Sequence[Any],
    results: Sequence[Any],
    extras: Sequence[Any],
) -> OpNode:
    """The node of a call."""
    plan = op.plan(1 if op.sequence else needs)
    node = new(OpNode)
    node.plan, node.edges = plan, tuple(edges)
    node.shape = results[0].shape if not op.several else ()
    node.outputs = [(out.shape, out.dtype) for out in results] if op.several else None
    node.kept = plan.pick((*arrays, *(results if not op.many else (None,)), *extras)) if plan.pick else ()
    node.version = node.hooks = None
    node.watch = watched(plan, inputs, edges)
    node.number = tick()
    return node


def watched(plan: Plan, inputs: Sequence[Any], edges: Sequence[Any] = ()) -> tuple | None:
    """The write counters of kept inputs that have no node of their own."""
    if plan.op.sequence:
        pairs = zip(inputs, edges, strict=False)
        constants = [v for v, edge in pairs if edge is None] if ("input", 0) in plan.kinds else []
    else:
        constants = [inputs[i] for i in plan.constants]
    found = tuple((v.version(), v) for v in constants if isinstance(v, Tensor))
    return tuple((version, describe(v)) for version, v in found) or None


def show(t: Tensor, op: Op, source: Tensor, options: Sequence[Any]) -> None:
    """Note that `t` shows the memory of `source`: writes are counted together, and histories follow each other."""
    if not np.may_share_memory(t.array, source.array):
        return
    t._version = source.version()
    if t.array.dtype.kind not in "fc":
        return
    base, recipe = source._origin or (source, ())
    t._origin = base, (*recipe, (op, tuple(options)))
    if t.node is None and recording.get():
        t.node = Unrecorded(t.array.shape)
    if t.node is not None:
        t.node.share(t._version)


class Unrecorded(TensorNode):
    """Stands where a view's node would be while its base has none: `Tensor.edge` looks there again."""

    __slots__ = ()

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.edges, self.shape, self.number, self.version, self.hooks = (), shape, -1, None, None


def store(op: Op, answer: Any, into: Any) -> Any:
    """Write results into the tensors given as `out=`, which take their shape."""
    if op.several:
        return op.returned(*[store_one(op, a, t) for a, t in zip(answer, into, strict=True)])
    return store_one(op, answer, into)


def store_one(op: Op, answer: Tensor, into: Tensor) -> Tensor:
    """Write one result into `into`."""
    if recording.get() and (answer.node is not None or into.requires_grad):
        raise RuntimeError(
            f"{op.name}(): functions with out=... arguments don't support automatic differentiation, "
            "but one of the arguments requires grad."
        )
    if not dtypes.can_cast(answer.dtype, into.dtype):
        raise RuntimeError(f"{op.name}: result type {answer.dtype} can't be cast to the desired output type {into.dtype}")
    if into.array.shape == answer.array.shape:
        np.copyto(into.array, answer.array, casting="unsafe")
    else:
        into.array = answer.array.astype(into.array.dtype)
    into.version().write()
    return into


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
        x = x.sum(tuple(range(lead)))
    ones = tuple(i for i, n in enumerate(shape) if n == 1 and x.shape[i] != 1)
    return x.sum(ones, keepdims=True) if ones else x


@op(view=True)
def expand(x, shape):
    """A view in which dimensions of length 1 are repeated without a copy."""
    return np.broadcast_to(x, shape)


cast.grad(x=lambda g, x_dtype: cast(g, x_dtype))
sum_to.grad(x=lambda g, x_shape: expand(g, x_shape))
expand.grad(x=lambda g, x_shape: sum_to(g, x_shape))

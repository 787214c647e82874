"""Recomputation in place of memory: what lies between the inputs and results of a function is forgotten after the
forward pass, and computed again when the walk back comes to it.

The function is run once and its graph followed down to where it began: nodes of the inputs and of every parameter
that it has used. One node takes the place of what lies between. When a gradient arrives there, the function runs
again, and the walk goes through that second graph.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterable
from typing import Any

from ..autograd.function import Function
from ..autograd.gradient import backward
from ..autograd.graph import Node, Several, tick, walk
from ..autograd.modes import enable_grad, is_grad_enabled, no_grad
from ..plan import Pick
from ..random import get_rng_state, set_rng_state
from ..tensor import Tensor, TensorNode, wrap

Contexts = Callable[[], tuple[Any, Any]]


class CheckpointError(RuntimeError):
    """The second run of a function was not like the first."""


def noop_context_fn() -> tuple[Any, Any]:
    """No context for the first run, none for the second."""
    return contextlib.nullcontext(), contextlib.nullcontext()


def checkpoint(
    function: Callable,
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Contexts = noop_context_fn,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """`function(*args, **kwargs)`, whose intermediate values are computed again in the walk back instead of kept.

    With `use_reentrant=False` gradients may be asked for in any way. With True, PyTorch's older form, only by
    `backward()`, and only if an input requires a gradient. With `preserve_rng_state` the second run draws the same
    random numbers as the first.
    """
    if use_reentrant is None:
        use_reentrant = _older_form("checkpoint")
    if determinism_check not in ("default", "none"):
        raise ValueError(f"determinism_check should be 'default' or 'none', but got {determinism_check!r}")
    if use_reentrant:
        if kwargs or context_fn is not noop_context_fn or debug:
            raise ValueError(
                "Unexpected keyword arguments: "
                + ",".join(kwargs)
                + " (use_reentrant=True takes none, nor context_fn or debug; write use_reentrant=False)"
            )
        check_backward_validity(args)
        return _Reentrant.apply(function, preserve_rng_state, *args)
    first, again = context_fn()
    run = _Run(function, args, kwargs, preserve_rng_state, again)
    with first:
        out = function(*args, **kwargs)
    return _forgetful(run, out, determinism_check == "default") if is_grad_enabled() else out


def _older_form(name: str) -> bool:
    text = f"{name}: the use_reentrant parameter should be passed explicitly; use_reentrant=False is recommended"
    warnings.warn(text + ", True is what this call does", stacklevel=3)
    return True


class _Run:
    """A function with its arguments and the state of the random numbers, so that it can run again."""

    def __init__(self, function: Callable, args: tuple, kwargs: dict, preserve: bool, context: Any = None) -> None:
        self.function, self.args, self.kwargs, self.context = function, args, kwargs, context
        self.state = get_rng_state() if preserve else None
        self.began = tick()

    def again(self) -> Any:
        """The results once more."""
        now = get_rng_state() if self.state is not None else None
        if self.state is not None:
            set_rng_state(self.state)
        try:
            with self.context or contextlib.nullcontext(), enable_grad():
                return self.function(*self.args, **self.kwargs)
        finally:
            if now is not None:
                set_rng_state(now)


# --- any way of asking for gradients --------------------------------------------------------------------------------


class CheckpointNode(TensorNode):
    """Stands for all operations of a function; its edges lead to where the function began."""

    __slots__ = ("check", "forms", "run")

    def __init__(self, run: _Run, edges: tuple[Node, ...], forms: list, check: bool) -> None:
        self.run: _Run | None = run
        self.edges, self.forms, self.check = edges, forms, check
        self.shape, self.number, self.version, self.hooks = (), tick(), None, None

    def back(self, g: Several, create_graph: bool) -> list[tuple[Node, Any]]:  # type: ignore[override]
        if self.run is None:
            raise RuntimeError(
                "Trying to backward through the graph a second time: checkpoint's inputs were freed by the first "
                "backward(); write backward(retain_graph=True) the first time"
            )
        tensors = _tensors(self.run.again())
        forms = [(t.array.shape, t.array.dtype) for t in tensors]
        if self.check and forms != self.forms:
            raise CheckpointError(
                "checkpoint: Recomputed values have different metadata than during the forward pass: "
                f"first {self.forms}, then {forms}; the function must do the same when it runs again"
            )
        roots = [(node, g[k]) for k, t in enumerate(tensors) if k in g and (node := t.edge()) is not None]
        found = walk(roots, create_graph=create_graph, retain_graph=create_graph, targets=self.edges, stop=True)
        if create_graph:
            return list(found.items())
        return [(edge, gx.copy() if edge.takes else gx) for edge, gx in found.items()]

    def free(self) -> None:
        self.run = None

    def name(self) -> str:
        return "CheckpointBackward"


class _Result(Pick):
    """One result of a checkpointed function."""

    __slots__ = ()

    def share(self, version: Any) -> None:
        self.version = version


def _tensors(out: Any) -> list[Tensor]:
    """The tensors in what a function returns: itself, or in tuples, lists and dictionaries."""
    if isinstance(out, Tensor):
        return [out]
    values = out.values() if isinstance(out, dict) else out if isinstance(out, (tuple, list)) else ()
    return [t for value in values for t in _tensors(value)]


def _forgetful(run: _Run, out: Any, check: bool) -> Any:
    """The results on a graph of one node instead of the function's own."""
    tensors = _tensors(out)
    made = {id(t): k for k, t in enumerate(tensors) if _is_new(t.edge(), run.began)}
    if not made:
        return out
    edges = _where_it_began([t.edge() for t in tensors if id(t) in made], run.began)
    node = CheckpointNode(run, edges, [(t.array.shape, t.array.dtype) for t in tensors], check)

    def moved(value: Any) -> Any:
        if isinstance(value, Tensor):
            k = made.get(id(value))
            return value if k is None else wrap(value.array, _Result(node, k, value.array.shape))  # type: ignore[arg-type]
        if isinstance(value, dict):
            return type(value)((key, moved(each)) for key, each in value.items())
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*map(moved, value))
        return type(value)(map(moved, value)) if isinstance(value, (tuple, list)) else value

    return moved(out)


def _is_new(node: Any, began: int) -> bool:
    return node is not None and node.number > began and bool(node.edges)


def _where_it_began(roots: Iterable[Any], began: int) -> tuple[Node, ...]:
    """The nodes, behind those made since, that were there before; and leaves."""
    seen = set(roots)
    stack = list(seen)
    found: dict[Node, None] = {}
    while stack:
        node = stack.pop()
        if not _is_new(node, began):
            found[node] = None
            continue
        for edge in node.edges:
            if edge is not None and edge not in seen:
                seen.add(edge)
                stack.append(edge)
    return tuple(found)


# --- PyTorch's older form -------------------------------------------------------------------------------------------


class _Reentrant(Function):
    """Runs the function unrecorded; its backward is a walk of its own, which adds to the parameters' gradients."""

    @staticmethod
    def forward(ctx: Any, function: Callable, preserve: bool, *args: Any) -> Any:  # type: ignore[override]
        ctx.run = _Run(function, args, {}, preserve)
        ctx.save_for_backward(*[a for a in args if isinstance(a, Tensor)])
        with no_grad():
            return function(*args)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple:
        ctx.saved_tensors  # noqa: B018  raises if they were written over or freed
        run = ctx.run
        inputs = detach_variable(run.args)
        out = _Run.again(_with_arguments(run, inputs))
        outs = out if isinstance(out, tuple) else (out,)
        pairs = [
            (t, g)
            for t, g in zip(outs, gradients, strict=True)
            if isinstance(t, Tensor) and t.requires_grad and g is not None
        ]
        if not pairs:
            raise RuntimeError("none of output has requires_grad=True, this checkpoint() is not necessary")
        with enable_grad():
            backward([t for t, _ in pairs], [g for _, g in pairs])
        return (None, None, *[t._grad if isinstance(t, Tensor) else None for t in inputs])


def _with_arguments(run: _Run, args: tuple) -> _Run:
    other = object.__new__(_Run)
    other.__dict__.update(run.__dict__, args=args)
    return other


def detach_variable(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """The inputs as leaves of a graph of their own."""
    return tuple(
        x.detach().requires_grad_(x.requires_grad) if isinstance(x, Tensor) and x.requires_grad
        else x.detach() if isinstance(x, Tensor) else x
        for x in inputs
    )  # fmt: skip


def check_backward_validity(inputs: Iterable[Any]) -> None:
    """Warn where the older form would silently give no gradients."""
    if is_grad_enabled() and not any(x.requires_grad for x in inputs if isinstance(x, Tensor)):
        warnings.warn(
            "None of the inputs have requires_grad=True. Gradients will be None; write use_reentrant=False",
            stacklevel=3,
        )


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any
) -> Any:
    """Functions one after the other, in segments of which all but the last are checkpointed."""
    if use_reentrant is None:
        use_reentrant = _older_form("checkpoint_sequential")
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    functions = list(functions.children()) if hasattr(functions, "children") else list(functions)

    def through(start: int, end: int) -> Callable:
        def segment(x: Any) -> Any:
            for function in functions[start:end]:
                x = function(x)
            return x

        return segment

    size = len(functions) // segments
    last = size * (segments - 1)
    for start in range(0, last, size or 1):
        input = checkpoint(
            through(start, start + size), input, use_reentrant=use_reentrant, preserve_rng_state=preserve
        )
    return through(last, len(functions))(input)


__all__ = [
    "CheckpointError",
    "check_backward_validity",
    "checkpoint",
    "checkpoint_sequential",
    "detach_variable",
    "noop_context_fn",
]

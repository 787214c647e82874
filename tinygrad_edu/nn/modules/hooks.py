"""What is called around a module: before and after its forward, before and after its backward."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...autograd.graph import Handle
from ...tensor import Tensor

if TYPE_CHECKING:
    from .module import Module


class Hooks:
    """The hooks of one module (or of all): most modules have none, and their call does not look further."""

    __slots__ = ("always", "backward", "backward_pre", "forward", "forward_pre", "load_post", "load_pre", "state", "state_pre")

    def __init__(self) -> None:
        self.forward_pre: dict[int, tuple[Callable, bool]] = {}  # hook, and whether it takes keyword arguments
        self.forward: dict[int, tuple[Callable, bool]] = {}
        self.always: set[Callable] = set()  # forward hooks that also want to hear of a failure
        self.backward_pre: dict[int, Callable] = {}
        self.backward: dict[int, Callable] = {}
        self.state_pre: dict[int, Callable] = {}
        self.state: dict[int, Callable] = {}
        self.load_pre: dict[int, Callable] = {}
        self.load_post: dict[int, Callable] = {}


EVERYWHERE = Hooks()  # called around every module


def call(module: Module, own: Hooks, args: tuple, kwargs: dict) -> Any:
    """The module's forward with everything that is hooked around it."""
    args, kwargs = _before(module, own, args, kwargs)
    backward = [*EVERYWHERE.backward.values(), *own.backward.values()]
    backward_pre = [*EVERYWHERE.backward_pre.values(), *own.backward_pre.values()]
    passage = Passage(module, backward, backward_pre) if backward or backward_pre else None
    if passage is not None:
        args = passage.enter(args)
    try:
        result = module.forward(*args, **kwargs)
    except Exception:
        for hook, with_kwargs in own.forward.values():
            if hook in own.always:
                hook(module, args, kwargs, None) if with_kwargs else hook(module, args, None)
        raise
    for hook, with_kwargs in [*EVERYWHERE.forward.values(), *own.forward.values()]:
        answer = hook(module, args, kwargs, result) if with_kwargs else hook(module, args, result)
        result = result if answer is None else answer
    return result if passage is None else passage.leave(result)


def _before(module: Module, own: Hooks, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    for hook, with_kwargs in [*EVERYWHERE.forward_pre.values(), *own.forward_pre.values()]:
        if with_kwargs:
            answer = hook(module, args, kwargs)
            if answer is not None:
                if not (isinstance(answer, tuple) and len(answer) == 2):
                    raise RuntimeError(f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), got {answer}")
                args, kwargs = answer
        else:
            answer = hook(module, args)
            if answer is not None:
                args = answer if isinstance(answer, tuple) else (answer,)
    return args, kwargs


class Passage:
    """Leads a module's inputs and outputs through identities whose nodes see all gradients at once."""

    def __init__(self, module: Module, hooks: list[Callable], pre_hooks: list[Callable]) -> None:
        self.module, self.hooks, self.pre_hooks = module, hooks, pre_hooks
        self.grad_outputs: tuple | None = None

    def enter(self, args: tuple) -> tuple:
        """The inputs, with a node behind which the gradients of all inputs are known."""
        args, node, places = _led_through(args)
        if node is not None:
            node.register_hook(lambda grads, _: self._after(grads, places, len(args)))
        else:
            self.grad_outputs = None
        self.entered = node is not None
        return args

    def leave(self, result: Any) -> Any:
        """The outputs, with a node at which the gradients of all outputs are known."""
        alone = not isinstance(result, tuple)
        results, node, places = _led_through((result,) if alone else result)
        if node is not None:
            node.register_prehook(lambda grads: self._before(grads, places, len(results)))
        return results[0] if alone else results

    def _before(self, grads: tuple, places: list[int], count: int) -> tuple | None:
        full = _spread(grads, places, count)
        changed = None
        for hook in self.pre_hooks:
            answer = hook(self.module, full)
            if answer is not None:
                changed = full = answer if isinstance(answer, tuple) else (answer,)
        self.grad_outputs = full
        if not self.entered:
            for hook in self.hooks:
                hook(self.module, (None,), full)
        return None if changed is None else tuple(full[i] for i in places)

    def _after(self, grads: tuple, places: list[int], count: int) -> tuple | None:
        full, changed = _spread(grads, places, count), None
        for hook in self.hooks:
            answer = hook(self.module, full, self.grad_outputs)
            if answer is not None:
                changed = full = answer if isinstance(answer, tuple) else (answer,)
        self.grad_outputs = None
        return None if changed is None else tuple(full[i] for i in places)


def _spread(grads: tuple, places: list[int], count: int) -> tuple:
    full: list[Any] = [None] * count
    for place, g in zip(places, grads, strict=False):
        full[place] = g
    return tuple(full)


def _led_through(values: tuple) -> tuple[tuple, Any, list[int]]:
    """The values with those that require a gradient behind one identity; its node, and where they stand."""
    from ...autograd.function import Function  # only those who hook gradients need it

    class Identity(Function):
        @staticmethod
        def forward(ctx: Any, *tensors: Tensor) -> Any:
            out = tuple(t.view_as(t) for t in tensors)
            return out if len(out) > 1 else out[0]

        @staticmethod
        def backward(ctx: Any, *grads: Tensor) -> Any:
            return grads if len(grads) > 1 else grads[0]

    places = [i for i, v in enumerate(values) if isinstance(v, Tensor) and v.requires_grad]
    if not places:
        return values, None, places
    out = Identity.apply(*[values[i] for i in places])
    outs = out if isinstance(out, tuple) else (out,)
    full = list(values)
    for i, t in zip(places, outs, strict=True):
        full[i] = t
    return tuple(full), outs[0].grad_fn, places


def _registrar(kind: str, form: str) -> Callable[[Callable], Handle]:
    def register(hook: Callable) -> Handle:
        return Handle(getattr(EVERYWHERE, kind), (hook, False) if form == "pair" else hook)

    register.__doc__ = f"Call a hook around every module: `{kind}`."
    return register


register_module_forward_pre_hook = _registrar("forward_pre", "pair")
register_module_forward_hook = _registrar("forward", "pair")
register_module_full_backward_hook = _registrar("backward", "alone")
register_module_full_backward_pre_hook = _registrar("backward_pre", "alone")


def any_everywhere() -> bool:
    """Whether something is hooked around every module."""
    e = EVERYWHERE
    return bool(e.forward_pre or e.forward or e.backward or e.backward_pre)

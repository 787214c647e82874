"""Backward hooks of modules: they see the gradients of all outputs at once, and of all inputs at once.

The module's inputs, and its outputs, are led through an identity of several tensors; the hooks are called at its node.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ...autograd.function import Function
from ...autograd.modes import recording
from ...tensor import Tensor

if TYPE_CHECKING:
    from .module import Module


class BackwardHookFunction(Function):
    """The identity on several tensors, at whose node all their gradients are seen at once."""

    @staticmethod
    def forward(ctx: Any, see: Callable, zeros: bool, *tensors: Tensor) -> Any:
        ctx.see = see
        ctx.set_materialize_grads(zeros)
        ctx.mark_non_differentiable(*[t for t in tensors if not t.requires_grad])
        return tensors

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> Any:
        return (None, None, *ctx.see(grads))


class Passage:
    """Leads a module's inputs and outputs through identities, and calls its backward hooks there."""

    def __init__(self, module: Module, hooks: list[Callable], pre_hooks: list[Callable]) -> None:
        self.module, self.hooks, self.pre_hooks = module, hooks, pre_hooks
        self.grad_outputs: tuple | None = None

    def enter(self, args: tuple) -> tuple:
        """The inputs, with a node behind which the gradients of all of them are known."""
        self.count = len(args)
        self.args, self.inputs = _led_through(self._at_inputs, True, args)
        return self.args

    def leave(self, result: Any) -> Any:
        """The outputs, with a node at which the gradients of all of them are known."""
        # those that require a gradient are copies: they were not written before
        if any(self.args[i].requires_grad and self.args[i]._version for i in self.inputs):
            raise RuntimeError(
                f"{type(self.module).__name__}: an input was modified in place by a module with a full backward hook; "
                "write inplace=False, or x = x.clone() in its forward"
            )
        del self.args
        if not isinstance(result, (Tensor, tuple)):
            text = "For backward hooks to be called, module output should be a Tensor or a tuple of Tensors"
            warnings.warn(f"{text} but received {type(result)}", stacklevel=4)
        if isinstance(result, tuple):
            self.width = len(result)
            result, self.outputs = _led_through(self._at_outputs, False, result)
            return result
        self.width = 1
        (result,), self.outputs = _led_through(self._at_outputs, False, (result,))
        return result

    def _at_outputs(self, grads: tuple) -> list:
        self.grad_outputs = _spread(grads, self.outputs, self.width)
        for hook in self.pre_hooks:
            self.grad_outputs = _answer(hook(self.module, self.grad_outputs), self.grad_outputs, "pre hook", "output")
        full = self.grad_outputs
        if not self.inputs:
            for hook in self.hooks:
                answer = hook(self.module, (None,) * self.count, full)
                if answer is not None and not (isinstance(answer, tuple) and all(g is None for g in answer)):
                    raise RuntimeError(
                        "Backward hook for Modules where no input requires gradient should always return None "
                        "or None for all gradients."
                    )
            self.grad_outputs = None
        return [full[i] for i in self.outputs]

    def _at_inputs(self, grads: tuple) -> Any:
        if self.grad_outputs is None:
            return grads  # the gradient has come past the outputs, as that of a second derivative may
        full = _spread(grads, self.inputs, self.count)
        for hook in self.hooks:
            full = _answer(hook(self.module, full, self.grad_outputs), full, "hook", "input")
        self.grad_outputs = None
        return [full[i] for i in self.inputs]


def _spread(grads: Sequence, places: list[int], count: int) -> tuple:
    """The gradients where their tensors stand, None elsewhere."""
    full: list[Any] = [None] * count
    for i, g in zip(places, grads, strict=True):
        full[i] = g
    return tuple(full)


def _answer(answer: Any, given: tuple, what: str, which: str) -> tuple:
    """The gradients as a hook leaves them."""
    if answer is None:
        return given
    answer = (answer,) if isinstance(answer, Tensor) else answer
    if len(answer) != len(given):
        raise RuntimeError(
            f"Backward {what} returned an invalid number of grad_{which}, got {len(answer)}, but expected {len(given)}"
        )
    return answer


def _led_through(see: Callable, zeros: bool, values: tuple) -> tuple[tuple, list[int]]:
    """The values with all tensors behind one identity, and where these stand; nowhere if none requires a gradient.

    With `zeros`, the gradient of a tensor that nothing depends on is seen as 0, else as None.
    """
    places = [i for i, v in enumerate(values) if isinstance(v, Tensor)]
    if not recording.get() or not any(values[i].requires_grad for i in places):
        return values, []
    full = list(values)
    for i, t in zip(places, BackwardHookFunction.apply(see, zeros, *[values[i] for i in places]), strict=True):
        full[i] = t
    return tuple(full) if type(values) is tuple else type(values)(*full), places

"""What the optimizers share whose step is one formula: its arrays, its numbers, and everything around it.

A formula is `update(p, g, state, group)`: a parameter, its gradient, its state and its options, as arrays and numbers.
It writes `p` and the arrays of `state` in place and returns nothing. All arrays have at least one dimension and real
numbers (complex ones come as pairs), the step is already counted, `maximize` and `weight_decay` are done;
`state["first"]` tells whether this is the parameter's first step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from .. import devices, dtypes
from ..autograd.graph import observer
from ..autograd.modes import enable_grad
from ..tensor import Tensor, wrap
from .optimizer import Optimizer, ParamsT
from .row import Layout

Array = Any
PLAIN = frozenset({float, int, bool, str, type(None)})
PLAIN_GROUP = PLAIN | {list}  # the parameters are in a list


class FormulaOptimizer(Optimizer):
    """An optimizer that goes over its parameters one by one, with one formula for all of them."""

    elementwise: ClassVar[bool] = True  # whether each element moves by its own gradient and state alone
    kernel: ClassVar[str] = ""  # the name of what does the step for all parameters of a group at once on a GPU
    by_parts: ClassVar[bool] = True  # whether complex numbers are to come as pairs of real ones

    def __init__(self, params: ParamsT, defaults: dict[str, Any]) -> None:
        name = type(self).__name__
        if defaults.get("fused") and defaults.get("foreach"):
            raise RuntimeError("`fused` and `foreach` cannot be `True` together.")
        if defaults.get("differentiable"):
            raise NotImplementedError(
                f"{name}(differentiable=True): a step is not recorded here; write the update with tensors, as in "
                "w = w - lr * torch.autograd.grad(loss, w, create_graph=True)[0]"
            )
        super().__init__(params, defaults)
        self._layouts: dict[int, Layout] = {}  # of each group

    @staticmethod
    def update(p: Array, g: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        """The formula: change `p` and the arrays of `state` in place."""
        raise NotImplementedError

    def arrays(self, group: dict[str, Any]) -> dict[str, float]:
        """The arrays of a parameter's state by name, each with the number that it is filled with at first."""
        return {}

    def scalars(self, group: dict[str, Any]) -> dict[str, float]:
        """What a parameter's state has of single numbers, with their first values."""
        return {"step": 0.0}

    def count(self, scalars: dict[str, Array], group: dict[str, Any]) -> dict[str, float]:
        """Advance the single numbers by a step; the answer is what the formula reads."""
        scalars["step"] += 1
        return {"step": scalars["step"].item()}

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient; `closure` computes loss and gradients first."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        watching = observer.get()
        for number, group in enumerate(self.param_groups):
            options = plain_options(group)
            moved = [p for p in group["params"] if p._grad is not None]
            layout = self._layouts.get(number)
            if layout is None or not layout.holds(self, moved, options):
                layout = self._layouts[number] = Layout(self, moved, options)
            if layout.others:
                self._one_by_one(layout.others, options)
            layout.advance(self, options)
            for p in moved if watching is not None else ():
                watching.written(p, f"{type(self).__name__}.step")
        return loss

    def laid_out(self) -> list[Layout]:
        """How the last step went over each group; nothing where a part of it did not go by rows."""
        found = [self._layouts.get(number) for number in range(len(self.param_groups))]
        return [each for each in found if each is not None and each.whole and not each.others]

    def _one_by_one(self, params: list[Tensor], options: dict[str, Any]) -> None:
        """The formula for each parameter; on a GPU perhaps for all at once."""
        arrays, scalars = self.arrays(options), self.scalars(options)
        together: list[tuple[Array, Array, dict[str, Any]]] = []
        for p in params:
            x, g, own = self._ready(p, options, arrays, scalars)
            if type(x) is np.ndarray:
                self._advance(x, g, own, options)
            else:
                together.append((x, g, own))
        kernel = devices.kernel_for(self.kernel, together[0][0]) if together and self.kernel else None
        if kernel is None or not kernel(together, options):
            for x, g, own in together:
                self._advance(x, g, own, options)

    def _ready(
        self, p: Tensor, group: dict[str, Any], arrays: dict[str, float], scalars: dict[str, float]
    ) -> tuple[Array, Array, dict[str, Any]]:
        """What the formula works on: a parameter, its gradient and its state, of which the numbers are advanced."""
        state, first = self.state.get(p) or {}, False
        for name in (*scalars, *arrays):
            first = first or not isinstance(state.get(name), Tensor)
        if first:
            state = self._begin(p, group)
        x, g = p.array, p._grad.array  # type: ignore[union-attr]
        own: dict[str, Array] = {}
        for name, t in state.items():
            if isinstance(t, Tensor) and name not in scalars:
                own[name] = t.array
                if t._writes is not None:
                    t._writes.write()
        single = self.count({name: state[name].array for name in scalars}, group)
        single["first"] = first
        if x.dtype.kind == "c" and self.by_parts:
            x, g, own = pairs(x), pairs(g), {name: pairs(a) for name, a in own.items()}
        elif not x.ndim:
            x, g, own = x.reshape(1), g.reshape(1), {name: a.reshape(1) for name, a in own.items()}
        return x, g, own | single

    def _advance(self, x: Array, g: Array, own: dict[str, Any], group: dict[str, Any]) -> None:
        """The formula as it is, for one parameter."""
        self.update(x, self.decay(x, g, group), own, group)

    @staticmethod
    def decay(p: Array, g: Array, group: dict[str, Any]) -> Array:
        """The gradient to go against: that of `loss + weight_decay p² / 2`, or p itself decays (decoupled)."""
        if group.get("maximize"):
            g = -g
        decay = group.get("weight_decay", 0)
        if not decay:
            return g
        if not group.get("decoupled_weight_decay"):
            return g + decay * p
        p *= 1 - group["lr"] * decay
        return g

    def _begin(self, p: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        """Before the first step: fill in what the state does not have yet."""
        state: dict[str, Any] = self.state[p]
        for name, value in self.scalars(group).items():
            state[name] = _counter(state.get(name, value))
        for name, value in self.arrays(group).items():
            if state.get(name) is None:
                fill = complex(value, value) if p.is_complex() else value
                state[name] = wrap(np.full_like(p.array, fill))
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._layouts = {}
        for own in self.state.values():
            own.update({name: _counter(own[name]) for name in self.counters & own.keys()})


def _counter(value: Any) -> Tensor:
    """A single number of a state: float32, or the default type if that is float64; older files have Python's."""
    if isinstance(value, Tensor):
        return value
    return wrap(np.full((), value, np.float64 if dtypes.get_default_dtype() is dtypes.float64 else np.float32))


def plain_options(group: dict[str, Any]) -> dict[str, Any]:
    """A group's options; those given as tensors as the numbers in them."""
    if PLAIN_GROUP.issuperset(map(type, group.values())):
        return group
    return {k: v if type(v) in PLAIN else _number(v) for k, v in group.items() if k != "params"}


def _number(value: Any) -> Any:
    if type(value) is tuple:
        return tuple(map(_number, value))
    return value.item() if isinstance(value, Tensor) else value


def pairs(a: Array) -> Array:
    """The same memory of complex numbers as pairs of real ones."""
    return a[..., None].view(a.real.dtype)


# --- options that a constructor refuses -------------------------------------------------------------------------------

_SPOKEN = {"lr": "learning rate", "eps": "epsilon value"}


def not_negative(**options: Any) -> None:
    """Raise where one of the options is below zero; a learning rate may be a tensor of one element."""
    for name, value in options.items():
        if isinstance(value, Tensor) and value.numel() != 1:
            raise ValueError(f"Tensor {name} must be 1-element, not of shape {list(value.shape)}")
        if not value >= 0:
            raise ValueError(f"Invalid {_SPOKEN.get(name, name + ' value')}: {value}")


def below_one(betas: tuple[Any, Any]) -> None:
    """Raise where a rate of forgetting is not in [0, 1)."""
    for i, beta in enumerate(betas):
        if isinstance(beta, Tensor) and beta.numel() != 1:
            raise ValueError(f"Tensor betas[{i}] must be 1-element, not of shape {list(beta.shape)}")
        if not 0 <= beta < 1:
            raise ValueError(f"Invalid beta parameter at index {i}: {beta}")


__all__ = ["FormulaOptimizer"]

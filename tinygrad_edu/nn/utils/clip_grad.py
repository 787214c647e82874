"""Gradients kept within bounds."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ...autograd.modes import no_grad, observer
from ...errors import message
from ...linalg import vector_norm
from ...ops import stack, zeros
from ...tensor import Tensor, wrap

__all__ = ["clip_grad_norm", "clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm"]

Tensors = Tensor | Iterable[Tensor]


def _listed(tensors: Tensors) -> list[Tensor]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _grads(parameters: Tensors) -> list[Tensor]:
    return [p.grad for p in _listed(parameters) if p.grad is not None]


# --- all gradients at once ----------------------------------------------------------------------------------------------
# What is asked of each gradient is one or two calls of NumPy's: for small ones an operation around each would cost
# ten times as much. A recorded step knows these functions, and writes each down as one line.


def _simple(tensors: list[Tensor]) -> bool:
    """Whether tensors are arrays of one type on the CPU, and no part of a graph."""
    kinds = {t.array.dtype if t.node is None and type(t.array) is np.ndarray else None for t in tensors}
    return len(kinds) == 1 and kinds <= {np.dtype(np.float32), np.dtype(np.float64)}


def _norm_of_all(arrays: list[np.ndarray], order: float) -> np.ndarray:
    """The norm of all elements of all arrays."""
    flat = [a.reshape(-1) for a in arrays]
    if order == 2:
        total: Any = math.sqrt(sum([float(a.dot(a)) for a in flat]))
    else:
        total = np.max([np.abs(a).max(initial=0) for a in flat])
    return np.asarray(total, arrays[0].dtype)


def _change(parameters: list[Tensor], change: Callable[[np.ndarray], object]) -> None:
    """Have `change` write into every gradient."""
    watching = observer.get()
    for p in parameters:
        if (g := p._grad) is not None:
            change(g.array)
            if g._writes is not None:
                g._writes.write()
            if watching is not None:
                watching.written(g, "clipping")


def _scale_all(parameters: list[Tensor], share: np.ndarray) -> None:
    """Every gradient times a number."""
    _change(parameters, lambda g: np.multiply(g, share, g))


def _bound_all(parameters: list[Tensor], bound: float) -> None:
    """Every element of every gradient between -bound and bound."""

    def change(g: np.ndarray) -> None:
        if g.size > 1 << 12:
            np.clip(g, -bound, bound, g)  # once through memory; few numbers take 0.6 of its time below
        else:
            np.minimum(np.maximum(g, -bound, out=g), bound, out=g)

    _change(parameters, change)


# --- the functions that PyTorch has ---------------------------------------------------------------------------------------


@no_grad()
def get_total_norm(
    tensors: Tensors, norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: bool | None = None
) -> Tensor:
    """The norm of all elements of all tensors together: the norm of their norms."""
    tensors, norm_type = _listed(tensors), float(norm_type)
    if not tensors:
        return zeros(())
    if norm_type in (2.0, math.inf) and _simple(tensors):
        total = wrap(_norm_of_all([t.array for t in tensors], norm_type))
    else:
        total = _norm_of_norms(tensors, norm_type)
    if error_if_nonfinite and not bool(total.isfinite()):
        wrong = f"the total norm of order {norm_type} for gradients from `parameters` is {total.item()}"
        instead = "error_if_nonfinite=False, to scale by it all the same"
        raise RuntimeError(message("clip_grad_norm_", f"{wrong}, so they cannot be clipped", instead=instead))
    return total


def _norm_of_norms(tensors: list[Tensor], norm_type: float) -> Tensor:
    """The same on any device, by operations."""
    device = tensors[0].device
    norms = [vector_norm(t, norm_type).to(device=device) for t in tensors]
    return vector_norm(stack(norms), norm_type)


@no_grad()
def clip_grads_with_norm_(
    parameters: Tensors, max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scale all gradients by max_norm / total_norm where that is less than 1."""
    share = (float(max_norm) / (total_norm + 1e-6)).clamp(max=1.0)
    parameters = _listed(parameters)
    grads = _grads(parameters)
    if _simple([*grads, share]):
        _scale_all(parameters, share.array)
        return
    for g in grads:
        g.mul_(share.to(device=g.device))


def clip_grad_norm_(
    parameters: Tensors,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale all gradients so that their norm together is at most `max_norm`; the answer is what it was."""
    parameters = _listed(parameters)
    total = get_total_norm(_grads(parameters), norm_type, error_if_nonfinite, foreach)
    clip_grads_with_norm_(parameters, max_norm, total, foreach)
    return total


def clip_grad_norm(
    parameters: Tensors,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The older name of `clip_grad_norm_`."""
    text = "`torch.nn.utils.clip_grad_norm` is now deprecated in favor of `torch.nn.utils.clip_grad_norm_`."
    warnings.warn(text, FutureWarning, stacklevel=3)
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


@no_grad()
def clip_grad_value_(parameters: Tensors, clip_value: float, foreach: bool | None = None) -> None:
    """Bring every element of every gradient between -clip_value and clip_value."""
    bound = float(clip_value)
    parameters = _listed(parameters)
    grads = _grads(parameters)
    if _simple(grads):
        _bound_all(parameters, bound)
        return
    for g in grads:
        g.clamp_(-bound, bound)

"""How parameters begin: each function fills a tensor in place, outside the graph, and returns it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

from .. import linalg
from ..autograd.modes import no_grad
from ..ops import diag
from ..ops.misuse import explain_all
from ..random import Generator, randperm
from ..tensor import Tensor

__all__ = [
    "calculate_gain",
    "constant",
    "constant_",
    "dirac",
    "dirac_",
    "eye",
    "eye_",
    "kaiming_normal",
    "kaiming_normal_",
    "kaiming_uniform",
    "kaiming_uniform_",
    "normal",
    "normal_",
    "ones_",
    "orthogonal",
    "orthogonal_",
    "sparse",
    "sparse_",
    "trunc_normal_",
    "uniform",
    "uniform_",
    "xavier_normal",
    "xavier_normal_",
    "xavier_uniform",
    "xavier_uniform_",
    "zeros_",
]

# --- one distribution for all elements -----------------------------------------------------------------------------------


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Numbers drawn evenly from [a, b)."""
    with no_grad():
        return tensor.uniform_(a, b, generator=generator)


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal numbers."""
    with no_grad():
        return tensor.normal_(mean, std, generator=generator)


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Normal numbers, those between a and b only."""
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
            "The distribution of values may be incorrect.",
            stacklevel=3,
        )
    inside = (math.erf((b - mean) / std / math.sqrt(2)) - math.erf((a - mean) / std / math.sqrt(2))) / 2
    peak = min(max(mean, a), b)
    low, high = max(a, peak - 9 * std), min(b, peak + 9 * std)  # beyond, there is nothing to be drawn

    def candidates(count: int) -> tuple[Tensor, Tensor]:
        """Numbers, and which of them to take: a normal one that lies inside, else an even one by its density."""
        x = tensor.new_empty(count)
        if inside > 0.3:
            x.normal_(mean, std, generator=generator)
            return x, (x >= a) & (x <= b)
        x.uniform_(low, high, generator=generator)
        chance = (((peak - mean) ** 2 - (x - mean) ** 2) / (2 * std**2)).exp()
        return x, tensor.new_empty(count).uniform_(generator=generator) < chance

    with no_grad():
        drawn, taken = candidates(tensor.numel())
        waiting = (~taken).nonzero().squeeze(1)
        while waiting.numel():
            drawn[waiting], taken = candidates(waiting.numel())
            waiting = waiting[~taken]
        return tensor.copy_(drawn.reshape(tensor.shape))


def constant_(tensor: Tensor, val: float) -> Tensor:
    """One value everywhere."""
    with no_grad():
        return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """1 everywhere."""
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """0 everywhere."""
    return constant_(tensor, 0.0)


# --- identities ----------------------------------------------------------------------------------------------------------


def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix: a linear layer that hands through its inputs, as many as possible."""
    _need_matrix(tensor)
    with no_grad():
        tensor.zero_().diagonal().fill_(1)
    return tensor


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """A convolution that hands through its input channels, as many as possible, in each group."""
    shape = tensor.shape
    if len(shape) not in (3, 4, 5):
        raise ValueError(f"Only tensors with 3, 4, or 5 dimensions are supported, not {list(shape)}")
    if shape[0] % groups:
        raise ValueError(f"dim 0 must be divisible by groups, but {shape[0]} is not by {groups}")
    outputs = shape[0] // groups
    centre = tuple(n // 2 for n in shape[2:])
    with no_grad():
        tensor.zero_()
        for group in range(groups):
            for channel in range(min(outputs, shape[1])):
                tensor[(group * outputs + channel, channel, *centre)] = 1
    return tensor


# --- scaled by the number of inputs and outputs: activations keep their size from layer to layer ---------------------------


def calculate_gain(nonlinearity: str, param: Any = None) -> float:
    """By how much weights must be larger than for a linear layer, to make up for what a nonlinearity takes away."""
    if nonlinearity in ("linear", "conv1d", "conv2d", "conv3d", "sigmoid", *_TRANSPOSED):
        return 1
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise ValueError(f"negative_slope {slope} not a valid number")
        return math.sqrt(2.0 / (1 + slope**2))
    gains = {"tanh": 5.0 / 3, "relu": math.sqrt(2.0), "selu": 3.0 / 4}
    if nonlinearity not in gains:
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}")
    return gains[nonlinearity]


_TRANSPOSED = ("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """How many inputs an output of the layer depends on, and how many outputs an input acts on."""
    if tensor.dim() < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    outputs, inputs, *kernel = tensor.shape
    return inputs * math.prod(kernel), outputs * math.prod(kernel)


def _calculate_correct_fan(tensor: Tensor, mode: str) -> int:
    mode = str(mode).lower()
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"Mode {mode} not supported, please use one of ['fan_in', 'fan_out']")
    return _calculate_fan_in_and_fan_out(tensor)[mode == "fan_out"]


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """U(-a, a) with a = gain sqrt(6 / (fan_in + fan_out))"""
    bound = gain * math.sqrt(6.0 / sum(_calculate_fan_in_and_fan_out(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """N(0, s²) with s = gain sqrt(2 / (fan_in + fan_out))"""
    std = gain * math.sqrt(2.0 / sum(_calculate_fan_in_and_fan_out(tensor)))
    return normal_(tensor, 0.0, std, generator)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """U(-b, b) with b = gain sqrt(3 / fan); `a` is the slope of the leaky relu that follows"""
    if _empty(tensor):
        return tensor
    bound = calculate_gain(nonlinearity, a) * math.sqrt(3.0 / _calculate_correct_fan(tensor, mode))
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """N(0, s²) with s = gain / sqrt(fan); `a` is the slope of the leaky relu that follows"""
    if _empty(tensor):
        return tensor
    std = calculate_gain(nonlinearity, a) / math.sqrt(_calculate_correct_fan(tensor, mode))
    return normal_(tensor, 0.0, std, generator)


def _empty(tensor: Tensor) -> bool:
    if tensor.numel():
        return False
    warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=4)
    return True


# --- matrices ------------------------------------------------------------------------------------------------------------


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """Rows (or columns, if these are fewer) of length `gain`, each at right angles to all others."""
    if tensor.dim() < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if not tensor.numel():
        return tensor
    with no_grad():
        rows = tensor.new_empty(tensor.size(0), tensor.numel() // tensor.size(0)).normal_(generator=generator)
        tall = rows.size(0) >= rows.size(1)
        q, r = linalg.qr(rows if tall else rows.T)
        q = q * diag(r).sign()  # makes all orthogonal matrices equally likely
        return tensor.copy_((q if tall else q.T).reshape(tensor.shape)).mul_(gain)


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """Normal numbers, but in each column this fraction of zeros."""
    _need_matrix(tensor)
    rows, columns = tensor.shape
    zeros = math.ceil(sparsity * rows)
    with no_grad():
        tensor.normal_(0, std, generator=generator)
        for column in range(columns):
            tensor[randperm(rows, generator=generator, device=tensor.device)[:zeros], column] = 0
    return tensor


def _need_matrix(tensor: Tensor) -> None:
    if tensor.dim() != 2:
        raise ValueError(f"Only tensors with 2 dimensions are supported, not {list(tensor.shape)}")


# --- the names of long ago -----------------------------------------------------------------------------------------------


def _former(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    old, new = function.__name__[:-1], function.__name__

    def former(*args: Any, **kwargs: Any) -> Tensor:
        text = f"`nn.init.{old}` is now deprecated in favor of `nn.init.{new}`."
        warnings.warn(text, FutureWarning, stacklevel=3)
        return function(*args, **kwargs)

    former.__name__ = old
    former.__doc__ = f"`{new}`, by its former name."
    return former


uniform, normal, constant = _former(uniform_), _former(normal_), _former(constant_)
eye, dirac = _former(eye_), _former(dirac_)
xavier_uniform, xavier_normal = _former(xavier_uniform_), _former(xavier_normal_)
kaiming_uniform, kaiming_normal = _former(kaiming_uniform_), _former(kaiming_normal_)
orthogonal, sparse = _former(orthogonal_), _former(sparse_)


explain_all(globals(), strict=True)

"""What distributions share: parameters of one shape, probabilities and their logarithms, values computed on demand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..autograd.modes import enable_grad
from ..dtypes import finfo, get_default_dtype
from ..ops import broadcast_tensors, cat, empty, logaddexp, stack, tensor, zeros_like
from ..tensor import Tensor

euler_constant = 0.57721566490153286060


def broadcast_all(*values: Any) -> tuple[Tensor, ...]:
    """Numbers and tensors as tensors of one shape; numbers take the type and the place of the tensors."""
    if not all(isinstance(v, (int, float, Tensor)) for v in values):
        raise ValueError(
            "Input arguments must all be instances of Number, torch.Tensor or objects implementing __torch_function__."
        )
    options: dict[str, Any] = {"dtype": get_default_dtype()}
    for v in values:
        if isinstance(v, Tensor):
            options = {"dtype": v.dtype, "device": v.device}
            break
    return tuple(broadcast_tensors(*[v if isinstance(v, Tensor) else tensor(v, **options) for v in values]))


def standard_normal(shape: Any, like: Tensor) -> Tensor:
    """Normal numbers of mean 0 and variance 1, in the type and place of another tensor."""
    return empty(shape, dtype=like.dtype, device=like.device).normal_()


def standard_uniform(shape: Any, like: Tensor, lowest: float = 0.0) -> Tensor:
    """Numbers from [0, 1), in the type and place of another tensor; at least `lowest` where 0 would not do."""
    drawn = empty(shape, dtype=like.dtype, device=like.device).uniform_()
    return drawn.clamp(min=lowest) if lowest else drawn


def sum_rightmost(value: Tensor, dim: int) -> Tensor:
    """The sum over the last `dim` dimensions."""
    return value if dim == 0 else value.flatten(-dim).sum(-1)


def logits_to_probs(logits: Tensor, is_binary: bool = False) -> Tensor:
    """Probabilities of log-odds, or of logarithms up to a constant."""
    return logits.sigmoid() if is_binary else logits.softmax(-1)


def clamp_probs(probs: Tensor) -> Tensor:
    """Probabilities kept away from 0 and 1 by the distance of neighbouring numbers at 1."""
    eps = finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


def probs_to_logits(probs: Tensor, is_binary: bool = False) -> Tensor:
    """Log-odds of probabilities, or their logarithms."""
    kept = clamp_probs(probs)
    return kept.log() - (-kept).log1p() if is_binary else kept.log()


def either(**given: Any) -> tuple[str, Any]:
    """The one of two parameters that was given, by name."""
    found = {name: value for name, value in given.items() if value is not None}
    if len(found) != 1:
        first, second = given
        raise ValueError(f"Either `{first}` or `{second}` must be specified, but not both.")
    return next(iter(found.items()))


def softplus(x: Tensor) -> Tensor:
    """`log(1 + exp(x))`, whose gradient is right at 0, too, where those of `clamp` and `abs` would not be."""
    return logaddexp(x, zeros_like(x))


def log_odds_loss(logits: Tensor, target: Tensor) -> Tensor:
    """`-target log p - (1 - target) log(1 - p)` for log-odds of p."""
    return softplus(logits) - logits * target


class lazy_property:
    """A property that is computed when it is first asked for, and then kept."""

    def __init__(self, compute: Callable) -> None:
        self.compute = compute
        self.__doc__ = compute.__doc__
        self.name = compute.__name__

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        with enable_grad():
            value = self.compute(instance)
        setattr(instance, self.name, value)
        return value


def tril_matrix_to_vec(mat: Tensor, diag: int = 0) -> Tensor:
    """The elements on and below a diagonal, row by row."""
    n = mat.shape[-1]
    if not -n <= diag < n:
        raise ValueError(f"diag ({diag}) provided is outside [{-n}, {n - 1}].")
    rows = [mat[..., i, : max(i + diag + 1, 0)] for i in range(n)]
    return stack([row[..., j] for row in rows for j in range(row.shape[-1])], -1)


def vec_to_tril_matrix(vec: Tensor, diag: int = 0) -> Tensor:
    """A matrix with these elements on and below a diagonal, row by row, and zeros above."""
    count, n = vec.shape[-1], 0
    places: list[tuple[int, int]] = []
    while len(places) < count:
        n += 1
        places = [(i, j) for i in range(n) for j in range(min(max(i + diag + 1, 0), n))]
    if len(places) != count:
        raise ValueError(
            f"The size of last dimension is {count} which cannot be expressed as the lower triangular part of a "
            "square D x D matrix."
        )
    where = [[count] * n for _ in range(n)]  # the zero behind the last element
    for k, (i, j) in enumerate(places):
        where[i][j] = k
    return cat([vec, zeros_like(vec[..., :1])], -1)[..., tensor(where, device=vec.device)]


__all__ = [
    "broadcast_all", "clamp_probs", "either", "lazy_property", "log_odds_loss", "logits_to_probs", "probs_to_logits", "softplus", "standard_normal",
    "standard_uniform", "sum_rightmost", "tril_matrix_to_vec", "vec_to_tril_matrix",
]  # fmt: skip

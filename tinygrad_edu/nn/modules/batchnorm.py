"""Batch normalization: each channel by the statistics of a batch, or by those of all batches that it has seen."""

from __future__ import annotations

from typing import Any, ClassVar

from ... import distributed
from ...distributed.groups import here_or_alone
from ...distributed.nn import all_reduce
from ...dtypes import int64
from ...ops import empty, ones, rsqrt, tensor, zeros
from ...tensor import Tensor
from .. import functional as F
from .. import init
from ..parameter import Parameter, UninitializedBuffer, UninitializedParameter
from .lazy import LazyModuleMixin
from .module import Module
from .utils import need_sizes

__all__ = [
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "LazyBatchNorm1d",
    "LazyBatchNorm2d",
    "LazyBatchNorm3d",
    "SyncBatchNorm",
]


class _NormBase(Module):
    """What batch and instance norms share: scale and shift, and running statistics."""

    _version = 2  # since then the number of batches is part of the state
    _dims: ClassVar[tuple[int, ...]] = ()  # how many dimensions an input may have

    weight: Parameter | None
    bias: Parameter | None
    running_mean: Any  # a tensor, or None
    running_var: Any
    num_batches_tracked: Any

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        need_sizes(type(self).__name__, num_features=num_features)
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        options = {"device": device, "dtype": dtype}
        for name, wanted in (("weight", affine), ("bias", affine and bias)):
            self.register_parameter(name, Parameter(empty(num_features, **options)) if wanted else None)
        kept = track_running_stats
        self.register_buffer("running_mean", zeros(num_features, **options) if kept else None)
        self.register_buffer("running_var", ones(num_features, **options) if kept else None)
        self.register_buffer("num_batches_tracked", tensor(0, dtype=int64, device=device) if kept else None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Forget the batches that were seen."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Begin as the identity."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.array.ndim not in self._dims:
            wanted = " or ".join(f"{n}D" for n in self._dims)
            raise ValueError(f"{type(self).__name__}: expected {wanted} input (got {input.dim()}D input)")

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )

    def _load_from_state_dict(self, state_dict: dict, prefix: str, local_metadata: dict, *rest: Any) -> None:
        if (local_metadata.get("version") or 1) < 2 and self.track_running_stats:
            state_dict.setdefault(prefix + "num_batches_tracked", self.num_batches_tracked)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


class _BatchNorm(_NormBase):
    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        factor = self.momentum
        if self.training and self.track_running_stats and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if factor is None:  # all batches count the same
                factor = 1 / float(self.num_batches_tracked)
        mean, var = self.running_mean, self.running_var
        by_batch = self.training or (mean is None and var is None)
        if self.training and not self.track_running_stats:
            mean = var = None
        return F.batch_norm(input, mean, var, self.weight, self.bias, by_batch, factor or 0.0, self.eps)


class BatchNorm1d(_BatchNorm):
    """(x - mean) / √(var + eps) for each channel over a batch, scaled and shifted: (N, C) or (N, C, L)."""

    _dims = (2, 3)


class BatchNorm2d(_BatchNorm):
    """(x - mean) / √(var + eps) for each channel over a batch, scaled and shifted: (N, C, H, W)."""

    _dims = (4,)


class BatchNorm3d(_BatchNorm):
    """(x - mean) / √(var + eps) for each channel over a batch, scaled and shifted: (N, C, D, H, W)."""

    _dims = (5,)


class SyncBatchNorm(_BatchNorm):
    """Batch normalization by the statistics of all processes' batches together; with one process, batch normalization."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: Any = None,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)
        self.process_group = process_group

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"expected at least 2D input (got {input.dim()}D input)")
        if not input.size(1):
            raise ValueError("SyncBatchNorm number of input channels should be non-zero")

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or (group := here_or_alone(self.process_group)).size() == 1:
            return super().forward(input)
        self._check_input_dim(input)
        axes, per_channel = (0, *range(2, input.dim())), (1, -1, *[1] * (input.dim() - 2))
        count = tensor([input.numel() / input.size(1)], dtype=input.dtype, device=input.device)
        distributed.all_reduce(count, group=group)
        if count.item() <= 1:
            shape = list(input.shape)
            raise ValueError(
                f"Expected more than 1 value per channel when training, got input size {shape} in all processes"
            )
        mean = all_reduce(input.sum(axes), group=group) / count
        centred = input - mean.reshape(per_channel)
        var = all_reduce((centred * centred).sum(axes), group=group) / count
        self._follow(mean.detach(), (var * (count / (count - 1))).detach())
        out = centred * rsqrt(var + self.eps).reshape(per_channel)
        out = out if self.weight is None else out * self.weight.reshape(per_channel)
        return out if self.bias is None else out + self.bias.reshape(per_channel)

    def _follow(self, mean: Tensor, var: Tensor) -> None:
        """Move the running statistics towards those of the batch."""
        if not self.track_running_stats:
            return
        self.num_batches_tracked.add_(1)
        factor = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, factor)
        self.running_var.lerp_(var, factor)

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Any = None) -> Module:
        """A network with every batch normalization replaced by this one, with the same parameters and statistics."""
        answer = module
        if isinstance(module, _BatchNorm):
            answer = cls(
                module.num_features,
                module.eps,
                module.momentum,
                module.affine,
                module.track_running_stats,
                process_group,
                bias=module.bias is not None,
            )
            answer._parameters.update(module._parameters)
            answer._buffers.update(module._buffers)
            answer.training = module.training
        for name, child in module.named_children():
            answer.add_module(name, cls.convert_sync_batchnorm(child, process_group))
        return answer


# --- the number of channels is that of the first input -------------------------------------------------------------------


class _LazyNormBase(LazyModuleMixin, _NormBase):
    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(0, eps, momentum, False, False, device, dtype, bias=False)
        self.affine, self.track_running_stats = affine, track_running_stats
        if affine:
            self.weight = UninitializedParameter(device=device, dtype=dtype)
        if affine and bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)
        if track_running_stats:
            self.running_mean = UninitializedBuffer(device=device, dtype=dtype)
            self.running_var = UninitializedBuffer(device=device, dtype=dtype)
            self.num_batches_tracked = tensor(0, dtype=int64, device=device)

    def reset_parameters(self) -> None:
        if not self.has_uninitialized_params() and self.num_features:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor) -> None:
        self.num_features = input.size(1)
        if self.has_uninitialized_params():
            lazy: list[Any] = [self.weight, self.bias, self.running_mean, self.running_var]
            for t in lazy:
                if t is not None:
                    t.materialize((self.num_features,))
            self.reset_parameters()


class LazyBatchNorm1d(_LazyNormBase, BatchNorm1d):
    """`BatchNorm1d` for as many channels as the first input has."""

    cls_to_become = BatchNorm1d


class LazyBatchNorm2d(_LazyNormBase, BatchNorm2d):
    """`BatchNorm2d` for as many channels as the first input has."""

    cls_to_become = BatchNorm2d


class LazyBatchNorm3d(_LazyNormBase, BatchNorm3d):
    """`BatchNorm3d` for as many channels as the first input has."""

    cls_to_become = BatchNorm3d

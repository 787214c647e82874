"""Convolutions and transposed convolutions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from ...errors import message
from ...ops import empty
from ...ops.windows import Each
from ...tensor import Tensor
from .. import functional as F
from .. import init
from ..parameter import Parameter, UninitializedParameter
from .lazy import LazyModuleMixin
from .module import Module
from .utils import _ntuple, _reverse_repeat_tuple, need_sizes

__all__ = [
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "LazyConv1d",
    "LazyConv2d",
    "LazyConv3d",
    "LazyConvTranspose1d",
    "LazyConvTranspose2d",
    "LazyConvTranspose3d",
]

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    """What all convolutions share: weight and bias, the options, their checks, how they are printed."""

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, ...],
        stride: tuple[int, ...],
        padding: str | tuple[int, ...],
        dilation: tuple[int, ...],
        transposed: bool,
        output_padding: tuple[int, ...],
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self._check_options(in_channels, out_channels, stride, padding, groups, padding_mode)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.transposed = transposed
        self.output_padding = output_padding
        self.groups = groups
        self.padding_mode = padding_mode
        self._reversed_padding_repeated_twice = self._widths()
        outer, inner = (in_channels, out_channels) if transposed else (out_channels, in_channels)
        self.weight = Parameter(empty(outer, inner // groups, *kernel_size, device=device, dtype=dtype))
        self.register_parameter("bias", Parameter(empty(out_channels, device=device, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def _check_options(
        self,
        in_channels: int,
        out_channels: int,
        stride: tuple[int, ...],
        padding: str | tuple[int, ...],
        groups: int,
        padding_mode: str,
    ) -> None:
        need_sizes(type(self).__name__, in_channels=in_channels, out_channels=out_channels, groups=groups)
        wrong = None
        if groups <= 0:
            wrong = f"groups must be a positive integer, not {groups}"
        elif in_channels % groups:
            wrong = f"in_channels must be divisible by groups, but {in_channels} is not by {groups}; write groups=1 or groups={in_channels}"
        elif out_channels % groups:
            wrong = f"out_channels must be divisible by groups, but {out_channels} is not by {groups}"
        elif isinstance(padding, str) and padding not in ("same", "valid"):
            wrong = f"Invalid padding string {padding!r}, should be 'same' or 'valid'"
        elif padding == "same" and any(s != 1 for s in stride):
            wrong = f"padding='same' is not supported for strided convolutions, stride={stride}"
        elif padding_mode not in PADDING_MODES:
            wrong = f"padding_mode must be one of {PADDING_MODES}, but got padding_mode={padding_mode!r}"
        if wrong:
            raise ValueError(message(type(self).__name__, wrong))

    def _widths(self) -> list[int] | tuple[int, ...]:
        """The padding as `F.pad` wants it: before and behind, the last dimension first."""
        if not isinstance(self.padding, str):
            return _reverse_repeat_tuple(self.padding, 2)
        widths = [0, 0] * len(self.kernel_size)
        if self.padding == "same":
            for i, (d, k) in enumerate(zip(self.dilation[::-1], self.kernel_size[::-1], strict=True)):
                widths[2 * i] = d * (k - 1) // 2
                widths[2 * i + 1] = d * (k - 1) - widths[2 * i]
        return widths

    def reset_parameters(self) -> None:
        """Draw weight and bias from U(±1/√fan_in)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            bound = 1 / math.sqrt(fan_in) if fan_in else 0.0
            init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        if self.padding != (0,) * len(self.padding):
            text += f", padding={self.padding}"
        if self.dilation != (1,) * len(self.dilation):
            text += f", dilation={self.dilation}"
        if self.output_padding != (0,) * len(self.output_padding):
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


# --- a kernel that slides over the input -----------------------------------------------------------------------------


class _Conv(_ConvNd):
    _dims: ClassVar[int]
    _convolve: ClassVar[Callable[..., Tensor]]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Each,
        stride: Each = 1,
        padding: str | Each = 0,
        dilation: Each = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        each = _ntuple(self._dims, "each")
        super().__init__(
            in_channels,
            out_channels,
            each(kernel_size),
            each(stride),
            padding if isinstance(padding, str) else each(padding),
            each(dilation),
            False,
            each(0),
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode), 0
        return self._convolve(input, weight, bias, self.stride, padding, self.dilation, self.groups)

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, self.weight, self.bias)


class Conv1d(_Conv):
    """The sum over input channels and taps of a kernel that slides along one dimension: (N, C, L)."""

    _dims, _convolve = 1, staticmethod(F.conv1d)


class Conv2d(_Conv):
    """The sum over input channels and taps of a kernel that slides over a plane: (N, C, H, W)."""

    _dims, _convolve = 2, staticmethod(F.conv2d)


class Conv3d(_Conv):
    """The sum over input channels and taps of a kernel that slides through space: (N, C, D, H, W)."""

    _dims, _convolve = 3, staticmethod(F.conv3d)


# --- every input spread over a window of the output ------------------------------------------------------------------


class _ConvTransposeNd(_ConvNd):
    _dims: ClassVar[int]
    _convolve: ClassVar[Callable[..., Tensor]]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Each,
        stride: Each = 1,
        padding: Each = 0,
        output_padding: Each = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Each = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        each = _ntuple(self._dims, "each")
        super().__init__(
            in_channels,
            out_channels,
            each(kernel_size),
            each(stride),
            each(padding),
            each(dilation),
            True,
            each(output_padding),
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        extra = self.output_padding if output_size is None else self._output_padding(input, output_size)
        return self._convolve(
            input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation
        )

    def _output_padding(self, input: Tensor, output_size: Sequence[int]) -> tuple[int, ...]:
        """What must be added at the far ends so that the output gets a size that the stride leaves open."""
        dims = self._dims
        lead = input.dim() - dims
        wanted = tuple(output_size)
        wanted = wanted[lead:] if len(wanted) == lead + dims else wanted
        if len(wanted) != dims:
            wrong = f"output_size must have {dims} or {lead + dims} elements (got {len(wanted)})"
            raise ValueError(message(f"{type(self).__name__}: for {input.dim()}D input", wrong))
        padding: Any = self.padding
        options = zip(input.shape[lead:], self.stride, padding, self.dilation, self.kernel_size, strict=True)
        least = tuple((n - 1) * s - 2 * p + d * (k - 1) + 1 for n, s, p, d, k in options)
        most = tuple(m + s - 1 for m, s in zip(least, self.stride, strict=True))
        if any(not a <= w <= b for a, w, b in zip(least, wanted, most, strict=True)):
            wrong = f"requested an output size of {wanted}, but valid sizes range from {least} to {most}"
            raise ValueError(message(type(self).__name__, f"{wrong} (for an input of {list(input.shape[lead:])})"))
        return tuple(w - a for w, a in zip(wanted, least, strict=True))


class ConvTranspose1d(_ConvTransposeNd):
    """Every input spread over a window of the output, the gradient of `Conv1d`: (N, C, L)."""

    _dims, _convolve = 1, staticmethod(F.conv_transpose1d)


class ConvTranspose2d(_ConvTransposeNd):
    """Every input spread over a window of the output, the gradient of `Conv2d`: (N, C, H, W)."""

    _dims, _convolve = 2, staticmethod(F.conv_transpose2d)


class ConvTranspose3d(_ConvTransposeNd):
    """Every input spread over a window of the output, the gradient of `Conv3d`: (N, C, D, H, W)."""

    _dims, _convolve = 3, staticmethod(F.conv_transpose3d)


# --- as many input channels as the first input has --------------------------------------------------------------------


class _LazyConvXdMixin(LazyModuleMixin):
    weight: Parameter
    bias: Parameter | None
    _dims: ClassVar[int]

    def _wait(self, out_channels: int, bias: bool, device: Any, dtype: Any) -> None:
        self.out_channels = out_channels
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        if not self.has_uninitialized_params() and self.in_channels:
            super().reset_parameters()  # type: ignore[misc]

    def initialize_parameters(self, input: Tensor, *args: Any, **kwargs: Any) -> None:
        """Give the parameters their shapes."""
        if input.dim() not in (self._dims + 1, self._dims + 2):
            wrong = f"Expected {self._dims + 1}D (unbatched) or {self._dims + 2}D (batched) input"
            raise RuntimeError(message(type(self).__name__, f"{wrong}, but got input of size: {list(input.shape)}"))
        self.in_channels = input.shape[-self._dims - 1]
        if not self.has_uninitialized_params():
            return
        self._check_options(
            self.in_channels, self.out_channels, self.stride, self.padding, self.groups, self.padding_mode
        )
        channels = (self.in_channels, self.out_channels) if self.transposed else (self.out_channels, self.in_channels)
        self.weight.materialize((channels[0], channels[1] // self.groups, *self.kernel_size))
        if self.bias is not None:
            self.bias.materialize((self.out_channels,))
        self.reset_parameters()


class _LazyConv(_LazyConvXdMixin):
    def __init__(
        self,
        out_channels: int,
        kernel_size: Each,
        stride: Each = 1,
        padding: str | Each = 0,
        dilation: Each = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(0, 0, kernel_size, stride, padding, dilation, groups, False, padding_mode)
        self._wait(out_channels, bias, device, dtype)


class LazyConv1d(_LazyConv, Conv1d):
    """`Conv1d` whose in_channels are those of the first input."""

    cls_to_become = Conv1d


class LazyConv2d(_LazyConv, Conv2d):
    """`Conv2d` whose in_channels are those of the first input."""

    cls_to_become = Conv2d


class LazyConv3d(_LazyConv, Conv3d):
    """`Conv3d` whose in_channels are those of the first input."""

    cls_to_become = Conv3d


class _LazyConvTranspose(_LazyConvXdMixin):
    def __init__(
        self,
        out_channels: int,
        kernel_size: Each,
        stride: Each = 1,
        padding: Each = 0,
        output_padding: Each = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Each = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(0, 0, kernel_size, stride, padding, output_padding, groups, False, dilation, padding_mode)
        self._wait(out_channels, bias, device, dtype)


class LazyConvTranspose1d(_LazyConvTranspose, ConvTranspose1d):
    """`ConvTranspose1d` whose in_channels are those of the first input."""

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LazyConvTranspose, ConvTranspose2d):
    """`ConvTranspose2d` whose in_channels are those of the first input."""

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LazyConvTranspose, ConvTranspose3d):
    """`ConvTranspose3d` whose in_channels are those of the first input."""

    cls_to_become = ConvTranspose3d

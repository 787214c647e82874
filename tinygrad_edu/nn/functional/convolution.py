"""Convolutions and transposed convolutions in one, two and three dimensions, for one sample or a batch."""

from __future__ import annotations

from ...errors import describe, message
from ...ops.arguments import need_tensor
from ...ops.convolution import _conv_transpose, _convolution
from ...ops.shape import reshape
from ...ops.windows import Each, output_size, together
from ...tensor import Tensor

__all__ = [
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_tbc",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "convolution",
]


def convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Each,
    padding: Each,
    dilation: Each,
    transposed: bool,
    output_padding: Each,
    groups: int,
) -> Tensor:
    """The convolution of a batch, or the transposed one, in as many dimensions as `stride` has numbers."""
    dims = weight.ndim - 2
    what = f"conv{'_transpose' if transposed else ''}{dims}d"
    stride, padding = together(stride, dims, what, "stride"), together(padding, dims, what, "padding")
    dilation = together(dilation, dims, what, "dilation")
    output_padding = together(output_padding, dims, what, "output_padding")
    _check(what, input, weight, bias, stride, padding, dilation, transposed, output_padding, groups)
    n, kernel = tuple(input.shape[2:]), tuple(weight.shape[2:])
    if not transposed:
        size = output_size(n, kernel, stride, padding, dilation)
        if min(m + 2 * p - d * (k - 1) for m, p, d, k in zip(n, padding, dilation, kernel, strict=True)) < 1:
            padded = tuple(m + 2 * p for m, p in zip(n, padding, strict=True))
            spread = tuple(d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True))
            wrong = f"the kernel spans {spread} elements, more than the padded input's {padded}"
            wrong = f"Kernel size can't be greater than actual input size: {wrong}"
            instead = "padding, a smaller kernel, or fewer halvings before it"
            raise RuntimeError(message(f"{what} of {describe(input)}", wrong, instead=instead))
        return _convolution(input, weight, bias, size, stride, padding, dilation, groups)
    sizes = zip(n, kernel, stride, padding, dilation, output_padding, strict=True)
    size = tuple((m - 1) * s - 2 * p + d * (k - 1) + 1 + extra for m, k, s, p, d, extra in sizes)
    if min(size) < 1:
        raise RuntimeError(message(what, f"the output would have the size {size}; each length must be at least 1"))
    return _conv_transpose(input, weight, bias, size, stride, padding, dilation, groups)


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Each = 1,
    padding: Each | str = 0,
    dilation: Each = 1,
    groups: int = 1,
) -> Tensor:
    """The sum over input channels and taps of a kernel that slides along one dimension: (N, C, L)."""
    return _conv(1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Each = 1,
    padding: Each | str = 0,
    dilation: Each = 1,
    groups: int = 1,
) -> Tensor:
    """The sum over input channels and taps of a kernel that slides over a plane: (N, C, H, W)."""
    return _conv(2, input, weight, bias, stride, padding, dilation, groups)


def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Each = 1,
    padding: Each | str = 0,
    dilation: Each = 1,
    groups: int = 1,
) -> Tensor:
    """The sum over input channels and taps of a kernel that slides through space: (N, C, D, H, W)."""
    return _conv(3, input, weight, bias, stride, padding, dilation, groups)


def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Each = 1,
    padding: Each = 0,
    output_padding: Each = 0,
    groups: int = 1,
    dilation: Each = 1,
) -> Tensor:
    """Every input spread over a window of the output: the gradient of `conv1d`. (N, C, L)"""
    return _conv(1, input, weight, bias, stride, padding, dilation, groups, True, output_padding)


def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Each = 1,
    padding: Each = 0,
    output_padding: Each = 0,
    groups: int = 1,
    dilation: Each = 1,
) -> Tensor:
    """Every input spread over a window of the output: the gradient of `conv2d`. (N, C, H, W)"""
    return _conv(2, input, weight, bias, stride, padding, dilation, groups, True, output_padding)


def conv_transpose3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Each = 1,
    padding: Each = 0,
    output_padding: Each = 0,
    groups: int = 1,
    dilation: Each = 1,
) -> Tensor:
    """Every input spread over a window of the output: the gradient of `conv3d`. (N, C, D, H, W)"""
    return _conv(3, input, weight, bias, stride, padding, dilation, groups, True, output_padding)


def conv_tbc(input: Tensor, weight: Tensor, bias: Tensor | None, pad: int = 0) -> Tensor:
    """`conv1d` of (T, B, C) with a weight of (taps, C, outputs)."""
    out = conv1d(input.permute(1, 2, 0), weight.permute(2, 1, 0), bias, padding=pad)
    return out.permute(2, 0, 1)


def _conv(dims, input, weight, bias, stride, padding, dilation, groups, transposed=False, output_padding=0):
    """One sample or a batch; padding by number or by name."""
    what = f"conv{'_transpose' if transposed else ''}{dims}d"
    need_tensor(input, what, "input")
    need_tensor(weight, what, "weight")
    if bias is not None:
        need_tensor(bias, what, "bias")
    if input.ndim not in (dims + 1, dims + 2):
        wrong = f"Expected {dims + 1}D (unbatched) or {dims + 2}D (batched) input, but got {list(input.shape)}"
        raise RuntimeError(message(what, wrong, instead="x.reshape(N, C, ...)"))
    if weight.ndim != dims + 2:
        raise RuntimeError(message(what, f"expected a {dims + 2}D weight, but got one of size {list(weight.shape)}"))
    if 0 in weight.array.shape[2:]:
        wrong = f"kernel size should be greater than zero, but got {list(weight.shape[2:])}"
        raise RuntimeError(message(what, wrong))
    x = input if input.ndim == dims + 2 else reshape(input, (1, *input.shape))
    if isinstance(padding, str):
        out = _conv_named(what, x, weight, bias, stride, padding, dilation, groups)
    else:
        out = convolution(x, weight, bias, stride, padding, dilation, transposed, output_padding, groups)
    return out if x is input else reshape(out, out.shape[1:])


def _conv_named(what, x, weight, bias, stride, padding, dilation, groups):
    """A convolution padded 'same', to the input's size, or 'valid', not at all."""
    dims = weight.ndim - 2
    stride, dilation = together(stride, dims, what, "stride"), together(dilation, dims, what, "dilation")
    if padding == "valid":
        return convolution(x, weight, bias, stride, 0, dilation, False, 0, groups)
    if padding != "same":
        raise RuntimeError(message(what, f"Invalid padding string: {padding!r}", instead="'same', 'valid' or numbers"))
    if max(stride) > 1:
        raise RuntimeError(message(what, f"padding='same' is not supported for strided convolutions, stride={stride}"))
    _check(what, x, weight, bias, stride, (0,) * dims, dilation, False, (0,) * dims, groups)
    low = tuple(d * (k - 1) // 2 for d, k in zip(dilation, weight.shape[2:], strict=True))
    return _convolution(x, weight, bias, tuple(x.shape[2:]), stride, low, dilation, groups)


def _check(what, input, weight, bias, stride, padding, dilation, transposed, output_padding, groups):
    """Raise where the shapes and options do not fit together."""
    wrong, instead = None, ""
    given = f"groups={groups}, weight of size {list(weight.shape)}"
    lead, channels = weight.shape[0], input.shape[1]
    outputs = weight.shape[1] * groups if transposed else lead
    if min(stride) < 1:
        wrong = f"non-positive stride is not supported, got {list(stride)}"
    elif min(padding) < 0:
        wrong = f"negative padding is not supported, got {list(padding)}"
    elif min(dilation) < 1:
        wrong = f"dilation should be greater than zero, but got {list(dilation)}"
    elif min(output_padding) < 0:
        wrong = f"negative output_padding is not supported, got {list(output_padding)}"
    elif groups < 1:
        wrong = f"non-positive groups is not supported, got {groups}"
    elif lead < groups or lead % groups:
        wrong = f"Given {given}: expected its length at dimension 0 to be a multiple of groups"
    elif input.ndim != weight.ndim:
        wrong = f"Expected {weight.ndim}-dimensional input for {given}, but got input of size {list(input.shape)}"
    elif channels != (lead if transposed else weight.shape[1] * groups):
        expected = lead if transposed else weight.shape[1] * groups
        wrong = f"Given {given}, expected input{list(input.shape)} to have {expected} channels, but got {channels}"
        instead = f"a layer of these channels: nn.Conv{'Transpose' if transposed else ''}{input.ndim - 2}d"
        instead += f"({channels}, {outputs}, ...)"
        if expected in input.shape[2:]:
            instead = f"x.movedim({input.shape.index(expected, 2)}, 1): channels stand right after the batch"
    elif transposed and any(e >= max(s, d) for e, s, d in zip(output_padding, stride, dilation, strict=True)):
        wrong = f"output padding {output_padding} must be smaller than either stride {stride} or dilation {dilation}"
    if wrong is None and bias is not None and tuple(bias.shape) != (outputs,):
        wrong = f"Given {given}, expected bias to have {outputs} elements in one dimension, but got {list(bias.shape)}"
    if wrong:
        raise RuntimeError(message(what, wrong, instead=instead))

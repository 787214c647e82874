"""`torch.fft`: discrete Fourier transforms by PyTorch's names, composed of the few in `ops.fourier`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import dtypes
from .errors import describe, message
from .op import cast
from .ops.arguments import need_tensor, wrapped_all
from .ops.creation import made
from .ops.fourier import SWAPPED, _fft, _fit, _ifft, _irfft, _rfft
from .ops.misuse import explain_all
from .tensor import Tensor

__all__ = [
    "fft",
    "fft2",
    "fftfreq",
    "fftn",
    "fftshift",
    "hfft",
    "hfft2",
    "hfftn",
    "ifft",
    "ifft2",
    "ifftn",
    "ifftshift",
    "ihfft",
    "ihfft2",
    "ihfftn",
    "irfft",
    "irfft2",
    "irfftn",
    "rfft",
    "rfft2",
    "rfftfreq",
    "rfftn",
]  # fmt: skip


# --- along many dimensions -----------------------------------------------------------------------------------------------


def fftn(
    input: Tensor,
    s: int | Sequence[int] | None = None,
    dim: int | Sequence[int] | None = None,
    norm: str | None = None,
    *,
    out: Any = None,
) -> Tensor:
    """The transform along several dimensions, all by default."""
    x, dims, lengths, norm = _read("fftn", input, s, dim, norm)
    return _fft(_fitted(x if dims else _complex(x), dims, lengths), dims, norm, out=out)


def ifftn(
    input: Tensor,
    s: int | Sequence[int] | None = None,
    dim: int | Sequence[int] | None = None,
    norm: str | None = None,
    *,
    out: Any = None,
) -> Tensor:
    """The inverse transform along several dimensions."""
    x, dims, lengths, norm = _read("ifftn", input, s, dim, norm)
    return _ifft(_fitted(x if dims else _complex(x), dims, lengths), dims, norm, out=out)


def rfftn(
    input: Tensor,
    s: int | Sequence[int] | None = None,
    dim: int | Sequence[int] | None = None,
    norm: str | None = None,
    *,
    out: Any = None,
) -> Tensor:
    """The transform of real numbers, without the half of the last dimension that is redundant."""
    x, dims, lengths, norm = _read("rfftn", input, s, dim, norm, real=True)
    half = _rfft(_fitted(x, dims, lengths), dims[-1], norm)
    return _fft(half, dims[:-1], norm, out=out)


def irfftn(
    input: Tensor,
    s: int | Sequence[int] | None = None,
    dim: int | Sequence[int] | None = None,
    norm: str | None = None,
    *,
    out: Any = None,
) -> Tensor:
    """The inverse of `rfftn`: a length of `s` says whether the last dimension was even (the default) or odd."""
    x, dims, lengths, norm = _read("irfftn", input, s, dim, norm, half=True)
    x = _fitted(_complex(x), dims, (*lengths[:-1], lengths[-1] // 2 + 1))
    return _irfft(_ifft(x, dims[:-1], norm), dims[-1], lengths[-1], norm, out=out)


def hfftn(
    input: Tensor,
    s: int | Sequence[int] | None = None,
    dim: int | Sequence[int] | None = None,
    norm: str | None = None,
    *,
    out: Any = None,
) -> Tensor:
    """The real transform of numbers that are symmetric, x[-j] = conj(x[j]), of which half is given."""
    x, dims, lengths, norm = _read("hfftn", input, s, dim, norm, half=True)
    x = _fitted(_complex(x), dims, (*lengths[:-1], lengths[-1] // 2 + 1))
    return _irfft(_fft(x, dims[:-1], norm).conj(), dims[-1], lengths[-1], SWAPPED[norm], out=out)


def ihfftn(
    input: Tensor,
    s: int | Sequence[int] | None = None,
    dim: int | Sequence[int] | None = None,
    norm: str | None = None,
    *,
    out: Any = None,
) -> Tensor:
    """The inverse of `hfftn`: half of the symmetric numbers whose transform is the real input."""
    x, dims, lengths, norm = _read("ihfftn", input, s, dim, norm, real=True)
    x = _ifft(_fitted(x, dims, lengths), dims, norm)
    return _fit(x, dims[-1:], (lengths[-1] // 2 + 1,), out=out)


# --- along one dimension, along two --------------------------------------------------------------------------------------


def _one(name: str, many: Any) -> Any:
    def transform(
        input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Any = None
    ) -> Tensor:
        dims = _dims(name, need_tensor(input, name), dim)
        if n is not None and n < 1:
            raise RuntimeError(f"{name}: Invalid number of data points ({n}) specified, it must be at least 1")
        return many(input, None if n is None else (n,), dims, norm, out=out)

    return _named(transform, name, many)


def _two(name: str, many: Any) -> Any:
    def transform(
        input: Tensor,
        s: int | Sequence[int] | None = None,
        dim: int | Sequence[int] = (-2, -1),
        norm: str | None = None,
        *,
        out: Any = None,
    ) -> Tensor:
        return many(input, s, dim, norm, out=out)

    return _named(transform, name, many)


def _named(transform: Any, name: str, many: Any) -> Any:
    transform.__name__ = transform.__qualname__ = name
    transform.__doc__ = f"`{many.__name__}` along {'one dimension' if name[-1] != '2' else 'two dimensions'}."
    return transform


fft, ifft, rfft = _one("fft", fftn), _one("ifft", ifftn), _one("rfft", rfftn)
irfft, hfft, ihfft = _one("irfft", irfftn), _one("hfft", hfftn), _one("ihfft", ihfftn)
fft2, ifft2, rfft2 = _two("fft2", fftn), _two("ifft2", ifftn), _two("rfft2", rfftn)
irfft2, hfft2, ihfft2 = _two("irfft2", irfftn), _two("hfft2", hfftn), _two("ihfft2", ihfftn)

# --- frequencies -----------------------------------------------------------------------------------------------------------


def fftfreq(n: int, d: float = 1.0, **options: Any) -> Tensor:
    """The frequency that each element of `fft` stands for, in cycles per unit: [0, 1, ..., -2, -1] / (n d)."""
    return made("fftfreq", lambda xp, kind: xp.fft.fftfreq(n, d).astype(kind), **options)


def rfftfreq(n: int, d: float = 1.0, **options: Any) -> Tensor:
    """The frequency that each element of `rfft` stands for: [0, 1, ..., n // 2] / (n d)."""
    return made("rfftfreq", lambda xp, kind: xp.fft.rfftfreq(n, d).astype(kind), **options)


def fftshift(input: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """Frequency zero in the middle."""
    dims = _dims("fftshift", input, dim)
    return input.roll([input.shape[d] // 2 for d in dims], dims) if dims else input.clone()


def ifftshift(input: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """Frequency zero back at the start."""
    dims = _dims("ifftshift", input, dim)
    return input.roll([-(input.shape[d] // 2) for d in dims], dims) if dims else input.clone()


# --- what users give -------------------------------------------------------------------------------------------------------


def _read(
    what: str, x: Any, s: Any, dim: Any, norm: str | None, real: bool = False, half: bool = False
) -> tuple[Tensor, tuple[int, ...], list[int], str]:
    """The input, its dimensions counted from the front, the transform's lengths along them, the normalisation.

    With `real` the input must be; with `half` its last dimension holds the first half of the transform's.
    """
    x = need_tensor(x, what)
    s = (s,) if isinstance(s, (int, np.integer)) else s
    if not x.is_floating_point() and not x.is_complex():
        x = cast(x, dtypes.get_default_dtype())
    if x.dtype is dtypes.float16:
        raise RuntimeError(message(f"{what}({describe(x)})", "Unsupported dtype Half", instead="x.float()"))
    if real and x.is_complex():
        wrong = f"{what} expects a real input tensor, but got {x.dtype}"
        raise RuntimeError(message(f"{what}({describe(x)})", wrong, instead="x.real"))
    if dim is None and s is not None and len(s) > x.ndim:
        raise RuntimeError(f"{what}: Got shape with {len(s)} values but input tensor only has {x.ndim} dimensions.")
    dims = _dims(what, x, range(x.ndim - len(s), x.ndim) if dim is None and s is not None else dim)
    if s is not None and len(s) != len(dims):
        raise RuntimeError(f"{what}: When given, dim and shape arguments must have the same length, not {dim} and {s}")
    if (real or half) and not dims:
        raise RuntimeError(f"{what} must transform at least one axis")
    if norm is not None and norm not in SWAPPED:
        raise RuntimeError(f'{what}: Invalid normalization mode: "{norm}"; write "forward", "backward" or "ortho"')
    lengths = [x.shape[d] for d in dims]
    if half:
        lengths[-1] = 2 * (lengths[-1] - 1)
    lengths = lengths if s is None else [b if a == -1 else a for a, b in zip(s, lengths, strict=True)]
    for n in lengths:
        if n < 1:
            raise RuntimeError(f"{what}: Invalid number of data points ({n}) specified, it must be at least 1")
    return x, dims, lengths, norm or "backward"


def _dims(what: str, x: Tensor, dim: Any) -> tuple[int, ...]:
    if dim is not None and not x.ndim and dim != ():
        raise IndexError(f"{what}: Dimension specified as {dim} but tensor has no dimensions")
    return tuple(range(x.ndim)) if dim is None else wrapped_all(dim, x.ndim, what)


def _fitted(x: Tensor, dims: Sequence[int], lengths: Sequence[int]) -> Tensor:
    return x if [x.shape[d] for d in dims] == list(lengths) else _fit(x, dims, lengths)


def _complex(x: Tensor) -> Tensor:
    return x if x.is_complex() else cast(x, x.dtype.to_complex())


explain_all(globals(), strict=True)

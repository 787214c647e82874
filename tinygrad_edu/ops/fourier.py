"""Fourier transforms. Each is linear, so its gradient rule is a transform again.

The matrix of the transform is symmetric: `fft` is its own rule, and so is `ifft`. The real transforms leave out the
half that follows by symmetry; their rules put it back. The names of `torch.fft` are in `tinygrad_edu.fft`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import devices
from ..errors import describe, message
from ..op import op
from ..tensor import Tensor
from .arguments import need_tensor
from .complexes import view_as_real
from .padding import pad
from .parts import _deposit, _unfold

SWAPPED = {"backward": "forward", "forward": "backward", "ortho": "ortho"}  # which way carries the factor 1/n


# --- the transforms on whole dimensions --------------------------------------------------------------------------------


@op
def _fft(x, dims, norm="backward"):
    """out[k] = Σ_j x[j] exp(-2πi jk/n), along each of `dims`."""
    return np.fft.fftn(x, axes=dims, norm=norm)


@op
def _ifft(x, dims, norm="backward"):
    """out[j] = 1/n Σ_k x[k] exp(2πi jk/n), along each of `dims`."""
    return np.fft.ifftn(x, axes=dims, norm=norm)


@op
def _rfft(x, dim, norm="backward"):
    """The first n // 2 + 1 elements of `fft` of real numbers: the others are their conjugates."""
    return np.fft.rfft(x, axis=dim, norm=norm)


@op
def _irfft(x, dim, n, norm="backward"):
    """The n real numbers whose `rfft` is `x`."""
    return np.fft.irfft(x, n, axis=dim, norm=norm)


@op
def _fit(x, dims, lengths):
    """Dimensions cut off at new lengths, or filled up with zeros."""
    shape = list(x.shape)
    for dim, n in zip(dims, lengths, strict=True):
        shape[dim] = n
    common = tuple(slice(min(a, b)) for a, b in zip(x.shape, shape, strict=True))
    out = devices.zeros(shape, x.dtype, like=x)
    out[common] = x[common]
    return out


def _like(x_dtype, gx):
    """The gradient of a real argument is real."""
    return gx if x_dtype.is_complex else gx.real


def _rfft_grad(g, x_shape, dim, norm):
    return _fft(_fit(g, (dim,), (x_shape[dim],)), (dim,), norm).real


def _irfft_grad(g, dim, n, norm):
    return _rfft(g, dim, SWAPPED[norm]).conj() * _occurrences(g, dim, n)


def _occurrences(g, dim, n):
    """How often each element of an `rfft` stands in the full `fft`: once at the ends that have no partner, else twice."""
    g = g.array if isinstance(g, Tensor) else g
    times = devices.full((n // 2 + 1,), 2, g.dtype, like=g)
    times[0] = 1
    if n % 2 == 0:
        times[-1] = 1
    return times.reshape(-1, *[1] * (g.ndim - 1 - dim))


_fft.grad(x=lambda g, x_dtype, dims, norm: _like(x_dtype, _fft(g, dims, norm)))
_ifft.grad(x=lambda g, x_dtype, dims, norm: _like(x_dtype, _ifft(g, dims, norm)))
_rfft.grad(x=_rfft_grad)
_irfft.grad(x=_irfft_grad)
_fit.grad(x=lambda g, x_shape, dims: _fit(g, dims, [x_shape[d] for d in dims]))

# --- short times: the transform of each window of a signal ----------------------------------------------------------------


def stft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: Any = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Tensor:
    """The spectrum of each frame of a signal: (..., frequencies, frames)."""
    x = need_tensor(input, "stft")
    if align_to_window:
        raise NotImplementedError("stft: align_to_window=True is not supported; leave it out")
    hop, window, real = _framing("stft", x, n_fft, hop_length, win_length, window, onesided)
    if return_complex is None and not x.is_complex() and not window.is_complex():
        raise RuntimeError(
            "stft requires the return_complex parameter be given for real inputs; write return_complex=True"
        )
    if x.ndim not in (1, 2) or x.array.dtype.kind not in "fc":
        wrong = "expected a 1D or 2D tensor of floating point or complex values"
        raise RuntimeError(message(f"stft({describe(x)}, n_fft={n_fft})", wrong))
    if center:
        x = pad(x.reshape(1, -1, x.shape[-1]), [n_fft // 2, n_fft // 2], pad_mode).reshape(*x.shape[:-1], -1)
    if not 0 < n_fft <= x.shape[-1]:
        wrong = f"expected 0 < n_fft <= {x.shape[-1]}, but got n_fft={n_fft}"
        raise RuntimeError(message(f"stft({describe(x)})", wrong))
    frames = x.unfold(-1, n_fft, hop) * window  # (..., T, n_fft)
    norm = "ortho" if normalized else "backward"
    spectrum = _rfft(frames, x.ndim, norm) if real else _fft(frames, (x.ndim,), norm)
    spectrum = spectrum.transpose(-1, -2)
    return view_as_real(spectrum.contiguous()) if return_complex is False else spectrum


def istft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: int | None = None,
    return_complex: bool = False,
) -> Tensor:
    """The signal of which `stft` gave the spectra: frames are added where they overlap, and divided by their windows."""
    x = need_tensor(input, "istft")
    if not x.is_complex() or x.ndim not in (2, 3) or not x.numel():
        wrong = "istft requires a complex-valued input tensor matching the output from stft with return_complex=True"
        raise RuntimeError(message(f"istft({describe(x)}, n_fft={n_fft})", wrong))
    onesided = x.shape[-2] != n_fft if onesided is None else onesided
    hop, window, _ = _framing("istft", x, n_fft, hop_length, win_length, window, onesided and None)
    if onesided and (return_complex or window.is_complex()):
        raise RuntimeError("istft: Cannot have onesided output if window or input is complex; write onesided=False")
    if x.shape[-2] != (n_fft // 2 + 1 if onesided else n_fft):
        wrong = f"expected the frequency dimension to match n_fft={n_fft}, but got {x.shape[-2]} frequencies"
        raise RuntimeError(message(f"istft({describe(x)})", wrong))
    norm, last = "ortho" if normalized else "backward", x.ndim - 1
    spectra = x.transpose(-1, -2)  # (..., T, frequencies)
    if return_complex:
        frames = _ifft(spectra, (last,), norm)
    else:
        frames = _irfft(_fit(spectra, (last,), (n_fft // 2 + 1,)), last, n_fft, norm)
    total = n_fft + hop * (x.shape[-1] - 1)
    windows = (window * window).expand(x.shape[-1], n_fft)
    signal = _deposit(frames * window, (*x.shape[:-2], total), _unfold, (x.ndim - 2, n_fft, hop))
    weight = _deposit(windows.contiguous(), (total,), _unfold, (0, n_fft, hop))
    start = n_fft // 2 if center else 0
    end = total - start if length is None else start + length
    signal, weight = signal[..., start:end], weight[start:end]
    if bool((weight.abs() < 1e-11).any().item()):
        raise RuntimeError(
            "istft: window overlap add min: 0; the frames must overlap where the window is 0, or write center=True"
        )
    signal = signal / weight
    return _fit(signal, (signal.ndim - 1,), (length,)) if length is not None else signal


def _framing(
    what: str, x: Tensor, n_fft: int, hop: int | None, length: int | None, window: Tensor | None, onesided: bool | None
) -> tuple[int, Tensor, bool]:
    """The step from frame to frame, the window as long as a frame, and whether half of a real spectrum is wanted."""
    hop = n_fft // 4 if hop is None else hop
    length = n_fft if length is None else length
    if hop <= 0:
        raise RuntimeError(f"{what}: expected hop_length > 0, but got hop_length={hop}")
    if not 0 < length <= n_fft:
        raise RuntimeError(f"{what}: expected 0 < win_length <= n_fft={n_fft}, but got win_length={length}")
    if window is not None and window.shape != (length,):
        wrong = f"expected a 1D window tensor of size equal to win_length={length}, but got window with size"
        raise RuntimeError(f"{what}: {wrong} {list(window.shape)}")
    if window is None:
        window = x.new_ones(length, dtype=x.dtype.to_real())
    left = (n_fft - length) // 2
    window = pad(window, [left, n_fft - length - left]) if length < n_fft else window
    real = not x.is_complex() and not window.is_complex()
    if onesided and not real:
        raise RuntimeError(f"{what}: Cannot have onesided output if window or input is complex; write onesided=False")
    return hop, window, real if onesided is None else onesided


METHODS = "istft stft"

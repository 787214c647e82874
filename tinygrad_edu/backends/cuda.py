"""Flags of a GPU: matrix products follow theirs, those of attention are noted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace

from .. import devices


class _Products:
    """The sums of float16's products are float32: the two flags of reductions are noted."""

    allow_fp16_reduced_precision_reduction = True
    allow_bf16_reduced_precision_reduction = True

    @property
    def allow_tf32(self) -> bool:
        """Whether float32 may be rounded to TF32, 10 bits of fraction, before it is multiplied."""
        return devices.products == "TF32"

    @allow_tf32.setter
    def allow_tf32(self, allowed: bool) -> None:
        devices.set_products("TF32" if allowed else "DEFAULT")

    @property
    def fp32_precision(self) -> str:
        """The same by a word: "tf32" or "ieee"."""
        return "tf32" if self.allow_tf32 else "ieee"

    @fp32_precision.setter
    def fp32_precision(self, word: str) -> None:
        if word not in ("tf32", "ieee", "none"):
            raise RuntimeError(f"fp32_precision: {word!r} is none of 'ieee', 'tf32', 'none'")
        self.allow_tf32 = word == "tf32"


matmul = _Products()
cufft_plan_cache = SimpleNamespace(size=0, max_size=0, clear=lambda: None)
_attention = {"flash": True, "mem_efficient": True, "math": True, "cudnn": True}


def is_built() -> bool:
    """Whether there is code for a GPU: all of it runs there, through CuPy."""
    return True


def enable_flash_sdp(enabled: bool) -> None:
    """Noted: attention has one implementation here."""
    _attention["flash"] = enabled


def enable_mem_efficient_sdp(enabled: bool) -> None:
    """Noted: attention has one implementation here."""
    _attention["mem_efficient"] = enabled


def enable_math_sdp(enabled: bool) -> None:
    """Noted: attention has one implementation here."""
    _attention["math"] = enabled


def enable_cudnn_sdp(enabled: bool) -> None:
    """Noted: attention has one implementation here."""
    _attention["cudnn"] = enabled


def flash_sdp_enabled() -> bool:
    """What the program has set."""
    return _attention["flash"]


def mem_efficient_sdp_enabled() -> bool:
    """What the program has set."""
    return _attention["mem_efficient"]


def math_sdp_enabled() -> bool:
    """What the program has set."""
    return _attention["math"]


def cudnn_sdp_enabled() -> bool:
    """What the program has set."""
    return _attention["cudnn"]


@contextlib.contextmanager
def sdp_kernel(
    enable_flash: bool = True, enable_math: bool = True, enable_mem_efficient: bool = True, enable_cudnn: bool = True
) -> Iterator[None]:
    """Other choices of attention inside a block."""
    before = dict(_attention)
    _attention.update(flash=enable_flash, math=enable_math, mem_efficient=enable_mem_efficient, cudnn=enable_cudnn)
    try:
        yield
    finally:
        _attention.update(before)

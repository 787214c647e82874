"""Flags of matrix products and attention on a GPU."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace

matmul = SimpleNamespace(
    allow_tf32=False,
    allow_fp16_reduced_precision_reduction=True,
    allow_bf16_reduced_precision_reduction=True,
    fp32_precision="none",
)
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

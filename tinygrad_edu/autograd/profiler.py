"""PyTorch's first profiler by its names; see `tinygrad_edu.profiler`."""

from __future__ import annotations

import contextlib
from typing import Any

from ..profiler import profile as _profile
from ..profiler import record_function


class profile(_profile):
    """`with profile(use_cuda=True) as p:`."""

    def __init__(self, enabled: bool = True, **further: Any) -> None:
        super().__init__()
        self.enabled = enabled

    def start(self) -> None:
        """Begin, unless it is off."""
        if self.enabled:
            super().start()

    def stop(self) -> None:
        """End."""
        if self.enabled:
            super().stop()


def emit_nvtx(enabled: bool = True, record_shapes: bool = False) -> Any:
    """Marks for NVIDIA's profilers: without an effect here."""
    return contextlib.nullcontext()


__all__ = ["emit_nvtx", "profile", "record_function"]

"""`torch.cuda.amp.autocast`."""

from __future__ import annotations

from typing import Any

from ... import amp
from ...amp import custom_bwd, custom_fwd


class autocast(amp.autocast):
    """`amp.autocast("cuda", ...)`."""

    def __init__(self, enabled: bool = True, dtype: Any = None, cache_enabled: bool = True) -> None:
        super().__init__("cuda", dtype, enabled, cache_enabled)


__all__ = ["autocast", "custom_bwd", "custom_fwd"]

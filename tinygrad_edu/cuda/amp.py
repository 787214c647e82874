"""The older names of mixed precision: `torch.cuda.amp.autocast()` is `torch.amp.autocast("cuda")`."""

from __future__ import annotations

import functools
from typing import Any

from .. import amp as _amp
from ..amp import custom_bwd, custom_fwd


class autocast(_amp.autocast):
    """`amp.autocast("cuda", ...)`."""

    def __init__(self, enabled: bool = True, dtype: Any = None, cache_enabled: bool = True) -> None:
        super().__init__("cuda", dtype, enabled, cache_enabled)


class GradScaler(_amp.GradScaler):
    """`amp.GradScaler("cuda", ...)`."""

    __init__ = functools.partialmethod(_amp.GradScaler.__init__, "cuda")  # type: ignore[assignment]


__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd"]

"""`torch.cuda.amp.GradScaler`."""

from __future__ import annotations

import functools

from ... import amp


class GradScaler(amp.GradScaler):
    """`amp.GradScaler("cuda", ...)`."""

    __init__ = functools.partialmethod(amp.GradScaler.__init__, "cuda")  # type: ignore[assignment]


__all__ = ["GradScaler"]

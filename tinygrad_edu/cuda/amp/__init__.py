"""The older names of mixed precision: `torch.cuda.amp.autocast()` is `torch.amp.autocast("cuda")`."""

from .autocast_mode import autocast, custom_bwd, custom_fwd
from .grad_scaler import GradScaler

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd"]

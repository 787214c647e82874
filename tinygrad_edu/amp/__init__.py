"""Mixed precision: matrix products in smaller dtypes on a GPU, and losses scaled so that their gradients do not vanish."""

from ..ops.misuse import explain_all as _explain_all
from .autocast_mode import (
    autocast,
    autocast_decorator,
    custom_bwd,
    custom_fwd,
    get_autocast_dtype,
    is_autocast_available,
    is_autocast_cache_enabled,
    is_autocast_enabled,
)
from .grad_scaler import GradScaler

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]

_explain_all(globals(), "scale unscale_ step update load_state_dict")

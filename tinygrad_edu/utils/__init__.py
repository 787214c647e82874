"""What surrounds training: data (`utils.data`), recomputation in place of memory (`utils.checkpoint`), sharing (`utils.dlpack`)."""

from . import checkpoint, data, dlpack, hooks

__all__ = ["checkpoint", "data", "dlpack", "hooks"]

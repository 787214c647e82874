"""What surrounds training: data (`utils.data`), and recomputation in place of memory (`utils.checkpoint`)."""

from . import checkpoint, data, hooks

__all__ = ["checkpoint", "data", "hooks"]

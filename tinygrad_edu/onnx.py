"""Export to ONNX, which is not done here."""

from __future__ import annotations

from typing import Any


def export(model: Any, args: Any = (), f: Any = None, **kwargs: Any) -> Any:
    """Not done here: the error says what to do instead."""
    raise NotImplementedError(
        "onnx.export: graphs are not exported here; save model.state_dict(), load it with PyTorch, and export there"
    )


def is_in_onnx_export() -> bool:
    """Whether a model is being exported: never."""
    return False


def is_onnxrt_backend_supported() -> bool:
    """Whether models run on ONNX's own engine: no."""
    return False


__all__ = ["export", "is_in_onnx_export", "is_onnxrt_backend_supported"]

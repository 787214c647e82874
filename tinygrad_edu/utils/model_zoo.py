"""The older name of downloads: `load_url` is `hub.load_state_dict_from_url`."""

from __future__ import annotations

from typing import Any


def load_url(url: str, *args: Any, **kwargs: Any) -> Any:
    """Download a state dict once, and load it."""
    from ..hub import load_state_dict_from_url

    return load_state_dict_from_url(url, *args, **kwargs)


__all__ = ["load_url"]

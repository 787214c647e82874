"""How much is tried: little in the ordinary run, much where the environment variable `RELIABILITY` is `full`."""

from __future__ import annotations

import os

FULL = os.environ.get("RELIABILITY") == "full"


def times(ordinary: int, full: int) -> int:
    """How often something is tried."""
    return full if FULL else ordinary

"""Complex numbers: parts, conjugates, and views as pairs of real numbers."""

from __future__ import annotations

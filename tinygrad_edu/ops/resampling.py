"""Resampling: windows unfolded and folded, interpolation, grids, pixel shuffles."""

from __future__ import annotations

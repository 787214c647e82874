"""Pooling: maxima, averages and norms over windows."""

from __future__ import annotations

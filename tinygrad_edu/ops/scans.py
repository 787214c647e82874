"""Scans: running sums, products and extremes along a dimension."""

from __future__ import annotations

"""Comparisons, logic and bits: results without a gradient."""

from __future__ import annotations

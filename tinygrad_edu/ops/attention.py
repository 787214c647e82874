"""Attention, fused, with its plain definition."""

from __future__ import annotations

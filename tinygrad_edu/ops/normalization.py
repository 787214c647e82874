"""Normalisation over batches, channels, groups and rows."""

from __future__ import annotations

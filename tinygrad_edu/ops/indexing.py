"""Indexing: reading and writing by positions, masks and index tensors."""

from __future__ import annotations

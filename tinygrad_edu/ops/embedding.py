"""Embedding and dropout with explicit masks."""

from __future__ import annotations

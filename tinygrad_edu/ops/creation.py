"""Creation: new tensors from sizes, numbers, lists and arrays."""

from __future__ import annotations

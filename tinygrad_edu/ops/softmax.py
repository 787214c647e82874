"""The softmax family, in stable forms."""

from __future__ import annotations

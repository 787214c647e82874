"""Single steps and whole sequences of recurrent layers."""

from __future__ import annotations

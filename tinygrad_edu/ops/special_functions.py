"""Special functions: error functions, gamma functions, Bessel functions and their kin."""

from __future__ import annotations

"""Linear algebra: factorisations, solutions, determinants, norms."""

from __future__ import annotations

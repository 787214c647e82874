"""Order: sorting, selection, ranks, histograms."""

from __future__ import annotations

"""`pytest -p tinygrad_edu.pytest_plugin`: a test suite that imports torch is run on this engine."""

from __future__ import annotations

from typing import Any

from . import compat, version

_installation = None


def pytest_load_initial_conftests(early_config: Any) -> None:
    """Before the first conftest.py is read."""
    global _installation
    _installation = compat.install_as_torch()


def pytest_report_header(config: Any) -> str:
    """A line at the head of the run."""
    return f"torch: tinygrad_edu {version.own}, answering as {version.__version__}"


def pytest_unconfigure(config: Any) -> None:
    """Give the name back."""
    if _installation is not None:
        _installation.__exit__()

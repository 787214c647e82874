"""`pytest --tinygrad`: a test suite that imports torch is run on this engine. Found by pytest where this is installed."""

from __future__ import annotations

from typing import Any


def pytest_addoption(parser: Any) -> None:
    """The flag."""
    text = "run on tinygrad_edu: it answers `import torch`"
    parser.getgroup("tinygrad_edu").addoption("--tinygrad", action="store_true", help=text)


def pytest_load_initial_conftests(early_config: Any) -> None:
    """Before the first conftest.py is read."""
    manager = early_config.pluginmanager
    if early_config.known_args_namespace.tinygrad and not manager.hasplugin("tinygrad_edu.pytest_plugin"):
        from . import pytest_plugin

        pytest_plugin.pytest_load_initial_conftests(early_config)
        manager.register(pytest_plugin, "tinygrad_edu.pytest_plugin")

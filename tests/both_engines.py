"""Scenarios: a piece of program run in both engines, which must tell the same of what it has seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import tinygrad_edu as tg


class Scenarios(dict):
    """Functions of an engine by their names; as a decorator it takes another one."""

    def __call__(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        self[function.__name__] = function
        return function

    def test(self) -> Callable:
        """The test that runs them all."""

        @pytest.mark.parametrize("name", self)
        def test_same_as_pytorch(name: str) -> None:
            torch = pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
            assert self[name](tg) == self[name](torch)

        return test_same_as_pytorch


def raised(call: Callable[[], Any]) -> str:
    """The type of the error that a call raises."""
    try:
        call()
    except Exception as error:
        return type(error).__name__
    return "nothing"


def numbers(value: Any) -> Any:
    """Tensors as lists of numbers, inside anything."""
    if isinstance(value, (tuple, list)):
        return [numbers(v) for v in value]
    if isinstance(value, dict):
        return {k: numbers(v) for k, v in value.items()}
    return [round(float(v), 9) for v in value.detach().flatten()] if hasattr(value, "detach") else value

"""The harness itself: what is wrong on purpose is found, by the check that is there for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch, the oracle of these tests, is not installed")

import tinygrad_edu as tg
from tinygrad_edu.tensor import wrap

from . import harness, translation
from .comparison import Different, same
from .harness import Conformance
from .translation import torch


def failed(monkeypatch: pytest.MonkeyPatch, name: str, function: Callable, *checks: str) -> list[str]:
    """Which checks find fault with `function` in place of ours."""
    monkeypatch.setattr(harness, "function_of", lambda op: function)
    return Conformance(name).run(checks or ("value", "gradient", "second", "errors")).failed


def fails(function: Callable, *args: Any, **options: Any) -> bool:
    try:
        function(*args, **options)
    except Different:
        return True
    return False


def test_right_functions_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    assert failed(monkeypatch, "square", lambda x: 1 * x * x, "value", "gradient", "second") == []
    assert failed(monkeypatch, "tanh", tg.tanh, "value", "gradient", "second") == []


def test_every_check_compares_numbers() -> None:
    report = Conformance("add").run()
    assert not report.missing
    for check in ("value", "gradient", "second", "forms"):
        result = report.results[check]
        assert result.samples > 10, check
        assert result.compared > 10 * result.samples, check


def test_wrong_values_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "value" in failed(monkeypatch, "square", lambda x: x * x + 1e-7)
    assert "value" in failed(monkeypatch, "square", lambda x: (x * x).sum())  # a wrong shape
    assert "value" in failed(monkeypatch, "square", lambda x: [x * x])  # a wrong structure
    assert "value" in failed(monkeypatch, "square", lambda x: wrap((x * x).array.astype(np.float64)))  # a wrong dtype


def test_wrong_gradients_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert failed(monkeypatch, "square", lambda x: 1 * x * x.detach()) == ["gradient", "second"]  # half of it
    assert failed(monkeypatch, "square", lambda x: (1 * x * x).detach()) == ["gradient", "second"]  # none
    assert failed(monkeypatch, "sum", lambda x, *a, **k: tg.sum(x, *a, **k) + 0 * x.detach().sum()) == []
    assert "gradient" in failed(
        monkeypatch, "sum", lambda x, *a, **k: 2 * tg.sum(x, *a, **k) - tg.sum(x.detach(), *a, **k)
    )


def test_wrong_second_gradients_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def tangent(x: Any) -> Any:
        """The square, by its tangent at x: value and slope are right, the curvature is not."""
        constant = x.detach()
        return 2 * constant * x - constant * constant

    assert failed(monkeypatch, "square", tangent, "gradient", "second") == ["second"]


def test_wrong_exceptions_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(error: type[Exception] | None) -> Callable:
        def index_select(*args: Any) -> Any:
            if error is not None:
                raise error("wrong")

        return index_select

    for error in (None, ValueError, AttributeError):
        assert failed(monkeypatch, "index_select", careless(error), "errors") == ["errors"]


def test_wrong_in_place_and_out_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Conformance("exp").run(("forms",)).failed == []
    with monkeypatch.context() as patch:
        patch.setattr(harness.Tensor, "exp_", lambda self: self.exp())  # writes nothing
        assert Conformance("exp").run(("forms",)).failed == ["forms"]
    with monkeypatch.context() as patch:
        patch.setattr(harness.Tensor, "exp_", lambda self: self.copy_(self.detach().exp()))  # loses the history
        assert Conformance("exp").run(("forms",)).failed == ["forms"]
    with monkeypatch.context() as patch:
        patch.delattr(harness.Tensor, "exp")
        assert Conformance("exp").run(("forms",)).failed == ["forms"]
    assert failed(monkeypatch, "exp", lambda x, out=None: tg.exp(x), "forms") == ["forms"]


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(tg, "tanh")
    report = Conformance("tanh").run()
    assert report.missing == "tanh"
    assert report.failed == ["missing"]


def test_comparison_of_numbers() -> None:
    nan, inf = float("nan"), float("inf")

    def differ(found: list, expected: list, d: type = np.float64) -> bool:
        a, b = np.array(found, d), torch.from_numpy(np.array(expected, d))
        return fails(same, wrap(a), b)

    assert not differ([1.0, nan, inf, -inf, 0.0], [1.0, nan, inf, -inf, 0.0])
    assert differ([1.0, nan], [1.0, 0.0])
    assert differ([1.0, 0.0], [1.0, nan])
    assert differ([inf], [-inf])
    assert differ([1e300], [inf])
    assert differ([1.0 + 1e-8], [1.0])
    assert not differ([1.0 + 1e-10], [1.0])
    assert differ([1.0 + 1e-3], [1.0], np.float32)
    assert not differ([1.0 + 1e-5], [1.0], np.float32)
    assert not differ([complex(inf, nan)], [complex(nan, -inf)], np.complex128)
    assert differ([1.0], [complex(nan, -inf)], np.complex128)
    assert differ([3], [4], np.int64)
    assert differ([True], [False], np.bool_)
    assert differ([1 + 1j], [1 - 1j], np.complex128)


def test_translation_keeps_strides_and_shares_nothing() -> None:
    x = torch.arange(12.0).reshape(3, 4).T[::2]
    y = translation.tensor(x)
    assert y.stride() == x.stride()
    assert y.array.tolist() == x.tolist()
    x.zero_()
    assert y.array.any()
    leaf = torch.zeros(2, requires_grad=True)
    memo: dict = {}
    a, (b, c) = translation.translated((leaf, [leaf, leaf.detach()]), memo)
    assert a is b is not c
    assert a.requires_grad and not c.requires_grad


def test_random_vectors_are_not_alike() -> None:
    v = harness.randn(np.random.default_rng(0), torch.zeros(50, dtype=torch.complex128))
    assert len(set(v.tolist())) == 50
    assert bool((v.imag != 0).all())

"""The lessons' figures: every line is there with its numbers and its name."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_edu as torch
from tinygrad_edu.learn import curves, spreads

pytest.importorskip("matplotlib", reason='needs pip install "tinygrad_edu[viz]"')


def test_curves() -> None:
    x = torch.linspace(-1, 1, 5, requires_grad=True)
    plot = curves(
        x, {"tanh": {"value": x.tanh(), "gradient": 1 - x.tanh() ** 2}, "square": {"value": [1, 0, 0, 0, 1]}}, "x"
    )
    assert [ax.get_title() for ax in plot.axes] == ["tanh", "square"]
    first, second = plot.axes
    assert [line.get_label() for line in first.lines] == ["value", "gradient"]
    assert np.array_equal(first.lines[0].get_ydata(), x.tanh().detach().numpy())
    assert first.get_legend() is not None and second.get_legend() is None
    assert first.lines[0].get_linestyle() != first.lines[1].get_linestyle()
    assert "tanh" in plot.svg()


def test_curves_in_logarithmic_measure() -> None:
    plot = curves([1, 2, 3], {"growth": {"a": [1, 10, 100]}}, logarithmic=True, points=True)
    assert plot.axes[0].get_yscale() == "log" and plot.axes[0].lines[0].get_marker() == "o"


def test_spreads_tell_the_share_of_all_numbers() -> None:
    numbers = torch.tensor([0.0, 0.0, 0.0, 1.0])
    plot = spreads({"before": {"x": numbers, "twice": 2 * numbers}}, limits=(-1, 3))
    heights = [patch.get_data().values for patch in plot.axes[0].patches]
    assert sorted(h for h in heights[0] if h) == [0.25, 0.75] and heights[1].sum() == 1

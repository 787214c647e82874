"""Data from formulas, and text as numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import datasets
from tinygrad_edu.datasets import Vocabulary, Windows
from tinygrad_edu.utils.data import DataLoader

TOYS = [datasets.moons, datasets.circles, datasets.spirals, datasets.blobs, datasets.pixel_lines, datasets.delivery]


@pytest.mark.parametrize("toy", TOYS)
def test_a_seed_gives_the_same_numbers(toy: Callable) -> None:
    (x, y), (again, _), (other, _) = toy(60, seed=1), toy(60, seed=1), toy(60, seed=2)
    assert tg.equal(x, again) and not tg.equal(x, other)
    assert len(x) == len(y) == 60 and x.dtype == tg.float32
    if y.ndim == 1:
        counts = np.bincount(y.numpy())
        assert y.dtype == tg.int64 and counts.min() == counts.max()


def test_moons_lie_on_two_half_circles() -> None:
    x, y = (t.numpy() for t in datasets.moons(200, noise=0))
    upper, lower = x[y == 0], x[y == 1]
    np.testing.assert_allclose(np.hypot(*upper.T), 1, rtol=1e-6)
    np.testing.assert_allclose(np.hypot(lower[:, 0] - 1, lower[:, 1] - 0.5), 1, rtol=1e-6)
    assert upper[:, 1].min() >= 0 and lower[:, 1].max() <= 0.5


def test_circles_and_spirals_have_their_radius() -> None:
    x, y = (t.numpy() for t in datasets.circles(100, noise=0, factor=0.3))
    np.testing.assert_allclose(np.hypot(*x.T), np.where(y == 0, 1, 0.3), rtol=1e-5)
    x, y = (t.numpy() for t in datasets.spirals(99, classes=3, turns=0.5, noise=0))
    radius = np.hypot(*x.T)
    turned = np.exp(-2j * np.pi * (0.5 * radius + y / 3)) * (x[:, 0] + 1j * x[:, 1])
    np.testing.assert_allclose(turned, radius, atol=1e-5)


def test_pixel_lines_are_lines() -> None:
    x, y = (t.numpy() for t in datasets.pixel_lines(300, noise=0))
    for drawing, kind in zip(x > 0, y, strict=True):
        rows, columns = drawing.any(1).sum(), drawing.any(0).sum()
        assert (rows == 1) == (kind == 0) and (columns == 1) == (kind == 1)
        assert max(rows, columns) >= 3
        if kind == 2:
            assert drawing.sum() == drawing.sum(1).max() + drawing.sum(0).max() - 1  # one of each, which meet
    assert x[x > 0].min() >= 0.6 and x.max() <= 1


def test_delivery_follows_its_formula() -> None:
    x, y = (t.double().numpy() for t in datasets.delivery(100, noise=0))
    assert x.shape[1] == len(datasets.DELIVERY_COLUMNS)
    np.testing.assert_allclose(y[:, 0], x[:, 2] + x[:, 0] * (2 + 4 * x[:, 1] ** 2) + 3, rtol=1e-6)


# --- text ----------------------------------------------------------------------------------------------------------------------


def test_vocabulary() -> None:
    words = Vocabulary("hello world")
    assert len(words) == 8 and words.encode("hold").tolist() == [3, 5, 4, 1]
    assert words.decode(words.encode("low hero")) == "low hero"
    with pytest.raises(ValueError, match=r"has no 'x'; it has ' dehlorw'"):
        words.encode("low x")


def test_windows() -> None:
    numbers = tg.arange(10)
    windows = Windows(numbers, 3)
    assert len(windows) == 7
    assert [[t.tolist() for t in windows[i]] for i in (0, 6)] == [[[0, 1, 2], [1, 2, 3]], [[6, 7, 8], [7, 8, 9]]]
    x, y = next(iter(DataLoader(windows, batch_size=7)))
    assert tg.equal(x, tg.stack([windows[i][0] for i in range(7)])) and tg.equal(y, x + 1)
    with pytest.raises(IndexError, match="7 is out of range for 7"):
        windows[7]
    with pytest.raises(ValueError, match="3 characters are too few for stretches of 3"):
        Windows(tg.arange(3), 3)


def test_texts_are_found_in_the_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TINYGRAD_EDU_DATA", str(tmp_path))
    with pytest.raises(RuntimeError, match="Dataset not found"):
        datasets.names()
    (tmp_path / "names.txt").write_text("emma\nolivia\n")
    (tmp_path / "tinyshakespeare.txt").write_text("First Citizen:\nSpeak.\n")
    assert datasets.names() == ["emma", "olivia"]
    assert datasets.tiny_shakespeare() == "First Citizen:\nSpeak.\n"

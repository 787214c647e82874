"""`import torchvision` in programs that run here."""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import compat
from tinygrad_edu.datasets import grids, transforms


@pytest.fixture
def torchvision(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The stand-in, whether or not the real one is installed."""
    monkeypatch.setattr("importlib.machinery.PathFinder.find_spec", lambda name, *args, **options: None)
    with compat.install_as_torch():
        import torchvision

        monkeypatch.undo()
        yield torchvision


def test_modules_are_the_very_same(torchvision: ModuleType) -> None:
    import torchvision.transforms as T
    import torchvision.transforms.functional as F
    from torchvision import datasets
    from torchvision.datasets import MNIST
    from torchvision.utils import make_grid

    assert datasets is tg.datasets and T is transforms and F is transforms.functional
    assert MNIST is tg.datasets.MNIST and make_grid is grids.make_grid
    assert T.__spec__.name == "tinygrad_edu.datasets.transforms"
    assert not any(name.startswith("tinygrad_edu.torchvision") for name in sys.modules)


@pytest.mark.parametrize(
    "statement",
    ["import torchvision.models", "from torchvision import models", "from torchvision.datasets import ImageFolder"],
)
def test_what_is_missing_is_named(statement: str, torchvision: ModuleType) -> None:
    with pytest.raises(ImportError, match=r"tinygrad_edu has no torchvision\..* here"):
        exec(statement)


def test_a_missing_transform_is_named(torchvision: ModuleType) -> None:
    with pytest.raises(AttributeError, match=r"no torchvision.transforms.AutoAugment.*transforms.Lambda"):
        _ = torchvision.transforms.AutoAugment


def test_the_name_goes_with_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.machinery.PathFinder.find_spec", lambda name, *args, **options: None)
    with compat.install_as_torch():
        importlib.import_module("torchvision.datasets")
    assert not any(name.partition(".")[0] == "torchvision" for name in sys.modules)
    with pytest.raises(ImportError):
        importlib.import_module("torchvision")


def test_a_real_torchvision_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text("from . import part\n")
    (tmp_path / "torchvision" / "part.py").write_text("real = True\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with compat.install_as_torch():
        import torchvision

        assert torchvision.part.real
        with pytest.raises(ModuleNotFoundError, match=r"torchvision\.more"):
            import torchvision.more
    for name in [name for name in sys.modules if name.startswith("torchvision")]:
        del sys.modules[name]


# --- pictures side by side -----------------------------------------------------------------------------------------------------


def test_make_grid() -> None:
    x = tg.rand(5, 1, 4, 6)
    grid = grids.make_grid(x, nrow=3, padding=1, pad_value=0.5)
    assert grid.shape == (3, 2 * 5 + 1, 3 * 7 + 1)
    for i in range(5):
        top, left = i // 3 * 5 + 1, i % 3 * 7 + 1
        for channel in range(3):
            assert tg.equal(grid[channel, top : top + 4, left : left + 6], x[i, 0])
    assert (grid[:, 6:, 15:] == 0.5).all() and (grid[:, 0] == 0.5).all()
    assert grids.make_grid(x[0]).shape == (3, 4, 6) and grids.make_grid(list(x), nrow=9).shape == (3, 8, 42)
    stretched = grids.make_grid(7 * x - 3, padding=0, normalize=True)
    assert stretched.min() == 0 and abs(stretched.max() - 1) < 1e-6
    each = grids.make_grid(x, nrow=5, padding=0, normalize=True, scale_each=True)
    assert all(abs(each[..., 6 * i : 6 * i + 6].max() - 1) < 1e-5 for i in range(5))


def test_save_image(tmp_path: Path) -> None:
    Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    x = tg.rand(4, 3, 5, 7)
    wanted = (grids.make_grid(x, nrow=2).numpy() * 255 + 0.5).astype(np.uint8).transpose(1, 2, 0)
    grids.save_image(x, tmp_path / "x.png", nrow=2)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "x.png")), wanted)
    grids.save_image(x, file := io.BytesIO(), nrow=2)
    np.testing.assert_array_equal(np.asarray(Image.open(file)), wanted)
    with pytest.raises(ValueError, match=r"writes PNG, not '.jpg'"):
        grids.save_image(x, tmp_path / "x.jpg")

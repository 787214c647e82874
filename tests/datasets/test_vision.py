"""Pictures: the embedded digits, and files in the formats of MNIST and CIFAR-10 that are written here."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu.datasets import CIFAR10, MNIST, Digits, FashionMNIST
from tinygrad_edu.datasets import transforms as T
from tinygrad_edu.utils.data import DataLoader, Subset

REAL = os.environ.get("TINYGRAD_EDU_DATA")


@pytest.fixture(autouse=True)
def data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty data folder."""
    monkeypatch.setenv("TINYGRAD_EDU_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def idx(values: np.ndarray) -> bytes:
    return bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">i4").tobytes() + values.tobytes()


def write_mnist(folder: Path, n: int = 20, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A small data set in MNIST's form: the test part packed, the other not."""
    rng = np.random.default_rng(seed)
    images, labels = rng.integers(0, 256, (n, 28, 28), np.uint8), rng.integers(0, 10, n, np.uint8)
    folder.mkdir(parents=True)
    for name, values in (("images-idx3", images), ("labels-idx1", labels)):
        (folder / f"train-{name}-ubyte").write_bytes(idx(values))
        (folder / f"t10k-{name}-ubyte.gz").write_bytes(gzip.compress(idx(values[::-1].copy())))
    return images, labels


# --- the embedded digits ---------------------------------------------------------------------------------------------------------


def test_the_digits_are_all_there() -> None:
    learn, test = Digits(), Digits(train=False)
    assert (len(learn), len(test)) == (1438, 359) and learn.data.shape == (1438, 8, 8)
    counts = np.bincount(np.concatenate([learn.targets.numpy(), test.targets.numpy()]))
    assert counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]  # as its authors tell
    assert test.data.max() == 255 and len(np.unique(test.data.numpy())) == 17
    assert "Number of datapoints: 359" in repr(test) and "Split: Test" in repr(test)
    assert test.class_to_idx["7"] == 7


def test_a_digit_looks_like_itself() -> None:
    image, target = Digits()[0]
    assert target == 0 and isinstance(image, np.ndarray) and image.shape == (8, 8)
    assert image[3:5, 3:5].mean() < 20 < 100 < image.mean(0)[2]  # a hole in the middle, ink beside it


# --- files in MNIST's form -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["root/MNIST/raw", "data/mnist", "data/MNIST/raw"])
def test_mnist_is_found_where_torchvision_and_others_put_it(place: str, tmp_path: Path) -> None:
    images, labels = write_mnist(tmp_path / place)
    learn, test = MNIST(tmp_path / "root", download=True), MNIST(str(tmp_path / "root"), train=False)
    np.testing.assert_array_equal(learn.data.numpy(), images)
    np.testing.assert_array_equal(test.targets.numpy(), labels[::-1])
    assert learn.targets.dtype == tg.int64 and learn.classes[3] == "3 - three"
    with pytest.raises(RuntimeError, match="Dataset not found"):
        FashionMNIST(tmp_path / "root")  # files of the same names, but not these


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "no idx file"),
        (b"<html>not found</html>", "no idx file"),
        (gzip.compress(idx(np.zeros((20, 28, 28), np.uint8)))[:-20], "damaged"),
        (idx(np.zeros((20, 28, 28), np.uint8))[:-1], "15679 values and promises"),
        (idx(np.zeros((19, 28, 28), np.uint8)), "does not go with 20 labels"),
    ],
    ids=["empty", "a page", "cut archive", "cut file", "too few images"],  # archives hold the time
)
def test_a_bad_file_is_named(content: bytes, complaint: str, data: Path) -> None:
    write_mnist(data / "mnist")
    (data / "mnist" / "train-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(RuntimeError, match=f"train-images-idx3-ubyte.*{complaint}|{complaint}"):
        MNIST()


@pytest.mark.parametrize("packed", [True, False])
def test_cifar_is_read_from_the_archive_or_its_folder(packed: bool, data: Path) -> None:
    rng = np.random.default_rng(0)
    records = {f"data_batch_{i}.bin": rng.integers(0, 10, (4, 3073), np.uint8) for i in range(1, 6)}
    records["test_batch.bin"] = rng.integers(0, 10, (3, 3073), np.uint8)
    data.mkdir()
    if packed:
        with tarfile.open(data / "cifar-10-binary.tar.gz", "w:gz") as tar:
            for name, values in records.items():
                info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
                info.size = values.size
                tar.addfile(info, io.BytesIO(values.tobytes()))
    else:
        (data / "cifar-10-batches-bin").mkdir()
        for name, values in records.items():
            (data / "cifar-10-batches-bin" / name).write_bytes(values.tobytes())
    learn, test = CIFAR10(), CIFAR10(train=False)
    assert learn.data.shape == (20, 32, 32, 3) and test.data.shape == (3, 32, 32, 3)
    second = records["data_batch_2.bin"][1]
    assert learn.targets[5] == second[0]
    assert learn.data[5, 7, 9].tolist() == [second[1 + c * 1024 + 7 * 32 + 9] for c in range(3)]


def test_a_damaged_archive_is_named(data: Path) -> None:
    data.mkdir()
    (data / "cifar-10-binary.tar.gz").write_bytes(gzip.compress(b"x" * 5000))
    with pytest.raises(RuntimeError, match=r"cifar-10-binary.tar.gz is damaged"):
        CIFAR10()


def test_the_real_mnist(monkeypatch: pytest.MonkeyPatch) -> None:
    if not REAL:
        pytest.skip("TINYGRAD_EDU_DATA names no folder with the real MNIST")
    monkeypatch.setenv("TINYGRAD_EDU_DATA", REAL)
    test = MNIST(train=False)
    assert len(test) == 10_000 and test.targets[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]


# --- whole batches ---------------------------------------------------------------------------------------------------------------

NORMAL = T.Compose([T.ToTensor(), T.Normalize((0.13,), (0.31,))])


class Slow(T.Compose):
    """The same transforms, one sample after the other."""


@pytest.mark.parametrize("transform", [T.ToTensor(), T.PILToTensor(), NORMAL])
def test_a_batch_is_what_its_samples_are(transform: T.Compose) -> None:
    fast, slow = Digits(transform=transform), Digits(transform=Slow([transform]))
    assert fast.gives_batches and not slow.gives_batches
    for a, b in zip(DataLoader(fast, batch_size=1000), DataLoader(slow, batch_size=1000), strict=True):
        assert a[0].dtype == b[0].dtype and a[1].dtype == b[1].dtype == tg.int64
        np.testing.assert_array_equal(a[0].numpy(), b[0].numpy())
        np.testing.assert_array_equal(a[1].numpy(), b[1].numpy())


def test_a_batch_of_colours(data: Path) -> None:
    data.joinpath("cifar-10-batches-bin").mkdir(parents=True)
    records = np.random.default_rng(0).integers(0, 10, (6, 3073), np.uint8)
    (data / "cifar-10-batches-bin" / "test_batch.bin").write_bytes(records.tobytes())
    transform = T.Compose([T.ToTensor(), T.Normalize((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))])
    fast, slow = CIFAR10(train=False, transform=transform), CIFAR10(train=False, transform=Slow([transform]))
    a, b = (next(iter(DataLoader(d, batch_size=6))) for d in (fast, slow))
    np.testing.assert_array_equal(a[0].numpy(), b[0].numpy())
    assert a[0].shape == (6, 3, 32, 32) and a[1].tolist() == b[1].tolist()


def test_what_treats_samples_differently_is_asked_for_each() -> None:
    calls = []

    class Mine(Digits):
        def __getitem__(self, index: int) -> tuple:
            calls.append(index)
            return super().__getitem__(index)

    for dataset in (
        Digits(transform=T.Compose([T.RandomCrop(8, padding=1), T.ToTensor()])),
        Digits(transform=T.Compose([T.ToTensor(), T.Lambda(lambda x: x)])),
        Digits(transform=T.ToTensor(), target_transform=lambda y: y + 1),
    ):
        assert not dataset.gives_batches
    images, _ = next(iter(DataLoader(Mine(transform=T.ToTensor()), batch_size=5)))
    assert images.shape == (5, 1, 8, 8) and calls == [0, 1, 2, 3, 4]


def test_targets_are_transformed() -> None:
    _, targets = next(iter(DataLoader(Digits(transform=T.ToTensor(), target_transform=lambda y: 10 * y), batch_size=4)))
    assert targets.tolist() == [10 * y for y in Digits().targets[:4].tolist()]


def test_a_part_of_the_digits_gives_batches_too() -> None:
    part = Subset(Digits(transform=NORMAL), [5, 3, 8])
    images, targets = next(iter(DataLoader(part, batch_size=3)))
    np.testing.assert_array_equal(images[1].numpy(), Digits(transform=NORMAL)[3][0].numpy())
    assert targets.tolist() == Digits().targets[[5, 3, 8]].tolist()

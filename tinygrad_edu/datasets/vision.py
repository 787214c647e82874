"""Pictures with a class each: MNIST, Fashion-MNIST, CIFAR-10, and the embedded digits.

Signatures are torchvision's. A picture is a NumPy array of grey values or colours from 0 to 255, (H, W) or (H, W, 3),
until a transform makes something else of it. Whole batches are made at once where the transform treats all alike.
"""

from __future__ import annotations

import gzip
import lzma
import math
import os
import tarfile
import zlib
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from ..ops import as_tensor
from ..tensor import Tensor
from ..utils.data import Dataset
from .files import DataError, File, fetch
from .transforms import whole_batches

Transform = Callable[[Any], Any]
Root = str | os.PathLike | None
LARGEST = 2**30  # bytes of one file once unpacked
UNREADABLE = (OSError, EOFError, KeyError, ValueError, OverflowError, RecursionError, zlib.error, lzma.LZMAError)


class Images(Dataset[tuple[Any, Any]]):
    """Pictures in one array, and the number of each one's class."""

    classes: list[str]

    def __init__(
        self, data: Any, targets: Any, transform: Transform | None = None, target_transform: Transform | None = None
    ) -> None:
        self.data, self.targets = data, targets
        self.transform, self.target_transform = transform, target_transform

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The number of each class."""
        return {name: number for number, name in enumerate(self.classes)}

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image, target = np.asarray(self.data[index]), int(self.targets[index])
        if self.transform is not None:
            image = self.transform(image)
        return image, target if self.target_transform is None else self.target_transform(target)

    @property
    def gives_batches(self) -> bool:
        """Whether `gather` gives what single samples would, put together."""
        plain = type(self).__getitem__ is Images.__getitem__ and self.target_transform is None
        return plain and whole_batches(self.transform) is not None

    def gather(self, indices: Any) -> list[Tensor]:
        """The samples with these indices as one batch of pictures and one of class numbers."""
        transform: Any = whole_batches(self.transform)
        images = np.asarray(self.data).take(indices, 0)
        return [as_tensor(transform(images)), as_tensor(np.asarray(self.targets).take(indices, 0))]

    def __repr__(self) -> str:
        lines = [f"Dataset {type(self).__name__}", f"    Number of datapoints: {len(self)}"]
        lines += [f"    {line}" for line in self.extra_repr().splitlines()]
        if self.transform is not None:
            lines += f"    Transform: {self.transform!r}".splitlines()
        return "\n".join(lines)

    def extra_repr(self) -> str:
        """What else there is to say."""
        return f"Split: {'Train' if self.train else 'Test'}" if hasattr(self, "train") else ""


class MNIST(Images):
    """70,000 handwritten digits, 28 by 28, grey: 60,000 to learn from, 10,000 to test."""

    mirrors = (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    )
    resources = (
        ("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        ("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
        ("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
        ("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
    )
    folders = ("MNIST/raw", "mnist")
    classes = "0 - zero,1 - one,2 - two,3 - three,4 - four,5 - five,6 - six,7 - seven,8 - eight,9 - nine".split(",")

    def __init__(
        self,
        root: Root = None,
        train: bool = True,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
    ) -> None:
        self.root, self.train = root, train
        paths = []
        for name, md5 in self.resources[:2] if train else self.resources[2:]:
            file = File(name, f"md5:{md5}", tuple(mirror + name for mirror in self.mirrors))
            paths.append(fetch(file, root, self.folders, download))
        images, labels = map(read_idx, paths)
        if labels.ndim != 1 or images.shape != (len(labels), 28, 28):
            raise DataError(
                f"{paths[0]} holds {images.shape}, which does not go with {labels.size} labels of {labels.ndim} dimensions"
            )
        _check_classes(labels, self.classes, paths[1])
        super().__init__(as_tensor(images), as_tensor(labels.astype(np.int64)), transform, target_transform)


class FashionMNIST(MNIST):
    """70,000 pictures of clothes, in the form of MNIST."""

    mirrors = (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    )
    resources = (
        ("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        ("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
        ("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
        ("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"),
    )
    folders = ("FashionMNIST/raw", "fashion-mnist")
    classes = "T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot".split(",")


class CIFAR10(Images):
    """60,000 colour pictures, 32 by 32, of ten kinds of things: 50,000 to learn from, 10,000 to test.

    They are read from the binary version's archive, or from the folder `cifar-10-batches-bin`; nothing is unpickled.
    """

    file = File(
        "cifar-10-binary.tar.gz",
        "md5:c32a1d4ab5d03f1284b67883e8d87530",
        ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
    )
    inside = "cifar-10-batches-bin"
    record = 1 + 3 * 32 * 32  # the class, then red, green and blue
    classes = "airplane automobile bird cat deer dog frog horse ship truck".split()

    def __init__(
        self,
        root: Root = None,
        train: bool = True,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
    ) -> None:
        self.root, self.train = root, train
        names = [f"data_batch_{i}.bin" for i in range(1, 6)] if train else ["test_batch.bin"]
        content = b"".join(self._contents(names, root, download))
        if not content or len(content) % self.record:
            raise DataError(f"CIFAR-10: {', '.join(names)}: {len(content)} bytes are no records of {self.record}")
        records = np.frombuffer(content, np.uint8).reshape(-1, self.record)
        _check_classes(records[:, 0], self.classes, ", ".join(names))
        images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        super().__init__(np.ascontiguousarray(images), records[:, 0].tolist(), transform, target_transform)

    def _contents(self, names: list[str], root: Root, download: bool) -> list[bytes]:
        """What is in files of the unpacked folder, or of the archive."""
        try:
            paths = [fetch(File(name, "", ()), root, (self.inside,), download=False) for name in names]
        except DataError:
            return _members(fetch(self.file, root, ("",), download), [f"{self.inside}/{name}" for name in names])
        return [path.read_bytes() for path in paths]


class Digits(Images):
    """1,797 handwritten digits, 8 by 8, grey, within the package: every fifth to test, the others to learn from."""

    classes = "0 1 2 3 4 5 6 7 8 9".split()

    def __init__(
        self, train: bool = True, transform: Transform | None = None, target_transform: Transform | None = None
    ) -> None:
        self.train = train
        packed = resources.files(__package__).joinpath("embedded", "digits.csv.gz").read_bytes()
        lines = gzip.decompress(packed).decode().split()
        table = np.array([line.split(",") for line in lines], np.float64)
        table = table[(np.arange(len(table)) % 5 == 4) != train]
        grey = np.rint(table[:, :-1] * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8)  # they were 0 to 16
        super().__init__(as_tensor(grey), as_tensor(table[:, -1].astype(np.int64)), transform, target_transform)


def _check_classes(labels: np.ndarray, classes: list[str], where: object) -> None:
    """Raise for the number of a class that there is not."""
    if labels.size and labels.max() >= len(classes):
        raise DataError(f"{where}: the class {labels.max()} of record {labels.argmax()} is not among {len(classes)}")


def read_idx(path: Path) -> np.ndarray:
    """The bytes of a file in MNIST's format (a magic number, the lengths, the values), packed by gzip or not."""
    with open(path, "rb") as plain:
        packed = plain.read(2) == b"\x1f\x8b"
    try:
        with (gzip.open if packed else open)(path, "rb") as file:
            head = file.read(4)
            lengths = file.read(4 * head[3]) if head[:3] == b"\0\0\x08" and len(head) == 4 else b""
            shape = tuple(int(n) for n in np.frombuffer(lengths[: len(lengths) // 4 * 4], ">u4"))
            if not 0 < len(shape) == head[3] <= 8:
                raise DataError(f"{path} is no idx file of bytes; remove it and write download=True")
            promised = math.prod(shape)
            # one more than was promised, to see whether there are more: a few packed bytes can hold gigabytes
            values = _at_most(file, min(promised, LARGEST) + 1)
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(f"{path} is damaged ({error}); remove it and write download=True") from None
    if len(values) != promised:
        has = f"has {len(values)} values" if len(values) < promised else "has more values"
        raise DataError(f"{path} {has} and promises {list(shape)}; remove it and write download=True")
    return np.frombuffer(values, np.uint8).reshape(shape).copy()


def _at_most(file: Any, count: int) -> bytes:
    """The next bytes of a file; memory is taken for what there is, not for what was asked."""
    parts, left = [], count
    while left and (part := file.read(min(left, 2**20))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _members(archive: Path, names: list[str]) -> list[bytes]:
    """Files of a tar archive, read in one pass."""
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(
            archive, "r:*"
        ) as tar:  # never "r|*", which goes on and on behind the end for a size of exabytes
            for member in tar:
                if member.name in names:
                    if not member.isreg() or member.size > LARGEST:
                        raise tarfile.TarError(f"{member.name} is no file of at most {LARGEST} bytes")
                    found[member.name] = tar.extractfile(member).read()  # type: ignore[union-attr]
        return [found[name] for name in names]
    except (tarfile.TarError, *UNREADABLE) as error:
        raise DataError(f"{archive} is damaged ({error}); remove it and write download=True") from None


__all__ = ["CIFAR10", "MNIST", "Digits", "FashionMNIST", "Images"]

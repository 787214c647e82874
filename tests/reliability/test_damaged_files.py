"""Damaged files of every kind that is loaded end in a clear error, or in what they still say: no crash, hang or flood of
memory. `RELIABILITY=full` damages 100,000 of them; `python tests/reliability/loading.py NUMBER 1` shows one again."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import damage
import numpy as np
import pytest
from amount import times

import tinygrad_edu as tg
from tinygrad_edu.datasets import MNIST
from tinygrad_edu.datasets.files import DataError

KINDS = ("pt", "old", "safetensors", "mnist", "cifar", "archive")
LOADING = Path(__file__).with_name("loading.py")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limit of memory is Linux's")
@pytest.mark.parametrize("kind", KINDS)
def test_each_ends_in_an_error_or_in_loading(kind: str) -> None:
    if kind == "safetensors":
        pytest.importorskip("safetensors")
    count = times(250, 17_000)
    command = [sys.executable, str(LOADING), "0", str(count), kind]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    child = subprocess.run(command, capture_output=True, text=True, timeout=times(120, 3600), env=environment)
    assert child.returncode == 0, f"died at case {child.stderr[-500:]}"
    report = json.loads(child.stdout)
    assert not report["wrong"], "\n".join(f"case {n}: {text}" for n, text in report["wrong"].items())
    ended = report["ended"][kind]
    assert sum(ended.values()) == count and "bomb" not in ended, ended
    assert ended["loaded"] and len(ended) > 1, "damage that always or never matters proves little"
    assert report["grown"] < 160 * 2**20


# --- what is worth a name ----------------------------------------------------------------------------------------------------


def archive_of(objects: bytes) -> io.BytesIO:
    """A file whose objects are these steps."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", objects)
        archive.writestr("archive/version", b"3\n")
    return io.BytesIO(file.getvalue())


BOTTOMLESS = {"deep": b"N" + b"\x85" * 100_000, "doubled": b"N" + b"2\x86" * 60}


@pytest.mark.parametrize("tuple_", BOTTOMLESS.values(), ids=BOTTOMLESS)
@pytest.mark.parametrize(
    "use",
    [b"}%sNs.", b"}(%sNu.", b"(%sNd.", b"\x8f(%s\x90.", b"(%s\x91.", b"cbuiltins\nset\n(](%setR.", b"%sQ.", b"%s)R."],
    ids=repr,
)
def test_a_tuple_without_a_bottom_is_no_key_and_is_not_shown(use: bytes, tuple_: bytes) -> None:
    """Python's hash of the first ends the process, its hash of the second and its repr never end."""
    with pytest.raises(pickle.UnpicklingError):
        tg.load(archive_of(b"\x80\x04" + use % tuple_))


def test_honest_keys_are_keys() -> None:
    value = {(1, ("a", 2.0)): {"x", ("y", 1)}, "deep": [(((((),),),),)], (): frozenset([()])}
    file = io.BytesIO()
    tg.save(value, file)
    file.seek(0)
    assert tg.load(file) == value


def test_files_of_old_with_something_else_inside() -> None:
    start = [pickle.dumps(each, 2) for each in (0x1950A86A20F9469CFC6C, 1001)]
    for machine in (7, [], None):
        with pytest.raises(RuntimeError, match="big-endian"):
            tg.load(io.BytesIO(b"".join([*start, pickle.dumps(machine, 2)])))
    assert tg.load(io.BytesIO(damage.of_old()))["w"].tolist() == [[0, 1, 2], [3, 4, 5]]
    whole = damage.of_old().replace(pickle.dumps(["0"], 2), pickle.dumps([[]], 2))
    with pytest.raises(RuntimeError, match=r"memory \(\) that none"):
        tg.load(io.BytesIO(whole))


def mnist(folder: Path, images: bytes) -> MNIST:
    (folder / "MNIST" / "raw").mkdir(parents=True)
    (folder / "MNIST/raw/t10k-images-idx3-ubyte").write_bytes(images)
    (folder / "MNIST/raw/t10k-labels-idx1-ubyte").write_bytes(damage.idx(np.arange(4, dtype=np.uint8)))
    return MNIST(folder, train=False)


def test_a_small_packed_file_that_holds_gigabytes(tmp_path: Path) -> None:
    """It is unpacked as far as its first bytes promise."""
    header = bytes([0, 0, 8, 3]) + struct.pack(">3I", 4, 28, 28)
    with pytest.raises(DataError, match="more values"):
        mnist(tmp_path, gzip.compress(header + bytes(50_000_000), 1))


@pytest.mark.parametrize("lengths", [(2**31, 2**31, 4), (2**32 - 1, 2**32 - 28, 28), (4, 28), (), (1,) * 70])
def test_lengths_that_cannot_be(lengths: tuple[int, ...], tmp_path: Path) -> None:
    with pytest.raises(DataError):
        mnist(
            tmp_path, bytes([0, 0, 8, len(lengths)]) + struct.pack(f">{len(lengths)}I", *lengths) + bytes(28 * 28 * 4)
        )


def test_classes_that_are_not(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-batches-bin").mkdir()
    (tmp_path / "cifar-10-batches-bin" / "test_batch.bin").write_bytes(bytes(3073) + b"\x0a" + bytes(3072))
    with pytest.raises(DataError, match="class 10 of record 1 is not among 10"):
        tg.datasets.CIFAR10(tmp_path, train=False)


def test_tables_of_types_without_a_name(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    header = json.dumps({"a": {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [0, 2]}}).encode()
    (tmp_path / "a.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"12")
    with pytest.raises(RuntimeError, match="no dtype here"):
        tg.load(tmp_path / "a.safetensors")


def test_an_archive_that_claims_exabytes(tmp_path: Path) -> None:
    data = bytearray(gzip.decompress(damage.packed()))
    data[124:136] = b"\x80" + (2**60).to_bytes(11, "big")  # the size of its first member, which is not asked for
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(gzip.compress(bytes(data)))
    with pytest.raises(DataError, match="is damaged"):
        tg.datasets.CIFAR10(tmp_path, train=False)

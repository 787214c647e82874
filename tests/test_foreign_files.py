"""Files that `save` has not written, or not in the usual way: what is said of them, what they may cost, what they give."""

from __future__ import annotations

import copy
import gzip
import io
import os
import pickle
import struct
import tarfile
import tracemalloc
import zipfile

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu.serialization import load, save


def tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("x"))
    return file.getvalue()


def npy() -> bytes:
    file = io.BytesIO()
    np.save(file, np.ones(3))
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "PNG"),
        (b"<!DOCTYPE html>", "download"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b'{"a": 1}', "text, which begins with"),
        (struct.pack("<Q", 10) + b'{"a": {}} ', "load_file"),
        (gzip.compress(b"1"), "gzip.open"),
        (b"\x00\x01\x02", "the bytes"),
        (tar(), "tar archive"),
        (npy(), "NumPy"),
        (pickle.dumps({"a": 1}), "Invalid magic number"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("careful", [True, False])
def test_what_a_file_is_instead(content: bytes, said: str, careful: bool) -> None:
    with pytest.raises(pickle.UnpicklingError, match=said):
        load(io.BytesIO(content), weights_only=careful)


def test_an_open_file_must_give_bytes(tmp_path) -> None:
    (tmp_path / "a").write_text("a")
    with open(tmp_path / "a") as file, pytest.raises(TypeError, match="'rb'"):
        load(file)


def test_a_file_that_only_writes() -> None:
    compressed = io.BytesIO()
    with gzip.open(compressed, "wb") as file:
        save({"x": tg.arange(5), "y": tg.ones(2)}, file)
    compressed.seek(0)
    with gzip.open(compressed, "rb") as file:
        back = load(file)
    assert back["x"].tolist() == [0, 1, 2, 3, 4] and back["y"].tolist() == [1, 1]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a folder that this user may not write to")
def test_a_folder_that_cannot_be_written_to(tmp_path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match="beside the old"):
        save(1, tmp_path / "a.pt")


# --- what a file may cost ---------------------------------------------------------------------------------------------


def tensors_on_one_place(count: int, size: int) -> io.BytesIO:
    """A file whose central directory gives one piece of memory many names."""
    storage = "(S'storage'\nctorch\nByteStorage\nS'{}'\nS'cpu'\nI{}\ntQ"
    rest = "I0\n(I{}\nt(I1\ntI00\nccollections\nOrderedDict\n)RtRa"
    one = "ctorch._utils\n_rebuild_tensor_v2\n(" + storage + rest
    objects = "(l" + "".join(one.format(i, size, size) for i in range(count)) + "."
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as z:
        z.writestr("archive/data.pkl", objects)
        z.writestr("archive/data/0", bytes(size))
        for i in range(1, count):
            twin = copy.copy(z.getinfo("archive/data/0"))
            twin.filename = f"archive/data/{i}"
            z.filelist.append(twin)
    file.seek(0)
    return file


def test_memory_that_is_told_many_times() -> None:
    assert load(tensors_on_one_place(1, 1000))[0].shape == (1000,)
    tracemalloc.start()
    with pytest.raises(RuntimeError, match="lie upon each other"):
        load(tensors_on_one_place(100, 10**6))
    assert tracemalloc.get_traced_memory()[1] < 10**7
    tracemalloc.stop()


@pytest.mark.parametrize("function", ["builtins\nbytearray", "builtins\nset", "collections\nCounter"])
def test_one_thing_that_is_copied_many_times(function: str) -> None:
    item = b"B" + struct.pack("<I", 10**6) + bytes(10**6)
    if "bytearray" not in function:
        item = b"(l" + b"".join(b"J" + struct.pack("<i", i) + b"a" for i in range(20_000))
    objects = f"c{function}\nq\x00(l".encode() + b"h\x00" + item + b"q\x01\x85Ra" + b"h\x00h\x01\x85Ra" * 100 + b"."
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as z:
        z.writestr("archive/data.pkl", objects)
    file.seek(0)
    with pytest.raises(pickle.UnpicklingError, match="more memory than the file has bytes"):
        load(file)


def test_honest_copies_are_no_attack() -> None:
    objects = [{"numbers": set(range(1000)), "bytes": bytearray(b"\xff" * 1000), "i": i} for i in range(20)]
    for protocol in 2, 4:
        file = io.BytesIO()
        save(objects, file, pickle_protocol=protocol)
        file.seek(0)
        assert load(file) == objects


# --- what else PyTorch writes -----------------------------------------------------------------------------------------


def through(obj):
    file = io.BytesIO()
    save(obj, file)
    file.seek(0)
    return load(file)


def test_sparse_tensors() -> None:
    x = tg.sparse_coo_tensor([[0, 2, 2], [1, 0, 0]], [1.0, 2.0, 3.0], (3, 4))
    back = through({"x": x, "y": x.coalesce()})
    assert back["x"].is_sparse and not back["x"].is_coalesced() and back["y"].is_coalesced()
    assert back["x"].shape == (3, 4) and back["x"].to_dense().tolist() == x.to_dense().tolist()
    assert through(x.layout) is x.layout


def test_a_dtype_that_can_only_be_named() -> None:
    assert through({"dtype": tg.bfloat16})["dtype"] is tg.bfloat16


def by_torch(obj, torch):
    file = io.BytesIO()
    torch.save(obj, file)
    file.seek(0)
    return load(file)


def test_against_pytorch() -> None:
    torch = pytest.importorskip("torch", reason="reads what PyTorch writes")
    z = torch.tensor([1 + 2j, 3 - 4j])
    assert by_torch(z.conj(), torch).tolist() == [1 - 2j, 3 + 4j]
    assert by_torch(z.conj().imag, torch).tolist() == [-2.0, 4.0]  # the memory has 2, -4 and a note
    s = torch.eye(3).to_sparse()
    assert by_torch(s, torch).to_dense().tolist() == s.to_dense().tolist()
    file = io.BytesIO()
    save(tg.eye(3).to_sparse(), file)
    file.seek(0)
    assert torch.load(file).to_dense().tolist() == s.to_dense().tolist()
    assert by_torch(torch.bfloat16, torch) is tg.bfloat16
    with pytest.raises(pickle.UnpicklingError, match=r"float8.*x\.float\(\)"):
        by_torch(torch.ones(2).to(torch.float8_e5m2), torch)


@pytest.mark.parametrize("parts", [b"N", b"()", b"(I1\nI2\nI3\nt"])
def test_a_sparse_tensor_of_anything_else(parts: bytes) -> None:
    objects = b"ctorch._utils\n_rebuild_sparse_tensor\n(ctorch.serialization\n_get_layout\n(S'torch.sparse_coo'\ntR"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as z:
        z.writestr("archive/data.pkl", objects + parts + b"tR.")
    file.seek(0)
    with pytest.raises(pickle.UnpicklingError):
        load(file)

"""Files: what is saved comes back, and what PyTorch wrote is read and the reverse."""

from __future__ import annotations

import io
import os
import pickle
import signal
import struct
import subprocess
import sys
import tracemalloc
from collections import Counter, OrderedDict

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import serialization
from tinygrad_edu.nn.parameter import Parameter
from tinygrad_edu.serialization import load, save

DTYPES = [tg.bool, tg.uint8, tg.int8, tg.int16, tg.int32, tg.int64, tg.float16, tg.float32, tg.float64, tg.complex64]
DTYPES += [tg.complex128, tg.uint16, tg.uint32, tg.uint64]


def through(obj, **options):
    """The object after saving and loading."""
    file = io.BytesIO()
    save(obj, file)
    file.seek(0)
    return load(file, **options)


def equal(a, b) -> bool:
    """Whether two tensors have the same type, shape and values."""
    return str(a.dtype) == str(b.dtype) and np.array_equal(a.detach().numpy(), b.detach().numpy())


def everything(module, parameter):
    """One of each kind of object, of an engine."""
    x = module.arange(12).reshape(3, 4) / 7
    return {
        "x": x,
        "row": x[1:2],
        "turned": x.t(),
        "wide": x[:1].expand(5, 4),
        "number": module.tensor(3),
        "empty": module.zeros(0, 3),
        "parameter": parameter(x.clone()),
        "frozen": parameter(x.clone(), requires_grad=False),
        "leaf": x.clone().requires_grad_(),
        "dtype": module.float16,
        "size": module.Size([1, 2]),
        "device": module.device("cpu"),
        "plain": [1, -(2**40), 2.5, "text", b"\x00\xff", None, True, 1 + 2j, {1, 2}, (1, (2,)), bytearray(b"ab")],
        "ordered": OrderedDict(b=module.ones(2), a=Counter("aab")),
    }


def check(ours, expected) -> None:
    for name, value in expected.items():
        if hasattr(value, "detach"):
            assert equal(ours[name], value) and ours[name].requires_grad == value.requires_grad, name
    assert type(ours["parameter"]).__name__ == "Parameter" and type(ours["x"]).__name__ == "Tensor"
    assert ours["plain"] == expected["plain"] and ours["size"] == expected["size"]
    assert str(ours["dtype"]) == "torch.float16" and str(ours["device"]) == "cpu"
    assert list(ours["ordered"]) == ["b", "a"] and ours["ordered"]["a"] == Counter("aab")
    ours["x"][:] = 0
    for name in "row", "turned", "wide":  # memory that was shared still is
        assert not ours[name].numpy().any()


# --- there and back ---------------------------------------------------------------------------------------------------


def test_everything_comes_back() -> None:
    check(through(everything(tg, Parameter)), everything(tg, Parameter))
    check(through(everything(tg, Parameter), weights_only=False), everything(tg, Parameter))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_dtypes(dtype) -> None:
    x = tg.tensor([[0, 1, 2], [3, 4, 5]]).to(dtype)
    assert equal(through(x), x)
    assert equal(through(x.t()), x.t())


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_protocols(protocol) -> None:
    file = io.BytesIO()
    save({"x": tg.arange(3), "s": "é"}, file, pickle_protocol=protocol)
    file.seek(0)
    back = load(file)
    assert back["x"].tolist() == [0, 1, 2] and back["s"] == "é"


def test_only_what_is_shown_is_written() -> None:
    big = tg.arange(10**6)
    file = io.BytesIO()
    save({"a": big[10:20], "b": big[15:30]}, file)
    assert len(file.getvalue()) < 3000
    file.seek(0)
    back = load(file)
    back["a"][5:] = 0
    assert back["b"][:6].tolist() == [0, 0, 0, 0, 0, 20]


def test_memory_seen_as_two_types() -> None:
    z = tg.tensor([1 + 2j, 3 + 4j])
    back = through({"z": z, "parts": tg.view_as_real(z)})
    back["parts"][0, 0] = 9.0
    assert back["z"].tolist() == [9 + 2j, 3 + 4j] and back["z"].dtype is tg.complex64


def test_arrays_from_elsewhere() -> None:
    a = np.arange(12.0).reshape(3, 4)
    for each in (a[::-1], a[:, ::-2], np.asfortranarray(a), a[1:, 1:], a.T, np.broadcast_to(a, (2, 3, 4))):
        assert np.array_equal(through(tg.from_numpy(each)).numpy(), each)
    records = np.zeros(3, dtype=[("c", "i1"), ("v", "f4")])
    records["v"] = [1, 2, 3]
    assert through(tg.from_numpy(records["v"])).tolist() == [1, 2, 3]


class Fresh:
    """Gives its state as new tensors each time."""

    def __init__(self, x):
        self.x = x

    def __getstate__(self):
        return {"x": self.x.clone(), "part": self.x.clone()[2:]}


def test_tensors_made_while_saving() -> None:
    file = io.BytesIO()
    save([Fresh(tg.arange(1000)), tg.ones(3)], file)
    assert len(file.getvalue()) < 20_000
    file.seek(0)
    fresh, ones = load(file, weights_only=False)
    assert fresh.x.tolist() == list(range(1000)) and fresh.part[0].item() == 2 and ones.tolist() == [1, 1, 1]


def test_same_object_stays_one() -> None:
    p = Parameter(tg.ones(2))
    back = through([p, p])
    assert back[0] is back[1]


def test_attributes_and_classes() -> None:
    x = tg.ones(2)
    x.label = "mine"
    assert through(x).label == "mine"
    p = Parameter(tg.ones(2))
    p.decay = 0.5
    assert through(p).decay == 0.5


def test_same_objects_give_the_same_bytes(tmp_path) -> None:
    contents = []
    for _ in range(2):
        save({"x": tg.arange(5), "y": tg.ones(3)}, tmp_path / "a.pt")
        contents.append((tmp_path / "a.pt").read_bytes())
    assert contents[0] == contents[1]


def test_paths_and_files(tmp_path) -> None:
    x = tg.arange(5)
    for path in (tmp_path / "a.pt", str(tmp_path / "b"), tmp_path / "é.pt"):
        save(x, path)
        assert load(path).tolist() == x.tolist()
        assert load(path, mmap=True).tolist() == x.tolist()
    with open(tmp_path / "c.pt", "wb") as file:
        save(x, file)
    with open(tmp_path / "c.pt", "rb") as file:
        assert load(file).tolist() == x.tolist()
    buffer = io.BytesIO(b"before" + (tmp_path / "c.pt").read_bytes())
    buffer.seek(6)
    assert load(buffer).tolist() == x.tolist()
    with pytest.raises(RuntimeError, match="Parent directory"):
        save(x, tmp_path / "none" / "a.pt")
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.pt")
    with pytest.raises(ValueError, match="file path"):
        load(io.BytesIO(b"1"), mmap=True)
    with pytest.raises(AttributeError, match="seekable"):
        load(object())
    with pytest.raises(AttributeError, match="write"):
        save(x, 3)


def test_mapped_tensors_are_the_file_and_do_not_change_it(tmp_path) -> None:
    save({"x": tg.arange(100_000)}, tmp_path / "a.pt")
    before = (tmp_path / "a.pt").read_bytes()
    x = load(tmp_path / "a.pt", mmap=True)["x"]
    x[0] = 7
    assert x[:3].tolist() == [7, 1, 2] and (tmp_path / "a.pt").read_bytes() == before
    assert x.data_ptr() % 64 == 0
    save({"x": x}, tmp_path / "a.pt")  # over the file it is mapped from
    assert load(tmp_path / "a.pt")["x"][0].item() == 7 and x[99_999].item() == 99_999


def test_loading_takes_no_second_copy(tmp_path) -> None:
    size = 8 * 10**6
    save({"x": tg.zeros(10**6, dtype=tg.float64)}, tmp_path / "a.pt")
    for mapped, limit in ((False, 1.1 * size), (True, 0.1 * size)):
        tracemalloc.start()
        back = load(tmp_path / "a.pt", mmap=mapped)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert back["x"].numel() == 10**6 and peak < limit


def test_map_location() -> None:
    seen = []
    for where in ("cpu", tg.device("cpu"), {"cpu": "cpu"}, {}, lambda s, where: s, lambda s, where: seen.append(where)):
        assert through(tg.ones(2), map_location=where).tolist() == [1, 1]
    assert seen == ["cpu"]
    if not tg.devices.cuda_is_available():
        with pytest.raises(RuntimeError, match="map_location='cpu'"):
            through(tg.ones(2), map_location="cuda:0")


# --- writing is all or nothing ----------------------------------------------------------------------------------------


class Breaks:
    def __reduce__(self):
        raise ZeroDivisionError


def test_a_failure_leaves_the_old_file(tmp_path) -> None:
    path = tmp_path / "a.pt"
    save(tg.ones(2), path)
    with pytest.raises(ZeroDivisionError):
        save([tg.zeros(2), Breaks()], path)
    assert load(path).tolist() == [1, 1] and os.listdir(tmp_path) == ["a.pt"]


@pytest.mark.skipif(os.name != "posix", reason="kills a process by a signal")
def test_a_killed_process_leaves_the_old_file(tmp_path) -> None:
    path = tmp_path / "a.pt"
    save(tg.ones(2), path)
    program = f"""
import os, signal, tinygrad_edu as tg
from tinygrad_edu.serialization import archive
real = archive.zipfile.ZipFile.open
def open(self, entry, *args, **options):
    if getattr(entry, "filename", "").endswith("data/1"):
        self.fp.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, entry, *args, **options)
archive.zipfile.ZipFile.open = open
tg.save([tg.zeros(10**5), tg.zeros(3)], {str(path)!r})
"""
    code = subprocess.run([sys.executable, "-c", program], timeout=60).returncode
    assert code == -signal.SIGKILL
    assert load(path).tolist() == [1, 1]
    assert len(os.listdir(tmp_path)) == 2  # the part that was written stays beside it


def test_links_and_permissions_stay(tmp_path) -> None:
    target, link = tmp_path / "a.pt", tmp_path / "link.pt"
    save(tg.ones(2), target)
    os.chmod(target, 0o640)
    link.symlink_to(target)
    save(tg.zeros(2), link)
    assert link.is_symlink() and load(target).tolist() == [0, 0] and target.stat().st_mode & 0o777 == 0o640


# --- safetensors ------------------------------------------------------------------------------------------------------


def test_safetensors_is_an_extra(monkeypatch, tmp_path) -> None:
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(ImportError, match=r"pip install 'tinygrad_edu\[safetensors\]'"):
        save({"x": tg.ones(2)}, tmp_path / "a.safetensors")
    with pytest.raises(ImportError, match="pip install"):
        load(tmp_path / "a.safetensors")


def test_safetensors(tmp_path) -> None:
    pytest.importorskip("safetensors", reason="the package is an extra")
    path = tmp_path / "a.safetensors"
    tensors = {"w": tg.randn(3, 4).t(), "n": tg.tensor(3), "b": tg.tensor([True]), "e": tg.zeros(0, 2)}
    save(tensors, path)
    back = load(path)
    assert set(back) == set(tensors) and all(equal(back[k], t) for k, t in tensors.items())
    serialization.save_file(tensors, path, {"by": "a test"})
    with serialization.safe_open(path) as table:
        assert table.metadata() == {"by": "a test"} and equal(table.get_tensor("w"), tensors["w"])
    with pytest.raises(ValueError, match="'k' is a int"):
        save({"k": 3}, path)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(RuntimeError, match="no whole safetensors file"):
        load(path)
    header = b'{"x":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}'
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"\x80\x3f\x00\x40")
    assert load(path)["x"].tolist() == [1, 2] and load(path)["x"].dtype is tg.float32


# --- PyTorch ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_zip", [True, False])
def test_reads_what_pytorch_wrote(as_zip, tmp_path) -> None:
    torch = pytest.importorskip("torch", reason="writes the file")
    path = tmp_path / "a.pt"
    torch.save(everything(torch, torch.nn.Parameter), path, _use_new_zipfile_serialization=as_zip)
    for options in ({}, {"weights_only": False}, *([{"mmap": True}] if as_zip else [])):
        check(load(path, **options), everything(torch, torch.nn.Parameter))
    x = torch.randn(5, 2).to(torch.bfloat16)
    torch.save([x, x[1:]], path, _use_new_zipfile_serialization=as_zip)
    back = load(path)
    assert np.array_equal(back[0].numpy(), x.float().numpy()) and back[0].dtype is tg.float32
    back[0].zero_()
    assert not back[1].numpy().any()


def test_reads_state_dicts_of_pytorch(tmp_path) -> None:
    torch = pytest.importorskip("torch", reason="writes the file")
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    adam = torch.optim.Adam(model.parameters())
    model(torch.randn(2, 1, 5, 5)).sum().backward()
    adam.step()
    torch.save({"model": model.state_dict(), "adam": adam.state_dict(), "epoch": 3}, tmp_path / "a.pth")
    back = load(tmp_path / "a.pth")
    for name, value in model.state_dict().items():
        assert equal(back["model"][name], value)
    assert back["model"]._metadata[""] == {"version": 1} and back["epoch"] == 3
    assert equal(back["adam"]["state"][0]["exp_avg"], adam.state_dict()["state"][0]["exp_avg"])
    assert back["adam"]["param_groups"] == adam.state_dict()["param_groups"]


def test_pytorch_reads_what_is_written_here(tmp_path) -> None:
    torch = pytest.importorskip("torch", reason="reads the file")
    path = tmp_path / "a.pt"
    save(everything(tg, Parameter), path)
    for options in ({"weights_only": True}, {"weights_only": False}, {"mmap": True}):
        back = torch.load(path, **options)
        check(back, everything(torch, torch.nn.Parameter))
        assert isinstance(back["parameter"], torch.nn.Parameter) and isinstance(back["size"], torch.Size)
    for dtype in DTYPES:
        x = tg.tensor([[0, 1, 2], [3, 4, 5]]).to(dtype)
        save([x, x.t()], path)
        back = torch.load(path, weights_only=True)
        assert all(equal(a, b) for a, b in zip(back, [x, x.t()], strict=True)), dtype
    z = tg.tensor([1 + 2j])
    save([z, tg.view_as_real(z)], path)
    assert torch.load(path, weights_only=True)[1].tolist() == [[1, 2]]


def test_reads_whole_modules_of_pytorch() -> None:
    torch = pytest.importorskip("torch", reason="writes the file")
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.BatchNorm1d(3)).double()
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    with pytest.raises(pickle.UnpicklingError, match=r"torch\.nn\.modules\.container\.Sequential"):
        load(file)
    file.seek(0)
    back = load(file, weights_only=False)
    assert type(back) is tg.nn.Sequential
    x = np.random.standard_normal((5, 4))
    assert np.allclose(back(tg.tensor(x)).detach().numpy(), model(torch.tensor(x)).detach().numpy())

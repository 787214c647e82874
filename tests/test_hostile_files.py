"""Files that are hostile or damaged do no harm, and say what is wrong with them."""

from __future__ import annotations

import io
import os
import pickle
import struct
import subprocess
import tracemalloc
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import serialization
from tinygrad_edu.serialization import load, save

# --- what is hostile --------------------------------------------------------------------------------------------------


def archive_of(objects: bytes, **entries: bytes) -> io.BytesIO:
    """A file in the format with these contents."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as z:
        z.writestr("archive/data.pkl", objects)
        for name, content in ({"version": b"3\n"} | entries).items():
            z.writestr("archive/" + name.replace("__", "/"), content)
    file.seek(0)
    return file


class Call:
    """Pickles as a call."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


CALLS = {
    "posix.system": lambda m: Call(os.system, f"touch {m}"),
    "builtins.eval": lambda m: Call(eval, f"open({str(m)!r}, 'w')"),
    "builtins.exec": lambda m: Call(exec, f"open({str(m)!r}, 'w')"),
    "builtins.getattr": lambda m: Call(getattr, "", "join"),
    "subprocess.Popen": lambda m: Call(subprocess.Popen, ["touch", str(m)]),
    f"{Path.__module__}.Path": lambda m: Call(Path, str(m)),
    "collections.defaultdict": lambda m: __import__("collections").defaultdict(list),
    "numpy": lambda m: np.float64(1),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_an_attack_runs_nothing(name, protocol, tmp_path) -> None:
    mark = tmp_path / "mark"
    objects = pickle.dumps({"x": CALLS[name](mark)}, protocol)
    needed = "os.system" if name == "posix.system" and os.name != "posix" else name
    with pytest.raises(pickle.UnpicklingError, match=f"{needed}|is never needed"):
        load(archive_of(objects))
    assert not mark.exists()


HOSTILE = {
    # steps that no file of tensors needs: INST, OBJ, extensions, ids as text, buffers
    "inst": b"(S'touch mark'\nios\nsystem\n.",
    "obj": b"(cos\nsystem\nS'touch mark'\no.",
    "extension": b"\x82\x01.",
    "buffer": b"\x97.",
    # a number where bytearray takes it as a size
    "bytearray": b"cbuiltins\nbytearray\n(I1000000000000\ntR.",
    # a function that is allowed, given a name to call in its place
    "from type": b"ctorch._tensor\n_rebuild_from_type_v2\n(cbuiltins\neval\nNtR.",
    # what stands for a name is not to be changed
    "poison class": b"ccollections\nCounter\n(N}S'__init__'\nNstb.",
    "poison function": b"ctorch._utils\n_rebuild_tensor_v2\n}S'__code__'\nNsb.",
    "call result": b"ccollections\nOrderedDict\n)R)R.",
    "call text": b"S'x'\n)R.",
    "new object": b"ccollections\nCounter\n)\x81.",
    "storage": b"S'storage'\nQ.",
    "huge text": b"X\xff\xff\xff\x7fabc.",
    "huge memo": b"Nr\xff\xff\xff\x7f",
    "nothing": b".",
    "half": b"\x80\x02}q\x00X\x01",
    "noise": bytes(range(256)),
    "dotted": b"ctorch\nnn.parameter.os\n.",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles(name, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    tracemalloc.start()
    with pytest.raises(pickle.UnpicklingError):
        load(archive_of(HOSTILE[name]))
    assert tracemalloc.get_traced_memory()[1] < 10**7
    tracemalloc.stop()
    assert os.listdir() == [] and Counter("a")["a"] == 1


def rebuilt(offset="I0\n", size="(I2\nt", stride="(I1\nt", key="0", kind="FloatStorage", count="I2\n") -> bytes:
    """A pickle of one tensor, told in text."""
    storage = f"(S'storage'\nctorch\n{kind}\nS'{key}'\nS'cpu'\n{count}tQ"
    return f"ctorch._utils\n_rebuild_tensor_v2\n({storage}{offset}{size}{stride}I00\nccollections\nOrderedDict\n)RtR.".encode()


def test_a_tensor_in_text() -> None:
    assert load(archive_of(rebuilt(), data__0=struct.pack("<2f", 1, 2))).tolist() == [1, 2]


@pytest.mark.parametrize(
    "wrong",
    [
        {"offset": "I1\n"},
        {"offset": "I-1\n"},
        {"offset": "S'0'\n"},
        {"size": "(I3\nt"},
        {"size": "(I-2\nt"},
        {"size": "(I1000000000000\nI1000000000000\nt", "stride": "(I1\nI1\nt"},
        {"stride": "(I2\nt"},
        {"stride": "(I-1\nt"},
        {"stride": "(I1\nI1\nt"},
        {"stride": "(I4611686018427387905\nt"},
        {"size": "(" + "I1\n" * 65 + "t", "stride": "(" + "I1\n" * 65 + "t"},
        {"count": "I3\n"},
        {"count": "I1000000000000\n"},
        {"count": "I-1\n"},
        {"kind": "DoubleStorage"},
        {"kind": "QInt8Storage"},
        {"key": "1"},
        {"key": "../version"},
    ],
    ids=str,
)
def test_geometry_is_held_against_the_file(wrong) -> None:
    tracemalloc.start()
    with pytest.raises((RuntimeError, pickle.UnpicklingError)):
        load(archive_of(rebuilt(**wrong), data__0=struct.pack("<2f", 1, 2)))
    assert tracemalloc.get_traced_memory()[1] < 10**7
    tracemalloc.stop()


def test_trusted_names() -> None:
    file = archive_of(pickle.dumps(Path("a"), 2))
    with pytest.raises(pickle.UnpicklingError, match=r"add_safe_globals\(\[(Pure)?Pos"):
        load(file)
    with serialization.safe_globals([type(Path("a"))]):
        assert serialization.get_safe_globals()
        file.seek(0)
        assert load(file) == Path("a")
    assert not serialization.get_safe_globals()
    file.seek(0)
    assert load(file, weights_only=False) == Path("a")
    with pytest.raises(RuntimeError, match="pickle_module"):
        load(file, pickle_module=pickle, weights_only=True)


def test_variables_for_programs_that_cannot_be_changed(tmp_path, monkeypatch):
    file = tmp_path / "object.pt"
    save(Path("a"), file)
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    with pytest.warns(UserWarning, match="whatever the file says"):
        assert load(file) == Path("a")
    with pytest.raises(pickle.UnpicklingError, match="TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1"):
        load(file, weights_only=True)
    monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1")
    with pytest.raises(RuntimeError, match="both were set"):
        load(file)
    monkeypatch.delenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD")
    with pytest.raises(pickle.UnpicklingError):
        load(file, weights_only=False)


# --- what is damaged --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole() -> bytes:
    file = io.BytesIO()
    save({"x": tg.arange(100), "y": [tg.ones(3), "text"]}, file)
    return file.getvalue()


def test_cut_off_anywhere(whole) -> None:
    for end in [*range(0, len(whole), 37), len(whole) - 1]:
        with pytest.raises((RuntimeError, pickle.UnpicklingError, EOFError)):
            load(io.BytesIO(whole[:end]))


def test_changed_anywhere(whole) -> None:
    """A changed byte gives an error of these kinds, or a file that still makes sense; nothing else."""
    rng = np.random.default_rng(0)
    for _ in range(400):
        data = bytearray(whole)
        for at in rng.integers(0, len(whole), rng.integers(1, 4)):
            data[at] = rng.integers(256)
        try:
            load(io.BytesIO(bytes(data)))
        except (RuntimeError, pickle.UnpicklingError, EOFError):
            continue


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"hello", b"\x80\x02]q\x00.", b"PK\x03\x04" + b"x" * 99, b"\x00" * 999]
)
def test_no_such_file_at_all(content) -> None:
    with pytest.raises((RuntimeError, pickle.UnpicklingError, EOFError)):
        load(io.BytesIO(content))


def test_other_zip_files() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as z:
        z.writestr("a.txt", "a")
    file.seek(0)
    with pytest.raises(RuntimeError, match=r"no data\.pkl"):
        load(file)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("archive/data.pkl", rebuilt(size="(I2500000\nt", count="I2500000\n"))
        z.writestr("archive/data/0", b"\x00" * 10**7)
    bomb.seek(0)
    with pytest.raises(RuntimeError, match="compressed"):
        load(bomb)


def test_attacks_on_pytorch_files(tmp_path) -> None:
    torch = pytest.importorskip("torch", reason="writes the file")
    torch.save({"x": torch.ones(2), "bad": Call(os.system, f"touch {tmp_path / 'mark'}")}, tmp_path / "a.pt")
    for as_zip in (True, False):
        torch.save(
            [Call(os.system, f"touch {tmp_path / 'mark'}")], tmp_path / "a.pt", _use_new_zipfile_serialization=as_zip
        )
        with pytest.raises(pickle.UnpicklingError, match=r"posix\.system"):
            load(tmp_path / "a.pt")
    assert not (tmp_path / "mark").exists()


def test_cut_off_legacy_files() -> None:
    torch = pytest.importorskip("torch", reason="writes the file")
    file = io.BytesIO()
    torch.save([torch.ones(100)], file, _use_new_zipfile_serialization=False)
    whole = file.getvalue()
    for end in range(1, len(whole), 31):
        with pytest.raises((RuntimeError, pickle.UnpicklingError, EOFError)):
            load(io.BytesIO(whole[:end]))

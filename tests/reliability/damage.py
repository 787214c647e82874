"""Files that are whole, and damage done to them: to any file by its bytes, and to each kind by what its format means."""

from __future__ import annotations

import collections
import functools
import gzip
import io
import json
import pickle
import pickletools
import struct
import tarfile
import zipfile
from collections.abc import Callable
from random import Random
from typing import NamedTuple

import numpy as np

import tinygrad_edu as tg

LENGTHS = (0, 1, 0x7F, 0xFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**63, 2**64 - 1)


class Kind(NamedTuple):
    """A kind of file: names and bytes of a whole one, and the damage that its format invites."""

    whole: dict[str, bytes]
    own: tuple[Callable[[Random, bytes], bytes], ...]


# --- any bytes ----------------------------------------------------------------------------------------------------------


def flipped(rng: Random, data: bytes) -> bytes:
    """Some bits turned over."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def cut(rng: Random, data: bytes) -> bytes:
    """The end is missing, or the beginning, or a piece of the middle."""
    a, b = sorted(rng.randrange(len(data) + 1) for _ in "ab")
    return rng.choice((data[:a], data[a:], data[:a] + data[b:]))


def spliced(rng: Random, data: bytes) -> bytes:
    """A chunk stands where another was, or a second time."""
    a, size, to = rng.randrange(len(data)), rng.choice((1, 8, 64, 512)), rng.randrange(len(data))
    return data[:to] + data[a : a + size] + data[to + rng.choice((0, size)) :]


def blotted(rng: Random, data: bytes) -> bytes:
    """A stretch of zeros, of ones, or of noise."""
    at, size = rng.randrange(len(data)), min(rng.choice((1, 4, 16, 512)), len(data))
    patch = rng.choice((bytes(size), b"\xff" * size, rng.randbytes(size)))
    return data[:at] + patch + data[at + size :]


def lengthened(rng: Random, data: bytes) -> bytes:
    """A number somewhere becomes a huge one, or a limit of its type."""
    return numbered(rng, data, rng.randrange(len(data)), rng.choice("BHIQ"))


def numbered(rng: Random, data: bytes, at: int, code: str) -> bytes:
    """The number at a place becomes a huge one, or a limit of its type, in either order of bytes."""
    size = struct.calcsize(code)
    number = struct.pack(rng.choice("<>") + code, rng.choice(LENGTHS) % 2 ** (8 * size))
    return data[:at] + number + data[at + size :]


ANY = (flipped, cut, spliced, blotted, lengthened)


# --- .pt: an archive with a pickle in it --------------------------------------------------------------------------------

FIELDS = {b"PK\x03\x04": "4xHHHHHIIIHH", b"PK\x01\x02": "4xHHHHHHIIIHHHHHII", b"PK\x05\x06": "4xHHHHIIH"}
CODES = [code.code.encode("latin1") for code in pickletools.opcodes]


def zip_field(rng: Random, data: bytes) -> bytes:
    """One field of one of the archive's records is wrong."""
    magic = rng.choice(list(FIELDS))
    starts = [i for i in range(len(data)) if data.startswith(magic, i)]
    if not starts:
        return flipped(rng, data)
    codes = FIELDS[magic][2:]
    field = rng.randrange(len(codes))
    return numbered(rng, data, rng.choice(starts) + struct.calcsize("<4x" + codes[:field]), codes[field])


def repacked(change: Callable[[Random, bytes], bytes]) -> Callable[[Random, bytes], bytes]:
    """The archive is right, but not the pickle in it."""

    def damage(rng: Random, data: bytes) -> bytes:
        made = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(made, "w") as new:
            for name in old.namelist():
                content = old.read(name)
                new.writestr(name, change(rng, content) if name.endswith("data.pkl") else content)
        return made.getvalue()

    return damage


@functools.lru_cache(8)
def steps(data: bytes) -> list[tuple[int, int, bytes]]:
    """Where the steps of a pickle begin and end, and their codes."""
    found = [(at, code.code.encode("latin1")) for code, _, at in pickletools.genops(data)]
    ends = [at for at, _ in found[1:]] + [len(data)]
    return [(at, end, code) for (at, code), end in zip(found, ends, strict=True)]


def other_step(rng: Random, data: bytes) -> bytes:
    """A step of the pickle is another, is left out, or comes twice."""
    at, end, _ = rng.choice(steps(data))
    step = data[at:end]
    return (
        data[:at] + rng.choice((rng.choice(CODES) + step[1:], b"", step + step, rng.choice(CODES) + step)) + data[end:]
    )


def other_number(rng: Random, data: bytes) -> bytes:
    """A number in the pickle, perhaps a shape, a stride, an offset or a count, claims terabytes."""
    numbers = [(at, end) for at, end, code in steps(data) if code in (b"K", b"M", b"J", b"\x8a")]
    if not numbers:
        return other_step(rng, data)
    at, end = rng.choice(numbers)
    return data[:at] + pickle.dumps(rng.choice((-1, *LENGTHS)), 2)[2:-1] + data[end:]


def nested(rng: Random, data: bytes) -> bytes:
    """An object lies in a hundred thousand others, one of them perhaps a key; or in forty, each of which is in the next
    twice."""
    at = rng.choice(steps(data))[0]
    deep = rng.choice(
        (b"N" + b"\x85" * 100_000, b"N" + b"2\x86" * 40, b"]" * 50_000 + b"a" * 49_999, b"N" + b"(" * 50_000)
    )
    return data[:at] + rng.choice((deep, b"}" + deep + b"Ns", deep + b"Q", deep + b"R", b"N" + deep + b"b")) + data[at:]


def one_of_several(change: Callable[[Random, bytes], bytes]) -> Callable[[Random, bytes], bytes]:
    """One of the five pickles that old files begin with is not right."""

    def damage(rng: Random, data: bytes) -> bytes:
        file, ends = io.BytesIO(data), [0]
        for _ in range(5):
            collections.deque(pickletools.genops(file), 0)
            ends.append(file.tell())
        k = rng.randrange(5)
        return data[: ends[k]] + change(rng, data[ends[k] : ends[k + 1]]) + data[ends[k + 1] :]

    return damage


# --- safetensors: a length, a header in JSON, bytes -----------------------------------------------------------------------


def header(rng: Random, data: bytes) -> bytes:
    """The header of a table tells something else, with its length right."""
    size = int.from_bytes(data[:8], "little")
    told = json.loads(data[8 : 8 + size])
    entry = told[rng.choice([name for name in told if name != "__metadata__"])]
    field = rng.choice(("dtype", "shape", "shape", "data_offsets", "data_offsets"))
    if field == "dtype":
        entry[field] = rng.choice(("F64", "F32", "BF16", "BOOL", "F8_E4M3", "U64", "", None, 7))
    elif entry[field] and rng.random() < 0.8:
        entry[field][rng.randrange(len(entry[field]))] = rng.choice((*LENGTHS, -1, 1.5, "2", None))
    else:
        entry[field] = rng.choice(([], [1] * 80, [0, 2**40], [2**20] * 4, None, {}, "x"))
    text = json.dumps(told).encode()
    return len(text).to_bytes(8, "little") + text + data[8 + size :]


def header_length(rng: Random, data: bytes) -> bytes:
    """The header's length is another."""
    return rng.choice(LENGTHS).to_bytes(8, "little") + data[8:]


# --- idx: lengths before bytes, perhaps packed; CIFAR: an archive of records ----------------------------------------------


def unpacked(change: Callable[[Random, bytes], bytes]) -> Callable[[Random, bytes], bytes]:
    """Damage below a packing that is right."""

    def damage(rng: Random, data: bytes) -> bytes:
        return (
            gzip.compress(change(rng, gzip.decompress(data)), 1, mtime=0)
            if data[:2] == b"\x1f\x8b"
            else change(rng, data)
        )

    return damage


def idx_lengths(rng: Random, data: bytes) -> bytes:
    """The number of dimensions, the type or a length is another."""
    if rng.random() < 0.4:
        return data[:2] + bytes([rng.choice((8, 8, 9, 13)), rng.choice((0, 1, 2, 3, 5, 70, 255))]) + data[4:]
    for _ in range(rng.choice((1, 2, 3))):
        data = numbered(rng, data, 4 + 4 * rng.randrange(data[3] or 1), "I")
    return data


def tar_field(rng: Random, data: bytes) -> bytes:
    """A field of a member's header is another, with its checksum right: name, size, kind."""
    at = 512 * rng.randrange(len(data) // 512)
    starts = [i for i in range(0, len(data), 512) if data[i + 257 : i + 262] == b"ustar"]
    at = rng.choice(starts) if starts else at
    info = bytearray(data[at : at + 512])
    field, size = rng.choice(((0, 100), (124, 12), (156, 1), (157, 100), (345, 155)))
    info[field : field + size] = {
        124: lambda: b"%011o\0" % rng.choice((0, 1, 511, 8**11 - 1)) if rng.random() < 0.7 else b"\xff" * 12,
        156: lambda: rng.choice((b"0", b"1", b"2", b"5", b"7", b"L", b"K", b"S", b"x", b"g", b"\xff")),
    }.get(field, lambda: rng.randbytes(size))()
    info[148:156] = b" " * 8
    info[148:156] = b"%06o\0 " % sum(info)
    return data[:at] + bytes(info) + data[at + 512 :]


# --- whole files ----------------------------------------------------------------------------------------------------------


def checkpoint() -> bytes:
    """What training saves: a model, an optimizer that has made a step, numbers and texts."""
    model = tg.nn.Sequential(tg.nn.Linear(3, 4), tg.nn.BatchNorm1d(4), tg.nn.Linear(4, 2))
    optimizer = tg.optim.Adam(model.parameters())
    model(tg.ones(5, 3)).sum().backward()
    optimizer.step()
    file = io.BytesIO()
    extras = {
        "half": tg.ones(2, dtype=tg.float16),
        "view": tg.arange(20.0)[3:9].reshape(2, 3).t(),
        "size": tg.Size([2, 3]),
    }
    tg.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3, **extras}, file)
    return file.getvalue()


def of_old() -> bytes:
    """A tensor in the format of PyTorch before 1.6: pickles one after the other, then the memory."""
    storage = b"(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\x000X\3\0\0\0cpuK\6NtQ"
    tensor = (
        b"ctorch._utils\n_rebuild_tensor_v2\n("
        + storage
        + b"K\0K\2K\3\x86K\3K\1\x86\x89ccollections\nOrderedDict\n)RtR"
    )
    parts = [pickle.dumps(each, 2) for each in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
    values = struct.pack("<q6f", 6, *range(6))
    return b"".join([*parts, b"\x80\2}X\1\0\0\0w" + tensor + b"s.", pickle.dumps(["0"], 2), values])


def table() -> bytes:
    """A safetensors file."""
    package = __import__("safetensors.numpy").numpy
    arrays = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b": np.arange(4, dtype=np.int64),
        "c": np.zeros((0, 3)),
    }
    return package.save(arrays, {"by": "a test"})


def idx(values: np.ndarray) -> bytes:
    """A file in MNIST's format."""
    return bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">i4").tobytes() + values.tobytes()


def mnist() -> dict[str, bytes]:
    """Pictures, packed, and their classes."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (4, 28, 28), np.uint8), np.arange(4, dtype=np.uint8)
    return {
        "MNIST/raw/t10k-images-idx3-ubyte.gz": gzip.compress(idx(images), mtime=0),
        "MNIST/raw/t10k-labels-idx1-ubyte": idx(labels),
    }


def records() -> bytes:
    """Three pictures as CIFAR-10 has them."""
    rows = np.random.default_rng(0).integers(0, 256, (3, 3073), np.uint8)
    rows[:, 0] %= 10
    return rows.tobytes()


def packed() -> bytes:
    """CIFAR-10's archive, with its pictures to test alone."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as tar:
        for name, content in (("readme.html", b"<p>"), ("test_batch.bin", records())):
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return file.getvalue()


# every kind of file that a loader reads, made when it is asked for: a package may be missing
KINDS: dict[str, Callable[[], Kind]] = {
    "pt": lambda: Kind(
        {"a.pt": checkpoint()}, (zip_field, zip_field, *map(repacked, (other_step, other_number, nested, *ANY)))
    ),
    "old": lambda: Kind({"old.pt": of_old()}, (*map(one_of_several, (other_step, other_number, nested)),)),
    "safetensors": lambda: Kind({"a.safetensors": table()}, (header, header, header_length)),
    "mnist": lambda: Kind(mnist(), (*map(unpacked, (idx_lengths, idx_lengths, *ANY)),)),
    "cifar": lambda: Kind({"cifar-10-batches-bin/test_batch.bin": records()}, ()),
    "archive": lambda: Kind({"cifar-10-binary.tar.gz": packed()}, (*map(unpacked, (tar_field, tar_field, *ANY)),)),
}

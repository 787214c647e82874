"""Files that `save` has not written: what they are, as far as their first bytes tell."""

from __future__ import annotations

import pickle

BEGINNINGS = (
    (b"\x89HDF", "an HDF5 file, as Keras writes them; the package h5py reads it"),
    (b"\x93NUMPY", "a NumPy array; write torch.from_numpy(numpy.load(f))"),
    (b"\x1f\x8b", "compressed by gzip; write load(gzip.open(f))"),
    (b"BZh", "compressed by bzip2; write load(bz2.open(f))"),
    (b"\xfd7zXZ", "compressed by xz; write load(lzma.open(f))"),
    (b"GGUF", "a GGUF file, as llama.cpp writes them"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"%PDF", "a PDF document"),
    (b"version https://git-lfs", "the pointer that Git LFS leaves in place of a file; write: git lfs pull"),
    (b"<", "a page of HTML or XML, perhaps an error message in place of what was to be downloaded"),
)
PICKLES = (b"\x80", b"L1195470371")  # how the number at the beginning of PyTorch's oldest files is pickled


def kind(head: bytes) -> str:
    """What begins with these bytes."""
    for beginning, what in BEGINNINGS:
        if head.startswith(beginning):
            return what
    if head[8:10] == b'{"':
        return "a safetensors file; give it a name that ends in .safetensors, or write serialization.load_file(f)"
    if head[257:262] == b"ustar":
        return "a tar archive; unpack it first"
    if all(32 <= byte < 127 or byte in b"\t\r\n" for byte in head):
        return f"text, which begins with {head[:40].decode()!r}"
    return f"something else, which begins with the bytes {head[:8]!r}"


def refuse_foreign(head: bytes, name: str) -> None:
    """Raise for a file that begins like no pickle."""
    if not head.startswith(PICKLES):
        raise pickle.UnpicklingError(f"{name} was not written by torch.save: it is {kind(head)}")


__all__ = ["kind", "refuse_foreign"]

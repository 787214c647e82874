"""safetensors files: a flat dictionary of tensors, by the package of that name."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import devices
from ..dtypes import OF_NUMPY
from ..tensor import Tensor, wrap
from .replacing import replaced


def is_table(f: Any) -> bool:
    """Whether a path says that it is a safetensors file."""
    return isinstance(f, (str, os.PathLike)) and os.fspath(f).endswith(".safetensors")


def _package(module: str = "safetensors") -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"files of the format safetensors need the package of that name ({error}); "
            "write: pip install 'tinygrad_edu[safetensors]', or pip install safetensors"
        ) from None


def save_file(tensors: dict[str, Tensor], filename: Any, metadata: dict[str, str] | None = None) -> None:
    """Write a dictionary of tensors; the path is replaced only once the new file is complete."""
    package = _package("safetensors.numpy")
    if not isinstance(tensors, dict) or not all(isinstance(t, Tensor) for t in tensors.values()):
        wrong = [k for k, v in tensors.items() if not isinstance(v, Tensor)] if isinstance(tensors, dict) else []
        found = (
            f"{wrong[0]!r} is a {type(tensors[wrong[0]]).__name__}" if wrong else f"this is a {type(tensors).__name__}"
        )
        raise ValueError(
            f"a safetensors file holds a dictionary of names and tensors, but {found}; "
            "write model.state_dict(), or a file that ends in .pt for other objects"
        )
    arrays = {k: np.ascontiguousarray(devices.move(t.array, devices.CPU)).reshape(t.shape) for k, t in tensors.items()}
    content = package.save(arrays, metadata)
    with replaced(filename) as file:
        file.write(content)


def load_file(filename: Any, device: Any = "cpu") -> dict[str, Tensor]:
    """The tensors of a file, by name."""
    with safe_open(filename, device=device) as table:
        return {name: table.get_tensor(name) for name in table.keys()}  # noqa: SIM118


class safe_open:
    """A safetensors file whose tensors are read one by one."""

    def __init__(self, filename: Any, framework: str = "pt", device: Any = "cpu") -> None:
        package = _package()
        self.filename, self.device = filename, devices.as_device(device)
        self.raw: dict[str, Any] | None = None
        try:
            self.file = package.safe_open(os.fspath(filename), framework="numpy")
        except package.SafetensorError as error:
            raise self._damaged(error) from None

    def __enter__(self) -> safe_open:
        self.file.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.file.__exit__(*error)

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def keys(self) -> list[str]:
        """The tensors' names."""
        return list(self.file.keys())

    def metadata(self) -> dict[str, str] | None:
        """Texts that the file carries."""
        return self.file.metadata()

    def get_tensor(self, name: str) -> Tensor:
        """One tensor."""
        kind = self.file.get_slice(name).get_dtype()
        try:
            array = self._brain(name) if kind == "BF16" else self.file.get_tensor(name)
        except AttributeError:  # NumPy has not even a name for it
            array = None
        except (ValueError, TypeError, OverflowError) as error:
            raise self._damaged(error) from None
        if array is None or array.dtype not in OF_NUMPY:
            raise RuntimeError(f"{name!r} has the type {kind}, for which there is no dtype here")
        return wrap(devices.move(array, self.device))

    def _damaged(self, error: Exception) -> RuntimeError:
        name = os.fspath(self.filename)
        return RuntimeError(f"{name!r} is no whole safetensors file: {error}; copy or save it again")

    def _brain(self, name: str) -> np.ndarray:
        """Numbers of the type bfloat16, which NumPy has not, as float32."""
        if self.raw is None:
            with open(self.filename, "rb") as file:
                self.raw = dict(_package().deserialize(file.read()))
        found = self.raw[name]
        halves = np.frombuffer(found["data"], np.uint16).astype(np.uint32)
        return (halves << 16).view(np.float32).reshape(found["shape"])


__all__ = ["load_file", "safe_open", "save_file"]

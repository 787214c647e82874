"""How many threads the linear algebra under NumPy uses."""

from __future__ import annotations

import ctypes
import functools
import glob
import os
from typing import Any

import numpy as np

_interop = 1


@functools.lru_cache(1)
def _openblas() -> Any:
    """The OpenBLAS library that NumPy brought along, None where NumPy uses another."""
    beside = os.path.join(os.path.dirname(os.path.dirname(np.__file__)), "numpy.libs", "*openblas*")
    inside = os.path.join(os.path.dirname(np.__file__), ".dylibs", "*openblas*")
    for path in (*glob.glob(beside), *glob.glob(inside)):
        try:
            library = ctypes.CDLL(path)
        except OSError:
            continue
        for prefix, suffix in (("scipy_", "64_"), ("", "64_"), ("scipy_", ""), ("", "")):
            ask = getattr(library, f"{prefix}openblas_get_num_threads{suffix}", None)
            tell = getattr(library, f"{prefix}openblas_set_num_threads{suffix}", None)
            if ask is not None and tell is not None:
                return ask, tell
    return None


def get_num_threads() -> int:
    """The number of threads of a matrix product."""
    if _openblas() is not None:
        return int(_openblas()[0]())
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        if os.environ.get(name, "").isdecimal():
            return int(os.environ[name])
    return os.cpu_count() or 1


def set_num_threads(num: int) -> None:
    """Use `num` threads for matrix products. Another library than OpenBLAS reads its variable at its start only."""
    if not isinstance(num, int) or isinstance(num, bool):
        raise TypeError(f"set_num_threads expects an int, but got {type(num).__name__}")
    if num < 1:
        raise RuntimeError(f"set_num_threads expects a positive integer, not {num}")
    if _openblas() is not None:
        _openblas()[1](num)
    else:
        os.environ["OMP_NUM_THREADS"] = str(num)


def get_num_interop_threads() -> int:
    """Operations run one after the other here; PyTorch's second kind of threads does not exist."""
    return _interop


def set_num_interop_threads(num: int) -> None:
    """Noted, without an effect."""
    global _interop
    _interop = num


__all__ = ["get_num_interop_threads", "get_num_threads", "set_num_interop_threads", "set_num_threads"]

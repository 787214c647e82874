"""What the real cupy answers of NumPy: names, parameters, the dtypes of its ufuncs. No GPU is needed to ask.

`python tests/cupy_manifest.py`, where cupy is installed, writes `cupy_manifest.json` again; the stand-in for a GPU
(`standin.py`) holds every dispatched call against it.
"""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

PATH = Path(__file__).with_suffix(".json")
FACES = {"": np, "linalg": np.linalg, "fft": np.fft, "lib.stride_tricks": np.lib.stride_tricks}
CUDA = """
cuda.Device cuda.Device.use cuda.Device.synchronize cuda.Stream cuda.Stream.use cuda.Stream.synchronize
cuda.Stream.wait_event cuda.Stream.done cuda.Stream.null cuda.Event cuda.Event.record cuda.Event.synchronize
cuda.Event.done cuda.get_elapsed_time cuda.get_current_stream cuda.runtime.getDeviceCount cuda.runtime.memGetInfo
cuda.runtime.deviceCanAccessPeer cuda.runtime.getDeviceProperties get_default_memory_pool asnumpy
_core.set_compute_type _core._routines_linalg.COMPUTE_TYPE_DEFAULT _core._routines_linalg.COMPUTE_TYPE_TF32
cuda.cublas.setMathMode cuda.get_cublas_handle add.at
"""  # what the package and its stand-in reach for beside arrays; a RawModule is only there where there are kernels
METHODS = ("add", "multiply")  # the ufuncs whose `reduce` and `accumulate` cupy has; the others raise when called


def described() -> dict[str, Any]:
    """The manifest of the cupy that is installed."""
    import cupy

    functions: dict[str, list[str]] = {}
    ufuncs: dict[str, list[str]] = {}
    for face, module in FACES.items():
        there = _reached(cupy, face)
        for name in sorted(n for n in dir(module) if not n.startswith("_")):
            function, found = getattr(module, name), getattr(there, name, None)
            if isinstance(function, np.ufunc) and found is not None:
                ufuncs[function.__name__] = list(found.types) if isinstance(found, cupy.ufunc) else []
            elif _dispatched(function) and found is not None and found is not function:
                functions[f"{face}.{name}".strip(".")] = parameters(found)
    attributes = sorted(n for n in dir(cupy.ndarray) if not n.startswith("_") and hasattr(np.ndarray, n))
    methods = {n: parameters(getattr(cupy.ndarray, n))[1:] for n in attributes if callable(getattr(np.ndarray, n))}
    return {
        "cupy": cupy.__version__,
        "numpy": ".".join(np.__version__.split(".")[:2]),
        "functions": functions,
        "ufuncs": ufuncs,
        "methods": methods,
        "generator": {
            n: parameters(getattr(cupy.random.Generator, n))[1:]
            for n in dir(np.random.Generator)
            if not n.startswith("_") and hasattr(cupy.random.Generator, n)
        },
        "attributes": [n for n in attributes if n not in methods],
        "cuda": {
            name: parameters(_reached(cupy, name)) if callable(_reached(cupy, name)) else [] for name in CUDA.split()
        },
    }


def _reached(module: Any, path: str) -> Any:
    for part in path.split(".") if path else ():
        module = getattr(module, part, None)
    return module


def _dispatched(function: Any) -> bool:
    """Whether NumPy asks an argument's class first: such functions carry their own implementation."""
    return hasattr(function, "_implementation")


def parameters(function: Any) -> list[str]:
    """The names of a function's parameters, `*` before those that are keywords only, `**` where any is taken."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # compiled: the signature is the first line of its text
        text = re.match(
            r"[\w.]+\((.*?)\)(?: ->.*)?$", (function.__doc__ or "").splitlines()[0] if function.__doc__ else ""
        )
        return [p.split("=")[0].split()[-1] for p in text[1].split(", ") if p] if text else ["*args", "**"]
    names: list[str] = []
    for p in parameters:
        if p.kind is p.KEYWORD_ONLY and not any(n.startswith("*") for n in names):
            names.append("*")
        names.append({p.VAR_POSITIONAL: f"*{p.name}", p.VAR_KEYWORD: "**"}.get(p.kind, p.name))
    return names


def read() -> dict[str, Any]:
    """The manifest that is kept."""
    return json.loads(PATH.read_text())


def write() -> None:
    """Keep the manifest of the cupy that is installed, a name to a line."""
    parts = []
    for key, value in described().items():
        if isinstance(value, dict):
            lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(told)}" for name, told in value.items())
            parts.append(f" {json.dumps(key)}: {{\n{lines}\n }}")
        else:
            parts.append(f" {json.dumps(key)}: {json.dumps(value)}")
    PATH.write_text("{\n" + ",\n".join(parts) + "\n}\n")


if __name__ == "__main__":
    write()

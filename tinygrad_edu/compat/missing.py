"""What is not there: an error that gives the name, the file and the line, and the nearest thing there is."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import os
from types import FrameType
from typing import Any

ROOT = __package__.partition(".")[0]
FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

ABSENT = {
    "torch.utils.tensorboard": "this package writes no event files; print the numbers, or use the package tensorboardX",
    "torch._C": "there is no compiled extension here; PyTorch's public names are answered in Python",
    "torch._dynamo": "nothing is compiled here; torch.compile returns the function unchanged",
    "torch._inductor": "nothing is compiled here; torch.compile returns the function unchanged",
    "torch.autograd.forward_ad": "write torch.func.jvp(function, inputs, directions) for a derivative along a direction",
    "torch.fx": "programs are not traced here; read the graph of a result by its grad_fn",
    "torch.quantization": "there are no quantized tensors here",
    "torch.ao": "there are no quantized tensors here",
    "torchvision.models": "there are no ready-made models here; write the layers with torch.nn",
    "torchvision.datasets": "there are MNIST, FashionMNIST and CIFAR10 here; write a torch.utils.data.Dataset for others",
    "torchvision.transforms": "the most used transforms are here; transforms.Lambda(function) takes any other",
    "torchvision": "datasets, transforms and utils are here; for the rest the real torch and torchvision are needed",
    "torch.utils.cpp_extension": "operations are written in Python here; see tinygrad_edu/op.py",
}

# where else a name may live, the likeliest first
ELSEWHERE = (
    "torch torch.nn torch.nn.functional torch.Tensor torch.optim torch.optim.lr_scheduler torch.utils.data "
    "torch.nn.utils torch.nn.utils.rnn torch.nn.init torch.linalg torch.special torch.autograd torch.distributions"
).split()


class _Missing:
    """The text is made when it is read: programs that only probe (`hasattr`) do not pay for it."""

    name: Any
    where: str

    def __str__(self) -> str:
        return explain(self.name, self.where)


class MissingAttribute(_Missing, AttributeError):  # type: ignore[misc]
    """`torch.NAME` is not there."""

    def __init__(self, name: str, where: str) -> None:
        super().__init__(name=name)  # a name that is set keeps the interpreter from adding a guess of its own
        self.where = where


class MissingImport(_Missing, ImportError):  # type: ignore[misc]
    """`from torch import NAME` finds nothing."""

    def __init__(self, name: str, where: str) -> None:
        super().__init__(name=name)
        self.where = where


class MissingModule(_Missing, ModuleNotFoundError):  # type: ignore[misc]
    """`import torch.NAME` finds nothing."""

    def __init__(self, name: str, where: str) -> None:
        super().__init__(name=name)
        self.where = where


def explain(name: str, where: str = "") -> str:
    """One sentence on a missing name."""
    text = f"tinygrad_edu has no {name}" + (f" (asked for in {where})" if where else "")
    reason = next((why for absent, why in ABSENT.items() if name == absent or name.startswith(absent + ".")), None)
    if reason is not None:
        return f"{text}: {reason}"
    near = nearest(name)
    return f"{text}; the nearest is {near}" if near else text


def nearest(name: str) -> str | None:
    """The name most like a missing one: the same name elsewhere, one spelled alike beside it, one spelled alike elsewhere."""
    parent, _, last = name.rpartition(".")
    places = [place for place in ELSEWHERE if place != parent]
    for place in places:
        if last in _names(place):
            return f"{place}.{last}"
    for place in (parent, *places):
        found = difflib.get_close_matches(last, _names(place), 1, 0.75)
        if found:
            return f"{place}.{found[0]}"
    return None


def _names(place: str) -> list[str]:
    try:
        return [n for n in dir(resolve(place)) if not n.startswith("_")]
    except (AttributeError, ImportError):
        return []


def resolve(name: str) -> Any:
    """What a dotted name of PyTorch's stands for here: modules are imported on the way."""
    first, *rest = name.split(".")
    path = f"{ROOT}.compat.torchvision" if first == "torchvision" else ROOT
    found = importlib.import_module(path)
    for part in rest:
        path = f"{path}.{part}"
        try:
            found = getattr(found, part)
        except AttributeError:
            if not hasattr(found, "__path__"):
                raise
            try:
                found = importlib.import_module(path)
            except ModuleNotFoundError as error:
                if error.name != path:
                    raise
                raise AttributeError(f"{ROOT} has no {name}") from None
    return found


def place_of(frame: FrameType | None) -> str:
    """The file and the line of the program that is running, outside this package and the import machinery."""
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith("<frozen") and not file.startswith(FOLDER + os.sep):
            return f"{shown(file)}, line {frame.f_lineno}"
        frame = frame.f_back
    return ""


def shown(path: str) -> str:
    """A path as it is read most easily: from the current folder on, if it lies there."""
    with contextlib.suppress(ValueError, OSError):
        relative = os.path.relpath(path)
        return path if relative.startswith("..") or path.startswith("<") else relative
    return path

"""What a finished training leaves in its folder."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ..dtypes import float64
from ..nn.modules.module import Module
from ..serialization import save, save_file
from ..serialization.replacing import replaced
from ..tensor import Tensor
from ..utils.data import DataLoader
from ..viz import Graph, confusion, decision_boundary, graph
from .loop import Training
from .page import page_of
from .tasks import loss_of

WHAT = {
    "checkpoint.pt": "the state of the training, for --resume",
    "model.pt": "the weights, as torch.save writes them",
    "model.safetensors": "the weights, for other programs",
    "history.json": "the numbers of each epoch",
    "curves.svg": "loss and accuracy",
    "norms.svg": "how large weights and gradients were",
    "graph.svg": "how the loss is computed",
    "gradcheck.txt": "gradients beside numerical ones",
    "try.html": "a page to try the network on",
    "confusion.svg": "which class was taken for which",
    "boundary.svg": "which class it gives to each point",
}
CLOSE = 1e-4  # relative: central differences in double precision come to about 1e-8


def write_results(training: Training, out: Path) -> Iterator[tuple[Path, str]]:
    """Write each result; its path, and why it is not written, if it is not. WHAT says what they are."""
    model = copy.deepcopy(training.model).to("cpu").eval()
    classes = training.task.classes
    x, y = next(iter(DataLoader(training.task.test, len(training.task.test))))  # type: ignore[arg-type]
    few, targets = x[:8], y[:8]
    writers: dict[str, Callable[[Path], object]] = {
        "model.pt": lambda path: save(model.state_dict(), path),
        "model.safetensors": lambda path: save_file(model.state_dict(), path),
        "history.json": lambda path: _write(path, json.dumps(training.history.state_dict()) + "\n"),
        "curves.svg": lambda path: training.history.plot().save(path),
        "norms.svg": lambda path: training.history.plot_norms().save(path),
        "graph.svg": lambda path: _graph(model, few, targets).save(path),
        "gradcheck.txt": lambda path: _write(path, gradient_report(model, few, targets)),
        "try.html": lambda path: _write(path, page_of(training.task, model)),
    }
    if training.task.kind == "pictures":
        writers["confusion.svg"] = lambda path: confusion(y, model(x).argmax(-1), classes).save(path)
    if training.task.kind == "points":
        writers["boundary.svg"] = lambda path: decision_boundary(model, x, y, classes).save(path)
    for name, write in writers.items():  # each writes the whole file or nothing
        try:
            write(out / name)
        except ImportError as error:  # something optional is not installed: the sentence says what
            yield out / name, str(error)
        else:
            yield out / name, ""


def _write(path: Path, text: str) -> None:
    with replaced(path) as file:
        file.write(text.encode())


def _graph(model: Module, x: Tensor, y: Tensor) -> Graph:
    """How the loss of a few samples is computed."""
    return graph(lambda: {"loss": loss_of(model(x), y)}, model=model, names={"x": x, "target": y})


def gradient_report(model: Module, x: Tensor, y: Tensor) -> str:
    """For each parameter how the loss changes along a random direction: by the engine and by differences."""
    model = copy.deepcopy(model).double().eval()
    x = x.to(float64) if x.is_floating_point() else x
    model.zero_grad()
    loss_of(model(x), y).backward()
    rng = np.random.default_rng(0)
    lines = [f"{'parameter':<24}{'by the engine':>18}{'by differences':>18}{'relative error':>18}"]
    errors = []
    for name, parameter in model.named_parameters():
        values = parameter.detach().numpy()
        direction = rng.standard_normal(values.shape)
        direction /= np.sqrt((direction**2).sum())
        found = float((parameter.grad.numpy() * direction).sum())  # type: ignore[union-attr]
        step = 1e-5 * max(1.0, float(np.abs(values).max()))
        heights = []
        for sign in (1, -1):
            values += sign * step * direction  # the array is the parameter's own memory
            heights.append(loss_of(model(x), y).item())
            values -= sign * step * direction
        numeric = (heights[0] - heights[1]) / (2 * step)
        errors.append(abs(found - numeric) / max(abs(found), abs(numeric), 1e-6))
        lines.append(f"{name:<24}{found:>18.10f}{numeric:>18.10f}{errors[-1]:>18.1e}")
    fine = all(error < CLOSE for error in errors)  # which nan is not
    verdict = "the gradients are right" if fine else f"NOT RIGHT: an error that is not below {CLOSE:g}"
    about = f"The change of the loss along one random direction of each parameter, for {len(x)} samples, in float64."
    return "\n".join([about, "", *lines, "", verdict, ""])

"""Every network that can be trained by name, trained a little, for the tests of what comes of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tinygrad_edu.train import Training
from tinygrad_edu.train.tasks import TASKS

NETWORKS = [
    *(("digits", model) for model in ("linear", "mlp", "cnn")),
    *(("pixels", model) for model in ("linear", "mlp", "cnn")),
    *(("moons", model) for model in ("linear", "mlp")),
    *(("names", model) for model in ("bigram", "mlp", "lstm")),
    *(("shakespeare", model) for model in ("mlp", "gpt")),
]


@contextmanager
def small_texts(folder: Path) -> Iterator[None]:
    """Small texts in the place of the real ones."""
    rng = np.random.default_rng(0)
    (folder / "names.txt").write_text("\n".join("".join(rng.choice(list("aeimnor"), 5)) for _ in range(400)))
    (folder / "tinyshakespeare.txt").write_text("To be, or not to be: that is the question.\n" * 60)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYGRAD_EDU_DATA", str(folder))
        yield


def trained(name: str, model: str, folder: Path, epochs: int = 1) -> Training:
    """A network after a few epochs, of a text short ones."""
    task = replace(TASKS[name](), steps=20 if name in ("names", "shakespeare") else None)
    training = Training(task, replace(task.proposed, task=name, model=model, epochs=epochs))
    for _ in training.run(folder / "checkpoint.pt"):
        pass
    return training

"""What can be trained by name: its data, its networks, and settings that work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .. import datasets
from ..datasets import transforms as T
from ..nn.functional import cross_entropy
from ..tensor import Tensor
from ..utils.data import Dataset, Subset, TensorDataset
from . import models


@dataclass(frozen=True)
class Options:
    """What a person may choose; None is what the task proposes."""

    task: str | None = None
    model: str | None = None
    optimizer: str | None = None
    epochs: int | None = None
    lr: float | None = None
    batch_size: int | None = None
    device: str | None = None
    seed: int | None = None

    def completed(self, proposed: Options) -> Options:
        """With what the task proposes where nothing is chosen."""
        return replace(proposed, **{name: value for name, value in vars(self).items() if value is not None})


@dataclass(frozen=True)
class Task:
    """Data to learn from and to test, and what is known about them."""

    name: str
    kind: str  # "pictures", "points" or "text"
    learn: Dataset
    test: Dataset
    classes: Sequence[str]  # for text its characters
    models: dict[str, models.Make]
    proposed: Options
    steps: int | None = None  # batches an epoch, drawn at random; None goes once through the data
    facts: dict[str, Any] = field(default_factory=dict)  # for the page

    def samples(self) -> str:
        """How much there is to learn from."""
        what = {"pictures": "drawings", "points": "points", "text": "stretches of text"}[self.kind]
        return f"{len(self.learn):,} {what} to learn from, {len(self.test):,} to test"  # type: ignore[arg-type]


def loss_of(scores: Tensor, targets: Tensor) -> Tensor:
    """The cross-entropy of scores (B, C), or (B, T, C) for every place of a text."""
    if scores.ndim == 3:
        return cross_entropy(scores.flatten(0, 1), targets.flatten())
    return cross_entropy(scores, wanted(scores, targets))


def right(scores: Tensor, targets: Tensor) -> Tensor:
    """Which scores are highest for the right class."""
    return scores.argmax(-1) == wanted(scores, targets)


def wanted(scores: Tensor, targets: Tensor) -> Tensor:
    """The targets that scores are for: of a stretch of text perhaps the last place only."""
    return targets[:, -1] if targets.ndim > scores.ndim - 1 else targets


# --- the tasks -------------------------------------------------------------------------------------------------------------------


def digits() -> Task:
    """Handwritten digits of 8 by 8, within the package."""
    learn, test = (datasets.Digits(train, transform=T.ToTensor()) for train in (True, False))
    facts = {"side": 8, "mean": 0.0, "std": 1.0}
    proposed = _settings("mlp", "adam", epochs=20, lr=0.005, batch_size=32)
    return Task("digits", "pictures", learn, test, learn.classes, models.for_pictures(8, 10, 64), proposed, facts=facts)


def mnist() -> Task:
    """Handwritten digits of 28 by 28, downloaded."""
    facts = {"side": 28, "mean": 0.1307, "std": 0.3081}
    transform = T.Compose([T.ToTensor(), T.Normalize((facts["mean"],), (facts["std"],))])
    learn, test = (datasets.MNIST(None, train, transform, download=True) for train in (True, False))
    proposed = _settings("mlp", "adam", epochs=5, lr=0.001, batch_size=64)
    names = datasets.Digits.classes
    return Task("mnist", "pictures", learn, test, names, models.for_pictures(28, 10, 128), proposed, facts=facts)


def pixels() -> Task:
    """Drawings of horizontal, vertical and crossed lines, 6 by 6."""
    drawn = (datasets.pixel_lines(n, seed=seed) for n, seed in ((900, 0), (300, 1)))
    learn, test = (TensorDataset(x[:, None], y) for x, y in drawn)
    proposed = _settings("mlp", "adam", epochs=30, lr=0.01, batch_size=32)
    facts = {"side": 6, "mean": 0.0, "std": 1.0}
    made = models.for_pictures(6, 3, 16)
    return Task("pixels", "pictures", learn, test, datasets.LINES, made, proposed, facts=facts)


def moons() -> Task:
    """Points of two half circles that reach into each other."""
    learn, test = (TensorDataset(*datasets.moons(n, noise=0.15, seed=seed)) for n, seed in ((400, 0), (200, 1)))
    proposed = _settings("mlp", "adam", epochs=40, lr=0.01, batch_size=32)
    return Task("moons", "points", learn, test, ("upper", "lower"), models.for_points(2), proposed)


def names() -> Task:
    """First names, letter by letter, downloaded."""
    every = datasets.names(download=True)
    shuffled = np.random.default_rng(0).permutation(len(every))  # in the file they are sorted by frequency
    text = "\n" + "\n".join(every[i] for i in shuffled) + "\n"
    proposed = _settings("mlp", "adam", epochs=10, lr=0.003, batch_size=64)
    return _text("names", text, 8, proposed, width=64, steps=300)


def shakespeare() -> Task:
    """A piece of Shakespeare, letter by letter, downloaded."""
    text = datasets.tiny_shakespeare(download=True)
    proposed = _settings("gpt", "adamw", epochs=10, lr=0.002, batch_size=32)
    return _text("shakespeare", text, 32, proposed, width=64, steps=200)


def _settings(model: str, optimizer: str, **numbers: Any) -> Options:
    return Options(model=model, optimizer=optimizer, device="cpu", seed=0, **numbers)


def _text(name: str, text: str, context: int, proposed: Options, width: int, steps: int) -> Task:
    vocabulary = datasets.Vocabulary(text)
    numbers = vocabulary.encode(text)
    end = len(text) * 9 // 10
    learn, rest = datasets.Windows(numbers[:end], context), datasets.Windows(numbers[end:], context)
    test = Subset(rest, range(0, len(rest), max(1, len(rest) // 2000)))
    made = models.for_text(len(vocabulary), context, width)
    return Task(name, "text", learn, test, vocabulary.characters, made, proposed, steps, {"context": context})


TASKS: dict[str, Callable[[], Task]] = {f.__name__: f for f in (digits, mnist, pixels, moons, names, shakespeare)}

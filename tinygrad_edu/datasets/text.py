"""Text to learn letter by letter: names, a piece of Shakespeare, and what turns text into numbers and back."""

from __future__ import annotations

import numpy as np

from ..ops import as_tensor
from ..tensor import Tensor
from ..utils.data import Dataset
from .files import File, fetch
from .vision import Root

NAMES = File(
    "names.txt",
    "sha256:0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d",
    ("https://raw.githubusercontent.com/karpathy/makemore/master/names.txt",),
)
SHAKESPEARE = File(
    "tinyshakespeare.txt",
    "sha256:86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    (
        "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        "https://storage.googleapis.com/download.tensorflow.org/data/shakespeare.txt",
    ),
)


def names(root: Root = None, download: bool = False) -> list[str]:
    """32,033 first names in small letters, the most frequent first."""
    return fetch(NAMES, root, ("",), download).read_text("utf-8").split()


def tiny_shakespeare(root: Root = None, download: bool = False) -> str:
    """A million letters from Shakespeare's plays."""
    return fetch(SHAKESPEARE, root, ("",), download).read_text("utf-8")


class Vocabulary:
    """The characters of a text, numbered in their order."""

    def __init__(self, text: str) -> None:
        self.characters = sorted(set(text))
        self.numbers = {character: number for number, character in enumerate(self.characters)}

    def __len__(self) -> int:
        return len(self.characters)

    def encode(self, text: str) -> Tensor:
        """The number of each character."""
        unknown = sorted(set(text) - set(self.characters))
        if unknown:
            raise ValueError(f"the vocabulary has no {unknown[0]!r}; it has {''.join(self.characters)!r}")
        return as_tensor(np.array([self.numbers[character] for character in text], np.int64))

    def decode(self, numbers: Tensor) -> str:
        """The text that numbers stand for."""
        return "".join(self.characters[number] for number in numbers.reshape(-1).tolist())


class Windows(Dataset[tuple[Tensor, Tensor]]):
    """All stretches of `length` numbers in a long row of them, each with the same stretch one place further on."""

    gives_batches = True

    def __init__(self, numbers: Tensor, length: int) -> None:
        if len(numbers) <= length:
            raise ValueError(
                f"{len(numbers)} characters are too few for stretches of {length} and the one that follows"
            )
        self.numbers, self.length = numbers, length

    def __len__(self) -> int:
        return len(self.numbers) - self.length

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of range for {len(self)} stretches")
        index %= len(self)
        return self.numbers[index : index + self.length], self.numbers[index + 1 : index + 1 + self.length]

    def gather(self, indices: np.ndarray) -> list[Tensor]:
        """The stretches that begin at these places, as a batch: (B, length) twice."""
        places = np.asarray(indices)[:, None] % len(self) + np.arange(self.length + 1)
        rows = self.numbers.array[places]
        return [as_tensor(rows[:, :-1]), as_tensor(rows[:, 1:])]


__all__ = ["Vocabulary", "Windows", "names", "tiny_shakespeare"]

"""What programs read about the version: this package's own, and PyTorch's that its API follows."""

from __future__ import annotations

import itertools
from typing import Any


class TorchVersion(str):
    """A version as text that compares by its numbers: with another text, or with a tuple such as `(2, 1)`."""

    __slots__ = ()

    def _numbers(self) -> tuple[int, ...]:
        return _numbers(str(self))

    def __lt__(self, other: Any) -> bool:
        return self._numbers() < _numbers(other)

    def __le__(self, other: Any) -> bool:
        return self._numbers() <= _numbers(other)

    def __gt__(self, other: Any) -> bool:
        return self._numbers() > _numbers(other)

    def __ge__(self, other: Any) -> bool:
        return self._numbers() >= _numbers(other)

    def __eq__(self, other: Any) -> bool:
        return str.__eq__(self, other) if isinstance(other, str) else self._numbers() == _numbers(other)

    def __ne__(self, other: Any) -> bool:
        return not self == other

    __hash__ = str.__hash__


def _numbers(version: Any) -> tuple[int, ...]:
    """`(2, 13, 0)` for "2.13.0+cpu", and for a tuple its own numbers; zeros at the end do not count."""
    parts = version.partition("+")[0].split(".") if isinstance(version, str) else version
    numbers = [int("".join(itertools.takewhile(str.isdecimal, str(part))) or 0) for part in parts]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


own = "0.1.0"
__version__ = TorchVersion("2.13.0+tinygrad")  # PyTorch's, for programs that ask torch for it
cuda: str | None = None
hip: str | None = None
xpu: str | None = None
git_version = "tinygrad_edu"
debug = False

__all__ = ["TorchVersion", "cuda", "debug", "git_version", "hip", "own", "xpu"]

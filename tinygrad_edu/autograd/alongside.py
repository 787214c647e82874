"""What goes along with walks that add into `grad`: each companion is told where a walk begins, and when it has ended."""

from __future__ import annotations

import contextlib
import itertools
import weakref
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from .graph import Node


class Companion(Protocol):
    """Somebody for whom a walk back is more than its result."""

    def along(self, roots: Sequence[Node]) -> contextlib.AbstractContextManager:
        """A context for the time of a walk that begins at these nodes."""


_companions: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
_numbers = itertools.count().__next__
_nobody = contextlib.nullcontext()


def accompany(companion: Companion) -> None:
    """Let somebody go along with every walk from now on, for as long as it lives."""
    _companions[_numbers()] = companion


def company(roots: Sequence[tuple[Node, Any]]) -> contextlib.AbstractContextManager:
    """The time of a walk, with those who go along; the oldest of them comes first."""
    return _together([node for node, _ in roots]) if _companions else _nobody


@contextlib.contextmanager
def _together(roots: list[Node]) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for companion in list(_companions.values()):
            stack.enter_context(companion.along(roots))
        yield

"""The conditions under which a recording may be replayed, written out as one expression.

There are a hundred of them for a network of two layers. The expression takes 2 µs, where loops over half as many took 4,
and the whole step takes 36. `print(program.guards.source)` shows it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from ..written import executed


class Guards:
    """Conditions, and the objects that they speak of."""

    def __init__(self) -> None:
        self.conditions: list[str] = []
        self.objects: dict[str, Any] = {}
        self._names: dict[int, str] = {}

    def name(self, value: Any, kind: str = "c") -> str:
        """A name for an object, the same each time."""
        if id(value) not in self._names:
            self._names[id(value)] = f"{kind}{len(self.objects)}"
            self.objects[self._names[id(value)]] = value  # which keeps it alive, and its identity its own
        return self._names[id(value)]

    def require(self, *conditions: str) -> None:
        """All these must hold."""
        self.conditions += conditions

    def require_table(self, table: dict[str, Any]) -> None:
        """A dictionary has the same keys with the very same values."""
        known = self.name(table, "table")
        self.require(f"len({known}) == {len(table)}")
        self.require(*[f"{known}[{key!r}] is {self.name(value)}" for key, value in table.items()])

    @property
    def source(self) -> str:
        """The conditions as a function; what is not there any more has changed."""
        first, *others = dict.fromkeys(self.conditions)
        lines = ["def hold():", "    try:", "        return (", f"            {first}"]
        lines += [f"            and {condition}" for condition in others]
        return "\n".join(
            [*lines, "        )", "    except (AttributeError, KeyError, ValueError):", "        return False", ""]
        )

    @cached_property
    def hold(self) -> Callable[[], bool]:
        """Whether all of them hold."""
        return executed(self.source, "<guards of a recorded step>", self.objects)["hold"]

"""Anomaly mode: every node remembers the line that made it, every write its line, and the first NaN is found.

A NaN is an error as soon as it matters: when a gradient is NaN, or when the walk back comes to a value that is NaN and
on which the result depends. Then the error tells where the first one was born: forward before backward. A NaN that a
mask takes out again, or an infinity that `softmax` expects, is no error.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .first_nan import AnomalyError, Birth, backward_error, blown_up, forward_error, is_float, matters, short_name
from .graph import Node, Several
from .modes import observer, watch
from .places import PACKAGE, Line, own_code, walk_now, where

__all__ = [
    "PACKAGE",
    "Anomaly",
    "AnomalyError",
    "Line",
    "current",
    "detect_anomaly",
    "is_anomaly_check_nan_enabled",
    "is_anomaly_enabled",
    "own_code",
    "set_detect_anomaly",
    "short_name",
    "where",
]


class Anomaly:
    """The observer that notes lines and looks for NaN; whoever observed before goes on to be told."""

    def __init__(self, check_nan: bool, outer: Any) -> None:
        self.check_nan, self.outer = check_nan, outer
        self.births: list[Birth] = []  # NaN in the forward pass whose inputs had none: the first few

    def recorded(self, node: Node, inputs: Any, outputs: Any) -> None:
        """A node was made."""
        node.trace = where()
        if self.check_nan:
            self._look(node, inputs, outputs)
        if self.outer is not None:
            self.outer.recorded(node, inputs, outputs)

    def _look(self, node: Any, inputs: Any, outputs: Any) -> None:
        node.rule_of = walk_now().get("node")  # not None while a walk is itself recorded
        arrays = [t.array for t in outputs if t.array.dtype.kind in "fc"]
        if all(np.isfinite(a).all() for a in arrays):
            return
        if any(np.isnan(a).any() for a in arrays):
            node.birth = birth = Birth(node, inputs, outputs)
            if not birth.inherited and len(self.births) < 8:
                self.births.append(birth)
        elif not any(is_float(v) and np.isinf(v.array).any() for v in inputs):
            node.infinite = True  # worth a word if it turns to NaN

    def written(self, tensor: Any, what: str) -> None:
        """Memory was written."""
        tensor.version().trace = where()
        if self.outer is not None:
            self.outer.written(tensor, what)

    def walked(self, node: Node, g: Any, results: list[tuple[Node, Any]]) -> None:
        """A node has passed its gradient on."""
        if self.outer is not None:
            self.outer.walked(node, g, results)
        if not self.check_nan:
            return
        birth = getattr(node, "birth", None)
        if birth is not None and matters(birth, g):
            raise forward_error(node, birth, g)
        for edge, gx in results:
            array = getattr(gx, "array", gx)
            if isinstance(array, Several) or np.isfinite(array).all():
                continue
            if np.isnan(array).any():
                raise backward_error(node, g, edge, array)
            edge.blown_up = blown_up(node, g) or (short_name(node), node.trace)  # type: ignore[attr-defined]


# --- the mode --------------------------------------------------------------------------------------------------------


def current() -> Anomaly | None:
    """The anomaly mode of this thread, also where somebody else observes inside it."""
    found = observer.get()
    while found is not None and not isinstance(found, Anomaly):
        found = getattr(found, "outer", None)
    return found


class set_detect_anomaly:
    """Anomaly mode on or off: at once, and until the end of a `with` block."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        found = observer.get()
        outer = found.outer if isinstance(found, Anomaly) else found
        self.end = watch(Anomaly(check_nan, outer) if mode else outer)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        self.end()


class detect_anomaly:
    """Anomaly mode for a `with` block."""

    def __init__(self, check_nan: bool = True) -> None:
        self.check_nan = check_nan

    def __enter__(self) -> None:
        self.mode = set_detect_anomaly(True, self.check_nan)

    def __exit__(self, *error: object) -> None:
        self.mode.__exit__(*error)


def is_anomaly_enabled() -> bool:
    """Whether anomaly mode is on in this thread."""
    return current() is not None


def is_anomaly_check_nan_enabled() -> bool:
    """Whether anomaly mode is on in this thread and looks for NaN."""
    found = current()
    return found is not None and found.check_nan

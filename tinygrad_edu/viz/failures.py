"""Failures as pictures: what lies around the operation in which something went wrong."""

from __future__ import annotations

import numpy as np

from ..autograd.anomaly import AnomalyError
from ..tensor import wrap
from .graph import Graph, picture_of
from .picture import Line


def graph_of(error: AnomalyError, reach: int = 3) -> Graph:
    """The graph around the operation that made the first NaN, which is red."""
    picture = picture_of(wrap(np.zeros(error.top.shape, error.dtype), error.top), around=error.node, reach=reach)
    for box in picture.boxes:
        if box.kind == "result":  # a stand-in: its value is not known any more
            box.lines = box.lines[:1]
    box = picture.box(picture.places[error.node])
    box.bad = True
    box.lines.insert(0, Line(f"nan at {list(error.index)}", "bad"))
    return Graph(picture)

"""Objects of any kind between processes, pickled: for names, numbers and settings; tensors have calls of their own."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np

from ..tensor import wrap
from .collectives import all_gather_into_tensor, broadcast
from .groups import ProcessGroup, member
from .travel import root_of


def _packed(obj: Any) -> np.ndarray:
    return np.frombuffer(pickle.dumps(obj), np.uint8).copy()


def _unpacked(numbers: np.ndarray) -> Any:
    return pickle.loads(numbers.tobytes())


def all_gather_object(object_list: list[Any], obj: Any, group: Any = None) -> None:
    """object_list[k] = the object of process k."""
    g = member("all_gather_object", group)
    if g is None:
        return
    _need_places("all_gather_object", object_list, g)
    object_list[:] = _gathered(g, obj)


def gather_object(
    obj: Any,
    object_gather_list: list[Any] | None = None,
    dst: int | None = None,
    group: Any = None,
    group_dst: int | None = None,
) -> None:
    """object_gather_list[k] = the object of process k, in the process `dst`."""
    g = member("gather_object", group)
    if g is None:
        return
    mine = g.rank() == root_of(g, dst, group_dst)
    if mine:
        _need_places("gather_object", object_gather_list, g)
    found = _gathered(g, obj)
    if mine and object_gather_list is not None:
        object_gather_list[:] = found


def broadcast_object_list(
    object_list: list[Any],
    src: int | None = None,
    group: Any = None,
    device: Any = None,
    group_src: int | None = None,
) -> None:
    """The objects of the process `src` for all, in a list of as many places."""
    g = member("broadcast_object_list", group)
    if g is None:
        return
    root = root_of(g, src, group_src)
    mine = g.rank() == root
    numbers = _packed(list(object_list)) if mine else np.empty(0, np.uint8)
    length = np.array([numbers.size])
    broadcast(wrap(length), group=g, group_src=root)
    if not mine:
        numbers = np.empty(int(length[0]), np.uint8)
    broadcast(wrap(numbers), group=g, group_src=root)
    object_list[:] = _unpacked(numbers)


def scatter_object_list(
    scatter_object_output_list: list[Any],
    scatter_object_input_list: list[Any] | None = None,
    src: int | None = None,
    group: Any = None,
    group_src: int | None = None,
) -> None:
    """The first place of the output list = this process's object in the list of the process `src`."""
    g = member("scatter_object_list", group)
    if g is None:
        return
    objects = list(scatter_object_input_list or [None] * g.size())
    _need_places("scatter_object_list", objects, g)
    broadcast_object_list(objects, src, g, group_src=group_src)
    scatter_object_output_list[0] = objects[g.rank()]


def _need_places(what: str, objects: list[Any] | None, g: ProcessGroup) -> None:
    if objects is None or len(objects) != g.size():
        found = "none" if objects is None else f"one of {len(objects)}"
        raise ValueError(f"{what}: a list of {g.size()} places is wanted, one for each process, and {found} was given")


def _gathered(g: ProcessGroup, obj: Any) -> list[Any]:
    """The objects of all: first how long they are, then all of them, at the length of the longest."""
    numbers = _packed(obj)
    lengths = np.zeros(g.size(), np.int64)
    all_gather_into_tensor(wrap(lengths), wrap(np.array([numbers.size])), g)
    longest = int(lengths.max())
    parts = np.zeros((g.size(), longest), np.uint8)
    all_gather_into_tensor(wrap(parts), wrap(np.resize(numbers, longest)), g)
    return [_unpacked(part[:length]) for part, length in zip(parts, lengths, strict=True)]

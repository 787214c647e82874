"""A module called with other parameters than its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...ops.misuse import explain_all as _explain_all
from ...tensor import Tensor
from ..modules.module import Module

__all__ = ["functional_call"]

ABSENT: Any = object()


def functional_call(
    module: Module,
    parameters_and_buffers: Mapping[str, Tensor] | Sequence[Mapping[str, Tensor]],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """The module's answer with its parameters and buffers replaced, by their dotted names, during the call."""
    if isinstance(parameters_and_buffers, (list, tuple)):
        merged: dict[str, Tensor] = {}
        for part in parameters_and_buffers:
            twice = merged.keys() & part.keys()
            if twice:
                raise ValueError(f"{sorted(twice)} appeared in several dictionaries; which is meant is ambiguous")
            merged.update(part)
        parameters_and_buffers = merged
    if not isinstance(parameters_and_buffers, Mapping):
        kind = type(parameters_and_buffers).__name__
        raise ValueError(f"Expected parameters_and_buffers to be a dict, or a list/tuple of dicts, but got {kind}")
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    with _replaced(module, dict(parameters_and_buffers), tie_weights, strict):
        return module(*args, **(kwargs or {}))


@contextlib.contextmanager
def _replaced(module: Module, given: dict[str, Tensor], tie_weights: bool, strict: bool) -> Iterator[None]:
    """Inside, the tables of the submodules hold the tensors given; afterwards what they held before."""
    places = _places(module)
    if strict:
        _check_all_there(module, given, places)
    if tie_weights:
        given = _with_tied(given, places)
    slots = {name: places.get(name) or _place_of_attribute(module, name) for name in given}
    before = [(table, key, table.get(key, ABSENT)) for table, key in slots.values()]
    try:
        for name, (table, key) in slots.items():
            table[key] = given[name]
        yield
    finally:
        for table, key, tensor in before:
            if tensor is ABSENT:
                del table[key]
            else:
                table[key] = tensor


def _places(module: Module) -> dict[str, tuple[dict, str]]:
    """Where each parameter and buffer stands: the table and the key."""
    return {
        f"{path}.{key}" if path else key: (table, key)
        for path, part in module.named_modules(remove_duplicate=False)
        for table in (part._parameters, part._buffers)
        for key, tensor in table.items()
        if tensor is not None
    }


def _place_of_attribute(module: Module, name: str) -> tuple[dict, str]:
    """Where a name stands that is no parameter or buffer with a value: an empty place, or a plain attribute."""
    path, _, key = name.rpartition(".")
    part = module.get_submodule(path)
    tables = (part._parameters, part._buffers, part.__dict__)
    return next((table for table in tables if key in table), part.__dict__), key


def _with_tied(given: dict[str, Tensor], places: dict[str, tuple[dict, str]]) -> dict[str, Tensor]:
    """What is given for one name of a tensor holds for its other names too."""
    names: dict[int, list[str]] = {}
    for name, (table, key) in places.items():
        names.setdefault(id(table[key]), []).append(name)
    out = dict(given)
    for tied in names.values():
        values = {id(given[name]): given[name] for name in tied if name in given}
        if len(values) > 1:
            raise ValueError(
                f"functional_call got multiple values for keys {sorted(tied)}, which are tied. "
                "Consider using tie_weights=False"
            )
        for value in values.values():
            out.update(dict.fromkeys(tied, value))
    return out


def _check_all_there(module: Module, given: dict[str, Tensor], places: dict[str, tuple[dict, str]]) -> None:
    unexpected, missing = [n for n in given if n not in places], [n for n in places if n not in given]
    errors = [f"Unexpected key(s): {', '.join(map(repr, unexpected))}."] if unexpected else []
    if missing:
        errors.append(f"Missing key(s): {', '.join(map(repr, missing))}.")
    if errors:
        raise RuntimeError(f"Error(s) in reparametrizing for {type(module).__name__}:\n\t" + "\n\t".join(errors))


_explain_all(globals())

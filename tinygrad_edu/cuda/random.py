"""Seeds of GPUs. A GPU begins with the seed of `manual_seed`, so there is nothing to do without one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import devices
from .. import random as _random
from ..tensor import Tensor
from .place import _index, device_count, is_available


def _generator(device: Any) -> _random.Generator:
    index = _index(None if device == "cuda" else device)
    if index not in _random._on_gpu:
        seed = _random.default_generator.initial_seed()
        _random._on_gpu[index] = _random.Generator(devices.device("cuda", index)).manual_seed(seed)
    return _random._on_gpu[index]


def manual_seed(seed: int) -> None:
    """Begin the current GPU's numbers again from a seed."""
    if is_available():
        _generator(None).manual_seed(int(seed))


def manual_seed_all(seed: int) -> None:
    """Begin every GPU's numbers again from a seed."""
    for index in range(device_count()):
        _generator(index).manual_seed(int(seed))


def seed() -> None:
    """Begin the current GPU's numbers again from a seed that nobody can foresee."""
    if is_available():
        _generator(None).seed()


def seed_all() -> None:
    """Begin every GPU's numbers again from one seed that nobody can foresee."""
    manual_seed_all(_random.Generator().seed())


def initial_seed() -> int:
    """The seed from which the current GPU's numbers began."""
    return _generator(None).initial_seed()


def get_rng_state(device: Any = "cuda") -> Tensor:
    """Where in its sequence a GPU's generator is."""
    return _generator(device).get_state()


def get_rng_state_all() -> list[Tensor]:
    """Where in its sequence every GPU's generator is."""
    return [get_rng_state(index) for index in range(device_count())]


def set_rng_state(new_state: Tensor, device: Any = "cuda") -> None:
    """Go to a place in the sequence of a GPU's generator."""
    _generator(device).set_state(new_state)


def set_rng_state_all(new_states: Sequence[Tensor]) -> None:
    """Go to a place in the sequence of every GPU's generator."""
    for index, state in enumerate(new_states):
        set_rng_state(state, index)

"""Results held against PyTorch's: structure, names, shapes, dtypes, numbers, memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_edu.tensor import Tensor, wrap

from .translation import Untranslatable, address, dtype, tensors, torch

# by the size of a real number: relative to the number itself, and to the largest number of the result, since sums
# are added up in another order here
TOLERANCES = {8: (1e-9, 1e-12), 4: (1e-4, 1e-5), 2: (2e-3, 2e-3)}


class Different(AssertionError):
    """The two libraries disagree."""


def same(found: Any, expected: Any, where: str = "", values: bool = True, widened: float = 1.0) -> int:
    """Raise `Different` unless a result is PyTorch's; the answer is how many numbers were compared."""
    if isinstance(expected, torch.Tensor):
        return same_tensor(found, expected, where, values, widened)
    if isinstance(expected, (list, tuple)):
        return same_sequence(found, expected, where, values, widened)
    if isinstance(expected, torch.dtype):
        if found is not dtype(expected):
            raise Different(f"{where}{found!r} instead of {expected!r}")
        return 1
    if type(found) is not type(expected):
        raise Different(f"{where}{kind(found)} instead of {kind(expected)}")
    if values and isinstance(expected, (int, float, complex)):
        return same_numbers(np.asarray(found), np.asarray(expected), where, widened)
    if values and found != expected:
        raise Different(f"{where}{found!r} instead of {expected!r}")
    return 1


def same_sequence(found: Any, expected: list | tuple, where: str, values: bool, widened: float) -> int:
    """Several results: as many, under the same names."""
    if not isinstance(found, (list, tuple)):
        raise Different(f"{where}{kind(found)} instead of {len(expected)} results")
    if len(found) != len(expected):
        raise Different(f"{where}{len(found)} results instead of {len(expected)}")
    names = names_of(expected)
    if names and names_of(found) != names:
        raise Different(f"{where}results named {names_of(found)} instead of {names}")
    triples = zip(found, expected, names or range(len(expected)), strict=True)
    return 1 + sum(same(f, e, f"{where}[{name}]: ", values, widened) for f, e, name in triples)


def names_of(results: Any) -> tuple[str, ...]:
    """The names of a named tuple's fields, PyTorch's or Python's."""
    if type(results).__module__ == "torch.return_types":
        return tuple(results.__match_args__)
    return tuple(getattr(results, "_fields", ()))


def same_tensor(found: Any, expected: torch.Tensor, where: str, values: bool, widened: float) -> int:
    """One tensor: shape, dtype, and its numbers where `values` asks for them."""
    if expected.layout is not torch.strided:
        raise Untranslatable(str(expected.layout))
    if not isinstance(found, Tensor) or kind(found) != kind(expected):
        raise Different(f"{where}{kind(found)} instead of {kind(expected)}")
    if not values:
        return 1
    return same_numbers(found.array, expected.detach().numpy(force=True), where, widened)


def same_numbers(found: np.ndarray, expected: np.ndarray, where: str, widened: float) -> int:
    """Infinities and NaN in the same places, other floating-point numbers nearly the same, the rest exactly."""
    wrong = found != expected
    if expected.dtype.kind in "fc":
        relative, rounding = TOLERANCES[expected.real.dtype.itemsize]
        with np.errstate(all="ignore"):
            largest = np.abs(expected[np.isfinite(expected)]).max(initial=0)
            bound = widened * (relative * np.abs(expected) + rounding * (1 + largest))
            near = np.isfinite(expected) & (np.abs(found - expected) <= bound)
        if expected.dtype.kind == "c":  # which part of a product is infinite and which is NaN hangs on its order
            near |= ~np.isfinite(expected) & ~np.isfinite(found)
        wrong &= ~(near | (np.isnan(found) & np.isnan(expected)))
    if wrong.any():
        i = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
        place = f" at {[int(k) for k in i]}" if i else ""
        share = f" ({int(wrong.sum())} of {wrong.size} differ)" if wrong.size > 1 else ""
        raise Different(f"{where}{found[i]:.8g} instead of {expected[i]:.8g}{place}{share}")
    return max(wrong.size, 1)


def same_memory(found: Any, arguments: Any, expected: Any, their_arguments: Any) -> int:
    """A result shows an argument's memory exactly where PyTorch's does: else writes would be lost, or seen elsewhere."""
    compared = 0
    for k, (result, their_result) in enumerate(zip(tensors(found), tensors(expected), strict=True)):
        for n, (argument, their_argument) in enumerate(zip(tensors(arguments), tensors(their_arguments), strict=True)):
            if their_result.numel() and their_argument.numel():
                shares = owner(result.array) is owner(argument.array)
                if shares != (address(their_result) == address(their_argument)):
                    words = ("shows", "does not show") if shares else ("does not show", "shows")
                    raise Different(f"result {k} {words[0]} the memory of argument {n}; PyTorch's {words[1]} it")
                compared += 1
    return compared


def with_their_choice(found: Any, expected: Any, input: torch.Tensor) -> Any:
    """The result with PyTorch's positions, if ours lead to equal numbers: among equal ones either may be first."""
    mine, theirs = tensors(found), tensors(expected)
    if len(mine) != len(theirs) or kind(mine[-1]) != kind(theirs[-1]):
        return found
    numbers, places = input.detach().numpy(force=True), (mine[-1].array, theirs[-1].numpy(force=True))
    for dim in range(numbers.ndim):
        keeping = places if places[0].ndim == numbers.ndim else [np.expand_dims(p, dim) for p in places]
        if all(k == dim or n == m for k, (n, m) in enumerate(zip(keeping[0].shape, numbers.shape, strict=True))):
            chosen, their_choice = (np.take_along_axis(numbers, p, dim) for p in keeping)
            if np.array_equal(chosen, their_choice, equal_nan=numbers.dtype.kind in "fc"):
                positions = wrap(places[1])
                return positions if isinstance(found, Tensor) else type(found)(*[*found[:-1], positions])
    return found


def owner(a: Any) -> Any:
    """The array whose memory an array shows, through all windows."""
    while getattr(a, "base", None) is not None:
        a = a.base
    return a


def kind(value: Any) -> str:
    """A result in a message: tensors by dtype and shape."""
    if isinstance(value, (torch.Tensor, Tensor)):
        return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
    return f"{type(value).__name__} {str(value)[:40]}"

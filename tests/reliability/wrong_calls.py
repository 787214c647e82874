"""Calls of every public function with arguments of wrong types, shapes and dtypes, and what they end in, in one engine or
beside PyTorch: `python wrong_calls.py COUNT [NAME ...]` shows where this engine gives an answer and PyTorch an error."""

from __future__ import annotations

import contextlib
import inspect
import signal
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import numpy as np

import tinygrad_edu as tg

PATIENCE = 10  # seconds for one call

# they change how the whole process works, read or write files, or give memory as it is
ELSEWHERE = set(
    """
    save load compile install_as_torch set_default_dtype set_default_device set_default_tensor_type set_num_threads
    set_num_interop_threads manual_seed seed set_printoptions set_rng_state set_grad_enabled set_warn_always
    use_deterministic_algorithms set_deterministic_debug_mode set_flush_denormal set_float32_matmul_precision
    set_anomaly_enabled set_autocast_enabled get_default_dtype get_rng_state initial_seed from_file storage
    untyped_storage data_ptr share_memory_ set_ empty empty_like new_empty empty_strided empty_permuted
    new_empty_strided resize_ resize_as_ apply_ map_ map2_ register_hook typename module_load memory_stats
    """.split()
)


class Tensor:
    """A tensor to be made in either engine."""

    def __init__(self, *shape: int, dtype: str = "float32", grad: bool = False) -> None:
        self.shape, self.dtype, self.grad = shape, dtype, grad

    def made(self, engine: Any) -> Any:
        """The same numbers each time."""
        rng = np.random.default_rng(0)
        values = rng.random(self.shape) + 0.1 if self.dtype[0] in "fc" else rng.integers(0, 3, self.shape)
        tensor = engine.from_numpy(np.asarray(values).astype(self.dtype))
        return tensor.requires_grad_() if self.grad else tensor

    def __repr__(self) -> str:
        return f"<{self.dtype} {list(self.shape)}{' with a gradient' * self.grad}>"


class Name:
    """Something that both engines have by the same name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def made(self, engine: Any) -> Any:
        """It."""
        return getattr(engine, self.name)

    def __repr__(self) -> str:
        return self.name


TENSORS = [
    Tensor(2, 3), Tensor(3), Tensor(), Tensor(2, 3, 4), Tensor(4, 5), Tensor(3, 3), Tensor(2, 2, 5, 5), Tensor(0),
    Tensor(0, 3), Tensor(2, 3, grad=True), *(Tensor(2, 3, dtype=d) for d in "int64 bool complex64 float64 uint8 float16".split()),
    Tensor(3, dtype="int64"), Tensor(2, dtype="int64"),
]  # fmt: skip
OTHERS = [
    None, -7, -1, 0, 1, 2, 3, 10, 2.5, 1j, True, float("nan"), float("inf"), 2**70, 2**40, np.float32(2), "text", "mean",
    "sum", b"x", (), [], {}, object(), (0, 1), (1, -5), (2, 2), (2.5, 1), (None,), [1, 2], [Tensor(2, 3), Tensor(2, 3)],
    [Tensor(2, 3), Tensor(4, 5)], Name("float32"), Name("int64"), Name("bool"),
]  # fmt: skip


def made(value: Any, engine: Any) -> Any:
    """An argument in an engine."""
    if isinstance(value, (Tensor, Name)):
        return value.made(engine)
    return [made(each, engine) for each in value] if type(value) is list else value


def functions() -> Iterator[tuple[str, str, Callable]]:
    """Every public function: the name of its place, its own, and itself."""
    nn, optim = tg.nn, tg.optim
    places = {
        "nn.functional": nn.functional,
        "linalg": tg.linalg,
        "fft": tg.fft,
        "special": tg.special,
        "": tg,
        "nn": nn,
    }
    places |= {
        "Tensor": tg.Tensor,
        "nn.init": nn.init,
        "nn.utils": nn.utils,
        "optim": optim,
        "signal.windows": tg.signal.windows,
    }
    for place, space in places.items():
        for name in dir(space):
            found = getattr(space, name)
            kinds = (type,) if place in ("nn", "optim") else (types.FunctionType, types.BuiltinFunctionType)
            home = str(getattr(found, "__module__", ""))
            alone = place in ("linalg", "fft", "nn.init", "signal.windows")  # a file, with what it imports
            ours = home == space.__name__ if alone else home.startswith("tinygrad_edu")
            if not name.startswith("_") and name not in ELSEWHERE and isinstance(found, kinds) and ours:
                yield place, name, found


def calls(place: str, name: str, function: Callable, count: int) -> Iterator[tuple[list, dict]]:
    """Arguments by position and by name."""
    rng = Random(f"{place}.{name}")
    try:
        parameters = [p.name for p in inspect.signature(function).parameters.values() if p.kind in (1, 3)]
    except ValueError:
        parameters = []
    any_value = lambda: rng.choice(TENSORS if rng.random() < 0.4 else OTHERS)  # noqa: E731
    for _ in range(count):
        first = rng.choice(TENSORS) if place == "Tensor" or rng.random() < 0.85 else rng.choice(OTHERS)
        first = {"nn": rng.choice((1, 3, 3, first)), "optim": rng.choice(([Tensor(2, 3, grad=True)], first))}.get(
            place, first
        )
        args = [first, *(any_value() for _ in range(rng.choice((0, 1, 1, 2, 2, 3, 4))))]
        options = {}
        if rng.random() < 0.4:
            args = args[: rng.choice((1, 1, 2))]
            rest = [p for p in parameters[len(args) :] if p not in ("self", "out")]
            options = {p: any_value() for p in rng.sample(rest, min(len(rest), rng.choice((1, 2))))}
        yield args, options


class TooSlow(BaseException):
    """Raised in the middle of a call that does not end."""


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """No call takes long, none warns, and the generators are left as they are."""

    def stop(*_: Any) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGALRM, stop)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def outcome(function: Callable, args: list, options: dict, engine: Any) -> Any:
    """What a call ends in: its answer, or the exception."""
    given, named = [made(v, engine) for v in args], {k: made(v, engine) for k, v in options.items()}
    signal.alarm(PATIENCE)
    try:
        return function(*given, **named)
    except (Exception, TooSlow) as error:
        return error
    finally:
        signal.alarm(0)


def beside(count: int, names: list[str]) -> None:
    """Show where an answer stands beside PyTorch's error."""
    import torch

    for place, name, function in functions():
        home: Any = torch
        for part in filter(None, place.split(".")):
            home = getattr(home, part)
        theirs = getattr(home, name, None)
        for args, options in (
            calls(place, name, function, count) if callable(theirs) and (not names or name in names) else ()
        ):
            error = outcome(theirs, args, options, torch)
            answer = outcome(function, args, options, tg) if isinstance(error, Exception) else error
            if isinstance(error, Exception) and not isinstance(answer, BaseException):
                print(f"{place}.{name}({args}, {options})\n    {type(error).__name__}: {str(error)[:150]}")


if __name__ == "__main__":
    with limited():
        beside(int(sys.argv[1]), sys.argv[2:])

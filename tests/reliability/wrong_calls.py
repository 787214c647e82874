"""Calls of every public function with arguments of wrong types, shapes and dtypes, and what they end in, in one engine or
beside PyTorch: `python wrong_calls.py COUNT [NAME ...]` shows where this engine gives an answer and PyTorch an error."""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import inspect
import re
import signal
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import numpy as np

import tinygrad_edu as tg

PATIENCE = 5  # seconds for one call

# where functions and classes are looked for; "!" behind a place: constructors and methods too
PLACES = """
    nn.functional linalg fft special Tensor nn.init nn.utils signal.windows nn! nn.utils.rnn! nn.utils.parametrize
    nn.utils.parametrizations nn.utils.prune nn.utils.stateless nn.parallel! optim! optim.lr_scheduler! optim.swa_utils!
    distributions! func utils.data! amp! sparse autograd autograd.functional autograd.graph distributed viz! datasets!
    datasets.transforms! serialization! cuda! accelerator cpu random utils.checkpoint testing jit overrides
""".split()
PLACES.insert(0, "")  # the package's own names
# not looked through: the machinery below what programs call; the command line, lessons and compatibility, which have tests of their own
NO_PLACE = """
    allocation backward_names call devices dtypes errors holder inplace kinds op ops plan printing profiler promotion
    return_types storage sums tensor tensor_types threads version written lowrank recorded compiler settings types
    toplevel native functional native backends companions compat cli grammar hub multiprocessing learn lessons train
    onnx fx mps xpu pytest_flag pytest_plugin utils
"""

# left out
ELSEWHERE = set(
    # they change how the whole process works
    """
    compile install_as_torch set_default_dtype set_default_device set_default_tensor_type set_num_threads
    set_num_interop_threads manual_seed seed set_printoptions set_rng_state set_grad_enabled set_warn_always
    use_deterministic_algorithms set_deterministic_debug_mode set_flush_denormal set_float32_matmul_precision
    set_anomaly_enabled set_autocast_enabled set_autocast_dtype set_detect_anomaly set_debug_level
    set_debug_level_from_env register_kl add_safe_globals clear_safe_globals manual_seed_all seed_all
    set_rng_state_all set_device set_stream init_process_group destroy_process_group new_group set_device_idx
    set_device_index set_per_process_memory_fraction profile Profile Recording Ledger
    """.split()
    # their answer is an error; they read or write files, or wait for other processes or for a download
    + """
    save load from_file save_file load_file safe_open MNIST FashionMNIST CIFAR10 names tiny_shakespeare data_folder
    Digits assert_close assert_allclose recv send irecv isend P2POp batch_isend_irecv barrier monitored_barrier
    """.split()
    # they give memory, state or addresses as they are
    + """
    get_default_dtype get_rng_state initial_seed storage untyped_storage data_ptr share_memory_ set_ empty empty_like
    new_empty empty_strided empty_permuted new_empty_strided resize_ resize_as_ apply_ map_ map2_ register_hook
    typename module_load memory_stats memory_snapshot memory_summary get_rng_state_all initial_seed_all
    """.split()
)

# what is public in Python's eyes, and yet only for the package itself
INNER = set(
    "decay gather elements check_input check_forward_args initialize_parameters unhook Steps recorded written find Finding Findings Scope Note check_hidden_size count walked".split()
)


class Made:
    """Something to be made in either engine."""

    def __init__(self, text: str, make: Callable[[Any], Any]) -> None:
        self.text, self.made = text, make

    def __repr__(self) -> str:
        return self.text


class Tensor(Made):
    """A tensor with the same numbers each time."""

    def __init__(self, *shape: int, dtype: str = "float32", grad: bool = False) -> None:
        super().__init__(f"<{dtype} {list(shape)}{' with a gradient' * grad}>", self.tensor)
        self.shape, self.dtype, self.grad = shape, dtype, grad

    def tensor(self, engine: Any) -> Any:
        """It, in an engine."""
        rng = np.random.default_rng(0)
        values = rng.random(self.shape) + 0.1 if self.dtype[0] in "fc" else rng.integers(0, 3, self.shape)
        tensor = engine.from_numpy(np.asarray(values).astype(self.dtype))
        return tensor.requires_grad_() if self.grad else tensor


def twice(x: Any) -> Any:
    """A function for those that take one."""
    return x * 2


TENSORS = [
    Tensor(2, 3), Tensor(3), Tensor(), Tensor(2, 3, 4), Tensor(4, 5), Tensor(3, 3), Tensor(2, 2, 5, 5), Tensor(0),
    Tensor(0, 3), Tensor(2, 3, grad=True), *(Tensor(2, 3, dtype=d) for d in "int64 bool complex64 float64 uint8 float16".split()),
    Tensor(3, dtype="int64"), Tensor(2, dtype="int64"),
]  # fmt: skip
OTHERS = [
    None, -7, -1, 0, 1, 2, 3, 10, 2.5, 1j, True, float("nan"), float("inf"), 2**70, 2**40, np.float32(2), "text", "mean",
    "sum", b"x", (), [], {}, object(), (0, 1), (1, -5), (2, 2), (2.5, 1), (None,), [1, 2], [Tensor(2, 3), Tensor(2, 3)],
    [Tensor(2, 3), Tensor(4, 5)], *(Made(name, lambda e, name=name: getattr(e, name)) for name in ("float32", "int64", "bool")),
]  # fmt: skip
MODULE = Made("Linear", lambda e: e.nn.Linear(3, 2))
OPTIMIZER = Made("SGD", lambda e: e.optim.SGD(e.nn.Linear(3, 2).parameters(), lr=0.1))
DATASET = Made("dataset", lambda e: e.utils.data.TensorDataset(e.ones(4, 3), e.ones(4)))
NORMAL = Made("Normal", lambda e: e.distributions.Normal(e.zeros(3), e.ones(3)))
AFFINE = Made("AffineTransform", lambda e: e.distributions.AffineTransform(1.0, 2.0))
PACKED = Made("packed", lambda e: e.nn.utils.rnn.pack_sequence([e.ones(3, 2), e.ones(2, 2)]))
OBJECTS = [MODULE, OPTIMIZER, DATASET, NORMAL, AFFINE, PACKED, twice, "weight"]
PARAMETERS = [Tensor(2, 3, grad=True)]
# with what a class may be made, and what its methods and the functions beside it take first
GOOD: dict[str, list[Any]] = {
    "nn": [1, 3], "optim": [PARAMETERS], "optim.lr_scheduler": [OPTIMIZER], "optim.swa_utils": [MODULE, OPTIMIZER],
    "nn.utils": [MODULE, PARAMETERS], "nn.utils.parametrize": [MODULE], "nn.utils.parametrizations": [MODULE], "nn.utils.prune": [MODULE],
    "nn.utils.stateless": [MODULE], "nn.parallel": [MODULE], "distributions": [Tensor(3), 0.5, NORMAL, AFFINE],
    "utils.data": [DATASET, [DATASET, DATASET], [1, 2]], "func": [twice, MODULE], "autograd.functional": [twice],
    "autograd": [Tensor(2, 3, grad=True)], "utils.checkpoint": [twice], "nn.utils.rnn": [PACKED, [Tensor(3, 2), Tensor(2, 2)]],
    "viz": [Tensor(2, 3, grad=True), MODULE],
}  # fmt: skip
CONSTRUCTED = [
    [], [OPTIMIZER], [OPTIMIZER, 2], [OPTIMIZER, twice], [OPTIMIZER, [1, 2]], [MODULE], [NORMAL], [NORMAL, 1],
    [NORMAL, [AFFINE]], [AFFINE, 1], [[AFFINE]], [DATASET], [DATASET, [0, 1]], [[DATASET, DATASET]], [PARAMETERS],
    [3], [3, 3], [1, 1], [3, 3, 3], [2, 1], [(1, 1)], [Tensor(3)], [Tensor(3), Tensor(3)], [2, 0.5], [0.5],
    [Tensor(3), Tensor(3, 3)], [3, 1, True],
]  # fmt: skip


def made(value: Any, engine: Any) -> Any:
    """An argument in an engine."""
    if isinstance(value, Made):
        return value.made(engine)
    return [made(each, engine) for each in value] if type(value) is list else value


def place_of(engine: Any, place: str) -> Any:
    """A module, or a class, of an engine."""
    place = {"nn!": "nn"}.get(place, place).rstrip("!")
    with contextlib.suppress(ImportError):
        return importlib.import_module(f"{engine.__name__}.{place}".rstrip("."))
    return functools.reduce(getattr, place.split("."), engine)


def reached(engine: Any, place: str, name: str) -> Callable:
    """A function, a class, or the method of an object of an engine: `Linear().forward` is one made with what suits it."""
    space = place_of(engine, place)
    if "()." not in name:
        return getattr(space, name)
    name, _, method = name.partition("().")
    return getattr(getattr(space, name)(*made(constructor(place, name), engine)), method)


@functools.cache
def constructor(place: str, name: str) -> list:
    """The first arguments with which a class can be made."""
    for args in CONSTRUCTED:
        with contextlib.suppress(Exception), limited():
            getattr(place_of(tg, place), name)(*made(args, tg))
            return args
    raise LookupError(name)


def functions(places: list[str] | None = None) -> Iterator[tuple[str, str, Callable]]:
    """Every public function, and the constructors and methods of every public class: place, name, and itself."""
    for place in PLACES if places is None else places:
        space = place_of(tg, place)
        for name in getattr(space, "__all__", dir(space)):
            found = getattr(space, name, None)
            home = str(getattr(found, "__module__", ""))
            gathered = place in ("", "Tensor") or hasattr(space, "__all__") or hasattr(space, "__path__")
            ours = home.startswith("tinygrad_edu") if gathered else home == space.__name__
            if name.startswith("_") or name in ELSEWHERE | INNER or not ours:
                continue
            if isinstance(found, (types.FunctionType, types.BuiltinFunctionType)):
                yield place, name, found
            elif place.endswith("!") and isinstance(found, type) and home.startswith(space.__name__):
                yield place, name, found
                yield from methods(place, name, found)


def methods(place: str, name: str, found: type) -> Iterator[tuple[str, str, Callable]]:
    """The public methods of an object of a class; what all modules have, of one of them."""
    common = dir(tg.nn.Module) if issubclass(found, tg.nn.Module) and name != "Linear" else ()
    common = dir(tg.Tensor) if issubclass(found, tg.Tensor) else common
    with contextlib.suppress(LookupError):
        constructor(place, name)
        for each in ("__call__", "__getitem__", *dir(found)):
            method = getattr(found, each, None)
            shown = not each.startswith("_") or (each in ("__call__", "__getitem__") and found.__module__ != "builtins")
            usual = each in common and not (each == "__call__" and issubclass(found, tg.nn.Module))
            if shown and not usual and each not in ELSEWHERE | INNER and isinstance(method, types.FunctionType):
                yield place, f"{name}().{each}", method


def calls(place: str, name: str, function: Callable, count: int) -> Iterator[tuple[list, dict]]:
    """Arguments by position and by name."""
    rng = Random(f"{place}.{name}")
    method, good = "()." in name, GOOD.get(place.rstrip("!"), [])
    try:
        parameters = [p.name for p in inspect.signature(function).parameters.values() if p.kind in (1, 3)]
    except ValueError:
        parameters = []

    def any_value() -> Any:
        return rng.choice(TENSORS if rng.random() < 0.4 else OTHERS if rng.random() < 0.8 or not good else OBJECTS)

    for _ in range(count):
        first = rng.choice(TENSORS) if place == "Tensor" or rng.random() < 0.85 else rng.choice(OTHERS)
        if not method and good and rng.random() < 0.7:
            first = rng.choice(good)
        args = [first, *(any_value() for _ in range(rng.choice((0, 1, 1, 2, 2, 3, 4))))]
        options = {}
        if rng.random() < 0.4:
            args = args[: rng.choice((1, 1, 2))]
            rest = [p for p in parameters[len(args) + method :] if p not in ("self", "out") and p[0] != "_"]
            options = {p: any_value() for p in rng.sample(rest, min(len(rest), rng.choice((1, 2))))}
        yield args[: len(parameters) + 1] if method else args, options


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


def outcome(engine: Any, place: str, name: str, args: list, options: dict) -> Any:
    """What a call ends in: its answer, or the exception."""
    signal.alarm(PATIENCE)
    try:
        function = reached(engine, place, name)
        given, named = [made(v, engine) for v in args], {k: made(v, engine) for k, v in options.items()}
        answer = function(*given, **named)
        if isinstance(answer, types.GeneratorType):
            next(answer, None)  # until then nothing has run
        return answer
    except (Exception, TooSlow) as error:
        return error
    finally:
        signal.alarm(0)


# where PyTorch does not come back
ENDLESS = {"polynomial": 2**40}

# What has an answer here and none in PyTorch, by a pattern of the call and of PyTorch's complaint, as one text
GENEROUS = {
    "Python's integers have any size, and are rounded like other numbers": r"OverflowError: |Overflow when unpacking",
    "float16 is computed in a longer type; PyTorch has no code for it there": "not implemented for 'Half'",
    "the formula holds for complex numbers too": "not implemented for 'ComplexFloat'|In-place abs is not supported",
    "whole numbers count as real ones, and truth values as 0 and 1": "(trace|logcumsumexp).*(\n.*)?not implemented for|Subtraction, the",
    "types that differ are brought to one": "Type promoting not supported|expected scalar type|same dtype|float_power_",
    "NumPy's numbers stand for tensors without dimensions": "must be Tensor, not numpy|numpy.float32' object cannot",
    "one number stands for a list of one": "must be tuple of ints, not int",
    "nothing stands for a list of none, and None for what is not given": (
        r"\.(sum_to_size|tile|view|repeat_interleave)\(.*\n.*(missing 1|got \(\))|squeeze_?\(.*None|'dim': None|None, "
    ),
    "bounds may be a number on one side and a tensor on the other": r"cl(ip|amp)_?\(",
    "what is empty is reduced to what is empty": "cannot reshape tensor of 0 elements|non-zero size|nested_tensorlist|MKL FFT|is outside .0, -1.",
    "it is called differently here, or has more options": (
        "'(y|tensor2|stream|weigh_samples|pad|_instance)': |polygamma|ormqr|(max|min)\\(.*'dim': <|'size': <"
    ),
    "PyTorch has an inner argument behind": r"\.expand\(.*, ",
    "an option that PyTorch asks for has a default": r"(dropout|custom_[fb]wd)\(\) missing",
    "what is there for a GPU, a stream or processes does nothing where there is none": (
        r"accelerator|has no attribute '(_cuda|_dynamo|utils)|Device index|unknown parameter type|device type could not"
        r"|Default process group|pin_memory|is_pinned|cuda!\..*\n.*Expected one of cpu"
    ),
    "it is without effect here, and so is its value": (
        "chunk_size|vectorize|'device_type': |memory_format|foreach|masked_grad|check_invariants|'prefix': None|named_parameters"
    ),
    "a tensor is made of any data, and is a list of its rows": r"\.new(_tensor)?\(|default_collate",
    "numbers before tensors, as of old, by all names of an operation": r"subtract_?\(",
    "a number may be transformed like a tensor": "Transform\\(\\).__call__",
    "it is looked at when it is used": "FractionalMaxPool",
    "no size at all is that of a number": r"sparse_coo_tensor\(<float32 \[0, 3\]>",
}


def silent(place: str, name: str, function: Callable, count: int) -> Iterator[str]:
    """The calls that have an answer here and raise in PyTorch, where PyTorch has the function."""
    import torch

    try:
        reached(torch, place, name)
    except Exception:
        return
    for args, options in calls(place, name, function, count):
        if any(part in name and value in (*args, *options.values()) for part, value in ENDLESS.items()):
            continue
        error = outcome(torch, place, name, args, options)
        call = f"{place}.{name}({', '.join(map(repr, args))}, {options})"
        if isinstance(error, Exception) and not isinstance(outcome(tg, place, name, args, options), BaseException):
            text = f"{call}\n    {type(error).__name__}: {str(error)[:150]}"
            if not any(re.search(kind, text) for kind in GENEROUS.values()):
                yield text


if __name__ == "__main__":
    with limited():
        for where, what, itself in functions():
            if not sys.argv[2:] or what in sys.argv[2:] or where.rstrip("!") in sys.argv[2:]:
                for each in silent(where, what, itself, int(sys.argv[1])):
                    print(each, flush=True)

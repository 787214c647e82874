"""Random draws: generators, new random tensors, and tensors filled in place.

A generator is reproducible by its seed. Its numbers are NumPy's (or CuPy's on a GPU), not PyTorch's; the
distributions are the same.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import devices, dtypes
from .autograd.modes import no_grad
from .errors import describe, message
from .op import expand
from .ops.arguments import positive, sizes
from .ops.conversion import _copy as copied
from .ops.making import Options, made, number, stored
from .ops.misuse import explain_all
from .ops.shape import broadcast_shapes
from .tensor import Tensor, wrap

if TYPE_CHECKING:
    from typing_extensions import Unpack

# --- generators ----------------------------------------------------------------------------------------------------------------


class Generator:
    """A source of random numbers on one device."""

    def __init__(self, device: Any = "cpu") -> None:
        self.device = devices.device(device)
        self.manual_seed(67280421310721)

    def manual_seed(self, seed: int) -> Generator:
        """Begin again from a seed."""
        if not -(2**63) <= int(seed) < 2**64:
            raise RuntimeError(f"manual_seed: the seed {seed} must lie between -2**63 and 2**64 - 1")
        self._seed = self._begin(int(seed) % 2**64)
        return self

    def _begin(self, place: int) -> int:
        self._place = place
        self.__dict__.pop("source", None)
        return place

    @functools.cached_property
    def source(self) -> Any:
        """NumPy's or CuPy's generator; made at the first draw, since loading it would be a tenth of the import."""
        if self.device.type == "cpu":
            return np.random.Generator(np.random.PCG64(self._seed))
        return devices.module(self.device).random.default_rng(self._place)

    def seed(self) -> int:
        """Begin again from a seed that nobody can foresee, and tell it."""
        return self.manual_seed(_unforeseen()).initial_seed()

    def initial_seed(self) -> int:
        """The seed from which the numbers began."""
        return self._seed

    def get_state(self) -> Tensor:
        """Where in its sequence the generator is, as a tensor of bytes."""
        import json  # a state is asked for rarely: the package's import does not wait for it

        if self.device.type == "cpu":
            place = self.source.bit_generator.state
        else:  # CuPy's cannot tell: another sequence begins here, to which `set_state` comes back
            place = self._begin(int(np.random.SeedSequence(self._place).generate_state(1, np.uint64)[0]))
        text = json.dumps((self._seed, place))
        return wrap(np.frombuffer(text.encode(), np.uint8).copy())

    def set_state(self, new_state: Tensor) -> Generator:
        """Go to a place in the sequence that `get_state` has told."""
        if not isinstance(new_state, Tensor) or new_state.array.dtype != np.uint8:
            raise TypeError(f"set_state: expected a ByteTensor from get_state(), but got {describe(new_state)}")
        import json

        self._seed, place = json.loads(devices.move(new_state.array, devices.CPU).tobytes())
        if self.device.type == "cpu":
            self.source.bit_generator.state = place
        else:
            self._begin(place)
        return self

    def clone_state(self) -> Generator:
        """Another generator at the same place."""
        return Generator(self.device).set_state(self.get_state())


def _unforeseen() -> int:
    return int.from_bytes(os.urandom(8), "little") >> 1


default_generator = Generator()
_on_gpu: dict[int, Generator] = {}  # the default generator of each GPU, made when it is first drawn from


def _source(generator: Generator | None, device: devices.device) -> Any:
    """What draws on a device: the generator given, else the default one."""
    if generator is None:
        if device.type == "cpu":
            return default_generator.source
        index = device.index or 0
        if index not in _on_gpu:
            _on_gpu[index] = Generator(devices.device("cuda", index)).manual_seed(default_generator.initial_seed())
        return _on_gpu[index].source
    if not isinstance(generator, Generator):
        raise TypeError(f"argument 'generator' must be torch.Generator, not {type(generator).__name__}")
    if generator.device.type != device.type:
        raise RuntimeError(f"Expected a '{device.type}' device type for generator but found '{generator.device.type}'")
    return generator.source


def manual_seed(seed: Any) -> Generator:
    """Begin the default generators of all devices again from a seed."""
    seed = int(seed)
    default_generator.manual_seed(seed)
    for generator in _on_gpu.values():
        generator.manual_seed(seed)
    return default_generator


def seed() -> int:
    """Begin the default generators again from a seed that nobody can foresee, and tell it."""
    return manual_seed(_unforeseen()).initial_seed()


def initial_seed() -> int:
    """The seed from which the default generator began."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """Where in its sequence the default generator is."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Go to a place in the default generator's sequence."""
    default_generator.set_state(new_state)


@contextlib.contextmanager
def fork_rng(devices: Any = None, enabled: bool = True, device_type: str = "cuda") -> Iterator[None]:
    """Draws inside the block leave the default generators as they were."""
    if not enabled:
        yield
        return
    state, on_gpu = default_generator.get_state(), dict(_on_gpu)
    _on_gpu.clear()
    try:
        yield
    finally:
        default_generator.set_state(state)
        _on_gpu.clear()
        _on_gpu.update(on_gpu)


# --- new tensors -----------------------------------------------------------------------------------------------------------------


def _drawn(
    what: str, draw: Callable[[Any, Any], Any], generator: Any, options: Any, kind: dtypes.dtype | None = None
) -> Tensor:
    """A new tensor of numbers drawn by `draw(source, dtype)`."""
    where = options["out"].device if options.get("out") is not None else devices.as_device(options.get("device"))
    source = _source(generator, where)
    return made(what, lambda xp, dtype: draw(source, dtype), kind, **options)


def _uniform(source: Any, shape: tuple, dtype: np.dtype) -> Any:
    """Numbers in [0, 1)."""
    if dtype.kind == "c":
        part = np.dtype("float32" if dtype.itemsize == 8 else "float64")
        return (_uniform(source, shape, part) + 1j * _uniform(source, shape, part)).astype(dtype)
    if dtype.itemsize >= 4:
        return source.random(shape, dtype=dtype)
    return (source.integers(0, 2**11, shape) / 2**11).astype(dtype)  # 11 bits: rounding must not reach 1


def _normal(source: Any, shape: tuple, dtype: np.dtype) -> Any:
    """Standard normal numbers; of complex ones, the variance is that of both parts together."""
    if dtype.kind == "c":
        part = np.dtype("float32" if dtype.itemsize == 8 else "float64")
        parts = _normal(source, shape, part) + 1j * _normal(source, shape, part)
        return (parts * math.sqrt(0.5)).astype(dtype)
    if dtype.itemsize >= 4:
        return source.standard_normal(shape, dtype=dtype)
    return source.standard_normal(shape).astype(dtype)


def _float_kind(what: str, options: Any) -> None:
    kind = options.get("dtype") or (options["out"].dtype if options.get("out") is not None else None)
    if kind is not None and kind.rank < 2:
        raise RuntimeError(f'"{what}" not implemented for {kind}; write a floating-point dtype, or randint')


def _shape(args: tuple, size: Any, what: str) -> tuple[int, ...]:
    if size is None and not args:
        raise TypeError(f"{what}() received an invalid combination of arguments - got (), but expected sizes")
    return positive(sizes(args if size is None else (size,)), what)


def rand(*args: Any, size: Any = None, generator: Generator | None = None, **options: Unpack[Options]) -> Tensor:
    """Numbers drawn evenly from [0, 1)."""
    _float_kind("rand", options)
    shape = _shape(args, size, "rand")
    return _drawn("rand", lambda source, dtype: _uniform(source, shape, dtype), generator, options)


def randn(*args: Any, size: Any = None, generator: Generator | None = None, **options: Unpack[Options]) -> Tensor:
    """Normal numbers of mean 0 and variance 1."""
    _float_kind("randn", options)
    shape = _shape(args, size, "randn")
    return _drawn("randn", lambda source, dtype: _normal(source, shape, dtype), generator, options)


def randint(*args: Any, generator: Generator | None = None, **options: Any) -> Tensor:
    """Whole numbers drawn evenly from [low, high): `randint(high, size)`, `randint(low, high, size)`."""
    named = {name: options.pop(name) for name in ("low", "high", "size") if name in options}
    order = ["low", "high", "size"][len(args) + len(named) < 3 and "low" not in named :]
    given = dict(zip([name for name in order if name not in named], args, strict=False)) | named
    if "high" not in given or "size" not in given or len(args) + len(named) > 3:
        wrong = f"takes high and size, or low, high and size, not ({', '.join(map(describe, args))})"
        raise TypeError(message("randint()", wrong, instead="randint(high, (2, 3)), or () for one number"))
    low, high = int(number(given.get("low", 0))), int(number(given["high"]))
    if not isinstance(given["size"], (tuple, list)):
        raise TypeError(f"randint(): argument 'size' must be tuple of ints, not {type(given['size']).__name__}")
    if low >= high:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    shape = positive(sizes((given["size"],)), "randint")

    def draw(source: Any, dtype: Any) -> Any:
        if dtype.kind in "iu" and not np.iinfo(dtype).min <= low < high <= np.iinfo(dtype).max + 1:
            raise RuntimeError(f"randint: from {low} to {high - 1} is out of bounds for {dtypes.OF_NUMPY[dtype]}")
        return source.integers(low, high, shape).astype(dtype)

    return _drawn("randint", draw, generator, options, dtypes.int64)


def randperm(n: int, *, generator: Generator | None = None, **options: Unpack[Options]) -> Tensor:
    """The numbers from 0 to n - 1 in random order."""
    if n < 0:
        raise RuntimeError(f"randperm: n must be non-negative, got {n}")

    def draw(source: Any, dtype: np.dtype) -> Any:
        order = source.permutation(n) if hasattr(source, "permutation") else source.random(n).argsort()
        return order.astype(dtype)

    return _drawn("randperm", draw, generator, options, dtypes.int64)


def _alike(function: Callable, input: Tensor, options: Any, *args: Any) -> Tensor:
    options = {"dtype": input.dtype, "device": input.device} | {k: v for k, v in options.items() if v is not None}
    options.pop("memory_format", None)
    return function(*args, tuple(input.shape), **options)


def rand_like(input: Tensor, **options: Unpack[Options]) -> Tensor:
    """Numbers drawn evenly from [0, 1), in the shape and dtype of another tensor."""
    return _alike(rand, input, options)


def randn_like(input: Tensor, **options: Unpack[Options]) -> Tensor:
    """Normal numbers in the shape and dtype of another tensor."""
    return _alike(randn, input, options)


def randint_like(input: Tensor, *limits: Any, low: Any = None, high: Any = None, **options: Unpack[Options]) -> Tensor:
    """Whole numbers drawn evenly from [low, high), in the shape and dtype of another tensor."""
    numbers = [v for v in (low, *limits, high) if v is not None]
    return _alike(randint, input, options, *(numbers if len(numbers) > 1 else (0, *numbers)))


def normal(
    mean: Any,
    std: Any = 1.0,
    size: Any = None,
    *,
    generator: Generator | None = None,
    out: Tensor | None = None,
    **options: Any,
) -> Tensor:
    """Normal numbers whose means and standard deviations are given, as tensors or as numbers with a size."""
    if isinstance(std, Tensor):
        if std.is_complex():
            raise RuntimeError("normal expects standard deviation to be non-complex")
        least = std.array.min() if std.numel() else 0
    else:
        least = std
    if least < 0:
        raise RuntimeError(f"normal expects all elements of std >= 0.0, but found {least}")
    tensors = [v for v in (mean, std) if isinstance(v, Tensor)]
    if not tensors:
        if size is None:
            raise TypeError("normal() of numbers needs a size: normal(mean, std, size)")
        leaf = options.pop("requires_grad", False)  # not before it has been scaled
        drawn = randn(size, generator=generator, out=out, **options).mul_(std).add_(mean)
        return drawn.requires_grad_() if leaf else drawn
    shape = broadcast_shapes(*[t.array.shape for t in tensors])
    with no_grad():
        kind = mean.dtype if isinstance(mean, Tensor) else std.dtype
        noise = randn(shape, generator=generator, dtype=kind, device=tensors[0].device)
        drawn = noise * std + mean
    for t in tensors:  # a draw does not change with them: their gradient is 0
        drawn = copied(expand(t, shape), drawn)
    return stored("normal", drawn, out)


def bernoulli(
    input: Tensor, p: float | None = None, *, generator: Generator | None = None, out: Tensor | None = None
) -> Tensor:
    """Ones with the probabilities that `input` gives (or `p`), else zeros."""
    chances = input.array if p is None else getattr(p, "array", p)
    if p is None and input.dtype.rank < 2:
        raise RuntimeError(f'"bernoulli_tensor_cpu_self_" not implemented for {input.dtype}; write p=')
    _check_chances(chances)
    source = _source(generator, input.device)
    drawn = wrap((source.random(input.array.shape) < chances).astype(input.array.dtype))
    return stored("bernoulli", copied(input, drawn), out, input)


def _check_chances(p: Any) -> None:
    if devices.looks(p) and np.size(p) and not (np.all(p >= 0) and np.all(p <= 1)):
        raise RuntimeError("Expected p_in >= 0 && p_in <= 1 to be true, but a probability lies outside [0, 1]")


def multinomial(
    input: Tensor,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: Generator | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Positions drawn from each row, as likely as the row's numbers are large."""
    weights = input.array
    if weights.ndim not in (1, 2):
        raise RuntimeError(f"multinomial: prob_dist must be 1 or 2 dim, but is {describe(input)}")
    if weights.dtype.kind != "f":
        raise RuntimeError(f"multinomial only supports floating-point dtypes for input, got: {input.dtype}")
    if num_samples <= 0:
        raise RuntimeError(f"cannot sample n_sample <= 0 samples, got {num_samples}")
    what, looks = f"multinomial({describe(input)}, {num_samples})", devices.looks(weights)
    if not replacement and num_samples > weights.shape[-1]:
        wrong = "cannot sample n_sample > prob_dist.size(-1) samples without replacement"
        wrong = f"{wrong}: {num_samples} > {weights.shape[-1]}"
        raise RuntimeError(message(what, wrong, instead="replacement=True, to draw a position more than once"))
    if looks and not (np.all(np.isfinite(weights)) and np.all(weights >= 0)):
        wrong = "probability tensor contains either `inf`, `nan` or element < 0"
        raise RuntimeError(message(what, wrong, instead="logits.softmax(-1), if these are logits"))
    weights = weights.astype(np.float64)
    if looks and weights.size and not np.all(weights.sum(-1) > 0):
        wrong = "invalid multinomial distribution (sum of probabilities <= 0)"
        raise RuntimeError(message(what, wrong, instead="rows in which at least one weight is above 0"))
    source = _source(generator, input.device)
    if replacement:
        ends = np.cumsum(weights, -1)
        points = source.random((*weights.shape[:-1], num_samples)) * ends[..., -1:]
        drawn = (points[..., None] >= ends[..., None, :]).sum(-1)
    else:
        # the first of exponential clocks, each running at its weight's rate, is a draw; the next one the next draw
        clocks = source.standard_exponential(weights.shape) / np.where(weights > 0, weights, 1e-300)
        drawn = np.argsort(clocks, -1)[..., :num_samples]
    return stored("multinomial", wrap(drawn.astype(np.int64, order="C")), out, exact=True)


def poisson(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Counts of events whose expected numbers `input` gives."""
    if input.dtype.rank != 2:
        raise RuntimeError(f'"poisson_cpu" not implemented for {input.dtype}')
    if devices.looks(input.array) and input.numel() and not np.all(input.array >= 0):
        raise RuntimeError("invalid Poisson rate, expected rate to be non-negative")
    drawn = _source(generator, input.device).poisson(input.array[None])  # of no dimensions it would be a plain number
    return wrap(drawn.astype(input.array.dtype).reshape(input.array.shape))


def binomial(count: Tensor, prob: Tensor, generator: Generator | None = None) -> Tensor:
    """How many of `count` tries succeed, each with probability `prob`."""
    _check_chances(prob.array)
    drawn = _source(generator, count.device).binomial(count.array.astype(np.int64), prob.array)
    drawn = drawn if devices.is_array(drawn) else np.asarray(drawn)  # without dimensions NumPy draws a number
    return wrap(drawn.astype(prob.array.dtype))


# --- in place: a tensor filled with draws -------------------------------------------------------------------------------------------


def _filled(
    self: Tensor, draw: Callable[[Any, tuple, np.dtype], Any], generator: Generator | None, what: str
) -> Tensor:
    """Write `draw(source, shape, dtype)` into a tensor."""
    values = draw(_source(generator, self.device), self.array.shape, self.array.dtype)
    return self.copy_(wrap(values if devices.is_array(values) else np.asarray(values)), what=what)


def _floats(x: Tensor, what: str, real: bool = False) -> None:
    if x.dtype.rank < 2 or (real and x.is_complex()):
        raise NotImplementedError(f'"{what}" not implemented for {x.dtype}; write x.float() first')


def normal_(self: Tensor, mean: float = 0, std: float = 1, *, generator: Generator | None = None) -> Tensor:
    """Fill with normal numbers."""
    _floats(self, "normal_")
    if std < 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std}")
    return _filled(self, lambda source, shape, dtype: _normal(source, shape, dtype) * std + mean, generator, "normal_")


def uniform_(
    self: Tensor, from_: float = 0, to: float = 1, *, generator: Generator | None = None, **limits: float
) -> Tensor:
    """Fill with numbers drawn evenly from [from, to)."""
    low = limits.pop("from", from_)
    if limits:
        raise TypeError(f"uniform_() got an unexpected keyword argument '{next(iter(limits))}'")
    _floats(self, "uniform_")
    if low > to:
        raise RuntimeError(f"uniform_ expects to return a [from, to) range, but found from={low} > to={to}")

    def draw(source: Any, shape: tuple, dtype: np.dtype) -> Any:
        return _uniform(source, shape, dtype) * (to - low) + low

    return _filled(self, draw, generator, "uniform_")


def bernoulli_(self: Tensor, p: Any = 0.5, *, generator: Generator | None = None) -> Tensor:
    """Fill with ones of probability `p`, else zeros."""
    chances = p.array if isinstance(p, Tensor) else p
    _check_chances(chances)
    return _filled(
        self, lambda source, shape, dtype: (source.random(shape) < chances).astype(dtype), generator, "bernoulli_"
    )


def exponential_(self: Tensor, lambd: float = 1, *, generator: Generator | None = None) -> Tensor:
    """Fill with waiting times of rate `lambd`: density `lambd exp(-lambd t)`."""
    _floats(self, "exponential_", real=True)
    if lambd <= 0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={lambd}")
    draw = lambda source, shape, dtype: source.standard_exponential(shape) / lambd  # noqa: E731
    return _filled(self, draw, generator, "exponential_")


def random_(
    self: Tensor, *limits: int, to: int | None = None, generator: Generator | None = None, **named: int
) -> Tensor:
    """Fill with whole numbers from [from, to), by default all that the dtype can tell apart."""
    bounds = [*limits] if to is None else [*limits, to]
    if "from" in named:
        bounds.insert(0, named.pop("from"))
    kind = self.array.dtype
    digits = {"f": lambda: 2 ** (np.finfo(kind).nmant + 1), "b": lambda: 1}
    most = digits.get(kind.kind, lambda: int(np.iinfo(kind).max))()
    low, high = (0, most + 1) if not bounds else (0, *bounds) if len(bounds) == 1 else bounds
    if low >= high:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    draw = lambda source, shape, dtype: source.integers(low, high - 1, shape, endpoint=True).astype(dtype)  # noqa: E731
    return _filled(self, draw, generator, "random_")


def geometric_(self: Tensor, p: float, *, generator: Generator | None = None) -> Tensor:
    """Fill with how many tries it takes to the first success, each of probability `p`."""
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p}")
    return _filled(self, lambda source, shape, dtype: source.geometric(p, shape).astype(dtype), generator, "geometric_")


def cauchy_(self: Tensor, median: float = 0, sigma: float = 1, *, generator: Generator | None = None) -> Tensor:
    """Fill with numbers of density `sigma / (pi ((x - median)^2 + sigma^2))`."""
    _floats(self, "cauchy_", real=True)
    if sigma <= 0:
        raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma}")
    draw = lambda source, shape, dtype: np.tan(math.pi * (source.random(shape) - 0.5)) * sigma + median  # noqa: E731
    return _filled(self, draw, generator, "cauchy_")


def log_normal_(self: Tensor, mean: float = 1, std: float = 2, *, generator: Generator | None = None) -> Tensor:
    """Fill with numbers whose logarithms are normal."""
    _floats(self, "log_normal_", real=True)
    if std <= 0:
        raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std}")
    draw = lambda source, shape, dtype: np.exp(source.standard_normal(shape) * std + mean)  # noqa: E731
    return _filled(self, draw, generator, "log_normal_")


explain_all(globals(), strict=True)
DRAWS: Sequence[Callable] = (
    normal_, uniform_, bernoulli_, exponential_, random_, geometric_, cauchy_, log_normal_, bernoulli, multinomial,
)  # fmt: skip
for _draw in DRAWS:
    setattr(Tensor, _draw.__name__, _draw)

"""Operations with a lowering of their own, forward and backward: convolution, pooling, norms, attention, recurrence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .timing import interleaved

# a case makes, in one engine, the leaves and a function of them; `t` is the engine
Case = Callable[[Any], tuple[list[Any], Callable[..., Any]]]


def leaf(t: Any, *shape: int) -> Any:
    """A leaf of normal numbers."""
    return t.randn(*shape).requires_grad_()


def convolution(n: int, inputs: int, outputs: int, side: int, kernel: int, first: bool = False, **options: int) -> Case:
    """A square convolution; the input of a first layer needs no gradient."""

    def case(t: Any) -> tuple[list[Any], Callable[..., Any]]:
        x = t.randn(n, inputs, side, side) if first else leaf(t, n, inputs, side, side)
        weight = leaf(t, outputs, inputs // options.get("groups", 1), kernel, kernel)
        return [x, weight], lambda x, w: t.nn.functional.conv2d(x, w, **options)

    return case


def sequence(kind: str, steps: int, batch: int, width: int) -> Case:
    """A recurrent layer along a sequence."""

    def case(t: Any) -> tuple[list[Any], Callable[..., Any]]:
        layer = getattr(t.nn, kind)(width, width)
        return [leaf(t, steps, batch, width), *layer.parameters()], lambda x, *_: layer(x)[0]

    return case


def function(name: str, *shapes: tuple[int, ...], **options: Any) -> Case:
    """A function of `nn.functional`, of leaves of these shapes."""
    return lambda t: (
        [leaf(t, *shape) for shape in shapes],
        lambda *xs: getattr(t.nn.functional, name)(*xs, **options),
    )


def norm(name: str, shape: tuple[int, ...], width: int) -> Case:
    """A normalization with weight and bias."""

    def case(t: Any) -> tuple[list[Any], Callable[..., Any]]:
        f = t.nn.functional
        calls = {
            "batch_norm": lambda x, w, b: f.batch_norm(x, None, None, w, b, training=True),
            "layer_norm": lambda x, w, b: f.layer_norm(x, (width,), w, b),
            "group_norm": lambda x, w, b: f.group_norm(x, 4, w, b),
        }
        return [leaf(t, *shape), leaf(t, width), leaf(t, width)], calls[name]

    return case


def classes(rows: int, count: int) -> Case:
    """Cross-entropy with class numbers."""

    def case(t: Any) -> tuple[list[Any], Callable[..., Any]]:
        target = t.randint(0, count, (rows,))
        return [leaf(t, rows, count)], lambda x: t.nn.functional.cross_entropy(x, target)

    return case


def table(rows: int, width: int, *shape: int) -> Case:
    """Rows of a table by number."""

    def case(t: Any) -> tuple[list[Any], Callable[..., Any]]:
        index = t.randint(0, rows, shape)
        return [leaf(t, rows, width)], lambda w: t.nn.functional.embedding(index, w)

    return case


CASES: dict[str, Case] = {
    "conv 3x3, 1 to 16, 28x28, first layer": convolution(64, 1, 16, 28, 3, first=True, padding=1),
    "conv 3x3, 16 to 32, 14x14": convolution(64, 16, 32, 14, 3, padding=1),
    "conv 3x3, 3 to 16, 32x32, first layer": convolution(16, 3, 16, 32, 3, first=True, padding=1),
    "conv 3x3, 16 to 16, 32x32": convolution(16, 16, 16, 32, 3, padding=1),
    "conv 3x3, 64 to 64, 16x16": convolution(16, 64, 64, 16, 3, padding=1),
    "conv 3x3, 64 to 64, 8x8": convolution(16, 64, 64, 8, 3, padding=1),
    "conv 3x3 stride 2, 16 to 32, 32x32": convolution(16, 16, 32, 32, 3, padding=1, stride=2),
    "conv 1x1, 64 to 128, 16x16": convolution(16, 64, 128, 16, 1),
    "conv 1x1 stride 2, 32 to 64, 16x16": convolution(16, 32, 64, 16, 1, stride=2),
    "conv 5x5, 8 to 16, 28x28": convolution(16, 8, 16, 28, 5, padding=2),
    "conv 7x7 stride 2, 3 to 64, 64x64, first": convolution(4, 3, 64, 64, 7, first=True, padding=3, stride=2),
    "conv 3x3 depthwise, 64, 16x16": convolution(16, 64, 64, 16, 3, padding=1, groups=64),
    "max_pool 2x2, 16 channels, 28x28": function("max_pool2d", (64, 16, 28, 28), kernel_size=2),
    "max_pool 3x3 stride 2, 32x32": function("max_pool2d", (16, 16, 32, 32), kernel_size=3, stride=2, padding=1),
    "avg_pool 2x2, 32x32": function("avg_pool2d", (16, 16, 32, 32), kernel_size=2),
    "batch_norm, 16 channels, 32x32": norm("batch_norm", (16, 16, 32, 32), 16),
    "batch_norm, 64 features": norm("batch_norm", (64, 64), 64),
    "layer_norm, 768x128": norm("layer_norm", (768, 128), 128),
    "layer_norm, 32x64": norm("layer_norm", (32, 64), 64),
    "group_norm, 16 channels, 32x32": norm("group_norm", (16, 16, 32, 32), 16),
    "gelu, 768x512": function("gelu", (768, 512)),
    "gelu by tanh, 768x512": function("gelu", (768, 512), approximate="tanh"),
    "silu, 768x512": function("silu", (768, 512)),
    "relu, 64x16x28x28": function("relu", (64, 16, 28, 28)),
    "softmax, 768x64": function("softmax", (768, 64), dim=-1),
    "log_softmax, 128x10": function("log_softmax", (128, 10), dim=-1),
    "cross_entropy, 64x10": classes(64, 10),
    "cross_entropy, 768x65": classes(768, 65),
    "attention, 12x4x64x32, causal": function(
        "scaled_dot_product_attention", (12, 4, 64, 32), (12, 4, 64, 32), (12, 4, 64, 32), is_causal=True
    ),
    "embedding, 65x128, 12x64": table(65, 128, 12, 64),
    "embedding, 10000x64, 16x32": table(10000, 64, 16, 32),
    "LSTM, 32x16x64": sequence("LSTM", 32, 16, 64),
    "GRU, 32x16x64": sequence("GRU", 32, 16, 64),
    "RNN, 32x16x64": sequence("RNN", 32, 16, 64),
}


def rows(engines: dict[str, Any], quick: bool) -> Iterator[dict[str, Any]]:
    """Each case forward, and forward and backward; `quick` shows one."""
    for label, case in CASES.items():
        if quick and "relu" not in label:
            continue
        forward, both = {}, {}
        for name, t in engines.items():
            leaves, f = case(t)
            g = t.ones_like(f(*leaves).detach())
            forward[name] = lambda f=f, leaves=leaves: f(*leaves)
            both[name] = lambda f=f, leaves=leaves, g=g: _there_and_back(f, leaves, g)
        yield {"name": f"{label}, forward", "unit": "µs", "values": interleaved(forward)}
        yield {"name": f"{label}, and backward", "unit": "µs", "values": interleaved(both)}


def _there_and_back(f: Callable[..., Any], leaves: list[Any], g: Any) -> None:
    f(*leaves).backward(g)
    for leaf in leaves:
        leaf.grad = None

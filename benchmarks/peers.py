"""The small networks in other engines, where they are installed: JAX with jit, HIPS autograd, MyGrad, tinygrad.

Each is a function `(sizes, x, y, optimizer, **options)` that gives a step of training, as `by_hand.mlp` is. All begin
with the same numbers; a step gives its loss.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np

from . import by_hand

Step = Callable[[], Any]


def jax(sizes: tuple[int, ...], x: np.ndarray, y: np.ndarray, optimizer: str, **options: Any) -> Step:
    """The whole step compiled by XLA."""
    import jax
    import jax.numpy as jnp

    def loss(parameters: Any) -> Any:
        out = x
        for k, (w, b) in enumerate(parameters):
            out = out @ w + b
            out = jnp.maximum(out, 0) if k < len(parameters) - 1 else out
        return -jnp.mean(jax.nn.log_softmax(out)[jnp.arange(len(y)), y])

    def advance(state: Any) -> Any:
        parameters, first, second, t = state
        found, g = jax.value_and_grad(loss)(parameters)
        each, lr = jax.tree_util.tree_map, options["lr"]
        if optimizer == "Adam":
            first = each(lambda m, g: 0.9 * m + 0.1 * g, first, g)
            second = each(lambda v, g: 0.999 * v + 0.001 * g * g, second, g)
            size, correction = lr / (1 - 0.9**t), jnp.sqrt(1 - 0.999**t)
            parameters = each(
                lambda p, m, v: p - size * m / (jnp.sqrt(v) / correction + 1e-8), parameters, first, second
            )
        else:
            first = each(lambda b, g: options.get("momentum", 0) * b + g, first, g)
            parameters = each(lambda p, b: p - lr * b, parameters, first)
        return found, (parameters, first, second, t + 1)

    compiled = jax.jit(advance)
    parameters = jax.tree_util.tree_map(jnp.asarray, by_hand.layers(sizes))
    zeros = jax.tree_util.tree_map(jnp.zeros_like, parameters)
    state = parameters, zeros, zeros, jnp.float32(1)

    def step() -> Any:
        nonlocal state
        found, state = compiled(state)
        jax.block_until_ready(state)
        return found

    return step


def autograd(sizes: tuple[int, ...], x: np.ndarray, y: np.ndarray, optimizer: str, **options: Any) -> Step:
    """HIPS autograd: NumPy's functions, traced."""
    import autograd
    import autograd.numpy as anp

    rows = np.arange(len(y))

    def loss(parameters: Any) -> Any:
        out = x
        for k in range(0, len(parameters), 2):
            out = anp.dot(out, parameters[k]) + parameters[k + 1]
            out = anp.maximum(out, 0) if k < len(parameters) - 2 else out
        out = out - anp.max(out, axis=1, keepdims=True)
        return anp.mean(anp.log(anp.sum(anp.exp(out), axis=1)) - out[rows, y])

    parameters = [array for layer in by_hand.layers(sizes) for array in layer]
    both, advance = autograd.value_and_grad(loss), by_hand.update(optimizer, parameters, **options)

    def step() -> Any:
        found, gradients = both(parameters)
        advance(gradients)
        return found

    return step


def mygrad(sizes: tuple[int, ...], x: np.ndarray, y: np.ndarray, optimizer: str, **options: Any) -> Step:
    """MyGrad: tensors around NumPy's arrays."""
    import mygrad as mg
    from mygrad.nnet import relu, softmax_crossentropy

    parameters = [mg.tensor(array) for layer in by_hand.layers(sizes) for array in layer]
    advance = by_hand.update(optimizer, [p.data for p in parameters], **options)

    def step() -> Any:
        out: Any = x
        for k in range(0, len(parameters), 2):
            out = mg.matmul(out, parameters[k]) + parameters[k + 1]
            out = relu(out) if k < len(parameters) - 2 else out
        loss = softmax_crossentropy(out, y)
        loss.backward()
        advance([p.grad.copy() for p in parameters])
        for p in parameters:
            p.null_grad()
        return loss

    return step


def tinygrad(sizes: tuple[int, ...], x: np.ndarray, y: np.ndarray, optimizer: str, **options: Any) -> Step:
    """tinygrad: the whole step recorded by its TinyJit; on a CPU it needs clang."""
    from tinygrad import Device, Tensor, TinyJit, nn
    from tinygrad.helpers import Context

    layers = [(Tensor(w), Tensor(b)) for w, b in by_hand.layers(sizes)]
    advance = getattr(nn.optim, optimizer)([p for layer in layers for p in layer], **options)
    inputs, labels = Tensor(x), Tensor(y)

    @TinyJit
    def recorded() -> Any:
        out = inputs
        for k, (w, b) in enumerate(layers):
            out = out @ w + b
            out = out.relu() if k < len(layers) - 1 else out
        loss = out.sparse_categorical_crossentropy(labels)
        advance.zero_grad()
        loss.backward()
        return loss.realize(*advance.schedule_step())

    def step() -> Any:
        with Context(TRAINING=1):
            loss = recorded()
        Device[Device.DEFAULT].synchronize()
        return loss

    return step


PEERS: dict[str, Callable[..., Step]] = {"jax": jax, "autograd": autograd, "mygrad": mygrad, "tinygrad": tinygrad}


def installed() -> dict[str, Callable[..., Step]]:
    """The peers that this Python has."""
    return {name: make for name, make in PEERS.items() if importlib.util.find_spec(name)}

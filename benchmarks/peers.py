"""The small networks in other engines, where they are installed: JAX with jit, HIPS autograd, MyGrad."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np

from . import by_hand

Step = Callable[[], object]


def jax(sizes: tuple[int, ...], x: np.ndarray, y: np.ndarray, update: str, **options: Any) -> Step:
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
        g = jax.grad(loss)(parameters)
        zip_ = jax.tree_util.tree_map
        lr = options["lr"]
        if update == "Adam":
            first = zip_(lambda m, g: 0.9 * m + 0.1 * g, first, g)
            second = zip_(lambda v, g: 0.999 * v + 0.001 * g * g, second, g)
            size, correction = lr / (1 - 0.9**t), jnp.sqrt(1 - 0.999**t)
            parameters = zip_(
                lambda p, m, v: p - size * m / (jnp.sqrt(v) / correction + 1e-8), parameters, first, second
            )
        else:
            first = zip_(lambda b, g: options.get("momentum", 0) * b + g, first, g)
            parameters = zip_(lambda p, b: p - lr * b, parameters, first)
        return parameters, first, second, t + 1

    compiled = jax.jit(advance)
    parameters = jax.tree_util.tree_map(jnp.asarray, by_hand.layers(sizes))
    zeros = jax.tree_util.tree_map(jnp.zeros_like, parameters)
    state = parameters, zeros, zeros, jnp.float32(1)

    def step() -> None:
        nonlocal state
        state = compiled(state)
        jax.block_until_ready(state)

    return step


def autograd(sizes: tuple[int, ...], x: np.ndarray, y: np.ndarray, update: str, **options: Any) -> Step:
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
    gradient, advance = autograd.grad(loss), _update(update, parameters, options)
    return lambda: advance(gradient(parameters))


def mygrad(sizes: tuple[int, ...], x: np.ndarray, y: np.ndarray, update: str, **options: Any) -> Step:
    """MyGrad: tensors around NumPy's arrays."""
    import mygrad as mg
    from mygrad.nnet import relu, softmax_crossentropy

    parameters = [mg.tensor(array) for layer in by_hand.layers(sizes) for array in layer]
    advance = _update(update, [p.data for p in parameters], options)

    def step() -> None:
        out: Any = x
        for k in range(0, len(parameters), 2):
            out = mg.matmul(out, parameters[k]) + parameters[k + 1]
            out = relu(out) if k < len(parameters) - 2 else out
        softmax_crossentropy(out, y).backward()
        advance([p.grad.copy() for p in parameters])
        for p in parameters:
            p.null_grad()

    return step


def _update(update: str, parameters: list[np.ndarray], options: dict[str, Any]) -> Callable[[list[np.ndarray]], None]:
    name = "momentum" if "momentum" in options else update.lower()
    return {"sgd": by_hand.sgd, "momentum": by_hand.momentum, "adam": by_hand.adam}[name](parameters, **options)


PEERS: dict[str, Callable[..., Step]] = {"jax": jax, "autograd": autograd, "mygrad": mygrad}


def installed() -> dict[str, Callable[..., Step]]:
    """The peers that this Python has."""
    return {name: make for name, make in PEERS.items() if importlib.util.find_spec(name)}

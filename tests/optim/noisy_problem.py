"""A small noisy problem, the same for every engine: gradients are made with NumPy from the parameters as they are."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_edu as tg
from tinygrad_edu.nn.parameter import Parameter

SHAPES = ((3, 2), (4,), ())
CURVATURE = (0.5, 1.0, 2.0)

# name, options: every optimizer in several ways
CASES: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.05}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.02, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"lr": 0.001, "momentum": 0.5, "maximize": True, "weight_decay": 3.0}),
    ("Adam", {"lr": 0.01}),
    ("Adam", {"lr": 0.01, "betas": (0.3, 0.9), "eps": 1e-3, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.01, "amsgrad": True, "maximize": True}),
    ("Adam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("AdamW", {"lr": 0.01}),
    ("AdamW", {"lr": 0.02, "weight_decay": 0.3, "amsgrad": True}),
    ("NAdam", {"lr": 0.01}),
    ("NAdam", {"lr": 0.01, "momentum_decay": 0.1, "weight_decay": 0.1}),
    ("NAdam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True, "betas": (0.8, 0.9)}),
    ("RAdam", {"lr": 0.01}),
    ("RAdam", {"lr": 0.01, "weight_decay": 0.1, "betas": (0.8, 0.95)}),
    ("RAdam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("Adamax", {"lr": 0.01}),
    ("Adamax", {"lr": 0.01, "weight_decay": 0.1, "betas": (0.5, 0.9), "eps": 1e-4}),
    ("Adagrad", {"lr": 0.1}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.01, "weight_decay": 0.1, "initial_accumulator_value": 0.5, "eps": 1e-3}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.8, "eps": 1e-3, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.01}),
    ("RMSprop", {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.01, "centered": True, "alpha": 0.9, "eps": 1e-3}),
    ("RMSprop", {"lr": 0.01, "centered": True, "momentum": 0.5, "maximize": True}),
    ("Rprop", {"lr": 0.01}),
    ("Rprop", {"lr": 0.01, "etas": (0.4, 1.5), "step_sizes": (1e-4, 0.1)}),
    ("ASGD", {"lr": 0.05}),
    ("ASGD", {"lr": 0.05, "t0": 100, "lambd": 0.01, "alpha": 0.6, "weight_decay": 0.1}),
    ("Adafactor", {"lr": 0.01}),
    ("Adafactor", {"lr": 0.05, "weight_decay": 0.1, "beta2_decay": -0.6, "d": 1.5, "eps": (1e-6, 1e-2)}),
]
IDS = [f"{name}-{k}" for k, (name, _) in enumerate(CASES)]


def start(shapes: Any = SHAPES, dtype: Any = np.float64) -> list[np.ndarray]:
    """The parameters before the first step."""
    rng = np.random.default_rng(0)
    values = [rng.normal(size=shape) for shape in shapes]
    if np.dtype(dtype).kind == "c":
        values = [v + 1j * rng.normal(size=v.shape) for v in values]
    return [np.asarray(v, dtype) for v in values]


def gradients(values: list[np.ndarray], t: int) -> list[np.ndarray]:
    """The gradients of a parabola for each parameter, with noise that is the same at step t for everybody."""
    rng = np.random.default_rng(1000 + t)
    found = []
    for p, c in zip(values, CURVATURE, strict=False):
        noise = rng.normal(size=p.shape)
        if p.dtype.kind == "c":
            noise = noise + 1j * rng.normal(size=p.shape)
        found.append(np.asarray(c * (p - 1) + 0.3 * noise, p.dtype))
    return found


def parameters(values: list[Any]) -> list[Any]:
    """These values as parameters."""
    return [Parameter(tg.tensor(np.array(v))) for v in values]


def train(optimizer: Any, params: list[Any], steps: range) -> list[np.ndarray]:
    """The parameters after steps of the noisy problem."""
    for t in steps:
        for p, g in zip(params, gradients([p.detach().numpy() for p in params], t), strict=True):
            p.grad = tg.tensor(g)
        optimizer.step()
    return [p.detach().numpy() for p in params]

"""Every fused operation beside its plain definition in simpler operations: value and gradient, on all samples."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from table import ENTRIES, Draw

from tinygrad_edu.op import OPS
from tinygrad_edu.tensor import Tensor, wrap


def plain_of(name: str) -> Callable | None:
    """An operation's plain definition: the one that the engine differentiates, or the one that stands beside it."""
    op = OPS[name]
    return op.plain or vars(sys.modules[op.call.__module__]).get(f"_{name}_plain")


CASES = [(name, k) for name, e in ENTRIES.items() if plain_of(name) for k in range(len(e.draws))]


def test_fused_operations_have_a_plain_definition() -> None:
    fused = "linear softmax log_softmax cross_entropy layer_norm batch_norm gelu attention rnn lstm gru"
    assert {*fused.split()} <= {name for name, _ in CASES}


@pytest.mark.parametrize(("name", "k"), CASES)
def test_a_fused_operation_is_its_plain_definition(name: str, k: int) -> None:
    op, plain = OPS[name], plain_of(name)
    assert plain is not None
    found, expected = results(name, k, op.call), results(name, k, lambda *a, **options: plain(*op.bind(a, options)))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-10)


def results(name: str, k: int, function: Callable) -> list[np.ndarray]:
    """The results of the k-th sample, and the gradients of their inner product with random numbers."""
    entry = ENTRIES[name]
    sample = entry.draws[k](Draw(k))
    args = [leaf(v, entry.gradient) for v in sample.args]
    out = (
        function(*args, **sample.options) if entry.through is None else entry.through(function, *args, **sample.options)
    )
    outs = list(out) if isinstance(out, tuple) else [out]
    leaves = [t for t in args if isinstance(t, Tensor) and t.requires_grad]
    rng = np.random.default_rng(k)
    for t in outs if leaves else ():
        if t.requires_grad:
            t.backward(wrap(np.asarray(rng.standard_normal(t.shape), t.array.dtype)), retain_graph=True)
    return [t.array for t in outs] + [np.zeros(t.shape) if t.grad is None else t.grad.array for t in leaves]


def leaf(value: Any, grad: bool) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    t = wrap(value)
    return t.requires_grad_() if grad and value.dtype.kind in "fc" else t

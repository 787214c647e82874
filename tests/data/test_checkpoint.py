"""Recomputation: gradients, draws and results are those of the function itself, and less is kept meanwhile."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import autograd
from tinygrad_edu.utils.checkpoint import CheckpointError, checkpoint, checkpoint_sequential

FORMS = pytest.mark.parametrize("use_reentrant", [True, False])


def leaf(*shape):
    return tg.tensor(np.random.standard_normal(shape), requires_grad=True)


def gradients(result, *leaves):
    """What `backward` leaves in `grad`, and clears."""
    result.backward()
    found = [t.grad.numpy().copy() for t in leaves]
    for t in leaves:
        t.grad = None
    return found


def close(a, b) -> bool:
    return all(np.allclose(p, q, rtol=1e-12, atol=1e-12) for p, q in zip(a, b, strict=True))


@FORMS
def test_gradients_of_inputs_and_of_what_the_function_uses(use_reentrant) -> None:
    w, b, x = leaf(4, 4), leaf(4), leaf(3, 4)

    def f(x):
        return ((x @ w + b).tanh() @ w).sin()

    expected = gradients(f(x * 2).sum(), x, w, b)
    assert close(gradients(checkpoint(f, x * 2, use_reentrant=use_reentrant).sum(), x, w, b), expected)


@FORMS
def test_second_run_draws_the_same(use_reentrant) -> None:
    x = leaf(50)
    seen = []

    def f(x):
        mask = tg.rand(50) > 0.5
        seen.append(mask.numpy())
        return x * mask

    out = checkpoint(f, x, use_reentrant=use_reentrant)
    state = tg.get_rng_state()
    tg.rand(3)
    (g,) = gradients(out.sum(), x)
    assert np.array_equal(seen[0], seen[1]) and np.array_equal(g, seen[0])
    tg.set_rng_state(state)  # and what is drawn afterwards is not touched
    after = tg.rand(5).tolist()
    tg.set_rng_state(state)
    gradients(checkpoint(lambda x: x * 2, x, use_reentrant=use_reentrant).sum(), x)
    assert tg.rand(5).tolist() == after


@FORMS
def test_several_results(use_reentrant) -> None:
    x = leaf(3)

    def f(x, n):
        return x * n, x.exp(), n

    a, b, n = checkpoint(f, x, 3, use_reentrant=use_reentrant)
    assert n == 3
    (g,) = gradients((a * b).sum(), x)
    assert np.allclose(g, 3 * np.exp(x.detach().numpy()) * (1 + x.detach().numpy()))
    a, b, n = checkpoint(f, x, 3, use_reentrant=use_reentrant)
    assert gradients(a.sum(), x)[0].tolist() == [3, 3, 3]


def test_gradients_may_be_asked_for_in_any_way() -> None:
    w, x = leaf(4, 4), leaf(3, 4)

    def f(x, *, power):
        return {"y": (x @ w).tanh() ** power}

    def energy(y):
        gx, gw = autograd.grad(y.sum(), [x, w], create_graph=True)
        return (gx.pow(2).sum() + gw.sum()), gx

    plain, gx = energy(f(x, power=3)["y"])
    expected = gradients(plain, x, w)
    ours, gx_ours = energy(checkpoint(f, x, power=3, use_reentrant=False)["y"])
    assert close([gx.detach().numpy()], [gx_ours.detach().numpy()])
    assert close(gradients(ours, x, w), expected)
    y = checkpoint(f, x, power=3, use_reentrant=False)["y"].sum()
    (only,) = autograd.grad(y, [w], retain_graph=True)
    assert close([only.numpy()], [autograd.grad(y, [w])[0].numpy()])
    with pytest.raises(RuntimeError, match="a second time"):
        y.backward()


def test_only_parameters_require_gradients() -> None:
    w, x = leaf(2, 2), tg.ones(1, 2, dtype=tg.float64)
    (g,) = gradients(checkpoint(lambda x: x @ w, x, use_reentrant=False).sum(), w)
    assert g.tolist() == [[1, 1], [1, 1]]
    with pytest.warns(UserWarning, match="None of the inputs"):
        out = checkpoint(lambda x: x @ w, x, use_reentrant=True)
    assert not out.requires_grad


def test_nested() -> None:
    x = leaf(3)

    def inner(x):
        return x.sin() * x

    def outer(x):
        return checkpoint(inner, x.exp(), use_reentrant=False).cos()

    expected = gradients(inner(x.exp()).cos().sum(), x)
    assert close(gradients(checkpoint(outer, x, use_reentrant=False).sum(), x), expected)


def test_unrecorded() -> None:
    x = leaf(3)
    with tg.no_grad():
        assert not checkpoint(lambda x: x * 2, x, use_reentrant=False).requires_grad
    assert checkpoint(lambda x: x, x, use_reentrant=False) is x


@FORMS
@pytest.mark.parametrize("segments", [1, 2, 3])
def test_sequences(use_reentrant, segments) -> None:
    w, x = leaf(4, 4), leaf(3, 4)
    functions = [lambda x: x @ w, tg.tanh, lambda x: x @ w, tg.sin, lambda x: x * 2]

    def all_of(x):
        for f in functions:
            x = f(x)
        return x

    expected = gradients(all_of(x).sum(), x, w)
    out = checkpoint_sequential(functions, segments, x, use_reentrant=use_reentrant)
    assert close(gradients(out.sum(), x, w), expected)


def test_less_is_kept() -> None:
    x = tg.ones(10**5, dtype=tg.float64, requires_grad=True)

    def f(x):
        for _ in range(10):
            x = x.sin()
        return x

    def kept(make):
        tracemalloc.start()
        out = make()
        size = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        del out
        return size / x.nbytes

    assert kept(lambda: f(x)) > 9
    assert kept(lambda: checkpoint(f, x, use_reentrant=False)) < 1.2
    assert kept(lambda: checkpoint(f, x, use_reentrant=True)) < 1.2


def test_wrong_use() -> None:
    x = leaf(3)
    with pytest.warns(UserWarning, match="use_reentrant"):
        checkpoint(tg.sin, x)
    with pytest.raises(ValueError, match="power"):
        checkpoint(tg.sin, x, use_reentrant=True, power=2)
    with pytest.raises(ValueError, match="determinism_check"):
        checkpoint(tg.sin, x, use_reentrant=False, determinism_check="maybe")
    lengths = iter([3, 2])
    with pytest.raises(CheckpointError, match="different metadata"):
        checkpoint(lambda x: x[: next(lengths)] * 2, x, use_reentrant=False).sum().backward()


@FORMS
def test_as_in_pytorch(use_reentrant) -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    from torch.utils.checkpoint import checkpoint as theirs

    w, x = np.random.standard_normal((2, 4, 4))

    def run(module, checkpoint):
        a, b = (module.tensor(v, requires_grad=True) for v in (w, x))
        checkpoint(lambda b: (b @ a).tanh(), b.exp(), use_reentrant=use_reentrant).pow(2).sum().backward()
        return a.grad.numpy(), b.grad.numpy()

    assert close(run(tg, checkpoint), run(torch, theirs))

"""Functions of functions: gradients, Jacobians, batches, and modules called with other parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import func


def double(*shape: int) -> tg.Tensor:
    return tg.tensor(np.asarray(np.random.standard_normal(shape)))


def close(ours: Any, expected: Any) -> None:
    np.testing.assert_allclose(ours.detach().numpy(), np.asarray(expected), rtol=1e-10, atol=1e-12)


def test_gradients_of_known_functions() -> None:
    x, y = double(3), double(3)
    close(func.grad(lambda x: (x**3).sum())(x), 3 * x.numpy() ** 2)
    gx, gy = func.grad(lambda x, y: (x * y * y).sum(), argnums=(0, 1))(x, y)
    close(gx, y.numpy() ** 2)
    close(gy, 2 * (x * y).numpy())
    g, value = func.grad_and_value(lambda x: x.sin().sum())(x)
    close(g, np.cos(x.numpy()))
    close(value, np.sin(x.numpy()).sum())
    assert not g.requires_grad and not value.requires_grad and x.grad is None
    g, aux = func.grad(lambda x: (x.sum(), {"twice": 2 * x}), has_aux=True)(x)
    close(g, np.ones(3))
    close(aux["twice"], 2 * x.numpy())
    assert not aux["twice"].requires_grad
    tree = func.grad(lambda p: (p["w"] * p["b"][0]).sum())({"w": x, "b": [y]})
    close(tree["w"], y.numpy())
    close(tree["b"][0], x.numpy())
    close(func.grad(lambda x, y: y.sum())(x, y), np.zeros(3))


def test_gradients_of_gradients() -> None:
    x = double()
    third = func.grad(func.grad(func.grad(lambda x: x**5)))
    close(third(x), 60 * x.numpy() ** 2)
    # in the user's own graph
    w = double(3).requires_grad_()
    func.grad(lambda x: (x**2 * w).sum())(w.detach()).sum()
    found = func.grad(lambda x: (x**3).sum())(w)
    found.sum().backward()
    close(w.grad, 6 * w.detach().numpy())
    # a gradient with respect to what is only mentioned inside
    close(func.grad(lambda a: func.grad(lambda b: a * a * b)(x))(x), 2 * x.numpy())


def test_products_with_jacobians() -> None:
    a, x = double(4, 3), double(3)
    y, pull = func.vjp(lambda x: a @ x, x)
    v = double(4)
    close(y, a.numpy() @ x.numpy())
    (found,) = pull(v)
    close(found, a.numpy().T @ v.numpy())
    (again,) = pull(2 * v)
    close(again, 2 * found.numpy())
    t = double(3)
    y, pushed = func.jvp(lambda x: (a @ x).sin(), (x,), (t,))
    close(pushed, np.cos(a.numpy() @ x.numpy()) * (a.numpy() @ t.numpy()))
    close(y, np.sin(a.numpy() @ x.numpy()))
    (left, right), pull = func.vjp(lambda x, z: (x * z, z.exp()), x, t)
    gx, gz = pull((tg.ones_like(left), tg.ones_like(right)))
    close(gx, t.numpy())
    close(gz, x.numpy() + np.exp(t.numpy()))


def test_jacobians_and_hessians() -> None:
    a, x = double(4, 3), double(3)
    for jac in (func.jacrev, func.jacfwd):
        close(jac(lambda x: (a @ x).tanh())(x), (1 - np.tanh(a.numpy() @ x.numpy()) ** 2)[:, None] * a.numpy())
        both = jac(lambda x, s: s * x, argnums=(0, 1))(x, double())
        assert [tuple(j.shape) for j in both] == [(3, 3), (3,)]
        named = jac(lambda p: {"y": p["w"] @ x})({"w": a})
        expected = np.einsum("ik,j->ikj", np.eye(4), x.numpy())
        close(named["y"]["w"], expected)
    symmetric = (a.T @ a).numpy()
    close(func.hessian(lambda x: 0.5 * (a @ x) @ (a @ x))(x), symmetric)
    close(func.vmap(func.jacrev(lambda x: x**2))(double(5, 3) * 0 + 1), np.stack([2 * np.eye(3)] * 5))


def test_vmap() -> None:
    a, b = double(5, 3), double(5, 3)
    close(func.vmap(tg.dot)(a, b), (a.numpy() * b.numpy()).sum(1))
    close(func.vmap(lambda x, y: x * y, in_dims=(1, None))(a, b[:, 0]), (a.numpy() * b.numpy()[:, :1]).T)
    close(func.vmap(lambda x: x * 2, in_dims=1, out_dims=1)(a), 2 * a.numpy())
    found = func.vmap(lambda p, y: {"sum": p["x"].sum() + y[0], "x": (p["x"],)}, in_dims=({"x": 0}, None))(
        {"x": a}, [b[0, 0]]
    )
    close(found["sum"], a.numpy().sum(1) + b.numpy()[0, 0])
    close(found["x"][0], a.numpy())
    close(
        tg.vmap(tg.vmap(lambda x, y: x + y, (0, None)), (None, 0))(a[:, 0], b[:, 0]), a.numpy()[:, 0] + b.numpy()[:, :1]
    )
    per_sample = func.vmap(func.grad(lambda w, x: (w @ x) ** 2), in_dims=(None, 0))(b[0], a)
    close(per_sample, 2 * (a.numpy() @ b.numpy()[0])[:, None] * a.numpy())
    two = func.vmap(lambda x: (x, x.sum()), out_dims=(1, 0))(a)
    close(two[0], a.numpy().T)
    x = a.clone().requires_grad_()
    func.vmap(lambda x: x if x.sum() > 0 else x * 3)(x).sum().backward()
    close(x.grad, np.where(a.numpy().sum(1, keepdims=True) > 0, 1, 3) * np.ones((5, 3)))
    tg.manual_seed(0)
    drawn = func.vmap(lambda x: tg.rand(()), randomness="different")(a)
    assert len({*drawn.tolist()}) == 5


def test_modules_with_other_parameters() -> None:
    net = tg.nn.Sequential(tg.nn.Linear(3, 4), tg.nn.Tanh(), tg.nn.Linear(4, 2))
    x = tg.rand(5, 3)
    params = dict(net.named_parameters())
    zeros = {name: tg.zeros_like(p) for name, p in params.items()}
    before = net(x)
    close(func.functional_call(net, zeros, (x,)), np.zeros((5, 2)))
    assert np.array_equal(net(x).detach().numpy(), before.detach().numpy())
    close(func.functional_call(net, [params, {}], x), before.detach().numpy())
    grads = func.grad(lambda p: func.functional_call(net, p, (x,)).square().mean())(params)
    net(x).square().mean().backward()
    for name, p in net.named_parameters():
        np.testing.assert_allclose(grads[name].detach().numpy(), p.grad.numpy(), rtol=1e-5, atol=1e-7)
    with pytest.raises(AttributeError, match="no parameter or buffer 'nothing'"):
        func.functional_call(net, {"nothing": x}, (x,))
    with pytest.raises(ValueError, match="multiple dictionaries"):
        func.functional_call(net, [params, params], (x,))
    with pytest.raises(RuntimeError, match="missing key"):
        func.functional_call(net, {}, (x,), strict=True)
    with pytest.raises(RuntimeError):  # the module is itself again also after an error
        func.functional_call(net, zeros, (tg.rand(5, 7),))
    assert net[0].weight is params["0.weight"]


def test_tied_weights() -> None:
    net = tg.nn.Module()
    net.a, net.b = tg.nn.Linear(2, 2, bias=False), tg.nn.Linear(2, 2, bias=False)
    net.b.weight = net.a.weight
    net.forward = lambda x: net.b(net.a(x))
    x, w = tg.rand(1, 2), tg.rand(2, 2)
    close(func.functional_call(net, {"a.weight": w}, (x,)), (x @ w.T @ w.T).numpy())
    close(func.functional_call(net, {"a.weight": w}, (x,), tie_weights=False), net.b(x @ w.T).detach().numpy())


def test_ensembles() -> None:
    models = [tg.nn.Linear(3, 2) for _ in range(4)]
    params, buffers = func.stack_module_state(models)
    assert tuple(params["weight"].shape) == (4, 2, 3) and params["weight"].requires_grad and not buffers
    x = tg.rand(5, 3)
    found = func.vmap(lambda p, b: func.functional_call(models[0], (p, b), (x,)))(params, buffers)
    close(found, np.stack([m(x).detach().numpy() for m in models]))
    with pytest.raises(RuntimeError, match="same class"):
        func.stack_module_state([models[0], tg.nn.Tanh()])
    with pytest.raises(RuntimeError, match="at least one model"):
        func.stack_module_state([])


WRONG: dict[str, Callable] = {
    "no number": lambda lib, f: f.grad(lambda x: x)(lib.ones(2)),
    "no tensor": lambda lib, f: f.grad(lambda x: 3)(lib.ones(())),
    "argnum": lambda lib, f: f.grad(lambda x: x, argnums=1)(lib.ones(())),
    "sizes": lambda lib, f: f.vmap(lambda x, y: x)(lib.ones(2), lib.ones(3)),
    "nothing mapped": lambda lib, f: f.vmap(lambda x: x, in_dims=None)(lib.ones(2)),
    "no argument": lambda lib, f: f.vmap(lambda: 1)(),
    "number": lambda lib, f: f.vmap(lambda x: x)(3),
    "0-d": lambda lib, f: f.vmap(lambda x: x)(lib.ones(())),
    "structure": lambda lib, f: f.vmap(lambda x: x, in_dims=(0, 0))(lib.ones(2)),
    "result": lambda lib, f: f.vmap(lambda x: 1)(lib.ones(2)),
    "randomness": lambda lib, f: f.vmap(lambda x: x, randomness="some")(lib.ones(2)),
    "tangents": lambda lib, f: f.jvp(lambda x: x, (lib.ones(2),), ()),
    "aux": lambda lib, f: f.grad(lambda x: x, has_aux=True)(lib.ones(())),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors_are_pytorchs(name: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is what this test compares with")
    with pytest.raises(Exception) as ours:
        WRONG[name](tg, func)
    with pytest.raises(Exception) as theirs:
        WRONG[name](torch, torch.func)
    assert ours.type is theirs.type, theirs.value

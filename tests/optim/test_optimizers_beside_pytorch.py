"""Optimizers beside PyTorch's: the same gradients for 1,000 steps, and states that go from one to the other."""

from __future__ import annotations

import copy
import inspect
from typing import Any

import numpy as np
import pytest
from noisy_problem import CASES, IDS, gradients, start

import tinygrad_edu as tg
from tinygrad_edu import optim
from tinygrad_edu.nn.parameter import Parameter

torch = pytest.importorskip("torch", reason="compares with PyTorch")


def ours(values: list[np.ndarray]) -> list[Any]:
    return [Parameter(tg.tensor(v.copy())) for v in values]


def theirs(values: list[np.ndarray]) -> list[Any]:
    return [torch.nn.Parameter(torch.tensor(v)) for v in values]


def train(optimizer: Any, params: list[Any], make: Any, steps: range, skip: int | None = None) -> list[np.ndarray]:
    """Step on with gradients made from the parameters; `skip` has none at every third step."""
    for t in steps:
        for i, (p, g) in enumerate(zip(params, gradients(numpy(params), t), strict=True)):
            p.grad = None if i == skip and t % 3 == 0 else make(g)
        optimizer.step()
    return numpy(params)


def numpy(params: list[Any]) -> list[np.ndarray]:
    return [p.detach().numpy() for p in params]


def to_torch(value: Any) -> Any:
    """A nested state with our tensors as PyTorch's."""
    if isinstance(value, tg.Tensor):
        return torch.tensor(value.numpy())
    if isinstance(value, dict):
        return {k: to_torch(v) for k, v in value.items()}
    return type(value)(map(to_torch, value)) if isinstance(value, (list, tuple)) else value


def from_torch(value: Any) -> Any:
    """A nested state with PyTorch's tensors as ours."""
    if isinstance(value, torch.Tensor):
        return tg.tensor(value.detach().numpy().copy())
    if isinstance(value, dict):
        return {k: from_torch(v) for k, v in value.items()}
    return type(value)(map(from_torch, value)) if isinstance(value, (list, tuple)) else value


def agree(mine: list[np.ndarray], other: list[np.ndarray], tolerance: float = 1e-10) -> None:
    for a, b in zip(mine, other, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_a_thousand_steps(name: str, options: dict[str, Any]) -> None:
    a, b = ours(start()), theirs(start())
    mine = train(getattr(optim, name)(a, **options), a, tg.tensor, range(1000), skip=1)
    other = train(getattr(torch.optim, name)(b, **options), b, torch.tensor, range(1000), skip=1)
    agree(mine, other)


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_single_precision(name: str, options: dict[str, Any]) -> None:
    a, b = ours(start(dtype=np.float32)), theirs(start(dtype=np.float32))
    optimizer = getattr(optim, name)(a, **options)
    mine = train(optimizer, a, tg.tensor, range(30))
    other = train(getattr(torch.optim, name)(b, **options), b, torch.tensor, range(30))
    agree(mine, other, 1e-4)
    for state in optimizer.state.values():
        assert all(value.dtype == tg.float32 for value in state.values())


@pytest.mark.parametrize(
    ("name", "options"), [c for c in CASES if c[0] != "Adafactor"], ids=[i for i in IDS if "Adafactor" not in i]
)
def test_complex_parameters(name: str, options: dict[str, Any]) -> None:
    a, b = ours(start(dtype=np.complex128)), theirs(start(dtype=np.complex128))
    mine = train(getattr(optim, name)(a, **options), a, tg.tensor, range(50))
    other = train(getattr(torch.optim, name)(b, **options), b, torch.tensor, range(50))
    agree(mine, other)


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_states_go_both_ways(name: str, options: dict[str, Any]) -> None:
    """Trained here and there, states exchanged, trained on: both go where they would have gone."""
    a, b = ours(start()), theirs(start())
    one, other = getattr(optim, name)(a, **options), getattr(torch.optim, name)(b, **options)
    train(one, a, tg.tensor, range(20))
    train(other, b, torch.tensor, range(20))
    mine, others = one.state_dict(), other.state_dict()
    assert mine["param_groups"] == others["param_groups"]
    assert mine["state"].keys() == others["state"].keys()
    for i, state in mine["state"].items():
        assert list(state) == list(others["state"][i])
        for key, value in others["state"][i].items():
            assert str(state[key].dtype) == str(value.dtype), key
            assert state[key].shape == tuple(value.shape), key
            np.testing.assert_allclose(state[key].numpy(), value.numpy(), rtol=1e-10, atol=1e-12)
    a2, b2 = ours(numpy(a)), theirs(numpy(b))
    one2, other2 = getattr(optim, name)(a2, lr=123.0), getattr(torch.optim, name)(b2, lr=123.0)
    one2.load_state_dict(from_torch(copy.deepcopy(others)))
    other2.load_state_dict(to_torch(mine))
    agree(train(one2, a2, tg.tensor, range(20, 60)), train(other, b, torch.tensor, range(20, 60)))
    # PyTorch turns NAdam's product of momenta from float32 to float64 when it loads it; here it stays what it was
    agree(train(other2, b2, torch.tensor, range(20, 60)), numpy(b), 1e-6 if name == "NAdam" else 1e-10)


def test_groups_with_options_of_their_own() -> None:
    results = []
    for module, make, params in ((optim, tg.tensor, ours(start())), (torch.optim, torch.tensor, theirs(start()))):
        optimizer = module.SGD([{"params": params[0], "lr": 0.1}, {"params": params[1:2], "momentum": 0.9}], lr=0.01)
        optimizer.add_param_group({"params": iter(params[2:]), "weight_decay": 0.5})
        results.append((repr(optimizer), train(optimizer, params, make, range(50)), optimizer.state_dict()))
    (text, mine, state), (other_text, other, other_state) = results
    assert text == other_text
    assert state["param_groups"] == other_state["param_groups"]
    agree(mine, other)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "Adagrad", "RMSprop", "NAdam", "LBFGS", "Rprop"])
def test_rates_given_as_tensors(name: str) -> None:
    results = []
    for module, make, params in ((optim, tg.tensor, ours(start())), (torch.optim, torch.tensor, theirs(start()))):
        rate = make(np.array(0.05))
        optimizer = getattr(module, name)(params, lr=rate)
        if name == "LBFGS":
            closure = parabola(params, optimizer, make)
            optimizer.step(closure)
        else:
            train(optimizer, params, make, range(20))
            rate.fill_(0.01)
            train(optimizer, params, make, range(20, 40))
        results.append(numpy(params))
    agree(*results)


def parabola(params: list[Any], optimizer: Any, make: Any) -> Any:
    """A closure: a slightly bent bowl, by the engine's own backward."""

    def closure() -> Any:
        optimizer.zero_grad()
        loss = sum((c * (p - 1) ** 2 + 0.1 * p**4).sum() for c, p in zip((0.5, 1.0, 2.0), params, strict=True))
        loss.backward()
        return loss

    return closure


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"lr": 0.3, "max_iter": 4},
        {"lr": 0.5, "history_size": 2, "max_iter": 7},
        {"line_search_fn": "strong_wolfe"},
        {"line_search_fn": "strong_wolfe", "lr": 20.0, "max_iter": 5},
        {"line_search_fn": "strong_wolfe", "lr": 0.001, "max_eval": 6, "history_size": 3},
        {"max_iter": 3, "tolerance_grad": 1e-1},
        {"max_iter": 1},
    ],
)
def test_lbfgs(options: dict[str, Any]) -> None:
    results = []
    for module, make, params in ((optim, tg.tensor, ours(start())), (torch.optim, torch.tensor, theirs(start()))):
        optimizer = module.LBFGS(params, **options)
        closure = parabola(params, optimizer, make)
        losses = [optimizer.step(closure).detach().item() for _ in range(6)]
        state = optimizer.state[params[0]]
        results.append((losses, numpy(params), {k: state[k] for k in ("func_evals", "n_iter")}, set(state) - {"al"}))
    assert results[0][2:] == results[1][2:]
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-10)
    agree(results[0][1], results[1][1], 1e-8)


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_lbfgs_on_rosenbrock(search: str | None) -> None:
    """A bent valley, where the search has to bracket and to zoom."""
    paths = []
    for module, params in ((optim, ours([np.array([-1.2, 1.0])])), (torch.optim, theirs([np.array([-1.2, 1.0])]))):
        (x,) = params
        optimizer = module.LBFGS(params, lr=1.0 if search else 1e-3, line_search_fn=search, max_iter=8)

        def closure(x: Any = x, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2
            loss.backward()
            return loss

        path = []
        for _ in range(4):
            optimizer.step(closure)
            path.append(x.detach().numpy().copy())
        paths.append(path)
    np.testing.assert_allclose(paths[0], paths[1], rtol=1e-6)


def test_lbfgs_states_go_both_ways() -> None:
    a, b = ours(start()), theirs(start())
    one, other = optim.LBFGS(a, lr=0.3, max_iter=4), torch.optim.LBFGS(b, lr=0.3, max_iter=4)
    one.step(parabola(a, one, tg.tensor))
    other.step(parabola(b, other, torch.tensor))
    a2, b2 = ours(numpy(a)), theirs(numpy(b))
    one2, other2 = optim.LBFGS(a2), torch.optim.LBFGS(b2)
    one2.load_state_dict(from_torch(copy.deepcopy(other.state_dict())))
    other2.load_state_dict(to_torch(one.state_dict()))
    one2.step(parabola(a2, one2, tg.tensor))
    other2.step(parabola(b2, other2, torch.tensor))
    other.step(parabola(b, other, torch.tensor))
    agree(numpy(a2), numpy(b2))
    agree(numpy(a2), numpy(b))


def test_muon_close_to_pytorch() -> None:
    """PyTorch makes the directions equal in bfloat16, which has three digits."""
    a, b = ours(start([(6, 4), (3, 7)])), theirs(start([(6, 4), (3, 7)]))
    options = {"lr": 0.01, "weight_decay": 0.1}
    train(optim.Muon(a, **options), a, tg.tensor, range(5))
    train(torch.optim.Muon(b, **options), b, torch.tensor, range(5))
    agree(numpy(a), numpy(b), 2e-2)


def lion(engine: Any) -> Any:
    """A subclass as public programs write them, the same text for both engines."""

    class Lion(engine.optim.Optimizer):
        def __init__(self, params: Any, lr: float = 1e-2, betas: Any = (0.9, 0.99), weight_decay: float = 0.0) -> None:
            defaults = dict(lr=lr, betas=betas, weight_decay=weight_decay)  # noqa: C408
            super(Lion, self).__init__(params, defaults)  # noqa: UP008

        def __setstate__(self, state: Any) -> None:
            super(Lion, self).__setstate__(state)  # noqa: UP008

        @engine.no_grad()
        def step(self, closure: Any = None) -> Any:
            loss = None
            if closure is not None:
                with engine.enable_grad():
                    loss = closure()
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is None:
                        continue
                    p.data.mul_(1 - group["lr"] * group["weight_decay"])
                    state = self.state[p]
                    if len(state) == 0:
                        state["step"] = 0
                        state["exp_avg"] = engine.zeros_like(p.data)
                    state["step"] += 1
                    exp_avg = state["exp_avg"]
                    beta1, beta2 = group["betas"]
                    d = exp_avg.mul(beta1).add(p.grad, alpha=1 - beta1).sign_()
                    p.data.add_(d, alpha=-group["lr"])
                    exp_avg.mul_(beta2).add_(p.grad.data, alpha=1 - beta2)
            return loss

    return Lion


def test_a_user_s_optimizer() -> None:
    results = []
    for engine, make, params in ((tg, tg.tensor, ours(start())), (torch, torch.tensor, theirs(start()))):
        optimizer = lion(engine)(params, weight_decay=0.1)
        train(optimizer, params, make, range(20))
        saved = optimizer.state_dict()
        optimizer = lion(engine)(params)
        optimizer.load_state_dict(saved)
        results.append(train(optimizer, params, make, range(20, 40)))
        assert optimizer.state[params[0]]["step"] == 40
    agree(*results)


@pytest.mark.parametrize("name", [n for n in optim.__all__ if n[0].isupper()])
def test_constructors_are_pytorch_s(name: str) -> None:
    mine = inspect.signature(getattr(optim, name).__init__).parameters
    other = inspect.signature(getattr(torch.optim, name).__init__).parameters
    assert list(mine) == list(other)
    for key, parameter in other.items():
        assert mine[key].default == parameter.default, key
        assert mine[key].kind == parameter.kind, key

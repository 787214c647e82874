"""Groups of parameters and saved states of optimizers, their hooks, and optimizers of the user's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from noisy_problem import parameters, train

import tinygrad_edu as tg
from tinygrad_edu import optim
from tinygrad_edu.nn.parameter import Parameter
from tinygrad_edu.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
    required,
)


def test_groups() -> None:
    x, y, z = parameters([[1.0], [2.0], [3.0]])
    optimizer = optim.SGD([{"params": x, "lr": 0.5}, {"params": iter([y])}], lr=0.1, momentum=0.9)
    optimizer.add_param_group({"params": [z], "momentum": 0})
    assert [g["lr"] for g in optimizer.param_groups] == [0.5, 0.1, 0.1]
    assert [g["momentum"] for g in optimizer.param_groups] == [0.9, 0.9, 0]
    saved = optimizer.state_dict()
    assert [g["params"] for g in saved["param_groups"]] == [[0], [1], [2]]
    assert saved["state"] == {}
    assert optim.SGD((p for p in (x, y)), lr=0.1).param_groups[0]["params"] == [x, y]


def test_named_parameters() -> None:
    x, y = parameters([[1.0], [2.0]])
    optimizer = optim.Adam([("x", x), ("y", y)])
    assert optimizer.param_groups[0]["params"] == [x, y]
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["x", "y"]
    with pytest.raises(ValueError, match="with/without names"):
        optimizer.add_param_group({"params": parameters([[3.0]])})
    with pytest.raises(ValueError, match="Some param names are missing"):
        optim.Adam([("x", x), y])


def test_representation() -> None:
    optimizer = optim.RMSprop(parameters([[1.0]]), lr=0.5)
    assert repr(optimizer) == (
        "RMSprop (\nParameter Group 0\n    alpha: 0.99\n    capturable: False\n    centered: False\n"
        "    differentiable: False\n    eps: 1e-08\n    foreach: None\n    lr: 0.5\n    maximize: False\n"
        "    momentum: 0\n    weight_decay: 0\n)"
    )


def test_zero_grad() -> None:
    (x,) = parameters([[1.0, 2.0]])
    optimizer = optim.SGD([x])
    x.grad = tg.ones(2, dtype=tg.float64)
    kept = x.grad
    optimizer.zero_grad(set_to_none=False)
    assert kept.tolist() == x.grad.tolist() == [0, 0]
    optimizer.zero_grad()
    assert x.grad is None


def test_loaded_states_are_copies_with_the_parameters_type() -> None:
    (x,) = parameters([[1.0]])
    optimizer = optim.Adam([x], lr=0.5)
    train(optimizer, [x], range(1))
    other = Parameter(tg.tensor([1.0]))
    loaded = optim.Adam([other])
    loaded.load_state_dict(optimizer.state_dict())
    assert loaded.param_groups[0]["lr"] == 0.5
    assert loaded.state[other]["exp_avg"].dtype == tg.float32
    before = optimizer.state[x]["step"].item(), optimizer.state[x]["exp_avg"].item()
    other.grad = tg.ones(1)
    loaded.step()
    assert (optimizer.state[x]["step"].item(), optimizer.state[x]["exp_avg"].item()) == before
    assert loaded.state[other]["step"].item() == 2


def test_older_states_and_shared_ones() -> None:
    """Steps as Python's numbers, buffers that are None, groups that lack an option."""
    x, y = parameters([[1.0], [1.0]])
    optimizer = optim.SGD([x], lr=0.1, momentum=0.9)
    saved = optimizer.state_dict()
    del saved["param_groups"][0]["maximize"]
    saved["state"] = {0: {"momentum_buffer": None}}
    optimizer.load_state_dict(saved)
    adam = optim.Adam([y], lr=0.1)
    saved = adam.state_dict()
    saved["state"] = {0: {"step": 3, "exp_avg": tg.zeros(1), "exp_avg_sq": tg.ones(1)}}
    adam.load_state_dict(saved)
    x.grad = y.grad = tg.ones(1, dtype=tg.float64)
    optimizer.step()
    adam.step()
    assert optimizer.state[x]["momentum_buffer"].item() == 1
    assert adam.state[y]["step"].item() == 4


def test_a_state_prepared_by_a_subclass() -> None:
    class Noted(optim.SGD):
        def step(self, closure: Any = None) -> Any:
            for p in self.param_groups[0]["params"]:
                self.state[p]["before"] = p.detach().clone()
            return super().step(closure)

    (x,) = parameters([[1.0]])
    x.grad = tg.ones(1, dtype=tg.float64)
    optimizer: Any = Noted([x], lr=0.1, momentum=0.5)
    optimizer.step()
    optimizer.step()
    assert x.item() == pytest.approx(0.75)
    assert optimizer.state[x]["before"].item() == pytest.approx(0.9)

    class Prepared(optim.Adam):
        def __init__(self, params: Any) -> None:
            super().__init__(params, lr=0.1, eps=0.0)
            for group in self.param_groups:
                for p in group["params"]:
                    self.state[p] = {"step": 0, "exp_avg": tg.zeros_like(p), "exp_avg_sq": tg.zeros_like(p)}

    (x,) = parameters([[1.0]])
    optimizer = Prepared([x])
    x.grad = tg.ones(1, dtype=tg.float64)
    optimizer.step()
    optimizer.step()
    assert x.item() == pytest.approx(0.8)


def test_adam_s_state_in_adamw_keeps_its_decay() -> None:
    (x,) = parameters([[1.0]])
    optimizer = optim.AdamW([x])
    optimizer.load_state_dict(optim.Adam([x]).state_dict())
    assert optimizer.param_groups[0]["decoupled_weight_decay"] is True


# --- subclasses and hooks ----------------------------------------------------------------------------------------------


class Lookahead(optim.Optimizer):
    """An optimizer around another one, in the way of many programs: without `super().__init__()`."""

    def __init__(self, inner: optim.Optimizer, k: int = 2, alpha: float = 0.5) -> None:
        self.inner, self.k, self.alpha, self.count = inner, k, alpha, 0
        self.param_groups, self.state, self.defaults = inner.param_groups, {}, inner.defaults
        self.slow = [[p.detach().clone() for p in group["params"]] for group in self.param_groups]

    def step(self, closure: Any = None) -> Any:
        loss = self.inner.step(closure)
        self.count += 1
        if self.count % self.k == 0:
            for group, slow in zip(self.param_groups, self.slow, strict=True):
                for p, q in zip(group["params"], slow, strict=True):
                    q.add_(p.data - q, alpha=self.alpha)
                    p.data.copy_(q)
        return loss


def test_an_optimizer_that_has_never_called_init() -> None:
    p = tg.tensor([1.0, 2.0], requires_grad=True)
    optimizer = Lookahead(optim.SGD([p], lr=0.1))
    schedule = optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    for _ in range(2):
        optimizer.zero_grad()
        p.sum().backward()
        optimizer.step()
        schedule.step()
    np.testing.assert_allclose(p.detach().numpy(), [1 - 0.15 / 2, 2 - 0.15 / 2], rtol=1e-6)


class Plain(optim.Optimizer):
    """As public programs write them."""

    def __init__(self, params: Any, lr: Any = required, decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "decay": decay})

    def step(self, closure: Any = None) -> Any:
        loss = None if closure is None else closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                d = p.grad.data
                if group["decay"] != 0:
                    d = d.add(p.data, alpha=group["decay"])
                state = self.state[p]
                if len(state) == 0:
                    state["step"] = 0
                state["step"] += 1
                p.data.add_(d, alpha=-group["lr"])
        return loss


def test_a_subclass_of_the_user_s() -> None:
    x, y = parameters([[1.0], [2.0]])
    optimizer = Plain([{"params": [x], "decay": 1.0}, {"params": [y], "lr": 0.5}], lr=0.1)
    x.grad = tg.ones(1, dtype=tg.float64)
    assert optimizer.step(lambda: "loss") == "loss"
    assert x.item() == pytest.approx(0.8)
    assert y.item() == 2
    assert optimizer.state_dict()["state"] == {0: {"step": 1}}
    assert Plain.step.__name__ == "step"
    with pytest.raises(ValueError, match="required optimization parameter lr"):
        Plain([x])
    with pytest.raises(NotImplementedError):
        optim.Optimizer([x], {}).step()


def test_step_hooks() -> None:
    calls = []
    (x,) = parameters([[1.0]])
    x.grad = tg.ones(1, dtype=tg.float64)
    optimizer = Plain([x], lr=0.1)

    def note(name: str) -> Any:
        return lambda o, args, kwargs: calls.append((name, o is optimizer, args[0] is o, kwargs))

    handles = [
        register_optimizer_step_pre_hook(note("global pre")),
        register_optimizer_step_post_hook(note("global post")),
        optimizer.register_step_pre_hook(note("pre")),
        optimizer.register_step_post_hook(note("post")),
    ]
    optimizer.step()
    assert calls == [(name, True, True, {}) for name in ("global pre", "pre", "post", "global post")]
    for handle in handles:
        handle.remove()
    optimizer.step()
    assert len(calls) == 4
    optimizer.register_step_pre_hook(lambda o, args, kwargs: ((o, lambda: "replaced"), {}))
    assert optimizer.step() == "replaced"
    optimizer.register_step_pre_hook(lambda o, args, kwargs: 3)
    with pytest.raises(RuntimeError, match="tuple of"):
        optimizer.step()


def test_hooks_run_once_where_a_subclass_calls_its_base() -> None:
    class Mine(optim.SGD):
        def step(self, closure: Any = None) -> Any:
            return super().step(closure)

    (x,) = parameters([[1.0]])
    x.grad = tg.ones(1, dtype=tg.float64)
    optimizer, calls = Mine([x], lr=0.1), []
    optimizer.register_step_post_hook(lambda *args: calls.append(args))
    optimizer.step()
    assert len(calls) == 1


def test_state_hooks() -> None:
    (x,) = parameters([[1.0]])
    optimizer, calls = optim.SGD([x], lr=0.1), []
    optimizer.register_state_dict_pre_hook(lambda o: calls.append("pre"))
    optimizer.register_state_dict_pre_hook(lambda o: calls.append("before"), prepend=True)
    optimizer.register_state_dict_post_hook(lambda o, d: {**d, "extra": 1})
    optimizer.register_load_state_dict_pre_hook(lambda o, d: {k: v for k, v in d.items() if k != "extra"})
    optimizer.register_load_state_dict_post_hook(lambda o: calls.append("loaded"))
    saved = optimizer.state_dict()
    assert saved["extra"] == 1
    optimizer.load_state_dict(saved)
    assert calls == ["before", "pre", "loaded"]

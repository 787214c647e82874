"""Every optimizer by itself: two runs bit for bit, saved and loaded, on a device, beside graphs, and bad input."""

from __future__ import annotations

import copy
import pickle
import warnings
from typing import Any

import numpy as np
import pytest
import standin
from noisy_problem import CASES, IDS, gradients, parameters, start, train

import tinygrad_edu as tg
from tinygrad_edu import optim
from tinygrad_edu.tensor import wrap


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_two_runs_are_the_same_bit_for_bit(name: str, options: dict[str, Any]) -> None:
    for dtype in (np.float32, np.float64):
        results = []
        for _ in range(2):
            params = parameters(start(dtype=dtype))
            results.append(train(getattr(optim, name)(params, **options), params, range(50)))
        for a, b in zip(*results, strict=True):
            assert a.dtype == dtype
            assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_saved_and_loaded_goes_on_as_if_nothing_had_happened(name: str, options: dict[str, Any]) -> None:
    params = parameters(start())
    optimizer = getattr(optim, name)(params, **options)
    train(optimizer, params, range(10))
    twins = [
        (optimizer, params),
        copy.deepcopy((optimizer, params)),
        pickle.loads(pickle.dumps((optimizer, params))),
    ]
    loaded = parameters([p.detach().numpy() for p in params])
    fresh = getattr(optim, name)(loaded)
    fresh.load_state_dict(optimizer.state_dict())
    twins.append((fresh, loaded))
    results = [train(o, ps, range(10, 20)) for o, ps in reversed(twins)]
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_same_on_the_device(name: str, options: dict[str, Any]) -> None:
    """On a strict stand-in for a GPU, whose numbers the host need not wait for."""
    values = start(SHAPES_ON_DEVICE)
    params = parameters(values)
    expected = train(getattr(optim, name)(params, **options), params, range(5))
    with standin.device():
        there = [wrap(standin.Array(v.copy())).requires_grad_() for v in values]
        optimizer = getattr(optim, name)(there, **options)
        for t in range(5):
            for p, g in zip(there, gradients([p.array._a for p in there], t), strict=True):
                p.grad = wrap(standin.Array(g))
            standin.waits.clear()
            optimizer.step()
            assert name == "Adafactor" or not standin.waits  # PyTorch's also asks for its sizes
        for p, x in zip(there, expected, strict=True):
            np.testing.assert_allclose(p.array._a, x, rtol=1e-12)


SHAPES_ON_DEVICE = ((3, 2), (4,))


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_strided_and_empty_parameters(name: str, options: dict[str, Any]) -> None:
    results = []
    for transposed in (False, True):
        value = np.arange(6.0).reshape(2, 3)
        value = np.asfortranarray(value) if transposed else value
        params = [wrap(value).requires_grad_(), wrap(np.zeros((0, 3))).requires_grad_()]
        memory = params[0].array
        results.append(train(getattr(optim, name)(params, **options), params, range(3))[0])
        assert params[0].array is memory  # written in place, for everybody who shows it
    np.testing.assert_array_equal(*results)


def test_steps_are_noted_as_writes() -> None:
    """A graph that still needs the old weights refuses to give a wrong gradient."""
    for name in ("SGD", "Adam", "LBFGS"):
        (x,) = parameters([[1.0, 2.0]])
        optimizer = getattr(optim, name)([x], lr=0.1)
        loss = (x * x * x).sum()

        def closure(x: Any = x) -> Any:
            x.grad = tg.ones(2, dtype=tg.float64)
            return (x * x).sum()

        optimizer.step(closure)
        with pytest.raises(RuntimeError, match="modified"):
            loss.backward()


def test_state_used_in_a_graph() -> None:
    (x,) = parameters([[1.0, 2.0]])
    optimizer = optim.SGD([x], lr=0.1, momentum=0.9)
    x.grad = tg.ones(2, dtype=tg.float64)
    optimizer.step()
    y = tg.tensor([1.0, 2.0], dtype=tg.float64, requires_grad=True)
    loss = (y * optimizer.state[x]["momentum_buffer"]).sum()
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified"):
        loss.backward()


def test_closures_record_although_the_caller_does_not() -> None:
    (x,) = parameters([[1.0]])
    optimizer = optim.SGD([x], lr=0.25)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = (x * x).sum()
        loss.backward()
        return loss

    with tg.no_grad():
        assert optimizer.step(closure).item() == 1
    assert x.item() == 0.5


def test_gradients_that_carry_a_graph() -> None:
    (x,) = parameters([[1.0]])
    (x * x).sum().backward(create_graph=True)
    optim.SGD([x], lr=0.25).step()
    assert x.item() == 0.5
    assert x.requires_grad and x.is_leaf


def test_options_may_change_between_steps() -> None:
    (x,) = parameters([[1.0]])
    optimizer = optim.SGD([x], lr=tg.tensor(0.5))
    x.grad = tg.ones(1, dtype=tg.float64)
    optimizer.step()
    optimizer.param_groups[0]["lr"].fill_(0.25)
    optimizer.step()
    optimizer.param_groups[0].update(lr=1.0, momentum=0.9)
    optimizer.step()
    assert x.item() == -0.75
    assert list(optimizer.state[x]) == ["momentum_buffer"]


# --- bad input ---------------------------------------------------------------------------------------------------------


def test_no_parameter_requires_a_gradient() -> None:
    x = tg.ones(2)
    optimizer = optim.SGD([x], lr=0.1)
    with pytest.warns(UserWarning, match="none of the 1 parameters requires a gradient"):
        optimizer.step()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer.step()  # once is enough
        y = tg.ones(2)
        y.grad = tg.ones(2)  # made by hand
        optim.SGD([y], lr=0.5).step()
        optim.SGD([tg.ones(2, requires_grad=True)]).step()
    assert y.tolist() == [0.5, 0.5]


def test_parameters_that_are_refused() -> None:
    (x,) = parameters([[1.0]])
    with pytest.raises(ValueError, match="empty parameter list"):
        optim.SGD([])
    with pytest.raises(TypeError, match="iterable of Tensors or dicts"):
        optim.SGD(x)
    with pytest.raises(ValueError, match="non-leaf"):
        optim.SGD([x * 2])
    with pytest.raises(TypeError, match="can only optimize Tensors"):
        optim.SGD([1.0])
    with pytest.raises(TypeError, match="ordered collections"):
        optim.SGD([{"params": {x}}])
    with pytest.raises(ValueError, match="more than one parameter group"):
        optim.SGD([{"params": [x]}, {"params": [x]}])
    with pytest.warns(UserWarning, match="duplicate parameters"):
        optim.SGD([x, x])
    with pytest.raises(TypeError, match="must be a dict"):
        optim.SGD([x]).add_param_group([x])
    with pytest.raises(ValueError, match="per-parameter options"):
        optim.LBFGS([{"params": [x]}, {"params": parameters([[2.0]])}])
    with pytest.raises(ValueError, match=r"2D parameters.*\[1\]"):
        optim.Muon([x])


@pytest.mark.parametrize("name", [n for n in optim.__all__ if n[0].isupper() and n != "Optimizer"])
def test_negative_rates_are_refused(name: str) -> None:
    params = parameters([np.ones((2, 2))])
    with pytest.raises(ValueError, match=r"(Invalid learning rate: -1|Learning rate should be >= 0 but is: -1)"):
        getattr(optim, name)(params, lr=-1)
    with pytest.raises(ValueError, match="1-element"):
        getattr(optim, name)(params, lr=tg.tensor([1.0, 2.0]))


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("SGD", {"momentum": -0.5}, "Invalid momentum value: -0.5"),
        ("SGD", {"weight_decay": -1}, "Invalid weight_decay value: -1"),
        ("SGD", {"nesterov": True}, "Nesterov momentum requires a momentum and zero dampening"),
        ("Adam", {"betas": (1.0, 0.9)}, "Invalid beta parameter at index 0: 1.0"),
        ("AdamW", {"betas": (0.9, -0.1)}, "Invalid beta parameter at index 1: -0.1"),
        ("Adam", {"eps": -1e-8}, "Invalid epsilon value: -1e-08"),
        ("NAdam", {"momentum_decay": -1}, "Invalid momentum_decay value: -1"),
        ("Adadelta", {"rho": 1.5}, "Invalid rho value: 1.5"),
        ("Adagrad", {"initial_accumulator_value": -1}, "Invalid initial_accumulator_value value: -1"),
        ("RMSprop", {"alpha": -1}, "Invalid alpha value: -1"),
        ("Rprop", {"etas": (1.2, 0.5)}, "Invalid eta values: 1.2, 0.5"),
        ("Adafactor", {"d": 0.5}, "Clipping threshold d should be >= 1 but is: 0.5"),
        ("Muon", {"adjust_lr_fn": "mine"}, "Adjust learning rate function mine is not supported"),
    ],
)
def test_options_that_are_refused(name: str, options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        getattr(optim, name)(parameters([np.ones((2, 2))]), **options)


def test_flags() -> None:
    (x,) = parameters([[1.0]])
    optim.Adam([x], foreach=True, capturable=True)
    optim.SGD([x], fused=True)
    with pytest.raises(RuntimeError, match="`fused` and `foreach`"):
        optim.Adam([x], foreach=True, fused=True)
    with pytest.raises(NotImplementedError, match="create_graph=True"):
        optim.Adam([x], differentiable=True)


def test_states_that_do_not_fit() -> None:
    x, y = parameters([[1.0], [2.0]])
    saved = optim.SGD([x]).state_dict()
    with pytest.raises(ValueError, match="doesn't match the size of optimizer's group"):
        optim.SGD([x, y]).load_state_dict(saved)
    with pytest.raises(ValueError, match="different number of parameter groups"):
        optim.SGD([{"params": [x]}, {"params": [y]}]).load_state_dict(saved)

"""What is called around modules."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from both_engines import numbers

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.nn.modules import module as everywhere


class Scaled(nn.Module):
    def forward(self, x, scale=1.0):
        return x * scale


def test_before_and_after_the_forward():
    net, seen = Scaled(), []
    net.register_forward_pre_hook(lambda m, args: (args[0] + 1,))
    net.register_forward_pre_hook(lambda m, args, kwargs: (args, {"scale": 10.0}), with_kwargs=True)
    net.register_forward_hook(lambda m, args, out: seen.append((numbers(args[0]), numbers(out))))
    net.register_forward_hook(lambda m, args, out: out + 0.5)
    net.register_forward_hook(lambda m, args, kwargs, out: seen.append(kwargs), with_kwargs=True)
    net.register_forward_hook(lambda m, args, out: seen.append("first"), prepend=True)
    assert numbers(net(tg.tensor([1.0]))) == [20.5]
    assert seen == ["first", ([2.0], [20.0]), {"scale": 10.0}]


def test_handles_take_hooks_away():
    net, seen = Scaled(), []
    handle = net.register_forward_hook(lambda *args: seen.append(1))
    net(tg.ones(1))
    handle.remove()
    handle.remove()
    net(tg.ones(1))
    with net.register_forward_hook(lambda *args: seen.append(2)):
        net(tg.ones(1))
    net(tg.ones(1))
    assert seen == [1, 2]


def test_the_tables_can_be_cleared():
    net, seen = Scaled(), []
    net.register_forward_hook(lambda *args: seen.append(1))
    assert len(net._forward_hooks) == 1
    net._forward_hooks.clear()
    net(tg.ones(1))
    assert not seen


def test_a_hook_may_take_itself_away():
    net, seen = Scaled(), []
    handle = net.register_forward_hook(lambda *args: (seen.append(1), handle.remove())[1])
    net(tg.ones(1))
    net(tg.ones(1))
    assert seen == [1]


def test_hooks_that_hear_of_a_failure():
    class Broken(nn.Module):
        def forward(self, x):
            raise ValueError("broken")

    net, seen = Broken(), []
    net.register_forward_hook(lambda m, args, out: seen.append("no"))
    net.register_forward_hook(lambda m, args, out: seen.append(out), always_call=True)
    net.register_forward_hook(lambda m, args, out: 1 / 0, always_call=True)
    with pytest.warns(UserWarning, match="division by zero"), pytest.raises(ValueError, match="broken"):
        net(1)
    assert seen == [None]


def test_backward_hooks_see_and_change_gradients():
    net, seen = nn.Linear(2, 1, bias=False), []
    with tg.no_grad():
        net.weight.copy_(tg.tensor([[2.0, 3.0]]))
    net.register_full_backward_pre_hook(lambda m, go: (go[0] * 10,))
    net.register_full_backward_hook(lambda m, gi, go: seen.append((numbers(gi), numbers(go))))
    net.register_full_backward_hook(lambda m, gi, go: (gi[0] + 1,))
    x = tg.tensor([[1.0, 5.0]], requires_grad=True)
    net(x).sum().backward()
    assert seen == [([[20.0, 30.0]], [[10.0]])]
    assert numbers(x.grad) == [21, 31]
    assert numbers(net.weight.grad) == [10, 50]


def test_inputs_without_gradient_are_told_as_none():
    net, seen = nn.Linear(2, 1), []
    net.register_full_backward_hook(lambda m, gi, go: seen.append((gi, numbers(go))))
    net(tg.ones(1, 2)).sum().backward()
    assert seen == [((None,), [[1.0]])]


def test_several_inputs_and_outputs():
    class Several(nn.Module):
        def forward(self, a, n, b):
            return a * b, n, a + b

    net, seen = Several(), []
    net.register_full_backward_hook(lambda m, gi, go: seen.append(numbers([gi, go])))
    a, b = tg.tensor([2.0], requires_grad=True), tg.tensor([3.0], requires_grad=True)
    out = net(a, 5, b)
    (out[0] + out[2] * 2).sum().backward()
    net(a, 5, b)[0].sum().backward()
    assert seen == [[[[5.0], None, [4.0]], [[1.0], None, [2.0]]], [[[3.0], None, [2.0]], [[1.0], None, None]]]
    net.register_full_backward_hook(lambda m, gi, go: gi[:1])
    with pytest.raises(RuntimeError, match="got 1, but expected 3"):
        net(a, 5, b)[0].sum().backward()


def test_second_derivatives_pass_backward_hooks():
    net, seen = nn.Tanh(), []
    net.register_full_backward_hook(lambda m, gi, go: seen.append(gi[0].item()))
    x = tg.tensor([0.5], dtype=tg.float64, requires_grad=True)
    (g,) = tg.autograd.grad(net(x).sum(), x, create_graph=True)
    g.sum().backward()
    t = np.tanh(0.5)
    np.testing.assert_allclose(seen[0], 1 - t**2)
    np.testing.assert_allclose(x.grad.numpy(), [-2 * t * (1 - t**2)])


def test_writing_into_an_input_behind_a_backward_hook_is_refused():
    net = nn.ReLU(inplace=True)
    net.register_full_backward_hook(lambda *args: None)
    with pytest.raises(RuntimeError, match="inplace=False"):
        net(tg.ones(2, requires_grad=True) * 2)


def test_an_input_that_was_written_before_is_no_trouble():
    net = Scaled()
    net.register_full_backward_hook(lambda *args: None)
    a, b = tg.ones(2, requires_grad=True) * 2, tg.ones(2)
    for t in (a, b):
        t.add_(1)
    net(a, b).sum().backward()
    net(b, a).sum().backward()


def test_the_result_may_be_written_into():
    net = nn.Tanh()
    net.register_full_backward_hook(lambda m, gi, go: None)
    x = tg.tensor([0.5], requires_grad=True)
    net(x).mul_(2).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [2 * (1 - np.tanh(0.5) ** 2)], rtol=1e-6)


def test_old_and_full_backward_hooks_do_not_mix():
    net = nn.Tanh()
    net.register_backward_hook(lambda *args: None)
    with pytest.raises(RuntimeError, match="register_full_backward_hook"):
        net.register_full_backward_hook(lambda *args: None)


def test_around_all_modules():
    net, seen = nn.Sequential(nn.Tanh(), nn.ReLU()), []
    handles = [
        everywhere.register_module_forward_pre_hook(lambda m, a: seen.append(type(m).__name__)),
        everywhere.register_module_forward_hook(lambda m, a, out: seen.append(type(m).__name__)),
        everywhere.register_module_full_backward_hook(lambda m, gi, go: seen.append(type(m).__name__)),
    ]
    x = tg.ones(1, requires_grad=True)
    net(x).backward()
    for handle in handles:
        handle.remove()
    inner = ["Sequential", "Tanh", "Tanh", "ReLU", "ReLU", "Sequential"]
    assert seen == [*inner, "ReLU", "Tanh", "Sequential"]
    net(x).backward()
    assert len(seen) == 9
    assert net._around is None  # the call is quick again


def test_around_registrations():
    seen = []
    handles = [
        everywhere.register_module_parameter_registration_hook(lambda m, name, p: seen.append(name)),
        everywhere.register_module_buffer_registration_hook(lambda m, name, b: seen.append(name)),
        everywhere.register_module_module_registration_hook(lambda m, name, c: nn.Identity()),
    ]
    net = nn.Sequential(nn.BatchNorm1d(2))
    for handle in handles:
        handle.remove()
    assert seen == ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    assert type(net[0]) is nn.Identity


def heard(module, args, out):
    return out + 1


def test_hooks_are_copied_and_pickled_with_their_module():
    net = Scaled()
    net.register_forward_hook(heard)
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert numbers(other(tg.ones(1))) == [2]
        other._forward_hooks.clear()
    assert numbers(net(tg.ones(1))) == [2]


def test_hooks_of_the_state():
    net, seen = nn.Linear(2, 2, bias=False), []
    net.register_state_dict_pre_hook(lambda m, prefix, keep_vars: seen.append(prefix))

    def named(module, state, prefix, metadata):
        state[prefix + "w"] = state.pop(prefix + "weight")

    def renamed(module, state, prefix, *rest):
        state[prefix + "weight"] = state.pop(prefix + "w") * 2

    net.register_state_dict_post_hook(named)
    net.register_load_state_dict_pre_hook(renamed)
    net.register_load_state_dict_post_hook(lambda m, keys: seen.append(keys))
    outer = nn.ModuleDict({"a": net})
    before = net.weight.detach().clone()
    state = outer.state_dict()
    assert list(state) == ["a.w"]
    outer.load_state_dict(state)
    assert tg.equal(net.weight, before * 2)
    assert seen == ["a.", ([], [])]

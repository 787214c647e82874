"""Hooks of modules, done in both engines: each scenario tells what it has seen, and both tell the same."""

from __future__ import annotations

import warnings
from collections import OrderedDict

import pytest
from both_engines import Scenarios, numbers, raised
from small_network import small

scenario = Scenarios()


@scenario
def forward_hooks(t):
    seen = []
    net = small(t)
    x = t.ones(1, 2)
    first = net.first
    handles = [
        first.register_forward_pre_hook(lambda m, args: seen.append(["pre", len(args)])),
        first.register_forward_pre_hook(lambda m, args: args[0] * 2),
        first.register_forward_pre_hook(lambda m, args: seen.append(["pre first"]), prepend=True),
        first.register_forward_pre_hook(lambda m, a, k: (a, {"scale": 3.0}), with_kwargs=True),
        first.register_forward_hook(lambda m, args, out: seen.append(["out", numbers(out)])),
        first.register_forward_hook(lambda m, args, out: out + 1),
        first.register_forward_hook(lambda m, args, out: seen.append(["out first"]), prepend=True),
        first.register_forward_hook(lambda m, a, k, out: seen.append([k, numbers(out)]), with_kwargs=True),
    ]
    seen.append(numbers(net(x)))
    seen += [len(first._forward_hooks), len(first._forward_pre_hooks), len(net._forward_hooks)]
    handles[1].remove()
    seen.append(numbers(net(x)))
    with first.register_forward_hook(lambda m, args, out: seen.append("inside")):
        net(x)
    first._forward_hooks.clear()
    first._forward_pre_hooks = OrderedDict()
    seen.append(numbers(net(x)))
    first.register_forward_pre_hook(lambda m, a, k: 3, with_kwargs=True)
    return [*seen, raised(lambda: net(x))]


@scenario
def hooks_of_a_failure(t):
    seen = []

    class Broken(t.nn.Module):
        def forward(self, x):
            raise ValueError("no")

    net = Broken()
    net.register_forward_hook(lambda m, args, out: seen.append("not told"))
    net.register_forward_hook(lambda m, args, out: seen.append(["told", out]), always_call=True)
    net.register_forward_hook(lambda m, a, k, out: seen.append([k, out]), always_call=True, with_kwargs=True)
    seen.append(raised(lambda: net(1)))
    good = t.nn.Identity()
    good.register_forward_hook(lambda m, args, out: seen.append("once"), always_call=True)
    good.register_forward_hook(lambda m, args, out: 1 / 0)
    return [*seen, raised(lambda: good(1)), seen]


@scenario
def backward_hooks(t):
    seen = []
    net = small(t)
    net.second.register_full_backward_hook(lambda m, gi, go: seen.append(["second", numbers(gi), numbers(go)]))
    net.first.register_full_backward_hook(lambda m, gi, go: seen.append(["first", numbers(gi), numbers(go)]))
    net.second.register_full_backward_pre_hook(lambda m, go: seen.append(["pre", numbers(go)]))
    net(t.ones(1, 2)).sum().backward()  # the input asks for no gradient
    x = t.ones(1, 2, requires_grad=True)
    net(x).sum().backward()
    net.second.register_full_backward_hook(lambda m, gi, go: tuple(2 * g for g in gi))
    net.second.register_full_backward_pre_hook(lambda m, go: (go[0] * 3,), prepend=True)
    x.grad = None
    net.zero_grad()
    net(x).sum().backward()
    seen += [numbers(x.grad), numbers([p.grad for p in net.parameters()])]
    with t.no_grad():
        net(x)
    return seen


@scenario
def backward_hooks_of_several(t):
    seen = []

    class Pair(t.nn.Module):
        def forward(self, a, n, b, c=None):
            return a * b, n, a + n

    net = Pair()
    net.register_full_backward_hook(lambda m, gi, go: seen.append([numbers(gi), numbers(go)]))
    a, b = t.tensor([2.0], requires_grad=True), t.tensor([3.0])
    out = net(a, 5, b)
    out[0].sum().backward()
    out = net(a, 5, b)
    (out[2] * 2).sum().backward()
    out = net(a, 5, a)
    (out[0] + out[2]).sum().backward()
    seen += [numbers(a.grad), out[1]]
    handle = net.register_full_backward_hook(lambda m, gi, go: gi[:1])
    seen.append(raised(lambda: net(a, 5, b)[0].sum().backward()))
    handle.remove()
    net.register_full_backward_hook(lambda m, gi, go: (gi[0] * 10, None, None))
    a.grad = None
    net(a, 5, b)[0].sum().backward()
    return [*seen, numbers(a.grad)]


@scenario
def second_derivatives_through_hooks(t):
    seen = []
    net = t.nn.Tanh()
    net.register_full_backward_hook(lambda m, gi, go: seen.append(numbers(gi)))
    x = t.tensor([0.5], dtype=t.float64, requires_grad=True)
    (g,) = t.autograd.grad(net(x).sum(), x, create_graph=True)
    g.sum().backward()
    return [*seen, numbers(g), numbers(x.grad)]


@scenario
def in_place_inside_a_backward_hook(t):
    net = t.nn.ReLU(inplace=True)
    net.register_full_backward_hook(lambda m, gi, go: None)
    x = t.ones(2, requires_grad=True)
    return raised(lambda: net(x * 2).sum().backward())


@scenario
def old_backward_hooks(t):
    seen = []
    net = small(t)
    net.register_backward_hook(lambda m, gi, go: seen.append(numbers(go)))
    seen.append(raised(lambda: net.register_full_backward_hook(lambda *a: None)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net(t.ones(1, 2)).sum().backward()
    return seen


@scenario
def hooks_around_all(t):
    seen = []
    module = t.nn.modules.module
    net = small(t)
    x = t.ones(1, 2, requires_grad=True)
    handles = [
        module.register_module_forward_pre_hook(lambda m, a: seen.append(["pre", type(m).__name__])),
        module.register_module_forward_hook(lambda m, a, out: seen.append(["out", type(m).__name__])),
        module.register_module_full_backward_hook(lambda m, gi, go: seen.append([type(m).__name__, numbers(gi)])),
        module.register_module_full_backward_pre_hook(lambda m, go: seen.append(["go", numbers(go)])),
    ]
    net(x).sum().backward()
    for handle in handles:
        handle.remove()
    net(x).sum().backward()
    handles = [
        module.register_module_parameter_registration_hook(lambda m, n, p: seen.append(["p", n])),
        module.register_module_buffer_registration_hook(lambda m, n, p: seen.append(["b", n])),
        module.register_module_module_registration_hook(lambda m, n, p: seen.append(["m", n])),
    ]
    small(t)
    for handle in handles:
        handle.remove()
    small(t)
    return seen


# PyTorch tells which gradients a hook cannot see; the hook itself is given None for these
test_same_as_pytorch = pytest.mark.filterwarnings("ignore:Full backward hook is firing")(scenario.test())

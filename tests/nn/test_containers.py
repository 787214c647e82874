"""Modules that hold modules or parameters."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict

import pytest
from both_engines import Scenarios, numbers, raised

import tinygrad_edu as tg
from tinygrad_edu import nn

scenario = Scenarios()


def test_sequential_is_a_chain():
    layers = [nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)]
    x = tg.randn(5, 3)
    net = nn.Sequential(*layers)
    expected = layers[2](layers[1](layers[0](x)))
    assert tg.equal(net(x), expected)
    assert net[0] is layers[0]
    assert net[-1] is layers[2]
    assert list(net[1:]) == layers[1:]
    assert tg.equal((net[:1] + net[1:])(x), expected)


def test_sequential_changes_like_a_list():
    a, b, c, d = (nn.Identity() for _ in range(4))
    net = nn.Sequential(a, b)
    plain = [a, b]
    for holder in (net, plain):
        holder.append(c)
        holder.insert(0, d)
        holder.insert(-1, a)
        holder.extend([b, d])
        holder[1] = c
        del holder[2]
        holder.pop(0)
        holder += nn.Sequential(d)
    assert list(net) == plain
    assert list(net._modules) == [str(i) for i in range(len(plain))]


def test_names_of_an_ordered_dictionary_are_kept():
    net = nn.Sequential(OrderedDict(first=nn.Linear(2, 2), act=nn.ReLU()))
    assert net.first is net[0]
    assert list(net.state_dict()) == ["first.weight", "first.bias"]


def test_what_is_in_a_plain_list_is_not_known():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.plain = [nn.Linear(2, 2)]
            self.known = nn.ModuleList([nn.Linear(2, 2)])

    assert [n for n, _ in Net().named_parameters()] == ["known.0.weight", "known.0.bias"]


def test_a_module_list_has_no_forward():
    with pytest.raises(NotImplementedError, match="ModuleList"):
        nn.ModuleList([nn.ReLU()])(tg.ones(1))


def test_keys_of_a_parameter_dict_are_strings():
    holder = nn.ParameterDict()
    with pytest.raises(TypeError, match="not a string"):
        holder[3] = tg.ones(1)
    assert len(holder) == 0


def test_tensors_in_a_parameter_list_become_parameters():
    holder = nn.ParameterList([tg.ones(2), nn.Parameter(tg.zeros(3)), "text"])
    assert [type(v) for v in holder] == [nn.Parameter, nn.Parameter, str]
    assert [n for n, _ in holder.named_parameters()] == ["0", "1"]


@scenario
def sequences(t):
    nn = t.nn
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 3))
    other = nn.Sequential(OrderedDict(a=nn.ReLU(), b=nn.Tanh()))
    seen = [repr(net), repr(other), len(net), repr(net[1:]), repr(other[:1]), repr(net + other), repr(net * 2)]
    seen += [repr(2 * other), repr(nn.Sequential()), "0" in dir(net), "a" in dir(other)]
    net += other
    net.insert(1, nn.Sigmoid()).append(nn.GELU()).extend([nn.ELU(), nn.SELU()])
    seen += [repr(net), list(net.state_dict())]
    del net[1], net[-2:]
    seen += [repr(net), repr(net.pop(0)), repr(net)]
    net[0] = nn.Softplus()
    seen.append([type(m).__name__ for m in net])
    for call in (
        lambda: net[9],
        lambda: net["0"],
        lambda: net[1.5],
        lambda: net.__add__([nn.ReLU()]),
        lambda: net * 0,
        lambda: net * 1.5,
        lambda: net.insert(99, nn.ReLU()),
        lambda: net.insert(0, 3),
        lambda: net.append(3),
        lambda: nn.Sequential(3),
        lambda: net.__setitem__(99, nn.ReLU()),
        lambda: net.__delitem__(99),
    ):
        seen.append(raised(call))
    return [*seen, repr(copy.deepcopy(net)), repr(pickle.loads(pickle.dumps(net)))]


@scenario
def module_lists(t):
    nn = t.nn
    net = nn.ModuleList([nn.ReLU(), nn.ReLU(), nn.Linear(2, 2), nn.Sequential(nn.ReLU()), nn.Sequential(nn.ReLU())])
    seen = [
        repr(net),
        len(net),
        repr(net[1:3]),
        repr(net[-1]),
        repr(nn.ModuleList()),
        repr(net + nn.ModuleList([nn.Tanh()])),
    ]
    net += [nn.Tanh()]
    net.insert(2, nn.GELU())
    net.append(nn.ELU())
    net[0] = nn.SELU()
    seen.append(repr(net))
    del net[0]
    del net[1:3]
    seen += [repr(net), repr(net.pop(1)), repr(net), [type(m).__name__ for m in net], list(net.state_dict())]
    seen += [raised(lambda: net[10]), raised(lambda: net.extend(3)), raised(lambda: net.append(3)), "1" in dir(net)]
    return [*seen, raised(lambda: net(1)), raised(lambda: nn.ModuleList([3])), nn.ReLU() in net, net[0] in net]


@scenario
def module_dicts(t):
    nn = t.nn
    net = nn.ModuleDict({"a": nn.ReLU(), "b": nn.Linear(2, 2)})
    net["c"] = nn.Tanh()
    net.update([("d", nn.ELU()), ["a", nn.SELU()]])
    net.update(nn.ModuleDict({"e": nn.GELU()}))
    seen = [repr(net), len(net), list(net), "a" in net, "z" in net, list(net.keys()), net["b"] is net.b]
    seen += [[(k, type(v).__name__) for k, v in net.items()], [type(v).__name__ for v in net.values()]]
    seen += [repr(net.pop("a")), list(net.state_dict())]
    del net["c"]
    for call in (
        lambda: net["z"],
        lambda: net.pop("z"),
        lambda: net.update(3),
        lambda: net.update([3]),
        lambda: net.update([(1, 2, 3)]),
        lambda: net.__setitem__("a.b", nn.ReLU()),
        lambda: net.__setitem__("keys", nn.ReLU()),
        lambda: net.__setitem__("x", 3),
        lambda: net(1),
    ):
        seen.append(raised(call))
    net.clear()
    return [*seen, repr(net), len(net)]


@scenario
def parameter_lists(t):
    nn = t.nn
    holder = nn.ParameterList([t.ones(2), nn.Parameter(t.zeros(3, 1)), nn.Parameter(t.ones(1), requires_grad=False)])
    holder.append(t.full((2,), 5.0)).extend([t.ones(1), "text"])
    holder[0] = t.zeros(1)
    holder += [t.ones(4)]
    seen = [repr(holder), len(holder), numbers(list(holder)), numbers(list(holder[1:4])), list(holder.state_dict())]
    seen += [numbers(holder[-1]), holder[2].requires_grad, repr(nn.ParameterList()), "0" in dir(holder)]
    for call in (lambda: holder[99], lambda: holder.extend(3), lambda: holder.extend(t.ones(2)), lambda: holder()):
        seen.append(raised(call))
    other = copy.deepcopy(holder)
    return [*seen, numbers(list(other)), other[0] is not holder[0], [n for n, _ in holder.named_parameters()]]


@scenario
def parameter_dicts(t):
    nn = t.nn
    holder = nn.ParameterDict({"b": t.ones(2), "a": nn.Parameter(t.zeros(3, 1))})
    holder["c"] = t.ones(1)
    holder["text"] = "text"
    seen = [list(holder), len(holder), "a" in holder, numbers(dict(holder.items())), list(holder.state_dict())]
    seen += [numbers(list(holder.values())), list(holder.keys()), list(reversed(holder)), numbers(holder.get("a"))]
    seen += [holder.get("z", 3), numbers(holder.pop("b")), numbers(holder.setdefault("n", t.ones(2)))]
    seen += [list(holder.copy()), list(holder | {"q": t.ones(1)}), list(holder.fromkeys(["x", "y"], 3))]
    other = nn.ParameterDict([("y", t.ones(1)), ("x", t.ones(1))])
    holder |= other
    seen += [list(holder), list(holder | other), numbers(holder.popitem())]
    for call in (
        lambda: holder["zz"],
        lambda: holder[3],
        lambda: holder.update(3),
        lambda: holder.update([3]),
        lambda: holder.update([(1, 2, 3)]),
        lambda: holder(1),
    ):
        seen.append(raised(call))
    holder.clear()
    return [*seen, len(holder), list(holder.state_dict())]


@scenario
def printed_parameters(t):
    holder = t.nn.ParameterDict(OrderedDict(a=t.ones(2, 3), b=t.nn.Parameter(t.zeros(1)), c="text"))
    return repr(holder)


@pytest.mark.filterwarnings("ignore:.nn.Container. is deprecated")
def test_container_of_old_programs():
    assert list(nn.Container(a=nn.ReLU())._modules) == ["a"]


test_same_as_pytorch = scenario.test()

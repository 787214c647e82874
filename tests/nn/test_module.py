"""`Module`: what it is made of, its state, and everything that is done to all of it."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref

import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn


class Inner(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(tg.randn(2, 2))
        self.register_buffer("steps", tg.zeros(1))
        self.register_buffer("scratch", tg.zeros(1), persistent=False)

    def forward(self, x):
        return x @ self.weight


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = Inner()
        self.gain = nn.Parameter(tg.ones(2))
        self.shared = self.first

    def forward(self, x):
        return self.first(x) * self.gain


# --- members -------------------------------------------------------------------------------------------------------------


def test_members_are_found_in_the_order_of_definition_each_once():
    net = Net()
    assert [n for n, _ in net.named_parameters()] == ["gain", "first.weight"]
    assert [n for n, _ in net.named_parameters(remove_duplicate=False)] == ["gain", "first.weight", "shared.weight"]
    assert [n for n, _ in net.named_buffers()] == ["first.steps", "first.scratch"]
    assert [n for n, _ in net.named_modules()] == ["", "first"]
    assert [n for n, _ in net.named_children()] == ["first"]
    assert list(net.parameters(recurse=False)) == [net.gain] or net.gain is next(net.parameters(recurse=False))
    assert net.get_parameter("first.weight") is net.first.weight
    assert net.get_submodule("first") is net.first


def test_the_tables_are_dictionaries():
    net = Net()
    del net.first._parameters["weight"]
    assert not hasattr(net.first, "weight")
    net.first._parameters["weight"] = nn.Parameter(tg.ones(1))
    assert net.first.weight.shape == (1,)
    assert list(net._modules) == ["first", "shared"]


def test_a_parameter_assigned_again_keeps_its_place():
    net = nn.Linear(2, 2)
    net.weight = nn.Parameter(tg.zeros(2, 2))
    assert [n for n, _ in net.named_parameters()] == ["weight", "bias"]


@pytest.mark.parametrize(
    ("name", "value", "error", "says"),
    [
        ("gain", tg.ones(2), TypeError, r"nn.Parameter\(value\)"),
        ("first", 3, TypeError, "as child module 'first'"),
        ("forward", nn.Parameter(tg.ones(1)), KeyError, "attribute 'forward' already exists"),
        ("late", nn.Parameter(tg.ones(2)) * 2, None, ""),
    ],
)
def test_wrong_assignments(name, value, error, says):
    net = Net()
    if error is None:
        setattr(net, name, value)  # a plain attribute
        assert name not in dict(net.named_parameters())
        return
    with pytest.raises(error, match=says):
        setattr(net, name, value)
    assert list(net.state_dict()) == ["gain", "first.weight", "first.steps", "shared.weight", "shared.steps"]


def test_members_need_init_first():
    class Early(nn.Module):
        def __init__(self):
            self.p = nn.Parameter(tg.ones(1))
            super().__init__()

    with pytest.raises(AttributeError, match=r"super\(\).__init__\(\)"):
        Early()


def test_a_name_that_is_missing_knows_the_object_so_that_python_can_suggest():
    net = Net()
    with pytest.raises(AttributeError, match="'Net' object has no attribute 'gian'") as caught:
        net.gian  # noqa: B018
    assert caught.value.obj is net
    assert caught.value.name == "gian"
    assert {"gain", "first"} <= set(dir(net))


def test_printed_as_in_pytorch():
    net = nn.Sequential(nn.Linear(2, 3), nn.ModuleList([nn.ReLU(), nn.ReLU()]))
    assert repr(net) == (
        "Sequential(\n"
        "  (0): Linear(in_features=2, out_features=3, bias=True)\n"
        "  (1): ModuleList(\n"
        "    (0-1): 2 x ReLU()\n"
        "  )\n"
        ")"
    )


# --- all of it -----------------------------------------------------------------------------------------------------------


def test_to_another_dtype_in_place_of_the_same_parameters():
    net = Net()
    net.first.register_buffer("count", tg.tensor(3))
    net(tg.ones(1, 2)).sum().backward()
    gain = net.gain
    assert net.double() is net
    assert net.gain is gain
    assert {t.dtype for t in (*net.parameters(), gain.grad, net.first.steps)} == {tg.float64}
    assert net.first.count.dtype == tg.int64
    with pytest.raises(TypeError, match="floating point"):
        net.to(tg.int64)
    net.to("cpu", tg.float32)
    net(tg.ones(1, 2)).sum().backward()
    assert net.gain.grad.dtype == tg.float32


def test_channels_go_last_where_there_are_channels():
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(3, 2))
    net.to(memory_format=tg.channels_last)
    assert net[0].weight.stride() == (18, 1, 6, 2)
    assert net[3].weight.stride() == (3, 1)


def test_a_failed_move_changes_nothing():
    net = Net()
    net(tg.ones(1, 2)).sum().backward()
    with pytest.raises(RuntimeError):
        net.to("nowhere")
    assert all(p.grad is not None for p in net.parameters())


def test_training_mode_gradients_and_freezing():
    net = Net()
    assert net.training
    assert not net.eval().first.training
    net.train()
    net(tg.ones(1, 2)).sum().backward()
    net.zero_grad(set_to_none=False)
    assert all((p.grad == 0).all() for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())
    net.requires_grad_(False)
    assert not net(tg.ones(1, 2)).requires_grad


def test_apply_goes_from_below_upwards():
    seen = []
    Net().apply(lambda m: seen.append(type(m).__name__))
    assert seen == ["Inner", "Net"]


def test_copies_keep_what_is_shared():
    net = Net()
    net.first.register_forward_hook(lambda m, args, out: out * 2)
    other = copy.deepcopy(net)
    assert other.first is other.shared
    x = tg.randn(3, 2)
    assert tg.equal(other(x), net(x))
    with tg.no_grad():
        other.gain.zero_()
    assert (net.gain == 1).all()


def test_pickled():
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    other = pickle.loads(pickle.dumps(net))
    for (a, v), (b, w) in zip(net.state_dict().items(), other.state_dict().items(), strict=True):
        assert a == b
        assert tg.equal(v, w)
    assert all(p.requires_grad and p.is_leaf for p in other.parameters())


def test_a_network_dies_with_its_last_reference():
    gc.disable()
    try:
        net = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
        net[0].register_full_backward_hook(lambda m, gi, go: None)
        net(tg.ones(1, 2)).sum().backward()
        seen = [weakref.ref(p) for p in net.parameters()]
        del net
        assert [ref() for ref in seen] == [None, None]
    finally:
        gc.enable()


# --- state ---------------------------------------------------------------------------------------------------------------


def test_state_shows_the_memory_and_loading_copies_into_it():
    net, other = Net(), Net()
    state = net.state_dict()
    assert not any(v.requires_grad for v in state.values())
    assert "first.scratch" not in state
    gain = other.gain
    assert repr(other.load_state_dict(state)) == "<All keys matched successfully>"
    assert other.gain is gain
    state["gain"].fill_(5)
    assert (net.gain == 5).all()
    assert (other.gain == 1).all()


def test_assigned_states_are_not_copied():
    net = nn.Linear(2, 2, bias=False)
    weight = tg.zeros(2, 2, dtype=tg.float64)
    net.load_state_dict({"weight": weight}, assign=True)
    assert net.weight.dtype == tg.float64
    assert net.weight.requires_grad
    weight.fill_(3)
    assert (net.weight == 3).all()


def test_the_report_names_everything_and_the_nearest_names():
    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    state = net.state_dict()
    state["0.wieght"] = state.pop("0.weight")
    state["1.weight"] = tg.ones(2, 2)
    state["more"] = tg.ones(1)
    with pytest.raises(RuntimeError) as caught:
        net.load_state_dict(state)
    text = str(caught.value)
    assert 'Missing key(s) in state_dict: "0.weight". ' in text
    assert 'Unexpected key(s) in state_dict: "more", "0.wieght". ' in text
    assert "size mismatch for 1.weight: copying a param with shape torch.Size([2, 2])" in text
    assert '"0.weight" for "0.wieght"' in text
    report = net.load_state_dict({k: v for k, v in state.items() if k != "1.weight"}, strict=False)
    assert report.missing_keys == ["0.weight", "1.weight"]
    assert report.unexpected_keys == ["more", "0.wieght"]


def test_a_prefix_too_many_or_too_few_is_recognised():
    net = nn.Linear(2, 3)
    wrapped = nn.ModuleDict({"module": net})
    with pytest.raises(RuntimeError, match=r"take 'module\.' off"):
        net.load_state_dict(wrapped.state_dict())
    with pytest.raises(RuntimeError, match=r"put 'module\.' before"):
        wrapped.load_state_dict(net.state_dict())


def test_extra_state():
    class Counted(nn.Module):
        count = 0

        def get_extra_state(self):
            return self.count

        def set_extra_state(self, state):
            self.count = state

    net = nn.Sequential(Counted())
    net[0].count = 4
    state = net.state_dict()
    assert list(state) == ["0._extra_state"]
    net[0].count = 0
    net.load_state_dict(state)
    assert net[0].count == 4
    with pytest.raises(RuntimeError, match="Missing"):
        net.load_state_dict({})


def test_old_states_of_batch_norm_are_read():
    net = nn.BatchNorm1d(2)
    state = dict(net.state_dict())  # without the version of its layout
    del state["num_batches_tracked"]
    net.load_state_dict(state)


# --- parameters ----------------------------------------------------------------------------------------------------------


def test_a_parameter_is_a_leaf_on_the_same_memory():
    x = tg.ones(2)
    p = nn.Parameter(x)
    x.add_(1)
    assert p.is_leaf
    assert p.requires_grad
    assert (p == 2).all()
    assert repr(p) == "Parameter containing:\ntensor([2., 2.], requires_grad=True)"
    assert type(p * 1) is tg.Tensor
    assert nn.Parameter(p * 2).is_leaf
    with pytest.raises(RuntimeError, match="floating point"):
        nn.Parameter(tg.tensor([1]))
    with pytest.raises(TypeError, match="expected a Tensor"):
        nn.Parameter([1.0])


def test_copies_of_a_parameter_leave_the_gradient_behind():
    p = nn.Parameter(tg.ones(2))
    (p * 3).sum().backward()
    a, b = copy.deepcopy([p, p])
    assert a is b
    assert a.grad is None
    assert pickle.loads(pickle.dumps(p)).requires_grad


def test_buffers_by_assignment():
    net = nn.Module()
    net.kept = nn.Buffer(tg.ones(1))
    net.passing = nn.Buffer(tg.ones(1), persistent=False)
    assert list(net.state_dict()) == ["kept"]
    assert [n for n, _ in net.named_buffers()] == ["kept", "passing"]
    net.kept = tg.zeros(2)
    assert net.state_dict()["kept"].shape == (2,)

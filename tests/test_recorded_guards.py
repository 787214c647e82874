"""A recorded step notices when it no longer holds: parameters, modes, hooks, numbers and objects around it that change."""

from __future__ import annotations

import types

import numpy as np
import pytest
from recorded_steps import classes, double_precision, floats, mlp, pair, refused, replayed, same, trainer  # noqa: F401

import tinygrad_edu as torch
from tinygrad_edu import nn
from tinygrad_edu.recorded import compile

F = nn.functional


class TestGuards:
    def prepared(self):
        model, first, twin, second = pair(mlp)
        x, y = floats(5, 6), classes(3, 5)
        step, recorded = trainer(model, first), compile(trainer(twin, second))
        for _ in range(4):
            assert step(x, y).item() == recorded(x, y).item()
        assert recorded.programs, recorded.why
        return model, twin, lambda: (step(x, y).item(), recorded(x, y).item())

    def test_parameters_with_other_data(self):
        model, twin, both = self.prepared()
        data = floats(8, 6)
        model[0].weight.data, twin[0].weight.data = data.clone(), data.clone()
        a, b = both()
        assert a == b
        same(model, twin)

    def test_a_frozen_parameter(self):
        model, twin, both = self.prepared()
        for m in (model, twin):
            m[0].weight.requires_grad_(False)
            m[0].weight.grad = None
        for _ in range(4):
            a, b = both()
            assert a == b
        same(model, twin)

    def test_hooks(self):
        model, twin, both = self.prepared()
        for m in (model, twin):
            m[0].weight.register_hook(lambda g: g * 3)
        for _ in range(4):
            a, b = both()
            assert a == b
        same(model, twin)

    def test_a_mode_of_a_module(self):
        make = lambda: nn.Sequential(nn.Linear(6, 4), nn.Dropout(0.5), nn.Linear(4, 3)).eval()  # noqa: E731
        model, first, *_ = pair(make)
        recorded = replayed(trainer(model, first), floats(5, 6), classes(3, 5))
        model.train()
        losses = {recorded(torch.ones(5, 6), torch.zeros(5, dtype=torch.long)).item() for _ in range(6)}
        assert len(losses) == 6
        assert "dropout" in str(recorded)

    def test_a_number_of_the_program(self):
        scale = 1.0

        def step(x):
            return (x * scale).sum()

        recorded = replayed(step, floats(3))
        scale = 2.0
        assert recorded(torch.ones(3)).item() == 6.0

    @pytest.mark.parametrize("kind", ["attribute", "item"])
    def test_a_number_of_a_configuration(self, kind):
        config = types.SimpleNamespace(scale=1.0) if kind == "attribute" else {"scale": 1.0}
        read = (lambda: config.scale) if kind == "attribute" else (lambda: config["scale"])

        def step(x):
            return (x * read()).sum()

        recorded = replayed(step, floats(3))
        (vars(config) if kind == "attribute" else config)["scale"] = 2.0
        assert recorded(torch.ones(3)).item() == 6.0


class Settings:
    """What a program may hang on an object of its own."""

    def __init__(self):
        self.scale, self.inner, self.functions = 0.5, types.SimpleNamespace(scale=0.5), [torch.sin]
        self.weight = torch.ones(3)

    def __call__(self, x):
        return x * self.scale

    def scaled(self, x):
        return x * self.inner.scale


def _settings():
    return {
        "a list": ([0.5], lambda s, x: x * s[0], lambda s: s.__setitem__(0, 2.0)),
        "a tuple": (
            types.SimpleNamespace(pair=(0.5, 1)),
            lambda s, x: x * s.pair[0],
            lambda s: setattr(s, "pair", (2.0, 1)),
        ),
        "a dictionary in one": (
            {"a": {"b": 0.5}},
            lambda s, x: x * s["a"]["b"],
            lambda s: s["a"].__setitem__("b", 2.0),
        ),
        "a number of NumPy's": (
            types.SimpleNamespace(n=np.float64(0.5)),
            lambda s, x: x * s.n,
            lambda s: setattr(s, "n", np.float64(2)),
        ),
        "an attribute": (Settings(), lambda s, x: x * s.scale, lambda s: setattr(s, "scale", 2.0)),
        "an object that is called": (Settings(), lambda s, x: s(x), lambda s: setattr(s, "scale", 2.0)),
        "a method": (Settings(), lambda s, x: s.scaled(x), lambda s: setattr(s.inner, "scale", 2.0)),
        "a function in a list": (
            Settings(),
            lambda s, x: s.functions[0](x),
            lambda s: s.functions.__setitem__(0, torch.cos),
        ),
        "another tensor": (Settings(), lambda s, x: x * s.weight, lambda s: setattr(s, "weight", torch.zeros(3))),
    }


@pytest.mark.parametrize("name", _settings())
def test_what_a_step_reads_around_it_may_change(name):
    settings, step, change = _settings()[name]

    def around(x):
        return step(settings, x) + 1

    recorded, x = replayed(around, floats(3)), floats(3)
    assert np.array_equal(recorded(x).numpy(), around(x).numpy())
    change(settings)
    for _ in range(4):
        assert np.array_equal(recorded(x).numpy(), around(x).numpy())


def test_a_default_may_change():
    def step(x, scale=0.5):
        return x * scale

    recorded, x = replayed(step, floats(3)), floats(3)
    step.__defaults__ = (2.0,)
    assert np.array_equal(recorded(x).numpy(), (x * 2).numpy())


def test_a_counter_in_a_list_counts_every_step():
    seen = [0]

    def step(x):
        seen[0] += 1
        return x * 2

    refused(step, floats(3), why="another in each run")
    assert seen == [4]


def test_modules_may_change_and_be_given_hooks():
    model, seen = mlp(), []
    recorded, x = replayed(lambda x: model(x).detach(), floats(5, 6)), floats(5, 6)
    model[1] = nn.Tanh()
    assert np.array_equal(recorded(x).numpy(), model(x).numpy(force=True))
    model[3].register_forward_hook(lambda module, args, out: seen.append(out))
    for _ in range(4):
        assert np.array_equal(recorded(x).numpy(), model(x).numpy(force=True))
    assert len(seen) == 8


def test_a_method_of_an_object_whose_flag_decides():
    class Trainer:
        def __init__(self):
            self.model, self.squared = mlp(), False

        def step(self, x):
            out = self.model(x).detach()
            return out * out if self.squared else out

    trainer, x = Trainer(), floats(5, 6)
    recorded = replayed(lambda x: trainer.step(x), x)
    trainer.squared = True
    assert np.array_equal(recorded(x).numpy(), trainer.step(x).numpy())


def trained(change=lambda model, optimizer: None, make=mlp, optimizer="SGD", inputs=lambda: floats(5, 6), **options):
    """Recorded and as it is, with a change in between; the recording is to be replayed at the end."""
    model, first, twin, second = pair(make, optimizer, **options)
    step, recorded = trainer(model, first), compile(trainer(twin, second))
    for i in range(12):
        if i == 5:
            change(model, first)
            change(twin, second)
        x, y = inputs(), classes(3, 5)
        assert step(x, y).item() == recorded(x, y).item()
        same(model, twin)
    assert recorded.programs, recorded.why
    (program,) = recorded.programs.values()
    assert program.guards.hold()
    return program


def test_the_rows_of_an_optimizer_are_a_line_of_the_program():
    assert "layout1.advance(optimizer1" in trained().source
    assert "layout1.advance(optimizer1" in trained(optimizer="Adam", lr=0.01).source


OPTIONS = {
    "a rate": {"lr": 0.3},
    "a rate that is a tensor": {"lr": torch.tensor(0.3)},
    "momentum from now on": {"momentum": 0.9},
    "decay": {"weight_decay": 0.1},
    "upwards": {"maximize": True},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options_of_an_optimizer_may_change(name):
    trained(lambda model, optimizer: optimizer.param_groups[0].update(OPTIONS[name]), lr=0.1)


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_parameters_of_an_optimizer_may_change(optimizer):
    extra = nn.Linear(6, 3)

    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(6, 3), nn.Linear(6, 3)

        def forward(self, x):
            return self.first(x) + self.second(x)

    def add(model, optimizer):
        optimizer.add_param_group({"params": [*model.second.parameters()], "lr": 0.5})

    def less(model, optimizer):
        del optimizer.param_groups[0]["params"][0]

    for change in (add, less):
        model, twin = Two(), Two()
        twin.load_state_dict(model.state_dict())
        kind = getattr(torch.optim, optimizer)
        first, second = (kind(m.first.parameters(), lr=0.1) for m in (model, twin))
        step, recorded = trainer(model, first), compile(trainer(twin, second))
        for i in range(12):
            if i == 5:
                change(model, first)
                change(twin, second)
            x, y = floats(5, 6), classes(3, 5)
            assert step(x, y).item() == recorded(x, y).item()
            same(model, twin)
    del extra


def test_the_state_of_an_optimizer_may_be_another():
    def load(model, optimizer):
        state = optimizer.state_dict()
        for kept in state["state"].values():
            kept["exp_avg"] = kept["exp_avg"] * 2
        optimizer.load_state_dict(state)

    def replace(model, optimizer):
        for state in optimizer.state.values():
            state["exp_avg"] = state["exp_avg"] * 2

    def forget(model, optimizer):
        optimizer.state.clear()

    for change in (load, replace, forget):
        trained(change, optimizer="Adam", lr=0.01)


def test_hooks_of_an_optimizer_go_on_hearing():
    heard = []

    def listen(model, optimizer):
        optimizer.register_step_post_hook(lambda *given: heard.append(given))

    assert "optimizer1.step()" in trained(listen).source
    assert len(heard) == 14
    heard.clear()
    model, optimizer, *_ = pair(mlp)
    listen(model, optimizer)
    recorded = replayed(trainer(model, optimizer), floats(5, 6), classes(3, 5), times=8)
    assert len(heard) == 8
    (program,) = recorded.programs.values()
    assert program.guards.hold()


@pytest.mark.parametrize("how", ["norm", "norm inf", "norm 3", "value"])
def test_clipped_gradients(how):
    def steps(model, optimizer):
        def step(x, y):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            total = x.sum()
            if how == "value":
                nn.utils.clip_grad_value_(model.parameters(), 0.01)
            else:
                order = float(how.partition(" ")[2] or 2)
                total = nn.utils.clip_grad_norm_(model.parameters(), 0.1, order)
            optimizer.step()
            return total

        return step

    model, first, twin, second = pair(mlp)
    step, recorded = steps(model, first), compile(steps(twin, second))
    for _ in range(6):
        x, y = floats(5, 6), classes(3, 5)
        assert step(x, y).item() == recorded(x, y).item()
        same(model, twin)
    assert recorded.programs, recorded.why
    assert how == "norm 3" or "_all([" in str(recorded)


def test_two_optimizers():
    model, first, twin, second = pair(mlp)
    others = [torch.optim.Adam([*m[0].parameters()], lr=0.01) for m in (model, twin)]

    def steps(model, *optimizers):
        def step(x, y):
            for optimizer in optimizers:
                optimizer.zero_grad()
                loss = F.cross_entropy(model(x), y)
                loss.backward()
                optimizer.step()
            return loss

        return step

    step, recorded = steps(model, first, others[0]), compile(steps(twin, second, others[1]))
    for _ in range(7):
        x, y = floats(5, 6), classes(3, 5)
        assert step(x, y).item() == recorded(x, y).item()
        same(model, twin)
    assert recorded.programs, recorded.why


def test_tensors_around_the_step_are_looked_up():
    x, w = floats(3), floats(3)

    def step():
        return x * w + 1

    recorded = replayed(step)
    x.data = floats(3)
    assert np.array_equal(recorded().numpy(), step().numpy())
    w.requires_grad_()
    assert recorded().requires_grad
    w.requires_grad_(False)
    x.data = floats(2, 3)
    assert np.array_equal(recorded().numpy(), step().numpy())


@pytest.mark.parametrize("ignored", [-100, -1, 1])
def test_targets_that_are_ignored_only_later(ignored):
    model, first, twin, second = pair(mlp)

    def loss(x, y):
        return F.cross_entropy(x, y, ignore_index=ignored)

    step, recorded = trainer(model, first, loss), compile(trainer(twin, second, loss))
    for i in range(8):
        x, y = floats(5, 6), torch.tensor([0, 2, 0, 2, 2])
        if i > 5:
            y[1] = ignored
        assert step(x, y).item() == recorded(x, y).item()
        same(model, twin)
    for wrong in (-3, 3):
        with pytest.raises(IndexError, match=f"Target {wrong} is out of bounds"):
            recorded(floats(5, 6), torch.tensor([0, wrong, 0, 2, 2]))


DECIDED_BY_NUMBERS = {
    "a mask": lambda x, i: x[x > 0].sum() / x[x > 0].shape[0],
    "masked_select": lambda x, i: x.masked_select(x > 0) * 1,
    "nonzero": lambda x, i: x.clamp(0).nonzero() * 1,
    "one_hot": lambda x, i: F.one_hot(i) * 1,
    "index_select": lambda x, i: x.index_select(0, i) * 1,
    "take": lambda x, i: x.take(i) * 1,
    "put": lambda x, i: x.put(i, x) * 1,
    "index_put": lambda x, i: x.index_put((x > 0,), torch.tensor(0.5)) * 1,
    "repeat_interleave": lambda x, i: x.repeat_interleave(i)[:2] * 1,
    "an index": lambda x, i: x[i] * 1,
    "gather": lambda x, i: x.gather(0, i) * 1,
    "argmax": lambda x, i: x.argmax() * 1,
}


@pytest.mark.parametrize("name", DECIDED_BY_NUMBERS)
def test_what_numbers_decide_is_decided_anew(name):
    step, recorded = DECIDED_BY_NUMBERS[name], compile(DECIDED_BY_NUMBERS[name])
    for _ in range(4):
        recorded(torch.tensor([1.0, -2.0, 3.0]), torch.tensor([2, 1, 0]))
    for x, i in (([-1.0, -2.0, 3.0], [0, 2, 1]), ([1.0, 2.0, 3.0], [1, 0, 1])):
        given = torch.tensor(x), torch.tensor(i)
        assert np.array_equal(recorded(*given).numpy(), step(*given).numpy())


def test_functions_of_one_name_are_told_apart():
    recorded, x = replayed(lambda x: torch.maximum(x, -x).relu(), floats(3)), floats(3)
    assert np.array_equal(recorded(x).numpy(), x.abs().numpy())


def test_a_free_name_without_a_value_is_no_obstacle():
    def step(x):
        return x * 2 if x is not None else late

    recorded, x = replayed(step, floats(3)), floats(3)
    assert np.array_equal(recorded(x).numpy(), (x * 2).numpy())
    late = None

"""A recorded step sees all that its Python reads: classes, modules of code and of networks, options, generators, chance."""

from __future__ import annotations

import enum
import functools
import itertools
import random
import types

import numpy as np
import pytest
from recorded_steps import classes, double_precision, floats, mlp, pair, refused, replayed, same, trainer  # noqa: F401

import tinygrad_edu as torch
from tinygrad_edu import nn
from tinygrad_edu.recorded import compile

F = nn.functional


class OnClass:
    scale = 1.0


class Below(OnClass):
    pass


class Operators:
    def __init__(self):
        self.value = 2.0

    def __rmul__(self, x):
        return x + self.value

    def __getitem__(self, k):
        return self.value + k


def on_a_class():
    class Settings(OnClass):
        pass

    return lambda x: x * Settings.scale, lambda: setattr(Settings, "scale", 3.0)


def on_the_class_of_an_object():
    class Settings(OnClass):
        pass

    settings = Settings()
    return lambda x: x * settings.scale, lambda: setattr(Settings, "scale", 3.0)


def on_an_object_over_its_class():
    settings = Below()
    return lambda x: x * settings.scale, lambda: setattr(settings, "scale", 3.0)


def in_a_module_of_code():
    config = types.ModuleType("config")
    config.scale = 1.0
    return lambda x: x * config.scale, lambda: setattr(config, "scale", 3.0)


def by_the_name_of_an_attribute():
    settings = types.SimpleNamespace(scale=1.0)
    return lambda x: x * getattr(settings, "scale"), lambda: setattr(settings, "scale", 3.0)  # noqa: B009


def on_a_function():
    def scaled(x):
        return x * scaled.scale

    scaled.scale = 1.0
    return lambda x: scaled(x), lambda: setattr(scaled, "scale", 3.0)


def by_an_operator():
    own = Operators()
    return lambda x: x * own[1], lambda: setattr(own, "value", 3.0)


class Attributes(dict):
    __getattr__ = dict.__getitem__


class Answering:
    def __init__(self):
        self.__dict__["_known"] = {"scale": 1.0}

    def __getattr__(self, name):
        return self.__dict__["_known"][name]


def in_a_dictionary_with_attributes():
    settings = Attributes(scale=1.0)
    return lambda x: x * settings.scale, lambda: settings.update(scale=3.0)


def by_what_answers_for_attributes():
    settings = Answering()
    return lambda x: x * settings.scale, lambda: settings._known.update(scale=3.0)


def behind_a_cache():
    numbers = [1.0]

    @functools.cache
    def row(n):
        return torch.ones(n) * numbers[0]

    def change():
        numbers[0] = 3.0
        row.cache_clear()

    return lambda x: x * row(3), change


class Kind(enum.Enum):
    SMALL = 1.0
    LARGE = 3.0

    def times(self, x):
        return x * self.value


def a_member_of_an_enumeration():
    settings = types.SimpleNamespace(kind=Kind.SMALL)
    return lambda x: settings.kind.times(x), lambda: setattr(settings, "kind", Kind.LARGE)


def the_options_of_an_optimizer():
    optimizer = torch.optim.SGD([torch.ones(2)], lr=0.1)
    return lambda x: x * optimizer.param_groups[0]["lr"], lambda: optimizer.param_groups[0].update(lr=0.3)


def the_parameters_of_an_optimizer():
    w = torch.ones(3)
    optimizer = torch.optim.SGD([w], lr=0.1)
    return lambda x: x * optimizer.param_groups[0]["params"][0], lambda: setattr(w, "data", floats(3))


class Alone(nn.Module):
    """A network of which only a method is called."""

    gain = 1.0

    def __init__(self):
        super().__init__()
        self.w, self.scale = nn.Parameter(torch.ones(3), requires_grad=False), 1.0

    def scaled(self, x):
        return x * self.w * self.scale * self.gain * (2 if self.training else 1)


def a_number_of_a_network():
    m = Alone()
    return lambda x: m.scaled(x), lambda: setattr(m, "scale", 3.0)


def the_mode_of_a_network():
    m = Alone()
    return lambda x: m.scaled(x), m.eval


def the_data_of_a_network():
    m = Alone()
    return lambda x: m.scaled(x), lambda: setattr(m.w, "data", floats(3))


def a_number_on_the_class_of_a_network():
    class Own(Alone):
        gain = 1.0

    m = Own()
    return lambda x: m.scaled(x), lambda: setattr(Own, "gain", 3.0)


CHANGES = [
    *(on_a_class, on_the_class_of_an_object, on_an_object_over_its_class, in_a_module_of_code),
    *(by_the_name_of_an_attribute, on_a_function, by_an_operator),
    *(in_a_dictionary_with_attributes, by_what_answers_for_attributes, behind_a_cache, a_member_of_an_enumeration),
    *(the_options_of_an_optimizer, the_parameters_of_an_optimizer),
    *(a_number_of_a_network, the_mode_of_a_network, the_data_of_a_network, a_number_on_the_class_of_a_network),
]


@pytest.mark.parametrize("make", CHANGES, ids=lambda make: make.__name__)
def test_a_change_is_noticed(make):
    step, change = make()
    recorded = compile(step)
    for _ in range(5):
        recorded(floats(3))
    assert recorded.programs, recorded.why
    change()
    for _ in range(5):
        x = floats(3)
        assert np.array_equal(recorded(x).numpy(), step(x).numpy())


@pytest.mark.parametrize("runs", [1, 2, 3, 4])
def test_a_change_right_after_the_recording(runs):
    model, first, twin, second = pair(mlp)
    step, recorded = trainer(model, first), compile(trainer(twin, second))
    for i in range(runs + 5):
        if i == runs:
            torch.manual_seed(0)
            model[0] = nn.Linear(6, 8)
            torch.manual_seed(0)
            twin[0] = nn.Linear(6, 8)
        x, y = floats(5, 6), classes(3, 5)
        assert step(x, y).item() == recorded(x, y).item()
        same(model, twin)


def test_one_tensor_given_twice():
    step = compile(lambda x, y: x * 2 + y)
    for _ in range(4):
        x = floats(3)
        assert np.array_equal(step(x, x).numpy(), (x * 3).numpy())
    for _ in range(4):
        x, y = floats(3), floats(3)
        assert np.array_equal(step(x, y).numpy(), (x * 2 + y).numpy())
    assert len(step.programs) == 2


def test_a_tensor_that_is_also_around():
    data = floats(3)
    refused(lambda x: x * 2 + data, data, why="also reads from around it")


def test_both_zeros():
    recorded = compile(lambda x, zero: x / zero)
    with np.errstate(divide="ignore"):
        for zero in (0.0, -0.0):
            for _ in range(4):
                assert recorded(torch.ones(1), zero).item() == (np.inf if str(zero) == "0.0" else -np.inf)


def test_an_option_that_the_step_sets():
    model, first, twin, second = pair(mlp)

    def with_rate(optimizer, step):
        def at_rate(x, y, rate):
            optimizer.param_groups[0]["lr"] = rate
            return step(x, y)

        return at_rate

    step, recorded = with_rate(first, trainer(model, first)), compile(with_rate(second, trainer(twin, second)))
    for rate in (*[0.1] * 5, *[0.5] * 5, *[0.1] * 5):
        x, y = floats(5, 6), classes(3, 5)
        assert step(x, y, rate).item() == recorded(x, y, rate).item()
        same(model, twin)


def test_a_schedule_inside_that_changes_nothing_yet():
    model = nn.Linear(6, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 10)

    def step(x, y):
        value = trainer(model, optimizer)(x, y)
        schedule.step()
        return value

    refused(step, floats(5, 6), classes(3, 5), why="as a counter is")


@pytest.mark.parametrize("draw", [random.random, np.random.default_rng(0).random, random.Random(0).random])
def test_chance_that_is_the_same_for_a_while(draw):
    """Each draws one of two numbers, which are equal so often that the recordings agree."""
    refused(lambda x: x * (2 if draw() < 2 else 3), floats(3), why="as a counter is")


def test_generators_of_python_and_numpy():
    rng = np.random.default_rng(0)
    refused(lambda x: x * (2 if rng.integers(4) < 9 else 3), floats(3), why="as a counter is")
    refused(lambda x: x * (2 if random.randint(0, 4) < 9 else 3), floats(3), why="as a counter is")


def test_what_is_iterated_on():
    endless = itertools.cycle([1.0])
    refused(lambda x: x * sum(itertools.islice(endless, 1)), floats(3), why="as a counter is")


def test_what_tells_no_module_of_its_own():
    odd = type("Odd", (), {"__module__": 3, "factor": 2.0})()
    times = eval("lambda x, y: x * y", {})
    assert times.__module__ is None
    recorded = replayed(lambda x: times(x, odd.factor), floats(3))
    odd.factor = 5.0
    x = floats(3)
    assert np.array_equal(recorded(x).numpy(), (x * 5).numpy())

"""A recorded step gives the numbers of the step as it is, notices when it no longer holds, and refuses what it cannot see."""

from __future__ import annotations

import numpy as np
import pytest
from recorded_steps import classes, double_precision, floats, mlp, pair, refused, replayed, same, trainer  # noqa: F401

import tinygrad_edu as torch
from tinygrad_edu import nn
from tinygrad_edu.recorded import RecordedStep, compile

F = nn.functional


class Letters(nn.Module):
    def __init__(self, recurrent):
        super().__init__()
        self.embedding, self.recurrent, self.head = (
            nn.Embedding(7, 5),
            recurrent(5, 6, batch_first=True),
            nn.Linear(6, 3),
        )

    def forward(self, x):
        return self.head(self.recurrent(self.embedding(x))[0][:, -1])


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv, self.norm, self.head = nn.Linear(6, 18), nn.LayerNorm(6), nn.Linear(6, 3)

    def forward(self, x):
        q, k, v = self.qkv(self.norm(x)).chunk(3, dim=-1)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.head(F.gelu(x + y).mean(1))


def cnn():
    return nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 3))


def normed():
    first = (nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten())
    return nn.Sequential(*first, nn.Linear(48, 3), nn.BatchNorm1d(3))


MODELS = {
    "mlp": (mlp, lambda: floats(5, 6)),
    "lstm": (lambda: Letters(nn.LSTM), lambda: classes(7, 5, 4)),
    "gru": (lambda: Letters(nn.GRU), lambda: classes(7, 5, 4)),
    "attention": (Attention, lambda: floats(5, 4, 6)),
    "cnn": (cnn, lambda: floats(5, 1, 4, 4)),
    "batch norms": (normed, lambda: floats(5, 1, 4, 4)),
    "layer norms": (lambda: nn.Sequential(nn.LayerNorm(6), nn.Linear(6, 3), nn.LayerNorm(3)), lambda: floats(5, 6)),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("optimizer", ["SGD", "Adam", "RMSprop"])
def test_the_numbers_are_those_of_the_step_as_it_is(name, optimizer):
    make, inputs = MODELS[name]
    model, first, twin, second = pair(make, optimizer)
    step, recorded = trainer(model, first), compile(trainer(twin, second))
    for _ in range(8):
        x, y = inputs(), classes(3, 5)
        assert step(x, y).item() == recorded(x, y).item()
    same(model, twin)
    assert len(recorded.programs) == 1 and not recorded.why, str(recorded)


def test_the_program_can_be_read():
    model, optimizer, *_ = pair(mlp)
    recorded = replayed(trainer(model, optimizer), floats(5, 6), classes(3, 5))
    text = str(recorded)
    assert "iadd(a0.dot(t1.array.T), t2.array)" in text and "layout1.advance(optimizer1, " in text
    assert text.count("\n") > 20


def test_other_shapes_are_recorded_anew():
    model, first, twin, second = pair(mlp)
    step, recorded = trainer(model, first), compile(trainer(twin, second))
    for n in (5, 5, 5, 5, 2, 2, 2, 2, 5, 3):
        x, y = floats(n, 6), classes(3, n)
        assert step(x, y).item() == recorded(x, y).item()
    same(model, twin)
    assert len(recorded.programs) == 2


def test_an_epoch_with_a_short_last_batch_and_a_schedule():
    model, first, twin, second = pair(mlp)
    step, recorded = trainer(model, first), compile(trainer(twin, second))
    schedules = [torch.optim.lr_scheduler.ExponentialLR(o, 0.7) for o in (first, second)]
    for _ in range(4):
        for n in (4, 4, 3):
            x, y = floats(n, 6), classes(3, n)
            assert step(x, y).item() == recorded(x, y).item()
        for schedule in schedules:
            schedule.step()
    same(model, twin)


def test_gradients_that_are_not_forgotten_add_up():
    model, first, twin, second = pair(mlp)

    def steps(model, optimizer):
        def step(x, y):
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            return loss

        return step

    step, recorded = steps(model, first), compile(steps(twin, second))
    for i in range(12):
        x, y = floats(5, 6), classes(3, 5)
        assert step(x, y).item() == recorded(x, y).item()
        if i % 3 == 2:
            for optimizer in (first, second):
                optimizer.step()
                optimizer.zero_grad()
    same(model, twin)
    assert recorded.programs, recorded.why


def test_gradients_that_are_forgotten_by_hand():
    a, b = torch.tensor(0.5, requires_grad=True), torch.tensor(1.5, requires_grad=True)

    def step(x):
        ((x * a).tanh() * b).sum().backward()
        result = a.grad + b.grad
        a.grad = b.grad = None
        return result

    recorded, x = replayed(step, floats(3)), floats(3)
    assert "t1.grad = None" in str(recorded)
    assert recorded(x).item() == step(x).item()
    assert a.grad is None


def test_names_of_attributes_and_expressions_that_run_out_at_once_are_no_reason(monkeypatch):
    monkeypatch.setitem(globals(), "tanh", np.random.default_rng(0).random)  # a global of an operation's name

    def step(x):
        return sum(part.tanh() for part in x.split(2))

    recorded, x = replayed(step, floats(4)), floats(4)
    assert np.array_equal(recorded(x).numpy(), step(x).numpy())


def test_reuse_and_broadcasting():
    w = [floats(4).requires_grad_() for _ in range(2)]
    w[1].data = w[0].detach().clone()

    def steps(w):
        def step(x):
            y = (x * w + w).exp()
            loss = (y * y + y / (1 + w * w) - w.sum()).mean()
            loss.backward()
            return loss, [y]

        return step

    step, recorded = steps(w[0]), compile(steps(w[1]))
    for _ in range(6):
        w[0].grad = w[1].grad = None
        x = floats(3, 4)
        (a, [b]), (c, [d]) = step(x), recorded(x)
        assert a.item() == c.item() and np.array_equal(b.detach(), d.detach())
        assert np.array_equal(w[0].grad, w[1].grad)
    assert recorded.programs, recorded.why


def test_a_gradient_penalty():
    make = lambda: nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1))  # noqa: E731
    model, first, twin, second = pair(make)

    def steps(model, optimizer):
        def step(x):
            optimizer.zero_grad()
            x = x.clone().requires_grad_()
            out = model(x)
            (g,) = torch.autograd.grad(out.sum(), x, create_graph=True)
            loss = out.mean() + ((g.norm(2, dim=1) - 1) ** 2).mean()
            loss.backward()
            optimizer.step()
            return loss

        return step

    step, recorded = steps(model, first), compile(steps(twin, second))
    for _ in range(6):
        x = floats(4, 3)
        assert step(x).item() == recorded(x).item()
    same(model, twin)


class TestRefusals:
    def test_a_number_read_inside(self):
        refused(lambda x: x * 2 if x.sum().item() > 0 else x, floats(3), why="item of a tensor")

    def test_a_branch(self):
        refused(lambda x: x * 2 if x.sum() > 0 else x, floats(3), why="__bool__ of a tensor")

    def test_printing(self):
        def step(x):
            print("step")
            return x * 2

        refused(step, floats(3), why="calls print()")

    def test_a_counter(self):
        count = 0

        def step(x):
            nonlocal count
            count += 1
            return x * 2

        refused(step, floats(3), why="changes 'count'")
        assert count == 4

    def test_a_list(self):
        seen = []

        def step(x):
            seen.append(x)
            return x * 2

        refused(step, floats(3), why="calls .append()")

    def test_random_numbers(self):
        refused(lambda x: x + torch.rand(3), floats(3), why="made anew in each run")

    def test_a_write_that_is_no_operation(self):
        model = nn.Sequential(nn.Embedding(7, 4, max_norm=1.0), nn.Flatten(), nn.Linear(8, 3))
        step = trainer(model, torch.optim.SGD(model.parameters(), lr=0.1))
        refused(step, classes(7, 5, 2), classes(3, 5), why="in place")

    def test_statistics_that_count_their_batches(self):
        model = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4, momentum=None), nn.Linear(4, 3))
        step = trainer(model, torch.optim.SGD(model.parameters(), lr=0.1))
        refused(step, floats(5, 6), classes(3, 5), why="__float__ of a tensor")

    def test_a_step_that_computes_nothing(self):
        loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(floats(4, 2)), 2)

        def step():
            for _ in loader:
                pass

        refused(step, why="computes nothing")

    def test_a_result_with_a_graph(self):
        model = mlp()
        refused(lambda x: model(x), floats(5, 6), why="has a graph")

    def test_a_schedule_inside(self):
        model, optimizer, *_ = pair(mlp)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)

        def step(x, y):
            loss = trainer(model, optimizer)(x, y)
            schedule.step()
            return loss

        refused(step, floats(5, 6), classes(3, 5), why="option of the optimizer")

    def test_an_error_is_the_step_s_own_and_leaves_the_engine_as_it_was(self):
        recorded = replayed(lambda x: x @ x, floats(3, 3))
        for _ in range(3):
            with pytest.raises(RuntimeError, match="2x3 and 2x3"):
                recorded(floats(2, 3))
        assert (floats(3) * 2).shape == (3,)


def test_writes_in_place_are_replayed():
    state = [floats(3) for _ in range(2)]
    state[1] = state[0].clone()

    def steps(s):
        def step(x):
            s.mul_(0.5)
            s.add_(x)
            return s * 1

        return step

    step, recorded = steps(state[0]), compile(steps(state[1]))
    for _ in range(6):
        x = floats(3)
        assert np.array_equal(step(x), recorded(x))
    assert np.array_equal(*state)
    assert recorded.programs, recorded.why


def test_modules_come_back_as_they_are():
    model = mlp()
    assert compile(model) is model
    assert isinstance(compile()(lambda x: x), RecordedStep)
    assert isinstance(torch.compile(lambda x: x), RecordedStep)
    with pytest.raises(AssertionError, match="a callable function is expected, not Tensor"):
        compile(torch.ones(2))


def test_what_the_tape_does_not_see_is_no_constant_though_the_arguments_were_the_same():
    def step(x):
        return x * torch.from_numpy(np.cumsum(x.array))

    refused(step, floats(3), why="made anew in each run")

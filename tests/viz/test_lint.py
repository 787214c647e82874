"""The linter: each planted mistake gives its sentence with its line, and a program without mistakes gives none."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import programs
import pytest

import tinygrad_edu as tg
import tinygrad_edu.nn.functional as F
from tinygrad_edu import nn, optim
from tinygrad_edu.viz import Findings, Linter, lint

HERE = Path(__file__).read_text().splitlines()
tg.manual_seed(0)
X, Y, T = tg.randn(96, 4), tg.randint(0, 3, (96,)), tg.randn(96)
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # some of the mistakes are warned of anyway


def net(*last: nn.Module, out: int = 3, drop: float = 0.0) -> nn.Sequential:
    tg.manual_seed(0)
    dropout = [nn.Dropout(drop)] if drop else []
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), *dropout, nn.Linear(16, out), *last)


def classes(model: nn.Module, rows: Any) -> tg.Tensor:
    return F.cross_entropy(model(X[rows]), Y[rows])  # classes


def run(
    model: nn.Module,
    loss: Callable = classes,
    optimizer: optim.Optimizer | None = None,
    zero: bool = True,
    shuffle: bool = True,
    before: Callable = lambda model: None,
    after: Callable = lambda model: None,
) -> Findings:
    """Twenty steps; all that the linter says of them."""
    optimizer = optimizer or optim.SGD(model.parameters(), lr=0.05)
    with Linter() as linter:
        for i in range(20):
            rows = tg.randperm(96)[:32] if shuffle else tg.arange(96)[i % 3 * 32 : i % 3 * 32 + 32]
            before(model)
            if zero:
                optimizer.zero_grad()
            loss(model, rows).backward()
            optimizer.step()  # step
            after(model)
    return linter.findings


def only(findings: Findings, kind: str, mark: str, *parts: str) -> None:
    """There is one finding, of this kind, at the line that ends in this comment, saying this."""
    assert [f.kind for f in findings] == [kind], str(findings)
    (found,) = findings
    line = next(i for i, text in enumerate(HERE, 1) if text.endswith(f"# {mark}"))
    assert found.startswith(f"test_lint.py:{line}: ") and found.line is not None and found.line.number == line
    assert all(part in found for part in parts), found


def test_nothing_is_said_of_a_program_without_mistakes() -> None:
    assert str(run(net())) == "nothing found"
    assert not run(net(drop=0.5), after=lambda model: evaluate(model.eval()), before=lambda model: model.train())


# --- what one step shows -----------------------------------------------------------------------------------------------


def test_double_softmax() -> None:
    only(run(net(nn.Softmax(1))), "double softmax", "classes", "cross_entropy takes a softmax itself")
    only(
        run(net(nn.Softmax(1)), lambda m, i: F.nll_loss(m(X[i]).view(-1, 3), Y[i])),  # nll
        "double softmax",
        "nll",
        "write log_softmax",
    )
    only(
        run(
            net(nn.Sigmoid(), out=1),
            lambda m, i: F.binary_cross_entropy_with_logits(m(X[i]).squeeze(1), (Y[i] > 0).float()),  # bce
        ),
        "double softmax",
        "bce",
        "leave the sigmoid out",
    )


def test_softmax_of_one() -> None:
    found = run(net(nn.Softmax(1), out=1), lambda m, i: (m(X[i]) * m(X[i]).detach() + m[0](X[i]).sum()).mean())
    assert "softmax of one" in found.kinds and "always 1" in str(found)


@pytest.mark.parametrize("mean", [True, False], ids=["by hand", "mse_loss"])
def test_pairs(mean: bool) -> None:
    def loss(m: nn.Module, i: Any) -> tg.Tensor:
        return ((m(X[i]) - T[i]) ** 2).mean() if mean else F.mse_loss(m(X[i]), T[i])  # pairs

    only(run(net(out=1), loss), "pairs", "pairs", "[32, 1]", "[32]", "all 1024 pairs instead of 32")


def test_dead_and_saturated_units() -> None:
    model = net()
    with tg.no_grad():
        model[0].bias.fill_(-100)
    only(run(model), "dead relu", "classes", "16 of the 16 units of the relu in 1 (ReLU)", "640 samples")
    model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 3))
    with tg.no_grad():
        model[0].weight.mul_(200)
    only(run(model), "saturated", "classes", "of what the tanh in 1 (Tanh) gives")


def test_a_sure_classifier_is_not_saturated() -> None:
    model = net(nn.Sigmoid(), out=1)
    with tg.no_grad():
        model[2].weight.mul_(1e4)
    found = run(model, lambda m, i: F.binary_cross_entropy(m(X[i]).squeeze(1), (m(X[i]).squeeze(1) > 0.5).float()))
    assert "saturated" not in found.kinds


# --- the loop ----------------------------------------------------------------------------------------------------------


def test_no_zero_grad() -> None:
    only(run(net(), zero=False), "no zero_grad", "step", "the gradients of 4 parameters still hold", "zero_grad()")


def test_gradients_that_are_added_up_on_purpose() -> None:
    model = net()
    optimizer = optim.SGD(model.parameters(), lr=0.05)
    with Linter() as linter:
        for _ in range(12):
            optimizer.zero_grad(set_to_none=False)
            for _ in range(3):
                classes(model, tg.randperm(96)[:32]).backward()
            optimizer.step()
    assert not linter.findings


def evaluate(model: nn.Module) -> float:
    with tg.no_grad():
        return (model(X).argmax(1) == Y).float().mean().item()  # evaluate


def test_modes() -> None:
    text = "Sequential is trained in evaluation mode: its Dropout is switched off"
    only(run(net(drop=0.5), before=lambda model: model.eval()), "train mode forgotten", "classes", text)
    text = "Sequential is evaluated (under no_grad) in training mode: its Dropout is on"
    only(run(net(drop=0.5), after=evaluate), "eval mode forgotten", "evaluate", text)


def test_fake_images_are_no_evaluation() -> None:
    generator, judge = net(drop=0.5, out=4), net(out=1)
    optimizer = optim.SGD([*judge.parameters(), *generator.parameters()], lr=0.01)
    with Linter() as linter:
        for _ in range(12):
            optimizer.zero_grad()
            with tg.no_grad():
                fake = generator(tg.randn(32, 4))
            (judge(fake).mean() + judge(generator(tg.randn(32, 4))).mean()).backward()
            optimizer.step()
    assert "eval mode forgotten" not in linter.findings.kinds


def test_same_batches() -> None:
    only(run(net(), shuffle=False), "same batches", "classes", "the same 3 batches", "shuffle=True")
    assert not run(net(), lambda m, i: classes(m, slice(None)))  # all at once is no epoch of batches


def test_optimizers_and_parameters() -> None:
    model = net()
    found = run(model, optimizer=optim.SGD([model[0].weight], lr=0.01))
    only(found, "parameters not in the optimizer", "step", "3 parameters of Sequential", "0.bias, 2.weight, 2.bias")
    found = run(net(), optimizer=optim.SGD(net().parameters(), lr=0.01))
    only(found, "optimizer without gradients", "step", "the model was made anew after the optimizer")


def test_a_whole_module_in_no_optimizer() -> None:
    encoder, head = nn.Linear(4, 4), net()
    optimizer = optim.SGD(head.parameters(), lr=0.05)
    found = run(head, lambda m, rows: F.cross_entropy(m(encoder(X[rows])), Y[rows]), optimizer)
    only(found, "parameters not in the optimizer", "step", "Linear gets gradients", "none of its 2 parameters")
    for p in encoder.parameters():
        p.requires_grad_(False)
    assert not run(head, lambda m, rows: F.cross_entropy(m(encoder(X[rows])), Y[rows]), optimizer)


def test_modules_of_two_optimizers_that_take_turns() -> None:
    """As in adversarial training: the gradients of one are there while the other steps, and the run ends early."""
    maker, judge = net(out=4), net(out=1)
    optimizers = [optim.Adam(m.parameters(), lr=0.01) for m in (maker, judge)]
    with Linter() as linter:
        judge(maker(X)).mean().backward()
        optimizers[0].step()
    assert "parameters not in the optimizer" not in linter.findings.kinds


def test_parameters_that_the_program_moves_by_itself() -> None:
    model, other = net(), net()
    optimizer = optim.SGD(model.parameters(), lr=0.05)
    with Linter() as linter:
        for _ in range(3):
            optimizer.zero_grad()
            (classes(model, slice(32)) + classes(other, slice(32))).backward()
            optimizer.step()
            with tg.no_grad():
                for p in other.parameters():
                    p -= 0.05 * p.grad
                    p.grad = None
    assert not linter.findings


def test_no_step() -> None:
    model = net()
    optimizer = optim.SGD(model.parameters(), lr=0.05)
    for count, kinds in ((2, set()), (5, {"no step"})):
        with Linter() as linter:
            for _ in range(count):
                optimizer.zero_grad()
                classes(model, slice(32)).backward()
        assert linter.findings.kinds == kinds
    assert "backward() has run 5 times, and SGD.step() not once: write optimizer.step()" in str(linter.findings)
    assert not lint(model, lambda: classes(model, slice(32)))  # one look is no training


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # the run diverges and overflows
@pytest.mark.parametrize(
    ("lr", "kinds"), [(300.0, {"learning rate too high"}), (1e-8, {"learning rate too low"}), (0.05, set())]
)
def test_the_learning_rate_of_a_few_steps(lr: float, kinds: set) -> None:
    model = net()
    optimizer = optim.SGD(model.parameters(), lr=lr)
    with Linter() as linter:
        for i in range(4):
            optimizer.zero_grad()
            classes(model, slice(20 * i, 20 * i + 20)).backward()
            optimizer.step()
    assert {k for k in linter.findings.kinds if "learning rate" in k} == kinds


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # the run diverges and overflows
@pytest.mark.parametrize(("kind", "lr"), [(optim.Adam, 3.0), (optim.SGD, 100.0)])
def test_learning_rate_too_high(kind: type, lr: float) -> None:
    model = net()
    assert "learning rate too high" in run(model, optimizer=kind(model.parameters(), lr=lr)).kinds


@pytest.mark.parametrize("lr", [0.0003, 0.003, 0.02])
def test_usual_learning_rates_are_right(lr: float) -> None:
    model = net()
    assert not run(model, optimizer=optim.Adam(model.parameters(), lr=lr))


def test_learning_rate_too_low() -> None:
    model = net()
    found = run(model, optimizer=optim.SGD(model.parameters(), lr=1e-7))
    only(found, "learning rate too low", "step", "of their size", "raise it")


# --- one step ----------------------------------------------------------------------------------------------------------


def test_a_step_is_taken_back() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Softmax(1))
    optimizer = optim.Adam(model.parameters())
    state = {name: t.tolist() for name, t in model.state_dict().items()}
    tg.manual_seed(3)
    expected = tg.rand(2).tolist()
    tg.manual_seed(3)
    found = lint(model, lambda: classes(model, slice(None)), optimizer)
    assert found.kinds == {"double softmax"}
    assert {name: t.tolist() for name, t in model.state_dict().items()} == state
    assert not optimizer.state and all(p.grad is None for p in model.parameters())
    assert tg.rand(2).tolist() == expected


def test_of_a_loss_that_is_there_the_graph() -> None:
    model = net(nn.Softmax(1))
    assert lint(model, classes(model, slice(None))).kinds == {"double softmax"}
    model = net(out=1)
    assert lint(model, ((model(X) - T) ** 2).mean()).kinds == {"pairs"}
    assert lint(model, F.mse_loss(model(X), T)).kinds == {"pairs"}
    assert not lint(model, F.mse_loss(model(X).squeeze(1), T))


def test_the_optimizer_of_another_model() -> None:
    model = net()
    found = lint(model, classes(model, slice(None)), optim.SGD(net().parameters(), lr=0.1))
    assert found.kinds == {"parameters not in the optimizer"} and "made anew" in str(found)
    found = lint(model, classes(model, slice(None)), optim.SGD([model[0].weight], lr=0.1))
    assert "3 of the model's parameters are not in the optimizer" in str(found)
    with pytest.raises(TypeError, match="lint expects a module"):
        lint(X, X.sum())


# --- programs ----------------------------------------------------------------------------------------------------------

ORDERED = {
    "logistic_regression",
    "lr_finder",
    "mlp_classifier",
    "vae",
    "vgg",
}  # which do read their batches in the same order


@pytest.mark.parametrize(
    "name", sorted(p.stem for p in Path(programs.__file__).parent.glob("*.py") if p.stem != "__init__")
)
def test_no_false_alarm_on_programs(name: str) -> None:
    """Anomaly mode and the linter together on whole programs that are right."""
    with tg.install_as_torch(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = tg.get_default_dtype()
        tg.set_default_dtype(tg.float64)
        try:
            path = Path(programs.__file__).with_name(f"{name}.py")
            spec = importlib.util.spec_from_file_location(f"linted_{name}", path)
            assert spec is not None and spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            with Linter() as linter, tg.autograd.detect_anomaly():
                module.train(module.model())
        finally:
            tg.set_default_dtype(before)
    assert linter.findings.kinds == ({"same batches"} if name in ORDERED else set()), str(linter.findings)

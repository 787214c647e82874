"""Schedules: their rates by formula, and step by step beside PyTorch's; states, warnings, bad input."""

from __future__ import annotations

import inspect
import math
import warnings
from typing import Any

import pytest

import tinygrad_edu as tg
from tinygrad_edu import optim
from tinygrad_edu.optim import lr_scheduler, swa_utils

try:
    import torch
except ImportError:
    torch = None

LR = 0.5


def optimizer(
    module: Any = optim, engine: Any = tg, name: str = "SGD", groups: int = 1, lr: Any = LR, **options: Any
) -> Any:
    """An optimizer whose steps change nothing; the second group's rate is a tenth."""
    params = [{"params": [engine.ones(1, requires_grad=True)], "lr": lr / 10**k} for k in range(groups)]
    return getattr(module, name)(params, lr=lr, **options)


def run(opt: Any, scheduler: Any, steps: int, measures: Any = None) -> list[Any]:
    """The rates of the first group, before the first step and after each."""
    path = [opt.param_groups[0]["lr"]]
    for t in range(steps):
        opt.step()
        scheduler.step(*() if measures is None else (measures[t],))
        path.append(opt.param_groups[0]["lr"])
        assert scheduler.get_last_lr() == [g["lr"] for g in opt.param_groups]
    return path


# name, options, the formula of the rate after t steps
FORMULAS: list[tuple[str, dict[str, Any], Any]] = [
    ("ExponentialLR", {"gamma": 0.9}, lambda t: LR * 0.9**t),
    ("StepLR", {"step_size": 7, "gamma": 0.5}, lambda t: LR * 0.5 ** (t // 7)),
    ("MultiStepLR", {"milestones": [5, 9, 9, 30]}, lambda t: LR * 0.1 ** sum(t >= m for m in (5, 9, 9, 30))),
    ("ConstantLR", {"factor": 0.25, "total_iters": 6}, lambda t: LR * (0.25 if t < 6 else 1)),
    (
        "LinearLR",
        {"start_factor": 0.2, "end_factor": 0.8, "total_iters": 12},
        lambda t: LR * (0.2 + 0.6 * min(t, 12) / 12),
    ),
    ("PolynomialLR", {"total_iters": 40, "power": 2.0}, lambda t: LR * (1 - min(t, 40) / 40) ** 2),
    (
        "CosineAnnealingLR",
        {"T_max": 20, "eta_min": 0.1},
        lambda t: 0.1 + 0.4 * (1 + math.cos(math.pi * t / 20)) / 2,  # and up again, beyond T_max
    ),
    ("CosineAnnealingWarmRestarts", {"T_0": 10}, lambda t: LR * (1 + math.cos(math.pi * (t % 10) / 10)) / 2),
    ("LambdaLR", {"lr_lambda": lambda t: 1 / (t + 1)}, lambda t: LR / (t + 1)),
    (
        "MultiplicativeLR",
        {"lr_lambda": lambda t: 0.95 if t % 2 else 0.5},
        lambda t: LR * 0.95 ** ((t + 1) // 2) * 0.5 ** (t // 2),
    ),
    (
        "CyclicLR",
        {"base_lr": 0.1, "max_lr": 0.9, "step_size_up": 5, "step_size_down": 15, "cycle_momentum": False},
        lambda t: 0.1 + 0.8 * (t % 20 / 5 if t % 20 <= 5 else (20 - t % 20) / 15),
    ),
    (
        "CyclicLR",
        {"base_lr": 0.1, "max_lr": 0.9, "step_size_up": 5, "mode": "triangular2", "cycle_momentum": False},
        lambda t: 0.1 + 0.8 * (1 - abs(t % 10 - 5) / 5) / 2 ** (t // 10),
    ),
    (
        "CyclicLR",
        {"base_lr": 0.1, "max_lr": 0.9, "step_size_up": 5, "mode": "exp_range", "gamma": 0.9, "cycle_momentum": False},
        lambda t: 0.1 + 0.8 * (1 - abs(t % 10 - 5) / 5) * 0.9**t,
    ),
    (
        "OneCycleLR",
        {"max_lr": 1.0, "total_steps": 61, "pct_start": 20 / 61, "anneal_strategy": "linear", "cycle_momentum": False},
        lambda t: 0.04 + 0.96 * t / 19 if t <= 19 else 1 + (4e-6 - 1) * (t - 19) / 41,
    ),
]


@pytest.mark.parametrize(("name", "options", "formula"), FORMULAS, ids=[f"{f[0]}-{k}" for k, f in enumerate(FORMULAS)])
def test_formulas(name: str, options: dict[str, Any], formula: Any) -> None:
    opt = optimizer()
    path = run(opt, getattr(lr_scheduler, name)(opt, **options), 60)
    assert path == pytest.approx([formula(t) for t in range(61)], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("name", "options", "formula"), FORMULAS, ids=[f"{f[0]}-{k}" for k, f in enumerate(FORMULAS)])
def test_states_are_all_that_is_needed(name: str, options: dict[str, Any], formula: Any) -> None:
    opt = optimizer()
    scheduler = getattr(lr_scheduler, name)(opt, **options)
    run(opt, scheduler, 23)
    saved, saved_opt = scheduler.state_dict(), opt.state_dict()
    assert "optimizer" not in saved
    fresh = optimizer()
    again = getattr(lr_scheduler, name)(fresh, **options)
    again.load_state_dict(saved)
    fresh.load_state_dict(saved_opt)
    assert run(fresh, again, 20) == run(opt, scheduler, 20)


@pytest.mark.parametrize(("name", "options", "formula"), FORMULAS, ids=[f"{f[0]}-{k}" for k, f in enumerate(FORMULAS)])
@pytest.mark.filterwarnings("ignore:The epoch parameter")
def test_epochs_may_be_skipped(name: str, options: dict[str, Any], formula: Any) -> None:
    opt = optimizer()
    scheduler = getattr(lr_scheduler, name)(opt, **options)
    opt.step()
    if name != "MultiplicativeLR":  # which knows only how a step changes the rates
        for t in (3, 40, 11, 12, 6, 60, 0):
            scheduler.step(t)
            assert opt.param_groups[0]["lr"] == pytest.approx(formula(t), abs=1e-12)


def test_a_cosine_that_resumes() -> None:
    opt = optimizer()
    opt.param_groups[0].update(initial_lr=0.5, lr=0.123)
    scheduler = lr_scheduler.CosineAnnealingLR(opt, 10, last_epoch=3)
    assert scheduler.last_epoch == 4
    assert opt.param_groups[0]["lr"] == 0.123  # as the optimizer's state says


def test_warm_restarts_grow_and_may_be_entered_anywhere() -> None:
    opt = optimizer()
    scheduler = lr_scheduler.CosineAnnealingWarmRestarts(opt, T_0=4, T_mult=2)
    path = run(opt, scheduler, 40)
    assert [t for t in range(1, 41) if path[t] > path[t - 1]] == [4, 12, 28]
    for epoch in (0.5, 13, 27.75, 3):
        scheduler.step(epoch)
        period, into = next((p, epoch - s) for p, s in ((16, 12), (8, 4), (4, 0)) if epoch >= s)
        assert opt.param_groups[0]["lr"] == pytest.approx(LR * (1 + math.cos(math.pi * into / period)) / 2)
    scheduler = lr_scheduler.CosineAnnealingWarmRestarts(opt, T_0=4, T_mult=3)
    scheduler.step(17)
    assert (scheduler.T_i, scheduler.T_cur) == (36, 1)
    with pytest.raises(ValueError, match="non-negative epoch"):
        scheduler.step(-1)


def test_plateau() -> None:
    opt = optimizer(groups=2)
    scheduler = lr_scheduler.ReduceLROnPlateau(opt, factor=0.5, patience=1, cooldown=1, min_lr=[0.2, 0.0])
    # better, better, twice worse: lower; a step of grace; twice worse: lower
    path = run(opt, scheduler, 8, [3.0, 2.0, 2.5, 2.5, 2.5, 2.5, 2.5, tg.tensor(2.5)])
    assert path == [0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.2, 0.2]
    assert opt.param_groups[1]["lr"] == pytest.approx(0.0125)
    opt = optimizer()
    scheduler = lr_scheduler.ReduceLROnPlateau(opt, "max", patience=0, threshold=0.5, threshold_mode="abs")
    assert run(opt, scheduler, 3, [1.0, 1.4, 1.6]) == pytest.approx([0.5, 0.5, 0.05, 0.05])
    opt = optimizer()
    scheduler = lr_scheduler.ReduceLROnPlateau(opt, "max", patience=0, threshold=0.5)
    assert run(opt, scheduler, 3, [1.0, 1.4, 1.6]) == pytest.approx([0.5, 0.5, 0.05, 0.05])


def test_several_schedules() -> None:
    opt = optimizer()
    chained = lr_scheduler.ChainedScheduler(
        [lr_scheduler.ConstantLR(opt, 0.1, 4), lr_scheduler.ExponentialLR(opt, 0.9)], optimizer=opt
    )
    assert run(opt, chained, 10) == pytest.approx([LR * (0.1 if t < 4 else 1) * 0.9**t for t in range(11)])
    opt = optimizer()
    warmup, decay = lr_scheduler.LinearLR(opt, 0.1, total_iters=5), lr_scheduler.ExponentialLR(opt, 0.9)
    path = run(opt, lr_scheduler.SequentialLR(opt, [warmup, decay], milestones=[5]), 10)
    assert path == pytest.approx([LR * (0.1 + 0.9 * t / 5) if t < 5 else LR * 0.9 ** (t - 5) for t in range(11)])


def test_one_cycle_moves_the_momentum_against_the_rate() -> None:
    opt = optimizer(momentum=0.9)
    scheduler = lr_scheduler.OneCycleLR(opt, max_lr=1.0, epochs=5, steps_per_epoch=10, three_phase=True)
    group = opt.param_groups[0]
    assert (group["lr"], group["momentum"]) == pytest.approx((0.04, 0.95))
    run(opt, scheduler, 14)
    assert (group["lr"], group["momentum"]) == pytest.approx((1.0, 0.85))
    run(opt, scheduler, 14)
    assert (group["lr"], group["momentum"]) == pytest.approx((0.04, 0.95))
    run(opt, scheduler, 22)
    with pytest.raises(ValueError, match="Tried to step 51 times"):
        scheduler.step()
    adam = optimizer(name="Adam")
    lr_scheduler.CyclicLR(adam, 0.1, 0.9)
    assert adam.param_groups[0]["betas"] == (0.9, 0.999)


def test_a_schedule_of_the_user_s() -> None:
    class Inverse(lr_scheduler._LRScheduler):
        def __init__(self, optimizer: Any, last_epoch: int = -1) -> None:
            super().__init__(optimizer, last_epoch)

        def get_lr(self) -> Any:
            return [base_lr / (self.last_epoch + 1) for base_lr in self.base_lrs]

    opt = optimizer(groups=2)
    scheduler = Inverse(opt)
    run(opt, scheduler, 3)
    assert scheduler.get_last_lr() == pytest.approx([LR / 4, LR / 40])
    assert isinstance(scheduler, lr_scheduler.LRScheduler)


def test_rates_that_are_tensors_are_written_into() -> None:
    rate = tg.tensor(0.5, dtype=tg.float64)
    opt = optimizer(lr=rate)
    rate = opt.param_groups[0]["lr"]
    scheduler = lr_scheduler.StepLR(opt, 1, gamma=0.5)
    opt.step()
    scheduler.step()
    assert opt.param_groups[0]["lr"] is rate
    assert rate.item() == 0.25
    assert scheduler.base_lrs[0].item() == 0.5


def test_functions_that_are_objects_are_saved() -> None:
    class Slope:
        def __init__(self, slope: float) -> None:
            self.slope = slope

        def __call__(self, t: int) -> float:
            return 1 - self.slope * t

    opt = optimizer(groups=2)
    saved = lr_scheduler.LambdaLR(opt, [Slope(0.1), lambda t: 1.0]).state_dict()
    assert saved["lr_lambdas"] == [{"slope": 0.1}, None]
    slope = Slope(0.5)
    lr_scheduler.LambdaLR(opt, [slope, lambda t: 1.0]).load_state_dict(saved)
    assert slope.slope == 0.1
    assert "lr_lambdas" in saved


def test_swa_rates() -> None:
    opt = optimizer()
    path = run(opt, swa_utils.SWALR(opt, swa_lr=0.1, anneal_epochs=4, anneal_strategy="linear"), 6)
    assert path == pytest.approx([0.5, 0.4, 0.3, 0.2, 0.1, 0.1, 0.1])


# --- warnings and bad input ----------------------------------------------------------------------------------------------


def test_the_order_of_steps() -> None:
    opt = optimizer()
    scheduler = lr_scheduler.StepLR(opt, 3)
    with pytest.warns(UserWarning, match=r"before `optimizer.step\(\)`"):
        scheduler.step()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scheduler.step()  # once is enough
    opt = optimizer()
    scheduler = lr_scheduler.StepLR(opt, 3)
    opt.step = lambda: None
    with pytest.warns(UserWarning, match="has been overridden"):
        scheduler.step()


def test_other_warnings() -> None:
    opt = optimizer()
    scheduler = lr_scheduler.StepLR(opt, 3)
    with pytest.warns(UserWarning, match="get_last_lr"):
        scheduler.get_lr()
    opt.step()
    with pytest.warns(UserWarning, match="epoch parameter"):
        scheduler.step(7)
    assert scheduler.get_last_lr() == pytest.approx([LR * 0.01])


def test_verbose_of_older_programs() -> None:
    with pytest.warns(UserWarning, match="get_last_lr"):
        lr_scheduler.ReduceLROnPlateau(optimizer(), verbose=True)
    scheduler = lr_scheduler.StepLR(optimizer(), 3, verbose=False)
    assert "verbose" not in scheduler.state_dict()
    assert "verbose" not in inspect.signature(lr_scheduler.StepLR).parameters

    class Own(lr_scheduler.ExponentialLR):
        def __init__(self, opt: Any, verbose: str) -> None:
            self.verbose = verbose
            super().__init__(opt, 0.9)

    assert Own(optimizer(), verbose="aloud").verbose == "aloud"


def test_resuming_needs_the_first_rates() -> None:
    with pytest.raises(KeyError, match="initial_lr"):
        lr_scheduler.StepLR(optimizer(), 3, last_epoch=5)
    opt = optimizer()
    opt.param_groups[0]["initial_lr"] = 0.5
    opt.param_groups[0]["lr"] = 0.5 * 0.9**6
    scheduler = lr_scheduler.ExponentialLR(opt, 0.9, last_epoch=5)
    assert scheduler.last_epoch == 6
    assert scheduler.get_last_lr() == pytest.approx([0.5 * 0.9**6])


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        (TypeError, lambda o: lr_scheduler.StepLR("optimizer", 3)),
        (TypeError, lambda o: lr_scheduler.ReduceLROnPlateau(None)),
        (TypeError, lambda o: lr_scheduler.MultiplicativeLR(o, 0.5)),
        (TypeError, lambda o: lr_scheduler.ChainedScheduler([object()])),
        (ValueError, lambda o: lr_scheduler.LambdaLR(o, [lambda t: 1.0] * 2)),
        (ValueError, lambda o: lr_scheduler.ConstantLR(o, factor=1.5)),
        (ValueError, lambda o: lr_scheduler.LinearLR(o, start_factor=0)),
        (ValueError, lambda o: lr_scheduler.LinearLR(o, end_factor=-0.1)),
        (ValueError, lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, T_0=0)),
        (ValueError, lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, T_0=5, T_mult=1.5)),
        (ValueError, lambda o: lr_scheduler.CyclicLR(o, 0.1, 0.9, mode="square")),
        (ValueError, lambda o: lr_scheduler.CyclicLR(o, [0.1, 0.2], 0.9)),
        (ValueError, lambda o: lr_scheduler.CyclicLR(optim.Adagrad([tg.ones(1, requires_grad=True)]), 0.1, 0.9)),
        (ValueError, lambda o: lr_scheduler.OneCycleLR(o, 1.0)),
        (ValueError, lambda o: lr_scheduler.OneCycleLR(o, 1.0, total_steps=-5)),
        (ValueError, lambda o: lr_scheduler.OneCycleLR(o, 1.0, total_steps=5, pct_start=2)),
        (ValueError, lambda o: lr_scheduler.OneCycleLR(o, 1.0, total_steps=5, anneal_strategy="up")),
        (ValueError, lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=1.0)),
        (ValueError, lambda o: lr_scheduler.ReduceLROnPlateau(o, "lowest")),
        (ValueError, lambda o: lr_scheduler.ReduceLROnPlateau(o, threshold_mode="relative")),
        (ValueError, lambda o: lr_scheduler.ReduceLROnPlateau(o, min_lr=[0.1, 0.1])),
        (ValueError, lambda o: lr_scheduler.SequentialLR(o, [], [])),
        (ValueError, lambda o: lr_scheduler.SequentialLR(o, [lr_scheduler.StepLR(o, 3)], [5])),
        (ValueError, lambda o: lr_scheduler.SequentialLR(o, [lr_scheduler.StepLR(optimizer(), 3)], [])),
        (ValueError, lambda o: lr_scheduler.ChainedScheduler([])),
        (ValueError, lambda o: lr_scheduler.ChainedScheduler([lr_scheduler.ReduceLROnPlateau(o)])),
        (ValueError, lambda o: swa_utils.SWALR(o, 0.1, anneal_strategy="up")),
        (ValueError, lambda o: swa_utils.SWALR(o, 0.1, anneal_epochs=-1)),
    ],
)  # fmt: skip
def test_bad_input(kind: type[Exception], make: Any) -> None:
    with pytest.raises(kind):
        make(optimizer(momentum=0.9))


# --- beside PyTorch ------------------------------------------------------------------------------------------------------

SCHEDULES: list[Any] = [
    *((name, options) for name, options, _ in FORMULAS),
    ("ConstantLR", {}),
    ("LinearLR", {}),
    ("PolynomialLR", {}),
    ("CosineAnnealingLR", {"T_max": 7}),
    ("CosineAnnealingWarmRestarts", {"T_0": 5, "T_mult": 2, "eta_min": 0.01}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": [0.9, 0.3], "step_size_up": 7}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.9, "step_size_up": 7, "scale_fn": lambda x: 1 / x}),
    ("OneCycleLR", {"max_lr": [1.0, 2.0], "total_steps": 70}),
    ("OneCycleLR", {"max_lr": 1.0, "epochs": 7, "steps_per_epoch": 10, "three_phase": True, "div_factor": 5.0}),
    ("SWALR", {"swa_lr": 0.05}),
    ("SWALR", {"swa_lr": [0.05, 0.1], "anneal_epochs": 0}),
]


def both() -> list[tuple[Any, Any, Any]]:
    return [(optim, tg, lr_scheduler), (torch.optim, torch, torch.optim.lr_scheduler)]


def trace(opt: Any, scheduler: Any, steps: int = 60, measures: Any = None) -> list[list[float]]:
    """Rates and momenta of all groups at every step."""
    path = []
    for t in range(steps):
        path.append([float(g[name]) for g in opt.param_groups for name in ("lr", "momentum")])
        opt.step()
        scheduler.step(*() if measures is None else (measures[t],))
    return path


@pytest.mark.skipif(torch is None, reason="compares with PyTorch")
@pytest.mark.parametrize(("name", "options"), SCHEDULES, ids=[f"{s[0]}-{k}" for k, s in enumerate(SCHEDULES)])
def test_same_as_pytorch(name: str, options: dict[str, Any]) -> None:
    results, states = [], []
    for module, engine, schedulers in both():
        opt = optimizer(module, engine, groups=2, momentum=0.9)
        scheduler = getattr(schedulers if name != "SWALR" else module.swa_utils, name)(opt, **options)
        results.append(trace(opt, scheduler))
        states.append(scheduler.state_dict())
    for mine, other in zip(*results, strict=True):
        assert mine == pytest.approx(other, rel=1e-12, abs=1e-300)
    assert states[0].keys() == states[1].keys()


@pytest.mark.skipif(torch is None, reason="compares with PyTorch")
@pytest.mark.parametrize(("name", "options"), SCHEDULES, ids=[f"{s[0]}-{k}" for k, s in enumerate(SCHEDULES)])
def test_goes_on_from_pytorch_s_state(name: str, options: dict[str, Any]) -> None:
    (_, _, _), (module, engine, schedulers) = both()
    opt = optimizer(module, engine, groups=2, momentum=0.9)
    other = getattr(schedulers if name != "SWALR" else module.swa_utils, name)(opt, **options)
    trace(opt, other, 17)
    mine = optimizer(groups=2, momentum=0.9)
    scheduler = getattr(lr_scheduler if name != "SWALR" else swa_utils, name)(mine, **options)
    scheduler.load_state_dict(other.state_dict())
    mine.load_state_dict({"state": {}, "param_groups": opt.state_dict()["param_groups"]})
    for a, b in zip(trace(mine, scheduler, 30), trace(opt, other, 30), strict=True):
        assert a == pytest.approx(b, rel=1e-12)


@pytest.mark.skipif(torch is None, reason="compares with PyTorch")
def test_composed_as_pytorch_s() -> None:
    results = []
    for module, engine, s in both():
        opt = optimizer(module, engine, groups=2, momentum=0.9)
        parts = [s.LinearLR(opt, 0.2, total_iters=6), s.CosineAnnealingLR(opt, 10), s.ExponentialLR(opt, 0.97)]
        paths = trace(opt, s.SequentialLR(opt, parts, [6, 25]))
        opt = optimizer(module, engine, momentum=0.9)
        inner = s.SequentialLR(opt, [s.ConstantLR(opt, 0.5, 3), s.StepLR(opt, 4)], [9])
        paths += trace(opt, s.ChainedScheduler([inner, s.MultiStepLR(opt, [20, 30]), s.PolynomialLR(opt, 55)]))
        opt = optimizer(module, engine, groups=2, momentum=0.9)
        warm = s.CosineAnnealingWarmRestarts(opt, 6)
        paths += trace(opt, s.SequentialLR(opt, [s.ConstantLR(opt, 0.1, 20), warm], [10]))
        measures = [math.sin(t * t) + 3 - t / 40 for t in range(60)]
        for options in ({}, {"mode": "max", "patience": 2, "cooldown": 3}, {"threshold_mode": "abs", "threshold": 0.2}):
            opt = optimizer(module, engine, groups=2, momentum=0.9)
            paths += trace(opt, s.ReduceLROnPlateau(opt, factor=0.7, **{"patience": 3, **options}), 60, measures)
        results.append(paths)
    for mine, other in zip(*results, strict=True):
        assert mine == pytest.approx(other, rel=1e-12, abs=1e-300)

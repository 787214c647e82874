"""Small parameters in one row and formulas in buffers give the numbers of the plain formula, one parameter at a time."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu.optim import row
from tinygrad_edu.optim.formula import FormulaOptimizer
from tinygrad_edu.optim.lean import Buffers, lean

SHAPES = ((5, 3), (), (7,), (200, 100), (2, 0), (4, 4), (1, 70_000))  # among them two that are too long for a row
KINDS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9, "dampening": 0.1}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("Adam", {}),
    ("Adam", {"amsgrad": True, "maximize": True, "weight_decay": 0.01}),
    ("AdamW", {}),
    ("NAdam", {}),
    ("RAdam", {}),
    ("Adamax", {}),
    ("Adagrad", {"lr_decay": 0.1}),
    ("Adadelta", {}),
    ("RMSprop", {"centered": True, "momentum": 0.5}),
    ("RMSprop", {}),
    ("Rprop", {}),
    ("ASGD", {"t0": 2}),
]
NAMES = [f"{kind}-{'-'.join(options)}" for kind, options in KINDS]


def parameters(dtype: str = "float32") -> list[tg.Tensor]:
    rng = np.random.default_rng(0)
    return [tg.nn.Parameter(tg.from_numpy(np.asarray(rng.standard_normal(s), dtype))) for s in SHAPES]


def train(kind: str, options: dict[str, Any], steps: int, dtype: str = "float32") -> list[np.ndarray]:
    """Parameters and state after some steps; now and then a parameter has no gradient, or the rate changes."""
    rng = np.random.default_rng(1)
    params = parameters(dtype)
    optimizer = getattr(tg.optim, kind)(params, **options)
    for step in range(steps):
        for k, p in enumerate(params):
            g = tg.from_numpy(np.asarray(rng.standard_normal(p.shape), dtype))
            p.grad = None if (step, k) in ((0, 2), (4, 0)) else g
        if step == 5:
            optimizer.param_groups[0]["lr"] *= 0.5
        optimizer.step()
    kept = [t for p in params for _, t in sorted(optimizer.state[p].items()) if isinstance(t, tg.Tensor)]
    return [t.detach().numpy().copy() for t in (*params, *kept)]


@pytest.mark.parametrize(("kind", "options"), KINDS, ids=NAMES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_give_the_numbers_of_the_plain_formula(
    kind: str, options: dict[str, Any], dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row, "PIECE", 30_000)  # so that the long ones come in pieces
    ours = train(kind, options, 8, dtype)
    monkeypatch.setattr(row, "_plain", lambda *arrays: False)  # nothing fits in a row
    for mine, plain in zip(ours, train(kind, options, 8, dtype), strict=True):
        np.testing.assert_array_equal(mine, plain)


@pytest.mark.parametrize("kind", [c for c in FormulaOptimizer.__subclasses__() if c.elementwise])
def test_a_formula_in_buffers_asks_for_less_memory_and_says_how(kind: type[FormulaOptimizer]) -> None:
    names = tuple(sorted({"momentum_buffer", "exp_avg", "exp_avg_sq", "exp_inf", "square_avg", "acc_delta", "sum"}))
    source = lean(kind.update, names).source  # type: ignore[attr-defined]
    assert "buffers(p, " in source
    assert ", b0)" in source


def test_buffers_are_windows_of_the_asked_length_on_the_same_memory() -> None:
    buffers = Buffers()
    long, short = buffers(np.empty(100, np.float32), 2), buffers(np.empty(10, np.float64), 2)
    assert [b.shape for b in long] == [(100,), (100,)] and [b.dtype for b in short] == [np.float64] * 2
    assert np.shares_memory(long[1], short[1]) and not np.shares_memory(*long)
    again = buffers(np.empty(1000, np.float32), 3)
    assert len(again) == 3 and len({b.ctypes.data for b in again}) == 3


def test_a_formula_without_its_source_runs_as_it_is() -> None:
    space: dict[str, Any] = {}
    exec("def update(p, g, state, group):\n    p -= group['lr'] * g", space)
    p = np.ones(3)
    lean(space["update"])(p, np.full(3, 2.0), {}, {"lr": 0.25}, None)
    np.testing.assert_array_equal(p, [0.5, 0.5, 0.5])


def test_parameters_keep_their_memory_and_state_its_tensors() -> None:
    params = parameters()
    seen = [p.detach().numpy() for p in params]
    optimizer = tg.optim.Adam(params, lr=0.1)
    kept = None
    for _ in range(3):
        for p in params:
            p.grad = tg.ones_like(p)
        optimizer.step()
        kept = kept or [optimizer.state[p]["exp_avg"] for p in params]
    for p, array, mean in zip(params, seen, kept, strict=True):
        np.testing.assert_array_equal(p.detach().numpy(), array)
        assert optimizer.state[p]["exp_avg"] is mean
        np.testing.assert_allclose(mean.numpy(), np.full(p.shape, 0.271), rtol=1e-6)


def test_two_parameters_in_the_same_memory_both_move_it() -> None:
    memory = tg.zeros(6)
    params = [tg.nn.Parameter(memory[:4]), tg.nn.Parameter(memory[2:]), tg.nn.Parameter(tg.zeros(2))]
    optimizer = tg.optim.SGD(params, lr=1.0)
    for _ in range(2):
        for p in params:
            p.grad = tg.ones_like(p)
        optimizer.step()
    assert memory.tolist() == [-2, -2, -4, -4, -2, -2]


def test_a_loaded_state_is_taken_up_and_a_saved_one_stands_alone() -> None:
    def stepped(params: list[tg.Tensor], optimizer: Any, count: int) -> None:
        for k in range(count):
            for p in params:
                p.grad = tg.full_like(p, 0.1 * k + 0.5)
            optimizer.step()

    a, b = parameters(), parameters()
    first, second = (tg.optim.Adam(ps, lr=0.01) for ps in (a, b))
    stepped(a, first, 3)
    file = io.BytesIO()
    tg.save(first.state_dict(), file)
    assert len(file.getvalue()) < 3 * sum(p.numel() for p in a) * 4  # each row once
    stepped(b, second, 3)
    stepped(b, second, 2)  # goes on elsewhere
    with tg.no_grad():
        for p, q in zip(a, b, strict=True):
            q.copy_(p)
    file.seek(0)
    second.load_state_dict(tg.load(file))
    stepped(a, first, 4)
    stepped(b, second, 4)
    for p, q in zip(a, b, strict=True):
        np.testing.assert_array_equal(p.detach().numpy(), q.detach().numpy())
    second.state.clear()  # begins anew
    stepped(b, second, 1)
    assert all(second.state[q]["step"].item() == 1 for q in b)

"""The picture of a recorded step says what its program says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn, viz


def recorded() -> Any:
    tg.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    optimizer = tg.optim.SGD(model.parameters(), lr=0.1)

    @tg.compile
    def step(x: tg.Tensor, y: tg.Tensor) -> tg.Tensor:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def test_each_line_is_a_box_and_each_use_of_a_value_an_arrow(tmp_path: Path) -> None:
    step = recorded()
    for _ in range(3):
        step(tg.randn(5, 4), tg.tensor([0, 1, 1, 0, 1]))
    drawn = viz.program(step)
    [program] = step.programs.values()
    lines = [line.strip() for line in program.source.splitlines()[1:] if not line.strip().startswith("del")]
    boxes = {box.hint: box.id for box in drawn.picture.boxes}
    made: dict[str, str] = {}
    lines = [line.partition("  # ")[0] for line in lines if line]
    for line in lines:
        left, equals, right = line.partition(" = ")
        for name in set(re.findall(r"\bv\d+\b", right if equals else line)):
            assert (made[name], boxes[line]) in {(e.tail, e.head) for e in drawn.picture.edges}
        made |= dict.fromkeys(re.findall(r"\bv\d+\b", left if equals else ""), boxes[line])
    arrived = [boxes[line] for line in lines if "._grad = " in line]
    assert len(arrived) == 4
    [moved] = [boxes[line] for line in lines if line.startswith("layout1.advance(optimizer1, ")]
    assert {(tail, moved) for tail in arrived} <= {(e.tail, e.head) for e in drawn.picture.edges}
    assert "[3, 4]" in drawn.describe() and "SGD" in drawn.describe()
    drawn.save(tmp_path / "step.dot")
    assert "linear_grad_weight" in (tmp_path / "step.dot").read_text()


def test_what_was_not_recorded_says_so() -> None:
    with pytest.raises(ValueError, match=r"step\(\) three times"):
        viz.program(recorded())
    with pytest.raises(TypeError, match=r"viz\.graph"):
        viz.program(tg.ones(2))  # type: ignore[arg-type]
    talking = tg.compile(lambda x: print(x.sum()))
    for _ in range(3):
        talking(tg.ones(2))
    with pytest.raises(ValueError, match="recorded: __repr__ of a tensor"):
        viz.program(talking)

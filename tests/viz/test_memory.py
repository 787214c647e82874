"""The ledger of memory: what graphs keep, and the variable of the program that holds them."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn, viz

HERE = Path(__file__).read_text().splitlines()


@pytest.fixture(autouse=True)
def nothing_from_before() -> None:
    gc.collect()


def line_of(mark: str) -> int:
    return next(i for i, text in enumerate(HERE, 1) if text.endswith(f"# {mark}"))


def held(name: str) -> Any:
    """What a variable of the test holds."""
    return next((entry for entry in viz.memory().held if entry.name.startswith(f"`{name}`")), None)


class Log:
    def __init__(self) -> None:
        self.history: dict[str, list] = {"loss": []}


def test_a_sum_of_losses_is_named_with_its_line() -> None:
    net, total_loss = nn.Linear(20, 30), 0
    for _ in range(10):
        total_loss += net(tg.ones(8, 20)).tanh().mean()  # the sum
    found = held("total_loss")
    assert found.line.number == line_of("the sum")
    assert found.nodes == 4 * 10 and 10 * 8 * 30 * 4 <= found.bytes < 10 * (8 * 30 + 8 * 20 + 30) * 4
    assert "this graph of 40 nodes" in str(found) and f"test_memory.py:{found.line.number}" in str(found)
    assert "write .item()" in str(found)
    ledger = viz.memory()
    assert {name: count for name, _, count, _ in ledger.ops}["tanh"] == 10 and ledger.nodes >= 40
    del total_loss, found, ledger
    assert held("total_loss") is None


def test_lists_objects_and_dictionaries() -> None:
    log, losses = Log(), []
    for _ in range(5):
        loss = (tg.ones(3, requires_grad=True) * 2).sum()
        losses.append(loss)  # the list
        log.history["loss"].append((loss * 2, 1))
    found = held("losses")
    assert (
        found.name == "`losses` (a list of 5)" and len(found.tensors) == 5 and found.line.number == line_of("the list")
    )
    assert "these 5 graphs of 10 nodes" in str(found)
    assert held("log.history['loss']").nodes == 15


def test_no_graph_and_numbers_only() -> None:
    losses = [(tg.ones(3, requires_grad=True) * 2).sum().item() for _ in range(5)]
    assert held("losses") is None and len(losses) == 5


def test_parameters_are_not_counted() -> None:
    net = nn.Linear(1000, 1)
    out = net(tg.ones(1, 1000, requires_grad=True) * 1)
    assert held("out").bytes <= 1000 * 4 + 16 and out.requires_grad


def test_lines_of_operations_while_recording() -> None:
    with viz.Recording():
        out = tg.ones(3, requires_grad=True).exp()  # exp here
    lines = {name: line for name, line, *_ in viz.memory().ops if line is not None}
    assert lines["exp"].number == line_of("exp here") and out.requires_grad
    assert "# exp here" in str(viz.memory())


def test_the_shell_of_a_notebook_is_not_taken_for_the_holder(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", cell)
    shell = vars(cell)  # it has all variables of the program, and runs the program
    shell.update(tg=tg, viz=viz)
    exec("total = tg.ones(3, requires_grad=True).exp().sum()\nledger = viz.memory()", shell)
    assert [entry.name for entry in shell["ledger"].held if entry.tensors[0] is shell["total"]] == ["`total`"]


def test_what_a_failure_has_left_for_the_collector_is_not_alive() -> None:
    """Errors hold frames, and frames errors, until Python's collector comes."""
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(9, 3))
    before = viz.memory().nodes
    gc.disable()
    try:
        viz.shapes(model, tg.ones(2, 4))
        assert viz.memory().nodes == before
    finally:
        gc.enable()

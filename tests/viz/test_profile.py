"""The profile: every operation is counted, with its time, both ways, by operation and by module; nothing stays behind."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn, viz
from tinygrad_edu.op import OPS, op


@pytest.fixture(scope="module")
def slow() -> Iterator[Callable]:
    """An operation that takes 20 ms, and 40 ms on the way back; unknown to other tests."""

    @op
    def slow_for_a_test(x):
        time.sleep(0.02)
        return x * 1

    def back(g):
        time.sleep(0.04)
        return g

    slow_for_a_test.grad(x=back)
    yield slow_for_a_test
    del OPS["slow_for_a_test"]


class Slow(nn.Module):
    def __init__(self, function: Callable) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Any) -> Any:
        return self.function(x)


def step(net: nn.Module, optimizer: tg.optim.Optimizer) -> None:
    optimizer.zero_grad()
    (net(tg.ones(4, 3)) ** 2).mean().backward()
    optimizer.step()


def test_views_of_new_memory_count_and_views_of_what_was_given_do_not() -> None:
    image, net = tg.ones(2, 1, 8, 8), nn.Conv2d(1, 3, 3)
    with viz.profile() as p:
        tg.nn.functional.max_pool2d(net(image), 2).flatten().sum().backward()
    rows = {row.name: row for row in p.ops}
    assert rows["convolution"].bytes == 2 * 3 * 6 * 6 * 4 and rows["view"].bytes == 0
    assert not any(name.endswith("Backward0") for name in rows)  # one result of several is no operation
    assert (rows["max_pool"].calls, rows["max_pool"].back_calls) == (1, 1)


def test_counts_times_and_bytes(slow: Callable) -> None:
    net = nn.Sequential(nn.Linear(3, 5), nn.Sequential(Slow(slow), nn.ReLU()), nn.Linear(5, 2))
    optimizer = tg.optim.SGD(net.parameters(), lr=0.1)
    with viz.profile() as p:
        time.sleep(0.05)  # the program's own time belongs to nobody
        for _ in range(2):
            step(net, optimizer)
        with tg.no_grad():
            net(tg.ones(4, 3))
    rows = {row.name: row for row in p.ops}
    assert (rows["linear"].calls, rows["linear"].back_calls) == (6, 4)
    assert rows["linear"].bytes == 3 * 4 * (5 + 2) * 4
    assert (rows["relu"].calls, rows["SGD.step"].calls) == (3, 2)
    one = rows["slow_for_a_test"]
    assert one.forward >= 0.06 and one.backward >= 0.08
    assert p.ops == sorted(p.ops, key=lambda row: -row.total) and p.wall > sum(row.total for row in p.ops) + 0.05
    modules = {row.name: row for row in p.modules}
    assert modules["1: Sequential"].total >= modules["1.0: Slow"].total == pytest.approx(one.total)
    assert (modules["1: Sequential"].calls, modules["1: Sequential"].back_calls, modules["Sequential"].calls) == (
        6,
        4,
        12,
    )


def test_tables() -> None:
    net = nn.Linear(3, 5)
    with viz.profile() as p:
        net(tg.ones(4, 3)).exp().sum().backward()
    names = [line.split()[0] for line in p.table(sort_by="name").splitlines()[2:]]
    assert names == sorted(names) and {"exp", "linear", "sum"} <= set(names)
    assert "more: table(rows=" in p.table(rows=1)
    assert "Linear" in p.table("module") and "in operations and steps" in str(p)
    with pytest.raises(ValueError, match="sort_by must be one of total"):
        p.table(sort_by="size")
    with pytest.raises(ValueError, match="by must be"):
        p.table("line")


def test_times_are_drawn_on_the_graph(slow: Callable) -> None:
    x = tg.ones(3, requires_grad=True)
    with viz.profile():
        loss = slow(x).sum()
        loss.backward(retain_graph=True)
    note = loss.grad_fn.next_functions[0][0].note  # type: ignore[union-attr]
    assert note.seconds >= 0.02 and note.back_seconds >= 0.04
    assert "ms" in viz.graph(loss, times=True).describe()


def test_nothing_stays_behind(tmp_path: Path) -> None:
    before = sys.getprofile()
    with pytest.raises(ZeroDivisionError), viz.profile():
        1 / 0  # noqa: B018
    assert sys.getprofile() is before
    assert not hasattr((tg.ones(2, requires_grad=True) * 2).grad_fn, "note")


def test_pytorchs_names_show_operations(tmp_path: Path) -> None:
    x = tg.ones(3, 3, requires_grad=True)
    with tg.profiler.profile() as p, tg.profiler.record_function("block"):
        (x @ x).tanh().sum().backward()
    rows = {row.key: row for row in p.key_averages()}
    assert {"block", "aten::matmul", "aten::tanh", "TanhBackward0", "MmBackward0"} <= set(rows)
    assert rows["aten::tanh"].count == 1 and rows["block"].cpu_time_total >= rows["aten::tanh"].cpu_time_total > 0
    p.export_chrome_trace(str(tmp_path / "trace.json"))
    assert "aten::tanh" in (tmp_path / "trace.json").read_text()
    assert sys.getprofile() is None

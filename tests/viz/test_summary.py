"""The table of a model, and the flow of shapes through it."""

from __future__ import annotations

import re

import pytest

import tinygrad_edu as torch
from tinygrad_edu import nn, viz


class Pair(nn.Module):
    """Several named inputs, a dictionary as its output, a layer that is called twice, one that is never called."""

    def __init__(self) -> None:
        super().__init__()
        self.side, self.join = nn.Linear(3, 4), nn.Linear(8, 2, bias=False)
        self.idle = nn.Linear(5, 5)

    def forward(self, left: torch.Tensor, right: torch.Tensor, scale: float = 1.0) -> dict[str, torch.Tensor]:
        sides = [self.side(left), self.side(right) * scale]
        return {"joined": self.join(torch.cat(sides, 1)), "left": sides[0]}


def lenet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(16 * 10 * 10, 10),
    )


def test_rows_shapes_parameters_and_multiply_adds() -> None:
    table = viz.summary(lenet(), torch.randn(2, 1, 28, 28))
    rows = {row.name: row for row in table.rows}
    assert [row.output for row in table.rows[:3]] == ["[2, 10]", "[2, 6, 28, 28]", "[2, 6, 28, 28]"]
    assert (rows["0"].parameters, rows["1"].parameters) == (6 * 25 + 6, 12)
    assert rows["0"].multiply_adds == 2 * 28 * 28 * 6 * 25
    assert rows["4"].multiply_adds == 2 * 10 * 10 * 16 * 6 * 25
    assert rows["7"].multiply_adds == 2 * 1600 * 10
    assert table.multiply_adds == sum(rows[name].multiply_adds for name in "047")
    assert table.parameters == 156 + 12 + (16 * 6 * 25 + 16) + 16010
    assert table.parameter_bytes == 4 * table.parameters and table.input_bytes == 2 * 28 * 28 * 4


@pytest.mark.parametrize(
    ("make", "shapes", "expected"),
    [
        (lambda: nn.Bilinear(3, 4, 5, bias=False), [(2, 3), (2, 4)], None),
        (lambda: nn.LSTM(3, 4, batch_first=True), [(2, 7, 3)], 2 * 7 * (16 * 3 + 16 * 4)),
        (lambda: nn.GRU(3, 4), [(7, 2, 3)], 2 * 7 * (12 * 3 + 12 * 4)),
        (lambda: nn.RNN(3, 4), [(7, 2, 3)], 2 * 7 * (4 * 3 + 4 * 4)),
        (lambda: nn.ConvTranspose1d(3, 5, 4, bias=False), [(2, 3, 6)], 2 * 6 * 3 * 5 * 4),
        (lambda: nn.Conv2d(4, 8, 3, groups=2), [(1, 4, 5, 5)], 3 * 3 * 8 * 2 * 9),
    ],
)
def test_multiply_adds_by_hand(make, shapes: list[tuple[int, ...]], expected: int | None) -> None:
    table = viz.summary(make(), tuple(torch.randn(*shape) for shape in shapes))
    assert table.multiply_adds == expected if expected is not None else table.multiply_adds > 0


class Contraction(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return torch.einsum("bij,bjk->bik", x, y) + x @ y


class Attention(nn.Module):
    def forward(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return nn.functional.scaled_dot_product_attention(q, k, v)


def test_multiply_adds_of_products_without_parameters() -> None:
    table = viz.summary(Contraction(), (torch.randn(2, 3, 4), torch.randn(2, 4, 5)))
    assert table.multiply_adds == 2 * (2 * 3 * 4 * 5)
    table = viz.summary(Attention(), (torch.randn(2, 3, 4), torch.randn(2, 5, 4), torch.randn(2, 5, 6)))
    assert table.multiply_adds == 2 * (3 * 5 * 4 + 3 * 5 * 6)


@pytest.mark.parametrize("given", ["tuple", "dictionary", "named"])
def test_several_inputs_and_outputs(given: str) -> None:
    left, right = torch.randn(6, 3), torch.randn(6, 3)
    net = Pair()
    if given == "tuple":
        table = viz.summary(net, (left, right))
    elif given == "dictionary":
        table = viz.summary(net, {"left": left, "right": right, "scale": 2.0})
    else:
        table = viz.summary(net, left, right=right)
    assert table.rows[0].output == "{[6, 2], [6, 4]}"
    assert [(row.name, row.note) for row in table.rows[1:]] == [("side", ""), ("side", "again"), ("join", "")]
    assert table.never_called == ["idle"]
    assert table.parameters == 16 + 16 + 30
    assert table.multiply_adds == 2 * 6 * 3 * 4 + 6 * 8 * 2


def test_a_model_that_takes_a_dictionary() -> None:
    class Takes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, batch: dict) -> torch.Tensor:
            return self.layer(batch["x"]) + batch["shift"]

    batch = {"x": torch.randn(4, 3), "shift": 1.0}
    assert viz.summary(Takes(), batch).rows[0].output == "[4, 2]"
    assert "[4, 2]" in viz.shapes(Takes(), batch).describe()


def test_shared_parameters_are_counted_once() -> None:
    net = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    net[1].weight = net[0].weight
    table = viz.summary(net, (2, 3))
    assert table.parameters == 9 and [row.note for row in table.rows] == ["", "", "shared"]
    assert "9, each counted once" in str(table)


def test_of_a_batch_that_shows_a_part_of_the_data_only_the_batch_is_counted() -> None:
    data, model = torch.rand(10_000, 3), nn.Linear(3, 4)
    table = viz.summary(model, data[:2])
    assert table.kept_bytes == viz.summary(model, data[:2].clone()).kept_bytes == 2 * 3 * 4


def test_frozen_models_are_counted_too() -> None:
    net = nn.Linear(3, 4).requires_grad_(False)
    table = viz.summary(net, (5, 3))
    assert (table.trainable, table.parameters, table.multiply_adds) == (0, 16, 60)
    assert "16 of them fixed" in str(table)


def test_the_model_stays_as_it_was() -> None:
    net = lenet()
    net[6].eval()
    x = torch.randn(2, 1, 28, 28, requires_grad=True)
    modes, mean = [m.training for m in net.modules()], net[1].running_mean.clone()
    with torch.no_grad():
        viz.summary(net, x)
    assert [m.training for m in net.modules()] == modes
    assert torch.equal(net[1].running_mean, mean) and net[1].num_batches_tracked.item() == 0
    assert x.grad is None and all(p.grad is None for p in net.parameters())
    with pytest.raises(RuntimeError):
        viz.summary(net, torch.randn(2, 3, 28, 28))
    assert [m.training for m in net.modules()] == modes


def test_the_table_lines_up() -> None:
    lines = str(viz.summary(lenet(), (2, 1, 28, 28))).splitlines()
    table = lines[1 : lines.index(lines[0], 3)]
    assert lines[1].split() == ["Module", "Output", "Parameters", "Multiply-adds", "Kept"]
    assert len({line.find("[") for line in table if "[" in line}) == 1
    assert max(map(len, table)) == len(lines[0])


# --- shapes ---------------------------------------------------------------------------------------------------------


def test_shapes_flow_from_module_to_module() -> None:
    net = lenet()
    picture = viz.shapes(net, (2, 1, 28, 28)).picture
    assert picture.title == "shapes of net"
    assert [box.title for box in picture.boxes if box.kind == "input"] == ["input"]
    flow = [(box.title, box.lines) for box in picture.boxes if box.kind == "folded"]
    assert [title for title, _ in flow] == [
        *("0  Conv2d", "1  BatchNorm2d", "2  ReLU", "3  MaxPool2d", "4  Conv2d", "5  Flatten", "7  Linear"),
    ]
    assert "→ [2, 6, 28, 28] float32" in [line.text for line in flow[0][1]]
    assert [box.title for box in picture.boxes if box.kind == "result"] == ["output"]


def test_shapes_of_several_inputs_and_outputs() -> None:
    picture = viz.shapes(Pair(), {"left": torch.randn(6, 3), "right": torch.randn(6, 3)}).picture
    assert {box.title for box in picture.boxes if box.kind == "input"} == {"left", "right"}
    assert [box.title for box in picture.boxes if box.kind == "result"] == ["joined", "left"]


def test_shapes_stop_at_the_failure_and_say_where() -> None:
    net = lenet()
    net[7] = nn.Linear(100, 10)
    graph = viz.shapes(net, (2, 1, 28, 28))
    failed = graph.picture.boxes[-1]
    assert failed.bad and failed.title == "net.7  Linear"
    assert failed.lines[0].text == "fails for ([2, 1600])"
    (arrow,) = [edge for edge in graph.picture.edges if edge.head == failed.id]
    assert graph.picture.box(arrow.tail).title == "5  Flatten"
    assert graph.picture.notes[0].startswith("net.7: RuntimeError: linear(")
    assert all(m.training for m in net.modules())
    assert re.search(r"failed +operation net\.7", graph.describe())


def test_shapes_of_a_model_that_fails_at_once() -> None:
    net = nn.Sequential(nn.Linear(3, 4))
    picture = viz.shapes(net, (2, 5)).picture
    assert [box.title for box in picture.boxes] == ["input", "net.0  Linear"] and "net.0" in picture.notes[0]

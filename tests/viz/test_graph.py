"""What pictures of graphs say: against the engine's own edges, for large graphs, and for bad input."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
from sample_graphs import GRAPHS, Tower, module, neuron, numbers, plain, random_graph, tower

import tinygrad_edu as torch
from tinygrad_edu import nn, viz
from tinygrad_edu.autograd.graph import Node
from tinygrad_edu.viz.labels import cut, faults, number, value_text
from tinygrad_edu.viz.rules import rule_text, rules_of


def engine_edges(root: torch.Tensor) -> Counter:
    """The graph's edges between operations and leaves, as `next_functions` tells them."""
    edges: Counter = Counter()
    seen: set[Node] = {root.grad_fn}
    stack = [root.grad_fn]
    while stack:
        user = stack.pop()
        for source, _ in user.next_functions:
            if source is not None:
                edges[source, user] += 1
                if source not in seen:
                    seen.add(source)
                    stack.append(source)
    return edges


# --- what the picture says ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_every_edge_is_there_once(seed: int) -> None:
    loss = random_graph(seed, 60, 8)
    picture = viz.picture_of(loss, limit=10**9, roll=False)
    drawn: Counter = Counter()
    for edge in picture.edges:
        drawn[edge.tail, edge.head] += edge.count
    expected: Counter = Counter({(picture.places[loss.grad_fn], "r1"): 1})
    for (a, b), n in engine_edges(loss).items():
        expected[picture.places[a], picture.places[b]] += n
    assert drawn == expected
    assert len({edge.id for edge in picture.edges}) == len(picture.edges)


@pytest.mark.parametrize("seed", range(3))
def test_a_folded_picture_keeps_every_edge_between_boxes(seed: int) -> None:
    loss = random_graph(seed, 400, 6)
    picture = viz.picture_of(loss, limit=40)
    assert len(picture.boxes) <= 41 and any(box.kind == "folded" for box in picture.boxes)
    drawn: Counter = Counter()
    for edge in picture.edges:
        drawn[edge.tail, edge.head] += edge.count
    expected: Counter = Counter({(picture.places[loss.grad_fn], "r1"): 1})
    for (a, b), n in engine_edges(loss).items():
        if picture.places[a] != picture.places[b]:
            expected[picture.places[a], picture.places[b]] += n
    assert drawn == expected
    nodes = {n for pair in engine_edges(loss) for n in pair}
    assert sum(box.count for box in picture.boxes) == len(nodes) + 1


def test_no_box_keeps_the_graph_alive() -> None:
    import weakref

    y = numbers(3).exp()
    graph, node = viz.graph(y), weakref.ref(y.grad_fn)
    del y
    assert node() is None and "exp" in graph.describe()


def test_names_come_from_the_model_and_from_variables() -> None:
    net = plain(nn.Sequential(nn.Linear(4, 3, dtype=torch.float64)))
    x, offset = numbers(2, 4, grad=False), numbers(3)
    hidden = net(x) + offset
    loss = hidden.sum()
    titles = {box.title: box.kind for box in viz.graph(loss).picture.boxes}
    assert titles.items() >= {"0.weight": "parameter", "0.bias": "parameter", "x": "input", "offset": "leaf"}.items()
    assert "hidden = add" in titles and titles["loss"] == "result"


def test_tied_parameters_carry_both_names() -> None:
    net = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    net[1].weight = net[0].weight
    loss = net(torch.ones(2, 3)).sum()
    assert [box.title for box in viz.graph(loss).picture.boxes if box.kind == "parameter"] == ["0.weight = 1.weight"]


def test_modules_are_frames_and_fold() -> None:
    opened, closed = module().picture, module(depth=0).picture
    assert [frame.title for frame in opened.frames] == ["net  Sequential", "0  Linear"]
    assert [box.title for box in closed.boxes if box.kind == "folded"] == ["net  Sequential"]
    assert not closed.frames
    by_pattern = module(fold="Linear").picture
    assert [box.title for box in by_pattern.boxes if box.kind == "folded"] == ["0  Linear"]


def test_modules_are_deduced_where_nothing_was_recorded() -> None:
    net = plain(Tower(2))
    loss = net(numbers(2, 4, grad=False))
    picture = viz.graph(loss, depth=9).picture
    titles = {frame.id: frame.title for frame in picture.frames}
    assert {"floors.0  Block", "floors.1  Block"} <= set(titles.values())
    first = next(box for box in picture.boxes if box.title == "add")
    assert titles[first.frame] == "floors.0  Block"  # the end of a block, and not what comes between two


def test_repeated_blocks_are_drawn_once() -> None:
    picture = tower().picture
    (block,) = [frame for frame in picture.frames if frame.count > 1]
    assert block.count == 12 and block.title == "floors.0 … 11  Block  × 12"
    assert sum(edge.again for edge in picture.edges) == 2  # into the sum and into the first layer of the next round
    assert any("↺ next round" in line.text for box in picture.boxes for line in box.lines)
    assert len([f for f in tower(roll=False, limit=10**9).picture.frames if f.kind == "Block"]) == 12


def test_what_all_rounds_share_stands_outside() -> None:
    picture = GRAPHS["loop"]().picture
    (weight,) = [box for box in picture.boxes if box.kind == "leaf"]
    assert weight.frame == "" and picture.frames[0].count in (199, 200)


def test_before_and_after_backward() -> None:
    x = numbers(3)
    y = (x * x).sum()
    assert viz.graph(y).picture.state == "before backward()"
    y.backward()
    after = viz.graph(y).picture
    assert after.state == "after backward()"
    assert "gradient [−3, −2, −1]" in [line.text for line in after.boxes[0].lines]


def test_rules_stand_as_they_are_written() -> None:
    x, y = numbers(3), numbers(3)
    assert rules_of((x * y).grad_fn) == [("x", "g * y"), ("y", "g * x")]
    assert rules_of(x.tanh().grad_fn) == [("x", "g * (1 - out * out)")]
    assert rules_of((x * 2).grad_fn) == [("x", "g * y")]


def test_every_rule_of_every_operation_can_be_shown() -> None:
    from tinygrad_edu.op import OPS

    texts = {(op.name, key): rule_text(rule) for op in OPS.values() for key, rule in op.rules.items()}
    assert len(texts) > 200
    assert not [place for place, text in texts.items() if not text or text.startswith("rule(")]


def test_two_rules_in_one_line_are_told_apart() -> None:
    first, second = (lambda g, x: g + x), (lambda g, x: g * x)
    assert (rule_text(first), rule_text(second)) == ("g + x", "g * x")


def test_values_faults_and_memory() -> None:
    picture = GRAPHS["infinite"]().picture
    (log,) = [box for box in picture.boxes if box.title == "log"]
    assert log.bad and "1 NaN and 1 ∞ of 3" in [line.text for line in log.lines]
    assert "first here" in [line.text for line in log.lines]
    masked = numbers(4).masked_fill(torch.tensor([True, False, True, False]), -torch.inf)
    assert not any(box.bad for box in viz.graph(masked.softmax(0)).picture.boxes)  # those were asked for
    kept = GRAPHS["diamond"]().picture
    assert "keeps out: 24 B" in [line.text for box in kept.boxes for line in box.lines]
    assert kept.notes == ["Kept for the walk back: 48 B, shared memory counted once."]


def test_times_and_lines_of_a_recorded_graph() -> None:
    picture = module(times=True).picture
    operations = [box for box in picture.boxes if box.kind == "operation"]
    assert all(any(re.fullmatch(r"[\d.e+]+ (µs|ms|s)", line.text) for line in box.lines) for box in operations)
    assert all("sample_graphs.py:" in box.hint for box in operations)


def test_around_shows_the_neighbours_only() -> None:
    picture = neuron(around="product", reach=1).picture
    assert {box.title for box in picture.boxes} == {"a", "b", "product = mul", "add"}


def test_a_gradient_graph_and_a_users_function() -> None:
    class Twice(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    x = numbers(3)
    (gradient,) = torch.autograd.grad((Twice.apply(x) ** 3).sum(), x, create_graph=True)
    titles = [box.title for box in viz.graph(gradient.sum()).picture.boxes]
    assert "Twice" in titles and "x" in titles


def test_constants_can_be_hidden() -> None:
    y = numbers(3) * torch.ones(3, dtype=torch.float64)
    kinds = [{box.kind for box in viz.graph(y, constants=c).picture.boxes} for c in (True, False)]
    assert kinds[0] - kinds[1] == {"constant"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-1.5, "−1.5"),
        (np.nan, "NaN"),
        (-np.inf, "−∞"),
        (np.int64(12), "12"),
        (True, "True"),
        (1 + 2j, "1+2j"),
    ],
)
def test_numbers(value: object, text: str) -> None:
    assert number(value) == text


def test_arrays_and_long_texts() -> None:
    assert value_text(np.array([[1.0, 2.0]])) == "[[1, 2]]"
    assert value_text(np.arange(10)) == "0 … 9, mean 4.5, 10 % zeros"
    assert value_text(np.full(9, np.nan)) == "no finite number"
    assert faults(np.array([1.0])) == "" and faults(np.array([np.inf]), infinite=True) == ""
    assert len(cut("x" * 10_000)) == 44 and cut("a\nb\x00c") == "a b c"


# --- large graphs ---------------------------------------------------------------------------------------------------


def test_five_thousand_nodes_fold_to_a_page() -> None:
    picture = viz.picture_of(random_graph(0, 5000, 20))
    assert len(picture.boxes) < 200 and "operations" in picture.notes[0]


def test_a_chain_of_a_hundred_thousand_nodes_is_folded_with_a_sentence() -> None:
    y = numbers(2)
    for _ in range(50_000):
        y = (y * 1.0).tanh()
    picture = viz.picture_of(y)
    assert len(picture.boxes) < 20 and picture.notes == ["100,000 operations: what repeats itself is drawn once."]
    assert sum(box.count for box in picture.boxes if box.kind == "operation") == 100_000


def test_deep_modules_do_not_recurse() -> None:
    x = numbers(2)
    net: nn.Module = nn.Tanh()
    for _ in range(150):
        net = nn.Sequential(net)
    assert "tanh" in viz.graph(lambda: net(x), roll=False).describe()


# --- mistakes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: viz.graph(torch.ones(3)), RuntimeError, "no graph behind it"),
        (lambda: viz.graph(3), TypeError, "no tensor"),
        (lambda: viz.graph([]), TypeError, "no tensor"),
        (lambda: viz.graph(lambda: None), TypeError, "no tensor"),
        (lambda: viz.graph(nn.Linear(2, 2)), TypeError, "viz.shapes"),
        (lambda: neuron(direction="sideways"), ValueError, "down"),
        (lambda: neuron(around="nobody"), ValueError, "not in this graph"),
        (lambda: module(fold="no.such"), ValueError, "no module matches"),
        (lambda: neuron().save("graph.gif"), ValueError, "'.gif'"),
    ],
)
def test_mistakes_are_told_in_a_sentence(call, error: type, text: str) -> None:
    with pytest.raises(error, match=re.escape(text)):
        call()

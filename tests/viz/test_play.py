"""`play`: what its pages say is what the engine did, and nothing is disturbed by saying it."""

from __future__ import annotations

import json
import os
import re
from html import unescape
from pathlib import Path

import numpy as np
import pytest

import tinygrad_edu as torch
from tinygrad_edu import nn
from tinygrad_edu.viz.contents import LEVELS, MOST, Contents, described, heat_map
from tinygrad_edu.viz.play import LIMIT, PAGE, Play, play
from tinygrad_edu.viz.recording import Recording

GOLDEN = Path(__file__).parent / "golden"


def data_of(player: Play) -> dict:
    """What the page holds, read back from the page itself."""
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', player.page, re.S)[1])
    for step in data["back"]:
        for key in ("came", "arrived", "passed"):
            step[key] = [dict(zip(("box", "name", "gradient"), each, strict=True)) for each in step[key]]
    return data


def numbers(data: dict, place: int) -> np.ndarray:
    content = data["contents"][place]
    return np.array([float(x) for x in content["numbers"]], content["dtype"]).reshape(content["shape"])


def grads(data: dict) -> dict[str, np.ndarray]:
    """The gradients that the page shows for the leaves."""
    return {data["boxes"][s["box"]]["title"]: numbers(data, s["grad"]) for s in data["back"] if s["grad"] is not None}


def small_loss() -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    leaves = {name: torch.tensor(x, requires_grad=True) for name, x in (("a", 2.0), ("b", -3.0), ("c", 10.0))}
    a, b, c = leaves.values()
    e = a * b
    return leaves, (e + c) * e


def exact_network() -> tuple[nn.Module, torch.Tensor]:
    """A network whose numbers are exact in binary, so that every computer gets the same bytes."""
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    with torch.no_grad():
        for k, p in enumerate(net.parameters()):
            p.copy_((torch.arange(p.numel()).reshape(p.shape) % 3 - 1) / 2 + k / 4)
    return net, torch.tensor([[1.0, -2.0], [0.5, 4.0]])


# --- what is shown is what happened ----------------------------------------------------------------------------


def test_the_walk_is_in_the_order_of_the_engine() -> None:
    with Recording() as seen:
        leaves, loss = small_loss()
        loss.backward(retain_graph=True)
    order = [ref().op.name for ref in seen.walked_nodes]
    data = data_of(play(loss))
    passed = [data["boxes"][step["box"]] for step in data["back"]]
    assert [box["title"] for box in passed if box["kind"] == "operation"] == order
    assert [box["title"] for box in passed if box["kind"] == "leaf"] == [
        f"leaves[{name!r}]" for name in reversed(leaves)
    ]
    assert [data["boxes"][i]["title"] for i in data["forward"]] == ["mul", "add", "mul"]


def test_a_leaf_made_late_is_met_early() -> None:
    x = torch.tensor(2.0, requires_grad=True)
    y = x.exp()
    late = torch.tensor(3.0, requires_grad=True)
    data = data_of(play(y * late))
    assert [data["boxes"][step["box"]]["title"] for step in data["back"]] == ["mul", "late", "exp", "x"]


def test_leaf_gradients_are_those_of_backward_and_nothing_is_touched() -> None:
    net, x = exact_network()
    y = (net(x) ** 2).sum()
    hidden = net[0](x)
    hidden.retain_grad()
    loss = y + hidden.sum()
    data = data_of(play(loss))
    assert all(p.grad is None for p in net.parameters())
    assert hidden.grad is None
    loss.backward()  # the graph is still there
    assert hidden.grad is not None
    shown = grads(data)
    assert set(shown) == {name for name, _ in net.named_parameters()}
    for name, p in net.named_parameters():
        np.testing.assert_array_equal(shown[name], p.grad.numpy())


def test_every_gradient_that_came_is_the_sum_of_those_that_arrived() -> None:
    a = torch.randn(3, 4, requires_grad=True)

    def loss() -> torch.Tensor:
        values, _ = (a * a).max(dim=1)
        parts = a.split(2, dim=1)
        return torch.cat([values, values.exp(), a[0]]).sum() + (parts[0] * parts[1]).mean()

    data = data_of(play(loss))
    met = 0
    for step in data["back"]:
        for came in step["came"]:
            parts = [numbers(data, each["gradient"]) for each in step["arrived"] if each["name"] == came["name"]]
            met += len(parts) > 1
            np.testing.assert_allclose(sum(parts), numbers(data, came["gradient"]), rtol=1e-6)
    assert met == 2


def test_gradients_by_argument_agree_with_finite_differences() -> None:
    x, y = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (1.5, 0.75))
    data = data_of(play(lambda: x**y / y))
    back = {data["boxes"][step["box"]]["title"]: step for step in data["back"]}
    passed = {each["name"]: float(numbers(data, each["gradient"])) for each in back["pow"]["passed"]}
    step = 1e-6
    names = list(passed)
    assert passed[names[0]] == pytest.approx(((1.5 + step) ** 0.75 - 1.5**0.75) / step / 0.75, rel=1e-5)
    assert passed[names[1]] == pytest.approx((1.5 ** (0.75 + step) - 1.5**0.75) / step / 0.75, rel=1e-5)


def test_one_tensor_twice_passes_two_gradients() -> None:
    x = torch.tensor(3.0, requires_grad=True)
    data = data_of(play(x * x))
    assert [each["name"] for each in data["back"][0]["passed"]] == ["x", "y"]
    assert [float(numbers(data, each["gradient"])) for each in data["back"][1]["arrived"]] == [3.0, 3.0]
    assert grads(data) == {"x": 6.0}


def test_a_function_is_watched_with_lines_modules_and_values() -> None:
    net, x = exact_network()
    data = data_of(play(lambda: net(x).sum()))
    frames = {(f["title"], f["kind"], f["outer"]) for f in data["frames"]}
    assert frames == {("Sequential", "", None), ("0", "Linear", 0), ("1", "ReLU", 0), ("2", "Linear", 0)}
    relu = next(box for box in data["boxes"] if box["title"] == "relu")
    assert relu["line"].startswith("test_play.py:") and "net(x).sum()" in relu["code"]
    np.testing.assert_array_equal(numbers(data, relu["values"][0][1]), net[1](net[0](x)).detach().numpy())
    assert {box["title"] for box in data["boxes"] if box["scope"] == 1} == {"linear", "0.weight", "0.bias"}
    assert all(box["values"] for box in data["boxes"])


def test_a_function_that_walks_back_itself_is_shown_as_it_did() -> None:
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    w.grad = torch.tensor([10.0, 10.0])

    def step(x: torch.Tensor) -> None:
        (w * x).sum().backward()

    data = data_of(play(step, torch.tensor([3.0, 4.0])))
    leaf = data["back"][-1]
    np.testing.assert_array_equal(numbers(data, leaf["came"][0]["gradient"]), [3.0, 4.0])
    np.testing.assert_array_equal(grads(data)["w"], [13.0, 14.0])
    np.testing.assert_array_equal(w.grad.numpy(), [13.0, 14.0])
    assert "x" in {box["title"] for box in data["boxes"]}


def test_several_roots_of_one_walk() -> None:
    w = torch.tensor(2.0, requires_grad=True)
    data = data_of(play(lambda: torch.autograd.backward([w * 3, w.exp()])))
    assert len(data["back"]) == 3 and float(grads(data)["w"]) == pytest.approx(3 + np.exp(2), rel=1e-6)


def test_a_hook_is_told_of() -> None:
    x = torch.tensor(3.0, requires_grad=True)
    y = x * 2
    y.register_hook(lambda g: g * 100)
    data = data_of(play(y + 1))
    assert [step["hooked"] for step in data["back"]] == [False, True, False]
    assert grads(data) == {"x": 200.0}


def test_what_nothing_has_kept_is_computed_again_or_said_to_be_missing() -> None:
    a, b = (torch.tensor(x, requires_grad=True) for x in (2.0, 5.0))
    data = data_of(play((a * b + 1).exp()))
    mul, add, _ = (data["boxes"][i] for i in data["forward"])
    assert float(numbers(data, mul["values"][0][1])) == 10.0
    assert add["values"] == []  # the rules of `add` ask for nothing: its 1 is forgotten
    loss = (a + b) * 2
    with torch.no_grad():
        a.add_(1)  # what was added is not there any more
    data = data_of(play(loss))
    assert data["boxes"][data["forward"][0]]["values"] == []


def test_rules_stand_as_in_the_source() -> None:
    data = data_of(play(small_loss()[1]))
    assert data["boxes"][data["forward"][0]]["rules"] == [["x", "g * y"], ["y", "g * x"]]


# --- numbers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64", "bool"])
def test_numbers_read_back_as_they_were(dtype: str) -> None:
    array = (np.random.randn(7, 9) * np.exp(3 * np.random.randn(7, 9))).astype(dtype)
    shown = json.loads(json.dumps(described(array, 64, 64)))
    assert np.array_equal(np.array(shown["numbers"], dtype).reshape(shown["shape"]), array)


def test_not_finite_numbers_are_words() -> None:
    shown = described(np.array([np.nan, np.inf, -np.inf, 1.0]), 64, 64)
    assert shown["numbers"] == ["nan", "inf", "-inf", 1.0]
    many = described(np.array([np.nan, np.inf] + [2.0] * 98), 10, 50)
    assert (many["nan"], many["inf"], many["min"], many["mean"], many["max"]) == (1, 1, 2.0, 2.0, 2.0)
    assert many["map"]["cells"].count("!") == 1  # both in the first of 50 blocks


@pytest.mark.parametrize("shape", [(100,), (37, 53), (300, 2), (2, 3, 40, 40), (1, 5000)])
def test_a_map_holds_the_means_of_blocks(shape: tuple[int, ...]) -> None:
    array = np.random.randn(*shape)
    found = heat_map(array, 400)
    rows = array.reshape(-1, shape[-1])
    r, c = found["rows"], found["columns"]
    assert r * c <= 400 and len(found["cells"]) == r * c
    tops = [int(i * rows.shape[0] / r) for i in range(r + 1)]
    lefts = [int(i * rows.shape[1] / c) for i in range(c + 1)]
    means = [[rows[tops[i] : tops[i + 1], lefts[j] : lefts[j + 1]].mean() for j in range(c)] for i in range(r)]
    scale = np.abs(means).max()
    assert found["scale"] == pytest.approx(scale, rel=1e-5)
    levels = [LEVELS.index(letter) - MOST for letter in found["cells"]]
    np.testing.assert_allclose(np.array(levels) / MOST, np.ravel(means) / scale, atol=0.6 / MOST)


def test_equal_arrays_are_held_once() -> None:
    contents = Contents(10)
    places = [contents.add(np.ones(3)), contents.add(np.ones(3)), contents.add(np.ones(3, np.float32))]
    assert places == [0, 0, 1]


# --- the page ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["expression", "network"])
def test_the_same_graph_gives_the_same_bytes(name: str) -> None:
    if name == "expression":
        a, b, c = (torch.tensor(x, requires_grad=True) for x in (2.0, -3.0, 10.0))
        e = a * b
        loss = (e + c).relu() * e
        page = play(loss).page
    else:
        net, x = exact_network()
        page = re.sub(r"test_play\.py:\d+", "test_play.py", play(lambda: (net(x) ** 2).sum()).page)
    for part in ("player.css", "numbers.js", "layout.js", "panel.js", "player.js"):  # these stand in the package
        text = (PAGE / part).read_text(encoding="utf-8")
        assert page.count(text) == 1
        page = page.replace(text, f"{part}\n")
    file = GOLDEN / f"play_{name}.html"
    if os.environ.get("WRITE_GOLDEN"):
        file.write_text(page, encoding="utf-8")
    assert page == file.read_text(encoding="utf-8"), f"the page has changed: look at it, then WRITE_GOLDEN=1 {__file__}"


def diamond() -> Play:
    x = halves(3)
    left, right = x * 2, x + 1
    loss = (left * right + left).sum()
    return play(loss)


def shared_layer() -> Play:
    W, h = halves(2, 2), torch.tensor([[1.0, -0.5]])
    for _ in range(4):
        h = (h @ W).relu()
    loss = h.sum()
    return play(loss)


def several_results() -> Play:
    x = halves(6)
    first, second, _ = x.split(2)
    loss = (first * second).sum() + x.view(2, 3).max(1)[0].sum()
    return play(loss)


def joined() -> Play:
    a, b = halves(2, 2), halves(3, 2)
    loss = (torch.cat([a, b, a]) * 2).sum() + torch.stack([a, a]).mean()
    return play(loss)


def broadcast() -> Play:
    row, column, number = halves(3), halves(2, 1), torch.tensor(0.5, requires_grad=True)
    loss = ((row + column) * number).sum()
    return play(loss)


def indexed() -> Play:
    table = halves(5, 2)
    loss = (table[torch.tensor([0, 3, 3])] * table[1]).sum()
    return play(loss)


def in_place() -> Play:
    x = halves(4)
    y = x * 2
    y[1:3] += 1
    y.mul_(x.detach())
    loss = y.sum()
    return play(loss)


def without_numbers() -> Play:
    x = torch.tensor([0.0, 1.0, -1.0], requires_grad=True)
    loss = (1 / x + torch.zeros(0, 3).sum()).sum()
    return play(loss)


def turned() -> Play:
    x = halves(2, 3)
    loss = (x.t().flip(0) * x.permute(1, 0).reshape(3, 2).unsqueeze(0).expand(2, 3, 2)).sum()
    return play(loss)


def two_paths() -> Play:
    a, b = halves(2), halves(2)
    loss = (a * b).sum() + (a.detach() * b).sum() + a.pow(2)[0]
    return play(loss)


def halves(*shape: int) -> torch.Tensor:
    """Numbers that are exact in binary."""
    return ((torch.arange(float(np.prod(shape))) % 7 - 3).reshape(shape) / 2).requires_grad_()


PLAYED = [
    *(diamond, shared_layer, several_results, joined, broadcast, indexed),
    *(in_place, without_numbers, turned, two_paths),
]


def parts_of(page: str) -> tuple[str, str]:
    """A page without its data, and the data."""
    before, mark, rest = page.partition('<script type="application/json" id="data">')
    data, end, after = rest.partition("</script>")
    return before + mark + end + after, data


@pytest.mark.parametrize("make", PLAYED, ids=lambda f: f.__name__)
def test_what_is_around_the_data_is_the_same_on_every_page_and_the_data_is_the_golden_one(make) -> None:
    """Together they are every byte: what is around the data is held by the golden page of the expression."""
    around, data = parts_of(make().page)
    (loss,) = small_loss()[1:]
    assert around == parts_of(play(loss).page)[0]
    file = GOLDEN / "play_data.json"
    golden = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if os.environ.get("WRITE_GOLDEN"):
        golden[make.__name__] = json.loads(data)
        lines = [f"{json.dumps(name)}: {json.dumps(golden[name], ensure_ascii=False)}" for name in sorted(golden)]
        file.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    assert json.loads(data) == golden[make.__name__], (
        f"the page has changed: look at it, then WRITE_GOLDEN=1 {__file__}"
    )


def test_the_page_stands_alone() -> None:
    page = play(small_loss()[1]).page
    assert not re.search(r"(src|href)\s*=|@import|url\((?!#)|fetch\(|XMLHttpRequest|import\(|<link", page)
    addresses = set(re.findall(r"https?://[^\s\"'<]+", page))
    assert addresses == {"http://www.w3.org/2000/svg"}


def test_hostile_names_stay_text() -> None:
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'\n\u2028{data}{script}\ud800"
    net = nn.Module()
    net.register_parameter("p", nn.Parameter(torch.ones(2)))
    net._parameters[evil] = net._parameters.pop("p")
    loss = net._parameters[evil].sum()
    player = play(loss)
    inside = re.search(r'id="data">(.*?)\n?</script>', player.page, re.S)[1]
    assert "<" not in inside and ">" not in inside and "\u2028" not in inside
    assert player.page.count("<script") == 2 and player.page.count("</script") == 2
    assert any("alert(1)" in box["title"] for box in data_of(player)["boxes"])
    player.page.encode()


def test_a_notebook_gets_the_page_in_a_frame_of_its_own() -> None:
    player = play(small_loss()[1])
    frame = player._repr_html_()
    source = re.fullmatch(r'<iframe title="[^"<>]*" srcdoc="([^"<>]*)" style="[^"<>]*"></iframe>', frame)
    assert source is not None and unescape(source[1]) == player.page
    assert "3 steps forward" in repr(player)


def test_saving(tmp_path: Path) -> None:
    player = play(small_loss()[1])
    assert player.save(tmp_path / "step.html").read_text(encoding="utf-8") == player.page
    with pytest.raises(ValueError, match=r"step\.html"):
        player.save(tmp_path / "step.png")


def test_too_large_a_graph_is_refused_before_anything_is_done() -> None:
    x = torch.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(LIMIT + 1):
        y = y * 1.0
    with pytest.raises(ValueError, match=rf"{LIMIT + 2:,} nodes.*\n.*depth=1"):
        play(y)


def test_the_largest_graph_gives_a_page_below_two_megabytes() -> None:
    x = torch.randn(30, 40, requires_grad=True)
    y = x
    for _ in range(LIMIT - 2):
        y = y.sin()
    assert len(play(y.sum()).page) < 2_000_000


def test_mistakes() -> None:
    w = torch.ones(2, requires_grad=True)
    with pytest.raises(TypeError, match="takes a tensor, or a function"):
        play(3)
    with pytest.raises(TypeError, match="returned int"):
        play(lambda: 3)
    with pytest.raises(RuntimeError, match="scalar outputs"):
        play(w * 2)
    with pytest.raises(RuntimeError, match="does not require grad"):
        play(torch.ones(()))
    loss = (w * w).sum()
    loss.backward()
    with pytest.raises(
        RuntimeError, match=r"backward\(\) has gone through.*\n.*play\(loss\) before.*retain_graph=True"
    ):
        play(loss)
    with pytest.raises(TypeError, match="arguments are for a function"):
        play(w.sum(), model=nn.Linear(2, 2))

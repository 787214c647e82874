"""The player in a real browser: it steps, its numbers are the engine's, it is legible, and nothing in it runs but itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_edu as torch
from tinygrad_edu import nn
from tinygrad_edu.viz.play import Play, play

pytestmark = pytest.mark.browser

BOXES = """return [...document.querySelectorAll("g.box")].map((g) => {
    const r = g.querySelector(".body").getBoundingClientRect();
    return {id: g.id, title: g.querySelector(".title").textContent, left: r.left, top: r.top, right: r.right, bottom: r.bottom};
})"""
# the texts in the windows of each box, with its title
CELL = """return [...document.querySelectorAll("g.box")].map((g) => [
    g.querySelector(".title").textContent,
    [...g.querySelectorAll(".cells > g")].filter((c) => c.querySelector(".cell")).map((c) => c.querySelector(".word")?.textContent ?? ""),
])"""


def four_digits(x: float) -> str:
    """A number as the page writes it, computed by Python."""
    text = f"{float(f'{float(x):.4g}'):.10f}".rstrip("0").rstrip(".")
    return text.replace("-", "−")


def read(text: str) -> float:
    return float(text.replace("−", "-"))


def expression() -> tuple[dict[str, torch.Tensor], Play]:
    """Tensors by the titles of their boxes, with the gradients of `backward`, and a player of the same graph."""
    a, b, c, f = (torch.tensor(x, requires_grad=True) for x in (2.0, -3.0, 10.0, -2.0))
    e = a * b
    d = e + c
    t = a.tanh()
    loss = d * f + t * e
    player = play(loss)
    named = {"a": a, "b": b, "c": c, "f": f, "mul → e": e, "add → d": d, "tanh → t": t, "add → loss": loss}
    for tensor in named.values():
        tensor.retain_grad()
    loss.backward()
    return named, player


def network(width: int = 3) -> tuple[nn.Module, torch.Tensor]:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, width), nn.Tanh(), nn.Linear(width, 2)), torch.randn(5, 4)


# --- numbers -------------------------------------------------------------------------------------------------------


def test_numbers_fill_in_step_by_step_and_are_the_engines(page: Any) -> None:
    named, player = expression()
    page.open(player.page)
    total = int(page.one("#scrub").get_property("max"))
    filled = []
    for step in range(total + 1):
        assert page.text("#count") == f"{step} of {total}"
        texts = [text for _, pair in page.run(CELL) for text in pair]
        filled.append(sum(text != "" and not text.endswith(("here", "way")) for text in texts))
        if step < total:
            page.click("#next")
    shown = dict(page.run(CELL))
    assert filled == sorted(filled) and filled[0] == 4 and filled[-1] == 2 * 10
    assert not page.one("#next").is_enabled()
    for title, tensor in named.items():
        assert shown[title] == [four_digits(tensor.item()), four_digits(tensor.grad.item())], title


def test_matrices_are_exact(page: Any) -> None:
    net, x = network()
    player = play(lambda: (net(x) ** 2).mean())
    (net(x) ** 2).mean().backward()
    page.open(player.page)
    page.press("End")
    tables = page.run("""return [...document.querySelectorAll("#panel section")].map((s) => [
        s.querySelector("h3").textContent, [...s.querySelectorAll("td")].map((td) => [td.title, td.textContent])])""")
    assert {name for name, _ in tables} == {name for name, _ in net.named_parameters()}
    for name, entries in tables:
        grad = net.get_parameter(name).grad.numpy()
        assert np.array_equal(np.array([float(exact) for exact, _ in entries], np.float32), grad.ravel())
        assert [text for _, text in entries] == [four_digits(g) for g in grad.ravel()]


def test_gradients_on_their_way_stand_on_their_arrows(page: Any) -> None:
    x = torch.tensor(3.0, requires_grad=True)
    page.open(play(x * x * torch.tensor(0.5)).page, step=4)
    assert [e.get_property("textContent") for e in page.all(".pill text")] == ["1.5  +  1.5"]
    page.press("Home")
    assert page.all(".pill") == []


def test_gradients_that_meet_are_shown_as_a_sum(page: Any) -> None:
    named, player = expression()
    page.open(player.page)
    page.press("End")
    box = next(b["id"] for b in page.run(BOXES) if b["title"] == "mul → e")
    page.click(f"#{box}")
    assert "2 gradients meet" in page.text("#panel")
    first, second, total = (read(e.text) for e in page.all("#panel .sum .number"))
    assert [e.text for e in page.all("#panel .sum .sign")] == ["+", "="]
    assert first == pytest.approx(named["tanh → t"].item(), rel=1e-3) and second == named["f"].item()
    assert total == pytest.approx(first + second) == pytest.approx(named["mul → e"].grad.item(), rel=1e-3)
    assert "∂x: g * y" in page.text("#panel") and f"y = {four_digits(-3)}" in page.text("#panel")


def test_many_numbers_are_statistics_and_a_map(page: Any) -> None:
    x = torch.randn(50, 60)
    x[0, 0] = float("nan")
    x[7] = 0.0
    w = torch.ones(60, requires_grad=True)
    page.open(play(lambda: (x * w).sum()).page, step=1)
    text = page.text("#panel")
    finite = x.numpy()[np.isfinite(x.numpy())]
    assert (
        f"max {four_digits(finite.max())}" in text
        and "1 NaN" in text
        and f"zeros {four_digits(100 * 60 / 3000)} %" in text
    )
    label = page.all("#panel svg.map")[0].get_attribute("aria-label")
    assert f"from {four_digits(finite.min())} to {four_digits(finite.max())}" in label and "1 NaN" in label
    assert page.run("return document.querySelector('#panel .map .fault').getAttribute('d')") != "M0 0"


# --- moving --------------------------------------------------------------------------------------------------------


def test_buttons_keys_and_the_scrubber(page: Any) -> None:
    page.open(expression()[1].page)
    at = lambda: int(page.text("#count").split()[0])  # noqa: E731
    last = int(page.text("#count").split()[-1])
    assert at() == 0 and not page.one("#back").is_enabled()
    for act, place in (
        (lambda: page.press("ArrowRight"), 1),
        (lambda: page.click("#next"), 2),
        (lambda: page.press("ArrowLeft"), 1),
        (lambda: page.click("#last"), last),
        (lambda: page.press("ArrowRight"), last),
        (lambda: page.click("#back"), last - 1),
        (lambda: page.press("Home"), 0),
        (lambda: page.press("End"), last),
        (lambda: page.click("#first"), 0),
    ):
        act()
        assert at() == place
    page.run("const s = document.getElementById('scrub'); s.value = 5; s.dispatchEvent(new Event('input'))")
    assert at() == 5
    page.one("#scrub").send_keys("x")  # with the focus there, keys still step once
    page.press("ArrowRight")
    assert at() == 6


def test_the_whole_graph_or_close_to_the_step(page: Any) -> None:
    page.open(branching().page)
    page.press("+")
    seen = """const s = document.getElementById("stage").getBoundingClientRect();
        return [...document.querySelectorAll("g.box .body")].map((b) => b.getBoundingClientRect())
            .every((r) => r.left >= s.left && r.right <= s.right && r.top >= s.top && r.bottom <= s.bottom)"""
    assert not page.run(seen)
    page.click("#fit")
    assert page.run(seen) and page.text("#fit") == "follow the steps"
    page.press("ArrowRight")
    assert page.run(seen)
    page.press("0")
    assert not page.run(seen) and page.text("#fit") == "whole graph"


def test_space_plays_and_stops(page: Any) -> None:
    page.open(expression()[1].page)
    page.press(" ")
    page.wait("document.body.dataset.step >= 2")
    assert "pause" in page.text("#play")
    page.press(" ")
    assert "play" in page.text("#play")


def test_an_address_opens_a_step(page: Any) -> None:
    player = expression()[1]
    assert page.open(player.page, step=7).text("#count").startswith("7 of")
    assert page.run("return document.body.dataset.phase") == "back"
    assert page.open(player.page, step=10**6).text("#count") == "17 of 17"


def test_modules_fold_and_unfold(page: Any) -> None:
    net, x = network()
    player = play(lambda: (net(x) ** 2).mean())
    page.open(player.page)
    all_boxes, all_steps = len(page.all("g.box")), int(page.one("#scrub").get_property("max"))
    page.press("-")
    assert {b["title"] for b in page.run(BOXES)} >= {"▸ 0 · Linear", "▸ 1 · Tanh", "▸ 2 · Linear"}
    assert int(page.one("#scrub").get_property("max")) < all_steps
    page.press("-")
    assert {b["title"] for b in page.run(BOXES)} == {"x", "▸ Sequential", "pow", "mean"}
    page.press("ArrowRight")  # one step is now the whole network
    assert "Sequential" in page.text("#panel h2") and "linear → tanh → linear" in page.text("#panel")
    (net(x) ** 2).mean().backward()
    page.press("End")
    assert len(page.all("#panel .filled")) == 4
    page.click("#f0")
    page.press("+")
    assert len(page.all("g.box")) == all_boxes and int(page.one("#scrub").get_property("max")) == all_steps


# --- the drawing ---------------------------------------------------------------------------------------------------


def branching() -> Play:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    x = torch.randn(2, 3, 8)
    return play(lambda: (layer(x) + x).pow(2).mean())


def skipping() -> Play:
    """A chain whose first and third links are used again far below, beside wide layers."""
    x = torch.tensor(0.5, requires_grad=True)
    links = [x]
    for k in range(8):
        wide = sum(links[-1] * (j + k) for j in range(1 + k % 4))
        links.append((wide + links[0] if k % 2 else wide * links[len(links) // 3]).tanh())
    return play(lambda: links[-1] * links[2] + x)


@pytest.mark.parametrize("make", [branching, skipping])
def test_no_two_boxes_overlap_and_no_arrow_runs_through_a_box(page: Any, make: Callable[[], Play]) -> None:
    page.open(make().page)
    page.press("+")
    page.press("+")
    boxes = page.run(BOXES)
    assert len(boxes) > 25
    for i, p in enumerate(boxes):
        for q in boxes[:i]:
            apart = (
                p["right"] <= q["left"] or q["right"] <= p["left"] or p["bottom"] <= q["top"] or q["bottom"] <= p["top"]
            )
            assert apart, (p["title"], q["title"])
    hits = page.run("""
        const hits = [];
        for (const arrow of document.querySelectorAll("g.arrow[data-arrow]")) {
            const [from, to] = arrow.dataset.arrow.split(">"), path = arrow.querySelector("path"), m = path.getScreenCTM();
            const length = path.getTotalLength();
            for (let s = 0; s <= length; s += 4) {
                const p = path.getPointAtLength(s).matrixTransform(m);
                for (const g of document.querySelectorAll("g.box")) {
                    if (g.id === from || g.id === to) continue;
                    const r = g.querySelector(".body").getBoundingClientRect();
                    if (p.x > r.left + 1 && p.x < r.right - 1 && p.y > r.top + 1 && p.y < r.bottom - 1) hits.push([arrow.dataset.arrow, g.id]);
                }
            }
        }
        return hits;""")
    assert hits == []


def test_every_edge_of_the_graph_is_drawn_once_and_ends_at_its_boxes(page: Any) -> None:
    player = branching()
    page.open(player.page)
    page.press("+")
    page.press("+")
    wanted = {f"b{source}>b{i}" for i, box in enumerate(player.steps.boxes) for source, *_ in box.inputs}
    drawn = page.run("return [...document.querySelectorAll('g.arrow[data-arrow]')].map((a) => a.dataset.arrow)")
    assert sorted(drawn) == sorted(wanted)
    ends = page.run("""return [...document.querySelectorAll("g.arrow[data-arrow]")].map((arrow) => {
        const [from, to] = arrow.dataset.arrow.split(">"), path = arrow.querySelector("path"), m = path.getScreenCTM();
        const p = path.getPointAtLength(0).matrixTransform(m), q = path.getPointAtLength(path.getTotalLength()).matrixTransform(m);
        const r = document.querySelector(`#${from} .body`).getBoundingClientRect(), s = document.querySelector(`#${to} .body`).getBoundingClientRect();
        return Math.abs(p.y - r.bottom) < 1.5 && p.x > r.left && p.x < r.right && Math.abs(q.y - s.top) < 1.5 && q.x > s.left && q.x < s.right;
    })""")
    assert all(ends)


@pytest.mark.parametrize("dark", [False, True])
def test_texts_stand_out_from_their_ground(page: Any, dark: bool) -> None:
    page.open(expression()[1].page, step=12, dark=dark)
    pairs = page.run("""
        const colour = (node, key) => getComputedStyle(node)[key].match(/[\\d.]+/g).slice(0, 3).map(Number);
        const found = [...document.querySelectorAll("g.box:not(.later) .title")].map((t) => [colour(t, "fill"), colour(t.parentNode.querySelector(".body"), "fill")]);
        for (const word of document.querySelectorAll(".cell.full ~ .word")) found.push([colour(word, "fill"), colour(word.parentNode.querySelector(".cell"), "fill")]);
        for (const part of document.querySelectorAll("#panel h2, #panel h3, #panel .kind, #panel .phase")) found.push([colour(part, "color"), colour(document.getElementById("panel"), "backgroundColor")]);
        return found;""")
    light = lambda c: float(np.dot([0.2126, 0.7152, 0.0722], [(v / 255) ** 2.2 for v in c]))  # noqa: E731
    assert len(pairs) > 15
    for ink, ground in pairs:
        low, high = sorted((light(ink), light(ground)))
        assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, ground)
    assert (light(pairs[0][1]) < 0.2) == dark


def test_the_state_can_be_read_without_colour(page: Any) -> None:
    page.open(expression()[1].page, step=12)
    dashes = page.run(
        "return [...document.querySelectorAll('.box.now .halo, .cell.g.full, .cell.g.part')].map((n) => [n.getAttribute('class'), getComputedStyle(n).strokeDasharray])"
    )
    assert {("halo", True), ("cell g full", False), ("cell g part", True)} == {
        (name, dash != "none") for name, dash in dashes
    }


# --- who cannot see, and who means harm ----------------------------------------------------------------------------


def test_a_screen_reader_is_told(page: Any) -> None:
    page.open(expression()[1].page)
    assert page.one("#say").get_attribute("aria-live") == "polite"
    page.press("ArrowRight")
    assert page.text("#say") == "Forward, step 1 of 6: mul gives −6."
    page.press("End")
    page.press("ArrowLeft")
    assert page.text("#say").startswith("Walk back, step 10 of 10: a, its gradient is the sum of 2 gradients")
    assert page.text("svg > title") and "operations" in page.text("svg > desc")
    assert all(b.get_attribute("aria-label") or b.text for b in page.all("button"))
    assert page.one("#scrub").get_attribute("aria-valuetext") == page.text("#say")


def test_pointing_at_a_box_tells_its_shape_and_line(page: Any) -> None:
    net, x = network()
    page.open(play(lambda: (net(x) ** 2).mean()).page)
    box = next(b["id"] for b in page.run(BOXES) if b["title"] == "tanh")
    page.run("document.getElementById(arguments[0]).dispatchEvent(new PointerEvent('pointerenter'))", box)
    hint = page.text("#hint")
    assert "[5, 3]" in hint and "float32" in hint and "test_player.py:" in hint and "net(x)" in hint


EVIL = [
    "</script><script>window.hurt = 1</script>",
    "<img src=x onerror='window.hurt = 2'>",
    "\"><svg onload=window.hurt=3>' onmouseover='window.hurt=4",
    "new\nline\u2028and {data} {script} ${window.hurt = 5}",
    "long" * 2500,
]


@pytest.mark.parametrize("framed", [False, True])
def test_hostile_names_never_run(page: Any, framed: bool) -> None:
    net = nn.Module()
    for i, name in enumerate(EVIL):
        net.register_parameter(f"p{i}", nn.Parameter(torch.ones(2)))
        net._parameters[name] = net._parameters.pop(f"p{i}")
    player = play(lambda: sum(p.sum() for p in net._parameters.values()))
    page.open(player._repr_html_() if framed else player.page)
    if framed:
        page.driver.switch_to.frame(page.one("iframe"))
    for key in ("End", "Home", "ArrowRight"):
        page.press(key) if not framed else page.run(f"dispatchEvent(new KeyboardEvent('keydown', {{key: '{key}'}}))")
        assert page.run("return window.hurt === undefined && top.hurt === undefined")
    page.run("dispatchEvent(new KeyboardEvent('keydown', {key: 'Home'}))")
    assert EVIL[1] in page.text("#panel") and EVIL[0] in page.text("#panel")
    assert page.all("img") == []


def test_it_works_inside_a_static_notebook(page: Any) -> None:
    _, player = expression()
    cell = f"<!doctype html><meta charset=utf-8><style>body{{width:900px}}</style><div class=output>{player._repr_html_()}</div>"
    page.open(cell)
    page.driver.switch_to.frame(page.one("iframe"))
    page.click("#next")
    assert page.text("#count") == "1 of 17" and "mul" in page.text("#panel h2")
    page.click("#last")
    assert "All gradients" in page.text("#panel")


def test_a_graph_of_two_thousand_nodes_can_be_stepped(page: Any) -> None:
    x = torch.tensor(0.5, requires_grad=True)
    y = x
    for _ in range(1990):
        y = y.sin()
    page.open(play(y).page)
    page.press("End")
    assert page.text("#count") == "3982 of 3982"
    y.backward()
    assert page.text("#panel .number") == four_digits(x.grad.item())

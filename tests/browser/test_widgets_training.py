"""The optimizer race, shuffle and batch, and the opened layers in a real browser: their numbers are the engine's."""

from __future__ import annotations

from typing import Any

import pytest

import tinygrad_edu as torch
from tinygrad_edu import nn, optim
from tinygrad_edu.learn import Widget
from tinygrad_edu.learn.widgets.batches import SAMPLES, orders, shuffle_and_batch
from tinygrad_edu.learn.widgets.layers import Opened, layers_opened, opened
from tinygrad_edu.learn.widgets.optimizer_race import RATES, STEPS, optimizer_race
from tinygrad_edu.utils.data import BatchSampler, DataLoader

pytestmark = pytest.mark.browser


def texts(page: Any, selector: str) -> list[str]:
    return [element.get_property("textContent") for element in page.all(selector)]


def read(text: str) -> float:
    return float(text.replace("−", "-"))


def slide(page: Any, selector: str, value: float) -> None:
    script = (
        "const e = document.querySelector(arguments[0]); e.value = arguments[1]; e.dispatchEvent(new Event('input'))"
    )
    page.run(script, selector, value)


def choose(page: Any, selector: str, value: str) -> None:
    script = (
        "const e = document.querySelector(arguments[0]); e.value = arguments[1]; e.dispatchEvent(new Event('change'))"
    )
    page.run(script, selector, value)


# --- the race ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def race() -> Widget:
    return optimizer_race()


def row(page: Any, name: str) -> list[str]:
    return [t.strip() for t in texts(page, f"#table tr[data-name={name}] td")]


def descend(make: Any, lr: float, steps: int) -> tuple[float, float, float]:
    """Where an optimizer is on the bowl, and how high, written out here."""
    x, y = (torch.tensor(v, requires_grad=True) for v in (-5.0, 2.5))
    optimizer = make([x, y], lr)
    for _ in range(steps):
        optimizer.zero_grad()
        (x * x / 20 + y * y).backward()
        optimizer.step()
    return x.item(), y.item(), (x * x / 20 + y * y).item()


MAKERS = {
    "SGD": lambda p, lr: optim.SGD(p, lr=lr),
    "momentum": lambda p, lr: optim.SGD(p, lr=lr, momentum=0.9),
    "Adam": lambda p, lr: optim.Adam(p, lr=lr),
}


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize(("lr", "step"), [(0.05, STEPS), (0.2, 13)])
def test_the_race_shows_what_the_optimizers_do(page: Any, race: Widget, name: str, lr: float, step: int) -> None:
    page.open(race.page)
    slide(page, "#rate", RATES.index(lr))
    slide(page, "#step", step)
    assert page.text("#rate-text") == str(lr) and page.text("#step-text") == str(step)
    x, y, height = descend(MAKERS[name], lr, step)
    _, shown, place = row(page, name)
    assert read(shown) == pytest.approx(height, rel=6e-3)
    assert [read(v) for v in place.split(", ")] == pytest.approx([x, y], rel=6e-3, abs=1e-4)
    assert len(page.one(f"#paths g.{name} polyline").get_attribute("points").split()) == step + 1


def test_a_racer_that_flies_away_is_told_so(page: Any, race: Widget) -> None:
    page.open(race.page)
    choose(page, "#field", "rosenbrock")
    slide(page, "#rate", RATES.index(0.1))
    assert row(page, "SGD")[1] == "flew away" and "at step" in row(page, "SGD")[2]
    assert read(row(page, "Adam")[1]) < 10
    assert not page.all("#paths g.SGD .marker") and page.all("#paths g.Adam .marker")


def test_play_and_the_keyboard(page: Any, race: Widget) -> None:
    page.open(race.page, dark=True)
    page.click("#restart")
    assert page.text("#step-text") == "0" and row(page, "SGD")[2] == "−5, 2.5"
    page.run("document.querySelector('#step').focus()")
    page.press("ArrowRight")
    assert page.text("#step-text") == "1"
    page.click("#play")  # where nothing may move, it goes to the end at once
    assert page.text("#step-text") == str(STEPS)
    dark = page.run("return [...document.querySelector('#shade').getContext('2d').getImageData(3, 200, 1, 1).data]")
    assert max(dark[:3]) < 140


def test_the_race_is_small(race: Widget) -> None:
    assert len(race._repr_html_()) < 300_000


# --- shuffle and batch ---------------------------------------------------------------------------------------------


def batches(page: Any, selector: str = ".batch:not(.dropped)") -> list[list[int]]:
    found = page.run(
        "return [...document.querySelectorAll(arguments[0])].map((b) => [...b.querySelectorAll('.sample')].map((s) => s.textContent))",
        f"#batches {selector}",
    )
    return [[int(i) for i in batch] for batch in found]


@pytest.mark.parametrize("size", [1, 7, 8, 60])
@pytest.mark.parametrize("drop", [False, True])
def test_batches_are_those_of_a_loader(page: Any, size: int, drop: bool) -> None:
    page.open(shuffle_and_batch().page)
    slide(page, "#size", size)
    if drop:
        page.click("#drop")
    choose(page, "#epoch", "2")
    expected = list(BatchSampler(orders()[2], size, drop))
    assert batches(page) == expected
    assert page.text("#summary").startswith(f"{len(expected)} batch")
    page.click("#shuffle")
    assert batches(page) == [[int(i) for i in b] for b in DataLoader(range(SAMPLES), size, drop_last=drop)]


def test_each_epoch_deals_all_samples_anew() -> None:
    dealt = orders()
    assert all(sorted(order) == list(range(SAMPLES)) for order in dealt)
    assert len({tuple(order) for order in dealt}) == len(dealt)


def test_the_chosen_batch_is_marked_in_the_file(page: Any) -> None:
    page.open(shuffle_and_batch().page)
    page.click("#next")
    page.click("#next")
    marked = [int(t) for t in texts(page, "#file .chosen")]
    assert marked == sorted(batches(page)[2])
    assert page.text("#where") == f"batch 2: X[[{', '.join(map(str, batches(page)[2]))}]]"
    page.one("#batches .batch:nth-child(5)").click()
    assert page.text("#where").startswith("batch 4:")


def test_what_is_dropped_is_pale(page: Any) -> None:
    page.open(shuffle_and_batch().page)
    page.click("#drop")
    (dropped,) = batches(page, ".batch.dropped")
    assert len(dropped) == SAMPLES % 8
    assert sorted(int(t) for t in texts(page, "#file .out")) == sorted(dropped)
    assert "4 samples left out" in page.text("#summary")


def test_sorted_data_make_lopsided_batches(page: Any) -> None:
    page.open(shuffle_and_batch().page)
    slide(page, "#size", 20)
    page.click("#shuffle")
    assert "On average 67%" in page.text("#summary")  # each batch has one class of three


# --- layers --------------------------------------------------------------------------------------------------------


def matrix(page: Any, selector: str) -> list[list[float]]:
    rows = page.run(
        "return [...document.querySelectorAll(arguments[0] + ' tr')].map((r) => [...r.cells].map((c) => c.title || c.textContent))",
        selector,
    )
    return [[read(v) for v in r] for r in rows]


def test_every_layer_opens_and_agrees(page: Any) -> None:
    page.open(layers_opened().page)
    names = texts(page, "#layers button")
    assert len(names) == 9
    for number, name in enumerate(names, 1):
        page.click(f"#layers button:nth-child({number})")
        assert page.text(".layer .code") == name and not page.all("#lines li")
        page.click("#open")
        assert page.all("#lines li") and "By hand" in page.text("#verdict")
        assert matrix(page, "#lines li:last-child figure") == matrix(page, "#outside > figure:last-child")


def test_one_line_more(page: Any) -> None:
    page.open(layers_opened().page, dark=True)
    page.click("#more")
    assert texts(page, "#lines .code") == ["products = x @ weight.T"] and page.text("#verdict") == ""
    x, weight = matrix(page, "#outside > figure[data-name=x]"), matrix(page, ".layer figure[data-name=weight]")
    products = matrix(page, "#lines figure")
    expected = [[sum(a * b for a, b in zip(r, w, strict=True)) for w in weight] for r in x]
    assert products == [pytest.approx(line, abs=2e-3) for line in expected]
    page.click("#more")
    assert page.one("#more").get_property("hidden") and page.text("#open") == "Close the layer"
    page.click("#open")
    assert not page.all("#lines li") and page.one("#open").get_attribute("aria-expanded") == "false"


def test_lines_that_do_something_else_are_found() -> None:
    x = torch.randn(2, 3)
    forgot = opened(Opened(lambda: nn.Linear(3, 2), "nn.Linear(3, 2)", {"x": x}, [("out = x @ weight.T", "")]))
    assert forgot["gap"] > 1e-3
    with pytest.raises(ValueError, match=r"the layer gives \(2, 2\), the lines give \(2, 3\)"):
        opened(Opened(lambda: nn.Linear(3, 2), "nn.Linear(3, 2)", {"x": x}, [("out = x + 0", "")]))


def test_opening_layers_leaves_the_random_numbers_alone() -> None:
    torch.manual_seed(4)
    expected = torch.randn(3)
    torch.manual_seed(4)
    layers_opened()
    assert torch.equal(torch.randn(3), expected)

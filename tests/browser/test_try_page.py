"""The page on which a trained network is tried: it computes what the engine does, and answers what is drawn."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from trained import NETWORKS, small_texts, trained

import tinygrad_edu as tg
from tinygrad_edu.train.page import page_of

pytestmark = pytest.mark.browser

Pages = Callable[[str, str], Path]


@pytest.fixture(scope="module", autouse=True)
def _texts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with small_texts(tmp_path_factory.mktemp("data")):
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    """The page of each network that a test asks for."""
    folder, known = tmp_path_factory.mktemp("pages"), {}

    def page(task: str, model: str) -> Path:
        path = folder / f"{task}-{model}.html"
        if path not in known:
            training = known[path] = trained(task, model, folder, epochs=10 if task == "digits" else 1)
            path.write_text(page_of(training.task, training.model), "utf-8")
        return path

    return page


def shares(page: Any) -> list[float]:
    """How likely each class is, as the page writes it."""
    return [float(cell.text.rstrip("%")) / 100 for cell in page.all(".scores td:last-child")]


def drag(page: Any, selector: str, start: tuple[int, int], *moves: tuple[int, int]) -> None:
    """A line drawn by hand, from a place that is counted from the middle of an element."""
    from selenium.webdriver import ActionChains

    hand = ActionChains(page.driver, duration=0).move_to_element_with_offset(page.one(selector), *start)
    hand.click_and_hold()
    for move in moves:
        hand.move_by_offset(*move)
    hand.release().perform()


@pytest.mark.parametrize(("task", "model"), NETWORKS)
def test_the_page_computes_what_the_engine_does(task: str, model: str, made: Pages, page: Any) -> None:
    page.open(made(task, model))
    assert float(page.one("body").get_attribute("data-deviation")) < 1e-4  # of the scores of its examples


@pytest.mark.parametrize("dark", [False, True])
def test_a_digit_is_drawn_and_classified(dark: bool, made: Pages, page: Any) -> None:
    path = made("digits", "mlp")
    page.open(path, dark=dark)
    assert page.text("#verdict") == "Nothing is drawn yet."
    page.click("#example")
    network = json.loads(path.read_text("utf-8").split('id="network">')[1].split("</script>")[0])
    wanted = tg.tensor(network["examples"][0]["scores"]).softmax(0)
    assert shares(page) == pytest.approx(wanted.tolist(), abs=6e-4)
    drag(page, "#paper", (0, -100), (0, 200))
    assert page.text("#verdict") == "This looks like 1."
    page.click("#clear")
    drag(page, "#paper", (-30, -100), (60, 0), (40, 60), (0, 80), (-40, 60), (-60, 0), (-40, -60), (0, -80), (40, -60))
    assert page.text("#verdict") == "This looks like 0." and sum(shares(page)) == pytest.approx(1, abs=0.01)
    page.click("#clear")
    assert page.text("#verdict") == "Nothing is drawn yet."


def test_cells_are_set_and_taken_back(made: Pages, page: Any) -> None:
    page.open(made("pixels", "mlp"))
    empty = shares(page)
    drag(page, "#paper", (-130, 20), (60, 0), (60, 0), (60, 0))
    assert shares(page) != empty
    drag(page, "#paper", (-130, 20), (60, 0), (60, 0), (60, 0))
    assert shares(page) == empty


def test_points_are_chosen_by_hand_and_by_key(made: Pages, page: Any) -> None:
    page.open(made("moons", "mlp"))
    drag(page, "#plane", (0, -200))
    assert page.text("#verdict").endswith("is upper.")
    drag(page, "#plane", (0, 200))
    assert page.text("#verdict").endswith("is lower.")
    before = page.text("#verdict")
    page.press("ArrowRight")
    assert page.text("#verdict") != before


def test_text_is_written(made: Pages, page: Any) -> None:
    page.open(made("names", "lstm"))
    page.one("#beginning").send_keys("ann")
    page.click("#write")
    page.wait("document.getElementById('written').textContent.length > 30")
    written = page.text("#written")
    assert written.startswith("ann") and set(written) <= set("aeimnor\n")
    assert page.text("#likely").count("%") == 6

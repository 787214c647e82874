"""The widgets of trainings in a real browser: the numbers are those of the history, and drawings are answered."""

from __future__ import annotations

from typing import Any

import pytest

import tinygrad_edu as torch
from tinygrad_edu import datasets, nn, optim
from tinygrad_edu.learn.widgets.drawing import draw
from tinygrad_edu.learn.widgets.scratch_beside_nn import scratch_beside_nn
from tinygrad_edu.learn.widgets.training_curve import LiveCurve, training_curve
from tinygrad_edu.viz import History

pytestmark = pytest.mark.browser


def read(text: str) -> float:
    return float(text.replace("−", "-"))


def values(page: Any) -> dict[str, float]:
    """What the tables beneath the charts say."""
    rows = page.run(
        "return [...document.querySelectorAll('#charts tr')].map((r) => [r.dataset.name, r.lastChild.textContent])"
    )
    return {name: read(text) for name, text in rows}


def heights(page: Any, name: str) -> list[float]:
    points = page.one(f"polyline[data-name={name}]").get_attribute("points")
    return [float(place.split(",")[1]) for place in points.split()]


# --- the training curve ------------------------------------------------------------------------------------------------


@pytest.fixture
def history() -> History:
    curve = LiveCurve()
    for epoch in range(1, 6):
        curve.log(epoch, loss=1 / epoch, test_loss=1.5 / epoch**0.5, accuracy=1 - 0.5**epoch)
    return curve.history


@pytest.mark.parametrize("dark", [False, True])
def test_the_curve_is_whole_and_goes_back_to_any_epoch(page: Any, history: History, dark: bool) -> None:
    page.open(training_curve(history).page, dark=dark)
    assert [e.text for e in page.all(".head")] == ["loss", "accuracy"]
    assert values(page) == pytest.approx({name: history[name][-1] for name in history.numbers}, rel=1e-3)
    lines = heights(page, "loss")
    assert len(lines) == 5 and lines == sorted(lines)  # it falls: further down is a larger number
    page.click("#step")
    page.press("Home")
    for _ in range(2):
        page.press("ArrowRight")
    assert page.text("#step-text") == "3"
    assert values(page) == pytest.approx({name: history[name][2] for name in history.numbers}, rel=1e-3)
    assert len(heights(page, "loss")) == 3
    page.click("#play")  # where nothing may move it goes to the end
    assert page.text("#step-text") == "5"


def test_a_logarithmic_measure_moves_the_losses_alone(page: Any, history: History) -> None:
    page.open(training_curve(history).page)
    before = {name: heights(page, name) for name in history.numbers}
    page.click("#log")
    assert page.one("#log").get_attribute("aria-pressed") == "true"
    after = {name: heights(page, name) for name in history.numbers}
    assert after["accuracy"] == before["accuracy"] and after["loss"] != before["loss"]
    gaps = [b - a for a, b in zip(after["loss"], after["loss"][1:], strict=False)]
    ratios = [torch.tensor((n + 1) / n).log().item() for n in range(1, 5)]  # of 1 / n
    assert [g / gaps[0] for g in gaps] == pytest.approx([r / ratios[0] for r in ratios], abs=0.02)


@pytest.mark.parametrize("loss", [[0.5], [0.5, 0.5], [0.0, -1.0], [1e-9, 1e9]])
def test_odd_curves_are_drawn_too(page: Any, loss: list[float]) -> None:
    history = History("step")
    for step, value in enumerate(loss):
        history.log(step, loss=value)
    page.open(training_curve(history).page)
    page.click("#log")
    assert all(0 <= height <= 230 for height in heights(page, "loss"))
    assert values(page)["loss"] == pytest.approx(loss[-1])


def test_an_empty_history_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing was noted yet"):
        training_curve(History())


# --- two programs ------------------------------------------------------------------------------------------------------


def test_two_curves_lie_on_top_of_each_other_until_they_are_pulled_apart(page: Any) -> None:
    history = History()
    for epoch, difference in ((1, 0.0), (2, 3e-14), (3, 5e-14)):
        both = {f"{who} {what}": 1 / epoch for who in ("scratch", "nn") for what in ("loss", "accuracy")}
        history.log(epoch, **both, difference=difference)
    page.open(scratch_beside_nn(history, ["w -= lr * g  # <b>&", "optimizer.step()"]).page)
    assert [e.get_property("textContent") for e in page.all("pre")] == ["w -= lr * g  # <b>&", "optimizer.step()"]
    lines = page.all("#charts svg:first-child polyline")
    assert lines[0].get_attribute("points") == lines[1].get_attribute("points")
    assert page.text("#difference") == "No two weights differ by more than 5.0e−14."
    page.click("#apart")
    lines = page.all("#charts svg:first-child polyline")
    assert lines[0].get_attribute("points") != lines[1].get_attribute("points")
    assert [row.text.split()[-2:] for row in page.all("#table tr[data-name]")] == [["0.33333333"] * 2] * 2


def test_what_is_missing_in_a_history_is_named() -> None:
    history = History()
    history.log(1, **{"scratch loss": 1.0})
    with pytest.raises(ValueError, match=r"no difference, nn loss"):
        scratch_beside_nn(history, ["", ""])


# --- drawings ----------------------------------------------------------------------------------------------------------


def trained(x: torch.Tensor, y: torch.Tensor, classes: int, epochs: int) -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(x[0].numel(), 16), nn.ReLU(), nn.Linear(16, classes))
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    for _ in range(epochs):
        for chosen in torch.randperm(len(x)).split(32):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[chosen]), y[chosen]).backward()
            optimizer.step()
    return model


@pytest.fixture(scope="module")
def lines() -> str:
    x, y = datasets.pixel_lines(900)
    return draw(trained(x[:, None], y, 3, 30), x[:4, None], y[:4], datasets.LINES)._repr_html_()


def verdict(page: Any) -> str:
    return page.text("#verdict").removeprefix("This looks like ").removesuffix(".")


@pytest.mark.parametrize("dark", [False, True])
def test_lines_are_drawn_in_a_frame_and_answered(page: Any, lines: str, dark: bool) -> None:
    from selenium.webdriver import ActionChains

    page.open(f"<body>{lines}</body>", dark=dark)
    page.wait("document.querySelector('iframe').clientHeight < 600")  # it has become as tall as the page in it
    page.driver.switch_to.frame(0)
    assert float(page.one("body").get_attribute("data-deviation")) < 1e-4
    hand = ActionChains(page.driver, duration=0).move_to_element_with_offset(page.one("#paper"), -130, -20)
    hand.click_and_hold()
    for _ in range(5):
        hand.move_by_offset(52, 0)
    hand.release().perform()
    assert verdict(page) == "horizontal"
    hand = ActionChains(page.driver, duration=0).move_to_element_with_offset(page.one("#paper"), 20, -130)
    hand.click_and_hold().move_by_offset(0, 52).release()  # the cells of both lines meet below
    hand.move_to_element_with_offset(page.one("#paper"), 20, 30).click_and_hold()
    hand.move_by_offset(0, 52).move_by_offset(0, 52).release().perform()
    assert verdict(page) == "crossed"


def test_lines_are_drawn_by_keyboard(page: Any, lines: str) -> None:
    page.open(f"<body>{lines}</body>")
    page.driver.switch_to.frame(0)
    page.run("document.querySelector('#paper').focus()")
    down = "\ue015"
    for key in ("ArrowRight", "ArrowRight", *(" ", down) * 6):
        page.press(key)
    assert verdict(page) == "vertical"
    page.press(" ")  # the last cell again
    shares = [cell.text for cell in page.all(".scores td:last-child")]
    assert sum(float(share.rstrip("%")) for share in shares) == pytest.approx(100, abs=0.2)


def test_digits_are_shown_and_classified(page: Any) -> None:
    digits, unseen = datasets.Digits(train=True), datasets.Digits(train=False)
    x, x_test = (d.data.float()[:, None] / 255 for d in (digits, unseen))
    model = trained(x, digits.targets, 10, 15)
    page.open(draw(model, x_test[:6], unseen.targets[:6], [str(n) for n in range(10)], title="digits").page)
    said = []
    for _ in range(6):
        page.click("#example")
        said.append(int(verdict(page)))
    assert said == model(x_test[:6]).argmax(1).tolist()


def test_pictures_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"pictures are \(N, 1, side, side\), not \(3, 36\)"):
        draw(nn.Sequential(nn.Linear(36, 3)), torch.zeros(3, 36), torch.zeros(3), datasets.LINES)

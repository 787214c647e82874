"""The widgets of convolution, names and attention in a real browser: what they compute is what the engine computes."""

from __future__ import annotations

import math
from typing import Any

import pytest

import tinygrad_edu as torch
from tinygrad_edu import nn
from tinygrad_edu.learn.widgets.attention_map import attention_map
from tinygrad_edu.learn.widgets.next_letter import next_letter
from tinygrad_edu.learn.widgets.sliding_kernel import sliding_kernel
from tinygrad_edu.nn.functional import conv2d, pad

pytestmark = pytest.mark.browser


def texts(page: Any, selector: str) -> list[str]:
    return [element.get_property("textContent") for element in page.all(selector)]


def read(text: str) -> float:
    return float(text.replace("−", "-"))


def put(page: Any, selector: str, value: object, event: str = "input") -> None:
    """A value in a field, as if it had been chosen by hand."""
    script = """const e = document.querySelector(arguments[0]); e.value = arguments[1];
        e.dispatchEvent(new Event(arguments[2], {bubbles: true}));"""
    page.run(script, selector, str(value), event)


# --- the kernel --------------------------------------------------------------------------------------------------------


@pytest.fixture
def kernels() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {"one": torch.randn(3, 3).round(decimals=1), "another": torch.randn(3, 3).round(decimals=1)}


def grid(page: Any, selector: str) -> list[float]:
    return [read(t) for t in texts(page, f"{selector} .cell title")]


def test_the_result_is_the_convolution(page: Any, kernels: dict[str, torch.Tensor]) -> None:
    picture = torch.rand(9, 11).round(decimals=2)
    page.open(sliding_kernel(picture, kernels).page)
    for name, stride, padding in [("one", 1, 0), ("another", 1, 1), ("another", 2, 2), ("one", 3, 1)]:
        put(page, "#which", name, "change")
        put(page, "#stride", stride, "change")
        put(page, "#padding", padding, "change")
        wanted = conv2d(picture[None, None], kernels[name][None, None], stride=stride, padding=padding)[0, 0]
        assert grid(page, "#result") == pytest.approx(wanted.flatten().tolist(), abs=2e-3)
        assert grid(page, "#picture") == pytest.approx(pad(picture, [padding] * 4).flatten().tolist())
        assert page.text("#result-size") == f"result {wanted.shape[0]} × {wanted.shape[1]}"
    assert page.complaints() == [] and page.fetched() == []


def test_a_place_is_followed_by_keyboard_and_by_pointer(page: Any, kernels: dict[str, torch.Tensor]) -> None:
    picture = torch.rand(6, 6).round(decimals=2)
    page.open(sliding_kernel(picture, kernels).page)
    result = conv2d(picture[None, None], kernels["one"][None, None])[0, 0]
    page.run("document.querySelector('#place').focus()")
    page.press("Home")
    for _ in range(5):
        page.press("ArrowRight")
    assert page.text("#where") == "row 1, column 1"
    told = page.text("#sum")
    assert told.count("·") == 9 and read(told.split("=")[1]) == pytest.approx(result[1, 1].item(), abs=1e-3)
    cell = "document.querySelector('#result [data-at=\"3,2\"]')"
    page.run(f"{cell}.dispatchEvent(new PointerEvent('pointermove', {{bubbles: true}}))")
    assert page.text("#where") == "row 3, column 2"
    assert read(page.text("#sum").split("=")[1]) == pytest.approx(result[3, 2].item(), abs=1e-3)


def test_weights_are_changed_by_hand(page: Any, kernels: dict[str, torch.Tensor]) -> None:
    picture = torch.rand(5, 5).round(decimals=2)
    page.open(sliding_kernel(picture, kernels).page)
    own = kernels["one"].clone()
    own[1, 2] = 7.5
    put(page, "#kernel input:nth-child(6)", 7.5)
    assert page.run("return document.querySelector('#which').value") == "your own"
    wanted = conv2d(picture[None, None], own[None, None])
    assert grid(page, "#result") == pytest.approx(wanted.flatten().tolist(), abs=2e-3)


def test_pictures_and_kernels_that_do_not_fit_are_refused(kernels: dict[str, torch.Tensor]) -> None:
    with pytest.raises(ValueError, match="at most 16 rows"):
        sliding_kernel(torch.zeros(28, 28), kernels)
    with pytest.raises(ValueError, match="one shape"):
        sliding_kernel(torch.zeros(9, 9), {"a": torch.zeros(3, 3), "b": torch.zeros(5, 5)})


# --- the next letter ---------------------------------------------------------------------------------------------------


LETTERS = ".abcde"


def networks() -> dict[str, Any]:
    torch.manual_seed(1)
    n = len(LETTERS)
    return {
        "pairs": torch.randn(n, n),
        "window": (nn.Embedding(n, 4), nn.Linear(12, 7), nn.Linear(7, n)),
        "lstm": (nn.Embedding(n, 4), nn.LSTM(4, 5, batch_first=True), nn.Linear(5, n)),
    }


@torch.no_grad()
def expected(network: Any, numbers: list[int]) -> torch.Tensor:
    """The scores by the engine."""
    if isinstance(network, torch.Tensor):
        return network[numbers[-1] if numbers else 0]
    embedding, middle, scores = network
    if isinstance(middle, nn.Linear):
        window = torch.tensor([([0] * 3 + numbers)[-3:]])
        return scores(torch.tanh(middle(embedding(window).flatten(1))))[0]
    return scores(middle(embedding(torch.tensor([[0, *numbers]])))[0])[0, -1]


def shown(page: Any) -> list[float]:
    return [float(button.get_attribute("data-p")) for button in page.all("#bars button")]


@pytest.mark.parametrize("name", ["pairs", "window", "lstm"])
def test_each_kind_of_model_is_the_engines(page: Any, name: str) -> None:
    models = networks()
    page.open(next_letter(LETTERS, models).page)
    next(button for button in page.all("#models button") if button.text == name).click()
    for beginning in ("", "a", "bad", "abcdedcba"):
        put(page, "#beginning", beginning)
        for heat in (0.5, 1, 1.7):
            put(page, "#heat", heat)
            wanted = (expected(models[name], [LETTERS.index(c) for c in beginning]) / heat).softmax(0)
            assert shown(page) == pytest.approx(wanted.tolist(), abs=2e-5)
    assert page.complaints() == [] and page.fetched() == []


def test_letters_are_added_and_names_written(page: Any) -> None:
    page.open(next_letter(LETTERS, networks()).page)
    page.one("#beginning").send_keys("B?a7")  # capitals become small, what is no letter is left out
    field = "return document.querySelector('#beginning').value"
    assert page.run(field) == "ba"
    page.all("#bars button")[4].click()
    assert page.run(field) == "bad"
    page.all("#bars button")[0].click()
    assert texts(page, "#written li") == ["bad"]
    page.click("#write")
    written = texts(page, "#written li")
    assert len(written) == 11 and all(name.startswith("bad") and set(name) <= set(LETTERS[1:]) for name in written)
    page.click("#clear")
    assert page.run(field) == "" and page.text("#say").startswith("After “”")


def test_other_networks_are_refused() -> None:
    with pytest.raises(ValueError, match="'mine' is made of Linear, Linear"):
        next_letter(LETTERS, {"mine": (nn.Linear(1, 1), nn.Linear(1, 1))})


# --- the attention map -------------------------------------------------------------------------------------------------

TEXT = "to <b>& be\nor not"


@pytest.fixture
def weights() -> torch.Tensor:
    torch.manual_seed(2)
    count = len(TEXT)
    ahead = torch.ones(count, count).triu(1).bool()
    return torch.randn(2, 3, count, count).masked_fill(ahead, -math.inf).softmax(-1)


def test_the_map_shows_each_heads_weights(page: Any, weights: torch.Tensor) -> None:
    page.open(attention_map(TEXT, weights).page)
    lower = [(t, s) for t in range(len(TEXT)) for s in range(t + 1)]
    for block, head in ((0, 0), (1, 2)):
        put(page, "#block", block, "change")
        put(page, "#head", head, "change")
        drawn = [float(cell.get_attribute("fill-opacity")) ** 2 for cell in page.all("#map .weight")]
        assert drawn == pytest.approx([weights[block, head, t, s].item() for t, s in lower], abs=2e-4)
    assert page.complaints() == [] and page.fetched() == []


def test_a_character_tells_what_it_looks_at(page: Any, weights: torch.Tensor) -> None:
    following = [[("x", 0.75), ("\n", 0.25)] for _ in TEXT]
    page.open(attention_map(TEXT, weights, following).page)
    assert "".join(texts(page, "#text span")) == TEXT.replace(" ", "␣").replace("\n", "⏎")
    page.run(
        "document.querySelector('[data-place=\"7\"]').dispatchEvent(new PointerEvent('pointerover', {bubbles: true}))"
    )
    assert page.one("#text .here").get_attribute("data-place") == "7" and page.text("#say").startswith(
        "Block 1, head 1, character 8"
    )
    shares = [float(t.rstrip("%")) / 100 for t in texts(page, "#looks td:nth-child(2)")]
    assert shares == pytest.approx(sorted(weights[0, 0, 7].tolist(), reverse=True)[:6], abs=6e-3)
    page.run("document.querySelector('#place').focus()")
    page.press("ArrowRight")
    assert page.one("#text .here").get_attribute("data-place") == "8"
    assert texts(page, "#next td.code") == ["x", "⏎"] and texts(page, "#next td:nth-child(2)") == ["75%", "25%"]


def test_attention_that_looks_ahead_is_refused(weights: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="causal"):
        attention_map(TEXT, weights.mT)
    with pytest.raises(ValueError, match="weights"):
        attention_map(TEXT[1:], weights)

"""The widgets of the first lessons in a real browser: their numbers are the engine's, by hand and by keyboard."""

from __future__ import annotations

from typing import Any

import pytest

import tinygrad_edu as torch
from tinygrad_edu.learn import Widget
from tinygrad_edu.learn.widgets.cross_entropy import SITUATIONS, cross_entropy_explorer
from tinygrad_edu.learn.widgets.memory import memory_layout
from tinygrad_edu.learn.widgets.shapes_flow import shapes_flow
from tinygrad_edu.nn.functional import cross_entropy, softmax

pytestmark = pytest.mark.browser


def texts(page: Any, selector: str) -> list[str]:
    return [element.get_property("textContent") for element in page.all(selector)]


def read(text: str) -> float:
    return float(text.replace("−", "-"))


# --- any widget --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dark", [False, True])
def test_a_frame_is_as_tall_as_what_is_in_it(page: Any, dark: bool) -> None:
    widget = Widget("<div style='height:333px'></div>", js="one('div').append(number(-data / 3))", data=2, height=50)
    page.open(f"<body>{widget._repr_html_()}</body>", dark=dark)
    page.wait("document.querySelector('iframe').clientHeight > 333")
    page.driver.switch_to.frame(0)
    assert page.text("div") == "−0.6667"
    paper = page.run("return getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(20, 23, 28)" if dark else "rgb(255, 255, 255)")


# --- the tensor in memory ----------------------------------------------------------------------------------------------


@pytest.fixture
def tensors() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    x = torch.randn(3, 4).round(decimals=2)
    return {
        "x": x,
        "x.T": x.T,
        "x[1]": x[1],
        "x[:, ::2]": x[:, ::2],
        "x.T.contiguous()": x.T.contiguous(),
        "x.reshape(2, 3, 2)": x.reshape(2, 3, 2),
        "x[0].expand(2, 4)": x[0].expand(2, 4),
        "x.sum()": x.sum(),
    }


def test_every_view_shows_its_entries_and_where_they_lie(page: Any, tensors: dict[str, torch.Tensor]) -> None:
    page.open(memory_layout(tensors).page)
    for button in page.all("#views button"):
        button.click()
        tensor = tensors[button.text]
        assert page.text("#shape").strip("(),") == ", ".join(map(str, tensor.shape))
        assert page.text("#strides").strip("(),") == ", ".join(map(str, tensor.stride()))
        assert page.text("#offset") == str(tensor.storage_offset())
        assert page.text("#contiguous").startswith("yes") == tensor.is_contiguous()
        shown = [read(t) for t in texts(page, "#tensor g text")]
        assert shown == pytest.approx(tensor.flatten().tolist(), rel=1e-3)
        assert ("shared" in page.text("#whose")) == (button.text not in ("x", "x.T.contiguous()", "x.sum()"))
        used = {int(cell.get_attribute("data-place")) for cell in page.all("#storage .used")}
        assert len(used) == len(set(tensor.flatten().tolist()))


def test_an_entry_is_marked_in_both_places(page: Any, tensors: dict[str, torch.Tensor]) -> None:
    page.open(memory_layout(tensors).page)
    page.all("#views button")[3].click()
    page.run("document.querySelector('#tensor').focus()")
    for key in ("ArrowRight", "ArrowRight", "\ue015", "\ue015"):  # right twice (there are two columns), down twice
        page.press(key)
    here = page.all(".here")
    assert [cell.get_attribute("data-index") or cell.get_attribute("data-place") for cell in here] == ["2,1", "10"]
    assert page.text("#formula") == "x[:, ::2][2, 1] lies at place 0 + 2 × 4 + 1 × 2 = 10"
    page.click('[data-index="0,1"]')
    assert page.text("#formula").endswith("0 + 0 × 4 + 1 × 2 = 2")


def test_tensors_that_are_too_large_to_be_drawn_are_refused() -> None:
    with pytest.raises(ValueError, match="up to 3 dimensions and 64 numbers"):
        memory_layout({"x": torch.zeros(100)})


# --- shapes while the batch grows --------------------------------------------------------------------------------------


def test_shapes_follow_the_batch(page: Any) -> None:
    w, b = torch.ones(6, 3), torch.zeros(3)

    def forward(batch: int) -> dict[str, torch.Tensor]:
        x = torch.ones(batch, 6)
        z = x @ w + b
        return {"x": x, "z": z, "h": z.relu()}

    steps = [("x @ w + b", ["w", "b"], "z"), ("relu(z)", [], "h")]
    page.open(shapes_flow(forward, {"w": w, "b": b}, steps, batches=(1, 5, 300)).page)

    def shown() -> dict[str, list[str]]:
        return {
            g.get_attribute("data-name"): texts(page, f'[data-name="{g.get_attribute("data-name")}"] .small')
            for g in page.all(".tensor")
        }

    fixed = {"w": ["(6, 3)", "72 B"], "b": ["(3,)", "12 B"]}
    assert shown() == {"x": ["(1, 6)", "24 B"], "z": ["(1, 3)", "12 B"], "h": ["(1, 3)", "12 B"]} | fixed
    page.run("document.querySelector('#batch').focus()")
    page.press("ArrowRight")
    assert page.text("#size") == "5" and shown()["z"] == ["(5, 3)", "60 B"] and shown()["w"] == fixed["w"]
    page.press("End")
    assert page.text("#size") == "300" and shown()["x"] == ["(300, 6)", "7.03 KiB"]
    assert page.text("#sums") == "parameters: 84 B · what flows: 14.1 KiB"


# --- the cross-entropy explorer ----------------------------------------------------------------------------------------


def answers(page: Any) -> tuple[list[float], float, list[float]]:
    cells = [read(t) for t in texts(page, "#rows td:nth-child(5), #rows td:nth-child(7)")]
    return cells[::2], read(page.text("#loss")), cells[1::2]


def expected(scores: list[float], right: int) -> tuple[Any, Any, Any]:
    x = torch.tensor(scores, dtype=torch.float64, requires_grad=True)
    loss = cross_entropy(x, torch.tensor(right))
    loss.backward()
    assert x.grad is not None
    return tuple(pytest.approx(t.tolist(), abs=6e-5) for t in (softmax(x, 0), loss, x.grad))  # four decimals are shown


def move(page: Any, k: int, score: float) -> None:
    """A slider moved to a place."""
    script = "const s = document.querySelectorAll('[type=range]')[arguments[0]]; s.value = arguments[1]; s.dispatchEvent(new Event('input'));"
    page.run(script, k, score)


def test_the_explorer_computes_what_the_engine_does(page: Any) -> None:
    page.open(cross_entropy_explorer().page)
    torch.manual_seed(1)
    for right in range(4):
        scores = (16 * torch.rand(4) - 8).round(decimals=1).tolist()
        page.all("[type=radio]")[right].click()
        for k, score in enumerate(scores):
            move(page, k, score)
        assert answers(page) == expected(scores, right)


def test_the_buttons_show_the_engines_own_answers(page: Any) -> None:
    page.open(cross_entropy_explorer().page)
    for button, (scores, right) in zip(page.all("#situations button"), SITUATIONS.values(), strict=True):
        button.click()
        assert answers(page) == expected(scores, right)
        assert [read(t) for t in texts(page, "#rows td:nth-child(3)")] == scores


def test_a_score_moves_by_the_keyboard(page: Any) -> None:
    page.open(cross_entropy_explorer(["yes", "no", "perhaps", "never"]).page)
    page.run("document.querySelectorAll('[type=range]')[1].focus()")
    for _ in range(5):
        page.press("ArrowRight")
    assert answers(page) == expected([0, 0.5, 0, 0], 0)
    assert "“yes”" in page.text("#saying")

"""What notebooks show: pages that hold all they need, and questions that open without a script."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pytest

import tinygrad_edu as torch
from tinygrad_edu.learn import Widget, predict


def data_of(widget: Widget) -> object:
    """The values as the page's script will read them."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', widget.page, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_values_arrive() -> None:
    values = {"x": torch.tensor([[1.5, -2.0]]), "n": torch.arange(3).numpy(), "text": "ä"}
    assert data_of(Widget("", data=values)) == {"x": [[1.5, -2.0]], "n": [0, 1, 2], "text": "ä"}


def test_nothing_in_the_values_ends_their_place() -> None:
    hostile = {"</script><script>alert(1)</script>": "<!-- {js} {title} \u2028"}
    widget = Widget("<p>{title}</p>", data=hostile, title='"><script>')
    assert data_of(widget) == hostile
    assert widget.page.count("<script>") == 1 and "<p>{title}</p>" in widget.page


def test_what_json_cannot_say_is_refused() -> None:
    with pytest.raises(ValueError, match="None for nan"):
        Widget("", data=[float("nan")])
    with pytest.raises(TypeError, match="not object"):
        Widget("", data=object())


def test_a_notebook_shows_the_whole_page_in_a_frame() -> None:
    widget = Widget("<h1>a & b</h1>", title="letters", height=300)
    found = re.fullmatch(r'<iframe title="letters" srcdoc="([^"]*)" style="([^"]*)"></iframe>', widget._repr_html_())
    assert found and html.unescape(found[1]) == widget.page and "height:300px" in found[2]
    assert "http" not in re.sub(r"http://www\.w3\.org/\S+", "", widget.page)


def test_saving(tmp_path: Path) -> None:
    widget = Widget("<h1>ä</h1>")
    assert widget.save(tmp_path / "w.html").read_text("utf-8") == widget.page
    with pytest.raises(ValueError, match=r"save\('.*w\.html'\)"):
        widget.save(tmp_path / "w.txt")


def test_each_answer_of_a_question_opens() -> None:
    reasons = {6: "2 × 3 numbers.", 5: "That is 2 + 3."}
    quiz = predict("How many numbers has `torch.zeros(2, 3)` if 1 < 2?", [5, 6, 8], 6, reasons)
    page = quiz._repr_html_()
    assert "<code>torch.zeros(2, 3)</code> if 1 &lt; 2?" in page and "<script" not in page
    choices = re.findall(r"<summary[^>]*>(.*?)</summary><p[^>]*>(.*?)</p>", page)
    assert choices == [
        ("5", "✗ Not this one. That is 2 + 3."),
        ("6", "✓ <b>Right.</b> 2 × 3 numbers."),
        ("8", "✗ Not this one. Open another answer."),
    ]
    assert "( ) 5" in repr(quiz) and "Right" not in repr(quiz)


def test_questions_without_an_answer_are_refused() -> None:
    with pytest.raises(ValueError, match="not among the options"):
        predict("?", ["a", "b"], "c", "")
    with pytest.raises(ValueError, match=r"because speaks of \['c'\]"):
        predict("?", ["a", "b"], "a", {"c": ""})

"""What the lessons' notebooks show to play with, in a real browser: every piece works where it stands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
WIDTH = 880  # of the column in which a notebook shows what a cell gives


def pieces(notebook: Path) -> list[str]:
    """The HTML among a notebook's outputs."""
    outputs = [o for cell in json.loads(notebook.read_text("utf-8"))["cells"] for o in cell.get("outputs", [])]
    return ["".join(o["data"]["text/html"]) for o in outputs if "text/html" in o.get("data", {})]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_frame_shows_something_that_fits(notebook: Path, page: Any) -> None:
    frames = [piece for piece in pieces(notebook) if "<iframe" in piece]
    if not frames:
        pytest.skip("nothing in it runs in a frame")
    page.open(f"<body style='width:{WIDTH}px'>{''.join(frames)}</body>")
    for k in range(len(frames)):
        page.driver.switch_to.frame(k)
        page.wait("document.readyState === 'complete'")
        assert page.text("body"), f"frame {k} is empty"
        wide = page.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"frame {k} is {wide} pixels too wide"
        page.driver.switch_to.default_content()


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_answers_of_every_question_open(notebook: Path, page: Any) -> None:
    questions = [piece for piece in pieces(notebook) if "<details" in piece]
    if not questions:
        pytest.skip("nothing is asked in it")
    page.open("".join(questions))
    for answer in page.all("details"):
        answer.find_element("css selector", "summary").click()
    assert all(page.run("return [...document.querySelectorAll('details')].map((d) => d.open && d.offsetHeight > 30)"))
    assert page.run("return document.body.textContent.split('Right.').length - 1") == len(questions)


def test_an_exported_page_folds_what_holds_answers(page: Any) -> None:
    notebook = json.loads(NOTEBOOKS[0].read_text("utf-8"))
    (heading,) = ["".join(c["source"]) for c in notebook["cells"] if "## Exercises" in "".join(c["source"])]
    cells = [  # as nbconvert writes them
        f'<div class="jp-Cell celltag_{tag}"><div class="jp-Cell-inputWrapper">source of {tag}</div>shown by {tag}</div>'
        for tag in ("question", "plain", "check", "solution")
    ]
    page.open(f"<body>{heading}{''.join(cells)}</body>")
    seen = page.run("return document.body.innerText")
    assert "source of plain" in seen and "shown by question" in seen
    assert "source of question" not in seen and "of check" not in seen and "by solution" not in seen
    for summary in page.all("summary"):
        summary.click()
    seen = page.run("return document.body.innerText")
    assert "How the answer is checked" in seen and "source of check" in seen
    assert "source of solution" in seen and "shown by solution" in seen

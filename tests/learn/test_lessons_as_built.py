"""What every lesson has: what one will be able to do, exercises with folded solutions, and the pieces to play with."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
TO_PLAY_WITH = {
    "01": ["A tensor's memory layout"],
    "02": ["Shapes while the batch grows"],
    "03": ["Cross-entropy explorer"],
    "04": ["result"],  # forward and backward, stepped through a graph
    "06": ["Optimizers racing over a landscape"],
    "07": ["Shuffle and batch"],
    "08": ["Training curve"],
    "09": ["By hand and by nn"],
    "10": ["Layers, opened"],
    "11": ["Samples a second"],
    "12": ["Training curve"],
    "13": ["Try the network: lines of 6 by 6 pixels", "Try the network: digits"],
    "17": ["A kernel slides over a picture"],
    "18": ["Which letter comes next?"],
    "19": ["An attention map"],
}
LARGEST = 1_500_000  # bytes


def cells(notebook: Path) -> list[dict[str, Any]]:
    return json.loads(notebook.read_text("utf-8"))["cells"]


def tagged(cell: dict[str, Any], tag: str) -> bool:
    return tag in cell["metadata"].get("tags", [])


@pytest.mark.parametrize("number", TO_PLAY_WITH)
def test_what_there_is_to_play_with_is_there(number: str) -> None:
    (notebook,) = (path for path in NOTEBOOKS if path.name.startswith(number))
    pages = [
        html.unescape("".join(output["data"]["text/html"]))
        for cell in cells(notebook)
        for output in cell.get("outputs", [])
        if "<iframe" in "".join(output.get("data", {}).get("text/html", ""))
    ]
    titles = [html.unescape(title) for page in pages for title in re.findall(r"<title>(.*?)</title>", page)]
    assert set(TO_PLAY_WITH[number]) <= set(titles)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_lesson_says_what_it_is_for_and_ends_with_exercises(notebook: Path) -> None:
    assert notebook.stat().st_size < LARGEST
    found = cells(notebook)
    assert "After this lesson you can" in "".join(found[0]["source"])
    texts = ["".join(cell["source"]) for cell in found if cell["cell_type"] == "markdown"]
    assert sum("## Exercises" in text for text in texts) == 1
    solutions = [cell for cell in found if tagged(cell, "solution")]
    assert solutions and all("assert" in "".join(cell["source"]) for cell in solutions)
    for cell in found:
        folded = any(tagged(cell, tag) for tag in ("solution", "check", "question"))
        assert cell["metadata"].get("jupyter", {}).get("source_hidden", False) == folded

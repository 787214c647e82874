"""The lessons' builder: the same source gives the same notebook, and what fails or is out of date is told."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

for needed in ("jupytext", "nbclient", "ipykernel"):
    if importlib.util.find_spec(needed) is None:
        pytest.skip('needs pip install "tinygrad_edu[notebooks]"', allow_module_level=True)

ROOT = Path(__file__).parents[2]
SOURCE = """# %% [markdown]
# # A lesson

# %%
import tinygrad_edu as torch

torch.manual_seed(0)
x = torch.randn(2)
object()

# %% [markdown]
# ## Exercises

# %%
predict = print

# %%
predict("Which?", ["this", "that"], "this", "It is.")

# %% tags=["check"]
def check_it(answer): ...

# %% tags=["solution"]
print(x)
"""


SHORT = "# %%\nprint(1)\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of lessons with one lesson in it."""
    made = tmp_path / "notebooks"
    made.mkdir()
    shutil.copy(ROOT / "notebooks" / "build.py", made)
    (made / "01_first.py").write_text(SOURCE)
    return made


def build(folder: Path, *options: str) -> tuple[int, str]:
    """The builder's exit status, and what it says."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "notebooks/build.py", *options]
    done = subprocess.run(
        command, cwd=folder.parent, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


def test_the_same_source_gives_the_same_notebook(folder: Path) -> None:
    assert build(folder)[0] == 0
    first = (folder / "01_first.ipynb").read_text()
    assert build(folder, "01")[0] == 0
    assert (folder / "01_first.ipynb").read_text() == first
    cells = json.loads(first)["cells"]
    assert [cell["cell_type"] for cell in cells] == ["markdown", "code", "markdown", *["code"] * 4]
    assert cells[-1]["outputs"][0]["text"][0].startswith("tensor([")
    assert cells[1]["outputs"][0]["data"]["text/plain"] == ["<object>"]


def test_what_holds_answers_is_folded(folder: Path) -> None:
    build(folder)
    _, _, heading, plain, *cells = json.loads((folder / "01_first.ipynb").read_text())["cells"]
    assert plain["metadata"] == {}
    assert [cell["metadata"] for cell in cells] == [
        {"tags": ["question"], "jupyter": {"source_hidden": True}},
        {"tags": ["check"], "jupyter": {"source_hidden": True}},
        {"tags": ["solution"], "jupyter": {"source_hidden": True, "outputs_hidden": True}},
    ]
    assert "".join(heading["source"]).startswith("## Exercises") and "celltag_question" in "".join(heading["source"])


def test_a_check_writes_nothing_and_sees_what_is_out_of_date(folder: Path) -> None:
    (folder / "01_first.py").write_text(SHORT)
    status, said = build(folder, "--check")
    assert status == 1 and "01_first.ipynb is not there; write: python notebooks/build.py 01" in said
    assert not (folder / "01_first.ipynb").exists()
    build(folder)
    assert build(folder, "--check")[0] == 0
    (folder / "01_first.py").write_text(SHORT + "\n# %%\nprint(2)\n")
    status, said = build(folder, "--check")
    assert status == 1 and "was made of another source" in said


def test_a_cell_that_fails_fails_the_build_of_its_lesson_alone(folder: Path) -> None:
    (folder / "01_first.py").write_text(SHORT)
    (folder / "02_second.py").write_text("# %%\nassert 1 + 1 == 3, 'no'\n")
    status, said = build(folder, "--jobs", "2")
    assert status == 1 and "failed  02_second" in said and "1 of 2 lessons run" in said
    assert (folder / "01_first.ipynb").exists() and not (folder / "02_second.ipynb").exists()


def test_unknown_numbers_are_refused(folder: Path) -> None:
    status, said = build(folder, "07")
    assert status == 2 and "no lesson has the number 07; there are 01_first" in said

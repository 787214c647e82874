"""Turn the lessons' sources (`NN_name.py`, cells between `# %%`) into notebooks, and run them from top to bottom.

    python notebooks/build.py            write every NN_name.ipynb, with its outputs
    python notebooks/build.py 03 07      these alone
    python notebooks/build.py --check    write nothing: run all, and compare with the notebooks that are there

What holds answers is folded, in a notebook and in a page that `nbconvert` makes of it: cells with the tag `solution`, cells
with the tag `check` (what an answer is compared with), and the sources of questions (`predict(...)`).

A lesson is a page to be read in one go, half of it prose: it is as long as its story, and the rule for the sizes of files
does not hold for it. Needs `pip install "tinygrad_edu[notebooks]"`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TIMEOUT = 600  # seconds a cell may take
ADDRESS = re.compile(r" at 0x[0-9a-f]+")  # differs from run to run
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
EXERCISES = "## Exercises"  # the heading after which they come
# what stands in the place of a folded cell, by its tag
FOLDED = {"check": "How the answer is checked", "solution": "Solution"}
# Notebooks fold cells by their metadata, which a page that `nbconvert` makes does not know: it folds them by this, and
# cuts nothing off at its right edge.
EXPORTED = """<style>
.jp-RenderedSVG img { max-width: 100%; height: auto }
.jp-InputArea-editor { overflow-x: auto }
.celltag_question .jp-Cell-inputWrapper { display: none }
.folded > summary { margin: 6px 0 6px 100px; cursor: pointer; font: 14px var(--jp-content-font-family, sans-serif) }
</style>
<script>
addEventListener("DOMContentLoaded", () => {
  for (const [tag, title] of Object.entries(TITLES))
    for (const cell of document.querySelectorAll(".celltag_" + tag)) {
      const folded = document.createElement("details");
      folded.className = "folded";
      folded.innerHTML = "<summary>" + title + "</summary>";
      cell.replaceWith(folded);
      folded.append(cell);
    }
});
</script>"""


def main() -> int:
    parser = argparse.ArgumentParser(description="Build and run the lessons.")
    parser.add_argument(
        "numbers", nargs="*", metavar="NN", help="the lessons' numbers; all if none is given"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; fail if a notebook is not its source's",
    )
    parser.add_argument("--jobs", type=int, default=1, help="how many to run at the same time")
    options = parser.parse_args()
    sources = sorted(HERE.glob("[0-9][0-9]_*.py"))
    chosen = [path for path in sources if not options.numbers or path.name[:2] in options.numbers]
    missing = set(options.numbers) - {path.name[:2] for path in chosen}
    if missing:
        parser.error(
            f"no lesson has the number {', '.join(sorted(missing))}; there are {', '.join(p.stem for p in sources)}"
        )
    absent = [name for name in ("jupytext", "nbclient", "ipykernel") if find_spec(name) is None]
    if absent:
        parser.error(f"{', '.join(absent)} not installed; write: pip install -e '.[notebooks]'")
    # the kernels find this checkout, installed or not
    os.environ["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    )
    with ProcessPoolExecutor(options.jobs) as pool:
        failures = sum(
            bool(wrong) for wrong in pool.map(build, chosen, [options.check] * len(chosen))
        )
    print(f"{len(chosen) - failures} of {len(chosen)} lessons run", flush=True)
    return 1 if failures else 0


def build(source: Path, check: bool) -> str:
    """Run one lesson, and write its notebook unless only checking; what is wrong, or nothing."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    notebook = read(source)
    target = source.with_suffix(".ipynb")
    wrong = stale(notebook, target) if check else ""
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,  # or outputs differ by how fast they came
        resources={"metadata": {"path": str(HERE)}},
    )
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        wrong = COLOUR.sub("", str(error))
    if not wrong and not check:
        write(notebook, target)
    print(
        f"{'failed' if wrong else 'runs  '}  {source.stem}" + (f"\n{wrong}" if wrong else ""),
        flush=True,
    )
    return wrong


def read(source: Path) -> Any:
    """A source as a notebook without outputs; cells are numbered, so that the same source gives the same notebook."""
    import jupytext

    notebook = jupytext.read(source, fmt="py:percent")
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        cell.metadata.pop("lines_to_next_cell", None)  # jupytext's note to itself
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "markdown" and EXERCISES in cell.source:
            cell.source += "\n\n" + EXPORTED.replace("TITLES", json.dumps(FOLDED))
        elif cell.source.startswith("predict("):
            cell.metadata |= {"tags": [*tags, "question"], "jupyter": {"source_hidden": True}}
        elif "solution" in tags:  # what it prints says the answer too
            cell.metadata["jupyter"] = {"source_hidden": True, "outputs_hidden": True}
        elif "check" in tags:
            cell.metadata["jupyter"] = {"source_hidden": True}
    return notebook


def stale(notebook: Any, target: Path) -> str:
    """Whether the notebook that is there was made of another source."""
    import nbformat

    again = f"write: python notebooks/build.py {target.name[:2]}"
    if not target.exists():
        return f"{target.name} is not there; {again}"
    there = nbformat.read(target, as_version=4)
    if [(c.cell_type, c.source) for c in there.cells] != [
        (c.cell_type, c.source) for c in notebook.cells
    ]:
        return f"{target.name} was made of another source; {again}"
    return ""


def write(notebook: Any, target: Path) -> None:
    """Write a notebook that differs from the last one only where its outputs do."""
    import nbformat

    notebook.metadata["language_info"] = {"name": "python"}  # the kernel adds its version
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            texts = output.data if "data" in output else output
            for form, text in texts.items():
                texts[form] = ADDRESS.sub("", text) if isinstance(text, str) else text
    nbformat.validate(notebook)
    nbformat.write(notebook, target)


if __name__ == "__main__":
    sys.exit(main())

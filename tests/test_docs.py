"""The documentation: what its pages show runs and prints what they say, quotations are the sources, links lead somewhere.

The blocks of a page are run in order, in one program and one folder. Before a block may stand

    <!-- file: train.py -->        it is written into a file of that name
    <!-- source: MODULE NAME -->   it is the package's source
    <!-- needs: matplotlib -->     it is left out where that is not installed
    <!-- not run: REASON -->       it is left out

and what it prints stands in a block of text right behind it, where `...` stands for anything.
"""

from __future__ import annotations

import contextlib
import doctest
import importlib.util
import io
import json
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

import tinygrad_edu as tg
from tinygrad_edu.compat.missing import resolve
from tinygrad_edu.op import OPS

DOCS = Path(__file__).parent.parent / "docs"
sys.path.insert(0, str(DOCS))
build = SimpleNamespace(**runpy.run_path(str(DOCS / "build.py")))  # not by its name, which others have too
sys.path.remove(str(DOCS))
reference = build.reference

BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>file|source|needs|not run): (?P<detail>[^\n]+) -->\n)?"
    r"^ *```(?P<kind>\w+)\n(?P<code>.*?)^ *```\n(?:\n```text\n(?P<prints>.*?)^```\n)?",
    re.DOTALL | re.MULTILINE,
)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
PAGES = {path.relative_to(DOCS).as_posix(): path for path in build.pages() if path.name != "compatibility.md"}

ABSENT = "autograd.forward_ad export nested quantize_per_tensor float8_e4m3fn complex32".split()


@dataclass
class Block:
    """A piece of a page."""

    line: int
    mark: str
    detail: str
    kind: str
    code: str
    prints: str | None


def blocks(text: str) -> Iterator[Block]:
    """The blocks of code of a page, in order."""
    for found in BLOCK.finditer(text):
        mark, detail, kind, code, prints = found.group("mark", "detail", "kind", "code", "prints")
        if kind != "text":
            yield Block(text[: found.start("code")].count("\n") + 1, mark or "", detail or "", kind, code, prints)


def fits(wanted: str, got: str) -> bool:
    """Whether a program has printed what the page says."""
    return doctest.OutputChecker().check_output(wanted, got, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)


def run_python(code: str, names: dict, file: Path) -> str:
    """Run a block as a part of the page's program; what it prints. It is in a file, so that its lines can be told."""
    file.write_text(code)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(code, file.name, "exec"), names)  # the folder of the page is the current one
    return said.getvalue()


def run_commands(code: str, folder: Path) -> str:
    """Run the commands of a block; what they print."""
    environment = {**os.environ, "PYTHONPATH": str(DOCS.parent), "OMP_NUM_THREADS": "1"}
    code = re.sub(
        r"^(python|tinygrad-edu) ",
        f"{sys.executable} ",
        code.replace("tinygrad-edu ", "python -m tinygrad_edu "),
        flags=re.M,
    )
    done = subprocess.run(
        ["bash", "-ec", code], cwd=folder, env=environment, capture_output=True, text=True, timeout=100
    )
    assert not done.returncode, f"{code}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture
def _operations() -> Iterator[None]:
    """A page may add operations: not to those that other tests look at."""
    before = dict(OPS)
    yield
    for name in OPS.keys() - before.keys():
        del OPS[name]


@pytest.mark.usefixtures("_operations")
@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_shows_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tg.manual_seed(0)
    names = {"__name__": "__main__"}
    for number, block in enumerate(blocks(PAGES[page].read_text())):
        where = f"docs/{page}, line {block.line}"
        if block.mark == "not run" or (block.mark == "needs" and not importlib.util.find_spec(block.detail)):
            continue
        if block.mark == "source":
            assert block.code == build.quoted(*block.detail.split()), f"{where}: run `python docs/build.py --refresh`"
            continue
        if block.mark == "file":
            (tmp_path / block.detail).write_text(block.code)
            continue
        assert block.kind in ("python", "bash"), f"{where}: a block of {block.kind} is to be marked as not run"
        if block.kind == "bash":
            said = run_commands(block.code, tmp_path)
        else:
            said = run_python(block.code, names, tmp_path / f"example{number or ''}.py")
        if block.prints is not None:
            assert fits(block.prints, said), f"{where} prints\n{said}\nand not\n{block.prints}"
        else:
            assert block.kind == "bash" or not said, f"{where} prints, and the page does not tell what:\n{said}"


def test_a_block_that_prints_something_else_is_noticed() -> None:
    assert fits("1.25 ...\n", "1.25 and more\n") and not fits("1.25\n", "1.26\n")
    text = "x\n```python\nprint(1)\n```\n\n```text\n2\n```\n<!-- not run: no GPU -->\n```python\n1 / 0\n```\n"
    first, second = blocks(text)
    assert (first.line, first.code, first.prints) == (3, "print(1)\n", "2\n")
    assert (second.mark, second.detail) == ("not run", "no GPU")


@pytest.mark.parametrize("page", [*PAGES, "compatibility.md", "../README.md", "../CONTRIBUTING.md"])
def test_links_lead_somewhere(page: str) -> None:
    path = DOCS / page
    built = {"operations.md", "lessons.md", *(f"reference/{name}.md" for name in reference.PAGES)}
    for target in LINK.findall(re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)):
        if re.match(r"https?:|#", target):
            continue
        found = (path.parent / target.partition("#")[0]).resolve()
        assert found.exists() or os.path.relpath(found, DOCS) in built, (
            f"docs/{page} leads to {target}, which is not there"
        )


def test_what_differs_is_told() -> None:
    page = PAGES["from_pytorch.md"].read_text()
    gaps = json.loads((DOCS.parent / "tests" / "conformance" / "known_gaps.json").read_text())
    for name in gaps:
        parts = name.removeprefix("nn.functional.").split(".")
        assert any(f"`{part}" in page or f".{part}`" in page for part in parts), f"{name} is not on the page"
    for name in ABSENT:  # and what the page says is not there is not there
        with pytest.raises(AttributeError):
            resolve(f"torch.{name}")


def test_every_operation_stands_in_the_table_with_its_rules() -> None:
    page = reference.operations()
    for name, op in OPS.items():
        assert f"{{ #op-{name} " in page, name
        for key in op.rules:
            assert f"\nd{key.replace(',', ', d')} = " in page
    assert "out = x * y\ndx = g * y\ndy = g * x\n" in page
    assert "def _matmul_grad_x(g, y):" in page  # a rule of several lines in full


def test_the_reference_has_what_modules_have() -> None:
    layers = reference.PAGES["nn"]()
    assert "### `Linear(in_features, out_features, bias=True, device=None, dtype=None)`" in layers
    assert layers.count("`named_parameters(") == 1  # on the page of Module, not of each layer
    tensor = reference.PAGES["tensor"]()
    assert "- `backward(" in tensor and "- `softmax(" in tensor
    for name, page in reference.PAGES.items():
        assert page().count("\n### ") >= 1 and " at 0x" not in page(), name


def test_the_pages_are_built_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason='pip install "tinygrad_edu[docs]"')
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-c",
        f"import build, pathlib; build.build(pathlib.Path({str(tmp_path)!r}))",
    ]
    done = subprocess.run(command, cwd=DOCS, capture_output=True, text=True, timeout=100)
    assert not done.returncode and "WARNING" not in done.stderr, done.stderr
    pages = {path.relative_to(tmp_path).as_posix(): path.read_text() for path in tmp_path.rglob("*.html")}
    assert {"index.html", "operations.html", "howto/add_an_op.html", "reference/nn.html"} <= pages.keys()
    for name, text in pages.items():  # they are read without a network
        assert not re.findall(r'(?:src|<link[^>]*href)="(?:https?:)?//[^"]+', text), name
